"""Long conversations under a policy of what is sent, against a server that keeps what it was told."""

from pathlib import Path
from typing import Any

import pytest
from endpoint import Call, Endpoint, Reply
from task_answers import answering
from task_runs import driven, of_tasks

from harness.pipeline.analyse import metrics_of
from harness.rundir.files import read_manifest
from harness.rundir.judged import read_judged
from harness.rundir.read import read_records

TALKS = [
    {"id": f"t{n}", "messages": [{"role": "system", "content": "Be brief."}], "turns": ["one", "two", "three"],
     "expected": "reply to three"} for n in range(2)
]  # fmt: skip
LOADS: list[dict[str, Any]] = [
    {"kind": "closed", "users": [2], "warmup_s": 0},
    {"kind": "open", "requests_per_s": [50], "warmup_s": 0},
]


def said_in(call: Call) -> list[str]:
    return [message["content"] for message in call.body["messages"]]


def answer(call: Call) -> str:
    last = said_in(call)[-1]
    return f"S{len(said_in(call))}" if last == "Sum up." else f"reply to {last.split(chr(10))[-1]}"


def run(
    place: Path,
    context: object,
    load: dict[str, Any],
    answers: Any = answer,
    tasks: list[dict[str, Any]] = TALKS,
    **prompts: Any,
) -> tuple[Path, list[list[str]]]:
    with Endpoint(post=answering(answers)) as server:
        work = of_tasks(place, tasks, load, context=context, **prompts)
        patient = work.request.model_copy(update={"timeout_s": 30})
        measured = driven(place, server, work.model_copy(update={"request": patient}))
        return measured.run_dir, [said_in(call) for call in server.generations()]


@pytest.mark.parametrize("load", LOADS)
def test_the_last_turns_are_sent_with_the_system_message(tmp_path: Path, load: dict[str, Any]) -> None:
    run_dir, asked = run(tmp_path, {"last_turns": 2}, load)

    assert asked.count(["Be brief.", "two", "reply to two", "three"]) >= 2
    assert ["Be brief.", "one", "reply to one", "two"] in asked
    assert max(map(len, asked)) == 4
    assert [one.why for one in read_judged(run_dir) if not one.task_success] == []


@pytest.mark.parametrize("load", LOADS)
def test_a_summary_is_a_request_of_its_own_and_counts_for_the_task(tmp_path: Path, load: dict[str, Any]) -> None:
    policy = {"summary": {"prompt": "Sum up.", "output_tokens": 9}}
    run_dir, asked = run(tmp_path, policy, load)

    told = "Summary of the conversation so far: S{}\n\n{}"
    # of the first turn; then of that summary and the second turn
    assert ["Be brief.", "one", "reply to one", "Sum up."] in asked
    assert ["Be brief.", told.format(4, "two")] in asked
    assert ["Be brief.", told.format(4, "two"), "reply to two", "Sum up."] in asked
    assert ["Be brief.", told.format(4, "three")] in asked

    rows = read_records(run_dir)
    assert rows["request_id"].is_unique
    of_one = rows[rows["task"] == "t0"].sort_values("sent_s")
    assert list(zip(of_one["turn"], of_one["summary"], strict=True)) == [
        (0, False), (1, True), (1, False), (2, True), (2, False),
    ]  # fmt: skip
    assert set(rows[rows["summary"].astype(bool)]["requested_output_tokens"]) == {9}
    verdicts = read_judged(run_dir)
    assert {one.request_id for one in verdicts} == set(
        rows[(rows["turn"] == 2) & ~rows["summary"].astype(bool)]["request_id"]
    )
    assert [one.why for one in verdicts if not one.task_success] == []

    tasks = metrics_of(run_dir, read_manifest(run_dir)).tasks
    assert tasks is not None
    assert (tasks.attempts_per_task, tasks.requests_per_task, tasks.summaries_per_task) == (1, 5, 2)
    assert tasks.input_tokens_per_task == of_one["prompt_tokens"].sum()
    assert tasks.context == "summary and last turn"


def test_a_summary_that_fails_has_failed_the_attempt(tmp_path: Path) -> None:
    def broken(call: Call) -> str | Reply:
        return Reply(500, b"{}", {}) if said_in(call)[-1] == "Sum up." else answer(call)

    run_dir, _ = run(tmp_path, {"summary": {"prompt": "Sum up."}}, LOADS[0], broken)

    verdicts = read_judged(run_dir)
    assert [one.task_success for one in verdicts] == [False, False]
    assert all("http_500" in one.why for one in verdicts)


WRONG = [{**TALKS[0], "expected": "reply to nobody"}]
COMPLAINT = "Answer again, with the answer alone."  # its last line


def test_a_complaint_is_sent_with_the_answer_that_it_is_about(tmp_path: Path) -> None:
    _, asked = run(tmp_path, {"last_turns": 1}, LOADS[0], tasks=WRONG, on_failure=["with_error", "with_error"])

    complaint = next(said[-1] for said in asked if said[-1].endswith(COMPLAINT))
    assert ["Be brief.", "three"] in asked
    assert ["Be brief.", "three", "reply to three", complaint] in asked
    twice = ["Be brief.", "three", "reply to three", complaint, f"reply to {COMPLAINT}", complaint]
    assert twice in asked


def test_two_turns_with_a_complaint_are_the_two_and_the_complaint(tmp_path: Path) -> None:
    _, asked = run(tmp_path, {"last_turns": 2}, LOADS[0], tasks=WRONG, on_failure=["with_error"])

    (longest,) = {tuple(said[:-1]) for said in asked if said[-1].endswith(COMPLAINT)}
    assert longest == ("Be brief.", "two", "reply to two", "three", "reply to three")


def test_a_summary_is_of_what_was_before_the_answer_that_is_complained_of(tmp_path: Path) -> None:
    policy = {"summary": {"prompt": "Sum up."}}
    _, asked = run(tmp_path, policy, LOADS[0], tasks=WRONG, on_failure=["with_error"])

    (said,) = {tuple(said[:-1]) for said in asked if said[-1].endswith(COMPLAINT)}
    assert said == ("Be brief.", "Summary of the conversation so far: S4\n\nthree", "reply to three")


def test_without_a_policy_all_of_it_is_sent(tmp_path: Path) -> None:
    _, asked = run(tmp_path, "all", LOADS[0])

    assert ["Be brief.", "one", "reply to one", "two", "reply to two", "three"] in asked
