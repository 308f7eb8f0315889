"""One real question to an engine: what is asked, what counts as an answer, and the words of what went wrong."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.backends.wire import MAX_DETAIL_CHARS
from harness.base.errors import EndpointError

QUESTION = "The capital of France is"
ANSWER_TOKENS = 8  # a name and a few words: under a second where anybody would want to measure
NORMAL_FINISHES = ("stop", "length", "eos_token", "stop_sequence")  # OpenAI's two, TGI's own two
_CHAIN_LIMIT = 10  # exceptions behind an exception: `requests` wraps four deep


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to ask; `base_url` without `/v1` and without a slash at its end."""

    title: str  # of the engine, in prose: "llama-server"
    backend: str  # its dialect: a key of BACKENDS
    base_url: str
    timeout_s: float
    api_key: str | None = field(default=None, repr=False)

    @property
    def who(self) -> str:
        """The engine in the words of an error line."""
        return f"{self.title} at {self.base_url}"

    def headers(self) -> dict[str, str]:
        """With the bearer token, where there is one."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """What came back; None is what the engine did not say."""

    engine: str
    base_url: str
    model: str | None
    question: str
    answer: str
    prompt_tokens: int | None
    output_tokens: int | None
    finish_reason: str | None
    seconds: float  # from asking to the end of the whole, not streamed answer
    streamed_alike: bool | None = None  # None: no stream was asked for, or the server draws each answer anew
    problem: str | None = None  # why this is not how an engine should answer

    @property
    def finished_normally(self) -> bool:
        """Whether it ended by itself or at the length that was asked for."""
        return self.finish_reason in NORMAL_FINISHES


def shortcoming(answer: EngineAnswer) -> str | None:
    """What is wrong with the form of an answer; whether it is true is for the reader."""
    if answer.output_tokens == 0 or not answer.answer.strip():
        return f"its answer is empty (finish reason: {answer.finish_reason or 'n/a'})"
    if answer.finish_reason is None:
        return "its answer has no finish reason"
    if not answer.finished_normally:
        return f"its answer ended with `{answer.finish_reason}`, which is no normal end"
    return None


def unanswered(question: Question, line: str, hint: str | None = None) -> EndpointError:
    """An error of one line that never holds the key."""
    if question.api_key:
        line = line.replace(question.api_key, "...")
    return EndpointError(one_line(line), hint=hint)


def one_line(text: str) -> str:
    """Without line breaks and control characters, and no longer than a few terminal lines."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    limit = MAX_DETAIL_CHARS + 100  # the server's words and ours before them
    return words if len(words) <= limit else f"{words[:limit]}..."


def http_error(question: Question, status: int, words: str) -> EndpointError:
    """An answer with another status than 200."""
    line = f"{question.who} answers HTTP {status}" + (f": {words}" if words else "")
    return unanswered(question, line, _status_hint(question, status))


def _status_hint(question: Question, status: int) -> str | None:
    if status in (401, 403):
        if question.api_key:
            return "it refuses the key in the variable that --api-key-env names"
        return "it wants a key: --api-key-env NAME sends the one in that variable"
    if 300 <= status < 400 or status in (404, 405):
        return wrong_server_hint(question)
    if status in (429, 503):
        return "it is busy, or still loading: ask again"
    return None


def wrong_server_hint(question: Question) -> str:
    """For answers that this engine would not give."""
    return f"is --url the base URL (without /v1/...), and is it {question.title} that listens there?"


def too_slow(question: Question) -> EndpointError:
    """No whole answer in time."""
    return unanswered(
        question,
        f"{question.who} gave no whole answer within {question.timeout_s:g} s",
        "is it under load, or on a slow machine? --timeout-s waits longer",
    )


def broke_off(question: Question) -> EndpointError:
    """The connection ended too early."""
    return unanswered(question, f"{question.who} broke the connection off before its answer was whole")


def broken(question: Question, error: BaseException) -> EndpointError:
    """A connection that did not come about, or broke."""
    chain = list(_behind(error))
    if any(isinstance(each, TimeoutError) for each in chain):
        return too_slow(question)
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return unanswered(
            question,
            f"nobody listens at {question.base_url}",
            f"is {question.title} up? `breakeven engine status` lists what runs on this machine",
        )
    if any(isinstance(each, ConnectionError | http.client.IncompleteRead) for each in chain):
        return broke_off(question)
    words = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
    why = words[-1] if words else type(error).__name__
    return unanswered(question, f"cannot talk to {question.who}: {why}", "is --url right?")


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that it was raised from or while handling, outermost first."""
    for _ in range(_CHAIN_LIMIT):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
