"""Real files of four tools against what the same kind of server really did: counts, tokens, and times not better."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.cli import invoke
from harness.rundir.files import read_manifest
from harness.rundir.read import read_records

SAMPLES = Path(__file__).parents[1] / "data" / "imports"
FILES = {
    "vllm bench serve": ("vllm-bench-0.32.json",),
    "GuideLLM": ("guidellm-0.8.1.json",),
    "AIPerf": ("aiperf-0.13-profile_export.jsonl", "aiperf-0.13-profile_export_aiperf.json"),
    "inference-perf": ("inference-perf-0.7-per_request.json", "inference-perf-0.7-summary.json"),
}
TRUTH = {
    "vllm bench serve": "vllm-bench-0.32",
    "GuideLLM": "guidellm-0.8.1",
    "AIPerf": "aiperf-0.13",
    "inference-perf": "inference-perf-0.7",
}


def imported(out: Path, *names: str) -> Path:
    assert invoke(["import", *(str(SAMPLES / name) for name in names), "--usd-per-hour", "3", "--out", str(out)]) == 0
    (run_dir,) = out.iterdir()
    return run_dir


def step_of(run_dir: Path) -> dict[str, Any]:
    (step,) = json.loads((run_dir / "metrics.json").read_text())["steps"]
    found: dict[str, Any] = step
    return found


@pytest.mark.parametrize("tool", FILES)
def test_a_run_has_what_the_server_did_and_no_better_times(tmp_path: Path, tool: str) -> None:
    run_dir = imported(tmp_path, *FILES[tool])

    rows = read_records(run_dir)
    truth = pd.read_csv(SAMPLES / f"{TRUTH[tool]}.truth.csv").iloc[-48:]  # vLLM's begins with the tool's own trial
    assert len(rows) == len(truth) == 48
    assert rows["error"].isna().all()
    assert (rows["output_tokens"] == 24).all()
    assert (truth["tokens"] == 24).all()
    took = {
        "ttft": (rows["first_token_s"] - rows["sent_s"], (truth["first_ns"] - truth["recv_ns"]) / 1e9),
        "e2e": (rows["finished_s"] - rows["sent_s"], (truth["last_ns"] - truth["recv_ns"]) / 1e9),
    }
    for ours, theirs in took.values():  # a client sees a token after it was sent, so the k-th fastest is no faster
        assert (np.sort(ours.to_numpy()) >= np.sort(theirs.to_numpy()) - 1e-4).all()
    step = step_of(run_dir)
    assert step["load"] == {"kind": "closed", "users": 8}
    assert (step["requests"], step["failed"]) == (48, 0)
    said = read_manifest(run_dir).imported
    assert said is not None
    assert (said.tool, said.rows) == (tool, "all")
    assert (run_dir / "decision.json").exists()


def test_guidellm_0_3_keeps_times_in_the_request(tmp_path: Path) -> None:
    run_dir = imported(tmp_path, "guidellm-0.3.1.json")

    rows, truth = read_records(run_dir), pd.read_csv(SAMPLES / "guidellm-0.3.1.truth.csv")
    assert len(rows) == len(truth) == 24
    assert rows["output_tokens"].sum() == truth["tokens"].sum() == 24 * 24
    ttft_s = (rows["first_token_s"] - rows["sent_s"]).to_numpy()
    assert (np.sort(ttft_s) >= np.sort(((truth["first_ns"] - truth["recv_ns"]) / 1e9).to_numpy()) - 1e-4).all()
    own = json.loads((SAMPLES / "guidellm-0.3.1.json").read_text())["benchmarks"][0]["metrics"]
    step = step_of(run_dir)
    assert step["load"] == {"kind": "closed", "users": 4}
    assert step["ttft_s"]["mean"] * 1000 == pytest.approx(own["time_to_first_token_ms"]["successful"]["mean"], rel=1e-5)


@pytest.mark.parametrize("version", ["0.3", "0.5"])
def test_older_versions_of_inference_perf_keep_requests_elsewhere(tmp_path: Path, version: str) -> None:
    place = SAMPLES / f"inference-perf-{version}"
    names = [str(path.relative_to(SAMPLES)) for path in sorted(place.glob("*.json"))]
    run_dir = imported(tmp_path, *names)

    rows, truth = read_records(run_dir), pd.read_csv(place / "truth.csv")
    assert len(rows) == len(truth) == 28
    assert rows["output_tokens"].sum() == truth["tokens"].sum() == 28 * 24
    steps = json.loads((run_dir / "metrics.json").read_text())["steps"]
    assert [step["load"] for step in steps] == [{"kind": "open", "requests_per_s": rate} for rate in (4.0, 8.0)]
    assert [step["requests"] for step in steps] == [12, 16]  # 4 a second for 3 s, then 8 a second for 2 s
    for step, stage in zip(steps, sorted(place.glob("stage_*.json")), strict=True):
        own = json.loads(stage.read_text())["successes"]["latency"]["time_to_first_token"]
        assert step["ttft_s"]["mean"] == pytest.approx(own["mean"], rel=1e-6)


def test_aiperf_0_3_has_neither_schema_nor_version(tmp_path: Path) -> None:
    place = SAMPLES / "aiperf-0.3"
    names = [str(place / name) for name in ("profile_export.jsonl", "profile_export_aiperf.json")]

    assert invoke(["import", *names, "--out", str(tmp_path)]) == 0

    (run_dir,) = tmp_path.iterdir()
    rows, truth = read_records(run_dir), pd.read_csv(place / "truth.csv")
    assert len(rows) == len(truth) == 24
    assert rows["output_tokens"].sum() == truth["tokens"].sum() == 24 * 24
    assert set(rows["token_source"]) == {"server"}  # its own tokenizer counted no prompt token at all
    own = json.loads((place / "profile_export_aiperf.json").read_text())
    step = step_of(run_dir)
    assert step["load"] == {"kind": "closed", "users": 4}
    assert step["ttft_s"]["p50"] * 1000 == pytest.approx(own["time_to_first_token"]["p50"], rel=1e-6)
    assert step["schedule_lag_s"]["p50"] is None  # this version does not tell when a request was due
    manifest = read_manifest(run_dir)
    assert manifest.model == "sim"
    assert manifest.imported is not None
    assert (manifest.imported.version, manifest.imported.layout) == (None, "rows, no schema version")


def test_guidellms_tpot_is_its_inter_token_latency(tmp_path: Path) -> None:
    run_dir = imported(tmp_path, *FILES["GuideLLM"])

    own = json.loads((SAMPLES / "guidellm-0.8.1.json").read_text())["benchmarks"][0]["metrics"]
    step = step_of(run_dir)
    assert step["ttft_s"]["mean"] * 1000 == pytest.approx(own["time_to_first_token_ms"]["successful"]["mean"], rel=1e-6)
    assert step["tpot_s"]["mean"] * 1000 == pytest.approx(own["inter_token_latency_ms"]["successful"]["mean"], rel=1e-3)
    assert own["time_per_output_token_ms"]["successful"]["mean"] > 1.1 * step["tpot_s"]["mean"] * 1000
    assert "includes the time to the first token" in (run_dir / "report.md").read_text()
    manifest = read_manifest(run_dir)
    assert manifest.imported is not None
    assert manifest.imported.version == "0.8.1"
    assert (manifest.model, manifest.urls) == ("sim", ["http://127.0.0.1:9200"])


def test_aiperfs_rows_come_to_its_own_summary(tmp_path: Path) -> None:
    step = step_of(imported(tmp_path, *FILES["AIPerf"]))

    own = json.loads((SAMPLES / "aiperf-0.13-profile_export_aiperf.json").read_text())
    for ours, theirs in (
        ("ttft_s", "time_to_first_token"),
        ("tpot_s", "inter_token_latency"),
        ("e2e_s", "request_latency"),
    ):
        assert step[ours]["mean"] * 1000 == pytest.approx(own[theirs]["avg"], rel=1e-6)
        assert step[ours]["p99"] * 1000 == pytest.approx(own[theirs]["p99"], rel=1e-6)
    assert step["mean_input_tokens"] == pytest.approx(own["input_sequence_length"]["avg"])
    assert step["schedule_lag_s"]["mean"] == pytest.approx(own["credit_to_start_latency"]["avg"] / 1000, rel=0.2)


def test_inference_perfs_rows_come_to_its_own_summary(tmp_path: Path) -> None:
    step = step_of(imported(tmp_path, *FILES["inference-perf"]))

    own = json.loads((SAMPLES / "inference-perf-0.7-summary.json").read_text())["successes"]["latency"]
    assert step["ttft_s"]["p50"] == pytest.approx(own["time_to_first_token"]["median"], rel=1e-6)
    assert step["ttft_s"]["p99"] == pytest.approx(own["time_to_first_token"]["p99"], rel=1e-6)
    assert step["tpot_s"]["mean"] == pytest.approx(own["time_per_output_token"]["mean"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "ttft_p99_s", "output_per_s", "users"),
    [
        ("aiperf-0.13-profile_export_aiperf.json", 0.040186727, 1189.7314133001635, 8),
        # its users are not told: 42.7 requests/s of 0.137 s each are 5.84 under way on average
        ("inference-perf-0.7-summary.json", 0.027274132019902034, 1024.7036826911735, 6),
    ],
)
def test_a_summary_alone_gives_the_tools_own_percentiles(
    tmp_path: Path, name: str, ttft_p99_s: float, output_per_s: float, users: int
) -> None:
    run_dir = imported(tmp_path, name)

    step = step_of(run_dir)
    assert step["load"]["users"] == users
    assert step["ttft_s"]["p99"] == pytest.approx(ttft_p99_s, rel=0.02)
    assert step["output_tokens_per_s"] == pytest.approx(output_per_s)
    assert step["slo_verdict"] == "not_judged"
    assert json.loads((run_dir / "metrics.json").read_text())["goodput"] is None
    assert "the tool kept no single requests" in (run_dir / "report.md").read_text()


def test_aiperfs_rows_alone_know_no_users_and_say_so(tmp_path: Path) -> None:
    run_dir = imported(tmp_path, "aiperf-0.13-profile_export.jsonl")

    assert step_of(run_dir)["load"] == {"kind": "closed", "users": 8}  # the most at once
    said = read_manifest(run_dir).imported
    assert said is not None
    assert any("the most requests at once" in text for text in said.unknown)


@pytest.mark.parametrize(
    "names",
    [
        ("guidellm-0.8.1.json", "vllm-bench-0.32.json"),
        ("aiperf-0.13-profile_export.jsonl", "inference-perf-0.7-per_request.json"),
    ],
)
def test_files_of_two_tools_are_both_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    assert invoke(["import", *(str(SAMPLES / name) for name in names), "--out", str(tmp_path)]) == 2

    said = capsys.readouterr().err
    assert all(name in said for name in names)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", [name for names in FILES.values() for name in names])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_file_that_was_cut_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, share: float
) -> None:
    data = (SAMPLES / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    out = tmp_path / "out"

    assert invoke(["import", str(tmp_path / name), "--out", str(out)]) == 2

    first = capsys.readouterr().err.splitlines()[0]
    assert name in first
    assert any(tool in first for tool in FILES)
    assert not out.exists() or not any(out.iterdir())
