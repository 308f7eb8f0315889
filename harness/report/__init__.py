"""The report people decide from: one HTML file, the same as Markdown, and the console's few lines.

Takes what run.json, metrics.json and decision.json hold; measures nothing, prices nothing, asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from harness.base.errors import BreakevenError, UsageError
from harness.base.whole import written_whole
from harness.report.compare.page import comparison_money, comparison_report
from harness.report.compare.runs import Comparison
from harness.report.compare.trend import trend, trend_report
from harness.report.given import given_report
from harness.report.model import Report, RunFiles
from harness.report.render.console import console_table, render_console
from harness.report.render.html import render_html
from harness.report.render.markdown import render_markdown
from harness.report.render.summary import render_summary
from harness.report.sections import build_report
from harness.rundir.decision import Decision

WIDTH = 100  # columns of what is printed, where there is no terminal to fill
HTML = "report.html"
MARKDOWN = "report.md"
COMPARISON_HTML = "comparison.html"
COMPARISON_MARKDOWN = "comparison.md"
TREND_HTML = "trend.html"
TREND_MARKDOWN = "trend.md"


def render_report(files: RunFiles) -> None:
    """Write report.html and report.md into the run directory, each in one step.

    Raises:
        BreakevenError: the directory cannot be written.
    """
    report = build_report(files)
    _write(files.run_dir, {HTML: render_html(report, files.decision), MARKDOWN: render_markdown(report)})


def render_given(decision: Decision, directory: Path, demand: str, command: tuple[str, ...]) -> RenderableType:
    """Write report.html and report.md of a demand that was priced without a run; what the console shows of it.

    Raises:
        BreakevenError: the directory cannot be written.
    """
    report = given_report(decision, demand, command)
    _write(directory, {HTML: render_html(report, decision), MARKDOWN: render_markdown(report)})
    return render_console(report, directory / HTML)


def render_comparison(comparison: Comparison, directory: Path) -> Path:
    """Write comparison.html and comparison.md into a directory; the path of the HTML.

    Raises:
        UsageError: the directory cannot be written.
    """
    return _write_pair(comparison_report(comparison), directory, COMPARISON_HTML, COMPARISON_MARKDOWN)


def render_trend(runs: Sequence[RunFiles], directory: Path | None) -> RenderableType:
    """What the console shows of runs over time; with a directory trend.html and trend.md are written there.

    Raises:
        UsageError: the directory cannot be written.
    """
    report = trend_report(trend(runs))
    html = None if directory is None else _write_pair(report, directory, TREND_HTML, TREND_MARKDOWN)
    return render_console(report, html)


def _write_pair(report: Report, directory: Path, html: str, markdown: str) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(directory, {html: render_html(report, None), markdown: render_markdown(report)})
    except OSError as error:
        raise UsageError(f"cannot make {directory}: {error.strerror or error}") from None
    except BreakevenError as error:
        raise UsageError(str(error)) from None
    return directory / html


def console_comparison(comparison: Comparison, html: Path | None = None) -> RenderableType:
    """What differs, who wins, the runs as rows, the money of each; `html`: where the whole comparison lies."""
    money = comparison_money(comparison)
    parts: list[RenderableType] = [render_console(comparison_report(comparison), None)]
    parts += [Text(""), console_table(money)] if money is not None else []
    parts += [Text(""), Text(f"report: {html}", overflow="fold")] if html is not None else []
    return Group(*parts)


def _write(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        with written_whole(directory / name) as place:
            place.write_text(text, encoding="utf-8")


def console_report(files: RunFiles) -> RenderableType:
    """The steps, the verdict, the arms and the checks, for `Console.print`."""
    return render_console(build_report(files), files.run_dir / HTML)


def summary(files: RunFiles) -> str:
    """The report in ten lines of Markdown."""
    return render_summary(build_report(files))
