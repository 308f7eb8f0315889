"""`breakeven report` on a run directory as a killed run leaves it: JSON lines, nothing analysed."""

import json
import shutil
from pathlib import Path

import pytest
from report_cases import case

from harness.cli import invoke
from harness.pipeline.analyse import read_analysis
from harness.rundir import files
from harness.rundir.decision import Decision
from harness.rundir.records import RequestRecord


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """One step of 2 users for 100 s: 200 requests of 800 in and 250 out, one finished every half second.

    Each is sent at i/2 s, has its first token 0.2 s later and ends 1 s after it was sent.
    """
    place = tmp_path / "20261120T091403Z-chat-vllm-g5.12xlarge"
    place.mkdir()
    run = case("two_windows").run
    run.instance["usd_per_hour"] = None
    run.scenario["load"].update(users=[2], step_s=100.0, warmup_s=0.0)
    run.arms = []
    files.write_manifest(place, run)
    step = {"step": 0, "load": {"kind": "closed", "users": 2}, "start_s": 0.0, "window_start_s": 0.0, "end_s": 100.0}
    (place / "steps.jsonl").write_text(json.dumps(step) + "\n")
    rows = [
        RequestRecord(
            request_id=f"r{i}",
            step=0,
            scheduled_s=i / 2,
            sent_s=i / 2,
            first_token_s=i / 2 + 0.2,
            finished_s=i / 2 + 1.0,
            prompt_tokens=800,
            output_tokens=250,
            requested_output_tokens=250,
            token_source="server",
            events=250,
            clock="kernel",
            http_status=200,
            finish_reason="length",
        ).to_dict()
        for i in range(200)
    ]
    (place / "records-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def test_a_run_that_was_never_analysed_is_reported(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(["report", str(run_dir)])

    said = capsys.readouterr().out
    assert code == 0
    assert {"metrics.json", "decision.json", "report.html", "report.md"} <= {p.name for p in run_dir.iterdir()}
    # requests 0 to 198 whole and half of 199 in 100 s: 2.00 req/s of the only load; the first token comes after 0.2 s
    assert "goodput at least 2.00 req/s" in said
    assert "TTFT p50 200 ms, p95 200 ms" in " ".join(said.split())
    assert "anthropic:claude-sonnet-5-5 (frontier API)" in said
    assert max(len(line) for line in said.splitlines()) <= 100
    assert said.replace("\n", "").endswith(f"report: {run_dir}/report.html")


def test_other_apis_and_another_demand_can_be_priced(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demand = tmp_path / "demand.yaml"
    demand.write_text(
        "name: mine\ntasks_per_month: 1000000\nclasses: [{name: chat, input_tokens: 800, output_tokens: 250}]\n"
    )

    invoke(["report", str(run_dir), "--api", "openai:gpt-4.1", "--demand", str(demand), "--json"])

    (said,) = json.loads(capsys.readouterr().out)
    arms = {arm["name"]: arm for arm in said["decision"]["arms"]}
    assert "openai:gpt-4.1" in arms
    # 800 at 2 and 250 at 8 USD per Mtok: 0.0036 a task
    assert arms["openai:gpt-4.1"]["decision"]["at_volume"]["api_usd"] == pytest.approx(3600)


def test_without_options_the_runs_own_apis_are_priced(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.write_json(run_dir, "run.json", {**files.read_json(run_dir, "run.json"), "arms": ["openai:gpt-4.1"]})

    invoke(["report", str(run_dir), "--json"])

    (said,) = json.loads(capsys.readouterr().out)
    assert said["decision"]["arms"][0]["name"] == "openai:gpt-4.1"
    assert said["decision"]["self_host"]["instance"]["usd_per_hour"] == 5.672


def test_the_same_run_reported_twice_says_the_same(run_dir: Path) -> None:
    invoke(["report", str(run_dir)])
    before = {p.name: p.read_bytes() for p in run_dir.glob("*.*") if p.suffix in {".json", ".md", ".html"}}

    invoke(["report", str(run_dir)])

    assert {p.name: p.read_bytes() for p in run_dir.glob("*.*") if p.suffix in {".json", ".md", ".html"}} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such run directory: nowhere"),
        (["RUN", "--api", "openai:gpt-4.1-minni"], "gpt-4.1-minni"),
        (["RUN", "--demand", "no-such.yaml"], "no-such.yaml"),
        (["RUN", "--prices", "no-such.yaml"], "no-such.yaml"),
    ],
)
def test_bad_input_is_one_line_and_ends_with_2(
    run_dir: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code = invoke(["report", *[str(run_dir) if a == "RUN" else a for a in arguments]])

    said = capsys.readouterr().err.splitlines()
    assert code == 2
    assert said[0].startswith("error: ")
    assert message in said[0]


def test_compare_counts_again_where_figures_were_edited(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(["report", str(run_dir)])
    honest = json.loads((run_dir / "metrics.json").read_text())["goodput"]["requests_per_s"]
    edited = tmp_path / "edited"
    shutil.copytree(run_dir, edited)
    for name, keys in (("metrics.json", ["goodput"]), ("decision.json", ["self_host", "goodput"])):
        data = json.loads((edited / name).read_text())
        place = data
        for key in keys:
            place = place[key]
        place.update(requests_per_s=99.0, low=98.0, high=100.0)
        (edited / name).write_text(json.dumps(data))
    (run_dir / "metrics.json").write_text("{}")
    capsys.readouterr()

    invoke(["compare", str(run_dir), str(edited), "--json"])

    assert [run["goodput"] for run in json.loads(capsys.readouterr().out)["runs"]] == [honest, honest]


def test_a_decision_and_its_goodput_are_of_one_analysis(run_dir: Path) -> None:
    invoke(["report", str(run_dir)])
    data = files.read_json(run_dir, "decision.json")
    data["self_host"]["goodput"] |= {"requests_per_s": 99.0, "low": 98.0, "high": 100.0}  # an older one's
    files.write_json(run_dir, "decision.json", data)

    read = read_analysis(run_dir)

    assert read.decision == Decision.model_validate(data)
    assert read.metrics.goodput is not None
    assert read.metrics.goodput.requests_per_s == pytest.approx(1.995)
