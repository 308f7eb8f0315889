"""Who answered: what an endpoint said of itself, each fact with the route that said it, and what stands before it."""

from typing import Any

from harness.base.errors import UsageError
from harness.base.weights_name import (
    FORMATS,
    contradicts,
    is_unquantized,
    plain_quantization,
    quantization_named,
    same_quantization,
    same_weights,
    tells_weights,
)
from harness.rundir.result import Result


class SaidText(Result):
    """A fact in words, and who said it: a route of the endpoint, or the engine that we started."""

    value: str
    said_by: str


class SaidCount(Result):
    """A whole number, and who said it."""

    value: int
    said_by: str


class Identity(Result):
    """What is known of whoever answers; None: nobody said."""

    engine: str | None = None  # a name of `engines`, or ollama, sglang
    version: str | None = None
    dialect: str | None = None  # that it was spoken to in
    weights: SaidText | None = None
    parameters: SaidCount | None = None
    active_parameters: SaidCount | None = None
    quantization: SaidText | None = None
    kv_values: SaidCount | None = None  # of one token in the KV cache: 2 x layers x KV heads x dimension
    context: SaidCount | None = None  # tokens of one request, prompt and answer
    trained_context: SaidCount | None = None  # tokens that the weights were trained for
    max_input_tokens: SaidCount | None = None  # of its prompt alone
    slots: SaidCount | None = None  # requests that it works on at once
    max_concurrent_requests: SaidCount | None = None  # that it takes; more are refused
    parallel: SaidCount | None = None  # GPUs that one copy of the weights is spread over
    gpus: SaidText | None = None
    gpus_used: SaidCount | None = None  # by all URLs driven together


class GpuSeen(Result):
    """A GPU of the machine that the engine is on, as its driver told it before the load."""

    index: int
    name: str | None = None
    memory_used_gib: float | None = None
    memory_total_gib: float | None = None
    processes: int | None = None  # that compute on it; a container is not told of those outside


BY_USER = "the user"


def with_users_word(said: Identity, weights: str | None, quantization: str | None, who: str) -> Identity:
    """With what the user says of the weights, where `who` answers tells nothing of it.

    Raises:
        UsageError: it says something else.
    """
    update: dict[str, SaidText] = {}
    if weights is not None:
        _check_own_words(said, weights, quantization, who)
    if weights is not None and not _confirmed(said, weights, who):
        update["weights"] = SaidText(value=weights, said_by=BY_USER)
    if quantization is not None and not _quantised(said, quantization, who):
        update["quantization"] = SaidText(value=quantization, said_by=BY_USER)
    return said.model_copy(update=update)


def _check_own_words(said: Identity, weights: str, quantization: str | None, who: str) -> None:
    """The quantisation in the name that the user gives, against his other word and what the engine says."""
    named, told = quantization_named(weights), said.quantization
    if named is None or is_unquantized(named):
        return
    if quantization is not None and not same_quantization(named, quantization):
        raise UsageError(
            f"--quantization {quantization}: --weights {weights} says {named}",
            hint="leave one of them out, or name the weights that were quantised so",
        )
    if told is None or told.said_by == BY_USER or named in told.value.lower():  # `BF16 (from Q4_1)`
        return
    if not same_quantization(named, told.value):
        raise _contradiction(f"--weights {weights}", who, told.value, told.said_by)


def _confirmed(said: Identity, weights: str, who: str) -> bool:
    """Whether it says the same weights itself."""
    told, counted = said.weights, said.parameters
    if counted is not None and contradicts(weights, counted.value):
        raise _contradiction(f"--weights {weights}", who, f"{counted.value / 1e9:.3g}B parameters", counted.said_by)
    if told is None or told.said_by == BY_USER or not tells_weights(told.value):
        return False
    if not same_weights(told.value, weights):
        raise _contradiction(f"--weights {weights}", who, told.value, told.said_by)
    return True


def _quantised(said: Identity, quantization: str, who: str) -> bool:
    """Whether it says the same quantisation itself, or by its weights' name."""
    if said.quantization is not None and said.quantization.said_by != BY_USER:
        value, said_by = said.quantization.value, said.quantization.said_by
    elif said.weights is not None and (named := quantization_named(said.weights.value)) is not None:
        if is_unquantized(named):  # the name of what was loaded
            return False
        value, said_by = named, said.weights.said_by
    else:
        return False
    if not same_quantization(value, quantization):
        raise _contradiction(f"--quantization {quantization}", who, value, said_by)
    return said.quantization is not None and plain_quantization(value) not in FORMATS


def _contradiction(option: str, who: str, value: str, said_by: str) -> UsageError:
    return UsageError(
        f"{option}: {who} says {value} ({said_by})",
        hint="the option is for what nobody tells: leave it out, or is it another endpoint?",
    )


LITELLM = "litellm"


class Via(Result):
    """What stands between, by the headers of an answer; None: it does not say."""

    server: str | None = None  # `server`
    gateway: str | None = None  # of `via`, or by headers of its own
    version: str | None = None  # the gateway's
    added_ms: float | None = None  # that it says it added

    def words(self) -> str:
        """For a reader: `litellm 1.108.7 (server: uvicorn), adds 8.1 ms`."""
        name = " ".join(part for part in (self.gateway, self.version) if part)
        server = f"server: {self.server}" if self.server else ""
        named = f"{name} ({server})" if name and server else name or server
        return named + (f", adds {self.added_ms:.1f} ms" if self.added_ms is not None else "")


Flags = dict[str, Any] | list[str] | None  # how an engine was started, as it tells it
