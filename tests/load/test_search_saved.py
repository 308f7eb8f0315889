"""What a search took beside a ladder that doubles, worked by hand, and how that is said."""

import pytest
from search_cases import LIMITS, probe, rates, users

from harness.load.search.saved import saved, saved_words
from harness.rundir.search import Saved


def test_what_a_decision_saved_against_the_ladder_is_counted() -> None:
    # rates 1, 2, 4 ... 64 with a p95: lengths 5 + 143/r, at least 30 s: 148, 76.5, 40.75, 30, 30, 30, 30 = 385.25 s
    # requests r * length: 148 + 153 + 163 + 240 + 480 + 960 + 1920 = 4064
    # spent: 148 s at 1/s and 76.5 s at 2/s = 224.5 s and 148 + 153 = 301 requests
    history = [
        probe(1, True, length_s=148, seconds=148, requests_per_s=1.0),
        probe(2, True, length_s=76.5, seconds=76.5, requests_per_s=2.0),
    ]

    less = saved(rates(), LIMITS, history, usd_per_hour=36.0)

    assert less.seconds == pytest.approx(385.25 - 224.5, abs=0.01)
    assert less.requests == pytest.approx(4064 - 301, abs=0.2)
    assert less.usd == pytest.approx(160.75 / 100, abs=0.001)  # 36 USD/h is a cent a second


def test_an_unknown_price_saves_an_unknown_sum() -> None:
    assert saved(rates(), LIMITS, [probe(1, True)], None).usd is None


def test_no_dust_is_left_of_sums() -> None:
    # 0.1 + 0.2 s of probes against a ladder of 0.3 s
    history = [probe(1, True, length_s=0.1, seconds=0.1), probe(2, True, length_s=0.2, seconds=0.2)]

    assert saved(users(high=2), LIMITS, history, 1.0).seconds == 0.0


def test_what_was_saved_is_said_either_way() -> None:
    search, found = users(), [probe(20, True), probe(21, False)]

    assert saved_words(search, found, Saved(seconds=57.0, requests=1234.0, usd=0.5)) == (
        " (saved 1,234 requests, 57 s, USD 0.500 against the fixed ladder)"
    )
    assert saved_words(search, found, Saved(seconds=-60.0, requests=-90.0, usd=None)) == (
        " (took 60 s more than a ladder that doubles from 1 to 64 users, which would have left 16 to 32 users open)"
    )
    assert saved_words(search, found, Saved(seconds=0.4, requests=-90.0, usd=None)) == ""
