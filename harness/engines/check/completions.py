"""Ask llama-server, llama-cpp-python or vLLM one question: a plain `/v1/completions`, with the standard library."""

import http.client
import json
import time
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

from harness.backends import BACKENDS
from harness.backends.wire import ODD_SHAPE, Answer, Ask, error_detail
from harness.base.errors import EndpointError
from harness.engines.check.answer import (
    ANSWER_TOKENS,
    QUESTION,
    EngineAnswer,
    Question,
    broken,
    http_error,
    unanswered,
    wrong_server_hint,
)

_MODELS_TIMEOUT_S = 5.0
_MAX_BYTES = 4 << 20


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: followed, it would carry the key elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Nowhere."""


# past any proxy: an engine on loopback or in a private network is not the proxy's business
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def ask_completions(question: Question) -> EngineAnswer:
    """One greedy, not streamed completion.

    Raises:
        EndpointError: nobody listens, an error, no answer in time, or something that is no completion.
    """
    wire = BACKENDS[question.backend]
    model = _model(question)
    ask = Ask(
        prompt=QUESTION,
        max_tokens=ANSWER_TOKENS,
        api="completions",
        stream=False,
        temperature=0,
        force_length=False,
        model=model,
    )
    began = time.perf_counter()
    status, headers, body = _exchange(
        question, wire.path("completions", stream=False), question.timeout_s, wire.body(ask)
    )
    seconds = time.perf_counter() - began
    if status != 200:
        raise http_error(question, status, error_detail(body))
    try:
        answer = wire.read_body("completions", body, headers)
        text = "".join(answer.text)
    except ODD_SHAPE:
        answer, text = Answer(error="the answer is no completion"), ""
    if answer.error is not None or not answer.text:
        words = answer.error or "the answer is no completion"
        raise unanswered(question, f"{question.who} answers HTTP 200, but {words}", wrong_server_hint(question))
    return EngineAnswer(
        engine=question.title,
        base_url=question.base_url,
        model=model,
        question=QUESTION,
        answer=text,
        prompt_tokens=answer.prompt_tokens,
        output_tokens=answer.output_tokens,
        finish_reason=answer.finish_reason,
        seconds=seconds,
    )


def _model(question: Question) -> str | None:
    """The first entry of `/v1/models`; None where there is none, or it does not say in time."""
    try:
        status, _, body = _exchange(question, "/v1/models", min(_MODELS_TIMEOUT_S, question.timeout_s))
        name = json.loads(body)["data"][0]["id"] if status == 200 else None
    except (EndpointError, ValueError, LookupError, TypeError):
        return None  # the question itself will meet the same trouble, and say it
    return name if isinstance(name, str) else None


def _exchange(
    question: Question, path: str, timeout_s: float, body: dict[str, Any] | None = None
) -> tuple[int, Message, bytes]:
    """Status, headers and body, whatever the status. `body`: a POST."""
    headers = question.headers() | ({"content-type": "application/json"} if body is not None else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(question.base_url + path, data, headers)
    try:
        with _opener.open(request, timeout=timeout_s) as answer:
            return answer.status, answer.headers, answer.read(_MAX_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read(_MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise broken(question, error) from None
