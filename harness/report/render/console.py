"""The report in a terminal: what forbids trust, the steps, the verdict, the arms, the checks. Words are at most 100
columns wide, tables and drawings as wide as the terminal.

Colour only repeats what the words say. Outside text is printed as `rich.text.Text`, never as markup.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.text import Text

from harness.report.model import Check, Report, Table, Verdict
from harness.report.render.fitted import STYLES, Fitted, PathLine
from harness.report.render.plot import Plots
from harness.report.text import count

WIDEST_WORDS = 100  # columns; longer lines are hard to read
_LEVELS = {"error": "bold red", "partial": "bold yellow", "warning": "yellow"}


def render_console(report: Report, html: Path | None) -> RenderableType:
    """What to hand to `rich.console.Console.print`; `html`: where the whole report lies, if anywhere."""
    parts = [part for part in _parts(report, html) if part]
    return Group(*(line for i, part in enumerate(parts) for line in ([Text("")] if i else []) + part))


def _parts(report: Report, html: Path | None) -> Iterator[list[RenderableType]]:
    """What is printed; between two parts stands an empty line."""
    yield [line for notice in report.notices for line in _check(notice)]
    search = [_Words(Text(f"{report.search}."))] if report.search else []
    yield [_Words(Text(report.title, style="bold")), _Words(Text(report.measured)), *search]
    yield _table(report.console_first)
    yield [Plots(report.plots)] if report.plots else []
    note = [_Words(Text(f"{report.verdict_note}."))] if report.verdict_note else []
    yield [_Words(Text(f"{report.headline}.", style="bold")), *map(_verdict, report.verdicts), *note]
    yield _table(report.console_table)
    yield [line for check in report.warnings for line in _check(check)]
    yield [] if html is None else [PathLine(f"report: {html}")]


def _verdict(verdict: Verdict) -> RenderableType:
    text = Text()
    text.append(verdict.arm, style="bold")
    text.append(f" ({verdict.kind})\n")
    text.append(verdict.sentence, style=STYLES[verdict.outcome])
    if verdict.assumes:
        text.append(f"\n{verdict.assumes}", style="dim")
    return _Words(text, indent=2)


@dataclass(frozen=True, slots=True)
class _Words:
    """Lines that begin so many columns in and end where their words do."""

    text: Text
    indent: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self.text.wrap(console, min(options.max_width, WIDEST_WORDS) - self.indent):
            line.rstrip()
            yield Text(" " * self.indent).append_text(line)


def _check(check: Check) -> Iterator[RenderableType]:
    text = Text()
    text.append(f"{check.level}: ", style=_LEVELS.get(check.level, ""))
    text.append(f"{check.where}: " if check.where else "")
    more = f" (the other {count(len(check.more), 'message')}: see the report)" if check.more else ""
    text.append(f"{check.message}{more} [{check.code}]")
    yield _Words(text)
    if check.hint:
        yield _Words(Text(f"hint: {check.hint}", style="dim"))


def console_table(table: Table) -> RenderableType:
    """One table alone, its caption above it."""
    return Group(*_table(table))


def _table(table: Table | None) -> list[RenderableType]:
    if table is None or not table.rows:
        return []
    notes = [_Words(Text(note, style="dim")) for note in table.notes]
    return [_Words(Text(table.caption)), Fitted(table), *notes]
