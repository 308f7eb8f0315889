"""Who an endpoint is, by what its routes answer together: bytes of any kind in, an Identity out. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.backends.said import Info, Listed, Meta, ModelInfo, Models, Props, ServerInfo, Show, Version, read_said
from harness.base.weights_name import has_size, tells_weights
from harness.rundir.identity import Flags, Identity, SaidCount, SaidText

LIST = "/v1/models"
LLAMA_CPP_PYTHON_OWNER = "me"  # as its server/app.py fills /v1/models; nobody else does
Answers = Mapping[str, bytes | None]  # by route; None: no answer, or none of status 200


@dataclass(frozen=True, slots=True)
class Found:
    """All that one URL said of itself."""

    identity: Identity = field(default_factory=Identity)
    flags: Flags = None
    model: str | None = None  # the first that it lists
    models: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()  # of each of them; several names of the same weights are one model


def read_answers(answers: Answers, model: str | None = None) -> Found:
    """What the routes say together; of several models listed, the facts are those of `model`."""
    listed = read_said(Models, answers.get(LIST)).listed
    asked = next((entry for entry in listed if entry.id == model), None) or _unlisted(listed, model)
    names = tuple(entry.id for entry in listed if entry.id)
    identity, flags = _engine(answers, _on_its_base(asked, listed))
    weights = tuple(entry.root or entry.id or "" for entry in listed)
    return Found(identity, flags, names[0] if names else None, names, weights)


def _unlisted(listed: Sequence[Listed], model: str | None) -> Listed:
    """What is said of a model that is not listed: a server of one model answers with it, of others nobody tells."""
    first = listed[0] if listed else Listed()
    is_one = len({entry.root or entry.id for entry in listed}) < 2
    return first if model is None or is_one else Listed(owned_by=first.owned_by)


def _on_its_base(asked: Listed, listed: Sequence[Listed]) -> Listed:
    """An adapter whose name says no size is served with its base's weights; what is not listed is not known."""
    if asked.parent is None or has_size(asked.root or ""):
        return asked
    base = next((entry for entry in listed if entry.id == asked.parent), Listed())
    return asked.model_copy(update={"root": base.root, "max_model_len": asked.max_model_len or base.max_model_len})


def _engine(answers: Answers, listed: Listed) -> tuple[Identity, Flags]:
    """The first engine that says who it is, with what it says."""
    props, info = read_said(Props, answers.get("/props")), read_said(Info, answers.get("/info"))
    (route, sglang), metrics = _server_info(answers), answers.get("/metrics") or b""
    version, ollama = (
        read_said(Version, answers.get("/version")).version,
        read_said(Version, answers.get("/api/version")).version,
    )
    if props.build_info:
        return _llama_server(props, listed)
    if info.router:
        return _tgi(info)
    if listed.owned_by == "sglang" or (sglang.tp_size and sglang.max_total_num_tokens):
        return _sglang(sglang, route, answers, listed)
    if b"vllm:" in metrics or listed.owned_by == "vllm":
        return _only_listed("vllm", version, listed), None
    if listed.owned_by == LLAMA_CPP_PYTHON_OWNER:
        return _only_listed("llama_cpp_python", None, listed), None
    if ollama:
        return _ollama(ollama, read_said(Show, answers.get("/api/show")), listed), None
    return _only_listed(None, version, listed), None


def _only_listed(engine: str | None, version: str | None, listed: Listed) -> Identity:
    return Identity(
        engine=engine, version=version, weights=_text(listed.root, LIST), context=_count(listed.context, LIST)
    )


def _llama_server(props: Props, listed: Listed) -> tuple[Identity, Flags]:
    meta = listed.meta or Meta()
    identity = Identity(
        engine="llama_server",
        version=props.build_info,
        weights=_text(props.model_path, "/props"),
        parameters=_count(meta.n_params, LIST),
        quantization=_text(meta.ftype, LIST),
        context=_count(props.context, "/props"),
        trained_context=_count(meta.n_ctx_train, LIST),
        slots=_count(props.total_slots, "/props"),
    )
    told = {"total_slots": props.total_slots, "n_ctx": props.context, "model_path": props.model_path}
    return identity, {key: value for key, value in told.items() if value is not None}


def _tgi(info: Info) -> tuple[Identity, Flags]:
    identity = Identity(
        engine="tgi",
        version=info.version,
        weights=_text(info.model_id, "/info"),
        context=_count(info.max_total_tokens, "/info"),
        max_input_tokens=_count(info.max_input_tokens or info.max_input_length, "/info"),
        max_concurrent_requests=_count(info.max_concurrent_requests, "/info"),
    )
    return identity, info.model_dump(exclude_unset=True)


def _server_info(answers: Answers) -> tuple[str, ServerInfo]:
    """SGLang's, with the route that told it: its name since 0.5.6, or that before."""
    told = [(route, read_said(ServerInfo, answers.get(route))) for route in ("/server_info", "/get_server_info")]
    return next((one for one in told if one[1].tp_size), told[-1])


def _sglang(info: ServerInfo, route: str, answers: Answers, listed: Listed) -> tuple[Identity, Flags]:
    """/v1/models gives the name that it is served under as `root` too: that tells no weights."""
    models = ("/model_info", "/get_model_info")
    weights = [_text(read_said(ModelInfo, answers.get(one)).model_path, one) for one in models]
    identity = Identity(
        engine="sglang",
        version=info.version,
        weights=next(filter(None, weights), None) or _text(info.model_path, route),
        quantization=_text(info.quantization, route),
        context=_count(info.context_length, route) or _count(listed.context, LIST),
        max_input_tokens=_count(info.max_req_input_len, route),
        slots=_count(info.slots, route),
        parallel=_count(info.gpus_of_a_copy, route),
        gpus_used=_count(info.gpus, route),
    )
    return identity, info.model_dump(exclude={"internal_states"}, exclude_none=True) or None


def _ollama(version: str, show: Show, listed: Listed) -> Identity:
    """A tag is a name that anybody may give; what the model file calls itself comes first where a tag says nothing."""
    route, details = "/api/show", show.details
    is_alias = listed.id is None or not tells_weights(listed.id)
    return Identity(
        engine="ollama",
        version=version,
        weights=(_text(show.weights, route) if is_alias else None) or _text(listed.id, LIST),
        parameters=_count(show.number("parameter_count") or (details.parameters if details else None), route),
        quantization=_text(details.quantization_level if details else None, route),
        context=_count(show.num_ctx or show.number("context_length"), route),
        trained_context=_count(show.number("context_length"), route),
    )


def _text(value: str | None, route: str) -> SaidText | None:
    return SaidText(value=value, said_by=route) if value else None


def _count(value: int | None, route: str) -> SaidCount | None:
    return SaidCount(value=value, said_by=route) if value else None
