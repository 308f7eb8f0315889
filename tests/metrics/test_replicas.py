"""Several URLs told apart: each one's figures, and which of them, or of the steps, do not count."""

from typing import Any

import pytest
from replica_cases import REFUSED, URLS, analysed, manifest, rows

A, B = URLS


def test_a_single_url_has_no_table_of_its_own() -> None:
    assert analysed(rows(1, (A,)), manifest((A,))).steps[0].replicas == ()


def test_each_replicas_figures_are_its_own_requests() -> None:
    # 60 in 30 s in turn: 30 each, one a second, each a second in service and 11 tokens; b's first tokens come later.
    # The last requests of both leave the window with half a second: 29.5 of b's 30 seconds of service, all of a's 30
    def slow(_: int, n: int) -> dict[str, Any]:
        return {"first_token_s": n / 2 + 0.7} if n % 2 else {}

    step = analysed(rows(1, URLS, slow), manifest()).steps[0]

    a, b = step.replicas
    assert (a.url, a.requests, a.failed, b.url, b.requests, b.failed) == (A, 30, 0, B, 30, 0)
    assert (a.requests_per_s, b.requests_per_s) == (pytest.approx(1.0), pytest.approx(29.5 / 30))
    assert (a.in_flight, b.in_flight) == (pytest.approx(1.0), pytest.approx(29.5 / 30))
    assert (a.ttft_s.p50, b.ttft_s.p50) == (pytest.approx(0.5), pytest.approx(0.7))
    assert (a.tpot_s.p50, b.tpot_s.p50) == (pytest.approx(0.05), pytest.approx(0.03))
    assert a.requests_per_s + b.requests_per_s == pytest.approx(step.requests_per_s)
    assert a.output_tokens_per_s + b.output_tokens_per_s == pytest.approx(step.output_tokens_per_s)


def test_a_hanging_replica_has_its_requests_in_flight_until_they_time_out() -> None:
    # timeout_s is 300 here: sent at 0.5, 1.5, ... 29.5, under way until the window ends at 30
    hang = {"error": "timeout", "first_token_s": None, "finished_s": None}

    step = analysed(rows(1, URLS, lambda _, n: hang if n % 2 else {}), manifest()).steps[0]

    assert step.replicas[1].in_flight == pytest.approx(sum(30 - (k + 0.5) for k in range(30)) / 30)
    assert step.replicas[1].failing


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        ("refuses all", rows(1, URLS, lambda _, n: REFUSED if n % 2 else {})),
        ("was never asked", rows(1, (A,))),
        ("was asked twice, in vain", rows(1, (A,), lambda _, n: REFUSED | {"url": B} if n in (20, 40) else {})),
    ],
)
def test_a_replica_that_answered_nothing_leaves_no_goodput_however_few_it_was_asked(
    name: str, requests: list[dict[str, Any]]
) -> None:
    metrics = analysed(requests, manifest())

    assert [one.failing for one in metrics.steps[0].replicas] == [False, True]
    assert metrics.goodput is None
    assert (metrics.steps[0].slo_met, metrics.steps[0].verdict) == (None, "not_judged")
    assert not metrics.is_judged
    assert metrics.why_not_judged.startswith(f"replica {B} answered no")


def test_a_replica_that_was_busy_with_what_is_in_no_count_was_there() -> None:
    # b has repeats alone, which it answers; of the few tasks a has all
    def few(_: int, n: int) -> dict[str, Any]:
        return {"url": B, "repeat": True} if n % 8 else {"url": A}

    step = analysed(rows(1, URLS, few), manifest()).steps[0]

    assert (step.replicas[1].requests, step.replicas[1].failing) == (0, False)
    assert step.void is None


def test_a_replica_that_dies_in_a_step_is_named_however_few_requests_found_it_dead() -> None:
    # b answers to second 25, and two requests later fail: 2 of 29 in the second step, where it is tried once in a while
    def dies(step: int, n: int) -> dict[str, Any]:
        if step == 0 or n % 2 == 0 or n < 100:
            return {}
        return REFUSED if n in (105, 117) else {"url": A}

    first, second = analysed(rows(2, URLS, dies), manifest(), steps=2).steps

    assert not any(one.failing for one in first.replicas)
    a, b = second.replicas
    assert (a.failing, b.failing) == (False, True)
    assert b.gone_s == pytest.approx(30 + 105 / 4)
    assert second.void == f"replica {B} answered nothing any more from second 56.2 of the run on"


def test_a_replica_that_comes_back_and_a_fleet_that_ends_in_failures_are_not_gone() -> None:
    def back(_: int, n: int) -> dict[str, Any]:
        return REFUSED if n in (31, 35) else {}

    def all_end(_: int, n: int) -> dict[str, Any]:
        return REFUSED if n >= 50 else {}

    for change in (back, all_end):
        step = analysed(rows(1, URLS, change), manifest()).steps[0]
        assert [one.gone_s for one in step.replicas] == [None, None]


def mixed(of_b: int, failed: int) -> list[dict[str, Any]]:
    """300 good requests of a, and 60, or fewer, of b, some of which fail."""
    of_a = [row | {"request_id": f"a{k}-{row['request_id']}", "url": A} for k in range(5) for row in rows(1, URLS)]
    mine = [row | {"url": B} | (REFUSED if n < failed else {}) for n, row in enumerate(rows(1, URLS))]
    return of_a + mine[:of_b]


@pytest.mark.parametrize(
    ("of_b", "failed", "is_failing"),
    [
        (60, 3, True),  # 5 %, where 1 % may: three or more of 60 are 2.2 % likely; the fleet's 3 of 360 keep the limit
        (60, 1, False),  # 1.7 %, but 45 % likely
        (3, 1, False),  # nobody can tell from three
        (10, 2, True),  # two or more of ten are 0.4 % likely
    ],
)
def test_a_replica_surely_over_the_limit_by_itself_is_failing_though_the_fleet_keeps_it(
    of_b: int, failed: int, is_failing: bool
) -> None:
    step = analysed(mixed(of_b, failed), manifest()).steps[0]

    assert step.failed / step.requests < 0.01
    assert [(one.requests, one.failing) for one in step.replicas] == [(300, False), (of_b, is_failing)]


def test_a_load_too_much_for_all_replicas_breaks_the_limit_and_names_none() -> None:
    step = analysed(rows(1, URLS, lambda _, n: REFUSED if n % 10 < 3 else {}), manifest()).steps[0]

    assert [one.failing for one in step.replicas] == [False, False]
    assert (step.slo_met, step.void) == (False, None)


def test_a_replica_that_died_before_the_second_step_leaves_the_run_without_a_goodput() -> None:
    metrics = analysed(rows(2, URLS, lambda step, n: REFUSED if step and n % 2 else {}), manifest(), steps=2)

    assert [step.void is not None for step in metrics.steps] == [False, True]
    assert metrics.steps[0].slo_met
    assert metrics.goodput is None
    assert metrics.why_no_goodput() == f"not judged, because replica {B} answered none of its 60 requests"


def test_a_replica_that_was_left_alone_from_the_second_step_on_is_found_too() -> None:
    metrics = analysed(rows(2, URLS, lambda step, n: {"url": A} if step else {}), manifest(), steps=2)

    assert [one.failing for step in metrics.steps for one in step.replicas] == [False, False, False, True]


def test_a_single_user_need_not_reach_every_replica() -> None:
    # one at a time in the first step, always a's; both in the second
    one = rows(2, URLS, lambda step, n: {} if step else {"url": A, "finished_s": n / 2 + 0.4, "first_token_s": n / 2})

    assert not analysed(one, manifest(), steps=2).failing


def test_steps_that_end_after_a_load_process_died_are_no_goodput_and_those_before_stay() -> None:
    lost = {"workers": 2, "lost_workers": [{"worker": 1, "how": "signal 9", "t_s": 45.0}]}

    metrics = analysed(rows(2, URLS), manifest(client=lost), steps=2)

    assert [step.void is not None for step in metrics.steps] == [False, True]
    assert metrics.goodput is not None
    assert metrics.goodput.step == 0
    assert metrics.steps[1].goodput_requests_per_s is None


def test_a_single_url_whose_load_process_died_in_the_only_step_is_not_judged() -> None:
    lost = {"workers": 2, "lost_workers": [{"worker": 1, "how": "signal 9", "t_s": 5.0}]}

    metrics = analysed(rows(1, (A,)), manifest((A,), client=lost))

    assert metrics.goodput is None
    assert metrics.why_no_goodput() == (
        "not judged, because a load process had died, so that only a part of the load was driven"
    )
