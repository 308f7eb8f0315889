"""The report as data: what is said, in which order. Three printers (HTML, Markdown, console) read it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from harness.base.rounding import NA
from harness.base.yamlfile import validate
from harness.report.text import clean
from harness.rundir.decision import Decision
from harness.rundir.files import MANIFEST
from harness.rundir.manifest import RunManifest
from harness.rundir.results import Metrics
from harness.scenario import Scenario

Tone = Literal["", "good", "bad", "warn", "muted"]


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run directory says: run.json, metrics.json and, where something was priced, decision.json."""

    run_dir: Path
    run: RunManifest
    metrics: Metrics
    decision: Decision | None
    outcomes: Mapping[str, bool | None] = field(default_factory=dict)
    """What came of each task of a task run: solved, failed, or not judged (None)."""
    repeats: "tuple[RunFiles, ...]" = ()
    """The runs of which this is the mean, where it stands for repeats of one measurement."""
    beside: "tuple[RunFiles, ...]" = ()
    """The runs of other engines that were measured beside it."""

    @property
    def scenario(self) -> Scenario:
        """What was driven.

        Raises:
            UsageError: run.json holds no whole scenario; names the key.
        """
        return validate(Scenario, self.run.scenario, where=f"{self.run_dir / MANIFEST}: scenario")

    @property
    def engine(self) -> str:
        """`vllm 0.10.1`, as far as it said; empty where it did not."""
        return " ".join(clean(self.run.engine[key]) for key in ("name", "version") if self.run.engine.get(key))

    @property
    def instance(self) -> str:
        """The rented instance's name; empty where nobody said."""
        return clean(self.run.instance.get("id") or "")


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table, already printed; `note` stands small beneath it."""

    text: str
    note: str = ""  # may have several lines
    tone: Tone = ""
    code: bool = False  # an identifier, printed in the fixed-width face

    @property
    def is_unknown(self) -> bool:
        """Whether it holds no value, whatever its note says of why."""
        return self.text in (NA, "")

    @property
    def says_anything(self) -> bool:
        """Whether there is a value, or a word on why there is none."""
        return not self.is_unknown or bool(self.note)


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its title, its unit under it, and which side its values stand on."""

    title: str
    unit: str = ""
    right: bool = True
    spare: int = 0  # a terminal that is too narrow leaves out the largest first; 0: never


@dataclass(frozen=True, slots=True)
class Row:
    """A table's row; `strong` for the one that matters (the reader's own volume, the step that counts)."""

    cells: tuple[Cell, ...]
    strong: bool = False
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the caption that says what, over which window, from how many samples."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


T = TypeVar("T")
Field = tuple[str, str | None, Callable[[T], Cell | str]]
"""A column and what it shows of an item: title, unit (None: words, which stand on the left), and how."""


def table_of(
    caption: str,
    items: Iterable[T],
    *fields: Field[T],
    notes: tuple[str, ...] = (),
    strong: Callable[[T], bool] = lambda _: False,
) -> Table:
    """A table of one row an item; each column is told once, with what it shows."""
    return Table(
        caption,
        tuple(Column(title, unit or "", right=unit is not None) for title, unit, _ in fields),
        tuple(Row(tuple(_cell(show(item)) for *_, show in fields), strong(item)) for item in items),
        notes,
    )


def with_spares(table: Table, spare: Mapping[str, int]) -> Table:
    """The table with the columns that a narrow terminal leaves out, by title: the largest first."""
    return replace(table, columns=tuple(replace(c, spare=spare.get(c.title, 0)) for c in table.columns))


def words_table(caption: str, titles: Sequence[str], rows: Iterable[Sequence[Cell | str]]) -> Table:
    """A table of words, all of them on the left."""
    cells = (tuple(map(_cell, row)) for row in rows)
    return Table(caption, tuple(Column(title, right=False) for title in titles), tuple(map(Row, cells)))


def _cell(shown: Cell | str) -> Cell:
    return Cell(shown) if isinstance(shown, str) else shown


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A command to copy."""

    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing: `wide` for a desk and paper, `narrow` for a phone, `alt` where nothing can be drawn.

    `wide` and `narrow` are SVG documents whose every text was escaped when they were drawn.
    """

    name: str
    title: str
    alt: str
    wide: str
    narrow: str
    legend: tuple[tuple[str, str], ...] = ()  # (CSS class of the swatch, text)
    always_legend: bool = False  # also beside the wide drawing, whose lines bear no names


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a curve: a value at a load, and whether the SLO held there (None: not judged)."""

    load: float
    value: float
    slo_met: bool | None


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing for a terminal: curves over load, in order of load, and level lines of limits."""

    title: str
    unit: str
    load_unit: str
    curves: tuple[tuple[str, tuple[Dot, ...]], ...]
    limits: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One finding about the run, with the steps that it holds for."""

    level: str
    code: str
    message: str
    hint: str
    where: str = ""
    more: tuple[str, ...] = ()  # what else it said, of other steps: `step 1: 33 requests ...`


@dataclass(frozen=True, slots=True)
class Checks:
    """All findings, worst first."""

    items: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Something to play with that only a browser can show; `text` says elsewhere what it would be.

    `data` is what it computes with beside the decision.
    """

    id: str
    text: str
    data: Mapping[str, Any]


Block = Text | Code | Table | Chart | Checks | Panel


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered part of the report; `folded`: closed until somebody opens it or prints."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


def section(id_: str, title: str, *blocks: Block | None) -> Section:
    """A part of the blocks that say something; without any it is left out of the report."""
    known = (_without_unknown(block) if isinstance(block, Table) else block for block in blocks)
    return Section(id_, title, tuple(block for block in known if block is not None))


def _without_unknown(table: Table) -> Table | None:
    """The table without columns and rows of nothing but n/a, which a note names; None where no number is left."""
    numbers = [i for i, column in enumerate(table.columns) if i and column.right]
    empty = [row for row in table.rows if len(numbers) > 1 and all(row.cells[i].is_unknown for i in numbers)]
    if empty and len(empty) == len(table.rows):
        return None
    rows = [row for row in table.rows if row not in empty or row.strong]
    left = [_named(row.cells[0]) for row in table.rows if row not in rows]
    kept = [i for i in range(len(table.columns)) if not i or any(row.cells[i].says_anything for row in rows)]
    left += [column.title for i, column in enumerate(table.columns) if i not in kept]
    return replace(
        table,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(replace(row, cells=tuple(row.cells[i] for i in kept)) for row in rows),
        notes=(*table.notes, *([f"Left out, {NA} throughout: {', '.join(left)}."] if left else [])),
    )


def _named(cell: Cell) -> str:
    return f"{cell.text} ({cell.note.splitlines()[0]})" if cell.note else cell.text


@dataclass(frozen=True, slots=True)
class Month:
    """What one side of a verdict costs, and what that is made of."""

    whose: str
    usd: str
    made_of: str
    is_cheaper: bool = False  # of the two


@dataclass(frozen=True, slots=True)
class Verdict:
    """One arm's answer: who wins at the reader's volume, and the sentence that says it."""

    arm: str
    kind: str
    sentence: str
    detail: str  # what it takes for granted, and how sure that is
    outcome: Tone  # good: self-hosting pays at the reader's volume; bad: it never does; warn: elsewhere
    assumes: str = ""  # the first part of the detail, for a console
    months: tuple[Month, ...] = ()  # the box's and the API's, side by side


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a printer needs."""

    title: str
    headline: str
    facts: tuple[tuple[str, str], ...]  # what ran: (label, value)
    notices: tuple[Check, ...]  # checks of level error, a partial run: said before anything else
    verdicts: tuple[Verdict, ...]
    sections: tuple[Section, ...]
    measured: str  # one line: goodput, tokens, first token
    console_table: Table | None
    console_first: Table | None = None  # printed before the headline: what was unequal, or every step
    plots: tuple[Plot, ...] = ()  # the terminal's drawings
    verdict_note: str = ""  # what holds for every verdict alike
    search: str = ""  # how a search ended; the console's one line of it
    warnings: tuple[Check, ...] = field(default=())
