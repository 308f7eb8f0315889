"""The embedded engine, really started."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
from engine_helpers import ROOT, complete, is_gone, listening_on, until

from harness.base.errors import EngineError, UsageError
from harness.cli import invoke
from harness.engines.kind import Settings
from harness.engines.life.running import Engine, running_engine
from harness.engines.weights.models import bundled_model_path

pytestmark = pytest.mark.engine


def test_the_engine_answers_paris(llama_engine: Engine) -> None:
    assert complete(llama_engine.base_url, "The capital of France is", 1) == " Paris"


def test_the_engine_is_identified_by_what_it_says(llama_engine: Engine) -> None:
    assert llama_engine.process.poll() is None
    assert llama_engine.version == metadata.version("llama-cpp-python")
    assert llama_engine.model == "SmolLM2-135M-Instruct.Q4_1"
    assert llama_engine.quantization == "Q4_1"
    assert llama_engine.slots == 1


def test_the_flags_kept_are_those_given_without_the_models_directory(llama_engine: Engine) -> None:
    given = Path(f"/proc/{llama_engine.process.pid}/cmdline").read_text().split("\0")[:-1]
    environment = Path(f"/proc/{llama_engine.process.pid}/environ").read_text().split("\0")
    variables = [flag for flag in llama_engine.flags if flag.startswith("OMP_")]
    flags = llama_engine.flags[: len(llama_engine.flags) - len(variables)]

    assert given[1:4] == ["-P", "-m", "llama_cpp.server"]
    assert [Path(flag).name if flag.endswith(".gguf") else flag for flag in given[4:]] == flags
    assert set(variables) <= set(environment)
    for flag in ("--interrupt_requests", "--logits_all"):
        assert llama_engine.flags[llama_engine.flags.index(flag) + 1] == "false"


def test_it_listens_on_loopback_only(llama_engine: Engine) -> None:
    assert listening_on(llama_engine.process.pid) == {"127.0.0.1"}


def test_environment_variables_do_not_move_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")  # the server would follow both, whatever its flags say
    monkeypatch.setenv("HOST", "no-such-host.invalid")
    said: list[str] = []

    with running_engine("llama_cpp_python", log_path=tmp_path / "log", progress=said.append) as engine:
        pid = engine.process.pid

        assert complete(engine.base_url, "The capital of France is", 1) == " Paris"

    assert is_gone(pid)
    assert all("SmolLM2-135M-Instruct.Q4_1.gguf (98 MB)" in line for line in said)


def test_an_exception_inside_stops_the_engine(tmp_path: Path) -> None:
    pid = 0

    with pytest.raises(KeyboardInterrupt):  # noqa: PT012, SIM117
        with running_engine("llama_cpp_python", log_path=tmp_path / "log", progress=print) as engine:
            pid = engine.process.pid
            raise KeyboardInterrupt

    assert is_gone(pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_engine_ends_with_the_program_that_holds_it(tmp_path: Path, number: signal.Signals) -> None:
    code = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from harness.engines.life.running import running_engine
        with running_engine("llama_cpp_python", log_path=Path({str(tmp_path / "log")!r}), progress=[].append) as engine:
            print(engine.process.pid, flush=True)
            time.sleep(3600)
    """)
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())

        os.kill(holder.pid, number)
        holder.wait(timeout=30)

        until(lambda: is_gone(pid), "the engine ended with its holder")


def test_a_model_file_that_the_engine_refuses_is_shown_with_the_logs_end(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(bundled_model_path().read_bytes()[:-64])  # the header is whole, the last tensor is not

    with pytest.raises(EngineError) as caught:  # noqa: SIM117
        with running_engine("llama_cpp_python", model=broken, log_path=tmp_path / "log", progress=print):
            pass

    assert "did not come up: it ended with exit code 1" in str(caught.value)
    assert "Failed to load model from file" in (caught.value.detail or "")
    assert len((caught.value.detail or "").splitlines()) <= 15
    assert str(tmp_path / "log") in (caught.value.hint or "")


def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(UsageError, match=f"port {port}"):  # noqa: SIM117
            with running_engine(
                "llama_cpp_python", log_path=tmp_path / "log", progress=print, settings=Settings(port=port)
            ):
                pass

    assert not (tmp_path / "log").exists()


def test_a_model_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.gguf"):  # noqa: SIM117
        with running_engine(
            "llama_cpp_python", model=tmp_path / "none.gguf", log_path=tmp_path / "log", progress=print
        ):
            pass


def test_an_unknown_engine_is_a_usage_error_that_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no engine `olama`") as caught:  # noqa: SIM117
        with running_engine("olama", log_path=tmp_path / "log", progress=print):
            pass

    assert "llama_cpp_python" in (caught.value.hint or "")


def test_context_tokens_bound_what_one_request_may_hold(tmp_path: Path) -> None:
    settings = Settings(context_tokens=200)  # a multiple of 256 is taken: 256

    with running_engine("llama_cpp_python", log_path=tmp_path / "log", progress=print, settings=settings) as engine:
        assert complete(engine.base_url, "one two three", 4)
        with pytest.raises(urllib.error.HTTPError) as caught:
            complete(engine.base_url, "word " * 300, 4)

    with caught.value:
        assert caught.value.code == 400


def test_engine_check_asks_the_engine_for_the_capital(llama_engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["engine", "check", "llama_cpp_python", "--url", llama_engine.base_url]) == 0

    checked = capsys.readouterr().out
    assert 'answer  " Paris' in checked
    assert f"model   {llama_engine.model}\n" in checked
    assert "tokens  5 in, " in checked  # as vLLM counts them
    assert "(normal)" in checked
