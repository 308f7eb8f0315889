"""steps.jsonl: the load steps as they really ran."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from harness.base.errors import UsageError
from harness.base.yamlfile import validate
from harness.rundir.files import STEPS
from harness.rundir.parquet_file import DAMAGED
from harness.rundir.read import read_lines
from harness.rundir.records import LATEST_S
from harness.rundir.results import LoadOfStep, Result

Seconds = Annotated[float, Field(ge=0, le=LATEST_S)]


class RanStep(Result):
    """One load step; seconds since the run began, `end_s` None where the run was cut in it."""

    step: int
    load: LoadOfStep
    start_s: Seconds
    window_start_s: Seconds
    end_s: Seconds | None = None
    over_saturated: bool = False  # cut, because its queue only grew
    given_up: bool = False  # cut, because it could not pass any more


def read_steps(run_dir: Path) -> list[RanStep]:
    """The steps in order; a step's lines are put together, later ones add what was not known before.

    Raises:
        UsageError: a line that is no step, or a step without its load or its times; names file and step.
    """
    path = run_dir / STEPS
    found: dict[int, dict[str, Any]] = {}
    for row in read_lines(path):
        if not isinstance(row.get("step"), int):
            raise UsageError(f"{path}: a line has no step number", hint=DAMAGED)
        found.setdefault(row["step"], {}).update(row)
    return [step_of(found[number], where=f"{path}: step {number}") for number in sorted(found)]


def step_of(row: dict[str, Any], *, where: str = "step") -> RanStep:
    """A step out of the object that says it."""
    return validate(RanStep, row, where=where, hint=DAMAGED)
