"""When a probe is lost before it ends, worked by hand."""

from pathlib import Path
from typing import Any

import pytest
from faulty_server import FaultyServer
from load_helpers import scenario

from harness.load.conduct.giving_up import Tally, cannot_pass, late_after_s, most_to_come
from harness.load.protocol import Live
from harness.load.run_events import RunEvent
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions
from harness.rundir.read import read_records
from harness.rundir.recorder import NewRows
from harness.scenario import Limit

P95 = (Limit("ttft", "p95", 1.0),)
P50 = (Limit("ttft", "p50", 1.0),)


def tally(*, within: int = 0, over: int = 0, failed: int = 0) -> Tally:
    """`within` requests whose first token came after 0.5 s, `over` ones after 1.5 s; all took 2 s."""
    out = Tally()
    for first_s, count in ((0.5, within), (1.5, over)):
        for _ in range(count):
            out.add(row(first_token_s=first_s))
    for _ in range(failed):
        out.add(row(error="http_500"))
    return out


def row(**more: Any) -> dict[str, Any]:
    return {
        "request_id": "r",
        "error": None,
        "error_detail": None,
        "sent_s": 0.0,
        "first_token_s": 0.5,
        "finished_s": 2.0,
        "output_tokens": 4,
        "events": 4,
        "tpot_share": 0.75,
    } | more


def test_what_others_than_the_server_refuse_loses_no_step() -> None:
    refused = tally(within=5)
    for _ in range(50):
        refused.add(row(error="http_429", error_detail="Rate limit reached"))
    overloaded = tally(within=5)
    for _ in range(50):
        overloaded.add(row(error="http_429", error_detail="Model is overloaded"))

    assert not cannot_pass(refused, 0, P95, 0.01)
    assert cannot_pass(overloaded, 0, P95, 0.01)


@pytest.mark.parametrize(
    ("within", "over", "to_come", "lost"),
    [
        # lost when so many over it would be rare (at most once in twenty times) even if all others were within
        (5, 9, 86, False),  # 9 of 100: 6.3 %
        (5, 10, 85, True),  # 10 of 100: 2.8 %
        (5, 10, 105, False),  # 10 of 120: 7.9 %
        (86, 10, 0, True),  # 10 of 96: 2.2 %
        (90, 6, 0, False),  # 6 of 96: the point is over, but that happens
        (0, 9, 0, False),  # fewer than ten decide nothing
        (0, 10, 0, True),
        (0, 10, 1000, False),
    ],
)
def test_a_p95_is_lost_when_the_rest_cannot_dilute_it(within: int, over: int, to_come: int, lost: bool) -> None:
    assert cannot_pass(tally(within=within, over=over), to_come, P95, 0.01) is lost


def test_who_has_waited_longer_than_the_limit_has_broken_it() -> None:
    waiting = tally(within=5)
    # ten of 8.9 have waited 1.1 s, above the limit; the one of 2.0 was due before the window
    waiting.wait([("a", 2.0, 8.0), *[(f"b{n}", 8.9, 1.1) for n in range(10)], ("c", 9.5, 0.5)], 5.0)

    # 10 of those to come are late already: of 100 that is too many, of 120 it is not (see above)
    assert waiting.waits_s == [1.1] * 10 + [0.5]
    assert cannot_pass(waiting, 95, P95, 0.01)
    assert not cannot_pass(waiting, 115, P95, 0.01)
    assert not cannot_pass(waiting, 95, (Limit("tpot", "p95", 1.0),), 0.01)  # they may still be quick tokens


def test_who_waits_is_counted_once() -> None:
    counted = Tally()
    counted.add(row(request_id="a", sent_s=8.9, first_token_s=10.1, finished_s=11.0))

    counted.wait([("a", 8.9, 1.1), ("b", 8.9, 1.1)], 5.0)  # from before its row came, and another of that instant

    assert counted.waits_s == [1.1]


@pytest.mark.parametrize(
    ("over", "slo", "late_s"),
    [
        ("users", {"ttft_p95_s": 2, "e2e_p50_s": 0.5, "tpot_p95_s": 0.1}, 0.5),
        ("users", {"tpot_p95_s": 0.1}, None),  # whoever waits may still be quick
        ("requests_per_s", {"ttft_p95_s": 2}, 2),
    ],
)
def test_it_hears_of_those_who_have_waited_longer_than_the_shortest_limit(
    over: str, slo: dict[str, float], late_s: float | None
) -> None:
    load = {"kind": "search", "over": over, "low": 1, "high": 3}

    assert late_after_s(scenario(load=load, slo=slo)) == late_s


def test_a_search_hears_who_is_waiting_by_the_ids_of_their_rows(tmp_path: Path) -> None:
    lives: list[Live] = []
    searching = {"kind": "search", "over": "users", "low": 3, "high": 3, "step_s": 2.5, "warmup_s": 0,
                 "max_step_s": 2.5, "max_probes": 1}  # fmt: skip

    def on_event(event: RunEvent) -> None:
        if isinstance(event, Live):
            lives.append(event)

    with FaultyServer() as server:
        options = RunOptions(
            scenario=scenario(load=searching, slo={"ttft_p50_s": 0.3}), base_dir=tmp_path, backend="vllm",
            out_dir=tmp_path, urls=[server.url("slow-first-token=1.7")],
        )  # fmt: skip
        measured = measure(options, on_event)

    rows = read_records(measured.run_dir).set_index("request_id")
    waiting = [one for live in lives for one in live.waiting]
    assert waiting
    for request_id, scheduled_s, waited_s in waiting:
        assert rows.loc[request_id, "scheduled_s"] == scheduled_s
        assert 0.3 < waited_s < 1.9


def test_before_ten_have_ended_the_unloaded_time_bounds_what_can_come() -> None:
    # 4 users, 6 s left, a request at the smallest load took 2 s: 4 under way and 3 more of each
    assert most_to_come(Tally(), 4, 6.0, 2.0) == 16
    assert most_to_come(Tally(), 4, 6.0) is None


def test_a_median_needs_half() -> None:
    # 15 heads or more of 21 coins: 3.9 %; of 22: 6.7 %
    assert cannot_pass(tally(over=15), 6, P50, 0.01)
    assert not cannot_pass(tally(over=15), 7, P50, 0.01)


def test_failures_lose_it_when_the_rest_cannot_dilute_them() -> None:
    # where 1 % may fail, 2 of 35 are rare: 1 - 0.99^35 - 0.35 x 0.99^34 = 4.8 %; of 36: 5.04 %
    assert cannot_pass(tally(within=20, failed=2), 13, P95, 0.01)
    assert not cannot_pass(tally(within=20, failed=2), 14, P95, 0.01)


def test_what_was_cut_by_plan_is_no_failure() -> None:
    seen = tally(within=20)
    for _ in range(20):
        seen.add(row(error="cut_at_end"))

    assert seen.failed == 0
    assert not cannot_pass(seen, 0, P95, 0.01)


def test_each_limit_looks_at_its_own_latency() -> None:
    # first token 0.5 s, whole 2 s, and (2 - 0.5) / 3 = 0.5 s a token
    seen = tally(within=10)

    assert cannot_pass(seen, 0, (Limit("tpot", "p50", 0.49),), 0.01)
    assert not cannot_pass(seen, 0, (Limit("tpot", "p50", 0.5),), 0.01)
    assert cannot_pass(seen, 0, (Limit("e2e", "p50", 1.9),), 0.01)
    assert not cannot_pass(seen, 0, (Limit("ttft", "p50", 0.5),), 0.01)


def test_answers_of_one_token_or_an_unknown_number_have_no_time_per_token() -> None:
    seen = Tally()
    for tokens in (1, None):
        seen.add(row(output_tokens=tokens))

    assert seen.latencies_s["tpot"] == []
    assert len(seen.latencies_s["e2e"]) == 2


def test_the_most_to_come_is_what_the_users_could_do_at_the_fastest_pace() -> None:
    # the fastest took 2 s: in 5 s a user begins 3 more, besides the one under way
    assert most_to_come(tally(within=10), 4, 5.0) == 4 * (1 + 3)
    assert most_to_come(tally(within=10), 4, -1.0) == 4
    assert most_to_come(tally(within=9), 4, 5.0) is None


def test_rows_are_given_once_and_only_whole(tmp_path: Path) -> None:
    rows = NewRows(tmp_path)
    path = tmp_path / "records-1.jsonl"

    assert list(rows.take()) == []
    path.write_text('{"step": 0, "retried": false}\n{"st')
    assert list(rows.take()) == [{"step": 0, "retried": False}]
    assert list(rows.take()) == []
    path.write_text('{"step": 0, "retried": false}\n{"step": 1, "retried": false}\n')
    (tmp_path / "records-2.jsonl").write_text('{"step": 2, "retried": false}\n')
    assert list(rows.take()) == [{"step": 1, "retried": False}, {"step": 2, "retried": False}]
