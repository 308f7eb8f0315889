"""The hand-made runs in data/report: run.json, metrics.json and, where anything was priced, decision.json."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from harness.rundir.results import Metrics

DATA = Path(__file__).parent.parent / "data" / "report"
NAMES = ("two_windows", "never", "infeasible", "partial", "errors", "twelve_steps")

HOSTILE = "<script>alert(1)</script>|\n# x](javascript:y) `tick` \x1b[31mred\x1b[0m \u202eevil @someone"


class Case(NamedTuple):
    """What `render_report` takes."""

    run: dict[str, Any]
    metrics: Metrics
    decision: dict[str, Any] | None


def case(name: str) -> Case:
    """A fresh copy of a hand-made run."""
    read = {
        part: json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        for part in ("run", "metrics", "decision")
        for path in [DATA / name / f"{part}.json"]
    }
    return Case(read["run"], Metrics.model_validate(read["metrics"]), read["decision"])


def changed(metrics: Metrics, change: Callable[[dict[str, Any]], object]) -> Metrics:
    """The figures as they would be read if metrics.json said otherwise; `change` edits its object in place."""
    data = metrics.to_dict()
    change(data)
    return Metrics.model_validate(data)
