import numpy as np
import pytest

from harness.base.stats import Floats
from harness.metrics.saturation import OpenFacts, in_flight_at, is_growing, open_facts, peak_in_flight, usual_s


@pytest.mark.parametrize(
    ("in_flight", "arrivals", "grows"),
    [
        ([10 + 2 * t for t in range(30)], 300, True),  # 10 a second come, 8 leave
        ([20] * 30, 300, False),
        ([20, 24, 17, 22, 19, 25, 16, 21, 20] * 3, 300, False),
        ([min(50, 5 * t) for t in range(30)], 300, False),  # fills up, then stays
        ([t / 10 for t in range(30)], 300, False),  # from 0 to 3: no more than chance
        ([60 - 2 * t for t in range(30)], 300, False),
        ([0, 50, 100, 150], 100, False),  # too few to say
    ],
    ids=["falls behind", "steady", "scatters", "fills up", "chance", "shrinks", "few"],
)
def test_a_growing_queue_is_told_from_a_steady_one(in_flight: list[float], arrivals: float, grows: bool) -> None:
    assert is_growing(in_flight, arrivals) is grows


def test_in_flight_counts_what_has_begun_and_not_ended() -> None:
    sent = np.array([0.0, 1.0, 2.0, np.nan])
    ended = np.array([1.5, np.nan, 2.5, np.nan])  # the second is never answered, the last was never sent

    got = in_flight_at(np.array([0.5, 1.2, 1.6, 2.2, 3.0]), sent, ended)

    assert list(got) == [1, 2, 1, 2, 1]


def test_the_peak_counts_those_who_were_in_flight_before_the_window_too() -> None:
    # three from 0 s, one of them ends at 1 s; one more is sent at 5 s, two after the window
    sent = np.array([0.0, 0.0, 0.0, 5.0, 20.0, 20.0])
    ended = np.array([1.0, 9.0, np.nan, 6.0, 21.0, 21.0])

    assert peak_in_flight(sent, ended, (2.0, 10.0)) == 3
    assert peak_in_flight(sent, ended, (30.0, 40.0)) == 1


def test_an_open_step_says_what_was_planned_sent_and_dropped() -> None:
    # planned at 0, 1, ... 9; each sent at once and answered 0.1 s later, but the last two dropped by the cap
    scheduled = np.arange(10.0)
    sent = np.where(scheduled < 8, scheduled, np.nan)

    facts = open_facts(scheduled, sent, sent + 0.1, np.full(10, 0.1), (0.0, 10.0))

    assert facts == OpenFacts(offered_requests_per_s=1.0, sent_requests_per_s=0.8, not_sent=2, over_saturated=False)


def test_a_server_at_eight_tenths_of_the_rate_is_over_saturated() -> None:
    # 10 a second for 30 s; one server that takes 0.125 s for each: answer n ends at (n + 1) / 8
    scheduled = np.arange(300) / 10
    ended = (np.arange(300) + 1) / 8

    facts = open_facts(scheduled, scheduled, ended, np.full(300, 0.125), (0.0, 30.0))

    assert facts.over_saturated is True


def test_a_window_as_short_as_its_requests_says_nothing() -> None:
    # 100 a second, each takes 10 s: in 9 s the server only fills up
    scheduled = np.arange(900) / 100

    facts = open_facts(scheduled, scheduled, scheduled + 10, np.full(900, 10.0), (0.0, 9.0))

    assert facts.over_saturated is False


def changing(scheduled: Floats, ended: Floats, usual: float, window: tuple[float, float]) -> bool | None:
    facts = open_facts(scheduled, scheduled, ended, np.full(len(scheduled), usual), window, is_even=False)
    return facts.over_saturated


def served_at(scheduled: Floats, per_s: float) -> Floats:
    """Ends of one server that answers so many a second, in order."""
    ended, free = [], 0.0
    for due in scheduled:
        free = max(free, due) + 1 / per_s
        ended.append(free)
    return np.array(ended)


def test_a_burst_at_the_end_of_a_log_that_is_answered_at_once_is_no_queue() -> None:
    # one a second for 12 s, and 100 at 11.5 s; all take 0.3 s
    scheduled = np.concatenate([np.arange(12.0), np.full(100, 11.5)])

    assert changing(scheduled, scheduled + 0.3, 0.3, (0.0, 12.0)) is False
    assert changing(np.sort(scheduled), np.sort(scheduled) + 2.0, 0.3, (0.0, 12.0)) is False  # slowly: gone after 1.5 s


def test_a_burst_that_takes_as_long_as_the_log_is_over_saturation() -> None:
    # one a second and 100 from 6 s on: 112 in 12 s are 9.3 a second, of which 5 are answered
    scheduled = np.sort(np.concatenate([np.arange(12.0), 6 + np.arange(100) / 20]))

    assert changing(scheduled, served_at(scheduled, 5.0), 0.2, (0.0, 12.0)) is True
    assert changing(scheduled, served_at(scheduled, 25.0), 0.04, (0.0, 12.0)) is False


@pytest.mark.parametrize(("per_s", "over"), [(1000.0, False), (50.0, False), (30.0, True)])
def test_a_coarse_ramp_is_over_saturated_where_less_is_answered_than_came(per_s: float, over: bool) -> None:
    # from 30 to 60 a second in 20 s, 900 in all: 45 a second; then held at 60; each takes 2 s besides its turn
    due = np.array([(-30 + np.sqrt(900 + 3 * n)) / 1.5 for n in range(900)])
    scheduled = np.concatenate([due, 20 + np.arange(1800) / 60])

    assert changing(scheduled, served_at(scheduled, per_s) + 2.0, 2.0, (0.0, 20.0)) is over


def test_what_was_cut_never_went_away() -> None:
    # the last third of ten a second is never answered
    scheduled = np.arange(300) / 10
    ended = np.where(scheduled < 20, scheduled + 0.1, np.nan)

    assert changing(scheduled, ended, 0.1, (0.0, 30.0)) is True


def test_an_unloaded_servers_time_goes_by_the_tokens() -> None:
    # at best 0.5 s to the first token, and 0.1 s for each further one; lengths of 1, 11 and unknown
    ttft, tpot, e2e = np.array([0.5, 0.5, 4.0]), np.array([0.1, 0.1, 0.2]), np.array([1.5, 1.5, 9.0])
    tokens, unknown = np.array([1.0, 11.0, np.nan]), np.full(3, np.nan)

    assert usual_s(ttft, tpot, e2e, tokens) == pytest.approx([0.5, 1.5, 1.5])
    assert usual_s(unknown, unknown, e2e, tokens) == pytest.approx([1.5, 1.5, 1.5])
    assert list(usual_s(unknown, unknown, unknown, tokens)) == [0, 0, 0]


def test_the_queue_that_a_window_begins_with_is_what_an_unloaded_server_would_have_answered() -> None:
    # 20 a second for 10 s at a server of 10 a second leave 100; 2 a second come from then on, and are in flight anyway
    scheduled = np.concatenate([np.arange(200) / 20, 10 + np.arange(20) / 2])
    slow, quick = served_at(scheduled, 10.0), scheduled + 0.5

    queues = [
        open_facts(scheduled, scheduled, ended, np.full(220, 0.5), (10.0, 20.0), is_even=False).queue_at_start
        for ended in (slow, quick)
    ]

    assert queues == [91, 0]  # 100 are under way, of which the last nine came less than 0.5 s ago


def test_what_an_earlier_step_cut_is_no_queue_of_a_step_by_itself() -> None:
    # a probe of 20 a second was cut with all of its requests under way; the next one's are answered in 0.5 s
    scheduled = np.concatenate([np.arange(200) / 20, 20 + np.arange(20) / 2])
    ended = np.where(scheduled < 20, np.nan, scheduled + 0.5)

    assert open_facts(scheduled, scheduled, ended, np.full(220, 0.5), (20.0, 30.0)).queue_at_start is None
