"""The curve of the latencies chooses the loads: few of them where it is right, hardly more than halving where not."""

import math
from collections.abc import Callable

import pytest
from search_cases import at_ratio, probe, rates, users, whole_search

from harness.load.search.guide import crossing, next_load
from harness.load.search.probes import Probe, standings
from harness.scenario.load import SearchLoad

Curve = Callable[[float, float], float]


def affine(load: float, answer: float) -> float:
    """A batching engine: so much an iteration and so much a request in it; the limit lies half a user further."""
    return (20 + load) / (20 + answer + 0.5)


def slow(load: float, answer: float) -> float:
    """A latency that hardly grows: 1 to 64 users are a fifth slower."""
    return float((load / (answer + 0.5)) ** 0.05)


def wall(load: float, answer: float) -> float:
    """A first token: at once while slots are free, then after as many turns as are before it."""
    return 0.1 if load <= answer else 2.0 + (load - answer) / answer


def queue(load: float, answer: float) -> float:
    """Service in a queue that is full three tenths above the answer."""
    full = 1.3 * (answer + 0.4)
    return 1e3 if load >= full else (1 - 1 / 1.3) / (1 - load / full)


def tried(curve: Curve, answer: float, search: SearchLoad) -> tuple[int, str]:
    loads, stop = whole_search(search, lambda load: at_ratio(load, curve(load, answer), requests_per_s=10.0))
    return len(loads), stop.text


def halved(answer: float, search: SearchLoad) -> int:
    return len(whole_search(search, lambda load: probe(load, load <= answer))[0])


@pytest.mark.parametrize("answer", [3, 9, 20, 33, 50])
def test_a_curve_that_is_right_takes_at_most_seven_loads(answer: int) -> None:
    count, text = tried(affine, answer, users(resolution=0.01))

    assert text == f"{answer} users pass, {answer + 1} users fail"
    assert count <= 7


@pytest.mark.parametrize("curve", [affine, slow, wall, queue])
@pytest.mark.parametrize("answer", [1, 2, 3, 5, 9, 20, 21, 33, 50, 63])
def test_no_curve_costs_more_than_two_loads_more_than_halving(curve: Curve, answer: int) -> None:
    search = users(resolution=0.01, max_probes=40)

    count, text = tried(curve, answer, search)

    assert text.startswith(f"{answer} user")
    assert count <= halved(answer, search) + 2


@pytest.mark.parametrize("curve", [affine, slow, wall, queue])
def test_rates_are_found_as_closely_as_asked(curve: Curve) -> None:
    search = rates(resolution=0.05, max_probes=40)
    loads, stop = whole_search(search, lambda load: at_ratio(load, curve(load, 7.77)))

    assert stop.reason == "found"
    assert len(loads) <= halved(7.77, search) + 2


def test_where_all_pass_four_times_as_much_is_tried_only_far_from_the_limit() -> None:
    assert next_load(users(), [at_ratio(1, 0.5)]) == 4
    assert next_load(users(), [at_ratio(1, 0.9)]) == 2
    assert next_load(users(), [probe(1, True)]) == 2  # nobody knows


def test_a_line_through_two_passes_says_where_the_limit_is_crossed() -> None:
    # 0.19 in 8 users: (1 - 0.8) / 0.02375 = 8.42 beyond 12, so 20 is kept and 21 not
    history = [at_ratio(4, 0.61), at_ratio(12, 0.8)]

    assert crossing(standings(history), 12, None) == pytest.approx(20.42, abs=0.01)
    assert next_load(users(resolution=0.01), history) == 20


def test_two_passes_whose_rise_is_in_doubt_draw_no_line() -> None:
    # 0.60 +- 2 % and 0.61 +- 2 % may be the same
    history = [at_ratio(4, 0.60), at_ratio(12, 0.61)]

    assert crossing(standings(history), 12, None) is None
    assert next_load(users(), history) == 48


def test_a_pass_where_a_fail_was_expected_doubles_the_step() -> None:
    # the lines through 19 cross at 20.5 and 21.4; 21 passes against the first, so 23 is next, not 22
    history = [at_ratio(8, 0.5), at_ratio(19, 0.94), at_ratio(20, 0.98), at_ratio(21, 0.99)]

    assert next_load(users(resolution=0.01), history) == 23
    assert next_load(users(resolution=0.01), history[:3]) == 21


def test_between_a_pass_and_a_fail_the_curve_is_read_off() -> None:
    # a power law, load / 20.5: exact on the two logarithms
    history = [at_ratio(8, 8 / 20.5), at_ratio(64, 64 / 20.5)]

    assert crossing(standings(history), 8, 64) == pytest.approx(20.5)


def test_a_third_load_bends_the_curve() -> None:
    # inverse quadratic through (4, 1/4), (8, 1/2), (64, 4) of a power law stays exact
    history = [at_ratio(4, 0.25), at_ratio(8, 0.5), at_ratio(64, 4.0)]

    assert crossing(standings(history), 8, 64) == pytest.approx(16)


def test_the_first_limit_that_is_crossed_counts() -> None:
    one, two = at_ratio(8, 8 / 40), at_ratio(64, 64 / 40)
    tpot = [at_ratio(8, 8 / 20), at_ratio(64, 64 / 20)]
    both = [
        Probe(
            p.load, p.passed, 30.0, 30.0, verdict=p.verdict, limits={**p.limits, "tpot_p95_s": q.limits["ttft_p95_s"]}
        )
        for p, q in ((one, tpot[0]), (two, tpot[1]))
    ]

    assert crossing(standings(both), 8, 64) == pytest.approx(20)


def test_a_wait_that_jumps_begins_where_the_rate_stops_growing() -> None:
    # the rate grows with the root: 10 at 16, 16.9 of the full server at 45.7 users; 15 % more, since it flattens
    history = [
        at_ratio(4, 0.1, requests_per_s=5.0),
        at_ratio(16, 0.1, requests_per_s=10.0),
        at_ratio(64, 9.0, requests_per_s=12.0),
    ]

    assert crossing(standings(history), 16, 64) == pytest.approx(1.15 * 16 * 1.2**2)


def test_a_load_that_failed_for_its_queue_has_no_curve_and_is_halved() -> None:
    assert next_load(rates(), [at_ratio(4, 0.5), probe(16, False, over_saturated=True)]) == 10


def test_a_quarter_is_tried_below_a_load_that_fails_by_far() -> None:
    assert next_load(users(low=32), [at_ratio(32, 1.5)]) == 16
    assert next_load(users(low=32), [at_ratio(32, 8.0)]) == 8
    assert math.isclose(next_load(rates(low=32), [at_ratio(32, 8.0)]) or 0, 8)
