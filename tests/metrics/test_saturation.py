import numpy as np
import pytest

from harness.metrics.saturation import OpenFacts, in_flight_at, is_growing, open_facts, peak_in_flight


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

    facts = open_facts(scheduled, sent, sent + 0.1, (0.0, 10.0), np.full(8, 0.1))

    assert facts == OpenFacts(offered_requests_per_s=1.0, sent_requests_per_s=0.8, not_sent=2, over_saturated=False)


def test_a_server_at_eight_tenths_of_the_rate_is_over_saturated() -> None:
    # 10 a second for 30 s; one server that takes 0.125 s for each: answer n ends at (n + 1) / 8
    scheduled = np.arange(300) / 10
    ended = (np.arange(300) + 1) / 8

    facts = open_facts(scheduled, scheduled, ended, (0.0, 30.0), ended - scheduled)

    assert facts.over_saturated is True


def test_a_window_as_short_as_its_requests_says_nothing() -> None:
    # 100 a second, each takes 10 s: in 9 s the server only fills up
    scheduled = np.arange(900) / 100

    facts = open_facts(scheduled, scheduled, scheduled + 10, (0.0, 9.0), np.full(900, 10.0))

    assert facts.over_saturated is False
