from dataclasses import replace

import pytest

from harness.metrics.goodput import JudgedStep, RunGoodput, goodput_of
from harness.metrics.rate import Rate
from harness.metrics.slo import NOT_JUDGED, SloVerdict, Verdict

YES, NO = SloVerdict("yes", True), SloVerdict("no", False)
LIKELY, HARDLY = SloVerdict("not_sure", True), SloVerdict("not_sure", False)
RATES = [Rate(2.0, 1.9, 2.1), Rate(4.0, 3.8, 4.2), Rate(6.0, 5.7, 6.3), Rate(6.1, 5.8, 6.4)]


def ladder(*verdicts: SloVerdict, rates: list[Rate] = RATES) -> list[JudgedStep]:
    return [JudgedStep(i, 2.0**i, rates[i], verdict) for i, verdict in enumerate(verdicts)]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((YES, YES, NO), RunGoodput(4.0, 3.8, 4.2, 1)),
        ((YES, YES, LIKELY, NO), RunGoodput(6.0, 3.8, 6.3, 2)),
        ((YES, YES, HARDLY, NO), RunGoodput(4.0, 3.8, 6.3, 1)),
        ((LIKELY, LIKELY, NO), RunGoodput(4.0, 1.9, 4.2, 1)),
        ((HARDLY, NO), RunGoodput(None, None, 2.1, None, at_most=True)),
        ((NO, YES), None),
        ((NOT_JUDGED, NOT_JUDGED), None),
        ((YES, NOT_JUDGED, NO), RunGoodput(2.0, 1.9, 2.1, 0)),
        ((HARDLY, YES, NO), RunGoodput(4.0, 3.8, 4.2, 1)),  # a pass above says that the doubt below was chance
    ],
    ids=["sure", "likely", "hardly", "none sure", "at most", "first fails", "none judged", "one not judged", "chance"],
)
def test_the_interval_holds_the_choice_of_the_step(
    verdicts: tuple[SloVerdict, ...], expected: RunGoodput | None
) -> None:
    assert goodput_of(ladder(*verdicts)) == expected


def test_a_ladder_that_passes_to_the_end_and_grew_is_a_lower_bound() -> None:
    assert goodput_of(ladder(YES, YES, YES)) == RunGoodput(6.0, 5.7, None, 2, at_least=True)
    assert goodput_of(ladder(YES, YES, LIKELY)) == RunGoodput(6.0, 3.8, None, 2, at_least=True)


def test_a_ladder_that_passes_to_the_end_and_did_not_grow_is_full() -> None:
    assert goodput_of(ladder(YES, YES, YES, YES)) == RunGoodput(6.1, 5.8, 6.4, 3)


def test_a_rate_that_passes_was_served_as_it_came_and_shows_no_end() -> None:
    uneven = [Rate(2.0, 1.9, 2.1), Rate(5.2, 3.9, 6.9), Rate(8.0, 6.5, 9.5)]  # bursts: the intervals overlap

    by_rate = [replace(step, is_open=True) for step in ladder(YES, YES, YES, rates=uneven)]

    assert goodput_of(by_rate) == RunGoodput(8.0, 6.5, None, 2, at_least=True)
    assert goodput_of(ladder(YES, YES, YES, rates=uneven)) == RunGoodput(8.0, 6.5, 9.5, 2)


def test_one_step_alone_is_a_lower_bound() -> None:
    assert goodput_of(ladder(YES)) == RunGoodput(2.0, 1.9, None, 0, at_least=True)


def test_where_more_load_serves_less_both_rates_are_inside() -> None:
    falling = [Rate(6.0, 5.7, 6.3), Rate(5.0, 4.8, 5.2)]

    assert goodput_of(ladder(YES, LIKELY, rates=falling)) == RunGoodput(5.0, 4.8, 6.3, 1)


@pytest.mark.parametrize("verdict", ["yes", "no", "not_sure"])
def test_the_order_of_the_steps_does_not_matter(verdict: Verdict) -> None:
    steps = ladder(YES, SloVerdict(verdict, verdict == "yes"), NO)

    assert goodput_of(steps[::-1]) == goodput_of(steps)
