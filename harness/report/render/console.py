"""The report in a terminal: what forbids trust, the verdict, one table, the checks. At most 100 columns.

Colour only repeats what the words say. Outside text is printed as `rich.text.Text`, never as markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from harness.report.model import Check, Report, Table, Verdict
from harness.report.text import count

_STYLES = {"good": "green", "bad": "red", "warn": "yellow", "muted": "dim", "": ""}
_LEVELS = {"error": "bold red", "partial": "bold yellow", "warning": "yellow"}


def render_console(report: Report, html: Path | None) -> RenderableType:
    """What to hand to `rich.console.Console.print`; `html`: where the whole report lies, if anywhere."""
    return Group(*_parts(report, html))


def _parts(report: Report, html: Path | None) -> Iterator[RenderableType]:
    for notice in report.notices:
        yield from _check(notice)
    if report.notices:
        yield Text("")
    yield Text(report.title, style="bold")
    yield Text(report.measured)
    if report.search:
        yield Text(f"{report.search}.")
    yield Text("")
    if report.console_first is not None:
        yield from _table(report.console_first)
        yield Text("")
    yield Text(f"{report.headline}.", style="bold")
    for verdict in report.verdicts:
        yield _verdict(verdict)
    if report.verdict_note:
        yield Text(f"{report.verdict_note}.")
    if report.console_table is not None and report.console_table.rows:
        yield Text("")
        yield from _table(report.console_table)
    if report.warnings:
        yield Text("")
    for check in report.warnings:
        yield from _check(check)
    if html is not None:
        yield Text("")
        yield Text(f"report: {html}", overflow="fold")


def _verdict(verdict: Verdict) -> RenderableType:
    text = Text()
    text.append(verdict.arm, style="bold")
    text.append(f" ({verdict.kind})\n")
    text.append(verdict.sentence, style=_STYLES[verdict.outcome])
    return Padding(text, (0, 0, 0, 2), expand=False)


def _check(check: Check) -> Iterator[RenderableType]:
    text = Text()
    text.append(f"{check.level}: ", style=_LEVELS.get(check.level, ""))
    text.append(f"{check.where}: " if check.where else "")
    more = f" (the other {count(len(check.more), 'message')}: see the report)" if check.more else ""
    text.append(f"{check.message}{more} [{check.code}]")
    yield text
    if check.hint:
        yield Text(f"hint: {check.hint}", style="dim")


def _table(table: Table) -> Iterator[RenderableType]:
    out = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 1), pad_edge=False, show_edge=False, title_justify="left")
    for column in table.columns:
        title = Text(column.title + (f", {column.unit}" if column.unit else ""))
        out.add_column(title, justify="right" if column.right else "left", overflow="fold")
    for row in table.rows:
        out.add_row(*(Text(cell.text, style=_STYLES[cell.tone]) for cell in row.cells))
    yield Text(table.caption)
    yield out
