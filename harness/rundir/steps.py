"""steps.jsonl: the load steps as they really ran."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from harness.base.errors import UsageError
from harness.base.yamlfile import validate
from harness.rundir.files import STEPS
from harness.rundir.of_step import LoadOfStep, Role, is_of_the_load
from harness.rundir.parquet_file import DAMAGED
from harness.rundir.read import read_lines
from harness.rundir.records import LATEST_S
from harness.rundir.result import Result

Seconds = Annotated[float, Field(ge=0, le=LATEST_S)]


class RanStep(Result):
    """One load step; seconds since the run began, `end_s` None where the run was cut in it.

    Its phases: enter (`start_s` to `entered_s`: new users begin one by one), warm-up (to `window_start_s`), the window
    that is counted (to `end_s`), the hold (to `held_s`: the same load, until all that was due in the window has ended).
    """

    step: int
    load: LoadOfStep
    start_s: Seconds
    window_start_s: Seconds
    end_s: Seconds | None = None
    entered_s: Seconds | None = None  # None: nobody had to come, or an older version did not stagger
    held_s: Seconds | None = None  # None: not held
    drained_s: Seconds | None = None  # until when nothing began, so that a backlog could end; None: it had none
    hold_bound: bool = False  # the hold took as long as it may, and ended with some still under way
    cut: int = 0  # requests due in the window that its end cut
    lost: bool = False  # the hold ended early, since too many had broken a limit already
    over_saturated: bool = False  # cut, because its queue only grew
    given_up: bool = False  # cut, because it could not pass any more
    round: Annotated[int, Field(ge=1)] | None = None  # of a task run; None: it is none
    role: Role | None = None  # likewise
    not_asked: int = 0  # tasks of the round that its time was too short for, or that its end cut

    @property
    def is_load(self) -> bool:
        """Whether it may be judged and priced."""
        return is_of_the_load(self.round, self.role)


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
