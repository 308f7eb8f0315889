"""`breakeven engine`: through the command line, with the embedded engine as the one that is started."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from engine_helpers import ROOT, complete, is_gone, until

from harness.engines.life import daemon
from harness.engines.process import process

NAME = "llama_cpp_python"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "breakeven" / "engines"


def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "engine", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def a_started(pid: int, created_s: float) -> daemon.Started:
    return daemon.Started(
        name=NAME,
        base_url="http://127.0.0.1:1",
        pid=pid,
        pid_created_s=created_s,
        log="/dev/null",
        flags=["--port", "1"],
    )


@pytest.mark.engine
def test_an_engine_is_started_asked_and_stopped_by_the_scripts_of_infra(state: Path) -> None:
    def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "infra" / NAME / name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert script("check").returncode == 1
    started = script("start", "--context-tokens", "512")
    try:
        assert started.returncode == 0, started.stderr
        base_url = started.stdout.strip()
        assert complete(base_url, "The capital of France is", 1) == " Paris"

        checked = script("check", "--json")
        assert checked.returncode == 0
        row = json.loads(checked.stdout)
        assert row["health"] == "serving"
        assert row["base_url"] == base_url
        assert row["version"] == script("version").stdout.strip()
        assert row["flags"][row["flags"].index("--n_ctx") + 1] == "512"

        again = script("start")
        assert again.returncode == 1
        assert f"error: llama-cpp-python runs already at {base_url}" in again.stderr
    finally:
        stopped = script("stop")

    assert stopped.returncode == 0
    assert is_gone(row["pid"])
    assert list(state.glob("*.json")) == []
    assert script("stop").returncode == 0


@pytest.mark.engine
def test_a_killed_engine_is_seen_as_stopped_and_can_be_started_again(state: Path) -> None:
    assert engine("start", NAME).returncode == 0
    try:
        first = daemon.read_state(NAME)
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: is_gone(first.pid), "the engine was gone")

        assert engine("status", NAME).returncode == 1
        assert engine("start", NAME).returncode == 0
    finally:
        second = daemon.read_state(NAME)
        engine("stop", NAME)

    assert second is not None
    assert second.pid != first.pid
    assert is_gone(second.pid)


@pytest.mark.engine
def test_an_interrupted_start_leaves_nothing_running(state: Path) -> None:
    command = [sys.executable, "-m", "harness", "engine", "start", NAME]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as starting:
        until(lambda: (state / f"{NAME}.json").exists(), "the engine process was started")
        pid = json.loads((state / f"{NAME}.json").read_text())["pid"]

        starting.send_signal(signal.SIGTERM)
        starting.communicate(timeout=60)

    assert starting.returncode == 130
    assert is_gone(pid)
    assert daemon.read_state(NAME) is None


@pytest.mark.engine
def test_an_engine_that_does_not_come_up_shows_its_log(state: Path, tmp_path: Path) -> None:
    started = engine("start", NAME, "--", "--chat_format", "no-such-format", "--n_threads", "many")

    assert started.returncode == 1
    assert "error: llama-cpp-python did not come up" in started.stderr
    assert "--n_threads: invalid int value: 'many'" in started.stderr
    assert "Traceback" not in started.stderr
    assert started.stdout == ""
    assert daemon.read_state(NAME) is None


def test_a_state_file_of_a_process_that_is_gone_is_removed(state: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        started = a_started(child.pid, psutil.Process(child.pid).create_time())
        daemon._write_state(started)
        assert daemon.read_state(NAME) == started
        child.communicate()

    assert daemon.read_state(NAME) is None
    assert list(state.glob("*.json")) == []


def test_another_process_with_the_same_id_is_not_taken_for_the_engine(state: Path) -> None:
    created_s = psutil.Process().create_time()
    daemon._write_state(a_started(os.getpid(), created_s - 3600))

    assert daemon.stop(NAME) is None  # and above all: this process was not killed


def test_an_engine_remembered_by_another_version_is_still_stopped(state: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, start_new_session=True
    ) as child:
        daemon._write_state(a_started(child.pid, psutil.Process(child.pid).create_time()))
        path = state / f"{NAME}.json"
        known = json.loads(path.read_text())
        del known["flags"]  # a key that came later
        path.write_text(json.dumps(known | {"key_of_a_later_version": 1}))

        stopped = daemon.stop(NAME)

    assert stopped is not None
    assert is_gone(child.pid)
    assert not path.exists()


@pytest.mark.parametrize("cleanup", [["no-such-command"], [sys.executable, "-c", "input()"]])
def test_a_clean_up_that_cannot_be_run_or_does_not_end_forgets_no_engine(
    state: Path, cleanup: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_CLEAN_UP_LIMIT_S", 0.1)
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, start_new_session=True
    ) as child:
        started = a_started(child.pid, psutil.Process(child.pid).create_time())
        daemon._write_state(replace(started, cleanup=cleanup))

        assert daemon.stop(NAME) is not None

    assert list(state.glob("*.json")) == []


def test_an_unknown_engine_is_bad_input() -> None:
    for command in ("start", "stop", "status", "version", "install"):
        done = engine(command, "olama")

        assert done.returncode == 2
        assert "error: no engine `olama`" in done.stderr
        assert "vllm" in done.stderr


def test_status_without_a_name_lists_every_engine(state: Path) -> None:
    done = engine("status")

    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["llama_cpp_python", "stopped"],
        ["llama_server", "stopped"],
        ["vllm", "stopped"],
        ["tgi", "stopped"],
    ]
