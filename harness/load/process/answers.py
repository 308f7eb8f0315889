"""What an endpoint's routes answer about it, read once: bytes of any kind in, an Identity out. No I/O.

A key that is absent, or holds something of another type, costs itself alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator

from harness.rundir.identity import Flags, Identity, SaidCount, SaidText
from harness.rundir.manifest import LONGEST_MODEL


def _or_none(value: Any, read: Any) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


Text = Annotated[Annotated[str, Field(max_length=LONGEST_MODEL)] | None, WrapValidator(_or_none)]
Count = Annotated[int | None, WrapValidator(_or_none)]
LIST = "/v1/models"
LLAMA_CPP_PYTHON_OWNER = "me"  # as its server/app.py fills /v1/models; nobody else does


class _Facts(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Meta(_Facts):  # llama-server's, of its model
    n_params: Count = None
    ftype: Text = None


class _Listed(_Facts):
    """An entry of /v1/models; each kind of server has its own name for the longest request."""

    id: Text = None
    owned_by: Text = None
    root: Text = None
    max_model_len: Count = None
    context_length: Count = None
    context_window: Count = None
    max_context_length: Count = None
    meta: Annotated[_Meta | None, WrapValidator(_or_none)] = None

    @property
    def context(self) -> int | None:
        """Tokens of the longest request."""
        told = (self.max_model_len, self.context_length, self.context_window, self.max_context_length)
        return next((tokens for tokens in told if tokens), None)


Entry = Annotated[_Listed | None, WrapValidator(_or_none)]


class _Models(_Facts):
    data: list[Entry] = []


class _Version(_Facts):
    version: Text = None


class _Settings(_Facts):
    n_ctx: Count = None


class _Props(_Facts):
    """llama-server's /props; n_ctx is one slot's, and stands in its default settings."""

    build_info: Text = None
    total_slots: Count = None
    n_ctx: Count = None
    model_path: Text = None
    default_generation_settings: Annotated[_Settings | None, WrapValidator(_or_none)] = None

    @property
    def context(self) -> int | None:
        """Tokens of one slot."""
        inner = self.default_generation_settings
        return (inner.n_ctx if inner is not None else None) or self.n_ctx


class _Info(BaseModel):
    """TGI's /info. All of it is kept as the engine's flags."""

    model_config = ConfigDict(extra="allow")

    router: Text = None
    version: Text = None
    model_id: Text = None
    max_input_tokens: Count = None
    max_input_length: Count = None  # its name before 2.0
    max_total_tokens: Count = None
    max_concurrent_requests: Count = None


class _ServerInfo(_Facts):
    """SGLang's /get_server_info: its arguments, and what its scheduler made of them."""

    version: Text = None
    model_path: Text = None
    quantization: Text = None
    tp_size: Count = None
    context_length: Count = None
    max_req_input_len: Count = None
    max_running_requests: Count = None
    max_total_num_tokens: Count = None


class _Details(_Facts):
    quantization_level: Text = None


class _Show(_Facts):
    """Ollama's /api/show of one model."""

    details: Annotated[_Details | None, WrapValidator(_or_none)] = None
    parameters: Text = None  # lines of a name and its value
    model_info: dict[str, Any] = {}

    def number(self, name: str) -> int | None:
        """A whole number of `model_info`, whose names may begin with the architecture's."""
        found = (value for key, value in self.model_info.items() if key.rpartition(".")[2] == name)
        return next((value for value in found if isinstance(value, int) and value > 0), None)

    @property
    def num_ctx(self) -> int | None:
        """The context that the model file sets, where it does."""
        for line in (self.parameters or "").splitlines():
            name, _, value = line.strip().partition(" ")
            if name == "num_ctx" and value.strip().isdigit():
                return int(value)
        return None


Answers = Mapping[str, bytes | None]  # by route; None: no answer, or none of status 200
M = TypeVar("M", bound=BaseModel)


def _read(kind: type[M], answers: Answers, route: str) -> M:
    body = answers.get(route)
    if body is not None:
        try:
            return kind.model_validate_json(body)
        except ValidationError:
            pass  # HTML, or JSON of another shape
    return kind()


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
    listed = [entry for entry in _read(_Models, answers, LIST).data if entry is not None and entry.id]
    asked = next((entry for entry in listed if entry.id == model), listed[0] if listed else _Listed())
    names = tuple(entry.id for entry in listed if entry.id)
    identity, flags = _engine(answers, asked)
    weights = tuple(entry.root or entry.id or "" for entry in listed)
    return Found(identity, flags, names[0] if names else None, names, weights)


def _engine(answers: Answers, listed: _Listed) -> tuple[Identity, Flags]:
    """The first engine that says who it is, with what it says."""
    props, info = _read(_Props, answers, "/props"), _read(_Info, answers, "/info")
    sglang, metrics = _read(_ServerInfo, answers, "/get_server_info"), answers.get("/metrics") or b""
    version, ollama = _read(_Version, answers, "/version").version, _read(_Version, answers, "/api/version").version
    if props.build_info:
        return _llama_server(props, listed)
    if info.router:
        return _tgi(info)
    if listed.owned_by == "sglang" or (sglang.tp_size and sglang.max_total_num_tokens):
        return _sglang(sglang, listed), None
    if b"vllm:" in metrics or listed.owned_by == "vllm":
        return _only_listed("vllm", version, listed), None
    if listed.owned_by == LLAMA_CPP_PYTHON_OWNER:
        return _only_listed("llama_cpp_python", None, listed), None
    if ollama:
        return _ollama(ollama, _read(_Show, answers, "/api/show"), listed), None
    return _only_listed(None, version, listed), None


def _only_listed(engine: str | None, version: str | None, listed: _Listed) -> Identity:
    return Identity(
        engine=engine, version=version, weights=_text(listed.root, LIST), context=_count(listed.context, LIST)
    )


def _llama_server(props: _Props, listed: _Listed) -> tuple[Identity, Flags]:
    meta = listed.meta or _Meta()
    identity = Identity(
        engine="llama_server",
        version=props.build_info,
        weights=_text(props.model_path, "/props"),
        parameters=_count(meta.n_params, LIST),
        quantization=_text(meta.ftype, LIST),
        context=_count(props.context, "/props"),
        slots=_count(props.total_slots, "/props"),
    )
    told = {"total_slots": props.total_slots, "n_ctx": props.context, "model_path": props.model_path}
    return identity, {key: value for key, value in told.items() if value is not None}


def _tgi(info: _Info) -> tuple[Identity, Flags]:
    identity = Identity(
        engine="tgi",
        version=info.version,
        weights=_text(info.model_id, "/info"),
        context=_count(info.max_total_tokens, "/info"),
        max_input_tokens=_count(info.max_input_tokens or info.max_input_length, "/info"),
        max_concurrent_requests=_count(info.max_concurrent_requests, "/info"),
    )
    return identity, info.model_dump(exclude_unset=True)


def _sglang(info: _ServerInfo, listed: _Listed) -> Identity:
    route = "/get_server_info"
    return Identity(
        engine="sglang",
        version=info.version,
        weights=_text(info.model_path, route) or _text(listed.root, LIST),
        quantization=_text(info.quantization, route),
        context=_count(info.context_length, route) or _count(listed.context, LIST),
        max_input_tokens=_count(info.max_req_input_len, route),
        slots=_count(info.max_running_requests, route),
        parallel=_count(info.tp_size, route),
    )


def _ollama(version: str, show: _Show, listed: _Listed) -> Identity:
    route = "/api/show"
    return Identity(
        engine="ollama",
        version=version,
        weights=_text(listed.id, LIST),
        parameters=_count(show.number("parameter_count"), route),
        quantization=_text(show.details.quantization_level if show.details else None, route),
        context=_count(show.num_ctx or show.number("context_length"), route),
    )


def _text(value: str | None, route: str) -> SaidText | None:
    return SaidText(value=value, said_by=route) if value else None


def _count(value: int | None, route: str) -> SaidCount | None:
    return SaidCount(value=value, said_by=route) if value else None
