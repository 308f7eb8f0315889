"""`breakeven import` of vllm bench serve: a real file held against what its server did, and files of other layouts."""

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
FILE = SAMPLES / "vllm-bench-0.32.json"


def imported(out: Path, *files: Path, options: tuple[str, ...] = (), code: int = 0) -> Path:
    """The directory of the one run that the files become."""
    assert invoke(["import", *map(str, files), "--out", str(out), *options]) == code
    (run_dir,) = out.iterdir()
    return run_dir


def metrics_of(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_dir / "metrics.json").read_text())
    return found


def written(path: Path, **changes: Any) -> Path:
    """The real file's object with some keys of another value, or (None) without them."""
    said = json.loads(FILE.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in said.items() if value is not ...}))
    return path


def test_the_run_has_the_servers_counts_and_the_files_times(tmp_path: Path) -> None:
    run_dir = imported(tmp_path, FILE)

    said, rows = json.loads(FILE.read_text()), read_records(run_dir)
    truth = pd.read_csv(SAMPLES / "vllm-bench-0.32.truth.csv").iloc[1:]  # its first row is the tool's own trial
    assert len(rows) == len(truth) == 48
    assert rows["output_tokens"].sum() == truth["tokens"].sum() == 1152
    assert rows["prompt_tokens"].sum() == 2655
    assert rows["error"].isna().all()
    ttft_s = (rows["first_token_s"] - rows["sent_s"]).to_numpy()
    assert np.allclose(sorted(ttft_s), sorted(said["ttfts"]), atol=1e-9)
    # the server's first token came 20 ms after it had the request: nobody saw it earlier
    assert ttft_s.min() >= ((truth["first_ns"] - truth["recv_ns"]).min() / 1e9)
    assert np.allclose(sorted(rows["finished_s"] - rows["sent_s"]), sorted(said["latencies"]), atol=1e-9)


def test_the_tools_own_percentiles_come_out_again(tmp_path: Path) -> None:
    (step,) = metrics_of(imported(tmp_path, FILE))["steps"]

    said = json.loads(FILE.read_text())
    assert step["load"] == {"kind": "closed", "users": 8}
    assert (step["requests"], step["failed"]) == (48, 0)
    assert step["ttft_s"]["p50"] == pytest.approx(said["median_ttft_ms"] / 1000, rel=1e-6)
    assert step["ttft_s"]["p99"] == pytest.approx(said["p99_ttft_ms"] / 1000, rel=1e-6)
    assert step["tpot_s"]["mean"] == pytest.approx(said["mean_tpot_ms"] / 1000, rel=1e-6)
    assert step["schedule_lag_s"]["p50"] is None  # the file does not tell when requests were due


def test_a_run_with_a_box_gets_the_money_and_says_who_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = imported(tmp_path, FILE, options=("--instance", "g5.12xlarge", "--api", "openai:gpt-4.1"))

    assert "openai:gpt-4.1" in capsys.readouterr().out
    assert (run_dir / "decision.json").exists()
    report = (run_dir / "report.md").read_text()
    assert "TTFT ends at the first chunk that has choices" in report
    manifest = read_manifest(run_dir)
    assert manifest.imported is not None
    assert (manifest.imported.tool, manifest.imported.rows) == ("vllm bench serve", "all")
    assert manifest.started_at == "2026-11-23T13:47:07+00:00"


def test_an_imported_run_is_priced_by_the_rule_of_all_runs(tmp_path: Path) -> None:
    """Nobody gives a demand: its own requests, no volume, half an engineer at 208,000 a year; unless it is said."""
    box = ("--usd-per-hour", "2")

    def usd_a_month(place: str, *said: str) -> float:
        decision = imported(tmp_path / place, FILE, options=(*box, *said)) / "decision.json"
        return float(json.loads(decision.read_text())["people"]["usd_per_month"])

    assert usd_a_month("a") == pytest.approx(208_000 / 24)
    assert usd_a_month("b", "--people", "0.25", "--fte-usd-per-year", "96000") == pytest.approx(2000)
    assert invoke(["import", str(FILE), "--demand", "support-agent", "--people", "1"]) == 2


def test_a_report_of_it_comes_to_the_same_again(tmp_path: Path) -> None:
    run_dir = imported(tmp_path, FILE, options=("--usd-per-hour", "2"))
    before = metrics_of(run_dir)

    assert invoke(["report", str(run_dir)]) == 0

    assert metrics_of(run_dir) == before


def test_requests_that_failed_are_failures_with_their_own_words(tmp_path: Path) -> None:
    said = json.loads(FILE.read_text())
    errors, lengths, itls = list(said["errors"]), list(said["output_lens"]), list(said["itls"])
    errors[3] = "Traceback (most recent call last):\n  File x\nTimeoutError: no answer"
    errors[5] = "Internal Server Error: status 503"
    lengths[3] = lengths[5] = 0
    itls[3] = itls[5] = []
    file = written(tmp_path / "failed.json", errors=errors, output_lens=lengths, itls=itls, completed=46, failed=2)

    run_dir = imported(tmp_path / "out", file, code=3)  # 4 % of failures are over the limit

    rows = read_records(run_dir)
    failed = rows[rows["error"].notna()]
    assert sorted(failed["error"]) == ["http_503", "timeout"]
    assert "TimeoutError: no answer" in set(failed["error_detail"])
    assert failed["finished_s"].isna().all()
    assert failed["output_tokens"].isna().all()
    assert metrics_of(run_dir)["steps"][0]["failed"] == 2


def test_a_plain_file_gives_the_tools_own_percentiles_and_no_goodput(tmp_path: Path) -> None:
    plain = dict.fromkeys(
        ("input_lens", "output_lens", "ttfts", "itls", "start_times", "generated_texts", "errors"), ...
    )
    run_dir = imported(tmp_path / "out", written(tmp_path / "plain.json", **plain))

    metrics = metrics_of(run_dir)
    (step,) = metrics["steps"]
    assert metrics["goodput"] is None
    assert [check["code"] for check in metrics["checks"]] == ["no_rows"]
    assert step["ttft_s"]["p99"] == pytest.approx(0.030057270120287285)
    assert step["ttft_s"]["p95"] is None  # not asked of the tool
    assert step["requests_per_s"] == pytest.approx(48 / 0.8576710709994586)
    assert step["slo_verdict"] == "not_judged"
    assert not (run_dir / "records.parquet").exists()
    assert "no goodput follows from them" in (run_dir / "report.md").read_text()
    assert invoke(["report", str(run_dir), "--json"]) == 0


def test_an_older_scripts_key_with_a_colon_is_known_by_it(tmp_path: Path) -> None:
    gone = dict.fromkeys(("request_goodput", "failed", "start_times", "queue_times", "max_concurrent_requests"), ...)
    run_dir = imported(tmp_path / "out", written(tmp_path / "old.json", **gone, **{"request_goodput:": 3.1}))

    said = read_manifest(run_dir).imported
    assert said is not None
    assert "goodput key has a colon" in said.layout
    # nobody wrote down when requests began: 8 users who go on at once come to the same rate as the file with times
    assert said.laid_out
    metrics = metrics_of(run_dir)
    assert "laid_out" in [check["code"] for check in metrics["checks"]]
    assert metrics["steps"][0]["requests_per_s"] == pytest.approx(56.4, rel=0.01)


def test_appended_results_are_the_steps_of_one_run(tmp_path: Path) -> None:
    first = FILE.read_text().strip()
    second = json.dumps(json.loads(first) | {"max_concurrency": 16})
    (tmp_path / "both.json").write_text(f"{first}\n{second}\n")

    steps = metrics_of(imported(tmp_path / "out", tmp_path / "both.json"))["steps"]

    assert [step["load"]["users"] for step in steps] == [8, 16]
    assert [step["requests"] for step in steps] == [48, 48]


def test_requests_by_rate_count_from_when_they_were_due(tmp_path: Path) -> None:
    queued_s = [0.5] * 48
    file = written(tmp_path / "rate.json", request_rate=60.0, max_concurrency=None, queue_times=queued_s)

    (step,) = metrics_of(imported(tmp_path / "out", file, code=3))["steps"]  # half a second late: the client's

    assert step["load"] == {"kind": "open", "requests_per_s": 60.0}
    # the file's own median TTFT of 25.3 ms, and the half second that each waited in the client
    assert step["ttft_s"]["p50"] == pytest.approx(0.525296896550549337, abs=1e-6)
    assert step["schedule_lag_s"]["p50"] == pytest.approx(0.5)


def test_all_at_once_without_a_limit_are_as_many_users_as_prompts(tmp_path: Path) -> None:
    file = written(tmp_path / "burst.json", max_concurrency=None)

    (step,) = metrics_of(imported(tmp_path / "out", file))["steps"]

    assert step["load"] == {"kind": "closed", "users": 48}


def test_what_is_no_number_to_json_is_unknown(tmp_path: Path) -> None:
    plain = dict.fromkeys(("itls", "start_times"), ...)
    file = written(tmp_path / "nan.json", **plain, p99_tpot_ms=float("nan"), mean_tpot_ms=float("nan"))

    (step,) = metrics_of(imported(tmp_path / "out", file))["steps"]

    assert step["tpot_s"]["p99"] is None


def test_the_same_work_that_took_longer_is_the_same_work(tmp_path: Path) -> None:
    said = json.loads(FILE.read_text())
    slow = written(
        tmp_path / "slow.json",
        duration=2 * said["duration"],
        start_times=[2 * t for t in said["start_times"]],
        ttfts=[2 * t for t in said["ttfts"]],
    )

    digests = [read_manifest(imported(tmp_path / f.stem, f)).scenario_digest for f in (FILE, slow)]

    assert digests[0] == digests[1]
