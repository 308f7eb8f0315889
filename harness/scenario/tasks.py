"""Tasks: prompts whose answers are held to something, and what is done with those that fail."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.scenario.checkers import Checker
from harness.scenario.context import Context
from harness.scenario.strict import MOST_TOKENS, YEAR_S, Strict

Action = Literal["again", "with_error", "repair", "escalate"]
MOST_ACTIONS = 20

JUDGE_PROMPT = """\
Grade an answer. Judge only whether it is right and does what was asked; ignore its style and length.

Task:
{task}

Reference answer (may be empty):
{expected}

Answer to grade:
{answer}

Say briefly why, then end with one line that is exactly `VERDICT: PASS` or `VERDICT: FAIL`.
"""


class EscalateTo(Strict):
    """The dear endpoint that takes the tasks which the one under test did not solve."""

    url: str = Field(min_length=1, description="Its base URL.")
    model: str = Field(min_length=1, description="Its model.")
    api: str | None = Field(default=None, description="provider:model, for its price.")
    api_key_env: str | None = Field(default=None, description="The environment variable that holds its key.")


class AskJudge(Strict):
    """The endpoint whose model judges answers."""

    url: str = Field(min_length=1, description="Its base URL.")
    model: str = Field(min_length=1, description="Its model.")
    api: str | None = Field(default=None, description="provider:model, for its price.")
    api_key_env: str | None = Field(default=None, description="The environment variable that holds its key.")
    prompt: str = Field(
        default=JUDGE_PROMPT,
        description="What it is asked; {task}, {expected} and {answer} are filled in. It must ask for a line "
        "`VERDICT: PASS` or `VERDICT: FAIL`.",
    )
    output_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS, strict=True)] = Field(
        default=512, description="At most, in tokens."
    )

    @field_validator("prompt")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if "{answer}" not in value:
            raise ValueError("must have {answer} where the answer stands")
        if "VERDICT" not in value:
            raise ValueError("must ask for a line `VERDICT: PASS` or `VERDICT: FAIL`, which is what is read")
        return value


class TaskPrompts(Strict):
    """Tasks of a file, each with what its answer is held to; those not solved are asked again, by a policy."""

    kind: Literal["tasks"]
    file: str = Field(
        min_length=1,
        description="A set that ships (extraction, classification, arithmetic, support), or a file (.jsonl, .yaml); "
        "relative to the scenario.",
    )
    checker: Checker | None = Field(default=None, description="For tasks that bring none of their own.")
    on_failure: tuple[Action, ...] = Field(
        default=(),
        max_length=MOST_ACTIONS,
        description="What is done after the first failure, after the second, ...; none: each task is asked once.",
        examples=[["with_error", "again", "escalate"]],
    )
    output_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS, strict=True)] = Field(
        default=256, description="At most, in tokens, unless the task says its own."
    )
    max_tasks: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="A seeded sample of so many; none: all."
    )
    constrained: Literal["none", "json_schema", "grammar"] = Field(
        default="none", description="Let the server allow only what fits the tasks' schema, or `grammar`."
    )
    grammar: str | None = Field(default=None, description="For `constrained: grammar`: GBNF, or what the server reads.")
    context: Context = Field(
        default="all",
        description="Of tasks with `turns`: what each turn sends of those before. `all`; `{last_turns: N}`; "
        "`{summary: {...}}`, which the model itself is asked for.",
    )
    keep_text: bool = Field(default=False, description="Keep the texts that were judged, in answers.parquet.")
    max_round_s: float = Field(default=1800, gt=0, le=YEAR_S, description="A round of attempts lasts no longer.")
    escalate: EscalateTo | None = Field(default=None, description="Where `escalate` goes.")
    judge: AskJudge | None = Field(default=None, description="Who judges, for checkers of kind judge.")
    human_usd_per_task: float | None = Field(
        default=None, ge=0, description="What a person costs who takes over what nobody solved, in USD."
    )

    @field_validator("on_failure", mode="before")
    @classmethod
    def _one_action_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _policy_can_be_followed(self) -> TaskPrompts:
        steps = self.on_failure
        if "escalate" in steps and self.escalate is None:
            raise ValueError("on_failure has `escalate`: say where to, `escalate: {url: ..., model: ...}`")
        if self.escalate is not None and "escalate" not in steps:
            raise ValueError("`escalate` names an endpoint, but on_failure has no `escalate`")
        if "escalate" in steps and any(step in ("again", "with_error") for step in steps[steps.index("escalate") :]):
            raise ValueError("after `escalate` on_failure cannot come back to the endpoint under test")
        if any(pair == ("repair", "repair") for pair in pairwise(steps)):
            raise ValueError("on_failure has `repair` twice in a row: it gives the same again")
        if self.checker is not None and self.checker.kind == "judge" and self.judge is None:
            raise ValueError("a checker of kind judge needs `judge: {url: ..., model: ...}`")
        return self

    @model_validator(mode="after")
    def _constraint_is_known(self) -> TaskPrompts:
        if (self.constrained == "grammar") != (self.grammar is not None):
            raise ValueError("`constrained: grammar` and `grammar` go together")
        return self

    @property
    def attempts(self) -> int:
        """The most that one task gets."""
        return 1 + sum(action != "repair" for action in self.on_failure)

    @property
    def own_attempts(self) -> int:
        """The most that one task gets of the endpoint under test."""
        return self.attempts - self.on_failure.count("escalate")

    def action_before(self, attempt: int) -> Action | None:
        """What makes attempt 2, 3, ...; None where the policy has ended."""
        asked = [action for action in self.on_failure if action != "repair"]
        return asked[attempt - 2] if 2 <= attempt <= len(asked) + 1 else None

    def is_repaired(self, attempt: int) -> bool:
        """Whether an answer to this attempt that fails is repaired and judged again."""
        asked = 1
        for action in self.on_failure:
            if action == "repair" and asked == attempt:
                return True
            asked += action != "repair"
        return False
