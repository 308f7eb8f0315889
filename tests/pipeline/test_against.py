"""A task run set against runs of APIs with the same tasks, from run directories that were written by hand."""

import json
from pathlib import Path

import pytest
from judged_runs import G5, api_run, plan_of, write_task_run

from harness.base.errors import UsageError
from harness.cli import invoke
from harness.pipeline.analyse import analyse_run
from harness.rundir.decision import Arm, Decision

LUNA, SONNET = "openai:gpt-6-luna", "anthropic:claude-sonnet-5-5"
OWN = plan_of(solved=100, later=20, never=80)  # 120 of 200 solved, 100 + 40 + 240 = 380 attempts
THEIRS = {task: "+" if i < 180 else "---" for i, task in enumerate(OWN)}  # 180, 180 + 60 = 240 attempts


def demand(path: Path, **changes: object) -> Path:
    classes = [{"name": "t", "input_tokens": 800, "output_tokens": 250}]
    path.write_text(json.dumps({"name": "mine", "tasks_per_month": 400_000, "classes": classes} | changes))
    return path


def own_run(where: Path, **changes: object) -> Path:
    return write_task_run(where, OWN, tokens=(800, 250), seconds=0.5, **({"instance": G5} | changes))


def luna(decision: Decision | None) -> Arm:
    assert decision is not None
    return next(arm for arm in decision.arms if arm.name == LUNA)


def test_each_side_has_its_own_success_attempts_tokens_and_times(tmp_path: Path) -> None:
    own, api = own_run(tmp_path / "own"), api_run(tmp_path / "api", THEIRS, LUNA, tokens=(880, 300), seconds=2.0)

    found = analyse_run(own, demand_file=demand(tmp_path / "d.yaml"), against=[api])
    arm = luna(found.decision)

    mine, its = arm.success.self_tries, arm.success.api_tries
    assert mine is not None
    assert its is not None
    assert (mine.solved_share, mine.attempts_per_task, mine.kind, mine.source) == (0.6, 1.9, "measured", "this run")
    assert (its.solved_share, its.attempts_per_task, its.kind, its.source) == (0.9, 1.2, "measured", "api")
    assert (its.input_tokens_per_task, its.output_tokens_per_task) == (880 * 1.2, 300 * 1.2)
    assert its.latency_s is not None
    assert (its.latency_s.p50, its.latency_s.mean) == (pytest.approx(2.0), pytest.approx(2.4))
    assert arm.success.tokenizer_ratio == pytest.approx(1.1)
    assert arm.success.difference is not None
    # 80 never solved here, of which 20 there neither; the API solved the first 180: 100 + 20 + 60
    assert (arm.success.difference.both, arm.success.difference.only_api) == (120, 60)
    assert (arm.success.difference.only_self_host, arm.success.difference.neither) == (0, 20)


def test_an_apis_price_of_a_task_is_that_of_its_own_tokens(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    row = {"provider": "openai", "model": "gpt-6-luna", "input_usd_per_mtok": 1, "output_usd_per_mtok": 5}
    prices.write_text(json.dumps({"api": [row]}))
    own, api = own_run(tmp_path / "own"), api_run(tmp_path / "api", THEIRS, LUNA, tokens=(880, 300))

    arm = luna(analyse_run(own, demand_file=demand(tmp_path / "d.yaml"), prices_file=prices, against=[api]).decision)

    # 1.2 x (880 x 1 + 300 x 5)/1M a task, over 0.9 for a solved one
    assert arm.success.api.usd_per_task == pytest.approx(1.2 * 2380 / 1e6)
    assert arm.success.api.usd_per_solved_task == pytest.approx(1.2 * 2380 / 1e6 / 0.9)
    assert arm.decision.api_usd_per_task == pytest.approx(1.2 * 2380 / 1e6 / 0.9)
    assert arm.success.api_tries is not None
    # 60 attempts of the 20 that it never solved
    assert arm.success.api_tries.failed_usd_per_task == pytest.approx(60 * 2380 / 1e6 / 200)


def test_a_persons_price_is_the_scenarios_where_the_demand_has_none(tmp_path: Path) -> None:
    own = own_run(tmp_path / "own", prompts={"human_usd_per_task": 0.05})
    api = api_run(tmp_path / "api", THEIRS, LUNA)

    found = luna(analyse_run(own, demand_file=demand(tmp_path / "d.yaml"), against=[api]).decision)
    said = luna(
        analyse_run(own, demand_file=demand(tmp_path / "e.yaml", human_usd_per_task=2.0), against=[api]).decision
    )

    assert (found.success.human_usd_per_task, said.success.human_usd_per_task) == (0.05, 2.0)
    assert found.decision.at_volume is not None
    assert found.success.self_host is not None
    # 0.4 x 0.05 of 400,000 tasks beside the boxes: as in the cost of a task
    assert found.success.self_host.people_usd_per_task == pytest.approx(0.02)
    assert found.decision.at_volume.self_usd_per_task == pytest.approx(found.success.self_host.usd_per_task)


def test_without_a_run_of_an_api_its_success_is_assumed_and_labelled(tmp_path: Path) -> None:
    arm = luna(analyse_run(own_run(tmp_path / "own"), apis=[LUNA], demand_file=demand(tmp_path / "d.yaml")).decision)

    assert arm.success.api_tries is not None
    assert arm.success.api_tries.kind == "assumed"
    assert arm.success.difference is None
    report = (tmp_path / "own" / "report.md").read_text()
    assert "assumed: the same as the box's" in report
    assert "is no measurement" in report


def test_the_report_says_what_a_failure_may_cost_and_how_sure_the_difference_is(tmp_path: Path) -> None:
    own, api = own_run(tmp_path / "own"), api_run(tmp_path / "api", THEIRS, SONNET, tokens=(880, 300))

    analyse_run(own, demand_file=demand(tmp_path / "d.yaml", tasks_per_month=1_000_000), against=[api])

    report = (own / "report.md").read_text()
    assert "the API is worth it if a failure costs more than USD" in report
    assert "solves 30 % more of the tasks than the box (23.5 % to 36.4 %), more than chance" in report
    assert "McNemar's exact test" in report


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plan": {**THEIRS, "other": "+"}}, "1 only in api (other)"),
        ({"plan": dict.fromkeys(list(THEIRS)[5:], "+")}, "5 only in own (t000, t001, t002, ...)"),
        ({"tasks_digest": "b"}, "same names and other contents"),
        ({"prompts": {"output_tokens": 99}}, "`prompts.output_tokens` is 256 here and 99 there"),
        ({"prompts": {"checker": {"kind": "json"}}}, "`prompts.checker` is"),
        ({"driven": None}, "drove no API"),
    ],
)
def test_runs_that_do_not_go_together_end_in_one_line_that_names_the_difference(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    own = own_run(tmp_path / "own", tasks_digest="a")
    plan = change.pop("plan", THEIRS)
    api = api_run(tmp_path / "api", plan, LUNA)  # type: ignore[arg-type]
    if change:
        run = json.loads((api / "run.json").read_text())
        run["scenario"]["prompts"] |= change.pop("prompts", {})  # type: ignore[call-overload]
        (api / "run.json").write_text(json.dumps({**run, "tasks_digest": "a", **change}))

    with pytest.raises(UsageError, match=r".") as caught:
        analyse_run(own, against=[api])

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_that_its_limit_cut_is_named_as_such(tmp_path: Path) -> None:
    own = own_run(tmp_path / "own")
    api = api_run(tmp_path / "api", dict.fromkeys(list(OWN)[:50], "+"), LUNA, partial=True)

    with pytest.raises(UsageError) as caught:
        analyse_run(own, against=[api])

    assert "150 only in own" in str(caught.value)
    assert caught.value.hint == "api was cut short: run it again to its end"


def test_two_runs_of_one_api_are_one_too_many(tmp_path: Path) -> None:
    own = own_run(tmp_path / "own")
    apis = [api_run(tmp_path / name, THEIRS, LUNA) for name in ("a", "b")]

    with pytest.raises(UsageError, match="both drove openai:gpt-6-luna"):
        analyse_run(own, against=apis)


def test_a_box_without_a_price_has_nothing_to_set_against_an_api(tmp_path: Path) -> None:
    own, api = own_run(tmp_path / "own", instance={}), api_run(tmp_path / "api", THEIRS, LUNA)

    with pytest.raises(UsageError, match="names no instance"):
        analyse_run(own, against=[api])


def test_an_api_run_that_is_not_to_be_trusted_makes_the_decision_so(tmp_path: Path) -> None:
    plan = {task: "?" if i < 50 else words for i, (task, words) in enumerate(THEIRS.items())}
    own, api = own_run(tmp_path / "own"), api_run(tmp_path / "api", plan, LUNA)

    found = analyse_run(own, demand_file=demand(tmp_path / "d.yaml"), against=[api])

    assert found.decision is not None
    (check,) = (one for one in found.decision.checks if one.code == "tasks_not_judged")
    assert check.level == "error"
    assert check.message.startswith("api: 50 of 200 tasks were not judged")
    assert found.exit_code == 3


def test_another_policy_is_said_and_priced_as_it_was(tmp_path: Path) -> None:
    own = own_run(tmp_path / "own")
    api = api_run(tmp_path / "api", dict.fromkeys(OWN, "+"), LUNA, prompts={"on_failure": []})

    found = analyse_run(own, demand_file=demand(tmp_path / "d.yaml"), against=[api])

    assert found.decision is not None
    (check,) = (one for one in found.decision.checks if one.code == "other_retries")
    assert "followed by nothing there and by again, again here" in check.message


def test_an_apis_own_report_says_what_it_took_for_a_solved_task(tmp_path: Path) -> None:
    # 0.1 USD by its own usage, 180 solved
    api = api_run(tmp_path / "api", THEIRS, LUNA)

    analyse_run(api)

    said = "openai:gpt-6-luna took USD 0.1 by its own usage: USD 0.0005556 a successful task."
    assert said in (api / "report.md").read_text()


def test_the_command_line_sets_them_side_by_side_and_a_run_that_is_none_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, api = own_run(tmp_path / "own"), api_run(tmp_path / "api", THEIRS, LUNA)
    asked = demand(tmp_path / "d.yaml")

    assert invoke(["report", str(own), "--against", str(api), "--demand", str(asked), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    arms = {arm["name"]: arm["success"]["api_tries"]["kind"] for arm in said["decision"]["arms"]}
    assert (arms[LUNA], arms[SONNET]) == ("measured", "assumed")

    other = own_run(tmp_path / "other")
    (other / "run.json").write_text((other / "run.json").read_text().replace('"seed": 0', '"seed": 1'))
    assert invoke(["report", str(own), "--against", str(other)]) == 2
    assert "drove no API" in capsys.readouterr().err
