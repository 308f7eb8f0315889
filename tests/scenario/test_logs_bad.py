"""What is wrong with a log costs a row and is counted, or is said in one line; nothing is guessed."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UsageError
from harness.scenario import Scenario
from harness.scenario.estimate import estimate
from harness.scenario.logs.reading import read_log
from harness.scenario.trace import read_trace

OURS = "arrival_s,input_tokens,output_tokens\n"


def written(tmp_path: Path, text: str | bytes, name: str = "log") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        (OURS + "0,800,250\n60,,\n120,800,250\n", {"without tokens": 1}),
        (OURS + "0,800,250\n60,800,nan\n70,-,250\n80,null,NULL\n120,800,250\n", {"without tokens": 3}),
        (OURS + "0,800,250\n10,-5,250\n20,800,-1\n120,800,250\n", {"with negative tokens": 2}),
        (OURS + "0,800,250\n,800,250\n120,800,250\n", {"without a time": 1}),
        ('{"arrival_s":0,"input_tokens":800,"output_tokens":250}\n{"arrival_s":60,"input_tokens":800,'
         '"output_tokens":null}\n{"arrival_s":120,"input_tokens":800,"output_tokens":250}\n', {"without tokens": 1}),
    ],
    ids=["blank", "words for nothing", "negative", "no time", "null"],
)  # fmt: skip
def test_a_row_that_says_nothing_costs_that_row_and_is_counted(
    tmp_path: Path, text: str, left_out: dict[str, int]
) -> None:
    log = read_log(written(tmp_path, text))

    assert log.left_out == left_out
    assert (log.requests, log.end_s) == (2, 120)
    assert log.input_tokens.tolist() == [800, 800]


def test_more_cached_tokens_than_input_are_cut_and_said(tmp_path: Path) -> None:
    good = "".join(f"{n},800,250,600\n" for n in range(20))
    log = read_log(written(tmp_path, OURS.replace("\n", ",cached_tokens\n") + good + "30,800,250,900\n"))

    assert log.cached_tokens is not None
    assert log.cached_tokens[-1] == 800
    assert log.notes == ("1 rows had more cached tokens than input, cut to it",)


def moon(*times: int) -> str:
    return "".join(json.dumps({"timestamp": t, "input_length": 10, "output_length": 5}) + "\n" for t in times)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (moon(0, 3600, 7200), "`timestamp` spans 7,200, which could be 2 h (seconds) or 7.2 s (milliseconds)"),
        (moon(0, 86_400), "could be 24 h (seconds) or 86.4 s (milliseconds)"),
        ("ts,prompt_tokens,completion_tokens\n0,1,2\n5.5,1,2\n",
         "`ts` spans 5.5, which could be"),
    ],
    ids=["hours", "days", "another name"],
)  # fmt: skip
def test_a_unit_that_cannot_be_told_is_asked_for(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(UsageError) as caught:
        read_log(path)

    assert message in str(caught.value)
    assert caught.value.hint == "say which: --time-unit s, ms, us or ns; in a scenario `load.time_unit`"
    assert read_log(path, time_unit="s").end_s == pytest.approx(1000 * read_log(path, time_unit="ms").end_s)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OURS + "0,1,1\n2026-11-01T00:00:00Z,1,1\n",
         "mixes clocks in `arrival_s`: line 3 has '2026-11-01T00:00:00Z', line 2 has 0"),
        (OURS + "1730451600,1,1\n1730451700000,1,1\n", "are all its times in one unit?"),
        (OURS + "2026-11-01T00:00:00,1,1\n2026-11-01T00:00:00+02:00,1,1\n",
         "'2026-11-01T00:00:00+02:00' has a time zone, '2026-11-01T00:00:00' has none"),
        ("arrival_s,input_tokens\n0,1\n", "is laid out as ours but has no column for output_tokens"),
        ("request_id,call_type,startTime,completion_tokens\n1,a,2026-11-01,5\n",
         "litellm but has no column for input_tokens"),
        ("Date,Model,Spend ($),Requests,Total Tokens\n2026-11-01,m,1,10,100\n",
         "litellm-daily but has no column for input_tokens"),
        ('{"trace_id":"t","type":"GENERATION","start_time":"2026-11-01"}\n',
         "langfuse but has no column for input_tokens"),
        ("arrival_s,arrival_s,input_tokens,output_tokens\n0,0,1,1\n", "has two columns `arrival_s`"),
        ("start_time,end_time,amount_value,amount_currency\n1,2,3,usd\n", "costs without requests or tokens"),
        ('[{"id":"Q_0","conversations":[{"from":"human","value":"Hi"}]}]',
         "`prompts: {kind: file, format: sharegpt, path: ...}`"),
        ('{"prompt":"Hi"}\n', "a file of prompts without times, no log"),
        ('{"messages":[{"role":"user","content":"Hi"}]}\n', "a file of prompts without times, no log"),
        (OURS.encode() + b"0,1,\xff\n", "not UTF-8 text"),
        (gzip.compress(OURS.encode() + b"0,1,2\n" * 9999, mtime=0)[:60], "cannot read the trace"),
        (b"PK\x03\x04....", "a zip archive or a spreadsheet"),
        ('{"timestamp": 0.5, "input_length": 9, "output_length": 9, "hash_ids": "x"}\n',
         ":1: `hash_ids` must be a list"),
        ('{"arrival_s": {"at": 1}, "input_tokens": 9, "output_tokens": 9}\n', ":1: not a row of trace layout `ours`"),
        ('{"arrival_s": 1, "input_tokens": [9], "output_tokens": 9}\n', "`input_tokens` [9] is no number"),
        ("date,model,requests,prompt_tokens,completion_tokens\n2026-11-01,m,1e30,9,9\n",
         "1e+30 requests, at most 1e+15"),
        ("[1, 2]\n[3, 4]\n", ":1: expected an object, got 1"),
        (OURS + "0,0,0\n1,,\n", "holds no request that was served: rows 2 without tokens"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_log(written(tmp_path, text), wants_blocks=True)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_who_has_another_layout_is_told_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has the columns at, sent, got: no known layout") as bare:
        read_log(written(tmp_path, "at,sent,got\n0,1,1\n"))
    with pytest.raises(UsageError) as likely:
        read_log(written(tmp_path, "logged_when,n_context,n_generated\n0,1,1\n"))

    assert "--column time=... --column input_tokens=... --column output_tokens=..." in (bare.value.hint or "")
    assert "time=logged_when --column input_tokens=n_context --column output_tokens=n_gen" in (likely.value.hint or "")


@pytest.mark.parametrize(
    ("columns", "message", "hint"),
    [
        ({"tim": "a"}, "no column of a log is named `tim`", "did you mean `time`?"),
        ({"time": "when"}, "has no column `when` to be `time`", "did you mean `when_ms`?"),
        ({"input_tokens": "prompt"}, "has no column for time, only when_ms, prompt, answer", "--column time=NAME"),
    ],
)
def test_a_column_that_is_named_wrongly_is_said(
    tmp_path: Path, columns: dict[str, str], message: str, hint: str
) -> None:
    path = written(tmp_path, "when_ms,prompt,answer\n0,800,250\n")

    with pytest.raises(UsageError) as caught:
        read_log(path, columns=columns)

    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


BUCKET = {"start_time": 1730419200, "end_time": 1730505600, "num_model_requests": 5, "input_tokens": 1000,
          "output_tokens": 500}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (json.dumps({"data": [{"start_time": 1, "end_time": 3601, "results": [BUCKET]}]}), "openai-usage"),
        ("Date,Spend ($),Requests,Prompt Tokens,Completion Tokens\n2026-11-01,1,5,1000,500\n", "litellm-daily"),
        ("date,model,requests,prompt_tokens,completion_tokens\n2026-11-01,m,5,9,9\n", "openrouter-daily"),
    ],
)  # fmt: skip
def test_an_aggregate_is_no_log_to_replay(tmp_path: Path, text: str, layout: str) -> None:
    with pytest.raises(UsageError, match=rf"is an aggregate \({layout}\), 5 requests in 1 rows: it does not say when"):
        read_trace(written(tmp_path, text))


def test_a_log_without_times_cannot_be_replayed(tmp_path: Path) -> None:
    row = '{"input_length": 10, "output_length": 5}\n'

    with pytest.raises(UsageError, match="says not when its requests came"):
        read_trace(written(tmp_path, row + row))


DIGEST_BEFORE = "e7df28b651b93b58b07050f36bba86a94b3a4b162ca5caa9f1dc9e36918a57ba"  # of a scenario that knew neither


def replay(**load: Any) -> Scenario:
    return Scenario.model_validate({"name": "t", "load": {"kind": "trace", "file": "log", **load}})


def test_a_scenario_names_columns_and_unit_and_says_what_it_does_not_send(tmp_path: Path) -> None:
    written(tmp_path, "when,given,made\n0,800,250\n500,,\n1000,800,0\n5000,800,250\n")
    names = {"time": "when", "input_tokens": "given", "output_tokens": "made"}

    plan = estimate(replay(columns=names, time_unit="ms"), None, tmp_path)

    assert plan["requests"] == [2, 2]
    assert plan["seconds"] == 6  # 5 s and the second after the last
    assert plan["notes"] == ["`load.file` log: rows that are not sent: 1 without tokens, 1 that failed"]


def test_what_a_scenario_does_not_say_of_its_log_makes_no_other_work() -> None:
    assert replay().digest() == DIGEST_BEFORE
    assert replay(time_unit="ms").digest() != DIGEST_BEFORE
