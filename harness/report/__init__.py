"""The report people decide from: one HTML file, the same as Markdown, and the console's few lines.

Takes run.json, metrics.json and decision.json as dicts; measures nothing, prices nothing, asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from harness.errors import BreakevenError
from harness.report.render_console import WIDTH, render_console
from harness.report.render_html import render_html
from harness.report.render_markdown import render_markdown
from harness.report.sections import build_report

__all__ = ["HTML", "MARKDOWN", "WIDTH", "console_report", "render_report"]

HTML = "report.html"
MARKDOWN = "report.md"


def render_report(
    run_dir: Path, run: Mapping[str, Any], metrics: Mapping[str, Any], decision: Mapping[str, Any] | None
) -> None:
    """Write report.html and report.md into the run directory, each in one step.

    Raises:
        BreakevenError: the directory cannot be written.
    """
    report = build_report(run_dir, run, metrics, decision)
    for name, text in ((HTML, render_html(report, decision)), (MARKDOWN, render_markdown(report))):
        path = run_dir / name
        temporary = run_dir / f".{name}"
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise BreakevenError(f"cannot write {path}: {error.strerror or error}") from None


def console_report(
    run_dir: Path, run: Mapping[str, Any], metrics: Mapping[str, Any], decision: Mapping[str, Any] | None
) -> RenderableType:
    """The verdict, one table and the checks, for `Console(width=min(WIDTH, ...)).print`."""
    return render_console(build_report(run_dir, run, metrics, decision), run_dir / HTML)
