"""Ask TGI one question, whole and streamed, through the `Client` of its own package `text-generation` (extra `tgi`).

Imported only when TGI is asked: the package brings HTTP clients along.
"""

import time
from dataclasses import replace
from importlib import util
from itertools import islice
from types import ModuleType
from typing import Any

from requests import RequestException, Response, Session
from requests.exceptions import ChunkedEncodingError

from harness.backends.wire import error_detail, error_message
from harness.base.errors import EngineError
from harness.engines.check.answer import (
    ANSWER_TOKENS,
    QUESTION,
    EngineAnswer,
    Question,
    broke_off,
    broken,
    http_error,
    shortcoming,
    unanswered,
    wrong_server_hint,
)
from harness.engines.kinds import tgi

_BUSY = "ask again when its load is gone, or start it with a larger --max-concurrent-requests"
_LIMITS = "was it started with room for 16 tokens or more (--max-total-tokens)?"
_LOG = "its log says more"
# every error that the package knows, by its class: in our words, the way out
ERRORS: dict[str, tuple[str, str | None]] = {
    "ValidationError": ("refuses the question", _LIMITS),
    "BadRequestError": ("refuses the question", _LIMITS),
    "GenerationError": ("failed while it generated", _LOG),
    "IncompleteGenerationError": ("stopped before its answer was whole", _LOG),
    "OverloadedError": ("is overloaded", _BUSY),
    "RateLimitExceededError": ("refuses more requests for now", _BUSY),
    "ShardNotReadyError": ("is not ready", "ask again; its log says what it waits for"),
    "ShardTimeoutError": ("timed out behind its router", _LOG),
    "NotFoundError": ("knows no such route", "is --url the base URL, and is it TGI that listens there?"),
    "NotSupportedError": ("does not serve this model", None),
    "UnknownError": ("answers with an error", _LOG),
}


def ask_tgi(question: Question) -> EngineAnswer:
    """The same greedy question whole and streamed; `problem` says where the two differ, if the server is greedy.

    Raises:
        EngineError: the package is not installed.
        EndpointError: nobody listens, an error in either answer, no answer in time, or no TGI.
    """
    client, errors = _package()
    known = {getattr(errors, name): said for name, said in ERRORS.items()}
    responses: list[Response] = []  # as they come
    with _session(responses) as session:
        client.requests = session
        try:
            return _ask_both(question, client, responses)
        except tuple(known) as error:
            if (refused := _refused_key(question, responses)) is not None:
                raise refused from None
            what, hint = known[type(error)]
            line = f"{question.who} {what}: {error_message(error.args[0])}"
            raise unanswered(question, line, hint) from None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # the package takes every body for TGI's JSON; RequestException has a JSON error that is a ValueError
            raise _no_tgi(question, responses, error) from None
        except ChunkedEncodingError:
            raise broke_off(question) from None
        except RequestException as error:
            if responses and responses[-1].is_redirect:
                raise http_error(question, responses[-1].status_code, "") from None
            raise broken(question, error) from None


def _ask_both(question: Question, client: Any, responses: list[Response]) -> EngineAnswer:
    # its calls go to the base URL itself: the route `/`, which takes whole and streamed requests
    asked = client.Client(f"{question.base_url}/", headers=question.headers(), timeout=question.timeout_s)
    began = time.perf_counter()
    whole = asked.generate(QUESTION, max_new_tokens=ANSWER_TOKENS)
    seconds = time.perf_counter() - began
    prompt_tokens = responses[-1].headers.get("x-prompt-tokens", "")  # the package drops it
    # one more than was asked for is enough to tell that a stream does not end
    parts = list(islice(asked.generate_stream(QUESTION, max_new_tokens=ANSWER_TOKENS), ANSWER_TOKENS + 1))
    difference = _difference(whole, parts)
    # its llama.cpp backend samples whatever it is asked: then no two answers have to be alike, whole or streamed
    is_greedy = difference is None or whole.generated_text == _again(asked)
    difference = difference if is_greedy else _unfinished(parts)
    answer = EngineAnswer(
        engine=question.title,
        base_url=question.base_url,
        model=tgi.identify(question.base_url).model,
        question=QUESTION,
        answer=whole.generated_text,
        prompt_tokens=int(prompt_tokens) if prompt_tokens.isdecimal() else None,
        output_tokens=whole.details.generated_tokens,
        finish_reason=whole.details.finish_reason.value,
        seconds=seconds,
        streamed_alike=difference is None if is_greedy else None,
    )
    return replace(answer, problem=shortcoming(answer) or difference)


def _again(asked: Any) -> str:
    text: str = asked.generate(QUESTION, max_new_tokens=ANSWER_TOKENS).generated_text
    return text


def _unfinished(parts: list[Any]) -> str | None:
    """Where a stream has no end, or not the one of its answer."""
    if not parts or parts[-1].details is None:
        return f"its stream broke off after {len(parts)} tokens"
    return None


def _difference(whole: Any, parts: list[Any]) -> str | None:
    """Where the stream is not the whole answer: greedy, both must be the same tokens."""
    unfinished = _unfinished(parts)
    if unfinished is not None:
        return unfinished
    details = parts[-1].details
    ours = [(token.id, token.text) for token in whole.details.tokens]
    streamed = [(part.token.id, part.token.text) for part in parts]
    if ours != streamed:
        texts = ["".join(text for _, text in tokens) for tokens in (ours, streamed)]
        return f"the same question was answered {texts[0]!r} whole and {texts[1]!r} streamed"
    if details.finish_reason != whole.details.finish_reason:
        ends = (whole.details.finish_reason.value, details.finish_reason.value)
        return f"the same answer ended with `{ends[0]}` whole and `{ends[1]}` streamed"
    return None


def _refused_key(question: Question, responses: list[Response]) -> Exception | None:
    status = responses[-1].status_code if responses else None
    return http_error(question, status, "") if status in (401, 403) else None


def _no_tgi(question: Question, responses: list[Response], error: Exception) -> Exception:
    """The package could not read the answer: an empty 401, a proxy's page, another server."""
    if not responses:  # nothing was sent: an URL that `requests` refuses
        return unanswered(question, f"cannot ask {question.who}: {error}", wrong_server_hint(question))
    last = responses[-1]
    if last.status_code != 200:
        return http_error(question, last.status_code, error_detail(last.content))
    return unanswered(question, f"{question.who} does not answer as TGI does: {error}", wrong_server_hint(question))


def _package() -> tuple[Any, ModuleType]:
    """A copy of its module `client` for this question alone, and its module `errors`.

    The client asks through its module's global `requests`. A question that is not answered in time is left to itself in
    its thread, so nothing that others use may be changed for it.
    """
    try:
        from text_generation import client, errors
    except ImportError as error:
        raise EngineError(
            f"TGI is asked through its own package, which is not installed: {error}",
            hint="pip install 'breakeven[tgi]'",
        ) from None
    spec = util.spec_from_file_location(client.__name__, client.__file__)
    assert spec is not None
    assert spec.loader is not None
    own = util.module_from_spec(spec)
    spec.loader.exec_module(own)
    return own, errors


def _session(responses: list[Response]) -> Session:
    """Takes the place of `requests` in the package's client, and keeps its responses.

    By itself the client would ask through the environment's proxy, send what ~/.netrc has for the host in place of our
    key, and follow redirects.
    """
    session = Session()
    session.trust_env = False
    session.max_redirects = 0
    session.hooks["response"] = [lambda response, **_: responses.append(response)]
    return session
