"""What a request that was sent before the load says of the endpoint: is a load worth beginning, and can it be had?"""

import re
from dataclasses import dataclass
from urllib.parse import urljoin

from harness.backends.counts import seconds
from harness.backends.ends import is_full
from harness.backends.faults import REFUSALS, hint_for, hint_for_tls
from harness.backends.wire import Headers
from harness.base.errors import BreakevenError, EndpointError, UsageError
from harness.base.urls import without_secrets
from harness.load.process.identify import is_tls
from harness.load.prompts.prompt import Prompt
from harness.rundir.identity import LITELLM, Via
from harness.rundir.records import RequestRecord
from harness.scenario import ClosedLoad, OpenLoad, Scenario, SearchLoad, TaskPrompts

MAX_HEADER_CHARS = 300
MIN_CUT_WORDS = 256  # no context is shorter: a lower count of fewer words is somebody's own way to count
CUT_SHARE = 0.85  # a word is a token at least; fewer than this share of them were read only in part
MIN_CAP_TOKENS = 64  # an answer that ends sooner has met a queue's deadline, not a limit
CAP_GRAINS = (64, 100)  # limits are round numbers
GATEWAYS = (  # by a header of their own
    ("x-portkey-trace-id", "portkey"),
    ("helicone-id", "helicone"),
    ("cf-aig-log-id", "cloudflare ai gateway"),
    ("x-envoy-upstream-service-time", "envoy"),
)

_NOT_THIS_API = re.compile(r"not JSON|JSON of another shape|is no completion")
_NO_MODEL = re.compile(
    r"model\b.{0,200}(not found|not exist|unknown|not supported|does not support)|(no such|unknown|invalid) model"
    r"|model_not_found",
    re.IGNORECASE | re.DOTALL,
)
_REFUSED = re.compile(r"^validation:|Input validation error")  # TGI's, inside an answer of status 200
_URL_HINT = "is --url the base URL of the API (without /v1/...), and not a web page, a login or another port?"


@dataclass(frozen=True, slots=True)
class Trial:
    """A request that was sent beforehand, and what came of it."""

    row: RequestRecord
    prompt: Prompt
    via: Via | None = None  # by the answer's headers
    location: str | None = None  # that a redirect points to
    fingerprint: object = None  # that the answer gave of its server


def seconds_of(row: RequestRecord) -> float:
    """From its first byte to the last token of its answer."""
    assert row.finished_s is not None
    assert row.sent_s is not None
    return row.finished_s - row.sent_s


def words_of(row: RequestRecord) -> str:
    """How it failed."""
    return f"{row.error}: {row.error_detail}" if row.error_detail else str(row.error)


def hopeless(trial: Trial, url: str, path: str) -> BreakevenError | None:
    """Why no load is worth beginning; None where there may be hope."""
    row, detail = trial.row, trial.row.error_detail or ""
    error, status = row.error or "", row.http_status or 0
    if 300 <= status < 400:
        return _redirect(trial, url, path)
    if error == "connect" and is_tls(detail):
        return EndpointError(f"nobody can be reached at {url}: {detail}", hint=hint_for_tls(detail))
    if error == "reset" and detail.startswith("HTTP:"):
        return EndpointError(
            f"{url} does not speak HTTP/1.1 ({detail})", hint="https:// for a port with TLS; is it the API's port?"
        )
    if error in {"not_sse", "bad_encoding"} or (error == "error_event" and _NOT_THIS_API.search(detail)):
        return EndpointError(f"{url} answers something else than this API: {words_of(row)}", hint=_hint(row))
    if _NO_MODEL.search(detail) and error.startswith(("http_", "error_event")):
        return EndpointError(
            f"{url} has no such model: {words_of(row)}", hint="--model NAME, one that its /v1/models lists"
        )
    if status in REFUSALS or (error == "error_event" and _REFUSED.search(detail)):
        return EndpointError(f"{url} refuses the scenario's request: {words_of(row)}", hint=_hint(row))
    return None


def _hint(row: RequestRecord) -> str:
    return hint_for(row.error or "", row.error_detail) or _URL_HINT


def _redirect(trial: Trial, url: str, path: str) -> EndpointError:
    if trial.location is None:
        return EndpointError(f"{url} answers with a redirect ({trial.row.http_status}) to nowhere", hint=_URL_HINT)
    try:
        place = without_secrets(urljoin(url, trial.location))
    except ValueError:
        return EndpointError(f"{url} answers with a redirect ({trial.row.http_status}) to no address", hint=_URL_HINT)
    base = place.rstrip("/").removesuffix(path)
    named = f"if that is the API: --url {base}" if base != url and place.rstrip("/").endswith(path) else _URL_HINT
    return EndpointError(
        f"{url} answers with a redirect ({trial.row.http_status}) to {place}, which is not followed", hint=named
    )


def check_fits(done: list[Trial], scenario: Scenario) -> None:
    """Whether the scenario can be had from a server that answered so.

    Raises:
        UsageError: it cannot.
    """
    for trial in done:
        row = trial.row
        read, sent = row.prompt_tokens, len(trial.prompt.text.split())
        if read is not None and sent >= MIN_CUT_WORDS and read + (row.cached_tokens or 0) < CUT_SHARE * sent:
            raise UsageError(
                f"{row.url} reads {read:,} tokens of a prompt of {sent:,} words: it cuts prompts to its context",
                hint="shorter prompts (`prompts`), or start the server with a longer context",
            )
        _check_answer(row)
        window_s = _window_s(scenario)
        if row.error is None and window_s is not None and seconds_of(row) > window_s:
            raise UsageError(
                f"one request takes {seconds_of(row):.1f} s at {row.url}, a step's window {window_s:g} s "
                "(`load.step_s` - `load.warmup_s`)",
                hint=f"step_s of warmup_s and {seconds_of(row) * 2:.1f} s more; again, if the server was cold",
            )


def _check_answer(row: RequestRecord) -> None:
    got, asked = row.output_tokens, row.requested_output_tokens
    if not is_full(row.finish_reason or "") or got is None or asked is None or not MIN_CAP_TOKENS <= got < asked:
        return
    ends = (got, (row.prompt_tokens or 0) + got)
    if any(tokens % grain == 0 for tokens in ends for grain in CAP_GRAINS):
        raise UsageError(
            f"{row.url} ends an answer at {got:,} tokens, {asked:,} were asked for (`prompts.output_tokens`)",
            hint="ask for fewer, or start the server with room for more",
        )


def _window_s(scenario: Scenario) -> float | None:
    """Seconds of a step that are counted; None where steps are not that even."""
    load = scenario.load
    if isinstance(scenario.prompts, TaskPrompts):
        return None  # a round lasts until its last task has ended
    if isinstance(load, SearchLoad):
        return load.max_step_s - load.warmup_s
    return load.step_s - load.warmup_s if isinstance(load, ClosedLoad | OpenLoad) else None


def header(headers: Headers | None, name: str) -> str | None:
    """A header's value; one that was sent several times is a list of them."""
    value = headers.get(name) if headers is not None else None
    values = value if isinstance(value, list) else [value] if value else []
    return ", ".join(str(one).strip() for one in values)[:MAX_HEADER_CHARS] or None


def via_of(headers: Headers | None) -> Via | None:
    """What stands between, by an answer's headers; None where nothing says so."""
    if headers is None:
        return None

    def said(name: str) -> str | None:
        return header(headers, name)

    server, via = said("server"), said("via")
    gateway, version, added_ms = via, None, None
    if said("x-litellm-version") or said("x-litellm-call-id"):
        gateway, version = LITELLM, said("x-litellm-version")
        added_ms = _milliseconds(said("x-litellm-overhead-duration-ms"))
    elif said("x-kong-proxy-latency"):
        gateway, added_ms = via or "kong", _milliseconds(said("x-kong-proxy-latency"))
    else:
        gateway = next((name for marked, name in GATEWAYS if said(marked)), via)
    found = Via(server=server, gateway=gateway, version=version, added_ms=added_ms)
    return found if found != Via() else None


def _milliseconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if seconds(value) is not None else None
