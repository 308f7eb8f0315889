"""`breakeven engine check`: one real question, and every way not to answer it. TGI has a file of its own."""

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from canned_server import canned
from engine_helpers import ROOT

from harness.base.errors import EndpointError, UsageError
from harness.cli import invoke
from harness.engines.check.ask_engine import ask_engine

# text-generation 0.7.0 calls pydantic's old `.dict()`
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")

KEY = "a-key-that-nobody-may-see"


def completion(text: str = " Paris", finish: str | None = "stop", tokens: int | None = 1) -> dict[str, Any]:
    usage = {"prompt_tokens": 5, "completion_tokens": tokens} if tokens is not None else None
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish}], "usage": usage}


def check(*arguments: str) -> int:
    return invoke(["engine", "check", *arguments])


@pytest.mark.parametrize("name", ["llama_server", "llama_cpp_python", "vllm"])
def test_the_others_are_asked_by_one_plain_completion(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_KEY", KEY)
    with canned(completion()) as server:
        assert check(name, "--url", server.url, "--api-key-env", "ENGINE_KEY") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == ["model   some-model", 'asked   "The capital of France is"', 'answer  " Paris"']
    assert lines[4].startswith("tokens  5 in, 1 out, in 0.")
    assert lines[5:] == ["finish  stop (normal)"]
    assert len(server.bodies) == 1
    asked = server.bodies[0]
    assert (asked["prompt"], asked["temperature"], asked["max_tokens"]) == ("The capital of France is", 0, 8)
    assert (asked["model"], asked["stream"]) == ("some-model", False)
    assert server.authorizations == [f"Bearer {KEY}"] * 2


def test_an_engine_that_counts_no_tokens_prints_n_a(capsys: pytest.CaptureFixture[str]) -> None:
    with canned(completion(tokens=None)) as server:
        assert check("llama_server", "--url", server.url) == 0

    assert "tokens  n/a in, n/a out, in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (completion(text=""), "its answer is empty (finish reason: stop)"),
        (completion(text="\n", tokens=8), "its answer is empty (finish reason: stop)"),
        (completion(finish=None), "its answer has no finish reason"),
        (completion(finish="abort"), "its answer ended with `abort`, which is no normal end"),
    ],
)
def test_an_answer_of_no_use_is_shown_and_fails(
    body: dict[str, Any], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with canned(body) as server:
        assert check("vllm", "--url", server.url) == 1

    out, err = capsys.readouterr()
    assert "answer  " in out
    assert err == f"error: vLLM at {server.url}: {problem}\n"


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (500, {"error": {"message": "engine\nis dead"}}, "answers HTTP 500: engine is dead"),
        (503, {"error": {"message": "Loading model"}}, "answers HTTP 503: Loading model"),
        (401, {"error": f"Incorrect API key {KEY}"}, "answers HTTP 401: Incorrect API key ..."),
        (307, b"", "answers HTTP 307"),
        (200, {"error": {"message": "no"}}, "answers HTTP 200, but no"),
        (200, b"hello", "answers HTTP 200, but the answer is not JSON"),
        (200, {"choices": []}, "answers HTTP 200, but the answer is no completion"),
        (200, {"choices": [1]}, "answers HTTP 200, but the answer is JSON of another shape"),
    ],
)
def test_what_is_no_completion_is_one_line(status: int, body: Any, line: str) -> None:
    with canned(body, status, location="http://127.0.0.1:9/") as server, pytest.raises(EndpointError) as caught:
        ask_engine("vllm", url=server.url, api_key=KEY)

    assert str(caught.value) == f"vLLM at {server.url} {line}"
    assert len(server.bodies) == 1


def test_what_a_terminal_would_obey_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with canned(completion(text="\x1b[2J\x9bé\n")) as server:
        assert check("vllm", "--url", server.url) == 0

    assert 'answer  "\\u001b[2J\\u009bé\\n"' in capsys.readouterr().out


@pytest.mark.parametrize("name", ["tgi", "vllm"])
def test_nobody_listening_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as bound:  # taken, but it does not listen
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"

        assert check(name, "--url", url) == 1

    assert capsys.readouterr().err.splitlines()[0] == f"error: nobody listens at {url}"


@pytest.mark.parametrize("name", ["tgi", "vllm"])
def test_an_engine_that_never_answers_is_one_line(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(EndpointError, match=r"gave no whole answer within 0\.2 s"):
            ask_engine(name, url=url, timeout_s=0.2)


def test_an_engine_that_drips_forever_is_left_in_time() -> None:
    stop = threading.Event()

    def drip() -> None:
        connection, _address = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            while not stop.wait(0.02):  # far below the limit of one read
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(EndpointError, match=r"gave no whole answer within 0\.3 s"):
            ask_engine("vllm", url=f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.3)
        stop.set()
        thread.join()


def test_without_a_url_the_started_engine_is_asked_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert check("llama_server") == 1

    assert capsys.readouterr().err == (
        "error: llama-server was not started here\n\n"
        "hint: breakeven engine start llama_server, or --url URL for one that runs elsewhere\n"
    )


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999", "http://a b", "http://u:pw@h",
     "http://h?x=1"],
)  # fmt: skip
def test_a_url_that_is_none_is_bad_input(url: str) -> None:
    with pytest.raises(UsageError, match="--url") as caught:
        ask_engine("vllm", url=url)

    assert "pw" not in str(caught.value)


def test_a_key_that_no_header_can_carry_is_bad_input_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGINE_KEY", f"{KEY}\n")
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)

    assert check("vllm", "--url", "http://127.0.0.1:9", "--api-key-env", "ENGINE_KEY") == 2
    assert check("vllm", "--url", "http://127.0.0.1:9", "--api-key-env", "NO_SUCH_KEY") == 2

    assert KEY not in "".join(capsys.readouterr())


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--help") == 0

    assert "Examples:\n    breakeven engine check llama_server" in capsys.readouterr().out


def test_other_engine_commands_load_no_http_client() -> None:
    code = (
        "import sys, harness.cli.engine, harness.engines.check.ask_engine\n"
        "bad = {'text_generation', 'requests', 'urllib3', 'aiohttp', 'locust'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(bad)}' if bad else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_every_url_is_asked_and_one_that_fails_does_not_spare_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    with canned(completion()) as first, canned(completion(text="")) as second, canned(completion()) as third:
        assert check("--url", first.url, "--url", second.url, "--url", third.url) == 1

        assert [len(server.bodies) for server in (first, second, third)] == [1, 1, 1]

    said = capsys.readouterr()
    assert said.out.count("engine  the endpoint at http://127.0.0.1:") == 3
    assert "error: 1 of 3 failed: " in said.err


def test_nobody_to_ask_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert check() == 2

    assert capsys.readouterr().err.startswith("error: nobody to ask\n")
