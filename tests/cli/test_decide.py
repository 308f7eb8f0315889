"""`breakeven decide --demand`: a report without a run."""

import json
from pathlib import Path

import pytest

from harness.cli import invoke
from harness.rundir.decision import Decision

GIVEN = ["decide", "--demand", "support-agent", "--instance", "g5.12xlarge", "--goodput", "0.6"]


def test_a_demand_is_priced_without_a_run_and_the_report_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke([*GIVEN, "--out", str(tmp_path)]) == 0

    (directory,) = tmp_path.iterdir()
    assert directory.name.endswith("-decide-support_agent-g5.12xlarge")
    assert {path.name for path in directory.iterdir()} == {"decision.json", "focus.csv", "report.html", "report.md"}
    page = (directory / "report.md").read_text()
    assert "Given beside needed" in page
    assert "Nothing was measured" in page
    assert "Throughput and latency against load" not in page
    said = capsys.readouterr().out
    assert "priced without a run" in said
    assert "the goodput was not measured but given: 0.6 requests/s" in said
    verdict = said.split("\n\n")[1].splitlines()
    assert verdict == [line.rstrip() for line in verdict]


def test_json_is_the_decision_that_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([*GIVEN, "--json", "--out", str(tmp_path)]) == 0

    (directory,) = tmp_path.iterdir()
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads((directory / "decision.json").read_text())
    assert Decision.model_validate(said).self_host.given == "0.6 requests/s"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["decide"], "nothing to decide on"),
        ([*GIVEN, "input.yaml"], "INPUT and --demand exclude each other"),
        (["decide", "input.yaml", "--goodput", "1"], "--goodput goes with --demand"),
        ([*GIVEN, "--sensitivity"], "--sensitivity goes with an input file"),
        (["decide", "--demand", "support-agent", "--goodput", "1"], "no instance and no price per hour"),
        (["decide", "--demand", "support-agent", "--usd-per-hour", "1"], "no rate of the box is given"),
        ([*GIVEN, "--high", "inf"], "--high must be a finite number, got inf"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke([*arguments, "--out", str(tmp_path)]) == 2

    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_decision_without_a_run_among_runs_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke([*GIVEN, "--out", str(tmp_path)])
    (directory,) = tmp_path.iterdir()

    assert invoke(["report", str(directory)]) == 2

    assert f"error: {directory} is a decision on a goodput that was given, no run\n" in capsys.readouterr().err


def test_a_query_that_is_right_at_once_is_set_against_four_cheap_ones_and_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = Path(__file__).parents[2] / "examples" / "right-at-once.yaml"

    command = ["decide", "--demand", str(example), "--goodput", "1", "--usd-per-hour", "1", "--out", str(tmp_path)]
    assert invoke([*command, "--json"]) in (0, 3)

    decision = json.loads(capsys.readouterr().out)
    costs = {arm["name"]: arm["success"]["api"]["usd_per_task"] for arm in decision["arms"]}
    # 0.10, and 4 x 0.005 + 5.00
    assert costs["anthropic:claude-sonnet-5-5"] == pytest.approx(0.10)
    assert costs["openai:gpt-6-luna"] == pytest.approx(5.02)
    (report,) = tmp_path.glob("*/report.md")
    dearer = "| nothing | openai:gpt-6-luna |\n| more than USD 0.0800 | anthropic:claude-sonnet-5-5 |"
    assert dearer in report.read_text()
