"""What servers answer of themselves, as named shapes: bytes of any kind in, facts out. No I/O.

A key that is absent, or holds something of another type or no possible value, costs itself alone.
"""

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator

from harness.backends.counts import count_of

LONGEST_TEXT = 4096  # characters of a fact; a model's name may be a path
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
MOST = 10**15  # of anything that is counted; a JSON number that every reader takes


def _or_none(value: Any, read: Any) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


def _count(value: object) -> int | None:
    return count_of(value, MOST)


def _plain(value: Any) -> str | float | bool | None:
    """A fact of any name, as run.json can hold it."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else None
    if isinstance(value, bool):
        return value
    return value if isinstance(value, int | float) and abs(value) <= MOST else None


def _length(value: object) -> int | None:
    return len(value) if isinstance(value, list) else None


Text = Annotated[Annotated[str, Field(max_length=LONGEST_TEXT)] | None, WrapValidator(_or_none)]
Count = Annotated[int | None, BeforeValidator(_count)]
Plain = Annotated[Any, BeforeValidator(_plain)]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Meta(_Facts):
    """llama-server's, of its model."""

    n_params: Count = None
    n_ctx_train: Count = None
    ftype: Text = None


class Listed(_Facts):
    """An entry of /v1/models; each kind of server has its own name for the longest request."""

    id: Text = None
    owned_by: Text = None
    root: Text = None
    parent: Text = None  # of an adapter, in vLLM: the name that its base is served under
    max_model_len: Count = None
    context_length: Count = None
    context_window: Count = None
    max_context_length: Count = None
    meta: Annotated[Meta | None, WrapValidator(_or_none)] = None

    @property
    def context(self) -> int | None:
        """Tokens of the longest request."""
        told = (self.max_model_len, self.context_length, self.context_window, self.max_context_length)
        return next((tokens for tokens in told if tokens), None)


Entry = Annotated[Listed | None, WrapValidator(_or_none)]


class Models(_Facts):
    """/v1/models."""

    data: Annotated[list[Entry] | None, WrapValidator(_or_none)] = None

    @property
    def listed(self) -> list[Listed]:
        """The entries that have a name."""
        return [entry for entry in self.data or () if entry is not None and entry.id]

    @property
    def first(self) -> Listed:
        """The first of them, or one that says nothing."""
        return next(iter(self.listed), Listed())


class Version(_Facts):
    """/version, and Ollama's /api/version."""

    version: Text = None


class OpenApi(_Facts):
    """/openapi.json of a server made with FastAPI."""

    info: Annotated[Version | None, WrapValidator(_or_none)] = None


class _Settings(_Facts):
    n_ctx: Count = None


class Props(_Facts):
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


class Info(BaseModel):
    """TGI's /info. All of it is kept as the engine's flags."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Plain]

    router: Text = None
    version: Text = None
    docker_label: Text = None
    model_id: Text = None
    max_input_tokens: Count = None
    max_input_length: Count = None  # its name before 2.0
    max_total_tokens: Count = None
    max_concurrent_requests: Count = None


class _SchedulerState(_Facts):
    effective_max_running_requests_per_dp: Count = None


States = Annotated[list[_SchedulerState] | None, WrapValidator(_or_none)]


class ServerInfo(_Facts):
    """SGLang's /server_info (/get_server_info before 0.5.6): its arguments, and what its schedulers made of them.

    The arguments hold its API keys too: only what is named here is kept.
    """

    version: Text = None
    model_path: Text = None
    quantization: Text = None
    dtype: Text = None
    kv_cache_dtype: Text = None
    mem_fraction_static: Plain = None
    tp_size: Count = None
    pp_size: Count = None
    dp_size: Count = None  # copies, unless they share the weights
    enable_dp_attention: Plain = None  # they share them
    context_length: Count = None  # as it was started with; often not
    chunked_prefill_size: Plain = None
    disable_radix_cache: Plain = None
    max_req_input_len: Count = None
    max_running_requests: Count = None
    max_total_num_tokens: Count = None
    internal_states: States = None  # of each scheduler

    @property
    def slots(self) -> int | None:
        """Requests that all its copies work on at once: as the schedulers came to it, else as it was asked to."""
        made = [state.effective_max_running_requests_per_dp for state in self.internal_states or ()]
        if made and all(made):
            return sum(count or 0 for count in made)
        copies = 1 if self.enable_dp_attention else self.dp_size or 1
        return self.max_running_requests and self.max_running_requests * copies

    @property
    def gpus_of_a_copy(self) -> int | None:
        """GPUs that one copy of the weights is spread over."""
        return self.tp_size and self.tp_size * (self.pp_size or 1)

    @property
    def gpus(self) -> int | None:
        """GPUs of all its copies."""
        copies = 1 if self.enable_dp_attention else self.dp_size or 1
        return self.gpus_of_a_copy and self.gpus_of_a_copy * copies


class ModelInfo(_Facts):
    """SGLang's /model_info (/get_model_info before 0.5.6): the weights that it has now."""

    model_path: Text = None


class _Details(_Facts):
    quantization_level: Text = None
    parameter_size: Text = None  # 8.0B, 134.52M

    @property
    def parameters(self) -> int | None:
        """In whole parameters; None: it does not say, or in another form."""
        found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)([KMBT])", (self.parameter_size or "").strip())
        return None if found is None else round(float(found[1]) * _UNITS[found[2]])


class Show(_Facts):
    """Ollama's /api/show of one model."""

    details: Annotated[_Details | None, WrapValidator(_or_none)] = None
    parameters: Text = None  # lines of a name and its value
    model_info: Annotated[dict[str, Plain] | None, WrapValidator(_or_none)] = None

    def number(self, name: str) -> int | None:
        """A whole number of `model_info`, whose names may begin with the architecture's."""
        found = (_count(value) for key, value in (self.model_info or {}).items() if key.rpartition(".")[2] == name)
        return next(filter(None, found), None)

    @property
    def weights(self) -> str | None:
        """What the model file calls itself: `Meta-Llama-3.1-8B-Instruct`; None without a name and a size."""
        info = self.model_info or {}
        name, size, tuned = (info.get(f"general.{key}") for key in ("basename", "size_label", "finetune"))
        if not isinstance(name, str) or not isinstance(size, str):
            return None
        return f"{name}-{size}-{tuned}" if isinstance(tuned, str) and tuned else f"{name}-{size}"

    @property
    def num_ctx(self) -> int | None:
        """The context that the model file sets, where it does."""
        for line in (self.parameters or "").splitlines():
            name, _, value = line.strip().partition(" ")
            if name == "num_ctx" and (tokens := count_of(value.strip())):
                return tokens
        return None


class ChatPrompt(_Facts):
    """llama-server's /apply-template."""

    prompt: Annotated[str | None, WrapValidator(_or_none)] = None


class Counted(_Facts):
    """A count of tokens in either form: as a number, or as the tokens themselves."""

    count: Annotated[int | None, BeforeValidator(count_of)] = None
    tokens: Annotated[int | None, BeforeValidator(_length)] = None
    tokenize_response: Annotated[int | None, BeforeValidator(_length)] = None

    @property
    def told(self) -> int | None:
        """The number of tokens."""
        return next((count for count in (self.count, self.tokens, self.tokenize_response) if count is not None), None)


M = TypeVar("M", bound=BaseModel)


def read_said(kind: type[M], body: bytes | None) -> M:
    """What a route answered, as its shape; one that says nothing where it is HTML, or JSON of another shape."""
    if body is not None:
        try:
            return kind.model_validate_json(body)
        except ValidationError:
            pass
    return kind()
