"""Who answered: what an endpoint said of itself, each fact with the route that said it, and what stands before it."""

from typing import Any

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
    max_input_tokens: SaidCount | None = None  # of its prompt alone
    slots: SaidCount | None = None  # requests that it works on at once
    max_concurrent_requests: SaidCount | None = None  # that it takes; more are refused
    parallel: SaidCount | None = None  # GPUs that one copy of the weights is spread over
    gpus: SaidText | None = None


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
