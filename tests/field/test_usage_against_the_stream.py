"""A count that the text itself contradicts is unknown, and asked from the tokenizer; it is no failure."""

from pathlib import Path

from faulty_exchange import DONE
from field import FieldServer, chunk, message, read, run, served, streamed, usage, whole, words

ZERO = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def test_zero_tokens_of_text_that_came_is_unknown() -> None:
    came = read(*words(20, usage=ZERO), chunk(finish="length", usage=ZERO), DONE)

    assert (came.error, came.count, came.answer.prompt_tokens) == (None, (None, "unknown"), None)
    assert whole(message("a b c", "stop", usage=ZERO)).count == (None, "unknown")


def test_zeros_on_the_way_do_not_hide_the_count_at_the_end() -> None:
    came = read(*words(20, usage=ZERO), chunk(finish="length"), usage(prompt_tokens=14, completion_tokens=20), DONE)

    assert (came.count, came.answer.prompt_tokens) == ((20, "server"), 14)  # Ollama's completions


def test_one_token_for_a_long_text_is_unknown() -> None:
    # a usage that counts each chunk alone: 70 characters would be one token
    came = read(*words(20, usage={"completion_tokens": 1}), chunk(finish="length"), DONE)

    assert (came.error, came.count) == (None, (None, "unknown"))


def test_a_text_that_a_proxy_cut_into_characters_keeps_its_count() -> None:
    # 20 tokens of 3 characters, a character an event
    came = read(*[chunk("x")] * 60, chunk(finish="length"), usage(completion_tokens=20), DONE)

    assert came.count == (20, "server")


def test_nothing_counted_and_nothing_sent_is_no_answer() -> None:
    assert (
        read(chunk({"role": "assistant", "content": ""}), chunk(finish="stop"), usage(**ZERO), DONE).error
        == "no_tokens"
    )


def test_the_tokenizer_is_asked_for_what_the_server_did_not_count(tmp_path: Path) -> None:
    post = streamed(*words(20, usage=ZERO), chunk(finish="length", usage=ZERO), DONE)

    with FieldServer(post, tokenizer=True) as server:
        rows, found, step = run(tmp_path, server)

    ended = served(rows)
    assert ended["error"].isna().all()
    assert set(ended["output_tokens"]) == {20}
    assert set(ended["token_source"]) == {"endpoint_tokenizer"}
    assert step["tpot_s"]["n"] > 0
    assert found["token_source"]["level"] == "warning"
