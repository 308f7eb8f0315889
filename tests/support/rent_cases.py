"""Plans for the local provider, a provider with one fault, and a driver that can be killed at a phase.

`python rent_cases.py PLAN_DIR OUT PHASE SECONDS` drives the plan as the command does, and lingers in one phase.
"""

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sshd import Host

from harness.engines.weights.cache import cache_dir
from harness.rent.box import Box
from harness.rent.driver import Outcome, Rent
from harness.rent.host import BELOW, HostProvider
from harness.rent.ledger import Book, new_ledger
from harness.rent.line import JobState, Line
from harness.rent.onbox.end import MARK
from harness.rent.plan import Cell, cells_of, read_plan

Fault = Callable[[str, Sequence[str]], Sequence[str] | None]  # told a phase and a command; another one instead
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


class FaultyLine(Line):
    """Does what a line does, after `before` has been told what is asked of it."""

    def __init__(self, line: Line, before: Fault) -> None:
        super().__init__(line._shell, line._folder)
        self._before = before

    def start(self, job: str, argv: Sequence[str], env: Mapping[str, str], most_s: float) -> None:
        instead = self._before("measure" if "--engine" in argv else "setup", argv)
        super().start(job, argv if instead is None else instead, env, most_s)

    def state(self, job: str) -> JobState:
        self._before("look", (job,))
        return super().state(job)

    def listing(self, name: str) -> dict[str, str]:
        self._before("fetch", ())
        return super().listing(name)


class Faulty(HostProvider):
    """Does what the provider of this machine does, after `before` has been told."""

    def __init__(self, before: Fault, host: str | None = None) -> None:
        super().__init__(host)
        self._before = before

    def launch(self, box: Box) -> None:
        self._before("launch", ())
        super().launch(box)

    def line(self, box: Box) -> Line:
        return FaultyLine(super().line(box), self._before)

    def terminate(self, box: Box) -> None:
        self._before("teardown", ())
        super().terminate(box)


def cells_in(place: Path) -> tuple[Cell, ...]:
    """The measurements of a folder's plan."""
    return cells_of(read_plan(place / "plan.yaml"), place)


def rows_on_boxes(state: Path) -> int:
    """Rows that measurements on this machine's boxes have written so far."""
    found = (state / "breakeven" / "rent" / "local").glob("*/files/results/*/*/records-*.jsonl")
    return sum(len(path.read_text().splitlines()) for path in found)


def kill_engines(state: Path) -> list[int]:
    """Kill what serves on this machine's boxes, as running out of memory does; their pids."""
    killed = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            is_ours = MARK in environment and environment.get("XDG_STATE_HOME") == str(state)
            if is_ours and Path(process.exe()).name == "llama-server":
                process.kill()
                killed.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return killed


def driven(place: Path, out: Path, before: Fault, *, cells: tuple[Cell, ...] | None = None) -> tuple[Outcome, Book]:
    """The plan of a folder, driven to its end."""
    plan = read_plan(place / "plan.yaml")
    cells = cells or cells_of(plan, place)
    folder = out / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-rent-try"
    folder.mkdir(parents=True)
    for name in plan.scenarios:
        (folder / name).write_text((place / name).read_text())
    book = Book(folder, new_ledger(plan, cells))
    book.note()
    return Rent(plan, folder, book, Faulty(before, plan.host), lambda _: None).go(cells), book


def box_for(*, seconds: float, expired: bool = False) -> Box:
    """A box of this machine that is not made yet."""
    now = datetime.now(UTC)
    launched = now - timedelta(seconds=2 * seconds) if expired else now
    expires = launched + timedelta(seconds=seconds)
    return Box(f"box-{secrets.token_hex(3)}", "run", "local", launched.isoformat(), expires.isoformat(), 1.0)


def left_behind() -> list[str]:
    """Everything of this test's boxes on this machine that is not gone: folders, and processes that carry a mark."""
    return [*(box.id for box in HostProvider().boxes()), *_marked("XDG_STATE_HOME", os.environ["XDG_STATE_HOME"])]


def host_with_engine(place: Path, environment: Mapping[str, str]) -> Host:
    """A machine over SSH whose cache has llama-server and not yet our program."""
    cache = place / "cache" / "breakeven"
    cache.mkdir(parents=True)
    (cache / "llama_server").symlink_to(cache_dir("llama_server"))
    passed = {name: os.environ[name] for name in ("PIP_CONSTRAINT", "PIP_INDEX_URL") if name in os.environ}
    return Host(place, {"XDG_CACHE_HOME": str(cache.parent), **passed, **environment})


def left_on(host: Host) -> list[str]:
    """The same of a machine over SSH."""
    return [*(path.name for path in (host.home / BELOW).glob("*")), *_marked("HOME", str(host.home))]


def _marked(name: str, value: str) -> list[str]:
    """Processes of a box with this in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if MARK in environment and environment.get(name) == value:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


if __name__ == "__main__":
    _where, _out, _phase, _seconds = sys.argv[1:]

    def _linger(phase: str, argv: Sequence[str]) -> Sequence[str] | None:
        if phase == _phase:
            Path(_out, "there").touch()
            time.sleep(float(_seconds))
        return None

    driven(Path(_where), Path(_out), _linger)
