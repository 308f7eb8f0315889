"""A table in a terminal of any width: nothing is cut, and no name is broken inside a word."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from harness.report.model import Column, Row, Table

STYLES = {"good": "green", "bad": "red", "warn": "yellow", "muted": "dim", "": ""}
_GAP = 2  # columns between two columns
# where a cell may go on in the next line: behind a blank, or the `:` or `/` between two parts of a name
_BREAK_PATH = re.compile(r"(?<=/)(?=.)")
_BREAK = re.compile(r"(?<=\s)(?=\S)|(?<=\w\w\w[:/])(?=[A-Za-z]\w\w)")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table that leaves out its spare columns, one after the other, until the rest fits; where that is not enough it
    wraps its words instead, and where not even that is, each row becomes its name and a paragraph.
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for wraps in (False, True):
            for shown in self._choices():
                if widths := self._widths(shown, options.max_width, wraps=wraps):
                    yield self._drawn(shown, widths)
                    return
        yield from (line for row in self.table.rows for line in self._stacked(row, options.max_width))

    def _choices(self) -> Iterator[list[int]]:
        """All columns, then ever fewer of the spare ones."""
        columns = self.table.columns
        ranks = sorted({column.spare for column in columns if column.spare}, reverse=True)
        for most in [*ranks, 0]:
            yield [i for i, column in enumerate(columns) if column.spare <= most]

    def _drawn(self, shown: list[int], widths: list[int]) -> RichTable:
        out = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for i, width in zip(shown, widths, strict=True):
            column = self.table.columns[i]
            justify = "right" if column.right else "left"
            out.add_column(_wrapped(_title(column), width), justify=justify, width=width, vertical="top")  # type: ignore[arg-type]
        for row in self.table.rows:
            cells = zip((row.cells[i] for i in shown), widths, strict=True)
            out.add_row(*(_wrapped(cell.text, width, STYLES[cell.tone]) for cell, width in cells))
        return out

    def _widths(self, shown: list[int], most: int, *, wraps: bool) -> list[int] | None:
        """What each column gets: its longest line, or less, down to the longest word of its title and, where it
        `wraps`, of its words; None: not even that fits.
        """
        words, whole = [], []
        for i in shown:
            title, cells = _title(self.table.columns[i]), [row.cells[i].text for row in self.table.rows]
            least = _longest_word if wraps and not self.table.columns[i].right else _longest
            words.append(max(least(cells), _longest_word([title])))
            whole.append(_longest([title, *cells]))
        left = most - _GAP * (len(shown) - 1) - sum(words)
        if left < 0:
            return None
        widths = words
        while left and widths != whole:  # names first, and of them what lacks least
            lacking = [n for n in range(len(shown)) if widths[n] < whole[n]]
            n = min(lacking, key=lambda n: (self.table.columns[shown[n]].right, whole[n] - widths[n]))
            given = min(left, whole[n] - widths[n])
            widths[n], left = widths[n] + given, left - given
        return widths

    def _stacked(self, row: Row, width: int) -> Iterator[Text]:
        name, *rest = zip(self.table.columns, row.cells, strict=True)
        yield Text(name[1].text, style="bold", overflow="fold")
        line = Text("  ")
        for column, cell in rest:
            said = Text(f"{_title(column)} ", style="dim").append(cell.text, style=STYLES[cell.tone] or "not dim")
            if line.cell_len > 2 and line.cell_len + 3 + said.cell_len > width:
                yield line
                line = Text("  ")
            line.append(" · " if line.cell_len > 2 else "").append_text(said)
        yield line


@dataclass(frozen=True, slots=True)
class PathLine:
    """Words that end with a path: it goes on in the next line behind a `/`."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        text = _wrapped(self.text, options.max_width, breaks=_BREAK_PATH)
        text.overflow = "fold"
        yield text


def _longest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _longest_word(texts: Iterable[str]) -> int:
    return _longest(piece.rstrip() for text in texts for piece in _BREAK.split(text))


def _title(column: Column) -> str:
    return column.title + (f", {column.unit}" if column.unit else "")


def _wrapped(text: str, width: int, style: str = "", breaks: re.Pattern[str] = _BREAK) -> Text:
    """The text in lines of at most that width."""
    lines = [""]
    for piece in breaks.split(text):
        if lines[-1] and cell_len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return Text("\n".join(line.rstrip() for line in lines), style=style)
