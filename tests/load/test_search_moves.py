"""The search's moves, worked by hand: which load next, how long, and when it is over."""

import pytest
from search_cases import LIMITS, at_ratio, near, probe, rates, users, whole_search

from harness.load.search.next_probe import bounds, next_probe
from harness.load.search.probes import Next, Probe, Stop, bracket, standings
from harness.metrics.pooled import ERRORS
from harness.metrics.slo import Nearness
from harness.scenario import Limit
from harness.scenario.load import SearchLoad


def loads_tried(search: SearchLoad, capacity: float) -> tuple[list[float], Stop]:
    """The loads of a whole search on a server that serves up to `capacity`, without any curve."""
    return whole_search(search, lambda load: probe(load, load <= capacity))


def ends(history: list[Probe]) -> tuple[float | None, float | None]:
    best, fail = bracket(standings(history))
    return None if best is None else best.load, None if fail is None else fail.load


def test_it_grows_brackets_and_halves_to_the_last_user() -> None:
    # doubles to 16, which fails; then between 8 and 16: 12 fails, 10 passes, 11 passes (11 and 12 are neighbours)
    tried, stop = loads_tried(users(resolution=0.01), capacity=11)

    assert tried == [1, 2, 4, 8, 16, 12, 10, 11]
    assert stop == Stop("found", "11 users pass, 12 users fail", sure=True)


def test_a_quota_ends_it_and_is_no_load_that_fails() -> None:
    refused = "the endpoint's quota refused 41% of the requests"

    def make(load: float) -> Probe:
        return probe(load, None, refused=refused) if load >= 4 else probe(load, True)

    tried, stop = whole_search(users(), make)
    at_once = next_probe(users(low=4), LIMITS, [make(4)])

    assert tried == [1, 2, 4]
    assert stop == Stop("refused", f"4 users: {refused}; 2 users still meet the limits", at_least=True)
    assert at_once == Stop("refused", f"4 users: {refused}")


def test_it_stops_where_the_bracket_is_as_narrow_as_asked() -> None:
    # between 8 and 16: 12 passes, 14 fails; 2 are more than 10 % of 12, so 13 is tried and fails: 1 is not
    tried, stop = loads_tried(users(resolution=0.1), capacity=12)

    assert tried == [1, 2, 4, 8, 16, 12, 14, 13]
    assert stop.reason == "found"


def test_rates_are_halved_as_fractions() -> None:
    # 1, 2, 4 fails; 3 fails, 2.5 passes; then 2.75 fails: 0.25 is 10 % of 2.5
    tried, stop = loads_tried(rates(resolution=0.1), capacity=2.6)

    assert tried == [1, 2, 4, 3, 2.5, 2.75]
    assert stop == Stop("found", "2.5 requests/s pass, 2.75 requests/s fail", sure=True)


def test_the_highest_load_is_tried_and_no_higher_one() -> None:
    tried, stop = loads_tried(users(high=10), capacity=100)

    assert tried == [1, 2, 4, 8, 10]
    assert stop == Stop("high_passes", "10 users still meet the limits", at_least=True, sure=True)


def test_a_lowest_load_that_fails_is_halved_until_one_passes() -> None:
    tried, stop = loads_tried(users(low=8), capacity=3)

    assert tried == [8, 4, 2, 3]
    assert stop.text == "3 users pass, 4 users fail"


def test_where_one_user_fails_there_is_no_lower_load() -> None:
    tried, stop = loads_tried(users(low=2), capacity=0)

    assert tried == [2, 1]
    assert stop == Stop("low_fails", "1 user cannot meet the limits", at_most=True, sure=True)


def test_a_rate_is_halved_down_to_a_64th() -> None:
    tried, stop = loads_tried(rates(low=16, max_probes=30), capacity=0)

    assert tried == [16, 8, 4, 2, 1, 0.5, 0.25]
    assert (stop.reason, stop.at_most) == ("low_fails", True)


def test_nor_is_it_halved_more_often_than_it_may_probe() -> None:
    tried, stop = loads_tried(rates(low=16, max_probes=3), capacity=0)

    assert tried == [16, 8, 4]
    assert stop.text == "3 probes were made (`load.max_probes`): 4 requests/s cannot meet the limits"
    assert stop.at_most


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
    assert ends([probe(1, None), probe(1, True), probe(2, False)]) == (1, 2)


@pytest.mark.parametrize(
    ("fails", "passes", "between"),
    [
        ("no", "yes", (1, 4)),
        ("not_sure", "not_sure", (1, 4)),
        ("no", "not_sure", (1, 4)),
        ("not_sure", "yes", (6, None)),  # a higher load is never easier: what surely passes overrules
    ],
)
def test_of_a_pass_above_a_fail_the_sure_one_counts(
    fails: str, passes: str, between: tuple[float | None, float | None]
) -> None:
    assert ends([probe(1, True), probe(4, False, verdict=fails), probe(6, True, verdict=passes)]) == between


def test_probes_of_one_load_pool_their_requests_and_those_over_each_limit() -> None:
    # were 5 % over, 4 or fewer of 128 are no rarity (23 %), 4 of 256 are (0.4 %)
    one = at_ratio(8, 0.99, n=128, over=4)
    assert one.verdict == "not_sure"

    (both,) = standings([one, at_ratio(8, 0.9, n=128, over=0)])

    assert (both.met, both.verdict, both.limits["ttft_p95_s"].over, both.limits["ttft_p95_s"].n) == (
        True,
        "yes",
        4,
        256,
    )


def test_probes_that_differ_by_more_than_chance_are_never_sure_together() -> None:
    # all of 300 within, then all of 300 over: half of 600, which alone would surely fail
    (both,) = standings([at_ratio(8, 0.9), at_ratio(8, 1.1)])

    assert (both.met, both.verdict) == (False, "not_sure")


def test_a_probe_that_was_cut_fails_whatever_was_served_before() -> None:
    good = near(0.5, n=40) | {ERRORS: Nearness(99, 40, 0)}

    (load,) = standings([at_ratio(8, 0.5), probe(8, False, over_saturated=True, limits=good)])

    assert (load.met, load.verdict) == (False, "no")


def confirmed(history: list[Probe], **more: float) -> Next | Stop:
    return next_probe(users(**more), LIMITS, history)


SURE = [at_ratio(4, 0.5, requests_per_s=5.0), at_ratio(5, 1.5, requests_per_s=6.0)]


def test_sure_verdicts_far_from_their_limit_end_it() -> None:
    assert confirmed(SURE) == Stop("found", "4 users pass, 5 users fail", sure=True)


def test_a_sure_verdict_near_its_limit_is_confirmed_once() -> None:
    # 12 %: twice what the same engine differs by between two runs
    close = at_ratio(4, 0.95, requests_per_s=5.0)

    assert confirmed([close, SURE[1]]) == Next(4, 33.6)  # 130 requests and a tenth at 5 a second, 5 s of warm-up
    assert confirmed([close, SURE[1], close]) == Stop("found", "4 users pass, 5 users fail", sure=True)


def test_a_load_that_is_not_sure_is_probed_for_as_long_as_makes_it_sure() -> None:
    # 5 of 150 are 3.3 %; were it to stay so, 21 of 610 are sure (4.2 %): 460 more, 101 s at 5 a second
    unsure = at_ratio(4, 0.98, n=150, over=5, requests_per_s=5.0)
    move = confirmed([unsure, SURE[1]])

    assert move == Next(4, 106.2)

    shorter = confirmed([unsure, SURE[1]], max_step_s=40)  # not to be had: as long as a percentile needs
    assert shorter == Next(4, 33.6)


def test_what_stays_unsure_is_said() -> None:
    unsure = at_ratio(4, 0.98, n=130, over=6, requests_per_s=5.0)

    stop = confirmed([unsure, SURE[1], unsure], max_step_s=40)

    assert stop == Stop("found", "4 users pass (not for sure), 5 users fail", sure=False)


def test_a_verdict_that_turns_is_gone_on_from() -> None:
    # 5 users failed by luck: 8 of 130 were over, then 2 of 500; together they surely pass, so 10 are next
    history = [at_ratio(4, 0.6), at_ratio(5, 1.01, n=130, over=8), at_ratio(5, 0.9, n=500, over=2)]

    move = confirmed(history)

    assert isinstance(move, Next)
    assert move.load > 5


def test_without_a_limit_it_ends_where_more_load_adds_no_rate() -> None:
    history = [probe(load, True, requests_per_s=rate) for load, rate in ((1, 1.0), (2, 1.9), (4, 1.95))]

    stop = next_probe(users(), (), history)

    assert stop == Stop(
        "flat", "4 users still meet the limits, and more load adds less than 5 % to the rate", at_least=True, sure=True
    )
    assert next_probe(users(), (), history[:2]) == Next(4, 30)


def test_a_probe_is_as_long_as_its_percentile_needs() -> None:
    # p95 needs 130 good requests; at 2 a second and a tenth to spare that is 71.5 s, and 5 s of warm-up
    history = [probe(1, True)]
    assert next_probe(rates(), LIMITS, history) == Next(2, 76.5)
    # p99 needs 662: 364.1 s and 5
    assert next_probe(rates(), (Limit("tpot", "p99", 1.0),), history) == Next(2, 369.1)
    # and never longer than max_step_s
    assert next_probe(rates(max_step_s=60), LIMITS, history) == Next(2, 60)


def test_far_from_its_limit_a_probe_takes_what_a_sure_verdict_needs() -> None:
    # at 4/s a tenth of the limit at most: 59 requests of which none is over; 1.1 * 59 / 4 = 16.2 s and 5 s of warm-up
    assert next_probe(rates(step_s=10), LIMITS, [at_ratio(1, 0.05)]) == Next(4, 21.23)


def test_more_users_are_expected_to_get_more_by_the_root_and_then_as_they_did() -> None:
    # 1.3 requests a second so far, 1.3 * 1.414 = 1.838 expected: 130 * 1.1 / 1.838 = 77.8 s and 5 s of warm-up
    one = probe(1, True, requests_per_s=1.3)
    assert next_probe(users(), LIMITS, [one]) == Next(2, 82.78)
    # two got no more than one: four are expected to get 1.3, too
    assert next_probe(users(), LIMITS, [one, probe(2, True, requests_per_s=1.3)]) == Next(4, 115)


def test_without_any_rate_known_a_probe_has_its_shortest_length() -> None:
    assert next_probe(users(), LIMITS, []) == Next(1, 30)


def test_only_what_is_sure_bounds_the_goodput() -> None:
    unsure = [probe(2, True, verdict="not_sure", goodput_low=1.5), probe(4, False, verdict="not_sure")]

    assert bounds(rates(), unsure) == (0.0, float("inf"))


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


def test_a_probe_that_was_given_up_bounds_no_goodput() -> None:
    # in full: 4 requests/s of 100 requests, at most 4 (1 + 2 / 10) = 4.8; cut short it says nothing
    whole = probe(4, False, requests_per_s=4.0, requests=100)
    cut = probe(4, False, requests_per_s=4.0, requests=100, given_up=True)

    assert bounds(users(), [whole])[1] == pytest.approx(4.8)
    assert bounds(users(), [cut])[1] == float("inf")
