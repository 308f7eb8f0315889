"""Repeated runs as one figure, and which runs may not be pooled."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UsageError
from harness.cli import invoke
from harness.report.compare.pool import pool
from harness.report.model import RunFiles
from harness.rundir import files
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import LoadOfStep
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Goodput, Metrics, Step

RUN: dict[str, Any] = {
    "scenario": {"name": "a", "seed": 1, "load": {"users": [1, 2]}},
    "seed": 1,
    "started_at": "",
    "started_monotonic_ns": 0,
    "harness_version": "",
    "git_revision": None,
    "scenario_digest": "d",
    "backend": "vllm",
    "engine": {"name": "vllm", "version": "0.10.1", "flags": ["--port", "8001", "--max-num-seqs", "64"]},
    "model": "m",
    "quantization": None,
    "instance": {"id": "g6.xlarge", "replicas": 1},
    "client": {"cpu": "x", "cores": 2, "python": "3.11.9", "workers": 1, "hostname": "a"},
    "partial": False,
}


def run(name: str, goodput: float | None = 1.0, *, at_least: bool = False, **more: Any) -> RunFiles:
    figures = None if goodput is None else Goodput(requests_per_s=goodput, step=0, at_least=at_least)
    return measured(name, figures, **more)


def measured(name: str, goodput: Goodput | None, **more: Any) -> RunFiles:
    step = Step(
        step=0, load=LoadOfStep(kind="closed", users=1), window=WindowOfStep(start_s=0, end_s=1), requests=20,
        slo_met=goodput is not None and not goodput.at_most, slo_verdict="not_sure",
    )  # fmt: skip
    figures = Metrics(steps=(step,), goodput=goodput)
    return RunFiles(Path(name), RunManifest.model_validate(RUN | more), figures, None)


def test_the_mean_has_students_interval_over_the_runs() -> None:
    pooled = pool([run(str(n), goodput) for n, goodput in enumerate([148, 151, 150, 153, 148])])

    # mean 150, deviations -2 1 0 3 -2: sd = sqrt(18 / 4) = 2.12132; t(4) = 2.776445; half = 2.634 = t sd / sqrt 5
    assert pooled["goodput"] == {
        "requests_per_s": pytest.approx(150),
        "low": pytest.approx(147.366, abs=1e-3),
        "high": pytest.approx(152.634, abs=1e-3),
        "confidence": 0.95,
        "n": 5,
        "at_least": False,
    }
    assert pooled["spread"] == {"lowest": 148, "highest": 153, "share_of_mean": pytest.approx(5 / 150)}


def test_the_low_end_is_never_below_nothing() -> None:
    # mean 1.5, half = 12.706 * 0.7071 / 1.4142 = 6.35
    assert pool([run("a", 1), run("b", 2)])["goodput"]["low"] == 0


def test_a_run_without_goodput_is_not_left_out_of_the_mean() -> None:
    pooled = pool([run("a", 1), run("b", None)])

    assert pooled["goodput"] is None
    assert pooled["note"] == "1 of 2 runs have no goodput (no load step met the SLO): no mean is fair"


def test_a_run_that_serves_at_most_so_much_has_no_goodput_to_pool() -> None:
    pooled = pool([run("a", 1), measured("b", Goodput(requests_per_s=None, high=0.9, at_most=True))])

    assert pooled["goodput"] is None
    assert "no load surely met the SLO, at most 0.900 req/s" in pooled["note"]


def test_runs_that_did_not_fill_the_box_have_a_mean_that_is_a_lower_bound() -> None:
    # mean 10, sd 1.4142, t(1) = 12.7062: half = 12.7062 * 1.4142 / sqrt 2 = 12.7; below 0 there is nothing
    goodput = pool([run("a", 9), run("b", 11, at_least=True)])["goodput"]

    assert (goodput["requests_per_s"], goodput["low"], goodput["high"]) == (10, 0, None)
    assert goodput["at_least"]


@pytest.mark.parametrize(
    "same",
    [
        {"engine": RUN["engine"] | {"flags": ["--port", "9009", "--max-num-seqs", "64"]}},
        {"client": RUN["client"] | {"hostname": "b"}},
        {"started_at": "2026-08-02T00:00:00+00:00"},
    ],
    ids=["port", "hostname", "date"],
)
def test_where_and_when_may_differ(same: dict[str, Any]) -> None:
    assert pool([run("a"), run("b", **same)])["goodput"]["n"] == 2


@pytest.mark.parametrize(
    ("other", "key"),
    [
        ({"scenario": RUN["scenario"] | {"load": {"users": [1, 3]}}}, "scenario.load.users"),
        ({"engine": RUN["engine"] | {"version": "0.11"}}, "engine.version"),
        ({"engine": RUN["engine"] | {"flags": ["--max-num-seqs", "32"]}}, "engine.flags.max-num-seqs"),
        ({"model": "n"}, "model"),
        ({"quantization": "Q4_0"}, "quantization"),
        ({"instance": {"id": "g5.xlarge", "replicas": 1}}, "instance.id"),
        ({"client": RUN["client"] | {"cores": 4}}, "client.cores"),
        ({"client": RUN["client"] | {"python": "3.12.1"}}, "client.python"),
    ],
)
def test_runs_that_measured_something_else_are_refused_by_name(other: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=f"`{key}` is .* in a and .* in b"):
        pool([run("a"), run("b", **other)])


def test_a_run_that_was_cut_short_is_refused() -> None:
    with pytest.raises(UsageError, match="b: `partial` is true"):
        pool([run("a"), run("b", partial=True)])


def test_one_run_is_no_pool() -> None:
    with pytest.raises(UsageError, match="two runs or more, got 1"):
        pool([run("a")])


def written(parent: Path, name: str, per_s: int) -> Path:
    """A run of 10 s in which `per_s` requests of one second each end every second from 0.5 s on."""
    place = parent / name
    place.mkdir()
    manifest = RUN | {
        "scenario": {"name": "t", "load": {"kind": "closed", "users": [4], "step_s": 10, "warmup_s": 0},
                     "slo": {"ttft_p50_s": 1}},
        "seed": 1, "started_at": "2026-08-01T00:00:00+00:00", "started_monotonic_ns": 0,
        "harness_version": "1", "git_revision": None,
    }  # fmt: skip
    step = {"step": 0, "load": {"kind": "closed", "users": 4}, "start_s": 0, "window_start_s": 0, "end_s": 10}
    rows = [
        {"request_id": f"{s}-{n}", "step": 0, "scheduled_s": s + 0.1, "sent_s": s + 0.1, "first_token_s": s + 0.2,
         "finished_s": s + 0.5, "prompt_tokens": 9, "output_tokens": 5, "requested_output_tokens": 5}
        for s in range(10) for n in range(per_s)
    ]  # fmt: skip
    files.write_json(place, "run.json", manifest)
    (place / "steps.jsonl").write_text(json.dumps(step) + "\n")
    (place / "records-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def test_report_pools_run_directories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(written(tmp_path, f"run{n}", per_s)) for n, per_s in enumerate([3, 4, 5])]

    invoke(["report", *runs, "--pool"])

    said = capsys.readouterr().out
    # mean 4, sd 1, t(2) = 4.3027: half = 4.3027 / sqrt 3 = 2.484; the runs lie 2 apart, half of the mean
    # one load only, and it passed: how much more the box serves nobody knows
    assert "mean at least 4.00 req/s, 95 % interval over 3 runs 1.52 or more" in said
    assert "3.00  or more" in said
    assert "spread 3.00 to 5.00 req/s, 50 % of the mean" in said


def test_report_gives_the_pool_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(written(tmp_path, f"run{n}", 4)) for n in range(2)]

    invoke(["report", *runs, "--pool", "--json"])

    said = json.loads(capsys.readouterr().out)
    assert [row["goodput_requests_per_s"] for row in said["pooled"]["runs"]] == [4, 4]
    assert len(said["runs"]) == 2
