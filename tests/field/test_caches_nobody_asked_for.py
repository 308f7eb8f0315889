"""Cached tokens are read under any of their names, and from a last chunk that holds choices too."""

from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import DONE
from field import FieldServer, chunk, read, run, streamed, words

BASE = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
NAMES: list[dict[str, Any]] = [
    {"prompt_tokens_details": {"cached_tokens": 40}},
    {"prompt_cache_hit_tokens": 40, "prompt_cache_miss_tokens": 10},
    {"input_tokens_details": {"cached_tokens": "40"}},
    {"cached_tokens": 40.0},
    {"cache_read_input_tokens": 40},
]


@pytest.mark.parametrize("more", NAMES)
def test_cached_tokens_are_read_under_any_name(more: dict[str, Any]) -> None:
    came = read(*words(20), chunk(finish="length", usage=BASE | more), DONE)

    assert (came.answer.cached_tokens, came.answer.prompt_tokens) == (40, 50)


def test_a_prompt_counted_without_its_cached_part_is_made_whole() -> None:
    parts = {"input_tokens": 8, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 2, "output_tokens": 20}

    came = read(*words(20), chunk(finish="stop", usage=parts), DONE)

    assert (came.answer.prompt_tokens, came.answer.cached_tokens) == (50, 40)


def test_no_word_of_a_cache_is_unknown_and_none_hit_is_zero() -> None:
    assert read(*words(20), chunk(finish="length", usage=BASE), DONE).answer.cached_tokens is None
    none = BASE | {"prompt_tokens_details": {"cached_tokens": 0}}
    assert read(*words(20), chunk(finish="length", usage=none), DONE).answer.cached_tokens == 0


def test_hits_with_fresh_prompts_are_a_warning(tmp_path: Path) -> None:
    with FieldServer(streamed(*words(20), chunk(finish="length", usage=BASE | NAMES[1]), DONE)) as server:
        _, found, _ = run(tmp_path, server)

    assert "80% of the prompt tokens" in found["prefix_cache_hits"]["message"]
