"""The embedded engine from start to verdict, as `make run` does it, with a shorter scenario."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from harness.rundir import files
from harness.rundir.read import read_records

pytestmark = pytest.mark.engine

SCENARIO = """\
name: tiny
load: {kind: closed, users: [1, 2], step_s: 12, warmup_s: 1}
prompts: {kind: synthetic, input_tokens: 60, output_tokens: 24}
request: {timeout_s: 60}
slo: {preset: batch}
"""


def engines_of(pid: int) -> list[psutil.Process]:
    return [p for p in psutil.Process(pid).children(recursive=True) if _is_engine(p)]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("quickstart")
    (out / "tiny.yaml").write_text(SCENARIO)
    command = [sys.executable, "-m", "harness", "run", str(out / "tiny.yaml"), "--out", str(out / "runs")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    (found,) = (out / "runs").iterdir()
    (found / "stdout").write_text(done.stdout)
    (found / "code").write_text(f"{done.returncode}\n{done.stderr}")
    return found


def test_the_verdict_is_printed_and_the_exit_code_follows_the_checks(run_dir: Path) -> None:
    decision = json.loads((run_dir / "decision.json").read_text())
    metrics = json.loads((run_dir / "metrics.json").read_text())
    levels = {c["level"] for s in metrics["steps"] for c in s["checks"]}
    levels |= {c["level"] for c in [*metrics["checks"], *decision["checks"]]}

    code = int((run_dir / "code").read_text().splitlines()[0])

    assert code == (3 if "error" in levels else 0), (run_dir / "code").read_text()
    assert [arm["role"] for arm in decision["arms"]] == ["frontier", "cheap", "same_weights"]
    assert "stand" in decision["arms"][2]["label"]
    said = (run_dir / "stdout").read_text()
    assert "anthropic:claude-sonnet-5-5" in said
    assert "Traceback" not in (run_dir / "code").read_text()


def test_the_engine_describes_itself_in_the_manifest(run_dir: Path) -> None:
    manifest = files.read_manifest(run_dir)

    assert manifest.engine["name"] == "llama_cpp_python"
    assert manifest.engine["version"]
    assert "--interrupt_requests" in manifest.engine["flags"]
    assert manifest.quantization == "Q4_1"
    assert "SmolLM2-135M" in (manifest.model or "")
    assert (run_dir / "engine.log").exists()


def test_every_request_was_answered_with_the_tokens_asked_for(run_dir: Path) -> None:
    rows = read_records(run_dir)
    good = rows[rows["error"].isna()]

    assert len(good) >= 2
    assert set(rows["error"].dropna()) <= {"cut_at_end"}
    assert set(good["finish_reason"]) == {"length"}
    assert set(good["prompt_tokens"]) == {60}
    # the engine sends no count when it streams: its tokenizer is asked afterwards, and may join pieces otherwise
    assert set(good["token_source"]) == {"endpoint_tokenizer"}
    assert good["output_tokens"].between(20, 26).all()
    assert good["events"].between(20, 24).all()
    assert set(good["clock"]) == {"kernel"}


def test_two_users_of_a_serial_engine_wait_for_each_other(run_dir: Path) -> None:
    rows = read_records(run_dir)
    good = rows[rows["error"].isna() & (rows["step"] == 1)].sort_values("first_token_s")

    # answers do not overlap: each first token comes after the one before has ended
    starts, ends = good["first_token_s"].to_numpy()[1:], good["finished_s"].to_numpy()[:-1]
    assert (starts > ends).all()


def test_goodput_is_priced_for_every_arm(run_dir: Path) -> None:
    decision = json.loads((run_dir / "decision.json").read_text())
    metrics = json.loads((run_dir / "metrics.json").read_text())

    assert metrics["goodput"]["requests_per_s"] > 0
    for arm in decision["arms"]:
        assert arm["input"]["self_host"]["goodput_requests_per_s"] == metrics["goodput"]["requests_per_s"]
        assert arm["decision"]["verdict"] in {"never", "window", "yes"}


def test_metrics_agree_with_the_records(run_dir: Path) -> None:
    rows, metrics = read_records(run_dir), json.loads((run_dir / "metrics.json").read_text())
    window = metrics["steps"][0]["window"]

    served = rows[rows["error"].isna() & (rows["finished_s"] > window["start_s"]) & (rows["sent_s"] < window["end_s"])]
    inside_s = served["finished_s"].clip(upper=window["end_s"]) - served["sent_s"].clip(lower=window["start_s"])
    shares = inside_s / (served["finished_s"] - served["sent_s"])

    assert metrics["steps"][0]["requests_per_s"] == pytest.approx(shares.sum() / (window["end_s"] - window["start_s"]))


def test_ctrl_c_stops_the_engine_and_keeps_the_rows(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SCENARIO.replace("step_s: 12", "step_s: 100"))
    command = [sys.executable, "-m", "harness", "run", str(tmp_path / "tiny.yaml"), "--out", str(tmp_path / "runs")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not any(b'"step":0' in p.read_bytes() for p in tmp_path.glob("runs/*/records-*.jsonl")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    engines = engines_of(process.pid)
    assert len(engines) == 1

    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 130, stderr
    _, alive = psutil.wait_procs(engines, timeout=15)
    assert not alive
    (run,) = (tmp_path / "runs").iterdir()
    rows = read_records(run)
    assert isinstance(rows, pd.DataFrame)
    assert len(rows) > 0
    assert files.read_manifest(run).partial is True
    assert (run / "report.md").exists()


def test_a_missing_model_file_is_one_line_and_leaves_no_process(tmp_path: Path) -> None:
    before = {p.pid for p in psutil.process_iter() if _is_engine(p)}
    command = [sys.executable, "-m", "harness", "run", "--model", "/nonexistent.gguf", "--out", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "/nonexistent.gguf" in done.stderr
    assert "Traceback" not in done.stderr
    assert {p.pid for p in psutil.process_iter() if _is_engine(p)} <= before
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def _is_engine(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
        return "llama_cpp.server" in words and not any("leash" in word for word in words)
    except psutil.Error:
        return False
