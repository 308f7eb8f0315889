"""Several replicas of one engine by one command, on a small Python program that stands for an engine."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_helpers import is_gone, until
from engine_stand_in import begin, done, engines

from harness.cli import invoke
from harness.engines.check.ask_engine import started_urls
from harness.engines.life import daemon

NAME = "llama_server"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    state = tmp_path / "breakeven" / "engines"
    state.mkdir(parents=True)
    yield state
    for pid in engines(tmp_path):
        os.killpg(pid, signal.SIGKILL)


def two_free_ports() -> int:
    """A port that is free as is the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def test_replicas_are_started_by_one_command_which_prints_what_drives_them_and_ended_by_one(state: Path) -> None:
    port = two_free_ports()

    code, out, said = done("start", NAME, "--replicas", "2", "--port", str(port))

    urls = [f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"]
    assert (code, out) == (0, f"--url {urls[0]} --url {urls[1]} --boxes 1\n")
    assert [line for line in said.splitlines() if line.startswith("log: ")] == [
        f"log: {state / NAME}.log",
        f"log: {state / NAME}-2.log",
    ]
    assert len(engines(state.parent.parent)) == 2
    assert started_urls(NAME) == urls
    row = json.loads(done("status", NAME, "--json")[1])
    assert (row["health"], row["replica_health"]) == ("serving", ["serving", "serving"])
    assert (row["base_url"], row["urls"]) == (urls[0], urls)
    assert done("stop", NAME)[0] == 0
    assert engines(state.parent.parent) == []
    assert list(state.glob("*.json")) == []


def test_an_engine_that_lost_a_replica_is_degraded_and_its_others_are_still_ended(state: Path) -> None:
    assert done("start", NAME, "--replicas", "2")[0] == 0
    started = daemon.read_state(NAME)
    assert started is not None
    for lost, left in ((started, started.others[0]), (started.others[0], None)):
        os.killpg(lost.pid, signal.SIGKILL)
        until(lambda: is_gone(lost.pid), "the replica was gone")  # noqa: B023
        if left is not None:
            code, lines, _ = done("status", NAME)
            assert code == 1
            assert [line.split()[1] for line in lines.splitlines()] == ["stopped", "serving"]
            assert json.loads(done("status", NAME, "--json")[1])["health"] == "degraded"
            code, _, said = done("start", NAME)
            assert code == 1
            place = f"{left.base_url} (process {left.pid})"
            assert f"error: llama-server is degraded: 1 of its 2 replicas ended, what is left is at {place}" in said
            assert f"hint: breakeven engine stop {NAME} ends what is left, then start it again" in said

    assert daemon.read_state(NAME) is None
    assert engines(state.parent.parent) == []


def test_a_start_in_which_one_replica_does_not_come_up_leaves_none(state: Path) -> None:
    port = two_free_ports()
    starting = begin("start", NAME, "--replicas", "2", "--port", str(port), seconds=0.5)
    until(lambda: (state / f"{NAME}.json").exists(), "the first was started")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port + 1))
        taken.listen()
        _, said = starting.communicate(timeout=60)

    assert starting.returncode == 1
    assert "error: llama-server did not come up" in said
    assert "Address already in use" in said
    assert engines(state.parent.parent) == []
    assert list(state.glob("*.json")) == []


def test_a_port_that_is_taken_for_one_replica_starts_none(state: Path) -> None:
    port = two_free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 1))
        taken.listen()

        code, _, said = done("start", NAME, "--replicas", "2", "--port", str(port))

    assert code == 2
    assert f"error: port {port + 1} cannot be used" in said
    assert engines(state.parent.parent) == []


def test_the_state_of_one_engine_as_an_older_version_wrote_it_is_one_replica(state: Path) -> None:
    assert done("start", NAME)[0] == 0
    path = state / f"{NAME}.json"
    known = json.loads(path.read_text())
    del known["others"]
    path.write_text(json.dumps(known))

    assert started_urls(NAME) == [known["base_url"]]
    assert done("stop", NAME)[0] == 0
    assert engines(state.parent.parent) == []


@pytest.mark.engine
def test_two_real_replicas_answer_and_a_run_over_both_is_one_box(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "short.yaml"
    scenario.write_text(
        """name: short
load: {kind: closed, users: [2, 2], step_s: 4, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 10, output_tokens: 4}
"""
    )
    start = ["engine", "start", NAME, "--replicas", "2", "--slots", "1", "--context-tokens", "256"]
    begun = subprocess.run([sys.executable, "-m", "harness", *start], capture_output=True, text=True, check=True)
    try:
        drives = begun.stdout.split()
        assert drives[0::2] == ["--url", "--url", "--boxes"]
        assert invoke(["engine", "check", NAME]) == 0
        assert capsys.readouterr().out.count('answer  " Paris') == 2
        invoke(["run", str(scenario), *drives, "--out", str(tmp_path / "out"), "--usd-per-hour", "1"])
    finally:
        assert invoke(["engine", "stop", NAME]) == 0

    (run_dir,) = (tmp_path / "out").iterdir()
    run = json.loads((run_dir / "run.json").read_text())
    assert run["instance"]["replicas_driven"] == 2
    assert run["instance"]["boxes"] == 1
    (step, *_) = json.loads((run_dir / "metrics.json").read_text())["steps"]
    assert [replica["requests"] > 0 for replica in step["replicas"]] == [True, True]


@pytest.mark.engine
def test_a_run_starts_its_engine_in_replicas_and_is_one_box_of_them(tmp_path: Path) -> None:
    scenario = tmp_path / "short.yaml"
    scenario.write_text(
        """name: short
load: {kind: closed, users: [2, 2], step_s: 4, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 10, output_tokens: 4}
"""
    )

    invoke(["run", str(scenario), "--engine", NAME, "--replicas", "2", "--out", str(tmp_path / "out")])

    (run_dir,) = (tmp_path / "out").iterdir()
    run = json.loads((run_dir / "run.json").read_text())
    assert len(run["urls"]) == 2
    assert run["instance"]["boxes"] == 1
    assert not [note for note in run["notes"] if "assumed to be its share" in note]
    assert sorted(path.name for path in run_dir.glob("engine*.log")) == ["engine-2.log", "engine.log"]
    (step, *_) = json.loads((run_dir / "metrics.json").read_text())["steps"]
    assert len(step["replicas"]) == 2
