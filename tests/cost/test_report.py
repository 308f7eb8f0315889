"""From a run directory to the money: a hand-made run on a g5.12xlarge, analysed by the command itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cost_cases import manifest

from harness.rundir.files import write_manifest
from harness.rundir.records import RequestRecord
from harness.scenario import Scenario, bundled_scenarios_dir

STEP_S, WARMUP_S = 1010.0, 10.0


def step_records(step: int, requests: int, ttft_s: float) -> list[RequestRecord]:
    """So many requests of 800/250 tokens spread evenly over the 1,000 s of the step's window, 0.04 s a token."""
    start = step * STEP_S + WARMUP_S
    rows = []
    for n in range(requests):
        sent = start - 12 + n * 1000 / requests  # they begin 12 s early, so that as many end in the window
        rows.append(
            RequestRecord(
                request_id=f"{step}-{n}",
                step=step,
                scheduled_s=sent,
                sent_s=sent,
                headers_s=sent + ttft_s / 2,
                first_token_s=sent + ttft_s,
                finished_s=sent + ttft_s + 249 * 0.04,
                prompt_tokens=800,
                output_tokens=250,
                requested_output_tokens=250,
                token_source="server",
                events=250,
                http_status=200,
                finish_reason="length",
            )
        )
    return rows


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """0.6 requests/s within the limits at 8 users, 0.9 at 16 users with a first token after 7 s."""
    place = tmp_path_factory.mktemp("runs") / "g5"
    place.mkdir()
    load = {"kind": "closed", "users": [8, 16], "step_s": STEP_S, "warmup_s": WARMUP_S}
    scenario = Scenario.model_validate({"name": "by-hand", "load": load})
    run = manifest()
    run.scenario, run.scenario_digest = scenario.model_dump(mode="json"), scenario.digest()
    write_manifest(place, run)
    records = [*step_records(0, 600, 0.4), *step_records(1, 900, 7.0)]
    (place / "records-1.jsonl").write_text("".join(json.dumps(r.to_dict()) + "\n" for r in records))
    steps = [
        {
            "step": step,
            "load": {"kind": "closed", "users": users},
            "start_s": step * STEP_S,
            "window_start_s": step * STEP_S + WARMUP_S,
            "end_s": (step + 1) * STEP_S,
        }
        for step, users in enumerate((8, 16))
    ]
    (place / "steps.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
    return place


def reported(run_dir: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "harness", "report", str(run_dir), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 3}, done.stderr
    decision: dict[str, Any] = json.loads((run_dir / "decision.json").read_text())
    return decision


def test_a_run_is_priced_for_the_support_agent_against_every_arm(run_dir: Path) -> None:
    demand = bundled_scenarios_dir() / "demand" / "support-agent.yaml"

    got = reported(run_dir, "--demand", str(demand), "--api", "openai:gpt-4.1", "--api", "anthropic:claude-sonnet-4-6")

    # AN-24: the busier step fails its limits and does not count
    assert got["self_host"]["goodput"]["step"] == 0
    assert got["self_host"]["goodput"]["requests_per_s"] == pytest.approx(0.6, rel=0.01)
    assert [arm["role"] for arm in got["arms"]] == ["user", "user", "frontier", "same_weights"]
    sonnet = got["arms"][1]
    assert sonnet["decision"]["at_volume"]["self_usd"] == pytest.approx(12807.226666666667)
    assert sonnet["decision"]["at_volume"]["api_usd"] == pytest.approx(2460)
    assert sonnet["sentence"].startswith("At your 400,000 tasks a month self-hosting costs USD 12,807 (8,667 of it an")
    # 8,666.67 of people, spread over full boxes: at 0.6 requests/s that are AN-09's windows
    windows = sonnet["decision"]["winning_windows"]
    assert windows[0][0] == pytest.approx(2755737.67, rel=1e-6)
    assert windows[-1] == [pytest.approx(3428999.458, rel=1e-6), None]
    assert not [check for check in got["checks"] if check["level"] == "error"]
    assert (run_dir / "focus.csv").read_text().startswith("ProviderName,PublisherName,ServiceCategory")


def test_a_demand_of_another_shape_is_refused_in_words(run_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("{name: long, tasks_per_month: 1000, classes: [{input_tokens: 3000, output_tokens: 250}]}")

    got = reported(run_dir, "--demand", str(path))

    assert [check["code"] for check in got["checks"] if check["level"] == "error"] == ["demand_shape_differs"]


def test_runs_of_two_shapes_on_one_box_measure_what_an_output_token_weighs(run_dir: Path, tmp_path: Path) -> None:
    # busiest steps: 0.9/s of 800/250 is 720 in, 225 out a second; with 1/1440 s an input and 1/450 s an output token
    # that is 0.5 + 0.5 of each second; 200/250 then fits 1/(200/1440 + 250/450) = 1.44/s; weight 1440/450 = 3.2
    one, two = tmp_path / "one", tmp_path / "two"
    shutil.copytree(run_dir, one)
    shutil.copytree(run_dir, two)
    for made in [*one.glob("*.parquet"), *two.glob("*.parquet"), *two.glob("metrics.json")]:
        made.unlink()
    for place, tokens, rate in ((one, 800, 900), (two, 200, 1440)):
        rows = [row.to_dict() | {"prompt_tokens": tokens} for row in step_records(1, rate, 0.4)]
        (place / "records-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    reported(two)

    command = [sys.executable, "-m", "harness", "report", str(one), str(two), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    for analysis in json.loads(done.stdout):
        weight = analysis["decision"]["self_host"]["splits"]["measured_weight"]
        assert weight["runs"] == 2
        assert weight["output_weight"] == pytest.approx(3.2, rel=0.02)
