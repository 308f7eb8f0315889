"""Which tasks are asked in each round, and what is said then."""

from typing import Any

import pytest
from task_cases import answered, spec_of, task_of

from harness.rundir.judged import Verdict
from harness.scenario.asks import read_asks, write_asks
from harness.tasks import Answered, NextRound, first_asks, next_asks

ELSEWHERE = {"url": "http://127.0.0.1:9", "model": "m"}
TASKS = [task_of(f"t{number}") for number in range(20)]


def verdict(success: bool | None, task: str = "t", attempt: int = 1, why: str = "no good") -> Verdict:
    return Verdict(f"{task}-{attempt}", task, attempt, success, why, "json")


def after(
    policy: list[str], verdicts: list[Verdict], answers: list[Answered] | None = None, **task: Any
) -> NextRound | None:
    spec = spec_of(on_failure=policy, **({"escalate": ELSEWHERE} if "escalate" in policy else {}))
    said = answers if answers is not None else [answered(f"a{one.attempt}", one.task, one.attempt) for one in verdicts]
    names = dict.fromkeys(one.task for one in verdicts)
    return next_asks(spec, [task_of(name, **task) for name in names], verdicts, said)


def test_each_task_is_asked_once_in_an_order_of_the_seed() -> None:
    asked = [ask.task for ask in first_asks(spec_of(), TASKS, 1)]

    assert sorted(asked) == sorted(task.id for task in TASKS)
    assert asked != [task.id for task in TASKS]
    assert asked == [ask.task for ask in first_asks(spec_of(), TASKS, 1)]
    assert asked != [ask.task for ask in first_asks(spec_of(), TASKS, 2)]


def test_a_sample_is_the_beginning_of_that_order() -> None:
    whole = first_asks(spec_of(), TASKS, 1)

    assert first_asks(spec_of(max_tasks=5), TASKS, 1) == whole[:5]
    assert first_asks(spec_of(max_tasks=50), TASKS, 1) == whole


def test_asks_read_back_as_they_were_written(tmp_path: Any) -> None:
    schema = {"kind": "json_schema", "schema": {"type": "object"}}
    tasks = [task_of("ü\n\u2028", schema, turns=["b\r\n", "c"])]
    asks = first_asks(spec_of(constrained="json_schema"), tasks, 1)

    write_asks(tmp_path / "asks-1.jsonl", asks)

    assert read_asks(tmp_path / "asks-1.jsonl") == asks
    assert asks[0].schema == {"type": "object"}


def test_only_what_failed_is_asked_again() -> None:
    verdicts = [verdict(True, "solved"), verdict(False, "failed"), verdict(None, "unknown")]

    upcoming = after(["again"], verdicts)

    assert upcoming is not None
    assert [(ask.task, ask.attempt) for ask in upcoming.asks] == [("failed", 2)]
    assert upcoming.role == "attempts"


@pytest.mark.parametrize(
    ("policy", "verdicts"),
    [
        ([], [verdict(False)]),
        (["repair"], [verdict(False)]),
        (["again"], [verdict(True)]),
        (["again"], [verdict(None)]),
        (["again"], []),
        (["again"], [verdict(False), verdict(False, attempt=2)]),
        (["again", "again"], [verdict(False), verdict(True, attempt=2)]),
    ],
)
def test_it_ends_with_the_policy_or_with_the_last_failure(policy: list[str], verdicts: list[Verdict]) -> None:
    assert after(policy, verdicts) is None


def said(upcoming: NextRound | None) -> list[tuple[str, str]]:
    assert upcoming is not None
    (ask,) = upcoming.asks
    return [(message["role"], message["content"]) for message in ask.messages]


COMPLAINT = "That answer was not accepted: no good\nAnswer again, with the answer alone."
ASKED = ("user", "ask t")


def test_an_error_is_appended_behind_the_answer_it_is_about() -> None:
    assert said(after(["with_error"], [verdict(False)])) == [ASKED, ("assistant", "a1"), ("user", COMPLAINT)]


def test_errors_add_up_and_again_begins_anew() -> None:
    two = [verdict(False), verdict(False, attempt=2)]

    grown = said(after(["with_error", "with_error"], two))

    assert grown == [ASKED, ("assistant", "a1"), ("user", COMPLAINT), ("assistant", "a2"), ("user", COMPLAINT)]
    assert said(after(["with_error", "again"], two)) == [ASKED]
    assert said(after(["again", "with_error"], two)) == [ASKED, ("assistant", "a2"), ("user", COMPLAINT)]


def test_an_escalation_begins_anew_elsewhere() -> None:
    upcoming = after(["with_error", "escalate"], [verdict(False), verdict(False, attempt=2)])

    assert upcoming is not None
    assert upcoming.role == "escalation"
    assert said(upcoming) == [ASKED]


@pytest.mark.parametrize("failed", [answered(None, error="http_500"), answered(""), answered("x", error="reset")])
def test_where_nothing_was_answered_nothing_is_complained_of(failed: Answered) -> None:
    assert said(after(["with_error"], [verdict(False)], [failed])) == [ASKED]


def test_a_conversation_is_led_again_and_the_error_is_its_last_turn() -> None:
    upcoming = after(["with_error"], [verdict(False)], turns=["second"])

    assert said(upcoming) == [ASKED]
    assert upcoming is not None
    assert upcoming.asks[0].turns == ("second", COMPLAINT)


def test_half_a_character_in_an_answer_can_be_said_again() -> None:
    upcoming = after(["with_error"], [verdict(False)], [answered("x\ud800y")])

    assert said(upcoming)[1] == ("assistant", "x?y")


@pytest.mark.parametrize(("expected", "told"), [("42", "it is not right"), (None, "no good")])
def test_a_judges_words_are_not_told_where_it_was_shown_the_right_answer(expected: str | None, told: str) -> None:
    upcoming = after(["with_error"], [verdict(False)], checker={"kind": "judge"}, expected=expected)

    assert said(upcoming)[2] == ("user", f"That answer was not accepted: {told}\nAnswer again, with the answer alone.")
