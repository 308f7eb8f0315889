"""Each side with its own attempts and success: worked by hand on a box of 730 USD a month.

A box of 1 USD/h at 2 requests/s serves K = 5,256,000 calls a month; 100 + 20 tokens at 10/50 USD per Mtok are 0.002
USD a call.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.base.shares import Paired
from harness.cost.box.given import GivenRate
from harness.cost.breakeven.vector import case_of, evaluate
from harness.cost.solved import indifference
from harness.cost.tries import SAME, ApiTasks, Both, Tries
from harness.cost.verdict import build_decision, decide_on_given
from harness.cost.whatif.tried import as_tried
from harness.demand.demand import Demand, demand_from_dict
from harness.rundir.decision import Arm, Decision
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import LoadOfStep, Summary
from harness.rundir.of_tasks import Escalated, FailedAttempts, Judging, ShareOf, TasksOfRun
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Goodput, Metrics, Step

MANIFEST: dict[str, Any] = {
    "scenario": {"name": "t"}, "scenario_digest": "0", "backend": "vllm",
    "engine": {"name": "vllm", "version": None, "flags": None}, "model": "m", "quantization": None,
    "instance": {"id": "mine", "usd_per_hour": 1.0}, "client": {}, "seed": 1, "started_at": "2026-11-20T09:14:03+00:00",
    "started_monotonic_ns": 0, "harness_version": "0", "git_revision": None,
}  # fmt: skip
PRICES = """
api:
  - {provider: house, model: dear, input_usd_per_mtok: 10, output_usd_per_mtok: 50}
  - {provider: house, model: cheap, input_usd_per_mtok: 1, output_usd_per_mtok: 5}
"""


def share(rate: float, low: float | None = None, high: float | None = None) -> ShareOf:
    return ShareOf(rate=rate, low=rate - 0.05 if low is None else low, high=rate + 0.05 if high is None else high)


def tasks(solved: float, attempts: float, tokens: tuple[float, float] = (100, 20), **more: Any) -> TasksOfRun:
    """100 tasks whose attempts all had the same tokens."""
    n = 100
    return TasksOfRun(**{
        "n": n, "judged": n, "not_judged": 0, "solved": round(solved * n), "success": share(solved),
        "own_success": share(solved), "first_attempt": share(solved), "attempts_per_task": attempts,
        "input_tokens_per_task": tokens[0] * attempts, "cached_tokens_per_task": 0.0,
        "output_tokens_per_task": tokens[1] * attempts, "first_input_tokens": tokens[0],
        "first_output_tokens": tokens[1], "failed_attempts": FailedAttempts(attempts=0), "latency_s": Summary(),
    } | more)  # fmt: skip


def metrics(of_tasks: TasksOfRun | None) -> Metrics:
    step = Step(
        step=0, load=LoadOfStep(kind="closed", users=4), window=WindowOfStep(start_s=0, end_s=100), requests=200,
        requests_per_s=2.0, input_tokens_per_s=200.0, output_tokens_per_s=40.0, slo_met=True, slo_verdict="yes",
        mean_input_tokens=100.0, mean_output_tokens=20.0, goodput_requests_per_s=2.0, goodput_low=1.9, goodput_high=2.1,
        round=1, role="attempts",
    )  # fmt: skip
    return Metrics(steps=(step,), goodput=Goodput(requests_per_s=2.0, low=1.9, high=2.1, step=0), tasks=of_tasks)


def demand(**changes: Any) -> Demand:
    classes = [{"name": "t", "input_tokens": 100, "output_tokens": 20}]
    return demand_from_dict({"name": "d", "tasks_per_month": 1_000_000, "classes": classes} | changes)


def decided(
    own: TasksOfRun | None, *against: ApiTasks, prices: Any, demand_: Demand | None = None, apis: tuple[str, ...] = ()
) -> Decision:
    manifest = RunManifest.model_validate(MANIFEST)
    return build_decision(
        manifest, metrics(own), demand_ or demand(), list(apis), prices_file=prices, against=list(against)
    )


def against(arm: str, of_tasks: TasksOfRun, paired: Paired = Paired(60, 30, 0, 10)) -> ApiTasks:  # noqa: B008
    return ApiTasks(arm, "api-run", of_tasks, Summary(n=100, p50=0.3), paired)


def arm_of(decision: Decision, name: str) -> Arm:
    return next(arm for arm in decision.arms if arm.name == name)


@pytest.fixture
def prices(tmp_path: Any) -> Any:
    path = tmp_path / "prices.yaml"
    path.write_text(PRICES)
    return path


def test_an_api_that_was_not_asked_is_assumed_to_solve_as_many_and_that_is_said(prices: Any) -> None:
    arm = arm_of(decided(tasks(0.5, 2.0), prices=prices, apis=("house:dear",)), "house:dear")

    # 2 attempts for half of the tasks: 4 calls of 0.002 for a solved one, on the box 4 calls as well
    assert arm.success.api_tries is not None
    assert (arm.success.api_tries.kind, arm.success.api_tries.solved_share) == ("assumed", 0.5)
    assert arm.success.api_tries.source == "assumed: the same as the box's"
    assert arm.decision.api_usd_per_task == pytest.approx(0.008)
    assert arm.decision.capacity_tasks_per_month == pytest.approx(5_256_000 / 4)
    assert arm.assumes is not None
    assert "A task counts once it is solved: the box is asked 4" in arm.assumes
    assert "(assumed)" in arm.assumes


def test_without_a_persons_price_solved_tasks_are_compared_each_side_with_its_own_calls(prices: Any) -> None:
    # box: 1.5/0.6 = 2.5 calls a solved task; API: 1.2/0.9 = 1.333 calls of 0.002
    found = decided(tasks(0.6, 1.5), against("house:dear", tasks(0.9, 1.2)), prices=prices)
    arm = arm_of(found, "house:dear")

    assert arm.decision.capacity_tasks_per_month == pytest.approx(5_256_000 / 2.5)
    assert arm.decision.api_usd_per_task == pytest.approx(0.002 * 1.2 / 0.9)
    assert arm.decision.at_volume is not None
    assert arm.decision.at_volume.api_usd == pytest.approx(1_000_000 * 0.002 * 1.2 / 0.9)
    assert arm.decision.at_volume.self_usd == pytest.approx(730)
    assert arm.success.api.usd_per_solved_task == pytest.approx(0.002 * 1.2 / 0.9)
    assert arm.success.self_host is not None
    assert arm.success.self_host.usd_per_solved_task == pytest.approx(730 / 1_000_000)
    assert arm.success.self_host.usd_per_task == pytest.approx(0.6 * 730 / 1_000_000)


def test_a_task_of_several_turns_is_paid_for_turn_by_turn(prices: Any) -> None:
    # three turns a task, each of 100 + 20 tokens; all are solved at once
    turns = tasks(1.0, 1.0, tokens=(300, 60), requests_per_task=3.0)
    arm = arm_of(decided(turns, against("house:dear", turns), prices=prices), "house:dear")

    assert arm.decision.capacity_tasks_per_month == pytest.approx(5_256_000 / 3)
    assert arm.decision.api_usd_per_task == pytest.approx(3 * 0.002)
    assert arm.success.api.usd_per_solved_task == pytest.approx(3 * 0.002)


def test_with_a_persons_price_every_task_gets_done_and_a_person_takes_the_rest(prices: Any) -> None:
    # C = a m + (1 - q) C_human: API 0.002 x 1.2 + 0.1 x 0.01 = 0.0034; box 730/1M + 0.4 x 0.01 = 0.00473
    found = decided(
        tasks(0.6, 1.5), against("house:dear", tasks(0.9, 1.2)), prices=prices, demand_=demand(human_usd_per_task=0.01)
    )
    arm = arm_of(found, "house:dear")
    at = arm.decision.at_volume

    assert at is not None
    assert at.api_usd == pytest.approx(1_000_000 * 0.0034)
    assert at.self_usd == pytest.approx(730 + 4_000)
    assert at.winner == "api"
    assert arm.decision.capacity_tasks_per_month == pytest.approx(5_256_000 / 1.5)
    # net of people a task is worth 0.0034 - 0.004 < 0 at the API: no volume makes up for that
    assert arm.decision.verdict == "never"
    assert "less at the API, people included" in arm.sentence
    assert (arm.success.api.usd_per_task, arm.success.api.people_usd_per_task) == pytest.approx((0.0034, 0.001))
    month = next(bill for bill in found.monthly if bill.name == "self_host")
    assert {line.line: line.usd for line in month.lines} == pytest.approx({"inference": 730, "unsolved": 4_000})


def test_a_person_who_is_cheap_leaves_the_box_its_volume(prices: Any) -> None:
    # a person at 0.001: box 0.0004 a task, API 0.0024 + 0.0001: net 0.0021 a task, from 730/0.0021 = 347,619 on
    found = decided(
        tasks(0.6, 1.5), against("house:dear", tasks(0.9, 1.2)), prices=prices, demand_=demand(human_usd_per_task=0.001)
    )
    arm = arm_of(found, "house:dear")

    assert arm.decision.verdict == "yes"
    assert arm.decision.first_win_tasks_per_month == pytest.approx(730 / 0.0021)


def test_its_own_tokens_give_the_apis_bill_and_the_tokenizers_ratio(prices: Any) -> None:
    # 110 + 30 tokens an attempt: 110 x 10 + 30 x 50 = 2,600 a million, 1.2 attempts
    found = decided(tasks(1.0, 1.0), against("house:dear", tasks(1.0, 1.2, (110, 30))), prices=prices)
    arm = arm_of(found, "house:dear")

    assert arm.success.tokenizer_ratio == pytest.approx(1.1)
    assert arm.input.api.tokenizer_ratio == pytest.approx(1.1)
    assert arm.decision.api_usd_per_task == pytest.approx(0.0026 * 1.2)
    fact = next(fact for fact in found.provenance if fact.what == "house:dear tokens of the same text")
    assert (fact.value, fact.kind, fact.source) == (pytest.approx(1.1), "measured", "api-run")


def test_errors_that_are_appended_make_later_attempts_longer_on_the_side_that_needs_them(prices: Any) -> None:
    # API: 100 tokens at first, 150 on average: 1.2 x (150 x 10 + 20 x 50)/1M
    longer = tasks(0.9, 1.2, input_tokens_per_task=150 * 1.2)
    arm = arm_of(decided(tasks(0.9, 1.2), against("house:dear", longer), prices=prices), "house:dear")

    assert arm.input.api.tokenizer_ratio == pytest.approx(1.0)
    assert arm.success.api.usd_per_task == pytest.approx(1.2 * (1500 + 1000) / 1e6)


def test_the_money_of_failed_attempts_is_theirs_by_their_tokens(prices: Any) -> None:
    # 30 failed attempts of 100 + 20 tokens at 0.002, over 100 tasks
    failed = FailedAttempts(attempts=30, input_tokens=3000, output_tokens=600)
    arm = arm_of(
        decided(tasks(0.9, 1.2), against("house:dear", tasks(0.9, 1.2, failed_attempts=failed)), prices=prices),
        "house:dear",
    )

    assert arm.success.api_tries is not None
    assert arm.success.api_tries.failed_usd_per_task == pytest.approx(30 * 0.002 / 100)


def test_an_escalation_is_the_boxs_success_at_the_dear_models_price(prices: Any) -> None:
    # 40 of 100 tasks go on, 100 + 20 tokens at 0.002: 0.0008 a task; 0.6 of its own, 0.95 with it
    gone = Escalated(
        tasks=40, solved=35, attempts=40, input_tokens_per_task=100, cached_tokens_per_task=0,
        output_tokens_per_task=20, api="house:dear",
    )  # fmt: skip
    own = tasks(0.95, 1.0, own_success=share(0.6), escalated=gone)
    free = demand(human_usd_per_task=0.0)
    arm = arm_of(decided(own, prices=prices, demand_=free, apis=("house:cheap",)), "house:cheap")

    assert arm.success.self_tries is not None
    assert arm.success.self_tries.solved_share == 0.95
    assert arm.decision.at_volume is not None
    assert arm.decision.at_volume.self_usd == pytest.approx(730 + 800)

    unpriced = tasks(0.95, 1.0, own_success=share(0.6), escalated=gone.model_copy(update={"api": None}))
    arm = arm_of(decided(unpriced, prices=prices, apis=("house:cheap",)), "house:cheap")
    assert arm.success.self_tries is not None
    assert arm.success.self_tries.solved_share == 0.6


def test_a_model_that_judges_has_a_price_that_is_in_no_sides(prices: Any) -> None:
    # 100 requests of 300 + 10 tokens at 10/50: 0.0035 each, one a task
    judging = Judging(requests=100, input_tokens=30_000, output_tokens=1_000, api="house:dear")
    found = decided(tasks(0.9, 1.0, judging=judging), prices=prices, apis=("house:cheap",))
    arm = arm_of(found, "house:cheap")

    assert arm.success.self_tries is not None
    assert arm.success.self_tries.judging_usd_per_task == pytest.approx(0.0035)
    assert arm.decision.at_volume is not None
    assert arm.decision.at_volume.self_usd == pytest.approx(730)


def test_what_an_apis_run_escalated_is_not_its_own_success(prices: Any) -> None:
    gone = Escalated(tasks=10, solved=5, attempts=10, api="house:cheap")
    its = tasks(0.95, 1.0, own_success=share(0.9), escalated=gone)
    arm = arm_of(decided(tasks(0.6, 1.0), against("house:dear", its), prices=prices), "house:dear")

    assert arm.success.api_tries is not None
    assert arm.success.api_tries.solved_share == 0.9


def test_where_nothing_was_solved_nobody_can_tell_what_a_solved_task_costs(prices: Any) -> None:
    arm = arm_of(decided(tasks(0.0, 3.0), prices=prices, apis=("house:dear",)), "house:dear")

    assert not arm.decided
    assert arm.why_not is not None
    assert "solved no task" in arm.why_not
    assert arm.success.api.usd_per_solved_task is None


def test_a_difference_within_chance_is_one_and_pairs_say_it(prices: Any) -> None:
    within = arm_of(
        decided(tasks(0.6, 1.0), against("house:dear", tasks(0.63, 1.0), Paired(55, 8, 5, 32)), prices=prices),
        "house:dear",
    ).success
    beyond = arm_of(
        decided(tasks(0.6, 1.0), against("house:dear", tasks(0.9, 1.0), Paired(60, 30, 0, 10)), prices=prices),
        "house:dear",
    ).success

    assert within.difference is not None
    assert beyond.difference is not None
    assert (within.difference.differs, beyond.difference.differs) == (False, True)
    assert within.difference.share == pytest.approx(0.03)
    # 13 coins, at most 5 of one side: 2 x (1 + 13 + 78 + 286 + 715 + 1287)/8192
    assert within.difference.chance == pytest.approx(2 * 2380 / 8192)
    assert (within.difference.low < 0 < within.difference.high, beyond.difference.low > 0) == (True, True)


def test_a_run_without_tasks_is_decided_by_the_demands_own_rate_as_before(prices: Any) -> None:
    asked = demand(retry_failure_rate=0.08, max_retries=1)
    arm = arm_of(decided(None, prices=prices, demand_=asked, apis=("house:dear",)), "house:dear")

    assert arm.decision.attempts_per_task == pytest.approx(1.08)
    assert arm.success.api_tries is None
    assert set(arm.input.api.model_dump()) == {
        "input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok", "fixed_usd_per_month",
    }  # fmt: skip


# the article: a 0.10 query that solves it against 0.005 x 4 and a person


def article(human_usd: float, prices: Any) -> Decision:
    """A dear model asked once and right, a cheap one asked four times and never right; the box is beside the point."""
    arms = {
        "house:dear": {"usd_per_request": 0.10, "attempts_per_task": 1.0, "solved_share": 1.0},
        "house:cheap": {"usd_per_request": 0.005, "attempts_per_task": 4.0, "solved_share": 0.0},
    }
    asked = demand(arms=arms, human_usd_per_task=human_usd, classes=[{"input_tokens": 0, "output_tokens": 0}])
    rate = GivenRate(2.0, None, None, None, None)
    return decide_on_given({"id": "mine", "usd_per_hour": 1.0}, rate, asked, [], prices_file=prices)


@pytest.mark.parametrize(("human_usd", "dear", "cheap"), [(5.0, 0.10, 5.02), (0.08, 0.10, 0.10), (0.01, 0.10, 0.03)])
def test_a_dear_query_that_solves_it_beats_four_cheap_ones_and_a_person(
    human_usd: float, dear: float, cheap: float, prices: Any
) -> None:  # fmt: skip
    found = article(human_usd, prices)

    costs = {arm.name: arm.success.api.usd_per_task for arm in found.arms}
    assert (costs["house:dear"], costs["house:cheap"]) == pytest.approx((dear, cheap))


def test_the_dear_one_is_worth_it_if_a_failure_costs_more_than_8_cents() -> None:
    # 0.08 dearer, all solved against none
    found = indifference((0.10, 1.0), (0.02, 0.0), None)

    assert found.human_usd_per_task == pytest.approx(0.08)
    assert found.words == "the API is worth it if a failure costs more than USD 0.0800"
    assert (found.better, found.low, found.high) == ("api", None, None)


def test_the_flip_point_has_the_ends_of_the_difference_in_success() -> None:
    # 0.03 dearer: /0.3 = 0.10, at 0.2 and 0.4: 0.15 and 0.075
    pairs = Paired(60, 30, 0, 10)
    span = pairs.difference
    assert span is not None

    found = indifference((0.05, 0.9), (0.02, 0.6), span)

    assert found.human_usd_per_task == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((0.03 / span.high, 0.03 / span.low))


def test_a_difference_that_may_be_none_leaves_the_flip_point_open_above() -> None:
    span = Paired(55, 8, 5, 32).difference

    found = indifference((0.05, 0.63), (0.02, 0.60), span)

    assert found.human_usd_per_task == pytest.approx(1.0)
    assert found.low is not None
    assert found.high is None
    assert "or more" in found.words


@pytest.mark.parametrize(
    ("api", "own", "words"),
    [
        ((0.01, 0.9), (0.02, 0.6), "the API solves more and costs no more: whatever a failure costs"),
        ((0.05, 0.6), (0.02, 0.9), "self-hosting solves more and costs no more: whatever a failure costs"),
        ((0.05, 0.6), (0.02, 0.6), "both solve the same share: the cheaper one is, at any price"),
    ],
)
def test_without_a_flip_point_the_words_say_why(
    api: tuple[float, float], own: tuple[float, float], words: str
) -> None:  # fmt: skip
    found = indifference(api, own, None)

    assert (found.human_usd_per_task, found.words) == (None, words)


def test_self_hosting_that_solves_more_is_worth_it_from_its_own_price_on() -> None:
    # box 0.05 and 0.9, API 0.02 and 0.6
    found = indifference((0.02, 0.6), (0.05, 0.9), None)

    assert found.human_usd_per_task == pytest.approx(0.1)
    assert found.words.startswith("self-hosting is worth it if a failure costs more than")


def shares_drawn(decision: Decision, name: str) -> dict[str, tuple[float, float, str]]:
    drawn = arm_of(decision, name).monte_carlo
    assert drawn is not None
    assert "retry_failure_rate" not in {one.input for one in drawn.varied}  # no one rate holds for both
    return {
        one.input: (one.low, one.high, one.range_from) for one in drawn.varied if one.input.endswith("solved_share")
    }


def test_the_shares_that_were_measured_are_drawn_in_their_intervals(prices: Any) -> None:
    alone = decided(tasks(0.5, 2.0), prices=prices, apis=("house:dear",))
    both = decided(tasks(0.6, 1.5), against("house:dear", tasks(0.9, 1.2)), prices=prices)

    assert shares_drawn(alone, "house:dear") == {"solved_share": (0.45, 0.55, "measured")}
    assert shares_drawn(both, "house:dear") == {
        "solved_share": (pytest.approx(0.55), pytest.approx(0.65), "measured"),
        "api_solved_share": (pytest.approx(0.85), pytest.approx(0.95), "measured"),
    }


@pytest.mark.parametrize("human_usd", [None, 0.5])
@pytest.mark.parametrize("name", ["solved_share", "api_solved_share"])
def test_a_drawn_share_costs_what_it_costs_where_it_was_measured(
    prices: Any, human_usd: float | None, name: str
) -> None:
    month = demand() if human_usd is None else demand(human_usd_per_task=human_usd)
    measured = {"solved_share": 0.6, "api_solved_share": 0.9}

    def run(box: float, api: float) -> tuple[Both, Arm]:
        found = decided(tasks(box, 1.5), against("house:dear", tasks(api, 1.2)), prices=prices, demand_=month)
        tries = [Tries(m, q, "measured", "run", share=share(q)) for m, q in ((1.5, box), (1.2, api))]
        return Both(*tries, human_usd), arm_of(found, "house:dear")

    both, arm = run(*measured.values())
    (spread,) = (spread for spread in as_tried([], both) if spread.knob.name == name)
    turned = evaluate(spread.knob.set(case_of(arm.input, 1_000_000), 0.5))

    _, other = run(*(measured | {name: 0.5}).values())
    at = other.decision.at_volume
    assert at is not None
    assert (turned.self_usd, turned.api_usd) == pytest.approx((at.self_usd, at.api_usd))


def test_where_the_api_is_assumed_to_solve_as_many_a_draw_moves_both(prices: Any) -> None:
    arm = arm_of(decided(tasks(0.5, 2.0), prices=prices, apis=("house:dear",)), "house:dear")
    own = Tries(2.0, 0.5, "measured", "run", share=share(0.5))

    (spread,) = as_tried([], Both(own, Tries(2.0, 0.5, "assumed", SAME), None))

    # 2/0.4 = 5 calls for a solved task in the place of 4, of 0.002 each
    turned = evaluate(spread.knob.set(case_of(arm.input, 1_000_000), 0.4))
    assert turned.api_usd == pytest.approx(10_000)
    assert turned.capacity == pytest.approx(5_256_000 / 5)
