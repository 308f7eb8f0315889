from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.scenario.trace import TraceRow, read_trace


def written(tmp_path: Path, text: str, name: str = "trace.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


OURS = "arrival_s,input_tokens,output_tokens\n0.5,100,10\n2,200,20\n"
OURS_JSON = (
    '{"arrival_s": 0.5, "input_tokens": 100, "output_tokens": 10, "model": "m"}\n\n'
    '{"arrival_s": 2, "input_tokens": 200, "output_tokens": 20}\n'
)
AZURE_2023 = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,100,10\n2023-11-16 18:17:05.4799600,200,20\n"
)
AZURE_2024 = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2024-05-10 00:00:00.009930+00:00,100,10\n"
    "2024-05-10 00:00:01.509930+00:00,200,20\n"
)
BURST = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,100,10,110,Conversation log\n"
    "6,GPT-4,300,0,300,API log\n"
    "6.5,GPT-4,200,20,220,API log\n"
)
BURST_V2 = (
    "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5.0,1722,43,GPT-4,100,10,110,Conversation log\n"
    "6.5,1723,2,ChatGPT,200,20,220,Conversation log\n"
)
MOONCAKE = (
    '{"timestamp": 1000, "input_length": 100, "output_length": 10, "hash_ids": [0]}\n'
    '{"timestamp": 2500, "input_length": 600, "output_length": 20, "hash_ids": [0, 1]}\n'
)
BAILIAN = (
    '{"chat_id": 1, "parent_chat_id": -1, "timestamp": 61.5, "input_length": 20, "output_length": 9, "type": "text",'
    ' "turn": 1, "hash_ids": [7, 8]}\n'
)


@pytest.mark.parametrize(
    ("text", "layout", "skipped"),
    [
        (OURS, "ours", 0),
        (OURS_JSON, "ours", 0),
        ("\ufeff" + OURS, "ours", 0),
        (AZURE_2023, "azure", 0),
        (AZURE_2024, "azure", 0),
        (BURST, "burstgpt", 1),
        (BURST_V2, "burstgpt", 0),
    ],
    ids=["csv", "jsonl", "bom", "azure 2023", "azure 2024", "burstgpt", "burstgpt 2"],
)
def test_every_layout_gives_the_same_requests(tmp_path: Path, text: str, layout: str, skipped: int) -> None:
    trace = read_trace(written(tmp_path, text))

    assert (trace.layout, trace.skipped) == (layout, skipped)
    assert [row.arrival_s for row in trace.rows] == pytest.approx([0, 1.5], abs=1e-6)
    assert [(row.input_tokens, row.output_tokens) for row in trace.rows] == [(100, 10), (200, 20)]


def test_which_blocks_of_text_are_shared_is_kept_with_their_size(tmp_path: Path) -> None:
    mooncake = read_trace(written(tmp_path, MOONCAKE), time_unit="ms").rows

    assert [(row.arrival_s, row.blocks, row.block_tokens) for row in mooncake] == [(0, (0,), 512), (1.5, (0, 1), 512)]
    assert [(row.blocks, row.block_tokens) for row in read_trace(written(tmp_path, BAILIAN)).rows] == [((7, 8), 16)]


def test_rows_are_put_in_order_before_the_first_ones_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path, "arrival_s,input_tokens,output_tokens\n9,3,3\n1,1,1\n4,2,2\n")

    assert read_trace(path, max_requests=2).rows == [TraceRow(0, 1, 1), TraceRow(3, 2, 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has the columns a, b: no known layout of a trace"),
        ("", "holds no request"),
        ("arrival_s,input_tokens,output_tokens\n", "holds no request"),
        ("arrival_s,input_tokens,output_tokens\n1,many,3\n", ":2: not a row of trace layout `ours`"),
        ("arrival_s,input_tokens,output_tokens\n1,2,3\nsoon,2,3\n", ":3: not a row of trace layout `ours`"),
        ("arrival_s,input_tokens,output_tokens\n1,2,3\n1,2\n", ":3: 2 cells under a header of 3: 1,2"),
        ('{"arrival_s": 1,\n', ":1: not JSON"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-13-99 10:00:00,1,1\n", ":2: not a row of trace layout `azure`"),
    ],
)
def test_what_is_no_trace_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_trace(written(tmp_path, text))

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_trace_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the trace .*none\.csv: No such file"):
        read_trace(tmp_path / "none.csv")
