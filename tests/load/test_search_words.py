"""What a search says, for people: plurals, open ends, doubts."""

from search_cases import probe, rates, users

from harness.load.search.probes import Probe, Standing, standings
from harness.load.search.words import count_words, decided_words, found_words, load_words, lost_words


def one(load: float, passed: bool, *, sure: bool = True) -> Standing:
    verdict = ("yes" if passed else "no") if sure else "not_sure"
    (standing,) = standings([probe(load, passed, verdict=verdict)])
    return standing


def test_a_load_has_its_plural() -> None:
    assert load_words(users(), 1) == "1 user"
    assert load_words(users(), 32) == "32 users"
    assert load_words(rates(), 1) == "1 requests/s"


def test_what_was_found_is_said_with_its_doubt() -> None:
    assert found_words(users(), one(1, True), one(2, False)) == "1 user passes, 2 users fail"
    assert found_words(users(), one(20, True, sure=False), one(21, False)) == (
        "20 users pass (not for sure), 21 users fail"
    )
    assert found_words(users(), one(20, True, sure=False), one(21, False, sure=False)) == (
        "20 users pass, 21 users fail, neither for sure"
    )


def test_an_open_end_is_said() -> None:
    assert found_words(users(), one(64, True), None) == "64 users still meet the limits"
    assert found_words(users(), one(1, True), None) == "1 user still meets the limits"
    assert found_words(rates(), None, one(0.25, False)) == "0.25 requests/s cannot meet the limits"


def test_a_probe_that_is_cut_is_said_without_a_dict() -> None:
    assert lost_words(users(), 32, 12.3) == "32 users cannot meet the limits any more: stopped after 12 s"
    assert lost_words(rates(), 20, 4.0) == "20 requests/s make the queue grow: stopped after 4 s"


def test_loads_and_repeats_are_counted_apart() -> None:
    history: list[Probe] = [probe(1, True), probe(4, False), probe(2, True), probe(2, True)]

    assert count_words(history) == "3 loads were tried, 1 probe repeated one"
    assert count_words(history[:1]) == "1 load was tried"


def test_a_decision_leaves_out_the_side_that_has_nobody() -> None:
    assert decided_words(1.5, 4.0, {"a": 1.4}) == "1.5 requests/s or more are enough against a (needs 1.4)"
