"""The hand-made runs in data/report: run.json, metrics.json and, where anything was priced, decision.json."""

import json
from pathlib import Path
from typing import Any, NamedTuple

DATA = Path(__file__).parent.parent / "data" / "report"
NAMES = ("two_windows", "never", "infeasible", "partial", "errors", "twelve_steps")

HOSTILE = "<script>alert(1)</script>|\n# x](javascript:y) `tick` \x1b[31mred\x1b[0m \u202eevil @someone"


class Case(NamedTuple):
    """What `render_report` takes."""

    run: dict[str, Any]
    metrics: dict[str, Any]
    decision: dict[str, Any] | None


def case(name: str) -> Case:
    """A fresh copy of a hand-made run."""
    read = {
        part: json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        for part in ("run", "metrics", "decision")
        for path in [DATA / name / f"{part}.json"]
    }
    return Case(read["run"], read["metrics"], read["decision"])
