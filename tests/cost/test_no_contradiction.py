"""Verdict, windows, the bills at a volume and the array form say the same, whatever is free or bought by the unit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cost import decide
from harness.cost.breakeven.decision import decide_parsed, parse
from harness.cost.breakeven.vector import VERDICTS, case_of, evaluate
from harness.cost.breakeven.words import sentence

NIGHT_OFF = [0] * 8 + [1, 2, 4, 4, 3, 4, 4, 2, 1, 1] + [0] * 6
WEEK = ([0] * 9 + [3] * 8 + [1] * 7) * 5 + [0] * 48


def amounts(*plain: float) -> st.SearchStrategy[float]:
    """0, and amounts of any size, exact in cents."""
    return st.one_of(st.just(0.0), st.sampled_from(plain), st.integers(1, 3000).map(lambda cents: cents / 100))


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that a decision may hold; every amount may be 0."""
    profile = draw(st.sampled_from([None, None, NIGHT_OFF, WEEK, [1] * 24]))
    work: dict[str, Any] = {
        "classes": [{"input_tokens": draw(st.integers(0, 9000)), "output_tokens": draw(st.integers(0, 900))}],
        "retry_failure_rate": draw(st.sampled_from([0, 0, 0.08])),
        "max_retries": draw(st.sampled_from([0, 2, None])),
        "response_cache_hit_rate": draw(st.sampled_from([0, 0, 0.2])),
    }
    work |= {"peak_to_mean": draw(st.sampled_from([1, 2.5]))} if profile is None else {"hourly_profile": profile}
    box: dict[str, Any] = {
        "usd_per_hour": draw(amounts(1.0, 5.672)),
        "goodput_requests_per_s": draw(st.sampled_from([None, 0, 0.01, 0.6, 0.6, 2, 2, 15, 15])),
        "min_instances": draw(st.sampled_from([1, 1, 3] if profile is None else [0, 0, 1, 3])),
        "fixed_usd_per_month": draw(amounts(8666.67)),
    }
    if draw(st.integers(0, 4)) == 0:
        box |= {"billing": "per_second", "usd_per_second": draw(st.sampled_from([None, 0, 0.00116]))}
    elif box["min_instances"] == 0:
        box |= {"cold_start_s": draw(st.sampled_from([0, 120])), "idle_s": draw(st.sampled_from([0, 300, 5000]))}
    api: dict[str, Any] = {
        "input_usd_per_mtok": draw(st.sampled_from([0, 0.1, 3, 3])),
        "output_usd_per_mtok": draw(st.sampled_from([0, 0, 0.4, 15])),
        "fixed_usd_per_month": draw(amounts(2448.0)),
        "usd_per_request": draw(st.sampled_from([0, 0, 0.001])),
        "success_rate": draw(st.sampled_from([None, None, 0.9])),
        "units_usd_per_month": draw(st.one_of(st.just(0.0), amounts(2448.0, 500.0))),
    }
    if api["units_usd_per_month"] > 0:
        size = draw(st.sampled_from([None, "unit_tasks_per_month", "unit_tokens_per_s"]))
        api |= {} if size is None else {size: draw(st.sampled_from([40.0, 5000.0, 1e6]))}
    return {"workload": work, "self_host": box, "api": api}


def volumes_around(windows: list[list[float | None]]) -> list[float]:
    """Just inside and just outside of each edge."""
    edges = [edge for window in windows[:8] for edge in window if edge]
    return [edge * off for edge in edges for off in (1 - 1e-6, 1 + 1e-6)]


@given(inputs(), st.lists(st.integers(1, 10**9), min_size=1, max_size=8))
@settings(max_examples=500, deadline=None)
def test_at_every_volume_the_cheaper_side_is_the_one_that_the_windows_say(
    given_inputs: dict[str, Any], volumes: list[float]
) -> None:
    got = decide(given_inputs)
    windows = got["winning_windows"]

    for volume in [0, *volumes, *volumes_around(windows)]:
        given_inputs["workload"]["tasks_per_month"] = volume
        at = decide(given_inputs)["at_volume"]
        inside = any(low <= volume <= (volume if high is None else high) for low, high in windows)
        at_an_edge = any(e is not None and 0 < abs(volume - e) <= 1e-8 * e for w in windows for e in w)
        idle_tie = volume == 0 and at["api_usd"] == at["self_usd"]  # alike without tasks: no volume is won
        beyond = got["windows_truncated"] and volume > windows[0][0]
        if not at_an_edge and not idle_tie and not (beyond and not inside):
            assert (at["winner"] == "self_host") == inside
        if at["self_usd"] is not None and abs(at["api_usd"] - at["self_usd"]) > 1e-9 * at["api_usd"]:
            assert (at["api_usd"] > at["self_usd"]) == (at["winner"] == "self_host")


@given(inputs())
@settings(max_examples=500, deadline=None)
def test_the_verdict_is_the_windows_in_one_word(given_inputs: dict[str, Any]) -> None:
    got = decide(given_inputs)
    windows, permanent = got["winning_windows"], got["permanent_win_tasks_per_month"]

    assert got["verdict"] == ("never" if not windows else "yes" if windows[-1][1] is None else "window")
    assert got["first_win_tasks_per_month"] == (windows[0][0] if windows else None)
    assert permanent == (windows[-1][0] if windows and windows[-1][1] is None else None)
    assert all(high is not None for _, high in windows[:-1])
    assert all(one[1] < other[0] or got["windows_truncated"] for one, other in pairwise(windows))
    assert all(high is None or low <= high for low, high in windows)


@given(inputs(), st.sampled_from([1, 400_000, 30_000_000]))
@settings(max_examples=200, deadline=None)
def test_the_words_say_the_verdict_and_the_winner(given_inputs: dict[str, Any], volume: int) -> None:
    given_inputs["workload"]["tasks_per_month"] = volume
    parsed = parse(given_inputs)
    decided = decide_parsed(parsed)
    assert decided.at_volume is not None

    said = sentence(parsed, decided)

    assert ("never wins" in said) == (decided.verdict == "never")
    assert (" only" in said) == (decided.verdict == "window")
    if decided.capacity_tasks_per_month is not None and "both cost the same" not in said:
        assert (": self-hosting wins; it " in said) == (decided.at_volume.winner == "self_host")
        assert (": the API wins; self-hosting " in said) == (decided.at_volume.winner == "api")


@given(inputs(), st.lists(st.integers(0, 10**8), min_size=2, max_size=4))
@settings(max_examples=400, deadline=None)
def test_many_at_once_are_decided_as_each_alone(given_inputs: dict[str, Any], volumes: list[float]) -> None:
    out = evaluate(case_of(parse(given_inputs), 0.0).but(tasks_per_month=np.array(volumes, float)))

    for i, volume in enumerate(volumes):
        given_inputs["workload"]["tasks_per_month"] = volume
        alone = decide(given_inputs)
        at = alone["at_volume"]
        assert VERDICTS[out.verdict[i]] == alone["verdict"]
        assert np.isclose(out.api_usd[i], at["api_usd"], rtol=1e-12)
        assert ("self_host" if out.self_host_wins[i] else "api") == at["winner"]
        if at["self_usd"] is None:
            assert np.isnan(out.self_usd[i])
        else:
            assert np.isclose(out.self_usd[i], at["self_usd"], rtol=1e-12)
            assert out.instances[i] == at["instances"]
