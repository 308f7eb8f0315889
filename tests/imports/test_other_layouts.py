"""Layouts that no real file here has: older and newer ones, and other tools', as their documentation has them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cli import invoke
from harness.imports import laid_out
from harness.rundir.files import read_manifest
from harness.rundir.imported import Imported
from harness.rundir.read import read_records

SAMPLES = Path(__file__).parents[1] / "data" / "imports"


def imported(out: Path, *files: Path, code: int = 0) -> Path:
    assert invoke(["import", *map(str, files), "--out", str(out)]) == code
    (run_dir,) = out.iterdir()
    return run_dir


def steps_of(run_dir: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((run_dir / "metrics.json").read_text())["steps"]
    return found


def said_of(run_dir: Path) -> Imported:
    said = read_manifest(run_dir).imported
    assert said is not None
    return said


def written(path: Path, said: Any) -> Path:
    path.write_text(json.dumps(said))
    return path


# GuideLLM: each request begins at k/2 s, has its first token after 0.2 s, its last of 11 after 1.2 s: TPOT 0.1 s

T0 = 1_790_000_000.0


def guidellm_03(count: int = 20) -> dict[str, Any]:
    requests = [
        {
            "type_": "generative_text_response", "request_id": f"r{k}", "request_type": "chat_completions",
            "prompt": "a", "output": "b", "prompt_tokens": 100, "output_tokens": 11, "start_time": T0 + k / 2,
            "first_token_time": T0 + k / 2 + 0.2, "last_token_time": T0 + k / 2 + 1.2, "end_time": T0 + k / 2 + 1.25,
        }
        for k in range(count)
    ]  # fmt: skip
    cut = {"request_id": "cut", "prompt_tokens": 100, "start_time": T0 + 9.9, "end_time": T0 + 10.0}
    bad = {"request_id": "bad", "prompt_tokens": 100, "start_time": T0 + 3.0, "end_time": T0 + 3.1, "error": "HTTP 503"}
    benchmark = {
        "type_": "generative_benchmark", "id_": "x", "run_id": "y", "start_time": T0, "end_time": T0 + 11,
        "args": {"strategy": {"type_": "concurrent", "streams": 3}},
        "worker": {"backend_type": "openai_http", "backend_target": "http://127.0.0.1:8000", "backend_model": "m/n"},
        "request_loader": {}, "metrics": {},
        "request_totals": {"successful": count, "errored": 1, "incomplete": 1, "total": count + 2},
        "requests": {"successful": requests, "errored": [bad], "incomplete": [cut], "total": None},
    }  # fmt: skip
    return {"benchmarks": [benchmark]}


def guidellm_04(strategy: dict[str, Any]) -> dict[str, Any]:
    """Times in `info.timings`, as from 0.4 on; metadata of version 1 from 0.5 on."""
    requests = [
        {
            "request_id": f"r{k}",
            "info": {
                "status": "completed",
                "timings": {
                    "targeted_start": T0 + k / 2 - 0.01, "request_start": T0 + k / 2,
                    "first_iteration": T0 + k / 2 + 0.2, "last_iteration": T0 + k / 2 + 1.2,
                    "request_end": T0 + k / 2 + 1.25, "iterations": 11,
                },
            },
            "input_metrics": {"text_tokens": 100},
            "output_metrics": {"text_tokens": 11},
        }
        for k in range(20)
    ]  # fmt: skip
    benchmark = {
        "type_": "generative_benchmark", "config": {"strategy": strategy}, "scheduler_state": {}, "start_time": T0,
        "end_time": T0 + 11, "metrics": {"request_totals": {"successful": 20, "errored": 0, "total": 20}},
        "requests": {"successful": requests, "incomplete": [], "errored": []},
    }  # fmt: skip
    return {
        "metadata": {"version": 1, "guidellm_version": "0.5.2"},
        "args": {"target": "http://127.0.0.1:8000", "model": "m/n", "backend_kwargs": {}},
        "benchmarks": [benchmark],
    }


def test_guidellm_up_to_0_3_has_times_in_the_request(tmp_path: Path) -> None:
    run_dir = imported(tmp_path / "out", written(tmp_path / "b.json", guidellm_03()), code=3)  # 1 of 21 failed

    (step,) = steps_of(run_dir)
    assert step["load"] == {"kind": "closed", "users": 3}
    assert (step["requests"], step["failed"]) == (21, 1)
    assert step["ttft_s"]["p50"] == pytest.approx(0.2)
    assert step["tpot_s"]["p50"] == pytest.approx(0.1)  # 1 s over the 10 tokens after the first
    assert step["e2e_s"]["p50"] == pytest.approx(1.2)
    rows = read_records(run_dir)
    assert sorted(rows["error"].dropna()) == ["cut_at_end", "http_503"]
    run = read_manifest(run_dir)
    assert (run.model, run.urls) == ("m/n", ["http://127.0.0.1:8000"])
    assert said_of(run_dir).version is None
    assert "(0.3)" in said_of(run_dir).layout


def test_guidellm_from_0_4_on_has_timings_and_a_rate_counts_from_the_target(tmp_path: Path) -> None:
    file = written(tmp_path / "b.json", guidellm_04({"type_": "constant", "rate": 2.0}))

    run_dir = imported(tmp_path / "out", file)

    (step,) = steps_of(run_dir)
    assert step["load"] == {"kind": "open", "requests_per_s": 2.0}
    assert step["ttft_s"]["p50"] == pytest.approx(0.21)  # due 10 ms before it was sent
    assert step["schedule_lag_s"]["p50"] == pytest.approx(0.01, abs=1e-6)
    assert (step["mean_input_tokens"], step["mean_output_tokens"]) == (100, 11)
    assert said_of(run_dir).version == "0.5.2"


def test_guidellms_sweep_becomes_a_run_by_users_and_one_by_rate(tmp_path: Path) -> None:
    sweep = guidellm_04({"type_": "synchronous"})
    for rate in (1.0, 2.0):
        sweep["benchmarks"] += guidellm_04({"type_": "constant", "rate": rate})["benchmarks"]

    assert invoke(["import", str(written(tmp_path / "b.json", sweep)), "--out", str(tmp_path / "out")]) == 0

    loads = [[step["load"] for step in steps_of(run)] for run in sorted((tmp_path / "out").iterdir())]
    assert sorted(loads, key=len) == [
        [{"kind": "closed", "users": 1}],
        [{"kind": "open", "requests_per_s": 1.0}, {"kind": "open", "requests_per_s": 2.0}],
    ]


def test_guidellms_sampled_requests_give_no_rate(tmp_path: Path) -> None:
    said = guidellm_04({"type_": "concurrent", "streams": 4})
    one = said["benchmarks"][0]
    one["metrics"] = {
        "request_totals": {"successful": 1000, "errored": 10, "total": 1010},
        "time_to_first_token_ms": {"successful": {"mean": 210.0, "percentiles": {"p50": 200.0, "p99": 400.0}}},
    }

    run_dir = imported(tmp_path / "out", written(tmp_path / "b.json", said))

    (step,) = steps_of(run_dir)
    assert (step["requests"], step["failed"]) == (1010, 10)
    assert (step["ttft_s"]["p50"], step["ttft_s"]["p99"]) == (0.2, 0.4)
    assert said_of(run_dir).rows == "none"


def test_a_newer_layout_of_guidellms_is_named_with_its_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = guidellm_04({"type_": "synchronous"}) | {"metadata": {"version": 3, "guidellm_version": "1.2.0"}}

    assert invoke(["import", str(written(tmp_path / "b.json", said)), "--out", str(tmp_path / "out")]) == 2

    assert "b.json (GuideLLM 1.2.0): its layout is version 3" in capsys.readouterr().err


# SGLang, llmperf: no times at which requests began


def sglang(**more: Any) -> dict[str, Any]:
    return {
        "tag": None, "backend": "sglang", "dataset_name": "random", "request_rate": float("inf"), "max_concurrency": 2,
        "sharegpt_output_len": None, "random_input_len": 100, "random_output_len": 11, "random_range_ratio": 1.0,
        "duration": 12.0, "completed": 20, "total_input_tokens": 2000, "total_output_tokens": 220,
        "total_output_tokens_retokenized": 219, "request_throughput": 1.6667, "median_ttft_ms": 200.0,
        "mean_e2e_latency_ms": 1200.0, "p99_e2e_latency_ms": 1300.0, **more,
    }  # fmt: skip


def test_sglangs_plain_lines_are_steps_of_its_own_figures(tmp_path: Path) -> None:
    lines = [sglang(), sglang(max_concurrency=4, duration=6.0)]
    (tmp_path / "s.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    steps = steps_of(imported(tmp_path / "out", tmp_path / "s.jsonl"))

    assert [step["load"]["users"] for step in steps] == [2, 4]
    assert [step["requests_per_s"] for step in steps] == pytest.approx([20 / 12, 20 / 6])
    assert steps[0]["e2e_s"]["p99"] == pytest.approx(1.3)


def test_sglangs_details_are_laid_out_as_its_users_must_have_sent_them(tmp_path: Path) -> None:
    details = {
        "input_lens": [100] * 20, "output_lens": [11] * 20, "ttfts": [0.2] * 20, "itls": [[0.1] * 10] * 20,
        "generated_texts": ["[\"}"] * 20, "errors": [""] * 20,
        "server_info": {"model_path": "org/model", "version": "0.5.6"},
    }  # fmt: skip
    run_dir = imported(tmp_path / "out", written(tmp_path / "s.jsonl", sglang(**details)))

    (step,) = steps_of(run_dir)
    # 2 users, 10 requests each of 1.2 s without a pause: 12 s, as the file has it
    assert step["requests_per_s"] == pytest.approx(2 / 1.2, rel=0.01)
    assert step["tpot_s"]["p50"] == pytest.approx(0.1)
    assert said_of(run_dir).laid_out
    assert read_manifest(run_dir).model == "org/model"


def llmperf(count: int = 20) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    row = {
        "error_code": None, "error_msg": "", "inter_token_latency_s": 0.109, "ttft_s": 0.2, "end_to_end_latency_s": 1.2,
        "request_output_throughput_token_per_s": 9.2, "number_total_tokens": 111, "number_output_tokens": 11,
        "number_input_tokens": 100,
    }  # fmt: skip
    summary = {
        "version": "2023-08-31", "name": "m_100_11_summary", "model": "m", "num_concurrent_requests": 2,
        "results_ttft_s_quantiles_p50": 0.2, "results_ttft_s_mean": 0.2,
        "results_end_to_end_latency_s_quantiles_p99": 1.2, "results_number_input_tokens_mean": 100.0,
        "results_number_output_tokens_mean": 11.0, "results_number_errors": 0, "timestamp": 1718208212,
        "results_num_completed_requests": count, "results_num_completed_requests_per_min": 100.0,
    }  # fmt: skip
    return [row] * count, summary


def test_llmperfs_responses_take_their_users_from_the_summary_beside_them(tmp_path: Path) -> None:
    rows, summary = llmperf()
    rows = [*rows, rows[0] | {"error_code": 429, "error_msg": "too many"}]
    files = (written(tmp_path / "m_individual_responses.json", rows), written(tmp_path / "m_summary.json", summary))

    run_dir = imported(tmp_path / "out", *files, code=3)

    (step,) = steps_of(run_dir)
    assert step["load"] == {"kind": "closed", "users": 2}
    assert step["tpot_s"]["p50"] == pytest.approx(0.1)  # not its 0.109, which has the first token's wait in it
    assert list(read_records(run_dir)["error"].dropna()) == ["http_429"]
    assert read_manifest(run_dir).started_at.startswith("2024-06-12")


def test_llmperfs_responses_alone_tell_no_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "m_individual_responses.json", llmperf()[0])

    assert invoke(["import", str(file), "--out", str(tmp_path / "out")]) == 2

    assert "how many users there were" in capsys.readouterr().err


def test_llmperfs_summary_alone_gives_its_own_percentiles(tmp_path: Path) -> None:
    (step,) = steps_of(imported(tmp_path / "out", written(tmp_path / "m_summary.json", llmperf()[1])))

    assert step["requests_per_s"] == pytest.approx(100 / 60)
    assert step["tpot_s"]["p50"] is None  # its inter_token_latency is another thing
    assert step["e2e_s"]["p99"] == 1.2


# summaries


@pytest.mark.parametrize("unit", [("ms", 1.0), ("ns", 1e6)])
def test_genai_perfs_summary_in_either_unit(tmp_path: Path, unit: tuple[str, float]) -> None:
    name, factor = unit
    said = {
        "request_throughput": {"unit": "requests/sec", "avg": 2.0},
        "request_latency": {"unit": name, "avg": 1200 * factor, "p50": 1200 * factor, "p99": 1300 * factor},
        "request_count": {"unit": "requests", "avg": 20.0},
        "time_to_first_token": {"unit": name, "avg": str(200 * factor), "p50": str(200 * factor)},
        "inter_token_latency": {"unit": name, "avg": 100 * factor, "p50": 100 * factor},
        "output_token_throughput": {"unit": "tokens/sec", "avg": 22.0},
        "output_sequence_length": {"unit": "tokens", "avg": 11.0},
        "input_sequence_length": {"unit": "tokens", "avg": 100.0},
        "input_config": {"model": ["m"], "concurrency": 3, "endpoint_type": "chat", "service_kind": "openai"},
    }

    run_dir = imported(tmp_path / "out", written(tmp_path / "p_genai_perf.json", said))

    (step,) = steps_of(run_dir)
    assert step["load"] == {"kind": "closed", "users": 3}
    assert (step["ttft_s"]["p50"], step["tpot_s"]["p50"]) == (pytest.approx(0.2), pytest.approx(0.1))
    assert (step["requests_per_s"], step["output_tokens_per_s"], step["input_tokens_per_s"]) == (2.0, 22.0, 200.0)
    assert said_of(run_dir).tool == "genai-perf"


def test_genai_perfs_raw_export_points_at_the_file_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"experiments": [{"experiment": {"mode": "concurrency", "value": 1}, "requests": []}], "version": ""}

    assert invoke(["import", str(written(tmp_path / "p.json", said)), "--out", str(tmp_path / "out")]) == 2

    assert "genai-perf): it is perf_analyzer's raw export" in capsys.readouterr().err


def test_aiperfs_first_summaries_have_no_schema_version_and_another_place_for_the_load(tmp_path: Path) -> None:
    said = json.loads((SAMPLES / "aiperf-0.13-profile_export_aiperf.json").read_text())
    for key in ("schema_version", "aiperf_version", "benchmark_id", "run_info"):
        del said[key]
    said["input_config"] = {
        "endpoint": {"model_names": ["m/n"], "url": "http://127.0.0.1:9", "type": "chat"},
        "loadgen": {"concurrency": 5, "request_count": 48},
    }

    run_dir = imported(tmp_path / "out", written(tmp_path / "profile_export_aiperf.json", said))

    assert steps_of(run_dir)[0]["load"] == {"kind": "closed", "users": 5}
    assert said_of(run_dir).layout == "summary, no schema version"
    assert read_manifest(run_dir).model == "m/n"


def test_aiperfs_warm_up_is_left_out_and_its_failures_are_kept(tmp_path: Path) -> None:
    lines = [json.loads(x) for x in (SAMPLES / "aiperf-0.13-profile_export.jsonl").read_text().splitlines()]
    lines[0]["metadata"]["benchmark_phase"] = "warmup"
    lines[1] |= {"metrics": {"error_isl": {"value": 30, "unit": "tokens"}}}
    lines[1]["error"] = {"code": 503, "type": "Service Unavailable", "message": "no, Bearer abcdef123"}
    lines[2]["metadata"]["was_cancelled"] = True
    (tmp_path / "profile_export.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    run_dir = imported(tmp_path / "out", tmp_path / "profile_export.jsonl", code=3)

    rows = read_records(run_dir)
    assert len(rows) == 47
    assert sorted(rows["error"].dropna()) == ["cut_at_end", "http_503"]
    failed = rows[rows["error"] == "http_503"].iloc[0]
    assert failed["prompt_tokens"] == 30
    assert "abcdef123" not in failed["error_detail"]


def test_inference_perfs_stages_are_the_steps_of_its_requests(tmp_path: Path) -> None:
    stages = [
        {
            "load_summary": {"count": 24, "requested_rate": rate, "achieved_rate": rate},
            "successes": {"count": 24, "latency": {}},
        }
        for rate in (10.0, 20.0)
    ]
    files = [written(tmp_path / f"stage_{n}_lifecycle_metrics.json", said) for n, said in enumerate(stages)]

    run_dir = imported(tmp_path / "out", SAMPLES / "inference-perf-0.7-per_request.json", *files)

    steps = steps_of(run_dir)
    assert [step["load"] for step in steps] == [{"kind": "open", "requests_per_s": rate} for rate in (10.0, 20.0)]
    assert [step["requests"] for step in steps] == [24, 24]


def test_inference_perfs_older_summary_has_prompt_len_and_medians(tmp_path: Path) -> None:
    said = {
        "load_summary": {"count": 60, "requested_rate": 1.0, "achieved_rate": 1.0, "send_duration": 60.0},
        "successes": {
            "count": 60,
            "latency": {"time_to_first_token": {"mean": 0.06, "median": 0.05, "p90": 0.08}},
            "throughput": {"input_tokens_per_sec": 190.0, "output_tokens_per_sec": 211.0, "requests_per_sec": 0.92},
            "prompt_len": {"mean": 206.5}, "output_len": {"mean": 229.3},
        },
        "failures": {"count": 0, "request_latency": None, "prompt_len": None},
    }  # fmt: skip

    run_dir = imported(tmp_path / "out", written(tmp_path / "stage_0_lifecycle_metrics.json", said))

    (step,) = steps_of(run_dir)
    assert step["load"] == {"kind": "open", "requests_per_s": 1.0}
    assert (step["ttft_s"]["p50"], step["ttft_s"]["p90"], step["ttft_s"]["p99"]) == (0.05, 0.08, None)
    assert (step["mean_input_tokens"], step["mean_output_tokens"]) == (206.5, 229.3)
    assert "up to 0.5" in said_of(run_dir).layout


def test_what_is_left_of_the_time_is_shared_out_as_pauses() -> None:
    # 2 users, 4 requests of 1 s: 2 s; the file says 3 s. Each second request of a user comes after a pause.
    assert list(laid_out.by_users(np.ones(4), 2, None)) == [0, 0, 1, 1]
    assert list(laid_out.by_users(np.ones(4), 2, 3.0)) == [0, 0, 1.5, 1.5]
    assert list(laid_out.at_rate(3, 2.0)) == [0, 0.5, 1.0]
