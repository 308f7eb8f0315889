"""Prompt files: what is read out of them, and what is refused, with its place."""

import csv
import json
from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.scenario.prompt_file import PromptFile, read_prompt_file
from harness.scenario.prompts import FilePrompts

BOM = b"\xef\xbb\xbf"


def read(place: Path, content: str | bytes, layout: str, output_tokens: int | None = None) -> PromptFile:
    (place / "p").write_bytes(content.encode() if isinstance(content, str) else content)
    spec = FilePrompts(kind="file", path="p", format=layout, output_tokens=output_tokens)
    return read_prompt_file(spec, place)


def asked(file: PromptFile) -> list[tuple[str, int | None]]:
    """(text, tokens) of rows that are one message each."""
    return [(turn.messages[0]["content"], turn.output_tokens) for (turn,) in file.rows]


@pytest.mark.parametrize(
    ("layout", "content", "rows"),
    [
        ("csv", 'prompt,output_tokens\r\n"a\nb\n\nc ""d"", e",7\r\n', [('a\nb\n\nc "d", e', 7)]),
        ("csv", 'prompt,output_tokens\r\n"a\r\nb",7\r\nc,8\r\n', [("a\r\nb", 7), ("c", 8)]),
        ("csv", "prompt,output_tokens\ra,7\rb,8\r", [("a", 7), ("b", 8)]),
        ("csv", BOM + b"prompt,output_tokens\nhello,5\n", [("hello", 5)]),
        ("csv", 'output_tokens, prompt\n6,"ab\u2028cd \u00e9 \u6f22"\n', [("ab\u2028cd \u00e9 \u6f22", 6)]),
        ("csv", "prompt,max_tokens\n\na,12.0\nb, 1.2e1 \nc,\nd\n", [("a", 12), ("b", 12), ("c", None), ("d", None)]),
        ("jsonl", BOM + b'{"text":"hello","output_tokens":5}\n', [("hello", 5)]),
        ("jsonl", '{"prompt":"a\u2028b"}\n{"prompt":"c\u0085d"}', [("a\u2028b", None), ("c\u0085d", None)]),
        ("jsonl", '{"prompt":"a","max_tokens":"12"}\r\n\r\n{"prompt":"b"}\r\n', [("a", 12), ("b", None)]),
        ("jsonl", '{"prompt":"a","completion_tokens":12.0}', [("a", 12)]),
        ("jsonl", '{"prompt":"a","output_tokens":null,"max_completion_tokens":9}', [("a", 9)]),
        ("jsonl", '{"prompt":"a","output_tokens":3,"max_tokens":9}', [("a", 3)]),
    ],
)  # fmt: skip
def test_rows_are_read_whatever_the_line_ends_marks_and_ways_to_write_a_number(
    tmp_path: Path, layout: str, content: str | bytes, rows: list[tuple[str, int | None]]
) -> None:
    assert asked(read(tmp_path, content, layout)) == rows


@pytest.mark.parametrize("layout", ["csv", "jsonl", "sharegpt"])
def test_a_field_of_megabytes_is_read(tmp_path: Path, layout: str) -> None:
    text = "word " * 500_000
    content = {
        "csv": f'prompt\n"{text}"\n',
        "jsonl": json.dumps({"prompt": text}),
        "sharegpt": json.dumps([{"messages": [{"role": "user", "content": text}]}] * 2, indent=1),
    }[layout]
    limit = csv.field_size_limit()

    file = read(tmp_path, content, layout)

    assert {turn.messages[0]["content"] for (turn,) in file.rows} == {text}
    assert csv.field_size_limit() == limit


CHAT = [{"role": "system", "content": "be brief"}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]


@pytest.mark.parametrize("layout", ["csv", "jsonl"])
def test_a_chat_is_read_as_it_is(tmp_path: Path, layout: str) -> None:
    cell = json.dumps(CHAT).replace('"', '""')
    content = {"jsonl": json.dumps({"messages": CHAT, "max_tokens": 9}), "csv": f'messages,max_tokens\n"{cell}",9.0\n'}

    ((turn,),) = read(tmp_path, content[layout], layout).rows

    assert list(turn.messages) == CHAT
    assert turn.output_tokens == 9


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("0", "0"), ("-5", "-5"), ("12.5", "12.5"), ("1e9", "1000000000.0"), ("NaN", "nan"), ("Infinity", "inf"),
        ("true", "True"), ("[3]", "[3]"), ('"0"', "'0'"), ('"1_0"', "'1_0'"), ('"' + "x" * 500 + '"', "x..."),
    ],
)  # fmt: skip
def test_a_length_that_nobody_can_ask_for_is_refused_with_row_and_column(tmp_path: Path, value: str, got: str) -> None:
    content = '{"prompt": "fine"}\n\n{"prompt": "a", "max_tokens": %s}\n'

    with pytest.raises(UsageError) as caught:
        read(tmp_path, content % value, "jsonl")

    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'p'}:3 (row 2): `max_tokens` must be a whole number from 1 to 100,000,000")
    assert said.endswith(got)
    assert len(said) < len(str(tmp_path)) + 200
    assert caught.value.hint
    assert len(read(tmp_path, content % value, "jsonl", output_tokens=5).rows) == 2  # which needs none of the file


@pytest.mark.parametrize(
    ("layout", "content", "problem"),
    [
        ("csv", 'prompt,output_tokens\n"a\nb",5\nq,-1\n', "p:4 (row 2): `output_tokens` must be a whole number"),
        ("csv", "question,output_tokens\na,5\n", "p:1: no column `prompt`, only 'question, output_tokens'"),
        ("csv", "prompt;output_tokens\na;5\n", "p:1: no column `prompt`, only 'prompt;output_tokens'"),
        ("csv", "prompt\nhello, world\n", "p:2 (row 1): 2 cells under a header of 1"),
        ("csv", 'prompt,output_tokens\na,1\n"open,5\nb,6\n', "p:3: not CSV from here on"),
        ("csv", "prompt,prompt\na,b\n", "p:1: two columns `prompt`"),
        ("csv", "", "p holds no prompt: it has no row"),
        ("csv", "prompt\n", "p holds no prompt: it has no row"),
        ("csv", "prompt\na\ncaf\u00e9\n".encode("latin1"), "p:3: not UTF-8 text (byte 0xe9)"),
        ("csv", "prompt\na\n".encode("utf-16"), "p:1: not UTF-8 text (byte 0xff)"),
        ("csv", "messages\nhello\n", "p:2 (row 1): `messages` must be a list in JSON, got 'hello'"),
        ("jsonl", "\n", "p holds no prompt: it has no row"),
        ("jsonl", '{"q": "a"}\n', "p holds no prompt: its first row has 'q'"),
        ("jsonl", '{"prompt":"a"}\n["b"]\n', "p:2 (row 2): a list, expected an object: ['b']"),
        ("jsonl", '{"prompt":"a"}\nprompt,b\n', "p:2 (row 2): not JSON"),
        ("jsonl", '{"prompt":["a"]}', "p:1 (row 1): `prompt` must be text, got ['a']"),
        ("jsonl", '{"prompt":' + "[" * 100_000, "p:1 (row 1): not JSON: nested too deeply"),
        ("jsonl", '{"prompt":"a \\ud800"}', "p:1 (row 1): a prompt that cannot be sent"),
        ("jsonl", '{"messages":[{"content":"a"}]}', "p:1 (row 1): `messages[1].role` must be a role, got None"),
        ("jsonl", '{"messages":[{"role":"user","content":5}]}', "`messages[1].content` must be text, got 5"),
        ("jsonl", '{"prompt":"a","messages":[{"role":"user","content":"b"}]}', "`messages` must be empty where"),
        ("sharegpt", "[]", "p holds no prompt: it has no row"),
        ("sharegpt", '{"data": []}', "p holds no prompt: its first row has 'data'"),
        ("sharegpt", "[1, 2]", "p:1 (row 1): a number, expected an object: 1"),
        ("sharegpt", '[\n{"conversations": "x"}]', "p:2 (row 1): `conversations` must be a list, got 'x'"),
        ("sharegpt", '[{"conversations": ["hi"]}]', "`conversations[1]` must be an object, got 'hi'"),
        ("sharegpt", '[{"conversations": [{"value": "x"}]}]', "`conversations[1].from` must be a speaker, got None"),
        ("sharegpt", '[{"messages": [{"role": "user", "content": 5}]}]', "`messages[1].content` must be text, got 5"),
        ("sharegpt", '[\n{"conversations": []},', "p:2: not JSON: Expecting value: the end of the file"),
        ("sharegpt", '[{"conversations": []}', "p:1: not JSON: the list goes on or ends here, got the end of the file"),
        ("sharegpt", '[{"conversations": []}] x', "p:1: not JSON: more after the end of the list: 'x'"),
        ("sharegpt", '[{"conversations": nope}]', "p:1: not JSON: Expecting value"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_its_place_and_a_way_out(
    tmp_path: Path, layout: str, content: str | bytes, problem: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, content, layout)

    said = str(caught.value)
    assert f"{tmp_path}/{problem}" in said or problem in said
    assert "\n" not in said
    assert caught.value.hint


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    for path in ("nosuch.csv", "."):
        with pytest.raises(UsageError, match="no such file: "):
            read_prompt_file(FilePrompts(kind="file", path=path, format="csv"), tmp_path)


def test_rows_without_a_prompt_are_left_out_and_counted(tmp_path: Path) -> None:
    file = read(tmp_path, 'prompt,output_tokens\n\n,5\n"  ",\nq,\n', "csv")

    assert asked(file) == [("q", None)]
    assert file.left_out == {("row", "without a prompt"): 2}  # an empty line is no row


def test_a_json_list_is_read_the_same_wherever_its_chunks_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [
        {"messages": [{"role": "user", "content": f'q\u00e9 {n} \\ " ]'}], "n": [n, 1.5e3, None]} for n in range(9)
    ]
    whole = read(tmp_path, json.dumps(items, indent=1), "sharegpt")

    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr("harness.scenario.json_stream.CHUNK_CHARS", size)
        for text in (json.dumps(items, indent=1), "\n".join(map(json.dumps, items))):
            assert read(tmp_path, text, "sharegpt") == whole
