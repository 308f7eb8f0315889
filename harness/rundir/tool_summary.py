"""tool_summary.json: the figures of an imported run whose file has no rows."""

from pathlib import Path

from harness.base.yamlfile import validate
from harness.rundir.files import read_json
from harness.rundir.result import Result
from harness.rundir.results import Step

TOOL_SUMMARY = "tool_summary.json"


class ToolSummary(Result):
    """The steps of such a run, with the tool's own rates and percentiles."""

    steps: tuple[Step, ...]


def read_tool_summary(run_dir: Path) -> tuple[Step, ...]:
    """The tool's own figures of each step.

    Raises:
        UsageError: the file is missing, or is none.
    """
    data = read_json(run_dir, TOOL_SUMMARY)
    return validate(ToolSummary, data, where=str(run_dir / TOOL_SUMMARY)).steps
