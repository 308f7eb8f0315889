"""The hand-made runs in data/report: run.json, metrics.json and, where anything was priced, decision.json."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from harness.rundir.decision import Decision
from harness.rundir.results import Metrics, Result

DATA = Path(__file__).parent.parent / "data" / "report"
NAMES = ("two_windows", "never", "infeasible", "partial", "errors", "twelve_steps")

HOSTILE = "<script>alert(1)</script>|\n# x](javascript:y) `tick` \x1b[31mred\x1b[0m \u202eevil @someone"


class Case(NamedTuple):
    """What `render_report` takes."""

    run: dict[str, Any]
    metrics: Metrics
    decision: Decision | None


def case(name: str) -> Case:
    """A fresh copy of a hand-made run."""
    read = {
        part: json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        for part in ("run", "metrics", "decision")
        for path in [DATA / name / f"{part}.json"]
    }
    decision = None if read["decision"] is None else Decision.model_validate(read["decision"])
    return Case(read["run"], Metrics.model_validate(read["metrics"]), decision)


def decision_of(name: str) -> Decision:
    """The decision of a hand-made run that was priced."""
    decision = case(name).decision
    assert decision is not None
    return decision


Read = TypeVar("Read", bound=Result)


def changed(read: Read, change: Callable[[dict[str, Any]], object]) -> Read:
    """Figures or a decision as they would be read if their file said otherwise; `change` edits its object in place."""
    data = read.to_dict()
    change(data)
    return type(read).model_validate(data)
