"""The report in a terminal: what forbids trust, the verdict, one table, the checks. At most 100 columns.

Colour only repeats what the words say. Outside text is printed as `rich.text.Text`, never as markup.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from harness.report.model import Check, Report, Table, Verdict
from harness.report.text import count

_STYLES = {"good": "green", "bad": "red", "warn": "yellow", "muted": "dim", "": ""}
_LEVELS = {"error": "bold red", "partial": "bold yellow", "warning": "yellow"}


def render_console(report: Report, html: Path | None) -> RenderableType:
    """What to hand to `rich.console.Console.print`; `html`: where the whole report lies, if anywhere."""
    parts = [part for part in _parts(report, html) if part]
    return Group(*(line for i, part in enumerate(parts) for line in ([Text("")] if i else []) + part))


def _parts(report: Report, html: Path | None) -> Iterator[list[RenderableType]]:
    """What is printed; between two parts stands an empty line."""
    yield [line for notice in report.notices for line in _check(notice)]
    search = [Text(f"{report.search}.")] if report.search else []
    yield [Text(report.title, style="bold"), Text(report.measured), *search]
    yield _table(report.console_first)
    note = [Text(f"{report.verdict_note}.")] if report.verdict_note else []
    yield [Text(f"{report.headline}.", style="bold"), *map(_verdict, report.verdicts), *note]
    yield _table(report.console_table)
    yield [line for check in report.warnings for line in _check(check)]
    yield [] if html is None else [Text(f"report: {html}", overflow="fold")]


def _verdict(verdict: Verdict) -> RenderableType:
    text = Text()
    text.append(verdict.arm, style="bold")
    text.append(f" ({verdict.kind})\n")
    text.append(verdict.sentence, style=_STYLES[verdict.outcome])
    if verdict.assumes:
        text.append(f"\n{verdict.assumes}", style="dim")
    return _Indented(text)


@dataclass(frozen=True, slots=True)
class _Indented:
    """Lines that begin two columns in and end where their words do."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self.text.wrap(console, options.max_width - 2):
            line.rstrip()
            yield Text("  ").append_text(line)


def _check(check: Check) -> Iterator[RenderableType]:
    text = Text()
    text.append(f"{check.level}: ", style=_LEVELS.get(check.level, ""))
    text.append(f"{check.where}: " if check.where else "")
    more = f" (the other {count(len(check.more), 'message')}: see the report)" if check.more else ""
    text.append(f"{check.message}{more} [{check.code}]")
    yield text
    if check.hint:
        yield Text(f"hint: {check.hint}", style="dim")


def console_table(table: Table) -> RenderableType:
    """One table alone, its caption above it."""
    return Group(*_table(table))


def _table(table: Table | None) -> list[RenderableType]:
    if table is None or not table.rows:
        return []
    out = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 1), pad_edge=False, show_edge=False, title_justify="left")
    for column in table.columns:
        title = Text(column.title + (f", {column.unit}" if column.unit else ""))
        out.add_column(title, justify="right" if column.right else "left", overflow="fold")
    for row in table.rows:
        out.add_row(*(Text(cell.text, style=_STYLES[cell.tone]) for cell in row.cells))
    return [Text(table.caption), out]
