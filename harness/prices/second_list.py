"""The second list of API prices: a dated copy of the fields we use of LiteLLM's table, second_list.csv. It knows when
models are withdrawn; where its price is another one that is a warning, and the first list stays in force."""

import csv
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from harness.prices.record import ApiPrice, Rates
from harness.prices.roles import withdrawn

LIST = Path(__file__).with_name("second_list.csv")
SOURCE = "LiteLLM's table"
TOLERANCE = 0.02  # of a price: below that two lists only round differently (0.275 and 0.28)
CENTS = 2  # decimals that a list may be rounded to


@dataclass(frozen=True, slots=True)
class Difference:
    """One price that two sources give differently, in USD per million tokens."""

    name: str  # provider:model
    which: str  # input, output, cached input
    first: float
    second: float
    second_source: str


@dataclass(frozen=True, slots=True)
class Second:
    """What the second list says of a model."""

    rates: Rates
    retired_on: date | None


@cache
def _second_list() -> dict[tuple[str, str], Second]:
    with LIST.open(newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {(row["provider"], row["model"]): _second(row) for row in rows}


def _second(row: dict[str, str]) -> Second:
    cached, written = (float(row[name]) if row[name] else None for name in ("cached_input", "cache_write"))
    retired = date.fromisoformat(row["retired_on"]) if row["retired_on"] else None
    return Second(Rates(float(row["input"]), float(row["output"]), cached, written), retired)


def second_opinion(provider: str, model: str) -> Second | None:
    """What the second list says of the exact model; None when it does not know it."""
    return _second_list().get((provider, model.lower()))


def retired_on(provider: str, model: str) -> date | None:
    """The day from which nobody can buy the model, past or to come; None: none is known."""
    known = withdrawn().get(f"{provider}:{model}")
    if known is not None:
        return known
    second = second_opinion(provider, model)
    return second.retired_on if second is not None else None


def compare(price: ApiPrice, second: Rates, source: str) -> list[Difference]:
    """Where another source's rates differ by more than rounding."""
    pairs = [
        ("input", price.rates.input_usd_per_mtok, second.input_usd_per_mtok),
        ("output", price.rates.output_usd_per_mtok, second.output_usd_per_mtok),
        ("cached input", price.rates.cached_input_usd_per_mtok, second.cached_input_usd_per_mtok),
    ]
    return [
        Difference(f"{price.provider}:{price.model}", which, ours, theirs, source)
        for which, ours, theirs in pairs
        if ours is not None and theirs is not None and not _agree(ours, theirs)
    ]


def _agree(ours: float, theirs: float) -> bool:
    """Whether they are one price, as far as one list is rounded to cents."""
    if abs(ours - theirs) <= TOLERANCE * max(ours, theirs):
        return True
    return any(
        round(exact, CENTS) == rounded and round(rounded, CENTS) == rounded and round(exact, CENTS) != exact
        for exact, rounded in ((ours, theirs), (theirs, ours))
    )
