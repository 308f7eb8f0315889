"""The leash, on small Python programs that stand for an engine."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from engine_helpers import ROOT, is_gone, until

from harness.base.errors import EngineError, UsageError
from harness.engines.process import process as process_module
from harness.engines.process.process import LeashedProcess, choose_port, engine_environment, log_tail

FOREVER = "import time; print('up', flush=True); time.sleep(3600)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_output_of_the_command_lands_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "made" / "engine.log"

    with LeashedProcess(python("import sys; print('out'); print('err', file=sys.stderr)"), log, os.environ) as child:
        until(lambda: child.poll() is not None, "the command ended")

    assert sorted(log_tail(log).splitlines()) == ["err", "out"]


def test_the_exit_code_is_the_commands_own(tmp_path: Path) -> None:
    with LeashedProcess(python("raise SystemExit(7)"), tmp_path / "log", os.environ) as child:
        until(lambda: child.poll() is not None, "the command ended")

        assert child.poll() == 7


def test_a_command_killed_by_a_signal_says_so(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"

    with LeashedProcess(python(code), tmp_path / "log", os.environ) as child:
        until(lambda: child.poll() is not None, "the command ended")

        assert child.poll() == -9


def test_stopping_ends_the_command_and_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"""
        import subprocess, sys
        print(subprocess.Popen([sys.executable, "-c", {FOREVER!r}]).pid, flush=True)
        {FOREVER}
    """
    with LeashedProcess(python(code), log, os.environ) as child:
        until(lambda: log.read_text().count("up") == 2, "both are up")
        grandchild = int(next(line for line in log.read_text().splitlines() if line.isdigit()))
        assert not is_gone(child.pid)
        assert not is_gone(grandchild)

    assert is_gone(child.pid)
    until(lambda: is_gone(grandchild), "the grandchild ended")


def test_a_command_that_ignores_sigterm_is_killed_after_the_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "GRACE_S", 0.2)
    log = tmp_path / "log"
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}"

    with LeashedProcess(python(code), log, os.environ) as child:
        until(lambda: "up" in log.read_text(), "the command is up")

    assert child.poll() == -9


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_command_does_not_outlive_the_program_that_holds_it(tmp_path: Path, number: signal.Signals) -> None:
    code = f"""
        import os, time
        from pathlib import Path
        from harness.engines.process.process import LeashedProcess
        with LeashedProcess({python(FOREVER)!r}, Path({str(tmp_path / "log")!r}), os.environ) as child:
            print(child.pid, flush=True)
            time.sleep(3600)
    """
    with subprocess.Popen(python(code), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert not is_gone(pid)

        holder.send_signal(number)
        holder.wait(timeout=30)

        until(lambda: is_gone(pid), "the command ended with its holder")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_leash_leaves_neither_the_command_nor_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"""
        import subprocess, sys
        print(subprocess.Popen([sys.executable, "-c", {FOREVER!r}]).pid, flush=True)
        {FOREVER}
    """
    with LeashedProcess(python(code), log, os.environ) as child:
        until(lambda: log.read_text().count("up") == 2, "both are up")
        grandchild = int(next(line for line in log.read_text().splitlines() if line.isdigit()))
        leash = psutil.Process(child.pid).ppid()
        assert leash != os.getpid()

        os.kill(leash, signal.SIGKILL)

        until(lambda: is_gone(child.pid), "the command ended with its leash")
        until(lambda: child.poll() is not None, "we noticed")

    until(lambda: is_gone(grandchild), "its child ended too")


def test_ctrl_c_in_the_terminal_does_not_reach_the_command(tmp_path: Path) -> None:
    with LeashedProcess(python(FOREVER), tmp_path / "log", os.environ) as child:
        assert os.getpgid(child.pid) != os.getpgid(0)
        assert os.getsid(child.pid) != os.getsid(0)


def test_a_command_that_is_not_there_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        LeashedProcess([str(tmp_path / "no-such-server")], tmp_path / "log", os.environ)

    assert "no-such-server could not be started" in str(caught.value)
    assert "No such file" in (caught.value.detail or "")


def test_a_log_that_cannot_be_written_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(EngineError, match=r"cannot write the engine's log .*file/log"):
        LeashedProcess(python(FOREVER), tmp_path / "file" / "log", os.environ)


def test_settings_in_the_environment_do_not_reach_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "API_KEY", "N_CTX", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "from outside")

    environment = engine_environment({"OMP_NUM_THREADS": "2"})

    assert "from outside" not in environment.values()
    assert environment["PATH"] == os.environ["PATH"]
    assert environment["OMP_NUM_THREADS"] == "2"


def test_a_port_in_use_is_a_usage_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(UsageError, match=f"port {port} cannot be used"):
            choose_port(port)


def test_without_a_port_a_free_one_is_chosen() -> None:
    with socket.create_server(("127.0.0.1", choose_port(None))) as server:
        assert server.getsockname()[1] > 0


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_number_that_is_no_port_is_a_usage_error(port: int) -> None:
    with pytest.raises(UsageError, match="not between 1 and 65535"):
        choose_port(port)


def test_the_tail_of_a_log_leaves_blank_lines_out(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n\n".join(f"line {n}" for n in range(100)))

    assert log_tail(log, lines=2) == "line 98\nline 99"
    assert log_tail(tmp_path / "none") == ""
