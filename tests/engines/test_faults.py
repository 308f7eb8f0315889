"""Real engines that die, find no memory, overflow or interrupt: one clear line, the right rows, a check."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from engine_helpers import ROOT, until
from load_helpers import records_of, run_load, scenario

from harness import cli
from harness.base.errors import EngineError
from harness.cli import run_all
from harness.engines import ENGINES
from harness.engines.kind import EngineKind, Launch, Settings
from harness.engines.life.running import Engine, running_engine
from harness.pipeline.analyse import analyse_run
from harness.rundir import files
from harness.rundir.read import read_records

pytestmark = pytest.mark.engine

LONG = """\
name: long
load: {kind: closed, users: [1, 1], step_s: 60, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 20, output_tokens: 5}
request: {timeout_s: 10}
"""


def only_run(out_dir: Path) -> Path:
    (run_dir,) = out_dir.iterdir()
    return run_dir


def findings(run_dir: Path) -> dict[str, dict[str, str]]:
    """code -> check, of all steps and of the run."""
    metrics = json.loads((run_dir / "metrics.json").read_text())
    return {c["code"]: c for c in [c for s in metrics["steps"] for c in s["checks"]] + metrics["checks"]}


def engine_below(pid: int, name: str) -> psutil.Process | None:
    """The process of that run which is the engine itself, not the leash that holds it."""
    for process in psutil.Process(pid).children(recursive=True):
        words = process.cmdline()
        if any(word.endswith(name) for word in words[:4]) and not any("leash" in word for word in words):
            return process
    return None


def test_a_killed_engine_ends_the_run_soon_and_the_report_says_how(tmp_path: Path) -> None:
    path, out = tmp_path / "long.yaml", tmp_path / "out"
    path.write_text(LONG)
    command = [sys.executable, "-m", "harness", "run", str(path), "--engine", "llama_cpp_python"]

    with subprocess.Popen(
        [*command, "--out", str(out)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        until(lambda: any(b'"step":0' in p.read_bytes() for p in out.glob("*/records-*.jsonl")), "a row is there", 90)
        engine = engine_below(run.pid, "llama_cpp.server")
        assert engine is not None
        engine.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        _, said = run.communicate(timeout=60)

    assert time.monotonic() - killed < 30  # of nearly 120 s
    assert run.returncode == 1
    assert "error: llama_cpp_python died during the run: it was killed by SIGKILL (out of memory?)" in said
    assert "Traceback" not in said
    rows = read_records(only_run(out))
    assert rows["error"].isna().any()
    assert (rows["error"] == "connect").sum() < 20  # it has not hammered a dead port
    assert files.read_manifest(only_run(out)).partial is True
    assert "killed by SIGKILL" in findings(only_run(out))["ended_early"]["message"]
    assert "killed by SIGKILL" in (only_run(out) / "report.md").read_text()


def limited_launch(kind: EngineKind, megabytes: int) -> Callable[..., Launch]:
    """The engine's launch with its address space cut to `megabytes`."""
    code = (
        f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_AS, ({megabytes << 20},) * 2); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )

    def launch(*arguments: Any) -> Launch:
        made = kind.launch(*arguments)
        return dataclasses.replace(made, command=[sys.executable, "-S", "-c", code, *made.command])

    return launch


@pytest.mark.parametrize(("name", "megabytes"), [("llama_server", 120), ("llama_cpp_python", 450)])
def test_an_engine_without_memory_for_its_model_says_so_with_its_log(
    name: str, megabytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = ENGINES[name]
    kind.install(lambda _: None)
    monkeypatch.setitem(ENGINES, name, dataclasses.replace(kind, launch=limited_launch(kind, megabytes)))

    with (
        pytest.raises(EngineError, match=r"did not come up: it .* while loading SmolLM2") as caught,
        running_engine(name, log_path=tmp_path / "log", progress=print),
    ):
        pass

    assert caught.value.detail
    assert "not enough memory" in (caught.value.hint or "")


def failed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["error"].notna() & (rows["error"] != "cut_at_end")]


@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_beyond_llama_servers_context_is_named_as_that(
    llama_server_engine: Engine, tmp_path: Path, stream: bool
) -> None:
    work = scenario(
        prompts={"kind": "synthetic", "input_tokens": 2500, "output_tokens": 5},
        request={"timeout_s": 10, "stream": stream},
    )

    measured = run_load(tmp_path, llama_server_engine.base_url, backend="llama_cpp", work=work)

    assert set(failed(records_of(measured))["error"]) == {"http_400"}
    analyse_run(measured.run_dir)
    check = findings(measured.run_dir)["errors_over_limit"]
    assert "exceeds the available context size" in check["message"]
    assert "do not fit the engine's context" in check["hint"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_beyond_llama_cpp_pythons_context_is_named_as_that(
    llama_engine: Engine, tmp_path: Path, stream: bool
) -> None:
    work = scenario(
        prompts={"kind": "synthetic", "input_tokens": 2500, "output_tokens": 5},
        request={"timeout_s": 10, "stream": stream},
    )

    measured = run_load(tmp_path, llama_engine.base_url, backend="llama_cpp", work=work)

    assert set(failed(records_of(measured))["error"]) == {"no_tokens" if stream else "http_400"}
    analyse_run(measured.run_dir)
    check = findings(measured.run_dir)["errors_over_limit"]
    assert "fit" in check["hint"]
    assert "context" in check["hint"]


def test_streams_that_llama_cpp_python_interrupts_are_truncated_and_the_flag_is_named(tmp_path: Path) -> None:
    settings = Settings(extra_flags=("--interrupt_requests", "true"))  # its own default
    work = scenario(
        load={"kind": "closed", "users": [2], "step_s": 3, "warmup_s": 0},
        prompts={"kind": "synthetic", "input_tokens": 20, "output_tokens": 40},
        request={"timeout_s": 10},
    )

    with running_engine("llama_cpp_python", log_path=tmp_path / "log", progress=print, settings=settings) as engine:
        measured = run_load(tmp_path / "out", engine.base_url, backend="llama_cpp", work=work)

    rows = failed(records_of(measured))
    assert set(rows["error"]) == {"truncated"}
    assert set(rows["http_status"]) == {200}
    analyse_run(measured.run_dir)
    assert "--interrupt_requests false" in findings(measured.run_dir)["errors_over_limit"]["hint"]


def test_backend_all_measures_each_engine_with_the_same_scenario_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in set(ENGINES) - {"llama_cpp_python", "llama_server"}:
        monkeypatch.delitem(ENGINES, name)
    monkeypatch.setattr(run_all, "COOL_DOWN_S", 0.1)
    path, out = tmp_path / "s.yaml", tmp_path / "out"
    path.write_text(LONG.replace("[1, 1]", "[1]").replace("60", "4"))

    code = cli.invoke(["run", str(path), "--backend", "all", "--instance", "c7i.large", "--out", str(out)])

    said = capsys.readouterr()
    runs = [files.read_manifest(p) for p in sorted(out.iterdir()) if (p / "run.json").exists()]
    assert code == 0, said.err
    assert [run.engine["name"] for run in runs] == ["llama_cpp_python", "llama_server"]
    assert len({run.scenario_digest for run in runs}) == 1
    assert "llama-cpp-python (1 of 2)" in said.err
    assert "cooling down" in said.err
    assert len(list(out.glob("*-comparison*"))) >= 1


def test_backend_all_says_how_one_engine_died_and_measures_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in set(ENGINES) - {"llama_cpp_python", "llama_server"}:
        monkeypatch.delitem(ENGINES, name)
    monkeypatch.setitem(
        ENGINES,
        "llama_cpp_python",
        dataclasses.replace(ENGINES["llama_cpp_python"], launch=limited_launch(ENGINES["llama_cpp_python"], 450)),
    )
    monkeypatch.setattr(run_all, "COOL_DOWN_S", 0.1)
    path, out = tmp_path / "s.yaml", tmp_path / "out"
    path.write_text(LONG.replace("[1, 1]", "[1]").replace("60", "2"))

    code = cli.invoke(["run", str(path), "--backend", "all", "--out", str(out)])

    assert code == 1
    assert "error: llama-cpp-python did not come up" in capsys.readouterr().err
    assert [files.read_manifest(p).engine["name"] for p in out.iterdir() if (p / "run.json").exists()] == [
        "llama_server"
    ]
