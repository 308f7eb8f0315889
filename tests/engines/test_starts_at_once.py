"""Several `breakeven engine` commands at once, on a small Python program that stands for an engine."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import is_gone, until
from engine_stand_in import begin, done, engines

from harness.base.errors import EngineError
from harness.engines.kind import Settings
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


def test_of_four_starts_at_once_one_engine_remains_and_the_others_name_it(state: Path) -> None:
    starts = [begin("start", NAME, seconds=0.5) for _ in range(4)]
    said = [start.communicate(timeout=60) for start in starts]

    (won,) = [out.strip() for (out, _), start in zip(said, starts, strict=True) if start.returncode == 0]
    lost = [err for (_, err), start in zip(said, starts, strict=True) if start.returncode == 1]
    assert len(engines(state.parent.parent)) == 1
    assert len(lost) == 3
    assert all(f"error: llama-server runs already at {won} (process" in err for err in lost)
    assert done("stop", NAME)[0] == 0
    assert engines(state.parent.parent) == []


def test_a_start_that_is_killed_gives_its_place_to_the_next_and_leaves_one_engine(state: Path) -> None:
    first = begin("start", NAME, seconds=60)
    until(lambda: (state / f"{NAME}.json").exists(), "the engine was started")
    second = begin("start", NAME)
    assert second.stderr is not None
    assert "another process starts llama-server, waiting for it" in second.stderr.readline()

    first.kill()
    first.communicate(timeout=20)
    _, said = second.communicate(timeout=60)

    assert (second.returncode, len(engines(state.parent.parent))) == (1, 1)
    assert "error: llama-server runs already at" in said
    assert "loading" in done("status", NAME)[1]
    assert done("stop", NAME)[0] == 0
    assert engines(state.parent.parent) == []


def test_two_engines_do_not_take_one_port_for_their_own(state: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    starts = [begin("start", name, "--port", port, seconds=0.5) for name in (NAME, "vllm")]

    said = [start.communicate(timeout=60)[1] for start in starts]

    assert sorted(start.returncode for start in starts) == [0, 2]
    assert sum(f"error: port {port} cannot be used" in err for err in said) == 1
    assert len(engines(state.parent.parent)) == 1


def a_state(**more: Any) -> dict[str, Any]:
    return {
        "name": NAME,
        "base_url": "http://127.0.0.1:1",
        "pid": os.getpid(),
        "pid_created_s": 1.0,
        "log": "x",
        **more,
    }


UNREADABLE: dict[str, bytes | None] = {
    "empty": b"",
    "cut": b'{"name": "llama_ser',
    "a list": b"[1]",
    "bytes": b"\xff\xfe\x00",
    "an older version": json.dumps({"name": NAME, "port": 8080, "pid": os.getpid()}).encode(),
    "a pid of text": json.dumps(a_state(pid="mine")).encode(),
    "pid 0": json.dumps(a_state(pid=0)).encode(),
    "pid -1": json.dumps(a_state(pid=-1)).encode(),
    "the system's pid": json.dumps(a_state(pid=1)).encode(),
    "a pid without end": json.dumps(a_state(pid=10**30)).encode(),
    "no time": json.dumps(a_state(pid_created_s=float("nan"))).encode(),
    "another engine's": json.dumps(a_state(name="vllm\x1b[2J")).encode(),
    "a directory": None,
}


def unreadable(state: Path, name: str) -> Path:
    path, content = state / f"{NAME}.json", UNREADABLE[name]
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_state_that_cannot_be_read_stays_and_starts_and_ends_nothing(state: Path, name: str) -> None:
    path = unreadable(state, name)

    for act in (daemon.read_state, daemon.stop, lambda name: daemon.start(name, None, [Settings()], print)):
        with pytest.raises(EngineError, match=f"cannot read what is known of llama-server: {path}: ") as caught:
            act(NAME)
        assert "\x1b" not in str(caught.value)

    assert path.is_dir() if UNREADABLE[name] is None else path.read_bytes() == UNREADABLE[name]


@pytest.mark.parametrize("name", ["cut", "a directory"])
def test_a_state_that_cannot_be_read_is_one_line_and_where_to_look(state: Path, name: str) -> None:
    path = unreadable(state, name)

    code, out, said = done("start", NAME)

    assert (code, out) == (1, "")
    assert said.startswith(f"error: cannot read what is known of llama-server: {path}: ")
    assert "then remove the file" in said
    assert engines(state.parent.parent) == []


def test_one_state_that_cannot_be_read_hides_no_other_engine(state: Path) -> None:
    (state / f"{NAME}.json").write_bytes(b"{")

    code, out, said = done("status")

    assert code == 1
    assert "cannot read what is known of llama-server" in said
    lines = {line.split()[0]: line.split()[1] for line in out.splitlines()}
    assert lines == {"llama_cpp_python": "stopped", "llama_server": "unknown", "vllm": "stopped", "tgi": "stopped"}


@pytest.mark.parametrize("created_s", [1.0, 4_000_000_000.0])  # in 1970, in 2096
def test_a_state_of_a_pid_that_is_anothers_by_now_is_stale_and_nothing_is_killed(state: Path, created_s: float) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        (state / f"{NAME}.json").write_text(json.dumps(a_state(pid=other.pid, pid_created_s=created_s)))

        code, _, said = done("stop", NAME)

        assert (code, said) == (0, f"{NAME} did not run\n")
        assert not is_gone(other.pid)
        assert list(state.glob("*.json")) == []
        other.communicate(b"\n")
