"""`breakeven engine check`: one real question to an engine, answered within a limit or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from urllib.parse import urlsplit

from harness.engines import daemon, engine_kind, tgi
from harness.engines.asking_answer import EngineAnswer, Question, shortcoming, too_slow
from harness.engines.asking_completions import ask_completions
from harness.engines.kind import EngineKind
from harness.errors import EngineError, UsageError

TIMEOUT_S = 60


def ask_engine(
    name: str, *, url: str | None = None, timeout_s: float = TIMEOUT_S, api_key: str | None = None
) -> EngineAnswer:
    """Ask the engine of that name: at `url`, or the one that `engine start` started.

    `problem` is set where an answer came that is not how an engine should answer.

    Raises:
        UsageError: no such engine, or an URL or key that cannot be one.
        EngineError: none was started here; TGI's package is not installed.
        EndpointError: nobody listens, an error, or no whole answer within `timeout_s`.
    """
    kind = engine_kind(name)
    _check_key(api_key)
    base_url = _started_url(kind) if url is None else _base_url(url)
    question = Question(kind.title, kind.backend, base_url, timeout_s, api_key)
    try:
        answer = _within(timeout_s, lambda: _ask(kind, question))
    except TimeoutError:
        raise too_slow(question) from None
    return answer if answer.problem else replace(answer, problem=shortcoming(answer))


def _ask(kind: EngineKind, question: Question) -> EngineAnswer:
    if kind.name != tgi.NAME:
        return ask_completions(question)
    from harness.engines.asking_tgi import ask_tgi  # with HTTP clients that no other engine needs

    return ask_tgi(question)


def _within(timeout_s: float, call: Callable[[], EngineAnswer]) -> EngineAnswer:
    """What `call` gives, or TimeoutError.

    A socket's own timeout is for one read: a server that goes on sending a byte now and then would never meet it.
    """
    outcome: Future[EngineAnswer] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # whatever it is, it is raised where the caller waits
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return outcome.result(timeout_s)


def _started_url(kind: EngineKind) -> str:
    started = daemon.read_state(kind.name)
    if started is None:
        raise EngineError(
            f"{kind.title} was not started here",
            hint=f"breakeven engine start {kind.name}, or --url URL for one that runs elsewhere",
        )
    return started.base_url


def _base_url(url: str) -> str:
    """Without `/v1` and slashes at its end."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:  # a port of 99999, a bracket that is not closed
        shown = url if "@" not in url else "..."  # there may be a password in it
        raise UsageError(f"--url `{shown}`: {error}", hint="--url http://127.0.0.1:8000") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"--url {parts.scheme}://{parts.hostname}...: user, password, ? and # do not belong there",
            hint="a key goes in with --api-key-env NAME",
        )
    spaces = any(c.isspace() or not c.isprintable() for c in url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or spaces or not url.isascii():
        raise UsageError(
            f"--url {url!r} is not an http:// or https:// URL", hint="--url http://127.0.0.1:8000"
        )
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def _check_key(api_key: str | None) -> None:
    """A key that no header can carry would be shown by whoever refuses it."""
    if api_key and not (api_key.isascii() and api_key.isprintable() and api_key == api_key.strip()):
        raise UsageError(
            "the key in the variable of --api-key-env has characters that no HTTP header can carry",
            hint="is there a line break at its end?",
        )
