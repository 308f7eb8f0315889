"""The load engine against the double of TGI: every answer and every refusal leaves the right row."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from load_helpers import records_of, run_load, scenario
from tgi_double import TgiDouble
from tgi_job import Behaviour

from harness.base.errors import UsageError
from harness.cli import invoke

every_route = pytest.mark.parametrize(
    ("api", "stream"), [(api, stream) for api in ("native", "completions", "chat") for stream in (True, False)]
)


@pytest.fixture
def tgi() -> Iterator[TgiDouble]:
    with TgiDouble() as double:
        yield double


def drive(out_dir: Path, tgi: TgiDouble, api: str = "native", stream: bool = True, **more: Any) -> Any:
    request = {"api": api, "stream": stream, "timeout_s": 5.0}
    prompts = {"kind": "synthetic", "input_tokens": 40, "output_tokens": 5}
    work = scenario(request=request, prompts=prompts)
    rows = records_of(run_load(out_dir, tgi.url, backend="tgi", work=work, **more))
    ended = rows[rows["error"].fillna("") != "cut_at_end"]
    assert len(ended) > 0
    return ended


@every_route
def test_answers_of_every_route_are_counted_by_the_server(
    tgi: TgiDouble, tmp_path: Path, api: str, stream: bool
) -> None:
    rows = drive(tmp_path, tgi, api, stream)

    assert rows["error"].isna().all()
    assert set(rows["output_tokens"]) == {5}
    assert set(rows["token_source"]) == {"server"}
    assert set(rows["finish_reason"]) == {"length"}
    assert set(rows["prompt_tokens"]) == {40}  # with the chat template's thirty
    if stream:
        assert set(rows["events"]) == {5}


@every_route
def test_a_stop_at_the_end_of_sequence_counts_its_token(tgi: TgiDouble, tmp_path: Path, api: str, stream: bool) -> None:
    tgi.behaviour = Behaviour(eos_after=2)

    rows = drive(tmp_path, tgi, api, stream)

    assert set(rows["output_tokens"]) == {3}
    assert set(rows["finish_reason"]) == {"stop" if api == "chat" else "eos_token"}
    if stream:
        assert set(rows["events"]) == {3}


@every_route
def test_overload_is_a_failure_in_every_form(tmp_path: Path, api: str, stream: bool) -> None:
    with TgiDouble(max_concurrent_requests=0) as full:
        rows = drive(tmp_path, full, api, stream)

    assert set(rows["error"]) == {"error_event" if stream else "http_429"}
    assert "Model is overloaded" in rows["error_detail"].iloc[0]
    assert rows["output_tokens"].isna().all()


@pytest.mark.parametrize("api", ["native", "completions", "chat"])
def test_a_generation_error_after_tokens_is_a_failure(tgi: TgiDouble, tmp_path: Path, api: str) -> None:
    tgi.behaviour = Behaviour(fail_after=2)

    rows = drive(tmp_path, tgi, api)

    assert set(rows["error"]) == {"error_event"}
    assert "boom" in rows["error_detail"].iloc[0]
    assert set(rows["events"]) == {2}


def test_a_crash_in_the_middle_is_an_answer_cut_short(tgi: TgiDouble, tmp_path: Path) -> None:
    tgi.behaviour = Behaviour(crash_after=2)

    assert set(drive(tmp_path, tgi)["error"]) == {"truncated"}


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(keep_alives=True), Behaviour(write="bytes", texts=("é", "😀")), Behaviour(write="all"),
        Behaviour(space=False), Behaviour(texts=("", "a")), Behaviour(null_logprobs=True),
    ],
)  # fmt: skip
def test_odd_framing_changes_no_count(tgi: TgiDouble, tmp_path: Path, behaviour: Behaviour) -> None:
    tgi.behaviour = behaviour

    rows = drive(tmp_path, tgi)

    assert rows["error"].isna().all()
    assert set(rows["events"]) == set(rows["output_tokens"]) == {5}


def test_a_whole_answer_keeps_the_servers_own_times(tgi: TgiDouble, tmp_path: Path) -> None:
    tgi.behaviour = Behaviour(first_token_s=0.05)

    rows = drive(tmp_path, tgi, stream=False)

    assert (rows["server_total_s"] >= 0.05).all()
    assert (rows["server_total_s"] <= rows["finished_s"] - rows["sent_s"] + 0.001).all()


def test_a_wrong_key_is_a_401(tmp_path: Path) -> None:
    with TgiDouble(api_key="right") as tgi:
        assert set(drive(tmp_path, tgi)["error"]) == {"http_401"}


def test_what_tgi_would_refuse_in_every_request_ends_the_run_before_it_begins(tgi: TgiDouble, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="top_p"):
        drive(tmp_path, tgi, extra_body={"parameters": {"top_p": 1.0}})

    assert tgi.bodies == []


def test_the_run_command_drives_tgi_from_its_url_alone(
    tgi: TgiDouble, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "s.yaml"
    work.write_text(
        "name: s\nload: {users: [2], step_s: 1.5, warmup_s: 0}\nslo: {e2e_p50_s: 5}\n"
        "prompts: {kind: synthetic, input_tokens: 20, output_tokens: 5}\nrequest: {api: native, timeout_s: 5}\n"
    )

    code = invoke(["run", str(work), "--backend", "tgi", "--url", tgi.url, "--out", str(tmp_path / "out"), "--json"])

    said = json.loads(capsys.readouterr().out)
    assert code == 0
    (run_dir,) = (tmp_path / "out").iterdir()
    manifest = json.loads((run_dir / "run.json").read_text())
    assert (manifest["backend"], manifest["model"]) == ("tgi", "double/model")
    assert manifest["engine"]["name"] == "tgi"
    assert manifest["engine"]["flags"]["max_total_tokens"] == 2048
    assert said["metrics"]["steps"][0]["mean_output_tokens"] == 5
