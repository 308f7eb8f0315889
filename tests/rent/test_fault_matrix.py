"""A rented run against everything that goes wrong: afterwards nothing is left, and what was measured is home.

| fault | what is held to |
|---|---|
| launch fails, setup fails | one line, nothing rented, nothing measured |
| a measurement that takes too long for the budget | ended within it, its part home |
| a network that comes back, and one that does not | home after all; said, and the box gone all the same |
| a file that comes home broken | never taken for whole |
| a driver that never comes back | the box ends itself |
| an engine that is killed while it is measured | that measurement failed, its part home, the next one made |
| a command that hangs, and does not heed an interrupt | killed within its time, the next one made |
| an answer before everything is measured | the rest is not paid for |

A driver that is killed or asked to end: test_driver_that_ends.py; a box on another machine: test_over_ssh.py.
"""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rent_cases import Fault, box_for, cells_in, driven, kill_engines, left_behind, rows_on_boxes, write_plan

from harness.cli import invoke
from harness.engines import engine_kind
from harness.rent import job
from harness.rent.box import BoxLostError, RentError
from harness.rent.decided import decided_by
from harness.rent.host import HostProvider
from harness.rent.ledger import read_ledger
from harness.rundir.read import read_records

pytestmark = [pytest.mark.engine, pytest.mark.rented]

ROOT = Path(__file__).parent.parent.parent
CASES = ROOT / "tests" / "support" / "rent_cases.py"
NO_FAULT: Fault = lambda _phase, _argv: None  # noqa: E731


@pytest.fixture(autouse=True)
def boxes_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of this test alone; the engine is installed where it always is."""
    engine_kind("llama_server").install(lambda _: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_from_launch_to_teardown_everything_is_measured_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "COPY_EVERY_S", 1.0)
    place = write_plan(tmp_path / "plan", scenarios=("a", "b"))

    assert invoke(["rent", "run", str(place / "plan.yaml"), "--yes", "--out", str(tmp_path / "out")]) == 0

    (folder,) = (tmp_path / "out").iterdir()
    ledger = read_ledger(folder)
    assert [cell.status for cell in ledger.cells] == ["measured", "measured"]
    assert all(len(read_records(folder / (cell.run or ""))) > 2 for cell in ledger.cells)
    assert ledger.phase == "gone"
    assert 0 < ledger.spent_usd < 5
    assert any(re.match(r"  .+; USD 0\.\d{4} of 5 spent$", line) for line in capsys.readouterr().err.splitlines())
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
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


def test_an_engine_that_dies_is_a_failed_measurement_and_the_next_one_is_made(tmp_path: Path) -> None:
    killed: list[int] = []

    def fault(phase: str, _: Sequence[str]) -> None:
        if phase == "look" and not killed and rows_on_boxes(tmp_path / "state") > 3:
            killed.extend(kill_engines(tmp_path / "state"))

    place = write_plan(tmp_path / "plan", scenarios=("a", "b"), step_s=6)
    outcome, book = driven(place, tmp_path / "out", fault)

    first, second = book.now.cells
    assert killed
    assert (first.status, second.status, outcome.is_gone) == ("failed", "measured", True)
    assert (first.why or "").startswith("exit code 1: error: ")
    assert len(read_records(book.folder / (first.run or ""))) > 3
    assert left_behind() == []


def test_a_command_that_hangs_is_killed_within_its_time_and_the_next_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung: list[str] = []

    def fault(phase: str, argv: Sequence[str]) -> Sequence[str] | None:
        if phase == "measure" and not hung:
            hung.append(phase)
            return ["sh", "-c", "trap '' INT; while true; do sleep 1; done"]
        return None

    place = write_plan(tmp_path / "plan", scenarios=("a", "b"))
    cells = [replace(cell, most_s=2.0) if cell.scenario == "a.yaml" else cell for cell in cells_in(place)]
    _, book = driven(place, tmp_path / "out", fault, cells=tuple(cells))

    first, second = book.now.cells
    assert (first.status, first.why, second.status) == ("failed", "it took longer than 2 s", "measured")
    assert left_behind() == []


def test_what_is_answered_before_everything_is_measured_is_not_paid_for(tmp_path: Path) -> None:
    """Half a person's pay alone is more than the demand's month at an API: no engine changes that."""
    place = write_plan(tmp_path / "plan", scenarios=("a", "b"), step_s=8)
    for name in ("a", "b"):
        text = (place / f"{name}.yaml").read_text().replace("users: [1]", "users: [8]")
        (place / f"{name}.yaml").write_text(text + "slo: {preset: batch}\n")
    (place / "plan.yaml").write_text(
        f"{(place / 'plan.yaml').read_text()}demand: support-agent\napis: [openai:gpt-4.1]\n"
    )

    code = invoke(["rent", "run", str(place / "plan.yaml"), "--yes", "--out", str(tmp_path / "out")])

    (folder,) = (tmp_path / "out").iterdir()
    ledger = read_ledger(folder)
    assert (code, [cell.status for cell in ledger.cells]) == (0, ["measured", "missing"])
    assert (ledger.answered or "").startswith("openai:gpt-4.1 costs less at the demand than the fewest boxes")
    assert left_behind() == []

    run = folder / (ledger.cells[0].run or "")
    written = json.loads((run / "decision.json").read_text())
    for saved_usd, arm in enumerate(written["arms"], 7):
        at = arm["decision"]["at_volume"]
        arm["decision"]["at_volume"] = {**at, "winner": "self_host", "self_usd": at["api_usd"] - saved_usd}
    (run / "decision.json").write_text(json.dumps(written))
    assert decided_by(run) == "self-hosting wins against every API at the demand, by USD 7 a month or more"
    written["arms"][-1]["decided"] = False
    (run / "decision.json").write_text(json.dumps(written))
    assert decided_by(run) is None


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
