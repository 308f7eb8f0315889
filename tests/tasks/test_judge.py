"""Answers to verdicts: what solved, what failed, and what nobody can judge."""

from pathlib import Path

import pytest
from task_cases import answered, judged, spec_of, task_of

from harness.rundir.judged import Verdict
from harness.tasks import judge

FUNCTIONS = """
import os, sys, time

def check(answer, task):
    print("what it prints is no verdict")
    match answer:
        case "raises": raise RuntimeError("two\\nlines")
        case "leaves": sys.exit(0)
        case "dies": os._exit(7)
        case "none": return None
        case "one": return 1
        case "why": return False, "too short"
        case "key": return "BREAKEVEN_TEST_KEY" in os.environ
    return answer == task["id"] and task["expected"] == 5 and task["messages"][0]["role"] == "user"

def hangs(answer, task):
    time.sleep(60 if answer == "slow" else 0)
    return True

number = 5
"""


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with functions, as that of a scenario."""
    (tmp_path / "mine_to_judge.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "error", "success", "why"),
    [
        ("{}", None, True, ""),
        ("", None, False, "not JSON: it is empty"),
        (None, "http_500", False, "the request failed: http_500"),
        ("{}", "timeout", False, "the request failed: timeout"),
        (None, "cut_at_end", None, "there is no whole answer: cut_at_end"),
        ("{}", "not_sent", None, "there is no whole answer: not_sent"),
        (None, None, None, "the text was not kept"),
    ],
)
def test_a_failed_request_failed_and_what_the_plan_cut_was_not_judged(
    text: str | None, error: str | None, success: bool | None, why: str
) -> None:
    (verdict,) = judge(spec_of(), [task_of()], [answered(text, error=error)])

    assert verdict == Verdict("t-1", "t", 1, success, why, "json")


def test_a_failure_of_a_cut_answer_says_that_it_was_cut() -> None:
    cut = [answered('{"a": ', finish_reason="length"), answered("{}", "u", finish_reason="length")]

    failed, solved = judge(spec_of(), [task_of(), task_of("u")], cut)

    assert failed.why.endswith("; it was cut at its most tokens")
    assert solved.task_success is True


def test_verdicts_come_in_the_order_of_the_answers_whatever_judges_them() -> None:
    kinds = [
        {"kind": "json"},
        {"kind": "regex", "pattern": "x"},
        {"kind": "exact"},
        {"kind": "json_schema", "schema": {}},
    ]
    tasks = [task_of(f"t{number}", kinds[number % 4], expected="5") for number in range(40)]
    answers = [answered("5" if number < 20 else "x", f"t{number}") for number in range(40)]

    verdicts = judge(spec_of(), tasks, answers)

    assert [one.task for one in verdicts] == [one.task for one in answers]
    assert [one.task_success for one in verdicts[:4]] == [False, False, True, False]  # 5 is not "5"
    assert [one.task_success for one in verdicts[20:24]] == [False, True, False, False]


def test_a_function_says_yes_or_no_and_all_else_is_not_judged(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKEVEN_TEST_KEY", "secret")
    texts = ["right", "wrong", "raises", "leaves", "dies", "none", "one", "why", "key", "right"]
    tasks = [task_of("right", {"kind": "function", "function": "mine_to_judge:check"}, expected=5)]
    answers = [answered(text, "right", attempt) for attempt, text in enumerate(texts)]

    verdicts = judge(spec_of(), tasks, answers, functions_from=beside)

    assert [(one.task_success, one.why) for one in verdicts] == [
        (True, ""),
        (False, "mine_to_judge:check says no"),
        (None, "the checker raised RuntimeError: two lines"),
        (None, "the checker raised SystemExit: 0"),
        (None, "the checker ended its process (exit 7)"),
        (None, "mine_to_judge:check gave None, which is neither True nor False"),
        (None, "mine_to_judge:check gave 1, which is neither True nor False"),
        (False, "too short"),
        (False, "mine_to_judge:check says no"),  # no key is in its environment
        (True, ""),
    ]


def test_a_function_is_not_called_unless_the_scenarios_file_was_named() -> None:
    assert judged({"kind": "function", "function": "os:getcwd"}, "x") == [None]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("mine_to_judge:gone", "the module mine_to_judge has no gone"),
        ("mine_to_judge:number", "is no function but 5"),
        ("no_such_module_here:x", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_function_that_is_not_there_judges_nothing(beside: Path, function: str, why: str) -> None:
    task = task_of(checker={"kind": "function", "function": function})

    (verdict,) = judge(spec_of(), [task], [answered("x")], functions_from=beside)

    assert verdict.task_success is None
    assert why in verdict.why


def test_a_checker_that_never_ends_costs_the_answer_that_it_was_given(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.tasks.apart.LIMIT_S", 2.0)
    tasks = [
        task_of("pattern", {"kind": "regex", "pattern": "^(a+)+$"}),
        task_of("function", {"kind": "function", "function": "mine_to_judge:hangs"}),
    ]
    answers = [
        answered("aaa", "pattern"), answered("a" * 40 + "b", "pattern"), answered("slow", "function"),
        answered("quick", "function"), answered("b", "pattern"),
    ]  # fmt: skip

    verdicts = judge(spec_of(), tasks, answers, functions_from=beside)

    assert [one.task_success for one in verdicts] == [True, None, None, True, False]
    assert {one.why for one in verdicts if one.task_success is None} == {"the checker took longer than 2 s"}


def test_a_checker_that_ends_its_process_again_and_again_is_not_asked_for_ever(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.tasks.apart.MOST_LOST", 2)
    task = task_of("right", {"kind": "function", "function": "mine_to_judge:check"}, expected=5)
    answers = [answered(text, "right", n) for n, text in enumerate(["right", "dies", "dies", "right", "right"])]

    verdicts = judge(spec_of(), [task], answers, functions_from=beside)

    assert [one.task_success for one in verdicts] == [True, None, None, None, None]
    assert verdicts[4].why == "the checkers had hung or ended their process 2 times before"


@pytest.mark.parametrize(
    ("text", "success"),
    [
        ('{"n": 1', True),
        ("{'n': 1,}", True),
        ('Sure! ```json\n{"n": 1}\n``` Anything else?', True),
        ('{"n": "1"}', False),
        ("I cannot do that.", False),
        ("", False),
    ],
)
def test_json_is_repaired_where_the_policy_says_so_and_judged_by_the_same_schema(text: str, success: bool) -> None:
    schema = {"kind": "json_schema", "schema": {"properties": {"n": {"type": "integer"}}, "required": ["n"]}}
    spec = spec_of(on_failure=["with_error", "repair"])

    first, second = judge(spec, [task_of(checker=schema)], [answered(text), answered(text, attempt=2)])

    assert (first.task_success, first.judge) == (False, "json_schema")
    assert (second.task_success, second.judge) == (success, "json_schema, repaired" if success else "json_schema")
    assert success or second.why == first.why
