"""What stands otherwise in the figures of a run that another tool measured."""

from pathlib import Path

from harness.checks.imported import imported_checks
from harness.rundir.imported import Imported
from harness.rundir.of_step import Summary
from harness.rundir.results import Metrics
from harness.rundir.tool_summary import read_tool_summary


def summary_metrics(run_dir: Path, imported: Imported) -> Metrics:
    """The tool's own rates and percentiles, where its file has no rows: no limit is judged, and there is no goodput.

    Raises:
        UsageError: tool_summary.json is missing, or is none.
    """
    return Metrics(steps=read_tool_summary(run_dir), checks=tuple(imported_checks(imported)))


def without_lateness(metrics: Metrics, imported: Imported | None) -> Metrics:
    """Nobody knows how late a request left where only its sending is told."""
    if imported is None or imported.knows_due:
        return metrics
    unknown = {"schedule_lag_s": Summary()}
    return metrics.model_copy(update={"steps": tuple(step.model_copy(update=unknown) for step in metrics.steps)})
