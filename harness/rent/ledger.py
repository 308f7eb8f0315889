"""rent.json: what a rented run is about, where it stands, what is home. Written at every turn, whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.base.errors import UsageError
from harness.base.yamlfile import Strict, validate
from harness.rent.box import Box, BoxSaid
from harness.rent.plan import Cell, RentPlan
from harness.rundir.files import read_json, write_json

FILE = "rent.json"
LOGS = "logs"
Status = Literal["missing", "measured", "failed"]
Phase = Literal["begun", "launch", "setup", "measure", "fetch", "teardown", "gone"]


class CellState(Strict):
    """One measurement: whether it is home, and as which run."""

    id: str
    words: str
    status: Status = "missing"
    run: str | None = None  # its directory, beside rent.json
    why: str | None = None  # it failed


class Ledger(Strict):
    """Everything that a run needs to go on after its driver has died."""

    version: Literal[1] = Field(default=1, alias="schema")
    plan: Any  # a RentPlan
    started_at: str
    phase: Phase = "begun"
    box: BoxSaid | None = None  # the last one; gone where `phase` says so
    spent_usd: float = 0.0  # on boxes that are gone
    why_ended: str | None = None
    answered: str | None = None  # the plan's question, before everything was measured
    cells: list[CellState]


def new_ledger(plan: RentPlan, cells: tuple[Cell, ...]) -> Ledger:
    """Of a run that begins."""
    states = [CellState(id=cell.id, words=cell.words) for cell in cells]
    return Ledger(plan=plan.model_dump(mode="json"), started_at=datetime.now(UTC).isoformat(), cells=states)


def read_ledger(folder: Path) -> Ledger:
    """rent.json of a folder.

    Raises:
        UsageError: there is none, or it cannot be used.
    """
    if not (folder / FILE).is_file():
        raise UsageError(f"{folder} has no {FILE}", hint="--resume takes a folder that `breakeven rent run` left")
    return validate(Ledger, read_json(folder, FILE), where=str(folder / FILE))


class Book:
    """The ledger of a run that is on."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.folder = folder
        self.now = ledger

    def note(self, **changes: Any) -> None:
        """Write down what is otherwise from now on."""
        self.now = self.now.model_copy(update=changes)
        write_json(self.folder, FILE, self.now.model_dump(mode="json", by_alias=True))

    def note_cell(self, cell: Cell, status: Status, *, run: str | None = None, why: str | None = None) -> None:
        """Write down what came of a measurement."""
        new = CellState(id=cell.id, words=cell.words, status=status, run=run, why=why)
        self.note(cells=[new if one.id == cell.id else one for one in self.now.cells])

    def is_home(self, cell: Cell) -> bool:
        """Whether it need not be measured again."""
        return any(one.id == cell.id and one.status == "measured" for one in self.now.cells)

    def note_box(self, box: Box, phase: Phase) -> None:
        """A box is about to be made."""
        self.note(box=BoxSaid.model_validate(box.to_dict()), phase=phase)

    def keep_log(self, name: str, text: str) -> None:
        """The end of what a command on the box said, where it failed."""
        folder = self.folder / LOGS
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.log").write_text(text, encoding="utf-8")
