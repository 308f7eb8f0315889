"""`breakeven engine check tgi`: through the package's own client, against the double and canned answers."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import text_generation
from canned_server import canned
from tgi_double import TgiDouble
from tgi_job import Behaviour, Job
from tgi_rules import Limits

from harness.base.errors import EndpointError
from harness.cli import invoke
from harness.engines.check.ask_engine import ask_engine
from harness.engines.check.tgi_client import ERRORS

# text-generation 0.7.0 calls pydantic's old `.dict()`
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")

KEY = "a-key-that-nobody-may-see"


@pytest.fixture
def tgi() -> Iterator[TgiDouble]:
    with TgiDouble() as double:
        yield double


class StreamsOtherwise(TgiDouble):
    """Behaves in its second generation, the streamed one, as it is told."""

    def __init__(self, streaming: Behaviour) -> None:
        super().__init__()
        self.streaming = streaming

    def job(self, inputs: str, parameters: dict[str, Any]) -> Job:
        self.behaviour = self.streaming if len(self.bodies) == 2 else Behaviour()
        return super().job(inputs, parameters)

    def handle_error(self, *_: object) -> None:
        """Says nothing on stderr of a client that has seen enough of a stream."""


def check(*arguments: str) -> int:
    return invoke(["engine", "check", *arguments])


def test_tgi_is_asked_whole_and_streamed_through_the_packages_client(
    tgi: TgiDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("tgi", "--url", tgi.url) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        f"engine  TGI at {tgi.url}",
        "model   double/model",
        'asked   "The capital of France is"',
        'answer  " tok tok tok tok tok tok tok tok"',
    ]
    assert lines[4].startswith("tokens  5 in, 8 out, in ")
    assert lines[5:] == ["finish  length (normal)", "stream  the same tokens"]
    # what only the package sends: every parameter, those that are not set as null
    assert [body["typical_p"] for body in tgi.bodies] == [None, None]
    assert [(body["do_sample"], body["max_new_tokens"]) for body in tgi.bodies] == [(False, 8), (False, 8)]


def test_tgis_answer_as_json_has_tokens_seconds_model_and_end(
    tgi: TgiDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    tgi.behaviour = Behaviour(texts=(" Pa", "ris"), eos_after=2, keep_alives=True)

    assert check("tgi", "--url", f"{tgi.url}/v1/", "--json") == 0

    answer = json.loads(capsys.readouterr().out)
    assert answer.pop("seconds") > 0
    assert answer == {
        "engine": "TGI",
        "base_url": tgi.url,
        "model": "double/model",
        "question": "The capital of France is",
        "answer": " Paris",
        "prompt_tokens": 5,  # the double's tokens are words
        "output_tokens": 3,  # two and the end of sequence
        "finish_reason": "eos_token",
        "streamed_alike": True,
        "problem": None,
    }


def test_an_overloaded_tgi_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with TgiDouble(max_concurrent_requests=0) as full:
        assert check("tgi", "--url", full.url) == 1

        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines()[0] == f"error: TGI at {full.url} is overloaded: Model is overloaded"
        assert "hint: ask again when its load is gone" in err


def test_a_question_that_tgi_refuses_is_one_line_in_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    with TgiDouble(limits=Limits(max_total_tokens=12)) as small:
        assert check("tgi", "--url", small.url) == 1

        assert capsys.readouterr().err.splitlines()[0] == (
            f"error: TGI at {small.url} refuses the question: Input validation error: `inputs` tokens + "
            "`max_new_tokens` must be <= 12. Given: 5 `inputs` tokens and 8 `max_new_tokens`"
        )


def test_an_error_event_in_a_stream_of_status_200_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with StreamsOtherwise(Behaviour(fail_after=2)) as failing:
        assert check("tgi", "--url", failing.url) == 1

        assert capsys.readouterr().err.splitlines()[0] == (
            f"error: TGI at {failing.url} failed while it generated: "
            "Request failed during generation: Server error: boom"
        )


@pytest.mark.parametrize("behaviour", [Behaviour(crash_after=0), Behaviour(crash_after=3)])
def test_a_stream_that_breaks_is_an_error(behaviour: Behaviour, capsys: pytest.CaptureFixture[str]) -> None:
    with StreamsOtherwise(behaviour) as crashing:
        assert check("tgi", "--url", crashing.url) == 1

        assert capsys.readouterr().err.strip() == (
            f"error: TGI at {crashing.url} broke the connection off before its answer was whole"
        )


def test_a_stream_with_other_tokens_than_the_whole_answer_is_shown_and_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with StreamsOtherwise(Behaviour(texts=(" top",))) as unlike:
        assert check("tgi", "--url", unlike.url) == 1

        out, err = capsys.readouterr()
        assert out.splitlines()[-1] == "stream  differs"
        assert "the same question was answered ' tok tok tok tok tok tok tok tok' whole and ' top" in err


class Samples(TgiDouble):
    """Answers no two questions alike, whatever `do_sample` says, as TGI's llama.cpp backend does."""

    def job(self, inputs: str, parameters: dict[str, Any]) -> Job:
        self.behaviour = Behaviour(texts=(f" word{len(self.bodies)}",))
        return super().job(inputs, parameters)


def test_a_tgi_that_draws_each_answer_anew_need_not_answer_alike_whole_and_streamed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Samples() as sampling:
        assert check("tgi", "--url", sampling.url) == 0

        assert not any(line.startswith("stream") for line in capsys.readouterr().out.splitlines())
        assert len(sampling.bodies) == 3  # the question again tells that it samples


def test_a_stream_that_ends_otherwise_than_the_whole_answer_fails() -> None:
    with StreamsOtherwise(Behaviour(eos_after=3)) as unlike:
        answer = ask_engine("tgi", url=unlike.url)

    assert answer.streamed_alike is False
    assert answer.problem is not None


def test_an_empty_answer_of_tgi_is_no_answer(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(eos_after=0)

    answer = ask_engine("tgi", url=tgi.url)

    assert (answer.output_tokens, answer.problem) == (1, "its answer is empty (finish reason: eos_token)")


@pytest.mark.parametrize("given", [None, KEY])
def test_a_missing_or_wrong_key_is_one_line_that_does_not_show_it(
    given: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TGI_KEY", KEY)
    with TgiDouble(api_key="another") as locked:
        assert check("tgi", "--url", locked.url, *(["--api-key-env", "TGI_KEY"] if given else [])) == 1

        out, err = capsys.readouterr()
        assert err.splitlines()[0] == f"error: TGI at {locked.url} answers HTTP 401"
        assert "--api-key-env" in err
        assert KEY not in out + err


def test_the_right_key_opens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TGI_KEY", KEY)
    with TgiDouble(api_key=KEY) as locked:
        assert check("tgi", "--url", locked.url, "--api-key-env", "TGI_KEY") == 0

    assert KEY not in "".join(capsys.readouterr())


class LooksAtThePackage(TgiDouble):
    """Sees, while it is asked, what the package's client asks through."""

    def job(self, inputs: str, parameters: dict[str, Any]) -> Job:
        assert text_generation.client.requests is requests
        return super().job(inputs, parameters)


def test_tgi_is_asked_past_a_proxy_and_the_package_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    with LooksAtThePackage() as tgi:
        assert ask_engine("tgi", url=tgi.url).problem is None


def test_without_the_package_the_command_that_installs_it_is_said(
    tgi: TgiDouble, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "text_generation", None)  # an import of it fails

    assert check("tgi", "--url", tgi.url) == 1

    err = capsys.readouterr().err
    assert err.startswith("error: TGI is asked through its own package, which is not installed: ")
    assert err.endswith("hint: pip install 'breakeven[tgi]'\n")
    assert tgi.bodies == []


def test_every_error_of_the_package_has_its_words() -> None:
    known = {
        name for name, value in vars(text_generation.errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }  # fmt: skip

    assert set(ERRORS) == known


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (404, {"detail": "Not Found"}, "answers HTTP 404: Not Found"),  # llama-cpp-python
        (404, {"error": {"message": "File Not Found"}}, "knows no such route: File Not Found"),  # llama-server
        (502, b"<html>Bad Gateway</html>", "answers HTTP 502: Bad Gateway"),
        (424, {"error": "Sharded results are empty", "error_type": "generation"}, "failed while it generated"),
        (424, {"error": "shard"}, "is not ready: shard"),
        (500, {"error": "Incomplete generation", "error_type": "incomplete_generation"},
         "stopped before its answer was whole: Incomplete generation"),
        (200, [], "does not answer as TGI does"),
        (200, b"hello", "does not answer as TGI does"),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_tgi_is_one_line(status: int, body: Any, line: str) -> None:
    with canned(body, status) as server, pytest.raises(EndpointError) as caught:
        ask_engine("tgi", url=server.url)

    assert str(caught.value).startswith(f"TGI at {server.url} {line}")
