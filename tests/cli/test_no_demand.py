"""Runs that nobody gave a demand: one rule for all, whatever their tokens are, and how it is changed."""

import json
from pathlib import Path
from typing import Any

import pytest
from report_cases import case

from harness.base.yamlfile import validate
from harness.cli import invoke
from harness.cli.options import BUNDLED_DEMANDS
from harness.demand.demand import Demand, load_demand
from harness.pipeline.analyse import analyse_run
from harness.rundir import files
from harness.rundir.decision import Decision
from harness.rundir.manifest import RunManifest
from harness.rundir.records import RequestRecord
from harness.scenario import bundled_scenarios_dir

DEFAULT = {"kind": "fte", "arm": "self_host", "name": "people", "fraction": 0.5, "loaded_usd_per_year": 208_000}
SMALL = {"name": "mine", "tasks_per_month": 1000, "classes": [{"input_tokens": 800, "output_tokens": 250}]}


def run_in(place: Path, tokens: tuple[int, int] = (800, 250), error: str | None = None, **more: Any) -> Path:
    """One step of 2 users for 100 s: 200 requests, one finished every half second, or all failed."""
    place.mkdir()
    run = case("two_windows").run
    run.instance["usd_per_hour"] = 5.672
    run.scenario["load"].update(users=[2], step_s=100.0, warmup_s=0.0)
    run.arms = []
    files.write_manifest(place, validate(RunManifest, run.to_dict() | more, where="run.json"))
    step = {"step": 0, "load": {"kind": "closed", "users": 2}, "start_s": 0.0, "window_start_s": 0.0, "end_s": 100.0}
    (place / "steps.jsonl").write_text(json.dumps(step) + "\n")
    rows = [
        RequestRecord(
            request_id=f"r{i}",
            step=0,
            scheduled_s=i / 2,
            sent_s=i / 2,
            first_token_s=None if error else i / 2 + 0.2,
            finished_s=i / 2 + 1.0,
            prompt_tokens=tokens[0],
            output_tokens=0 if error else tokens[1],
            requested_output_tokens=tokens[1],
            token_source="server",
            error=error,
        ).to_dict()
        for i in range(200)
    ]
    (place / "records-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def priced(run_dir: Path, *options: str) -> Decision:
    assert invoke(["report", str(run_dir), *options]) in {0, 3}
    return Decision.model_validate_json((run_dir / "decision.json").read_text())


@pytest.mark.parametrize("tokens", [(800, 250), (790, 251), (50, 20), (6000, 1)], ids=str)
@pytest.mark.parametrize("error", [None, "http_500"])
def test_without_a_demand_a_runs_own_requests_are_priced_with_no_volume_and_half_an_engineer(
    tmp_path: Path, tokens: tuple[int, int], error: str | None
) -> None:
    got = analyse_run(run_in(tmp_path / "run", tokens, error)).decision

    assert got is not None
    assert got.tasks_per_month is None
    assert not got.is_asked
    (shape,) = got.arms[0].input.workload.classes
    assert (shape.input_tokens, shape.output_tokens) == tokens
    (item,) = got.demand["items"]
    assert item.items() >= DEFAULT.items()
    assert item["assumed"]
    assert got.people is not None
    assert (got.people.fte, got.people.assumed) == (0.5, True)
    assert {arm.input.self_host.fixed_usd_per_month for arm in got.arms} == {208_000 / 24}


def test_the_same_box_wins_from_the_same_volume_at_tokens_like_and_unlike_the_support_agents(tmp_path: Path) -> None:
    """5.672 USD/h and 2 requests/s; a task of 800 and 250 takes 0.00615 at 3 and 15 USD per Mtok, of 900 0.00645."""
    wins_from = []
    for name, tokens in (("like", (800, 250)), ("unlike", (900, 250))):
        arm = analyse_run(run_in(tmp_path / name, tokens), apis=["anthropic:claude-sonnet-4-6"]).decision.arms[0]
        wins_from.append(arm.decision.first_win_tasks_per_month)

    # 4,140.56 of the box and 8,666.67 of people, and 2 boxes of 5.2M tasks each are not full before that
    assert wins_from == pytest.approx([12807.2266667 / 0.00615, 12807.2266667 / 0.00645], rel=1e-6)


@pytest.mark.parametrize(
    ("options", "fte", "usd", "assumed"),
    [
        ([], 0.5, 208_000 / 24, True),
        (["--people", "2"], 2, 208_000 / 6, False),
        (["--people", "0"], 0, 0, False),
        (["--people", "0.25", "--fte-usd-per-year", "96000"], 0.25, 2000, False),
        (["--fte-usd-per-year", "96000"], 0.5, 4000, True),
    ],
    ids=str,
)
def test_people_are_changed_or_struck_on_the_command_line(
    tmp_path: Path, options: list[str], fte: float, usd: float, assumed: bool
) -> None:
    got = priced(run_in(tmp_path / "run"), *options)

    assert got.people is not None
    assert (got.people.fte, got.people.assumed) == (fte, assumed)
    assert got.people.usd_per_month == pytest.approx(usd)
    assert got.arms[0].input.self_host.fixed_usd_per_month == pytest.approx(usd)


def test_what_the_run_was_told_of_people_holds_until_something_else_is_said(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", people={"fte": 0.25, "usd_per_year": 96_000})

    assert priced(run).people.usd_per_month == pytest.approx(2000)
    assert priced(run, "--people", "1").people.usd_per_month == pytest.approx(8000)
    assert priced(run).people.usd_per_month == pytest.approx(2000)


def test_a_demand_is_taken_as_it_is_and_none_of_it_where_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(SMALL))
    run = run_in(tmp_path / "run", demand=SMALL)

    given, none = priced(run), priced(run, "--demand", "none", "--people", "1")

    assert (given.tasks_per_month, given.people.usd_per_month, given.is_asked) == (1000, 0, True)
    assert (none.tasks_per_month, none.people.fte, none.is_asked) == (None, 1, False)
    assert priced(run_in(tmp_path / "other"), "--demand", str(path)).people.usd_per_month == 0
    assert priced(run_in(tmp_path / "told", people={"fte": 3, "usd_per_year": None}), "--demand", str(path)) == given


def test_the_report_says_who_gave_the_numbers(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", (900, 250))

    assumed, told = (
        {fact.what: (fact.kind, fact.source) for fact in got.provenance}
        for got in (priced(run), priced(run, "--people", "2"))
    )

    assert assumed["mean input"] == ("measured", "this run's own requests: no demand was given")
    assert assumed["people: an assumed half engineer"] == ("assumed", "default")
    paid = "people: 2 engineers at an assumed USD 208,000 a year"
    assert told[paid] == ("assumed", "the command line; their pay is the default")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--demand", "support-agent", "--people", "1"], "go with no demand, and --demand support-agent is one"),
        (["--fte-usd-per-year", "1"], "RUN was given mine"),
        (["--demand", "none", "--people", "nan"], "must be from 0 to"),
        (["--demand", "none", "--people", "-1"], "must be from 0 to"),
    ],
    ids=str,
)
def test_people_beside_a_demand_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    run = run_in(tmp_path / "run", demand=SMALL)

    assert invoke(["report", str(run), *options]) == 2
    assert said.replace("RUN", str(run)) in capsys.readouterr().err.splitlines()[0]


def test_the_run_itself_refuses_people_beside_a_demand_before_anything_is_sent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["run", "quickstart", "--url", "http://127.0.0.1:9", "--demand", "support-agent", "--people", "1"]

    assert invoke(command) == 2
    assert "--demand support-agent is one" in capsys.readouterr().err.splitlines()[0]


def test_runs_are_compared_for_what_each_was_reported_for_or_all_for_one_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """5.672 USD/h are 4,140.56 a month, half an engineer 8,666.67; 0.00615 USD a task at claude-sonnet-5-5's 3 and 15.

    A box serves 2 requests/s, 5.26M tasks a month, so that no second one is needed before it pays.
    """
    runs = [str(run_in(tmp_path / name)) for name in ("one", "two")]
    for run in runs:
        invoke(["report", run])
    written = {path: path.read_bytes() for run in runs for path in Path(run).glob("*.*")}

    said = {}
    for option in ([], ["--people", "0"], ["--demand", "support-agent"]):
        capsys.readouterr()
        assert invoke(["compare", *runs, *option, "--out", str(tmp_path / "out")]) in {0, 3}
        said[" ".join(option)] = (tmp_path / "out" / "comparison.md").read_text()

    assert "no monthly volume was given" in said[""]
    assert "no monthly volume was given" in said["--people 0"]
    assert "at 400,000 tasks a month" in said["--demand support-agent"]
    assert wins(said[""]) != wins(said["--people 0"])
    assert wins(said[""]) == wins(said["--demand support-agent"])
    assert {path: path.read_bytes() for path in written} == written


def wins(page: str) -> list[str]:
    """The rows of "what each box costs", from the first API on."""
    table = page.split("from how many tasks a month")[1].split("\n\n")[1]
    return [line.split(" | ")[3:] for line in table.splitlines()[2:]]


def test_the_help_names_every_demand_that_comes_with_breakeven(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(path.stem for path in (bundled_scenarios_dir() / "demand").glob("*.yaml")) == list(BUNDLED_DEMANDS)
    for name in BUNDLED_DEMANDS:
        assert load_demand(Path(name)).name == name


@pytest.mark.parametrize(
    ("tokens", "demand", "said"),
    [
        (
            (50, 20),
            "support-agent",
            "input 50 tokens where the demand has 800; output 20 tokens where the demand has 250",
        ),
        ((800, 20), "support-agent", "output 20 tokens where the demand has 250"),
        ((800, 250), "support-agent", None),
        ((50, 20), "none", None),
    ],
    ids=str,
)
def test_a_dry_run_says_of_a_demand_of_other_lengths_that_it_is_not_to_be_decided_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tokens: tuple[int, int], demand: str, said: str | None
) -> None:
    path = tmp_path / "s.yaml"
    prompts = f"{{kind: synthetic, input_tokens: {tokens[0]}, output_tokens: {tokens[1]}}}"
    path.write_text(f"name: s\nload: {{kind: closed, users: [1], step_s: 60}}\nprompts: {prompts}\n")

    assert invoke(["run", str(path), "--url", "http://127.0.0.1:9", "--demand", demand, "--dry-run", "--json"]) == 0

    notes = [note for note in json.loads(capsys.readouterr().out)["notes"] if "not to be decided on" in note]
    assert [note.split("decided on: ")[1] for note in notes] == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("options", "named", "source"),
    [
        ([], "an assumed half engineer", "default"),
        (["--people", "0.3"], "0.3 of an engineer at an assumed USD 208,000 a year", "the command line; their pay is"),
        (["--fte-usd-per-year", "90000"], "an assumed half engineer", "the command line; how many is the default"),
        (["--people", "2", "--fte-usd-per-year", "90000"], "2 engineers", "the command line"),
    ],
)
def test_of_people_and_their_pay_the_report_says_which_one_is_assumed(
    tmp_path: Path, options: list[str], named: str, source: str
) -> None:
    run = run_in(tmp_path / "run")
    got = priced(run, *options)

    assert {arm.sentence.count(f"({named}, USD ") for arm in got.arms if "without the people" in arm.sentence} == {1}
    (fact,) = [fact for fact in got.provenance if fact.what == f"people: {named}"]
    assert fact.source.startswith(source)
    assert f"- people for the box: {named}, USD " in (run / "report.md").read_text()


def test_a_demands_people_whose_pay_it_leaves_out_are_said_to_be_paid_what_is_assumed(tmp_path: Path) -> None:
    """Half of 208,000 a year are 8,667 a month; kept in run.json, the demand still has not said it."""
    file = tmp_path / "mine.json"
    said = {"name": "ops", "kind": "fte", "arm": "self_host", "fraction": 0.5}
    kept = load_demand_of(file, said).to_dict()
    run = run_in(tmp_path / "run", demand=kept)

    for one in (priced(run), priced(run, "--demand", str(file))):
        said_of = [arm.sentence for arm in one.arms if arm.decided]
        assert said_of
        assert all("half an engineer at an assumed USD 208,000 a year" in sentence for sentence in said_of)
    load_demand_of(file, said | {"loaded_usd_per_year": 208_000})
    assert not any("an assumed USD" in arm.sentence for arm in priced(run, "--demand", str(file)).arms)


def load_demand_of(file: Path, item: dict[str, Any]) -> Demand:
    file.write_text(json.dumps(SMALL | {"items": [item]}))
    return load_demand(file)
