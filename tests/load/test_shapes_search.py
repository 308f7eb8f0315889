"""The search's moves, worked by hand: which load next, how long, and when it is over."""

import pytest

from harness.load.search.next_probe import Next, Probe, Stop, bounds, bracket, next_probe, saved
from harness.scenario import Limit
from harness.scenario.load import SearchLoad

LIMITS = (Limit("ttft", "p95", 2.0),)  # 130 good requests


def users(**more: float) -> SearchLoad:
    return SearchLoad.model_validate({"kind": "search", "low": 1, "high": 64, "max_step_s": 1000} | more)


def rates(**more: float) -> SearchLoad:
    return SearchLoad.model_validate(
        {"kind": "search", "over": "requests_per_s", "low": 1, "high": 64, "max_step_s": 1000} | more
    )


def probe(load: float, passed: bool | None, **more: float) -> Probe:
    return Probe(**({"load": load, "passed": passed, "length_s": 30.0, "seconds": 30.0} | more))  # type: ignore[arg-type]


def loads_tried(search: SearchLoad, capacity: float) -> tuple[list[float], Stop]:
    """The loads of a whole search on a server that serves up to `capacity`."""
    history: list[Probe] = []
    while isinstance(move := next_probe(search, LIMITS, history), Next):
        history.append(probe(move.load, move.load <= capacity))
        assert len(history) < 50
    return [p.load for p in history], move


def test_it_grows_brackets_and_halves_to_the_last_user() -> None:
    # doubles to 16, which fails; then between 8 and 16: 12 fails, 10 passes, 11 passes (11 and 12 are neighbours)
    tried, stop = loads_tried(users(resolution=0.01), capacity=11)

    assert tried == [1, 2, 4, 8, 16, 12, 10, 11]
    assert stop == Stop("found", "11 users pass, 12 users fail")


def test_it_stops_where_the_bracket_is_as_narrow_as_asked() -> None:
    # between 8 and 16: 12 passes, 14 fails; 2 are more than 10 % of 12, so 13 is tried and fails: 1 is not
    tried, stop = loads_tried(users(resolution=0.1), capacity=12)

    assert tried == [1, 2, 4, 8, 16, 12, 14, 13]
    assert stop.reason == "found"


def test_rates_are_halved_as_fractions() -> None:
    # 1, 2, 4 fails; 3 fails, 2.5 passes; then 2.75 fails: 0.25 is 10 % of 2.5
    tried, stop = loads_tried(rates(resolution=0.1), capacity=2.6)

    assert tried == [1, 2, 4, 3, 2.5, 2.75]
    assert stop == Stop("found", "2.5 requests/s pass, 2.75 requests/s fail")


def test_the_highest_load_is_tried_and_no_higher_one() -> None:
    tried, stop = loads_tried(users(high=10), capacity=100)

    assert tried == [1, 2, 4, 8, 10]
    assert stop.reason == "high_passes"


def test_a_lowest_load_that_fails_ends_it() -> None:
    tried, stop = loads_tried(users(low=4), capacity=3)

    assert tried == [4]
    assert stop.reason == "low_fails"


def test_no_more_probes_than_allowed() -> None:
    tried, stop = loads_tried(users(max_probes=3), capacity=60)

    assert (len(tried), stop.reason) == (3, "max_probes")


def test_a_probe_too_short_to_judge_is_made_once_more_at_full_length() -> None:
    search = users()
    first = probe(1, None)

    assert next_probe(search, LIMITS, [first]) == Next(1, 1000)
    stop = next_probe(search, LIMITS, [first, probe(1, None, length_s=1000)])
    assert isinstance(stop, Stop)
    assert stop.reason == "too_short"


def test_the_second_verdict_on_a_load_counts() -> None:
    assert bracket([probe(1, None), probe(1, True), probe(2, False)]) == (1, 2)


def test_a_pass_above_a_fail_is_luck() -> None:
    assert bracket([probe(1, True), probe(4, False), probe(6, True)]) == (1, 4)


def test_a_probe_is_as_long_as_its_percentile_needs() -> None:
    # p95 needs 130 good requests; at 2 a second and a tenth to spare that is 71.5 s, and 5 s of warm-up
    history = [probe(1, True)]
    assert next_probe(rates(), LIMITS, history) == Next(2, 76.5)
    # p99 needs 662: 364.1 s and 5
    assert next_probe(rates(), (Limit("tpot", "p99", 1.0),), history) == Next(2, 369.1)
    # and never longer than max_step_s
    assert next_probe(rates(max_step_s=60), LIMITS, history) == Next(2, 60)


def test_more_users_are_expected_to_get_what_fewer_got() -> None:
    # 1.3 requests a second so far: 130 * 1.1 / 1.3 = 110 s and 5 s of warm-up
    assert next_probe(users(), LIMITS, [probe(1, True, requests_per_s=1.3)]) == Next(2, 115)


def test_without_any_rate_known_a_probe_has_its_shortest_length() -> None:
    assert next_probe(users(), LIMITS, []) == Next(1, 30)


def test_goodput_lies_between_what_passed_and_what_failed() -> None:
    # rates: a fail at 4/s means less than 4; users: 100 requests at 2/s mean at most 2 (1 + 2/10)
    passed = probe(2, True, goodput_low=1.5)

    assert bounds(rates(), [passed]) == (1.5, float("inf"))
    assert bounds(rates(), [passed, probe(4, False)]) == (1.5, 4)
    assert bounds(users(), [passed, probe(4, False, requests=100, requests_per_s=2.0)]) == pytest.approx((1.5, 2.4))


@pytest.mark.parametrize(
    ("needed", "over"),
    [
        ({"a": 1.4}, True),  # 1.5 or more is enough
        ({"a": 4.5}, True),  # less than 4 is not
        ({"a": 3.0}, False),
        ({"a": 1.4, "b": 4.5}, True),
        ({"a": 1.4, "b": 3.0}, False),  # one arm is still open
        ({"a": None}, True),  # nothing ever pays
        ({}, False),  # nothing to decide: search to the end
    ],
)
def test_it_stops_as_soon_as_every_arm_is_decided(needed: dict[str, float | None], over: bool) -> None:
    history = [probe(2, True, goodput_low=1.5), probe(4, False)]

    move = next_probe(rates(), LIMITS, history, needed)

    assert isinstance(move, Stop) is over
    if isinstance(move, Stop):
        assert move.reason == "decided"


def test_a_decision_is_said_in_words_by_side() -> None:
    history = [probe(2, True, goodput_low=1.5), probe(4, False)]

    move = next_probe(rates(), LIMITS, history, {"a": 1.4, "b": 4.5, "c": None, "d": 0.25})

    assert move == Stop(
        "decided",
        "1.5 requests/s or more are enough against a (needs 1.4), d (needs 0.25); "
        "4 requests/s or less are not enough against b (needs 4.5); no goodput pays against c",
    )


def test_what_a_decision_saved_against_the_ladder_is_counted() -> None:
    # rates 1, 2, 4 ... 64 with a p95: lengths 5 + 143/r, at least 30 s: 148, 76.5, 40.75, 30, 30, 30, 30 = 385.25 s
    # requests r * length: 148 + 153 + 163 + 240 + 480 + 960 + 1920 = 4064
    # spent: 148 s at 1/s and 76.5 s at 2/s = 224.5 s and 148 + 153 = 301 requests
    history = [
        probe(1, True, length_s=148, seconds=148, requests_per_s=1.0),
        probe(2, True, length_s=76.5, seconds=76.5, requests_per_s=2.0),
    ]

    less = saved(rates(), LIMITS, history, usd_per_hour=36.0)

    assert less["seconds"] == pytest.approx(385.25 - 224.5, abs=0.01)
    assert less["requests"] == pytest.approx(4064 - 301, abs=0.2)
    assert less["usd"] == pytest.approx(160.75 / 100, abs=0.001)  # 36 USD/h is a cent a second


def test_an_unknown_price_saves_an_unknown_sum() -> None:
    assert saved(rates(), LIMITS, [probe(1, True)], None)["usd"] is None


def test_a_probe_that_was_given_up_bounds_no_goodput() -> None:
    # in full: 4 requests/s of 100 requests, at most 4 (1 + 2 / 10) = 4.8; cut short it says nothing
    whole = probe(4, False, requests_per_s=4.0, requests=100)
    cut = probe(4, False, requests_per_s=4.0, requests=100, given_up=True)

    assert bounds(users(), [whole])[1] == pytest.approx(4.8)
    assert bounds(users(), [cut])[1] == float("inf")
