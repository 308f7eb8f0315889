"""All tokens went into reasoning that nobody sent: said so."""

from pathlib import Path

import pytest
from faulty_exchange import DONE
from field import FieldServer, chunk, message, read, run, served, streamed, usage, whole

ROLE = chunk({"role": "assistant", "content": ""})
HIDDEN = usage(prompt_tokens=50, completion_tokens=20, completion_tokens_details={"reasoning_tokens": 20})


@pytest.mark.parametrize("backend", ["openai", "vllm"])
@pytest.mark.parametrize("finish", ["length", "stop"])
def test_a_stream_without_text_is_only_reasoning(backend: str, finish: str) -> None:
    came = read(ROLE, chunk(finish=finish), HIDDEN, DONE, backend=backend)

    assert came.error == "no_tokens"
    assert "only reasoning, no text" in (came.detail or "")


def test_an_answer_without_text_is_only_reasoning() -> None:
    assert "only reasoning, no text" in (whole(message(None)).detail or "")


def test_reasoning_that_is_sent_is_an_answer() -> None:
    thought = [chunk({"reasoning_content": " t"})] * 20

    assert read(ROLE, *thought, chunk(finish="length"), HIDDEN, DONE).error is None


def test_the_run_says_so_and_calls_nothing_damaged(tmp_path: Path) -> None:
    with FieldServer(streamed(ROLE, chunk(finish="length"), HIDDEN, DONE)) as server:
        rows, found, _ = run(tmp_path, server)

    assert set(served(rows)["error"]) == {"no_tokens"}
    assert "only reasoning, no text" in found["errors_over_limit"]["message"]
    assert "turn its reasoning off" in found["errors_over_limit"]["hint"]
    assert "impossible_values" not in found
