"""Asks an endpoint who it is, before the load: a few questions that cost it nothing. Unknown is None."""

import re

import gevent
import orjson

from harness.backends.faults import hint_for_tls
from harness.base.errors import EndpointError, UsageError
from harness.base.weights_name import bare_name
from harness.load.process.answers import Found, read_answers
from harness.load.wire.exchange import ConnectionLost
from harness.load.wire.transport import ConnectFailed, Late, Target, fetch
from harness.rundir.identity import Identity

ANSWER_S = 5.0  # one question gets at most this, and at most timeout_s
IDENTITY_S = 10.0  # all of them together
ROUTES = (
    "/v1/models", "/version", "/info", "/props", "/api/version", "/metrics",
    "/server_info", "/model_info", "/get_server_info", "/get_model_info",  # SGLang, since 0.5.6 and before
)  # fmt: skip
SHOW = "/api/show"  # Ollama's, of one model
MODELS_SHOWN = 5

TGI_ANY = "tgi"  # TGI takes this name for whatever it serves

Answer = bytes | ConnectFailed | None


def identify(target: Target, timeout_s: float, model: str | None, *, goes_on: bool) -> Found:
    """Ask all routes at once; what has not answered in time is unknown. `goes_on`: a request of our own comes next,
    which shows in a row why a certificate was refused.

    Raises:
        EndpointError: nobody listens there.
    """
    each_s = min(ANSWER_S, timeout_s)
    jobs = {path: gevent.spawn(_ask, target, path, each_s) for path in ROUTES}
    gevent.joinall(list(jobs.values()), timeout=IDENTITY_S - ANSWER_S)
    gevent.killall(list(jobs.values()))
    said: dict[str, Answer] = {path: _value(job) for path, job in jobs.items()}
    refused = [answer for answer in said.values() if isinstance(answer, ConnectFailed)]
    if len(refused) == len(said):
        if goes_on and is_tls(str(refused[0])):
            return Found()
        raise EndpointError(
            f"nobody can be reached at {target.url}: {refused[0]}",
            hint=hint_for_tls(str(refused[0])) or "is the server up, and is --url its base URL?",
        )
    answers = {path: answer if isinstance(answer, bytes) else None for path, answer in said.items()}
    found = read_answers(answers, model)
    if found.identity.engine == "ollama" and (model or found.model):
        shown = _ask(target, SHOW, each_s, body=orjson.dumps({"model": model or found.model}))
        found = read_answers({**answers, SHOW: shown if isinstance(shown, bytes) else None}, model)
    return found


def is_tls(detail: str) -> bool:
    """Whether a connection failed over TLS: no load cures that."""
    return detail.startswith("TLS")


def one_model(asked: str | None, found: Found, url: str) -> str | None:
    """The model to ask for. Several names of the same weights are one.

    Raises:
        UsageError: several are listed, and none was named.
    """
    if asked is None and len(set(found.weights)) > 1:
        shown = ", ".join(found.models[:MODELS_SHOWN]) + (", ..." if len(found.models) > MODELS_SHOWN else "")
        raise UsageError(
            f"{url} lists {len(found.models)} models, and none was named: {shown}",
            hint="name the one to measure with --model",
        )
    return asked or found.model


def other_model(asked: str | None, found: Found) -> str | None:
    """That the endpoint does not list the model asked for: a server of one model answers for it all the same."""
    if asked is None or not found.models or asked in (*found.models, TGI_ANY):
        return None
    shown = ", ".join(found.models[:3]) + (", ..." if len(found.models) > 3 else "")
    return f"does not list the model `{asked}`, it serves: {shown}"


def check_alike(asked: str | None, first: Found, url: str, found: Found) -> None:
    """Whether a replica is the same as the first: model, engine, version, weights, context; unsaid counts as yes.

    Raises:
        EndpointError: it lists only other models, or is another engine or another setting of it.
    """
    model = asked if asked in first.models else first.model
    if model is not None and found.models and model not in found.models:
        raise EndpointError(
            f"{url} serves {', '.join(found.models[:3])}, the first --url serves {model}: "
            "several URLs are replicas of one model",
            hint="drive them in runs of their own, or name a model that all of them list with --model",
        )
    for what, mine, other in zip(_ALIKE, _alike(first.identity), _alike(found.identity), strict=True):
        if mine is not None and other is not None and mine != other:
            raise EndpointError(
                f"{url} has {what} {other}, the first --url has {mine}: several URLs are equal replicas",
                hint="start them alike, or drive them in runs of their own",
            )


_ALIKE = ("the engine", "the version", "the weights", "the revision", "the quantisation", "a context of")


def _alike(said: Identity) -> tuple[str | int | None, ...]:
    """What replicas have in common; of weights the name, for each machine may keep them in a place of its own."""
    place = said.weights.value if said.weights is not None else None
    weights = bare_name(place) if place is not None else None
    cached = re.search(r"/snapshots/([0-9a-f]{7,40})(?:/|$)", place or "")
    quantization, context = (fact.value if fact is not None else None for fact in (said.quantization, said.context))
    revision = cached[1] if cached is not None else None
    return said.engine, said.version, weights, revision, quantization, context


def _ask(target: Target, path: str, timeout_s: float, body: bytes | None = None) -> Answer:
    try:
        status, answer = fetch(target, path, body=body, timeout_s=timeout_s)
    except ConnectFailed as error:
        return error
    except (ConnectionLost, Late):
        return None
    return answer if status == 200 else None


def _value(job: gevent.Greenlet) -> Answer:
    answer: Answer = job.value if job.successful() and not isinstance(job.value, gevent.GreenletExit) else None
    return answer
