"""Rows of a prompt file, handed out: in which order, to whom, and how they are asked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from tempfile import TemporaryFile
from typing import Any

import pytest

from harness.load.board import Board
from harness.load.plan import Learned, LoadPlan
from harness.load.prompts.file_rows import FileRows, RecordedConversation
from harness.load.prompts.positions import positions
from harness.scenario.prompt_file import PromptFile
from harness.scenario.prompts import FilePrompts
from harness.scenario.turns import Turn


def texts(count: int) -> PromptFile:
    return PromptFile([(Turn(({"role": "user", "content": f"q{n}"},), output_tokens=n + 1),) for n in range(count)])


TALKS = PromptFile(
    [
        (
            Turn(({"role": "system", "content": "s"}, {"role": "user", "content": "a"}), "x" * 8),
            Turn(({"role": "user", "content": "b"},), "y" * 40),
        ),
        (Turn(({"role": "user", "content": "c"},)),),
    ]
)


def rows(
    file: PromptFile, *, seed: int = 1, salt: str = "s", whole: bool = False, positions: Iterator[int] | None = None,
    **spec: Any,
) -> FileRows:  # fmt: skip
    own = FilePrompts.model_validate({"kind": "file", "path": "p", "nonce": False} | spec)
    return FileRows(own, file, seed=seed, salt=salt, whole=whole, positions=positions or count())


def take(source: FileRows, count: int) -> list[str]:
    return [source.prompt(source.take()).text for _ in range(count)]


def test_the_files_order_begins_again_after_the_last_row() -> None:
    assert take(rows(texts(3), order="file"), 7) == ["q0", "q1", "q2", "q0", "q1", "q2", "q0"]


def test_shuffled_rows_come_once_a_round_and_in_another_order_each_round() -> None:
    asked = take(rows(texts(50)), 150)  # the order unless another is said

    rounds = [asked[:50], asked[50:100], asked[100:]]
    assert [sorted(one) for one in rounds] == [sorted(f"q{n}" for n in range(50))] * 3
    assert len({tuple(one) for one in rounds}) == 3
    assert asked == take(rows(texts(50)), 150)
    assert asked != take(rows(texts(50), seed=2), 150)


def test_drawn_rows_may_come_again_at_once() -> None:
    asked = take(rows(texts(50), order="draw"), 50)

    # all 50 different: 50!/50^50 = 3e-21
    assert 10 < len(set(asked)) < 50
    assert asked != take(rows(texts(50), order="draw", seed=2), 50)


@pytest.mark.parametrize("order", ["file", "shuffle", "draw"])
@pytest.mark.parametrize("workers", [2, 3, 7])
def test_processes_take_turns_in_the_one_order(order: str, workers: int) -> None:
    alone = take(rows(texts(10), order=order), 42)

    shares = [rows(texts(10), order=order, positions=count(w, workers)) for w in range(workers)]
    together = [take(shares[n % workers], 1)[0] for n in range(42)]

    assert together == alone


def shares(*, is_open: bool, remote: int = 0) -> list[Iterator[int]]:
    """The positions of two load processes."""
    plans = [
        LoadPlan("d", "r", "s", {}, ".", [], "openai", None, 0, worker=worker, workers=2, remote_workers=remote)
        for worker in (0, 1)
    ]
    with TemporaryFile() as shared:
        return [positions(plan, Board(2, 1, os.dup(shared.fileno())), is_open=is_open) for plan in plans]


def test_processes_of_one_machine_count_their_users_requests_together() -> None:
    one, other = shares(is_open=False)

    # the first has most of the users; whoever asks next has the next row
    assert [next(one), next(one), next(other), next(one), next(other)] == [0, 1, 2, 3, 4]


def test_arrivals_and_processes_of_other_machines_have_every_nth_position() -> None:
    for is_open, remote in ((True, 0), (False, 1)):
        one, other = shares(is_open=is_open, remote=remote)
        assert [next(one), next(one), next(other), next(one)] == [0, 2, 1, 4]


def test_no_position_is_taken_twice_by_processes_that_take_at_once() -> None:
    with TemporaryFile() as shared:
        Board(2, 1, shared.fileno())
        take = f"b = Board(2, 1, {shared.fileno()}); print(*(b.take_position() for _ in range(3000)))"
        command = [sys.executable, "-c", f"from harness.load.board import Board; {take}"]
        both = [
            subprocess.Popen(command, pass_fds=[shared.fileno()], stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        taken = [int(word) for process in both for word in process.communicate(timeout=30)[0].split()]

    assert sorted(taken) == list(range(6000))


def test_a_row_that_is_put_back_is_the_next_again() -> None:
    source = rows(texts(5), order="file", positions=count(1, 2))
    source.take()
    source.put_back(source.take())

    assert take(source, 2) == ["q3", "q0"]


def test_a_nonce_makes_every_prompt_new_and_is_the_runs_own() -> None:
    fresh, again, other = (rows(texts(1), nonce=True, salt=salt) for salt in ("a", "a", "b"))

    asked = take(fresh, 20)
    assert len(set(asked)) == 20
    assert all(text[16:] == " q0" for text in asked)
    assert asked == take(again, 20)
    assert not set(asked) & set(take(other, 20))


@pytest.mark.parametrize("nonce", [False, True])
def test_a_chat_keeps_its_roles_and_parts(nonce: bool) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    chat = (
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": [picture, {"type": "text", "text": "t"}]},
    )
    source = rows(PromptFile([(Turn(chat),)]), nonce=nonce)

    prompt = source.prompt(source.take())

    assert prompt.messages is not None
    if not nonce:
        assert prompt.messages == chat
    assert prompt.messages[0] == chat[0]
    assert prompt.messages[1]["content"][-2:] == chat[1]["content"]
    assert len(prompt.messages[1]["content"]) == 2 + nonce


def test_a_row_asks_for_its_own_length_unless_the_scenario_says_one() -> None:
    own, same = rows(texts(3), order="file"), rows(texts(3), order="file", output_tokens=9)

    assert [own.prompt(own.take()).max_tokens for _ in range(3)] == [1, 2, 3]
    assert [same.prompt(same.take()).max_tokens for _ in range(3)] == [9, 9, 9]


def test_a_user_asks_one_conversation_after_the_other_in_the_recorded_words() -> None:
    talk = RecordedConversation(rows(TALKS, order="file", whole=True, nonce=True), user=4)
    seen = []
    for _ in range(4):
        name = talk.session, talk.turn
        prompt = talk.ask()
        assert prompt.messages is not None
        seen.append((*name, [m["content"][-8:].split()[-1] for m in prompt.messages], prompt.max_tokens))
        talk.answered("the server's own words" if len(seen) == 1 else None)

    # 8 and 40 characters at 4 a token; no answer: 250
    assert seen == [
        ("4-0", 0, ["s", "a"], 2), ("4-0", 1, ["s", "a", "xxxxxxxx", "b"], 10), ("4-1", 0, ["c"], 250),
        ("4-2", 0, ["s", "a"], 2),
    ]  # fmt: skip


def test_turns_of_a_conversation_begin_alike_and_no_two_conversations_do() -> None:
    talk = RecordedConversation(rows(TALKS, order="file", whole=True, nonce=True), user=0)
    texts = []
    for _ in range(4):
        texts.append(talk.ask().text)
        talk.answered(None)

    assert texts[1].startswith(texts[0] + "\n\n" + "x" * 8)
    assert len({text[:16] for text in texts}) == 3  # the first two are one conversation


def test_where_nobody_waits_every_question_is_a_row() -> None:
    assert take(rows(TALKS, order="file"), 4) == ["s\n\na", f"s\n\na\n\n{'x' * 8}\n\nb", "c", "s\n\na"]


def test_counted_answers_give_the_length_and_the_others_their_density() -> None:
    source = rows(TALKS, order="file", whole=True)
    assert list(source.recorded(1)) == [(0, 0, "x" * 8)]
    assert list(source.recorded(9)) == [(0, 0, "x" * 8), (0, 1, "y" * 40)]
    assert list(rows(TALKS, whole=True, output_tokens=5).recorded(9)) == []

    source.learn(Learned(None, "openai", "/tokenize", [], 0, True, answer_tokens=[(0, 0, 5)], chars_per_token=1.6))

    taken = source.take()
    assert [source.prompt(taken, turn).max_tokens for turn in (0, 1)] == [5, 25]  # 40 / 1.6
