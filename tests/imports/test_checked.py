"""Files that contradict themselves are refused or read as what they must mean, never counted as they stand."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import invoke
from harness.rundir.read import read_records

SAMPLES = Path(__file__).parents[1] / "data" / "imports"
AIPERF_ROWS = SAMPLES / "aiperf-0.13-profile_export.jsonl"
AIPERF_SUMMARY = SAMPLES / "aiperf-0.13-profile_export_aiperf.json"
Json = dict[str, Any]


def bench(**more: Any) -> Json:
    """What vLLM's script writes of 4 requests of one user, each of 1 s: 0.5 s to the first of 3 tokens, two gaps."""
    return {
        "date": "20260101-000000", "endpoint_type": "openai", "backend": "openai", "model_id": "m/n",
        "tokenizer_id": "m/n", "num_prompts": 4, "request_rate": "inf", "max_concurrency": 1, "duration": 4.0,
        "completed": 4, "failed": 0, "request_throughput": 1.0, "total_input_tokens": 40, "total_output_tokens": 12,
        "input_lens": [10] * 4, "output_lens": [3] * 4, "ttfts": [0.5] * 4, "itls": [[0.25, 0.25]] * 4,
        "start_times": [100, 101, 102, 103], "errors": [""] * 4,
    } | more  # fmt: skip


def plain(**more: Any) -> Json:
    """The same without its requests."""
    lists = ("input_lens", "output_lens", "ttfts", "itls", "start_times", "errors")
    return {key: value for key, value in bench().items() if key not in lists} | {"mean_ttft_ms": 500.0} | more


def llmperf(last: Json, done: int = 4) -> tuple[list[Json], Json]:
    """4 requests of two users, each of 1 s and 10 tokens; the last one otherwise."""
    row = {
        "error_code": None, "error_msg": "", "ttft_s": 0.1, "end_to_end_latency_s": 1.0, "inter_token_latency_s": 0.1,
        "number_input_tokens": 10, "number_output_tokens": 10, "request_output_throughput_token_per_s": 10,
    }  # fmt: skip
    summary = {
        "version": "2023-08-31", "model": "m/n", "num_concurrent_requests": 2, "results_number_errors": 0,
        "results_num_completed_requests": done, "results_num_completed_requests_per_min": 120.0,
        "results_ttft_s_quantiles_p50": 0.1, "results_end_to_end_latency_s_quantiles_p50": 1.0, "timestamp": 1.7e9,
    }  # fmt: skip
    return [row, row, row, row | last], summary


def rows_of(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def written(path: Path, said: Any) -> Path:
    path.write_text(json.dumps(said))
    return path


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def imported(tmp_path: Path, *files: Path) -> tuple[Path, Json]:
    """The run that they become, and its one step."""
    assert invoke(["import", *map(str, files), "--out", str(tmp_path / "out")]) in (0, 3)  # 3: nothing was judged
    (run_dir,) = (tmp_path / "out").iterdir()
    (step,) = json.loads((run_dir / "metrics.json").read_text())["steps"]
    return run_dir, step


def complaint(capsys: pytest.CaptureFixture[str], tmp_path: Path, *files: Path) -> str:
    """What is said of files that are not read; nothing is left behind."""
    assert invoke(["import", *map(str, files), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "span_s"),
    [
        ({"start_times": [100_000, 101_000, 102_000, 103_000]}, "3,001"),  # ms
        ({"ttfts": [500.0] * 4}, "503.5"),  # ms: the last one began after 3 s, and took 500.5 s
        ({"start_times": [1.7e9, 101, 102, 103]}, "1.7e+09"),  # of another clock
    ],
)
def test_times_of_another_unit_or_clock_than_the_tools_own_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Json, span_s: str
) -> None:
    said = complaint(capsys, tmp_path, written(tmp_path / "b.json", bench(**change)))

    assert f"its requests span {span_s} s, and by its own figures it took 4 s" in said


def _guidellm_in_ms() -> str:
    said = json.loads((SAMPLES / "guidellm-0.8.1.json").read_text())
    for request in said["benchmarks"][0]["requests"]["successful"]:
        timings = request["info"]["timings"]
        timings |= {key: value * 1e3 for key, value in timings.items() if isinstance(value, float)}
    return json.dumps(said)


def test_guidellms_timings_of_another_unit_than_its_benchmark_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.json").write_text(_guidellm_in_ms())

    assert "its requests span" in complaint(capsys, tmp_path, tmp_path / "b.json")


def test_aiperfs_request_of_another_clock_than_the_others_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(AIPERF_ROWS)
    rows[3]["metadata"]["request_start_ns"] = 1

    said = complaint(capsys, tmp_path, lines(tmp_path / "a.jsonl", rows), AIPERF_SUMMARY)

    assert "by its own figures it took 0.956224 s" in said


@pytest.mark.parametrize(("failed", "sent_s"), [(0, [0, 0, 1, 2]), (1, [0, 0, 2, 3]), (3, [0, 1, 2, 2])])
def test_a_failed_request_that_has_no_start_began_with_the_one_before_it(
    tmp_path: Path, failed: int, sent_s: list[float]
) -> None:
    said = bench(completed=3, failed=1)
    for key, value in {"start_times": 0.0, "errors": "refused", "output_lens": 0, "ttfts": 0.0, "itls": []}.items():
        said[key] = [value if k == failed else one for k, one in enumerate(said[key])]

    run_dir, step = imported(tmp_path, written(tmp_path / "b.json", said))

    rows = read_records(run_dir)
    assert sorted(rows["sent_s"] - rows["sent_s"].min()) == pytest.approx(sent_s)
    assert (step["requests"], step["failed"]) == (4, 1)


@pytest.mark.parametrize(
    ("starts", "words"),
    [([100, None, 102, 103], "`start_times` has no time of request 1"), ([0.0] * 4, "`start_times` are all 0")],
)
def test_an_answered_request_without_a_start_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], starts: list[float | None], words: str
) -> None:
    assert words in complaint(capsys, tmp_path, written(tmp_path / "b.json", bench(start_times=starts)))


def test_an_unknown_ttft_without_start_times_leaves_the_others_their_place(tmp_path: Path) -> None:
    said = bench(ttfts=[0.5, None, 0.5, 0.5], duration=3.0)
    del said["start_times"]

    run_dir, step = imported(tmp_path, written(tmp_path / "b.json", said))

    # the second took an unknown time, laid out as none: the third begins with it
    assert sorted(read_records(run_dir)["sent_s"]) == pytest.approx([0, 1, 1, 2])
    assert (step["requests"], step["e2e_s"]["n"]) == (4, 3)


def test_answers_that_the_tool_did_not_count_are_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, tmp_path, written(tmp_path / "b.json", bench(completed=1, failed=3)))

    assert "4 of its requests have no error, and its own figures say that 1 were answered" in said


def test_an_answer_without_a_token_is_a_failure_whichever_tool_tells_it(tmp_path: Path) -> None:
    rows, summary = llmperf({"number_output_tokens": 0})
    file = written(tmp_path / "x_individual_responses.json", rows)

    _, step = imported(tmp_path, file, written(tmp_path / "x_summary.json", summary))

    assert (step["requests"], step["failed"]) == (4, 1)
    assert [(one["kind"], one["requests"]) for one in step["errors"]] == [("no_tokens", 1)]


def test_llmperfs_responses_that_its_summary_did_not_count_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, summary = llmperf({}, done=3)
    file = written(tmp_path / "x_individual_responses.json", rows)

    assert "4 of its requests have no error" in complaint(
        capsys, tmp_path, file, written(tmp_path / "x_summary.json", summary)
    )


def test_a_file_that_lost_requests_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, tmp_path, lines(tmp_path / "a.jsonl", rows_of(AIPERF_ROWS)[:20]), AIPERF_SUMMARY)

    assert "it has 20 requests, and its own figures say that 48 were answered" in said


def test_stages_of_other_requests_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = json.loads((SAMPLES / "inference-perf-0.7-summary.json").read_text())
    stages = []
    for rate in (5.0, 9.0):
        stage["load_summary"] |= {"requested_rate": rate, "count": 10}
        stages.append(written(tmp_path / f"stage_{rate}.json", stage))

    said = complaint(capsys, tmp_path, SAMPLES / "inference-perf-0.7-per_request.json", *stages)

    assert "count 10 + 10 requests, the file of requests has 48" in said


def test_inference_perfs_requests_that_its_summary_did_not_count_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = json.loads((SAMPLES / "inference-perf-0.7-summary.json").read_text())
    summary["successes"]["count"] = 40
    files = SAMPLES / "inference-perf-0.7-per_request.json", written(tmp_path / "summary.json", summary)

    said = complaint(capsys, tmp_path, *files)

    assert "48 of its requests have no error, and its own figures say that 40 were answered" in said


def test_a_file_that_was_joined_to_itself_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(AIPERF_ROWS)
    first = rows[0]["metadata"]["x_request_id"]

    assert f"request {first} is in it twice" in complaint(capsys, tmp_path, lines(tmp_path / "a.jsonl", rows + rows))


@pytest.mark.parametrize("copied", ["a.json", "b.json"])
def test_a_copy_under_another_name_is_not_counted_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], copied: str
) -> None:
    files = [written(tmp_path / "a.json", bench()), written(tmp_path / "b.json", bench(date="20260101-000001"))]
    files.append(tmp_path / "c.json")
    files[2].write_bytes((tmp_path / copied).read_bytes())

    assert f"c.json is a copy of {tmp_path / copied}" in complaint(capsys, tmp_path, *files)


def test_files_of_two_models_are_not_one_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [written(tmp_path / "a.json", plain()), written(tmp_path / "b.json", plain(model_id="m/other"))]

    assert "they are of different models: m/n, m/other" in complaint(capsys, tmp_path, *files)


def _other_guidellm(said: Json) -> None:
    said["benchmarks"][0]["config"]["backend"]["model"] = "m/other"


def _other_aiperf(said: Json) -> None:
    said["input_config"]["models"]["items"][0]["name"] = "m/other"


def _other_llmperf(said: Json) -> None:
    said["model"] = "m/other"


@pytest.mark.parametrize(
    ("name", "change"), [("guidellm-0.8.1.json", _other_guidellm), ("x_summary.json", _other_llmperf)]
)
def test_two_models_are_told_whichever_tool_measured_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, change: Callable[[Json], None]
) -> None:
    said = llmperf({})[1] if name == "x_summary.json" else json.loads((SAMPLES / name).read_text())
    first = written(tmp_path / f"a_{name}", said)
    change(said)

    told = complaint(capsys, tmp_path, first, written(tmp_path / f"b_{name}", said))

    assert "of different models: " in told
    assert "m/other" in told


def test_requests_of_two_models_have_them_from_the_summaries_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files: dict[str, list[Path]] = {"llmperf": [], "aiperf": []}
    for model in ("m/n", "m/other"):
        place = tmp_path / model.replace("/", "-")
        place.mkdir()
        rows, summary = llmperf({"ttft_s": 0.1 if model == "m/n" else 0.2})
        files["llmperf"] += [
            written(place / "x_individual_responses.json", rows),
            written(place / "x_summary.json", summary | {"model": model}),
        ]
        rows, summary = rows_of(AIPERF_ROWS), json.loads(AIPERF_SUMMARY.read_text())
        rows[0]["metadata"]["x_request_id"] = model
        summary["input_config"]["models"]["items"][0]["name"] = model
        files["aiperf"] += [
            lines(place / "profile_export.jsonl", rows),
            written(place / "profile_export_aiperf.json", summary),
        ]

    for named in files.values():
        assert "of different models: m/n, m/other" in complaint(capsys, tmp_path, *named)


@pytest.mark.parametrize(("rate", "requests_per_s"), [("2.5", 2.5), ("trace", 2.0)])
def test_a_rate_in_words_is_a_rate(tmp_path: Path, rate: str, requests_per_s: float) -> None:
    said = plain(request_rate=rate, max_concurrency=None, duration=2.0)

    _, step = imported(tmp_path, written(tmp_path / "b.json", said))

    assert step["load"] == {"kind": "open", "requests_per_s": requests_per_s}  # a trace's: 4 in 2 s


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"completed": -4, "failed": 0}, "its number of requests is -4"),
        ({"failed": -1}, "its number of failed requests is -1"),
        ({"mean_ttft_ms": -5.0}, "its TTFT mean is -0.005"),
        ({"p99_e2el_ms": -1000.0}, "its E2E p99 is -1"),
    ],
)
def test_a_negative_figure_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Json, words: str
) -> None:
    said = complaint(capsys, tmp_path, written(tmp_path / "b.json", plain(**change)))

    assert f"{words}, which cannot be" in said


def test_aiperfs_negative_count_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(AIPERF_SUMMARY.read_text())
    said["request_count"]["avg"] = -3

    assert "its number of requests is -3, which cannot be" in complaint(
        capsys, tmp_path, written(tmp_path / "s.json", said)
    )


@pytest.mark.parametrize(("unit", "of_ms"), [("\u00b5s", 1e3), ("microseconds", 1e3), ("Seconds", 1e-3)])
def test_aiperfs_times_are_in_the_unit_they_name(tmp_path: Path, unit: str, of_ms: float) -> None:
    rows = rows_of(AIPERF_ROWS)
    for row in rows:
        row["metrics"]["time_to_first_token"] = {"value": 40.0 * of_ms, "unit": unit}

    _, step = imported(tmp_path, lines(tmp_path / "a.jsonl", rows))

    assert step["ttft_s"]["p50"] == pytest.approx(0.04)


def test_aiperfs_summary_is_in_the_units_it_names(tmp_path: Path) -> None:
    said = json.loads(AIPERF_SUMMARY.read_text())
    del said["request_throughput"]
    said["request_count"] = {"unit": "requests", "avg": 48}
    said["benchmark_duration"] = {"unit": "ms", "avg": 960.0}

    _, step = imported(tmp_path, written(tmp_path / "s.json", said))

    assert step["requests_per_s"] == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time_to_first_token": {"unit": "tokens", "avg": 1}}, "`time_to_first_token` is in 'tokens', which is no"),
        ({"schema_version": "2.0"}, "its schema is 2.0, this version of breakeven reads up to 1.x"),
    ],
)
def test_aiperfs_unknown_unit_or_schema_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Json, words: str
) -> None:
    said = json.loads(AIPERF_SUMMARY.read_text()) | change

    assert words in complaint(capsys, tmp_path, written(tmp_path / "s.json", said))


@pytest.mark.parametrize(
    ("name", "unit", "figure", "per_s"),
    [
        ("request_throughput", "requests/min", "requests_per_s", 2.0),
        ("request_throughput", "requests per hour", "requests_per_s", 1 / 30),
        ("output_token_throughput", "tokens/min", "output_tokens_per_s", 2.0),
        ("output_token_throughput", "TPM", "output_tokens_per_s", 2.0),
    ],
)
def test_aiperfs_rates_are_in_the_unit_they_name(
    tmp_path: Path, name: str, unit: str, figure: str, per_s: float
) -> None:
    said = json.loads(AIPERF_SUMMARY.read_text()) | {name: {"unit": unit, "avg": 120.0}}

    _, step = imported(tmp_path, written(tmp_path / "s.json", said))

    assert step[figure] == pytest.approx(per_s)


@pytest.mark.parametrize(
    ("name", "unit", "words"),
    [
        ("request_throughput", "requests/fortnight", "is in 'requests/fortnight', which is no rate"),
        ("output_token_throughput", "MB/sec", "is in 'MB/sec', which is no rate of requests or tokens"),
        ("request_count", "kilorequests", "is in 'kilorequests', which counts neither requests nor tokens"),
        ("output_sequence_length", "characters", "is in 'characters', which counts neither requests nor tokens"),
    ],
)
def test_aiperfs_rate_or_count_in_an_unknown_unit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, unit: str, words: str
) -> None:
    said = json.loads(AIPERF_SUMMARY.read_text()) | {name: {"unit": unit, "avg": 24.0}}

    assert f"`{name}` {words}" in complaint(capsys, tmp_path, written(tmp_path / "s.json", said))


def test_a_rows_count_in_an_unknown_unit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(AIPERF_ROWS)
    rows[5]["metrics"]["usage_completion_tokens"] = {"value": 24, "unit": "words"}

    said = complaint(capsys, tmp_path, lines(tmp_path / "a.jsonl", rows))

    assert "`usage_completion_tokens` is in 'words'" in said


def _vllm(change: Json) -> Callable[[Path], Path]:
    return lambda path: written(path, bench(**change))


def _aiperf(name: str, value: Any) -> Callable[[Path], Path]:
    def file(path: Path) -> Path:
        rows = rows_of(AIPERF_ROWS)
        rows[3]["metrics"][name]["value"] = value
        return lines(path, rows)

    return file


def _inference_perf(path: Path) -> Path:
    rows = json.loads((SAMPLES / "inference-perf-0.7-per_request.json").read_text())
    rows[3]["end_time"] = rows[3]["start_time"] - 3
    return written(path, rows)


def _guidellm(path: Path) -> Path:
    said = json.loads((SAMPLES / "guidellm-0.8.1.json").read_text())
    timings = said["benchmarks"][0]["requests"]["successful"][3]["info"]["timings"]
    timings["request_end"] = timings["request_start"] - 0.5
    return written(path, said)


@pytest.mark.parametrize(
    ("file", "columns"),
    [
        (_vllm({"ttfts": [-0.5, 0.5, 0.5, 0.5]}), "1 of 4 requests .*1x first_token_s"),
        (_vllm({"itls": [[-0.1, 0.25], *[[0.25, 0.25]] * 3]}), "1 of 4 requests .*1x max_gap_s"),
        (_aiperf("time_to_first_token", -4.0), "1 of 48 requests .*1x first_token_s"),
        (_aiperf("inter_chunk_latency", [5.0, -4.0, 5.0]), "1 of 48 requests .*1x max_gap_s"),
        (_aiperf("usage_completion_tokens", -1), "1 of 48 requests .*1x output_tokens"),
        (_inference_perf, "1 of 48 requests .*1x finished_s"),
        (_guidellm, "1 of [0-9]+ requests .*1x finished_s"),
    ],
)
def test_a_rows_time_that_cannot_be_is_told_with_its_file_and_what_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: Callable[[Path], Path], columns: str
) -> None:
    named = file(tmp_path / "x.json")

    assert invoke(["import", str(named), "--out", str(tmp_path / "out")]) == 3

    said = capsys.readouterr().err.splitlines()[0]
    assert re.search(f"^warning: {re.escape(str(named))} \\(.*\\): {columns}.*: taken as unknown$", said)


@pytest.mark.parametrize("one", [bench(), plain(), bench(max_concurrency=None, request_rate=2.0)])
def test_a_result_that_was_appended_twice_counts_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], one: Json
) -> None:
    file = tmp_path / "b.json"
    file.write_text(f"{json.dumps(one)}\n{json.dumps(one)}\n")

    _, step = imported(tmp_path, file)

    assert step["requests"] == 4
    assert f"{file} (vllm bench serve): a result is in it twice, to the last digit: counted once" in (
        capsys.readouterr().err
    )


def test_a_result_that_two_files_have_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads((SAMPLES / "guidellm-0.8.1.json").read_text())
    first = written(tmp_path / "a.json", said)
    said["benchmarks"] *= 2
    said["a_key_of_its_own"] = 1

    imported(tmp_path, first, written(tmp_path / "b.json", said))

    assert capsys.readouterr().err.count("to the last digit: counted once") == 2 * len(said["benchmarks"]) // 2


def test_a_compressed_file_is_to_be_unpacked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps(bench()).encode()))

    assert "it is compressed: unpack it first" in complaint(capsys, tmp_path, tmp_path / "b.json.gz")
