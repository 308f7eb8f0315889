"""A rented run against everything that goes wrong: afterwards nothing is left, and what was measured is home.

| fault | what is held to |
|---|---|
| launch fails, setup fails | one line, nothing rented, nothing measured |
| kill -9 at launch, setup, measuring, fetching, teardown | found by its tags, ended by `reap`, gone on with |
| SIGTERM while it measures | the part that was measured is home, the box is gone |
| a measurement that takes too long for the budget | ended within it, its part home |
| a network that comes back, and one that does not | home after all; said, and the box gone all the same |
| a file that comes home broken | never taken for whole |
| a driver that never comes back | the box ends itself |
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from rent_cases import Fault, box_for, driven, left_behind, write_plan

from harness.cli import invoke
from harness.engines import engine_kind
from harness.rent.box import BoxLostError, RentError
from harness.rent.host import HostProvider
from harness.rent.ledger import read_ledger
from harness.rundir.read import read_records

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parent.parent.parent
CASES = ROOT / "tests" / "support" / "rent_cases.py"
NO_FAULT: Fault = lambda _phase, _argv: None  # noqa: E731


@pytest.fixture(autouse=True)
def boxes_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of this test alone; the engine is installed where it always is."""
    engine_kind("llama_server").install(lambda _: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_from_launch_to_teardown_everything_is_measured_and_nothing_is_left(tmp_path: Path) -> None:
    place = write_plan(tmp_path / "plan", scenarios=("a", "b"))

    assert invoke(["rent", "run", str(place / "plan.yaml"), "--yes", "--out", str(tmp_path / "out")]) == 0

    (folder,) = (tmp_path / "out").iterdir()
    ledger = read_ledger(folder)
    assert [cell.status for cell in ledger.cells] == ["measured", "measured"]
    assert all(len(read_records(folder / (cell.run or ""))) > 2 for cell in ledger.cells)
    assert ledger.phase == "gone"
    assert 0 < ledger.spent_usd < 5
    assert left_behind() == []


@pytest.mark.parametrize(
    ("phase", "words"), [("launch", "no capacity"), ("setup", "setup-llama_server failed on the box: exit")]
)
def test_what_fails_before_anything_is_measured_leaves_nothing(tmp_path: Path, phase: str, words: str) -> None:
    def fault(now: str, _: Sequence[str]) -> Sequence[str] | None:
        if now == phase == "launch":
            raise RentError("no capacity for c7i.large")
        return ["false"] if now == phase else None

    with pytest.raises(RentError, match=words):
        driven(write_plan(tmp_path / "plan"), tmp_path / "out", fault)

    assert left_behind() == []


@pytest.mark.parametrize("phase", ["launch", "setup", "measure", "fetch", "teardown"])
def test_a_driver_that_is_killed_leaves_a_box_that_is_found_ended_and_gone_on_from(tmp_path: Path, phase: str) -> None:
    place, out = write_plan(tmp_path / "plan"), tmp_path / "out"
    out.mkdir()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"}
    driver = subprocess.Popen([sys.executable, str(CASES), str(place), str(out), phase, "60"], env=environment)
    until = time.monotonic() + 60
    while not (out / "there").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    (folder,) = out.glob("*-rent-try")

    code = invoke(["rent", "reap", "--cloud", "local", "--all", "--json"])

    assert code == 0
    assert left_behind() == []
    assert invoke(["rent", "run", "--resume", str(folder)]) == 0
    ledger = read_ledger(folder)
    assert ([cell.status for cell in ledger.cells], ledger.phase) == (["measured"], "gone")
    assert left_behind() == []


def test_a_driver_that_is_asked_to_end_brings_home_what_was_measured(tmp_path: Path) -> None:
    place = write_plan(tmp_path / "plan", step_s=60)
    command = [sys.executable, "-m", "harness", "rent", "run", str(place / "plan.yaml"), "--yes"]
    driver = subprocess.Popen([*command, "--out", str(tmp_path / "out")], env={**os.environ, "PYTHONPATH": str(ROOT)})
    boxes = tmp_path / "state" / "breakeven" / "rent" / "local"
    until = time.monotonic() + 60
    rows = "*/files/results/*/*/records-*.jsonl"
    while sum(len(path.read_text().splitlines()) for path in boxes.glob(rows)) < 5:  # the first one is the preflight's
        assert time.monotonic() < until
        time.sleep(0.1)

    driver.send_signal(signal.SIGTERM)

    assert driver.wait(90) == 130
    (folder,) = (tmp_path / "out").iterdir()
    (cell,) = read_ledger(folder).cells
    assert (cell.status, cell.why) == ("failed", "interrupted")
    assert len(read_records(folder / (cell.run or ""))) > 0
    assert left_behind() == []


def test_a_measurement_is_ended_within_the_budget_and_its_part_is_kept(tmp_path: Path) -> None:
    place = write_plan(tmp_path / "plan", scenarios=("a", "b"), step_s=120, hours=15 / 3600)

    outcome, book = driven(place, tmp_path / "out", NO_FAULT)

    first, second = book.now.cells
    assert outcome.is_gone
    assert outcome.why_ended is not None
    assert outcome.why_ended.startswith("the budget is reached: USD 0.0")
    assert (first.status, second.status) == ("failed", "missing")
    assert len(read_records(book.folder / (first.run or ""))) > 0
    assert left_behind() == []


def test_a_network_that_comes_back_brings_everything_home(tmp_path: Path) -> None:
    fetches = []

    def fault(now: str, _: Sequence[str]) -> Sequence[str] | None:
        if now == "fetch":
            fetches.append(now)
            if len(fetches) == 2:
                raise BoxLostError("no route to the box")
        return None

    outcome, _ = driven(write_plan(tmp_path / "plan"), tmp_path / "out", fault)

    assert (outcome.measured, outcome.is_gone) == (1, True)
    assert left_behind() == []


def test_a_network_that_stays_away_is_waited_for_within_the_budget_and_then_the_box_goes(tmp_path: Path) -> None:
    def fault(now: str, _: Sequence[str]) -> Sequence[str] | None:
        if now == "fetch":
            raise BoxLostError("no route to the box")
        return None

    outcome, book = driven(write_plan(tmp_path / "plan", hours=20 / 3600), tmp_path / "out", fault)

    (cell,) = book.now.cells
    assert (outcome.exit_code, outcome.is_gone, cell.status) == (3, True, "failed")
    assert "no route to the box" in (outcome.why_ended or "")
    assert left_behind() == []


def test_a_box_whose_driver_never_comes_back_ends_itself(tmp_path: Path) -> None:
    box = box_for(seconds=2)
    provider = HostProvider()
    provider.launch(box)
    provider.line(box).raise_agent(box)
    assert left_behind()[0] == box.id

    time.sleep(4)

    assert left_behind() == []


def test_reaping_ends_what_is_past_its_expiry_and_leaves_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    late, young = box_for(seconds=600, expired=True), box_for(seconds=600)
    for box in (late, young):
        HostProvider().launch(box)
        HostProvider().line(box).raise_agent(young)  # its own timer has not ended it

    assert invoke(["rent", "reap", "--cloud", "local", "--json"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert ([box["id"] for box in said["gone"]], said["remaining"]) == ([late.id], [])
    assert left_behind()[0] == young.id
    assert invoke(["rent", "reap", "--all"]) == 0
    assert left_behind() == []
