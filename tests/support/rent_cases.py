"""Plans for the local provider, a provider with one fault, and a driver that can be killed at a phase.

`python rent_cases.py PLAN_DIR OUT PHASE SECONDS` drives the plan as the command does, and lingers in one phase.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from harness.rent.box import Box
from harness.rent.driver import Outcome, Rent
from harness.rent.ledger import Book, new_ledger
from harness.rent.local.provider import MARK, LocalProvider
from harness.rent.plan import cells_of, read_plan

SCENARIO = """\
name: {name}
load: {{kind: closed, users: [1], step_s: {step_s}, warmup_s: 0.5}}
prompts: {{kind: synthetic, input_tokens: 30, output_tokens: 8}}
"""


def write_plan(place: Path, *, scenarios: Sequence[str] = ("a",), step_s: float = 2, hours: float = 0.5) -> Path:
    """A plan of llama-server under short scenarios; the folder that it is in."""
    place.mkdir(parents=True, exist_ok=True)
    for name in scenarios:
        (place / f"{name}.yaml").write_text(SCENARIO.format(name=name, step_s=step_s))
    listed = ", ".join(f"{name}.yaml" for name in scenarios)
    (place / "plan.yaml").write_text(
        f"name: try\ninstance: c7i.large\nusd_per_hour: 1\nengines: [llama_server]\nscenarios: [{listed}]\n"
        f"budget: {{usd: 5, hours: {hours}}}\n"
    )
    return place


class Faulty(LocalProvider):
    """Does what the local provider does, after `before` has been told what is asked of it."""

    def __init__(self, before: Callable[[str, Sequence[str]], int | None]) -> None:
        super().__init__()
        self._before = before

    def launch(self, box: Box) -> None:
        self._before("launch", ())
        super().launch(box)

    def run(self, box: Box, argv: Sequence[str], *, log: str, env: Mapping[str, str], most_s: float) -> int:
        code = self._before("setup" if "install" in argv else "measure", argv)
        return super().run(box, argv, log=log, env=env, most_s=most_s) if code is None else code

    def listing(self, box: Box, there: str) -> dict[str, str]:
        self._before("fetch", ())
        return super().listing(box, there)

    def terminate(self, box: Box) -> None:
        self._before("teardown", ())
        super().terminate(box)


def driven(place: Path, out: Path, before: Callable[[str, Sequence[str]], int | None]) -> tuple[Outcome, Book]:
    """The plan of a folder, driven to its end."""
    plan = read_plan(place / "plan.yaml")
    cells = cells_of(plan, place)
    folder = out / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-rent-try"
    folder.mkdir(parents=True)
    for name in plan.scenarios:
        (folder / name).write_text((place / name).read_text())
    book = Book(folder, new_ledger(plan, cells))
    book.note()
    return Rent(plan, folder, book, Faulty(before), lambda _: None).go(cells), book


def left_behind() -> list[str]:
    """Everything of a box that is not gone: folders, and processes that carry a box's mark."""
    found = [box.id for box in LocalProvider().boxes()]
    for process in psutil.process_iter():
        try:
            if MARK in process.environ():
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


if __name__ == "__main__":
    _where, _out, _phase, _seconds = sys.argv[1:]

    def _linger(phase: str, argv: Sequence[str]) -> int | None:
        if phase == _phase:
            Path(_out, "there").touch()
            time.sleep(float(_seconds))
        return None

    driven(Path(_where), Path(_out), _linger)
