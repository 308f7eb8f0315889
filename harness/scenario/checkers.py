"""What an answer is held to: one model a `kind` of checker."""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator

from harness.scenario.strict import Strict

_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
FENCED = (
    "Take the JSON out of one Markdown code fence around the whole answer; false: a fence is a failure, as it is for "
    "a program that parses the answer."
)


class JsonChecker(Strict):
    """The answer is JSON; where the task has `expected`, that very value."""

    kind: Literal["json"]
    fenced: bool = Field(default=False, description=FENCED)


class JsonSchemaChecker(Strict):
    """The answer is JSON that fits a schema; where the task has `expected`, that very value."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    kind: Literal["json_schema"]
    schema_: Any = Field(alias="schema", description="A JSON Schema (2020-12 unless its `$schema` says another).")
    fenced: bool = Field(default=False, description=FENCED)

    @field_validator("schema_")
    @classmethod
    def _is_a_schema(cls, value: Any) -> Any:
        if not isinstance(value, dict | bool):
            raise ValueError("must be a JSON Schema, which is a mapping")
        return value


class RegexChecker(Strict):
    """A regular expression (Python's) is found in the answer."""

    kind: Literal["regex"]
    pattern: str = Field(min_length=1, description="Python's syntax; (?i) ignores case, \\A...\\Z takes the whole.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a later Python may read otherwise
                re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value


class ExactChecker(Strict):
    """The answer is the task's `expected`, but for blanks around it."""

    kind: Literal["exact"]


class NormalisedChecker(Strict):
    """The answer is the task's `expected` but for case, punctuation, articles, blanks and the form of letters."""

    kind: Literal["normalised"]


class NumberChecker(Strict):
    """The number in the answer is the task's `expected`, within a tolerance."""

    kind: Literal["number"]
    absolute: float = Field(default=0, ge=0, description="Off by so much at most.")
    relative: float = Field(default=1e-6, ge=0, description="Off by this share of the expected at most, 0.01 = 1 %.")
    pick: Literal["last", "first", "only"] = Field(
        default="last", description="Which number of the answer is meant; only: an answer with several fails."
    )


class FunctionChecker(Strict):
    """A function of yours, `module:function`, called with the answer and the task; True or False."""

    kind: Literal["function"]
    function: str = Field(description="module:function; the module lies beside the scenario or is installed.")

    @field_validator("function")
    @classmethod
    def _names_one(cls, value: str) -> str:
        if not _FUNCTION.fullmatch(value):
            raise ValueError("must be `module:function`")
        return value


class JudgeChecker(Strict):
    """The model at `prompts.judge` says whether the answer is right."""

    kind: Literal["judge"]


Checker = Annotated[
    JsonChecker
    | JsonSchemaChecker
    | RegexChecker
    | ExactChecker
    | NormalisedChecker
    | NumberChecker
    | FunctionChecker
    | JudgeChecker,
    Field(discriminator="kind"),
]
OF_JSON = (JsonChecker, JsonSchemaChecker)
NEEDS_EXPECTED = (ExactChecker, NormalisedChecker, NumberChecker)
