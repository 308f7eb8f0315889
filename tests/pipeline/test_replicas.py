"""Two real servers driven as a fleet, from the first request to the report's last word."""

import json
from pathlib import Path

import pytest
from faulty_server import FaultyServer

from harness import cli
from harness.load.run_events import RunEvent, StepBegun
from harness.pipeline.analyse import analyse_run
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions
from harness.rundir.files import read_manifest
from harness.scenario import Scenario

WORK = {
    "name": "t",
    "load": {"kind": "closed", "users": [4], "step_s": 1.5, "warmup_s": 0},
    "prompts": {"kind": "synthetic", "input_tokens": 20, "output_tokens": 5},
    "request": {"timeout_s": 2.0},
    "slo": {"ttft_p50_s": 2},
}
BOX = {"id": None, "purchase": "on_demand", "usd_per_hour": 1.0, "replicas": 1, "replicas_driven": 2}


def runs(tmp_path: Path, *urls: str, boxes: str | None = None) -> tuple[int, Path]:
    """The exit code and the directory of `breakeven run` against the URLs."""
    scenario = tmp_path / "t.json"
    scenario.write_text(json.dumps(WORK))
    box = [
        "--usd-per-hour",
        "1",
        "--workers",
        "1",
        "--weights",
        "meta-llama/Llama-3.1-8B-Instruct",
        *(["--boxes", boxes] if boxes else []),
    ]
    named = [part for url in urls for part in ("--url", url)]
    code = cli.invoke(["run", str(scenario), *named, *box, "--out", str(tmp_path / "out")])
    (run_dir,) = (tmp_path / "out").iterdir()
    return code, run_dir


def decided(run_dir: Path) -> set[tuple[bool, str | None]]:
    decision = json.loads((run_dir / "decision.json").read_text())
    return {(arm["decided"], arm["why_not"]) for arm in decision["arms"]}


def test_a_whole_fleet_is_priced_only_by_what_somebody_says_of_its_boxes(tmp_path: Path) -> None:
    with FaultyServer() as one, FaultyServer() as other:
        _, run_dir = runs(tmp_path, one.url("slow-first-token=0.05"), other.url("slow-first-token=0.05"))

    ((is_decided, why_not),) = decided(run_dir)
    assert not is_decided
    assert why_not is not None
    assert "nobody said how many boxes" in why_not
    measured = json.loads((run_dir / "metrics.json").read_text())["goodput"]["requests_per_s"]

    for boxes in (1, 2):
        cli.invoke(["report", str(run_dir), "--boxes", str(boxes)])
        own = json.loads((run_dir / "decision.json").read_text())["self_host"]["goodput"]["requests_per_s"]
        assert own == pytest.approx(measured / boxes)
        assert f"2 URLs taken as {'one box' if boxes == 1 else '2 boxes'}" in (run_dir / "report.md").read_text()
    assert read_manifest(run_dir).instance["boxes"] is None  # what was said to report stays there


def test_a_replica_that_refuses_all_is_named_and_nothing_is_priced(tmp_path: Path) -> None:
    with FaultyServer() as one, FaultyServer() as other:
        bad = other.url("status=500")
        code, run_dir = runs(tmp_path, one.url("slow-first-token=0.05"), bad, boxes="2")

    assert code == 3
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert metrics["goodput"] is None
    assert [one["failing"] for one in metrics["steps"][0]["replicas"]] == [False, True]
    assert bad in next(c["message"] for c in metrics["steps"][0]["checks"] if c["code"] == "replica_failing")
    ((is_decided, why_not),) = decided(run_dir)
    assert not is_decided
    assert why_not is not None
    assert why_not.startswith(f"the fleet was not whole: replica {bad} answered none of its")


def test_a_replica_that_dies_after_it_was_asked_who_it_is_is_named(tmp_path: Path) -> None:
    with FaultyServer() as one:
        other = FaultyServer().__enter__()
        gone = other.url("ok")

        def on_event(event: RunEvent) -> None:
            if isinstance(event, StepBegun):
                other.__exit__()

        options = RunOptions(
            scenario=Scenario.model_validate(WORK), base_dir=tmp_path, backend="vllm", out_dir=tmp_path,
            urls=[one.url("slow-first-token=0.05"), gone], instance=BOX | {"boxes": 1},
        )  # fmt: skip
        analysis = analyse_run(measure(options, on_event).run_dir)

    assert analysis.exit_code == 3
    assert analysis.metrics.failing.startswith(f"replica {gone} answered no")
    assert analysis.decision is not None
    assert not any(arm.decided for arm in analysis.decision.arms)
