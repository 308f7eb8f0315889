"""A model judges: what it is asked, and what of its answer counts."""

import pytest
from task_cases import answered, spec_of, task_of

from harness.rundir.judged import Verdict
from harness.tasks import Answered, judge, judge_asks, read_judgement

JUDGE = {"url": "http://127.0.0.1:9", "model": "m"}
SPEC = spec_of(judge={**JUDGE, "prompt": "Q {task} E {expected} A {answer} VERDICT", "output_tokens": 7})
TASK = task_of(checker={"kind": "judge"}, expected="{answer}")


def read(text: str | None, error: str | None = None) -> Verdict:
    (verdict,) = read_judgement([answered("an answer")], [Answered("j-1", "t", 1, text, error, "stop")])
    return verdict


def test_the_question_holds_task_reference_and_answer_and_fills_in_only_once() -> None:
    (ask,) = judge_asks(SPEC, [TASK], [answered("{expected} {task}", attempt=3)])

    assert ask.messages == ({"role": "user", "content": "Q ask t E {answer} A {expected} {task} VERDICT"},)
    assert (ask.task, ask.attempt, ask.max_tokens) == ("t", 3, 7)


def test_only_answers_are_shown_to_the_judge_and_only_of_its_tasks() -> None:
    tasks = [
        TASK,
        task_of("own"),
        task_of("failed", {"kind": "judge"}),
        task_of("talk", {"kind": "judge"}, turns=["b"]),
    ]
    answers = [answered("x"), answered("x", "own"), answered(None, "failed", error="timeout"), answered("y", "talk")]

    asks = judge_asks(SPEC, tasks, answers)

    assert [ask.task for ask in asks] == ["t", "talk"]
    assert asks[1].messages[0]["content"] == "Q ask talk\n\nb E  A y VERDICT"
    assert [one.task for one in judge(SPEC, tasks, answers)] == ["own", "failed"]


@pytest.mark.parametrize(
    "text",
    [
        "VERDICT: PASS",
        "It is right.\n\nVERDICT: PASS\n",
        "**Verdict: pass**",
        "> VERDICT:PASS.",
        "VERDICT: PASS\nVERDICT: PASS",
    ],
)
def test_a_clear_pass_passes(text: str) -> None:
    assert read(text) == Verdict("t-1", "t", 1, True, "", "judge")


def test_a_clear_fail_fails_with_the_judges_words() -> None:
    assert read("The sum is\nwrong.\nVERDICT: FAIL") == Verdict(
        "t-1", "t", 1, False, "the judge: The sum is\\nwrong.", "judge"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the judge gave no verdict: "),
        ("PASS", "the judge gave no verdict: PASS"),
        ("I would say VERDICT: PASS, I think", "the judge gave no verdict: I would"),
        ("VERDICT: MAYBE", "the judge gave no verdict: VERDICT: MAYBE"),
        ("VERDICT: PASSED", "the judge gave no verdict"),
        ("VERDICT: PASS\nNo, wait.\nVERDICT: FAIL", "the judge said both PASS and FAIL"),
    ],
)
def test_nonsense_is_not_judged(text: str, why: str) -> None:
    verdict = read(text)

    assert verdict.task_success is None
    assert verdict.why.startswith(why)


@pytest.mark.parametrize("error", ["http_503", "connect", "timeout", "cut_at_end"])
def test_a_judge_that_is_down_judges_nothing(error: str) -> None:
    assert read(None, error) == Verdict("t-1", "t", 1, None, f"the judge did not answer: {error}", "judge")
