"""A turn of a conversation has the length it is wanted to have, what the chat template adds among it."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from endpoint import Call, Endpoint, Reply, served
from load_helpers import run_load, scenario

from harness import cli
from harness.rundir.read import read_rows

Template = Callable[[list[Mapping[str, str]]], int]
TURNS = {"kind": "sessions", "turns": 4, "base_tokens": 60, "growth_tokens": 40, "output_tokens": 5}
WANTED = {0: {60}, 1: {100}, 2: {140}, 3: {180}}


def constant(messages: list[Mapping[str, str]]) -> int:
    return 3 + 4 * len(messages)


def growing(messages: list[Mapping[str, str]]) -> int:
    return 3 + sum(range(len(messages)))


def with_system(messages: list[Mapping[str, str]]) -> int:
    """A system prompt of its own where none was sent."""
    return 4 * len(messages) + (0 if messages[0]["role"] == "system" else 17)


def conversations(template: Template, *, tells: bool) -> Callable[[Call], Reply]:
    """A server whose tokens are words; `tells`: its tokenizer knows the template, in the form of each engine."""

    def post(call: Call) -> Reply:
        messages = call.body.get("messages")
        n = len(call.text.split()) + (template(messages) if messages else 0)
        if "completions" in call.path:
            return served(call, prompt_tokens=n)
        if messages and not tells:
            return Reply(404)
        if call.path == "/apply-template":
            return Reply(body={"prompt": " w" * n})
        if call.path == "/chat_tokenize":
            return Reply(body={"tokenize_response": [{}] * n, "templated_text": ""})
        return Reply(body=[{}] * n if "inputs" in call.body else {"count": n, "tokens": [0] * n})

    return post


def lengths(out_dir: Path, server: Endpoint, backend: str, **prompts: Any) -> dict[int, set[int]]:
    """The server's own count of every turn's prompt."""
    load = {"kind": "closed", "users": [2], "step_s": 0.6, "warmup_s": 0}
    work = scenario(load=load, prompts=TURNS | prompts, request={"api": "chat", "timeout_s": 2.0})
    rows = read_rows(run_load(out_dir, server.url, backend=backend, work=work, preflight=True).run_dir)
    rows = rows[rows["error"].isna()]
    return {int(turn): set(of_turn["prompt_tokens"]) for turn, of_turn in rows.groupby("turn")}


@pytest.mark.parametrize("template", [constant, growing, with_system])
@pytest.mark.parametrize("backend", ["vllm", "llama_cpp", "tgi"])
def test_each_turn_has_its_length_with_the_template_that_the_tokenizer_tells(
    tmp_path: Path, backend: str, template: Template
) -> None:
    with Endpoint(post=conversations(template, tells=True)) as server:
        assert lengths(tmp_path, server, backend) == WANTED


def test_a_shared_prefix_is_a_system_message_to_the_template_too(tmp_path: Path) -> None:
    with Endpoint(post=conversations(with_system, tells=True)) as server:
        assert lengths(tmp_path, server, "vllm", shared_prefix_tokens=20) == WANTED


def test_a_template_that_cannot_be_asked_is_counted_in_as_far_as_an_answer_showed_it(tmp_path: Path) -> None:
    with Endpoint(post=conversations(constant, tells=False)) as server:
        found = lengths(tmp_path, server, "vllm")

    # 7 tokens at the first turn, as the request beforehand showed; two messages more a turn are 8 tokens each
    assert found == {0: {60}, 1: {108}, 2: {156}, 3: {204}}


def test_what_of_a_template_was_not_known_is_said_with_its_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nload: {users: [2], step_s: 0.8, warmup_s: 0}\nrequest: {api: chat}\n"
        "prompts: {kind: sessions, turns: 2, base_tokens: 60, growth_tokens: 40, output_tokens: 5}\n"
    )
    with Endpoint(post=conversations(lambda messages: 10 * len(messages), tells=False)) as server:
        cli.invoke(["run", str(path), "--url", server.url, "--out", str(tmp_path / "out"), "--json"])

    out, err = capsys.readouterr()
    assert "adds 10 tokens to a conversation's first turn (its chat template): counted in at each turn; " in err
    assert "what it adds to a later one could not be asked" in err
    (found,) = [
        check
        for check in json.loads(out)["metrics"]["steps"][0]["checks"]
        if check["code"] == "lengths_differ" and "by their turns" in check["message"]
    ]
    # 60 and 120 tokens where 60 and 100 were wanted, about every second request each
    more = re.match(r"its chat template adds about (\d+) tokens a request more than was known", found["hint"])
    assert more is not None
    assert 5 <= int(more[1]) <= 15
