"""Asks an endpoint who it is, before the load: a few GETs that cost it nothing. Unknown is None."""

from dataclasses import dataclass, field
from typing import Any

import gevent
import orjson

from harness.backends.faults import hint_for_tls
from harness.base.errors import EndpointError
from harness.load.wire.transport import ConnectFailed, ConnectionLost, Target, fetch

MAX_PROBE_S = 5.0
ROUTES = ("/v1/models", "/health", "/version", "/metrics", "/props", "/info")

TGI_ANY = "tgi"  # TGI takes this name for whatever it serves


@dataclass(slots=True)
class Identity:
    """What the endpoint said of itself."""

    model: str | None = None
    models: list[str] = field(default_factory=list)  # all that it lists
    engine: dict[str, Any] = field(default_factory=lambda: {"name": None, "version": None, "flags": None})


def identify(target: Target, timeout_s: float) -> Identity:
    """Ask all routes at once, each for at most min(5 s, timeout_s).

    Raises:
        EndpointError: nobody listens there.
    """
    jobs = {path: gevent.spawn(_ask, target, path, min(MAX_PROBE_S, timeout_s)) for path in ROUTES}
    gevent.joinall(list(jobs.values()))
    answers = {path: job.value for path, job in jobs.items()}
    refused = [answer for answer in answers.values() if isinstance(answer, ConnectFailed)]
    if len(refused) == len(answers):
        raise EndpointError(
            f"nobody can be reached at {target.url}: {refused[0]}",
            hint=hint_for_tls(str(refused[0])) or "is the server up, and is --url its base URL?",
        )
    return _read(answers)


def other_model(asked: str | None, identity: Identity) -> str | None:
    """That the endpoint does not list the model asked for: a server of one model answers for it all the same."""
    if asked is None or not identity.models or asked in (*identity.models, TGI_ANY):
        return None
    shown = ", ".join(identity.models[:3]) + (", ..." if len(identity.models) > 3 else "")
    return f"does not list the model `{asked}`, it serves: {shown}"


def check_alike(asked: str | None, first: Identity, url: str, identity: Identity) -> None:
    """Whether a replica serves the model of the first; what it does not say counts as yes.

    Raises:
        EndpointError: it lists only others.
    """
    model = asked if asked in first.models else first.model
    if model is None or not identity.models or model in identity.models:
        return
    raise EndpointError(
        f"{url} serves {', '.join(identity.models[:3])}, the first --url serves {model}: "
        "several URLs are replicas of one model",
        hint="drive them in runs of their own, or name a model that all of them list with --model",
    )


def _ask(target: Target, path: str, timeout_s: float) -> bytes | ConnectFailed | None:
    try:
        status, body = fetch(target, path, timeout_s=timeout_s)
    except ConnectFailed as error:
        return error
    except (ConnectionLost, TimeoutError):
        return None
    return body if status == 200 else None


def _json(answer: object) -> dict[str, Any]:
    if not isinstance(answer, bytes):
        return {}
    try:
        data = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def _read(answers: dict[str, Any]) -> Identity:
    listed = _json(answers["/v1/models"]).get("data")
    models = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    names = [entry["id"] for entry in models if isinstance(entry.get("id"), str)]
    metrics = answers["/metrics"] if isinstance(answers["/metrics"], bytes) else b""
    engine = _engine(answers, metrics, models[0].get("owned_by") if models else None)
    return Identity(names[0] if names else None, names, engine)


LLAMA_CPP_PYTHON_OWNER = "me"  # as its server/app.py fills /v1/models; nobody else does


def _engine(answers: dict[str, Any], metrics: bytes, owner: object) -> dict[str, Any]:
    props, info, version = _json(answers["/props"]), _json(answers["/info"]), _json(answers["/version"])
    if props.get("build_info"):
        flags = {key: props[key] for key in ("total_slots", "n_ctx", "model_path") if key in props}
        return {"name": "llama_server", "version": props["build_info"], "flags": flags}
    if info.get("router"):
        return {"name": "tgi", "version": info.get("version"), "flags": info}
    if b"vllm:" in metrics or owner == "vllm":
        return {"name": "vllm", "version": version.get("version"), "flags": None}
    if owner == LLAMA_CPP_PYTHON_OWNER:
        return {"name": "llama_cpp_python", "version": None, "flags": None}
    return {"name": None, "version": version.get("version"), "flags": None}
