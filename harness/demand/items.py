"""Costs beside inference, as listed items: people, embeddings, stores, evaluation, and what is paid once."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.base.money import OF_A_MILLION
from harness.base.people import DEFAULT_USD_PER_YEAR
from harness.base.units import TOKENS_PER_MTOK
from harness.base.yamlfile import Label, Strict

MONTHS_PER_YEAR = 12
WEEKS_PER_MONTH = 52 / 12

Payer = Literal["self_host", "api", "both"]
Line = Literal[
    "infrastructure", "people", "embeddings", "vector_store", "evaluation", "experiments", "logging", "one_off"
]
Amount = Annotated[float, Field(ge=0, le=1e12)]
UsdPerMtok = Annotated[Amount, OF_A_MILLION]


class _Item(Strict):
    name: Label = Field(description="What it is; the line of the report, and what `without` strikes.")
    arm: Payer = Field(default="both", description="Who pays it: self_host, api, or both alike.")
    note: str = ""
    assumed: bool = Field(default=False, description="Nobody's own figure: sentence and report call it assumed.")


class MonthlyItem(_Item):
    """So many dollars a month."""

    kind: Literal["monthly"]
    line: Line = "infrastructure"
    usd: Amount


class FteItem(_Item):
    """A share of a person: fraction * loaded year / 12. Example: 0.5 of 208,000 is 8,666.67 a month."""

    kind: Literal["fte"]
    line: Line = "people"
    fraction: Amount
    loaded_usd_per_year: Amount = DEFAULT_USD_PER_YEAR
    pay_assumed: bool = Field(
        default=False, description="The year's pay is nobody's own figure, as it is where none is given."
    )

    @model_validator(mode="before")
    @classmethod
    def _pay_nobody_gave(cls, said: Any) -> Any:
        if isinstance(said, dict) and "loaded_usd_per_year" not in said:
            return {**said, "pay_assumed": True}
        return said


class HoursItem(_Item):
    """Hours a week at an hourly rate; a month has 52/12 weeks unless the item says 4."""

    kind: Literal["hours"]
    line: Line = "people"
    hours_per_week: Amount
    usd_per_hour: Amount
    weeks_per_month: Annotated[float, Field(gt=0, le=5)] = WEEKS_PER_MONTH


class EmbeddingItem(_Item):
    """A corpus embedded again and again: chunks * tokens * price * passes a year / 12."""

    kind: Literal["embeddings"]
    line: Line = "embeddings"
    chunks: Amount
    tokens_per_chunk: Amount
    usd_per_mtok: UsdPerMtok
    passes_per_year: Amount


class PerTaskItem(_Item):
    """Tokens of another model for each task, e.g. the query's embedding."""

    kind: Literal["per_task"]
    line: Line = "embeddings"
    tokens_per_task: Amount
    usd_per_mtok: UsdPerMtok


class OneOffItem(_Item):
    """Paid once, e.g. a migration: no part of the month, but of the payback."""

    kind: Literal["one_off"]
    line: Line = "one_off"
    arm: Payer = "self_host"
    usd: Amount


AnyItem = MonthlyItem | FteItem | HoursItem | EmbeddingItem | PerTaskItem | OneOffItem
Item = Annotated[AnyItem, Field(discriminator="kind")]


def usd_per_pass(item: EmbeddingItem) -> float:
    """Embedding the whole corpus once. Example: 10M chunks of 400 tokens at 0.02 are 80 USD."""
    return item.chunks * item.tokens_per_chunk * item.usd_per_mtok / TOKENS_PER_MTOK


def usd_per_month(item: AnyItem, tasks: float) -> float:
    """What an item costs in a month of so many tasks; what is paid once is no part of a month."""
    match item:
        case MonthlyItem():
            return item.usd
        case FteItem():
            return item.fraction * item.loaded_usd_per_year / MONTHS_PER_YEAR
        case HoursItem():
            return item.hours_per_week * item.usd_per_hour * item.weeks_per_month
        case EmbeddingItem():
            return usd_per_pass(item) * item.passes_per_year / MONTHS_PER_YEAR
        case PerTaskItem():
            return tasks * item.tokens_per_task * item.usd_per_mtok / TOKENS_PER_MTOK
        case OneOffItem():
            return 0.0
