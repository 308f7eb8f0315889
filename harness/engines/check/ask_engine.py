"""`breakeven engine check`: one real question to an engine, answered within a limit or not at all."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from harness.base.errors import EngineError, UsageError
from harness.engines import engine_kind
from harness.engines.check.answer import EngineAnswer, Question, shortcoming, too_slow
from harness.engines.check.completions import ask_completions
from harness.engines.endpoint import endpoint_url
from harness.engines.kinds import tgi
from harness.engines.life import daemon

TIMEOUT_S = 60


def ask_engine(name: str | None, *, url: str, timeout_s: float = TIMEOUT_S, api_key: str | None = None) -> EngineAnswer:
    """Ask the engine of that name at `url`; without a name, whoever is there.

    `problem` is set where an answer came that is not how an engine should answer.

    Raises:
        UsageError: no such engine, or an URL that cannot be one.
        EngineError: TGI's package is not installed.
        EndpointError: nobody listens, an error, or no whole answer within `timeout_s`.
    """
    kind = engine_kind(name) if name is not None else None
    base_url = endpoint_url(url).removesuffix("/v1").rstrip("/")
    title, backend = (kind.title, kind.backend) if kind is not None else ("the endpoint", "openai")
    question = Question(title, backend, base_url, timeout_s, api_key)
    try:
        answer = _within(timeout_s, lambda: _ask(name, question))
    except TimeoutError:
        raise too_slow(question) from None
    return answer if answer.problem else replace(answer, problem=shortcoming(answer))


def _ask(name: str | None, question: Question) -> EngineAnswer:
    if name != tgi.NAME:
        return ask_completions(question)
    from harness.engines.check.tgi_client import ask_tgi

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


def started_urls(name: str | None) -> list[str]:
    """Where the replicas of the engine serve that `engine start` started.

    Raises:
        UsageError: no name, or one of no engine.
        EngineError: none of that name was started here.
    """
    if name is None:
        raise UsageError("nobody to ask", hint="name an engine that was started here, or a --url")
    kind = engine_kind(name)
    started = daemon.read_state(kind.name)
    if started is None:
        raise EngineError(
            f"{kind.title} was not started here",
            hint=f"breakeven engine start {kind.name}, or --url URL for one that runs elsewhere",
        )
    return started.urls
