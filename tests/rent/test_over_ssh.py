"""A machine over SSH as the box: our own program goes there, and what goes wrong between here and there.

One sshd and one installation of the program on it for all of these.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from metadata_server import Aws, MetadataServer
from rent_cases import Faulty, driven, host_with_engine, left_on, write_plan
from sshd import Host

from harness.cli import invoke
from harness.engines import engine_kind
from harness.engines.weights.models import bundled_model_path
from harness.rent.box import Box, BoxLostError, RentError
from harness.rent.host import BELOW
from harness.rent.ledger import read_ledger
from harness.rundir.files import read_json
from harness.rundir.read import read_records

pytestmark = [pytest.mark.engine, pytest.mark.rented]
ROOT = Path(__file__).parents[2]
SECRET = "hf_thatNobodyMaySee"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Aws]]:
    """A host, and what its cloud says of it; its cache has the engine and not yet the program."""
    engine_kind("llama_server").install(lambda _: None)
    place = tmp_path_factory.mktemp("machine")
    cloud = Aws()
    with MetadataServer(cloud) as metadata:
        host = host_with_engine(place, {"BREAKEVEN_METADATA_URL": metadata.url})
        host.start()
        yield host, cloud
        host.stop()


@pytest.fixture(autouse=True)
def ssh_to_it(machine: tuple[Host, Aws], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{machine[0].path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def plan_for(host: Host, place: Path, *, step_s: float = 2) -> Path:
    """A plan for that host; the folder that it is in."""
    write_plan(place, step_s=step_s)
    plan = place / "plan.yaml"
    plan.write_text(f"{plan.read_text()}models: [{bundled_model_path()}]\nprovider: ssh\nhost: {host.name}\n")
    return place


def test_the_program_goes_there_and_what_it_measured_comes_home(
    machine: tuple[Host, Aws], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = machine
    monkeypatch.setenv("HF_TOKEN", SECRET)
    write_plan(tmp_path / "plan")
    plan = tmp_path / "plan" / "plan.yaml"
    plan.write_text(f"{plan.read_text()}models: [{bundled_model_path()}]\nenv: [HF_TOKEN]\n")

    out = tmp_path / "out"
    assert invoke(["rent", "run", str(plan), "--host", host.name, "--yes", "--out", str(out)]) == 0

    (folder,) = out.iterdir()
    ledger = read_ledger(folder)
    (cell,) = ledger.cells
    assert (cell.status, ledger.phase) == ("measured", "gone")
    run = folder / (cell.run or "")
    assert len(read_records(run)) > 2
    assert read_json(run, "run.json")["box"]["instance"]["id"] == "i-01ed50f7e2607f09e"
    assert left_on(host) == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_a_line_that_is_cut_while_it_measures_loses_nothing(machine: tuple[Host, Aws], tmp_path: Path) -> None:
    host, _ = machine
    cuts: list[float] = []

    def fault(phase: str, _: object) -> None:
        if phase == "measure" and not cuts:
            cuts.append(time.monotonic())
            threading.Timer(3, host.stop).start()
            threading.Timer(8, host.start).start()

    outcome, book = driven(plan_for(host, tmp_path / "plan", step_s=6), tmp_path / "out", fault)

    assert (outcome.measured, outcome.is_gone) == (1, True)
    assert len(read_records(book.folder / (book.now.cells[0].run or ""))) > 2
    assert left_on(host) == []


def test_a_notice_that_the_box_is_taken_away_keeps_what_was_measured_and_is_gone_on_from(
    machine: tuple[Host, Aws], tmp_path: Path
) -> None:
    host, cloud = machine
    action = "/latest/meta-data/spot/instance-action"
    at = datetime.now(UTC) + timedelta(seconds=90)

    def fault(phase: str, argv: object) -> None:
        if phase == "look" and list((host.home / BELOW).glob("*/files/results/*/*/records-*.jsonl")):
            cloud.paths[action] = json.dumps({"action": "terminate", "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")})

    outcome, book = driven(plan_for(host, tmp_path / "plan", step_s=14), tmp_path / "out", fault)
    del cloud.paths[action]

    (cell,) = book.now.cells
    assert (outcome.exit_code, outcome.is_gone, cell.status) == (3, True, "failed")
    assert (cell.why or "").startswith("aws says: spot terminate at ")
    assert len(read_records(book.folder / (cell.run or ""))) > 0
    assert left_on(host) == []

    assert invoke(["rent", "run", "--resume", str(book.folder)]) == 0
    assert left_on(host) == []


def test_engines_as_containers_are_up_for_their_measurement_and_down_with_the_box(
    machine: tuple[Host, Aws], tmp_path: Path
) -> None:
    """A stand-in for docker, which starts the real engine where the recipe's profile has its port."""
    host, _ = machine
    docker = host.path / "docker"
    docker.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\nexport PYTHONPATH={ROOT}\ncase "$*" in\n'
        f"*' up '*) exec {sys.executable} -m harness engine start llama_server --port 8080;;\n"
        f"*' down') exec {sys.executable} -m harness engine stop llama_server;;\nesac\n"
    )
    docker.chmod(0o755)
    place = plan_for(host, tmp_path / "plan")
    (place / "plan.yaml").write_text((place / "plan.yaml").read_text() + "compose: 70b\n")

    outcome, book = driven(place, tmp_path / "out", lambda _phase, _argv: None)
    docker.unlink()

    assert (outcome.measured, outcome.is_gone) == (1, True)
    run = read_json(book.folder / (book.now.cells[0].run or ""), "run.json")
    assert run["urls"] == ["http://127.0.0.1:8080"]
    recipe = "compose --file llama_server.yaml --profile 70b"
    ended = "compose --project-name breakeven-llama-server down"
    calls = [call for call in (tmp_path / "calls").read_text().splitlines() if call.startswith("compose")]
    assert calls == [f"{recipe} pull", f"{recipe} up --detach --wait --wait-timeout 1200", ended, ended]
    assert left_on(host) == []


def test_a_network_that_takes_the_cloud_with_it_ends_no_measurement(
    machine: tuple[Host, Aws], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line fails once, and whoever made the box cannot be asked whether it is gone."""
    host, _ = machine
    failed: list[str] = []
    boxes = Faulty.boxes

    def cannot_be_asked(provider: Faulty) -> tuple[Box, ...]:
        if failed == ["look"]:
            failed.append("asked")
            raise RentError("no connection to the cloud")
        return boxes(provider)

    def fault(phase: str, _: object) -> None:
        if phase == "look" and not failed:
            failed.append(phase)
            raise BoxLostError("no route to the box")

    monkeypatch.setattr(Faulty, "boxes", cannot_be_asked)
    outcome, _ = driven(plan_for(host, tmp_path / "plan"), tmp_path / "out", fault)

    assert failed == ["look", "asked"]
    assert (outcome.measured, outcome.is_gone) == (1, True)


def test_two_runs_do_not_measure_each_other_and_the_first_is_ended_by_its_folder(
    machine: tuple[Host, Aws], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host, _ = machine
    place = plan_for(host, tmp_path / "plan", step_s=60)
    second: list[int] = []

    def fault(phase: str, _: object) -> None:
        if phase == "measure" and not second:
            second.append(invoke(["rent", "run", str(place / "plan.yaml"), "--yes", "--out", str(tmp_path / "two")]))
            (folder,) = (tmp_path / "out").iterdir()
            assert invoke(["rent", "down", str(folder)]) == 0

    outcome, _ = driven(place, tmp_path / "out", fault)

    assert second == [1]
    assert f"another run is on {host.name}" in capsys.readouterr().err
    assert (outcome.measured, outcome.is_gone) == (0, True)
    assert left_on(host) == []


def test_a_host_that_does_not_answer_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_plan(tmp_path / "plan")
    plan = str(tmp_path / "plan" / "plan.yaml")

    assert invoke(["rent", "run", plan, "--host", "ssh://127.0.0.1:1", "--yes", "--out", str(tmp_path / "out")]) == 1

    said = capsys.readouterr().err
    assert "error: ssh://127.0.0.1:1: the box does not answer: ssh: connect to host 127.0.0.1" in said
    assert "not gone" not in said
