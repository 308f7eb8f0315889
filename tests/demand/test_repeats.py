"""How many requests of a log ask what was asked before, from files as their producers write them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import cli
from harness.demand.repeats import Repeats, repeats_of
from harness.scenario.logs.reading import read_log

HOUR = 3600


def rows_of(*rows: tuple[float, object, int, int]) -> list[dict[str, Any]]:
    return [{"arrival_s": t, "prompt": p, "input_tokens": given, "output_tokens": out} for t, p, given, out in rows]


def found_in(path: Path, **named: Any) -> Repeats | None:
    return repeats_of(read_log(path, wants_prompts=True, **named))


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# "a" at 0, 1 h and 30 h: both later ones came before, the last one 29 h after; "b" once
SAID = rows_of((0, "a", 10, 1), (HOUR, "a", 10, 2), (2 * HOUR, "b", 30, 4), (30 * HOUR, "a", 10, 8))


def test_a_prompt_that_came_before_counts_at_any_time_and_within_a_day(tmp_path: Path) -> None:
    assert found_in(lines(tmp_path / "log.jsonl", SAID)) == Repeats("prompt", 4, 0, 0.5, 20, 10, 0.25, 10, 2)


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(SAID), tmp_path / "log.parquet")
    text = "arrival_s,prompt,input_tokens,output_tokens\n"
    text += "".join(
        f'{row["arrival_s"]},"{row["prompt"]},\n x",{row["input_tokens"]},{row["output_tokens"]}\n' for row in SAID
    )
    (tmp_path / "log.csv").write_text(text)

    for name in ("log.parquet", "log.csv"):
        assert found_in(tmp_path / name) == Repeats("prompt", 4, 0, 0.5, 20, 10, 0.25, 10, 2)


def test_messages_count_as_a_whole_and_not_by_their_last(tmp_path: Path) -> None:
    hello = [{"role": "user", "content": "Hello"}]
    longer = [{"role": "system", "content": "Be brief."}, *hello]
    rows = rows_of((0, None, 5, 1), (1, None, 9, 1), (2, None, 9, 1))
    for row, messages in zip(rows, (hello, longer, longer), strict=True):
        row["messages"] = messages

    found = found_in(lines(tmp_path / "log.jsonl", rows))

    assert found is not None
    assert (found.column, found.told, found.share) == ("messages", 3, 0.3333)


def test_the_same_prompt_to_another_model_is_another_request(tmp_path: Path) -> None:
    rows = [row | {"model": model} for row, model in zip(SAID, ("x", "y", "x", "y"), strict=True)]

    found = found_in(lines(tmp_path / "log.jsonl", rows))

    assert found is not None
    assert (found.share, found.share_24h) == (0.25, 0.0)  # "a" to y, 29 h later


def test_a_failed_request_leaves_no_answer_to_give_again(tmp_path: Path) -> None:
    rows = [row | {"status": status} for row, status in zip(SAID, (500, 200, 200, 200), strict=True)]

    found = found_in(lines(tmp_path / "log.jsonl", rows))

    assert found is not None
    assert (found.told, found.share) == (3, 0.3333)


def test_one_value_for_prompts_of_several_lengths_stands_for_no_whole_prompt(tmp_path: Path) -> None:
    rows = rows_of((0, "template-1", 10, 1), (1, "template-1", 20, 1), (2, "c", 5, 1), (3, "c", 5, 1))

    assert found_in(lines(tmp_path / "log.jsonl", rows)) == Repeats("prompt", 2, 2, 0.5, 5, 1, 0.5, 5, 1)


@pytest.mark.parametrize(
    "kept_out", ["{}", [], "redacted-by-litellm", [{"role": "user", "content": "redacted-by-litellm"}]]
)
def test_what_a_gateway_took_out_is_not_told(tmp_path: Path, kept_out: object) -> None:
    row = {"call_type": "acompletion", "startTime": "2026-10-05T00:00:00Z", "spend": 0.1, "messages": kept_out,
           "prompt_tokens": 7, "completion_tokens": 3}  # fmt: skip

    assert found_in(lines(tmp_path / "log.jsonl", [row, row])) is None


def test_litellms_own_key_goes_before_the_text(tmp_path: Path) -> None:
    rows = [{"call_type": "acompletion", "startTime": f"2026-10-05T00:00:0{n}Z", "spend": 0.1, "cache_key": key,
             "messages": "{}", "prompt_tokens": 7, "completion_tokens": 3}
            for n, key in enumerate(("k1", "k1", "Cache OFF"))]  # fmt: skip

    found = found_in(lines(tmp_path / "log.jsonl", rows))

    assert found is not None
    assert (found.column, found.told, found.unknown, found.share) == ("cache_key", 2, 1, 0.5)


def test_blocks_tell_a_prompt_where_they_cover_all_of_it(tmp_path: Path) -> None:
    rows = [{"timestamp": 1_000_000 * n, "input_length": 700, "output_length": 9, "hash_ids": ids}
            for n, ids in enumerate(([1, 2], [1, 2], [1, 3], [1]))]  # fmt: skip

    # of 512 tokens each: one block ends before the last prompt does
    assert found_in(lines(tmp_path / "log.jsonl", rows)) == Repeats("hash_ids", 3, 1, 0.3333, 700, 9, 0.3333, 700, 9)


def test_what_lies_inside_a_column_can_be_named(tmp_path: Path) -> None:
    rows = [{"ts": n, "in": 5, "out": 2, "req": {"text": "same"}} for n in range(3)]
    named = {"time": "ts", "input_tokens": "in", "output_tokens": "out", "prompt": "req.text"}

    found = found_in(lines(tmp_path / "log.jsonl", rows), columns=named, time_unit="s")

    assert found is not None
    assert (found.column, found.share) == ("req/text", 0.6667)


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, name: str = "log.csv") -> str:
    (tmp_path / name).write_text(text)
    assert cli.invoke(["demand", "from-trace", str(tmp_path / name)]) == 0
    return " ".join(capsys.readouterr().err.split())


def test_the_command_says_the_share_and_proposes_a_hit_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(tmp_path, capsys, "".join(json.dumps(row) + "\n" for row in SAID), "log.jsonl")

    assert "50.00% of 4 requests had a prompt that came before, by `prompt`: 20 tokens in and 10 out" in said
    assert "25.00% had it within 24 h: 10 tokens in and 2 out would be saved" in said
    assert "`response_cache_hit_rate: 0.25`; it is not set" in said


def test_a_log_without_prompts_says_that_it_cannot_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(tmp_path, capsys, "arrival_s,input_tokens,output_tokens\n0,1,1\n9,1,1\n")

    assert "cannot tell whether prompts come again: no prompt is told whole; --column prompt=NAME" in said
