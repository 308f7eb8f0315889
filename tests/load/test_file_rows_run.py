"""Prompt files in real runs: every row is used, in one order, and a bad one starts nothing."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from faulty_server import FaultyServer
from load_helpers import records_of, run_load, scenario

from harness import cli
from harness.base.errors import UsageError
from harness.calibration.oracle.process import running_oracle
from harness.rundir import files
from harness.scenario import Scenario

pytestmark = pytest.mark.slow  # real loads of many seconds

LONG_WORDS = "incomprehensible responsibilities"  # two words, 33 characters
TALKS = [
    {
        "conversations": [
            {"from": "system", "value": "be brief"},
            {"from": "human", "value": "a"},
            {"from": "gpt", "value": LONG_WORDS},
            {"from": "human", "value": "b"},
            {"from": "gpt", "value": "four five"},
        ]
    },
    {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "six"}]},
    {"conversations": [{"from": "gpt", "value": "nobody asked"}]},
]


def bodies(server: FaultyServer) -> list[dict[str, Any]]:
    return [x.body for x in server.generations() if x.path.endswith("completions")]


@pytest.mark.parametrize(
    "load",
    [
        {"kind": "open", "requests_per_s": [20, 30], "arrivals": "constant", "step_s": 0.7, "warmup_s": 0},
        {"users": [1, 3], "step_s": 0.6, "warmup_s": 0},
    ],
    ids=["open", "closed"],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_rows_come_round_by_round_whatever_the_load_and_the_number_of_processes(
    load: dict[str, Any], workers: int, tmp_path: Path
) -> None:
    (tmp_path / "p.jsonl").write_text("".join(f'{{"prompt": "q{n}", "max_tokens": 2}}\n' for n in range(7)))
    work = scenario(load=load, prompts={"kind": "file", "path": "p.jsonl", "order": "file", "nonce": False})

    with FaultyServer() as server:
        measured = run_load(tmp_path, server.url("slow-first-token=0.05"), work=work, workers=workers)
        asked = [body["prompt"] for body in bodies(server)]

    assert len(asked) > 14
    if workers == 1:
        assert asked == [f"q{n % 7}" for n in range(len(asked))]
    uses = Counter(asked)
    assert len(uses) == 7
    # of two processes that share arrivals one may be ahead of the other
    assert max(uses.values()) - min(uses.values()) <= (2 if "kind" in load and workers == 2 else 1)
    assert not (measured.run_dir / "positions").exists()
    (note,) = files.read_manifest(measured.run_dir).notes
    assert note == "Prompts of p.jsonl: 7 rows, in the file's order, and from its start again after the last."


def talks_work(place: Path, users: int = 1, **more: Any) -> Scenario:
    (place / "talks.json").write_text(json.dumps(TALKS))
    prompts = {"kind": "file", "path": "talks.json", "format": "sharegpt", "order": "file", "nonce": False}
    return scenario(load={"users": [users], "step_s": 1, "warmup_s": 0}, prompts=prompts, **more)


def test_a_recorded_conversation_is_a_session_in_the_recorded_words(tmp_path: Path) -> None:
    with FaultyServer() as server:
        url = server.url("slow-first-token=0.05")
        measured = run_load(tmp_path, url, work=talks_work(tmp_path, request={"api": "chat"}))
        asked = bodies(server)

    first = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "a"}]
    second = [*first, {"role": "assistant", "content": LONG_WORDS}, {"role": "user", "content": "b"}]
    assert [body["messages"] for body in asked[:4]] == [first, second, [{"role": "user", "content": "c"}], first]
    # 33, 9 and 3 characters at 4 a token
    assert [body["max_tokens"] for body in asked[:4]] == [8, 2, 1, 8]
    rows = records_of(measured)
    assert list(rows["session"].head(4)) == ["0-0", "0-0", "0-1", "0-2"]
    assert list(rows["turn"].head(4)) == [0, 1, 0, 0]
    said, lengths = files.read_manifest(measured.run_dir).notes
    assert "2 conversations with 3 questions" in said
    assert "left out: 1 answer without a question before it, 1 conversation without a question" in said
    assert lengths == "Lengths of recorded answers: at 4 characters a token, the endpoint has no tokenizer."


def test_recorded_answers_are_counted_by_the_endpoints_tokenizer(tmp_path: Path) -> None:
    with running_oracle(tmp_path / "ledger.jsonl", ttft_s=0.05, itl_s=0.0005) as oracle:
        measured = run_load(tmp_path, oracle.url, work=talks_work(tmp_path, 2), workers=2)

    rows = records_of(measured)
    # the oracle cuts words into pieces of 8 letters; the second process has its counts from the first
    assert rows["process"].nunique() == 2
    assert set(rows["requested_output_tokens"]) == {4, 2, 1}
    assert set(rows["output_tokens"].dropna()) == {4, 2, 1}
    (_, lengths) = files.read_manifest(measured.run_dir).notes
    assert lengths == "Lengths of recorded answers: 3 counted by the endpoint's tokenizer (/tokenize)."


def test_a_row_that_cannot_be_asked_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.csv").write_text("prompt,output_tokens\na,5\nb,-5\n")
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nprompts: {kind: file, path: p.csv, format: csv}\nslo: {ttft_p95_s: 2}\n")

    with FaultyServer() as server:
        for more in ([], ["--dry-run"]):
            code = cli.invoke(["run", str(path), "--url", server.url(), "--out", str(tmp_path / "out"), *more])
            said = capsys.readouterr()
            assert code == 2
            assert f"{tmp_path / 'p.csv'}:3 (row 2): `output_tokens` must be a whole number" in said.err
            assert "hint: " in said.err
        with pytest.raises(UsageError):
            run_load(tmp_path, server.url(), work=scenario(prompts={"kind": "file", "path": "p.csv", "format": "csv"}))
        assert server.requests == []
    assert not list(tmp_path.glob("*/run.json"))
