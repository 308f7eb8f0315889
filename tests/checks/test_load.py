from collections.abc import Iterable

from harness.checks.load import load_checks, open_checks
from harness.rundir.of_step import LoadOfStep
from harness.rundir.result import Check, WindowOfStep
from harness.rundir.results import Step

STEP = Step(
    step=0, load=LoadOfStep(kind="open", requests_per_s=10.0), window=WindowOfStep(start_s=0.0, end_s=30.0),
    requests=300, offered_requests_per_s=10.0, sent_requests_per_s=10.0, not_sent=0, over_saturated=False,
)  # fmt: skip


def step(**more: object) -> Step:
    return STEP.model_copy(update=more)


def codes(found: Iterable[Check]) -> list[tuple[str, str]]:
    return [(check.code, check.level) for check in found]


def test_a_step_that_went_as_planned_has_no_finding() -> None:
    assert not list(open_checks(step(), is_goodput=True))


def test_a_closed_step_has_no_plan_to_miss() -> None:
    assert not list(open_checks(step(offered_requests_per_s=None, sent_requests_per_s=None), is_goodput=True))


def test_two_requests_at_the_edge_are_no_missed_rate() -> None:
    # 300 planned; 2 left after the window's end
    assert not list(open_checks(step(sent_requests_per_s=298 / 30), is_goodput=True))


def test_a_rate_that_was_not_reached_is_the_clients_fault() -> None:
    # 300 planned: 6 late are 2 %, 30 late are 10 %
    assert codes(open_checks(step(sent_requests_per_s=294 / 30), is_goodput=True)) == [("rate_missed", "warning")]
    assert codes(open_checks(step(sent_requests_per_s=270 / 30), is_goodput=True)) == [("rate_missed", "error")]


def test_dropped_arrivals_are_no_missed_rate() -> None:
    found = list(open_checks(step(sent_requests_per_s=250 / 30, not_sent=50), is_goodput=True))

    assert codes(found) == [("not_sent", "warning")]
    assert "at 10 requests/s 50 arrivals were dropped" in found[0].message


def test_overload_is_an_error_only_where_no_step_passes() -> None:
    assert codes(open_checks(step(over_saturated=True), is_goodput=True)) == [("over_saturated", "warning")]
    assert codes(open_checks(step(over_saturated=True), is_goodput=False)) == [("over_saturated", "error")]


def test_a_process_that_died_is_an_error_with_its_share() -> None:
    client = {"workers": 4, "lost_workers": [{"worker": 2, "how": "signal 9", "t_s": 12.3}]}

    (found,) = load_checks("closed", client)

    assert found.level == "error"
    assert "load process 3 of 4 died after 12 s (signal 9)" in found.message


def test_a_ramp_is_said_to_be_unsteady() -> None:
    assert codes(load_checks("ramp", {"workers": 1})) == [("not_steady", "warning")]
    assert not list(load_checks("open", {"workers": 1}))


def test_a_search_that_stopped_early_says_that_its_goodput_is_no_maximum() -> None:
    client = {"workers": 1, "search": {"reason": "decided", "text": "0.9 requests/s or more are enough"}}

    (found,) = load_checks("search", client)

    assert (found.code, found.level) == ("search_stopped", "warning")
    assert "0.9 requests/s or more are enough" in found.message
    assert not list(load_checks("search", {"workers": 1, "search": {"reason": "found", "text": "..."}}))


def elsewhere(**clock: float) -> dict[str, object]:
    known = {"error_s": 0.0002, "moved_s": 0.0001, "moved_error_s": 0.0004, "echoes": 60} | clock
    return {"workers": 2, "remote_workers": [{"worker": 1, "host": "load-2", "cores": 4, "clock": known}]}


def test_a_workers_clock_that_is_known_well_says_nothing() -> None:
    assert not list(load_checks("closed", elsewhere()))


def test_a_workers_clock_that_is_not_known_well_or_moved_away_is_said_with_its_host() -> None:
    (vague,) = load_checks("closed", elsewhere(error_s=0.012))
    # it moved 25 ms, of which 1 may be how badly both ends are known: 24 for sure, and 0.2 from the start
    (moved,) = load_checks("closed", elsewhere(moved_s=-0.025, moved_error_s=0.001))

    assert (vague.code, vague.level) == ("clock_apart", "warning")
    assert "worker 2 (load-2) is off by up to 12 ms" in vague.message
    assert "off by up to 24 ms" in moved.message


def test_a_worker_that_was_lost_on_another_machine_is_named_with_it() -> None:
    client = elsewhere() | {"lost_workers": [{"worker": 1, "how": "signal 9", "t_s": 12.0}]}

    (found,) = load_checks("closed", client)

    assert "load process 2 of 2 on load-2 died after 12 s (signal 9)" in found.message


def test_arrivals_that_a_rate_limit_held_up_are_neither_the_clients_fault_nor_the_servers() -> None:
    one = step(sent_requests_per_s=200 / 30, not_sent=50)
    (found,) = open_checks(one, is_goodput=True, is_rate_limited=True)

    assert (found.code, found.level) == ("not_sent", "warning")
    assert "50 arrivals were not sent: the API's rate limit held up those before them" in found.message
    assert "account's limit" in str(found.hint)
