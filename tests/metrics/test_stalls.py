"""When a silence is a stall of the server; expected values by hand."""

from typing import Any

import pytest

from harness.metrics.timeline import timeline_of
from harness.metrics.windows import Stamps, columns
from harness.rundir.arrivals import Arrivals
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.steps import RanStep
from harness.rundir.timeline import Stall, Timeline

STEPS = [
    RanStep(step=n, load=LoadOfStep(kind="closed", users=4), start_s=40.0 * n, window_start_s=40.0 * n + 2,
            end_s=40.0 * n + 38, held_s=40.0 * n + 40)
    for n in range(2)
]  # fmt: skip


def answer(n: int, sent_s: float, length_s: float = 2.0, **more: Any) -> dict[str, Any]:
    """First token 0.2 s after it was sent, the last `length_s` after; at most 50 ms between two."""
    return {
        "request_id": f"r{n}", "step": 0, "scheduled_s": sent_s, "sent_s": sent_s, "first_token_s": sent_s + 0.2,
        "finished_s": sent_s + length_s, "output_tokens": 40, "max_gap_s": 0.05,
    } | more  # fmt: skip


def users(stall_s: float = 0.0, at_s: float = 50.9, users: int = 4) -> list[dict[str, Any]]:
    """Each asks every 2 s, a quarter of it apart, for 80 s; all that is later than `at_s` is `stall_s` later."""
    rows = []
    for n in range(40 * users):
        row = answer(n, 2.0 * (n // users) + 2.0 / users * (n % users))
        for name in ("sent_s", "scheduled_s", "first_token_s", "finished_s"):
            row[name] += stall_s if row[name] > at_s else 0.0
        if row["first_token_s"] <= at_s < row["finished_s"]:
            row["max_gap_s"] += stall_s
        rows.append(row)
    return rows


def over_time(rows: list[dict[str, Any]], arrivals: Arrivals | None = None) -> Timeline:
    data = columns(typed(rows), from_schedule=False)
    stamps = None if arrivals is None else Stamps(arrivals, arrivals.rows_of(data.request_id))
    found = timeline_of(data, STEPS, stamps, timeout_s=10.0)
    assert found is not None
    return found


def stalls(rows: list[dict[str, Any]], arrivals: Arrivals | None = None) -> tuple[Stall, ...]:
    return over_time(rows, arrivals).stalls


def test_a_load_without_a_hole_has_no_stall() -> None:
    assert stalls(users()) == ()


def test_a_silence_of_everybody_is_a_stall_with_its_second_and_step() -> None:
    # sent at 48, 48.5 ... : the last first token before 50.9 is at 50.7, then nothing until 51 + 3 is over
    (found,) = stalls(users(stall_s=3.0))

    assert found == Stall(step=1, start_s=50.7, end_s=54.0, length_s=3.05, in_flight=4)


def test_no_tokens_are_spread_into_a_stall() -> None:
    # four answers are under way; 39 tokens each over 4.8 s less the 3.05 s of the stall, which is 3.05 of the 3.3 s
    # from 50.7 to 54
    found = over_time(users(stall_s=3.0))

    per_s = 4 * 39 / 1.75 * (1 - 3.05 / 3.3)
    assert found.output_tokens_per_s[51:54] == pytest.approx([per_s] * 3, abs=0.001)
    *whole, last = found.output_tokens_per_s
    assert sum(whole) + last * (found.end_s - len(whole)) == pytest.approx(160 * 40, abs=0.1)


def test_arrivals_tell_the_exact_second() -> None:
    rows = users(stall_s=3.0)
    through = {f"r{n}" for n, row in enumerate(rows) if row["max_gap_s"] > 3}
    stamps = {row["request_id"]: [int(row["first_token_s"] * 1e6), int(row["finished_s"] * 1e6)] for row in rows}
    stamps |= {name: [stamps[name][0], 50_850_000, 53_920_000, stamps[name][1]] for name in through}

    (found,) = stalls(rows, Arrivals.of(stamps))

    assert (found.start_s, found.end_s, found.length_s) == pytest.approx((50.85, 53.92, 3.07))


def test_arrivals_of_one_user_inside_the_silence_deny_it() -> None:
    rows = users(stall_s=3.0)
    stamps = {row["request_id"]: [int(row["first_token_s"] * 1e6), int(row["finished_s"] * 1e6)] for row in rows}
    talks = next(row for row in rows if row["max_gap_s"] > 3)
    talks["max_gap_s"] = 1.5
    stamps[talks["request_id"]] = [stamps[talks["request_id"]][0], *range(51_000_000, 54_000_000, 500_000)]

    assert stalls(rows, Arrivals.of(stamps)) == ()


def test_one_slow_user_is_no_stall_while_others_get_tokens() -> None:
    rows = [*users(), answer(900, 20.0, 20.0, max_gap_s=12.0)]

    assert stalls(rows) == ()


def test_a_user_who_gets_tokens_through_a_pause_of_first_and_last_ones_denies_a_stall() -> None:
    rows = [*users(stall_s=3.0), answer(900, 50.0, 8.0, max_gap_s=0.1)]

    assert stalls(rows) == ()


def test_two_gaps_that_need_not_have_met_are_no_stall() -> None:
    # after a load of usual answers two long ones run alone from 85.2 to 95: gaps of 4 s may lie anywhere in it
    rows = [*users(), answer(900, 85.0, 10.0, max_gap_s=4.0), answer(901, 85.0, 10.0, max_gap_s=4.0)]

    assert stalls(rows) == ()
    for row in rows[-2:]:
        row["max_gap_s"] = 6.0  # two of more than half of 9.8 s have met
    assert [stall.length_s for stall in stalls(rows)] == [6.0]


def test_a_prefill_alone_is_no_stall() -> None:
    # one user; every answer waits 5 s for its first token and then comes within a second
    rows = [answer(n, 6.0 * n, 6.0, first_token_s=6.0 * n + 5.0) for n in range(12)]

    assert stalls(rows) == ()


def test_a_prefill_that_holds_up_its_neighbour_is_no_stall() -> None:
    # each of two users waits 1.5 s for a first token, and so does the other's answer meanwhile
    rows = [answer(n, 3.0 * n, 5.0, first_token_s=3.0 * n + 1.5, max_gap_s=1.55 if n % 2 else 0.05) for n in range(20)]

    assert stalls(rows) == ()


def test_the_bursts_of_a_proxy_are_no_stall() -> None:
    rows = [answer(n, 6.0 * n, 6.0, max_gap_s=2.0) for n in range(12)]

    assert stalls(rows) == ()


def test_answers_that_are_not_streamed_tell_no_stall() -> None:
    rows = [answer(n, 6.0 * n, 6.0, first_token_s=None, max_gap_s=None) for n in range(12)]

    assert stalls(rows) == ()


def test_a_time_without_requests_is_no_stall() -> None:
    assert stalls([row for row in users() if not 20 < row["sent_s"] < 50]) == ()


def test_a_server_that_never_went_on_is_a_stall_until_the_time_outs() -> None:
    # from 50.9 on nobody gets anything: the four under way end 10 s after they were sent, at 59, 59.5, 60 and 60.5
    rows = [row for row in users() if row["sent_s"] < 50.9]
    for row in rows:
        if row["finished_s"] > 50.9:
            row |= {"finished_s": 50.9, "error": "timeout"}

    (found,) = stalls(rows)

    assert (found.step, found.start_s, found.end_s, found.in_flight) == (1, 50.9, 60.5, 4)


def test_a_stall_that_most_answers_saw_is_still_one() -> None:
    rows = [answer(n, 5.0 * n, 5.0, max_gap_s=0.05 if n in (0, 5) else 3.0) for n in range(8)]

    found = stalls(rows)

    assert [stall.start_s for stall in found] == pytest.approx([5.2, 10.2, 15.2, 20.2, 30.2, 35.2])
    assert {stall.length_s for stall in found} == {3.0}
