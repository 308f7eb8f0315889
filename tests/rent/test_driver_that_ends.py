"""A driver that ends while a box is rented: killed at every phase, or asked to.

| fault | what is held to |
|---|---|
| kill -9 at launch, setup, measuring, fetching, teardown | found by its tags, ended by `reap`, gone on with |
| SIGTERM while it measures | the part that was measured is home, the box is gone |
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rent_cases import left_behind, rows_on_boxes, write_plan

from harness.cli import invoke
from harness.engines import engine_kind
from harness.rent.ledger import read_ledger
from harness.rundir.read import read_records

pytestmark = [pytest.mark.engine, pytest.mark.rented]

ROOT = Path(__file__).parent.parent.parent
CASES = ROOT / "tests" / "support" / "rent_cases.py"


@pytest.fixture(autouse=True)
def boxes_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of this test alone; the engine is installed where it always is."""
    engine_kind("llama_server").install(lambda _: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


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
    until = time.monotonic() + 60
    while rows_on_boxes(tmp_path / "state") < 5:  # the first one is the preflight's
        assert time.monotonic() < until
        time.sleep(0.1)

    driver.send_signal(signal.SIGTERM)

    assert driver.wait(90) == 130
    (folder,) = (tmp_path / "out").iterdir()
    (cell,) = read_ledger(folder).cells
    assert (cell.status, cell.why) == ("failed", "interrupted")
    assert len(read_records(folder / (cell.run or ""))) > 0
    assert left_behind() == []
