"""Task runs against a server that answers as the test says: rounds, what is judged, what every row says."""

import os
import signal
from pathlib import Path

from endpoint import Call, Endpoint, Reply
from task_answers import answering
from task_runs import SUMS, asked_of, driven, number_in, of_tasks

from harness.rundir.files import read_manifest
from harness.rundir.judged import read_judged
from harness.rundir.read import read_answers, read_records, read_rows
from harness.rundir.steps import read_steps
from harness.scenario import Scenario


def test_every_task_is_asked_once_and_those_that_failed_again(tmp_path: Path) -> None:
    def answer(call: Call) -> str:
        n, is_told = number_in(call), len(call.body["messages"]) > 1
        return str(2 * n) if n < 4 or (n == 4 and is_told) else "no idea"

    with Endpoint(post=answering(answer)) as server:
        measured = driven(tmp_path, server, of_tasks(tmp_path, SUMS, on_failure=["with_error"]))

    rows, steps, verdicts = read_records(measured.run_dir), read_steps(measured.run_dir), read_judged(measured.run_dir)
    first = [(f"s{n}", 1) for n in range(6)]
    assert asked_of(rows) == sorted([*first, ("s4", 2), ("s5", 2)])
    assert [(step.step, step.round, step.role) for step in steps] == [(0, 1, "attempts"), (1, 2, "attempts")]
    assert {(one.task, one.attempt) for one in verdicts if one.task_success} == {*first[:4], ("s4", 2)}
    assert {(one.task, one.attempt) for one in verdicts if one.task_success is False} == {*first[4:], ("s5", 2)}
    assert {one.request_id for one in verdicts} == set(rows["request_id"])
    assert not read_manifest(measured.run_dir).partial


def test_repeats_hold_the_load_before_and_after_and_are_in_no_figure(tmp_path: Path) -> None:
    with Endpoint(post=answering(lambda call: "4", after_s=0.05)) as server:
        measured = driven(tmp_path, server, of_tasks(tmp_path, SUMS))

    rows, figures, (step,) = read_rows(measured.run_dir), read_records(measured.run_dir), read_steps(measured.run_dir)
    repeats = rows[rows["repeat"].astype(bool)]
    assert step.end_s is not None
    assert (repeats["scheduled_s"] < step.window_start_s).any()
    assert (repeats["scheduled_s"] > step.end_s).any()
    assert asked_of(figures) == [(f"s{n}", 1) for n in range(6)]
    assert figures["sent_s"].max() <= step.end_s < figures["finished_s"].max()
    assert {call.text for call in server.generations()} > {task["prompt"] for task in SUMS}
    assert len({call.text for call in server.generations()}) == len(repeats) + 6  # none of them is known to a cache


def test_two_load_processes_ask_each_task_once(tmp_path: Path) -> None:
    tasks = [{"id": f"s{n}", "prompt": f"What is {n} plus {n}?", "expected": str(2 * n)} for n in range(30)]
    with Endpoint(post=answering(lambda call: str(2 * number_in(call)))) as server:
        load = {"kind": "closed", "users": [4], "warmup_s": 0.2}
        measured = driven(tmp_path, server, of_tasks(tmp_path, tasks, load), workers=2)

    rows = read_records(measured.run_dir)
    assert asked_of(rows) == sorted((f"s{n}", 1) for n in range(30))
    assert rows["process"].nunique() == 2


def test_an_open_rate_asks_each_task_at_its_planned_instant(tmp_path: Path) -> None:
    load = {"kind": "open", "requests_per_s": [20], "arrivals": "constant", "warmup_s": 0.2}
    with Endpoint(post=answering(lambda call: str(2 * number_in(call)))) as server:
        measured = driven(tmp_path, server, of_tasks(tmp_path, SUMS, load))

    rows, (step,) = read_records(measured.run_dir), read_steps(measured.run_dir)
    assert sorted(round((due_s - step.start_s) * 20) for due_s in rows["scheduled_s"]) == [4, 5, 6, 7, 8, 9]
    assert asked_of(rows) == [(f"s{n}", 1) for n in range(6)]
    assert all(one.task_success for one in read_judged(measured.run_dir))


def test_the_turns_of_a_task_follow_on_the_real_replies_and_the_last_is_judged(tmp_path: Path) -> None:
    talks = [{"id": f"t{n}", "turns": ["Pick a number.", "Double it.", "Say both."], "expected": "b3"} for n in "12"]

    def answer(call: Call) -> str:
        messages = call.body["messages"]
        assert all(one["content"] == f"b{n + 1}" for n, one in enumerate(messages[1::2]))
        return f"b{len(messages) // 2 + 1}"

    for load in (
        {"kind": "closed", "users": [2], "warmup_s": 0},
        {"kind": "open", "requests_per_s": [50], "warmup_s": 0},
    ):
        with Endpoint(post=answering(answer)) as server:
            measured = driven(tmp_path, server, of_tasks(tmp_path, talks, load))

        rows, verdicts = read_records(measured.run_dir), read_judged(measured.run_dir)
        assert sorted(zip(rows["session"], rows["turn"], strict=True)) == [
            (f"t{task}/1", turn) for task in (1, 2) for turn in (0, 1, 2)
        ]
        assert [one.task_success for one in verdicts] == [True, True]
        assert {one.request_id for one in verdicts} == set(rows[rows["turn"] == 2]["request_id"])


def test_who_fails_is_asked_of_the_dear_endpoint_which_is_told_nothing_else(tmp_path: Path) -> None:
    with (
        Endpoint(post=answering(lambda call: "no idea")) as cheap,
        Endpoint(post=answering(lambda call: str(2 * number_in(call)))) as dear,
    ):
        work = of_tasks(tmp_path, SUMS, on_failure=["escalate"], escalate={"url": f"{dear.url}/v1", "model": "large"})
        measured = driven(tmp_path, cheap, work, headers={"x-secret": "s"}, extra_body={"top_k": 1})

    rows, steps = read_records(measured.run_dir), read_steps(measured.run_dir)
    assert [(step.round, step.role) for step in steps] == [(1, "attempts"), (2, "escalation")]
    assert set(rows[rows["step"] == 1]["url"]) == {f"{dear.url}/v1"}
    assert len(dear.generations()) == 6  # it is not asked to hold a load
    assert {(call.body["model"], "top_k" in call.body) for call in dear.generations()} == {("large", False)}
    assert sum(one.task_success or False for one in read_judged(measured.run_dir)) == 6
    assert read_manifest(measured.run_dir).model == "m"


def judging(place: Path, judge_url: str) -> Scenario:
    tasks = [{"id": f"s{n}", "prompt": f"What is {n} plus {n}?"} for n in range(6)]
    return of_tasks(
        place, tasks, checker={"kind": "judge"}, judge={"url": judge_url, "model": "judge"}, on_failure=["again"]
    )


def test_a_model_judges_in_a_step_of_its_own(tmp_path: Path) -> None:
    def verdict(call: Call) -> str:
        return "It is right. VERDICT: PASS".replace(". ", ".\n") if "= right" in call.text else "Hm."

    with (
        Endpoint(post=answering(lambda call: "= right" if number_in(call) < 4 else "= wrong")) as server,
        Endpoint(post=answering(verdict)) as judge,
    ):
        measured = driven(tmp_path, server, judging(tmp_path, judge.url))

    steps, verdicts = read_steps(measured.run_dir), read_judged(measured.run_dir)
    assert [(step.round, step.role) for step in steps] == [(1, "attempts"), (1, "judging")]
    assert len(judge.generations()) == 6
    assert sorted((one.task, one.task_success) for one in verdicts) == [
        (f"s{n}", True if n < 4 else None) for n in range(6)
    ]
    assert all("no verdict" in one.why for one in verdicts if one.task_success is None)


def test_a_judge_that_is_down_leaves_every_answer_not_judged_and_the_run_goes_on(tmp_path: Path) -> None:
    with Endpoint() as gone:
        url = gone.url
    with Endpoint(post=answering(lambda call: "4")) as server:
        measured = driven(tmp_path, server, judging(tmp_path, url))

    verdicts = read_judged(measured.run_dir)
    assert [one.task_success for one in verdicts] == [None] * 6
    assert all(f"the judge could not be asked: nobody can be reached at {url}" in one.why for one in verdicts)
    assert len(read_records(measured.run_dir)) == 6
    assert measured.failure is None


def test_an_interrupt_in_the_second_round_keeps_and_judges_what_was_answered(tmp_path: Path) -> None:
    told: list[Call] = []

    def answer(call: Call) -> str:
        if len(call.body["messages"]) > 1:
            told.append(call)
            if len(told) == 8:
                os.kill(os.getpid(), signal.SIGINT)
        return "no idea"

    with Endpoint(post=answering(answer, after_s=0.05)) as server:
        work = of_tasks(tmp_path, SUMS, on_failure=["with_error", "again"])
        measured = driven(tmp_path, server, work)

    rows, verdicts = read_records(measured.run_dir), read_judged(measured.run_dir)
    assert measured.interrupted
    assert read_manifest(measured.run_dir).partial
    assert {one.attempt for one in verdicts} <= {1, 2}
    assert {one.task for one in verdicts if one.attempt == 1} == {f"s{n}" for n in range(6)}
    assert {one.request_id for one in verdicts} == set(rows["request_id"])


def test_an_endpoint_that_refuses_the_second_round_ends_the_run_which_keeps_the_first(tmp_path: Path) -> None:
    tasks = [{"id": f"s{n}", "prompt": f"What is {n} plus {n}?", "expected": "x"} for n in range(24)]

    def answer(call: Call) -> str | Reply:
        return "no idea" if len(call.body["messages"]) == 1 else Reply(401, {"error": "no more"})

    with Endpoint(post=answering(answer)) as server:
        measured = driven(tmp_path, server, of_tasks(tmp_path, tasks, on_failure=["with_error", "again"]))

    verdicts = read_judged(measured.run_dir)
    assert measured.failure is not None
    assert "refuses every request" in str(measured.failure)
    assert read_manifest(measured.run_dir).partial
    assert len([one for one in verdicts if one.attempt == 1]) == 24
    assert max(one.attempt for one in verdicts) == 2


def test_what_a_round_has_no_time_for_is_not_asked_and_the_run_is_partial(tmp_path: Path) -> None:
    with Endpoint(post=answering(lambda call: "4", after_s=0.2)) as server:
        load = {"kind": "closed", "users": [1], "warmup_s": 0}
        measured = driven(tmp_path, server, of_tasks(tmp_path, SUMS, load, max_round_s=0.5))

    rows, (step,) = read_records(measured.run_dir), read_steps(measured.run_dir)
    assert 0 < len(rows) < 6
    assert rows["error"].isna().all()  # what was under way came to its end
    assert step.not_asked == 6 - len(rows)
    assert read_manifest(measured.run_dir).partial
    assert read_manifest(measured.run_dir).client["tasks_not_asked"] == step.not_asked


def test_texts_stay_only_where_the_scenario_says_so_and_nothing_else_of_the_rounds_does(tmp_path: Path) -> None:
    kept = []
    for keep_text in (False, True):
        with Endpoint(post=answering(lambda call: "4")) as server:
            measured = driven(tmp_path, server, of_tasks(tmp_path, SUMS, keep_text=keep_text))
        kept.append(read_answers(measured.run_dir))
        left = {path.name for path in measured.run_dir.glob("*.jsonl")}
        assert left == ({"steps.jsonl", "tasks.jsonl"} if keep_text else {"steps.jsonl"})

    assert kept[0] == {}
    assert list(kept[1].values()) == ["4"] * 6


def test_a_dear_endpoint_that_is_down_ends_the_run_with_what_the_cheap_one_answered(tmp_path: Path) -> None:
    with Endpoint() as gone:
        url = gone.url
    with Endpoint(post=answering(lambda call: "no idea")) as server:
        work = of_tasks(tmp_path, SUMS, on_failure=["escalate"], escalate={"url": url, "model": "large"})
        measured = driven(tmp_path, server, work)

    assert measured.failure is not None
    assert f"nobody can be reached at {url}" in str(measured.failure)
    assert [(one.attempt, one.task_success) for one in read_judged(measured.run_dir)] == [(1, False)] * 6
    assert read_manifest(measured.run_dir).partial


def test_a_judge_that_refuses_is_asked_no_more_than_a_few_times_and_nothing_is_a_success(tmp_path: Path) -> None:
    with (
        Endpoint(post=answering(lambda call: "4")) as server,
        Endpoint(post=answering(lambda call: Reply(401, {"error": "no key"}))) as judge,
    ):
        measured = driven(tmp_path, server, judging(tmp_path, judge.url))

    verdicts = read_judged(measured.run_dir)
    assert [one.task_success for one in verdicts] == [None] * 6
    assert all("the judge did not answer: http_401" in one.why for one in verdicts)
    assert measured.failure is None
