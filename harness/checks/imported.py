"""Findings on a run that another tool measured."""

from collections.abc import Iterator

from harness.checks.finding import check
from harness.rundir.imported import Imported
from harness.rundir.result import Check


def imported_checks(imported: Imported) -> Iterator[Check]:
    """A file without rows tells each percentile by itself, and nothing of how many requests keep all limits."""
    if imported.rows == "none":
        text = (
            f"{imported.tool}'s file has no requests, only its own percentiles: no limit can be judged, and there is "
            "no goodput"
        )
        hint = imported.unknown[0] if imported.unknown else None
        yield check("no_rows", "warning", text, hint)
    elif imported.laid_out:
        text = (
            f"{imported.tool}'s file does not tell when requests began: they are laid out as the load must have sent "
            "them, so rates and goodput rest on that"
        )
        yield check("laid_out", "warning", text, "its latencies and tokens are the file's own")
