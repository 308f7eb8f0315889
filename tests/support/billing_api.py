"""An API that bills: OpenAI's routes, prices, rate limits, failures before and after billing, and a ledger of its own.

with BillingApi(Prices(...), Faults(...), Limits(...)) as api:
    api.url             # https is not needed on loopback
    api.bill_usd()      # what it would ask for, an exact Fraction
    api.calls           # every request that came, as a Charge

Its tokens are its own: a prompt has between one token for two words and one for each byte, and a template on top. It
shares no arithmetic with the client.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback import Loopback

FAULTS = (
    "429", "500_before", "500_after", "503_after", "reset_before", "reset_after_headers", "reset_midstream",
    "cut_midstream", "no_usage", "error_event", "closes", "filtered", "400",
)  # fmt: skip
"""What may befall a request. All but 429, 400, 500_before and reset_before are billed."""


@dataclass(frozen=True)
class Prices:
    """USD per million tokens, as decimal text; `tiers`: (above input tokens, factor)."""

    input: str = "3"
    output: str = "15"
    cached: str | None = None
    written: str | None = None
    a_request: str = "0"
    surcharge: str = "0"
    tiers: tuple[tuple[int, int], ...] = ()

    def usd(self, tokens_in: int, cached: int, written: int, tokens_out: int) -> Fraction:
        """The bill of one request, in exact arithmetic."""
        factor = next((f for above, f in reversed(self.tiers) if tokens_in > above), 1)
        plain = Fraction(self.input)
        usd = (tokens_in - cached - written) * plain
        usd += cached * (plain if self.cached is None else Fraction(self.cached))
        usd += written * (plain if self.written is None else Fraction(self.written))
        usd += tokens_out * Fraction(self.output)
        usd = usd * factor / 1_000_000 + Fraction(self.a_request)
        return usd * (1 + Fraction(self.surcharge))


@dataclass(frozen=True)
class Limits:
    """Token buckets: requests and tokens a second, so many at once. 0: none. `style`: how headers tell of them."""

    requests_per_s: float = 0
    requests: int = 0
    tokens_per_s: float = 0
    tokens: int = 0
    style: str = "openai"  # openai | plain | anthropic | retry_after | retry_date | silent


@dataclass(frozen=True)
class Behaviour:
    """How it answers."""

    ttft_s: float = 0.005
    itl_s: float = 0.0005
    faults: dict[str, float] = field(default_factory=dict)  # share of the requests, by a name of FAULTS
    template_tokens: int = 12
    byte_tokens: bool = False  # a token for each byte, instead of about a word
    answers: str = "full"  # full | any: as many tokens as asked for, or fewer
    hides_reasoning: bool = False  # part of the answer is reasoning that is billed and not sent
    tells_total_alone: bool = False  # reasoning is in total_tokens and in no other count
    cached_share: float = 0.0
    written_share: float = 0.0
    tells_written: bool = False


@dataclass(frozen=True)
class Charge:
    """A request that came, and what it was billed."""

    request_id: str
    usd: Fraction
    fault: str | None
    came_s: float
    status: int


class _Bucket:
    def __init__(self, rate: float, size: float) -> None:
        self.rate, self.size, self.left, self.at = rate, size, size, time.monotonic()

    def fill(self) -> None:
        now = time.monotonic()
        self.left = min(self.size, self.left + (now - self.at) * self.rate)
        self.at = now

    def full_in_s(self) -> float:
        return (self.size - self.left) / self.rate


class BillingApi(Loopback):
    """Serves, bills, limits and fails."""

    def __init__(
        self,
        prices: Prices = Prices(),
        behaviour: Behaviour = Behaviour(),
        limits: Limits = Limits(),
        *,
        seed: int = 1,
        key: str | None = None,
        model: str = "m",
    ) -> None:
        super().__init__(_Handler)
        self.prices, self.behaviour, self.limits, self.key, self.model = prices, behaviour, limits, key, model
        self.calls: list[Charge] = []
        self.asked: list[dict[str, Any]] = []
        self.gets = 0
        self.most_at_once = 0
        self.lock = threading.RLock()
        self.under_way = 0
        self.random = random.Random(seed)
        self.buckets = {
            name: _Bucket(rate, size)
            for name, rate, size in (
                ("requests", limits.requests_per_s, limits.requests),
                ("tokens", limits.tokens_per_s, limits.tokens),
            )
            if rate
        }

    def handle_error(self, *_: object) -> None:
        """The client went away."""

    def bill_usd(self) -> Fraction:
        """All that it has billed."""
        with self.lock:
            return sum((call.usd for call in self.calls), start=Fraction(0))

    def refused(self) -> int:
        """Requests that were answered 429."""
        with self.lock:
            return sum(call.status == 429 for call in self.calls)

    def fault(self) -> str | None:
        with self.lock:
            at = self.random.random()
        for name, share in self.behaviour.faults.items():
            at -= share
            if at < 0:
                return name
        return None

    def take(self, tokens: int) -> float | None:
        """Seconds to wait where a bucket is empty; None: the request is let in, and counted."""
        with self.lock:
            needs = {"requests": 1, "tokens": tokens}
            for bucket in self.buckets.values():
                bucket.fill()
            waits = [
                (min(needs[name], b.size) - b.left) / b.rate
                for name, b in self.buckets.items()
                if b.left < min(needs[name], b.size)
            ]
            if waits:
                return max(waits)
            for name, bucket in self.buckets.items():
                bucket.left -= min(needs[name], bucket.size)
            return None

    def limit_headers(self, wait_s: float | None) -> dict[str, str]:
        """What its style tells of its limits."""
        style, out = self.limits.style, {}
        if style in ("openai", "plain", "anthropic"):
            with self.lock:
                for name, b in self.buckets.items():
                    full_s = b.full_in_s()
                    if style == "anthropic":
                        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + full_s + 1))
                        said = {"limit": int(b.size), "remaining": int(b.left), "reset": when}
                        out |= {f"anthropic-ratelimit-{name}-{key}": str(value) for key, value in said.items()}
                        continue
                    reset = f"{full_s:.3f}" if style == "plain" else _as_openai(full_s)
                    said = {"limit": int(b.size), "remaining": int(b.left), "reset": reset}
                    out |= {f"x-ratelimit-{key}-{name}": str(value) for key, value in said.items()}
        if wait_s is not None and style == "openai":
            out["retry-after-ms"] = str(int(wait_s * 1000) + 1)
        if wait_s is not None and style in ("retry_after", "anthropic"):
            out["retry-after"] = str(int(wait_s) + 1)
        if wait_s is not None and style == "retry_date":
            at = time.gmtime(time.time() + wait_s + 1)
            out["retry-after"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", at)
        return out


def _as_openai(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:.3f}s" if minutes else f"{rest:.3f}s"


@dataclass
class _Counted:
    """The tokens of one request."""

    tokens_in: int
    cached: int
    written: int
    tokens_out: int  # reasoning among them
    reasoning: int


class _Handler(BaseHTTPRequestHandler):
    server: BillingApi
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.gets += 1
        found = self.path == "/v1/models"
        self._whole(200 if found else 404, {"data": [{"id": self.server.model}]} if found else {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.path.endswith("completions"):
            self._whole(404, {})
            return
        api = self.server
        with api.lock:
            api.asked.append(body)
            api.under_way += 1
            api.most_at_once = max(api.most_at_once, api.under_way)
        try:
            self._serve(body)
        except OSError:
            self.close_connection = True
        finally:
            with api.lock:
                api.under_way -= 1

    def _serve(self, body: dict[str, Any]) -> None:
        api, fault = self.server, self.server.fault()
        if api.key is not None and self.headers.get("authorization") != f"Bearer {api.key}":
            self._refuse(401, "wrong key")
            return
        counted = self._count(body)
        wait_s = api.take(counted.tokens_in + int(_asked(body)))
        if wait_s is not None or fault == "429":
            self._refuse(429, "Rate limit reached", api.limit_headers(wait_s if wait_s is not None else 0.05))
        elif fault == "400":
            self._refuse(400, "bad luck")
        elif fault == "500_before":
            self._refuse(500, "down")
        elif fault == "reset_before":
            self._note(None, fault, 0)
            self._reset()
        else:
            self._billed(body, counted, fault)

    def _count(self, body: dict[str, Any]) -> _Counted:
        how, api = self.server.behaviour, self.server
        text = json.dumps(body.get("messages") or body["prompt"], ensure_ascii=False)
        told = "".join(m["content"] for m in body["messages"]) if "messages" in body else body["prompt"]
        tokens_in = len(told.encode()) if how.byte_tokens else max(len(text.split()), 1)
        tokens_in += how.template_tokens
        with api.lock:
            cached = int(tokens_in * how.cached_share * api.random.random())
            written = int((tokens_in - cached) * how.written_share * api.random.random())
            most = int(_asked(body))
            out = most if how.answers == "full" else api.random.randint(1, most)
            reasoning = api.random.randint(0, out - 1) if how.hides_reasoning and out > 1 else 0
        return _Counted(tokens_in, cached, written, out * int(body.get("n", 1)), reasoning)

    def _billed(self, body: dict[str, Any], counted: _Counted, fault: str | None) -> None:
        self._note(counted, fault, 500 if fault in ("500_after", "503_after") else 200)
        if fault in ("500_after", "503_after"):
            self._whole(int(fault[:3]), {"error": {"message": "it broke after the work was done"}})
        elif fault == "reset_after_headers":
            self._head()
            self._reset()
        elif body.get("stream"):
            self._stream(body, counted, fault)
        else:
            self._at_once(body, counted, fault)

    def _note(self, counted: _Counted | None, fault: str | None, status: int) -> None:
        usd = Fraction(0)
        if counted is not None:
            prices = self.server.prices
            usd = prices.usd(counted.tokens_in, counted.cached, counted.written, counted.tokens_out)
        charge = Charge(self.headers.get("x-request-id", ""), usd, fault, time.monotonic(), status)
        with self.server.lock:
            self.server.calls.append(charge)

    def _refuse(self, status: int, words: str, headers: dict[str, str] | None = None) -> None:
        self._note(None, str(status), status)
        self._whole(status, {"error": {"message": words}}, headers or {})

    def _usage(self, counted: _Counted) -> dict[str, Any]:
        how, shown = self.server.behaviour, counted.tokens_out
        if how.tells_total_alone:
            shown -= counted.reasoning
        usage: dict[str, Any] = {
            "prompt_tokens": counted.tokens_in,
            "completion_tokens": shown,
            "total_tokens": counted.tokens_in + counted.tokens_out,
            "prompt_tokens_details": {"cached_tokens": counted.cached},
        }
        if how.tells_written:
            usage["prompt_tokens_details"]["cache_write_tokens"] = counted.written
        if counted.reasoning:
            usage["completion_tokens_details"] = {"reasoning_tokens": counted.reasoning}
        return usage

    def _head(self) -> None:
        self.send_response_only(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        for name, value in self.server.limit_headers(None).items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, body: dict[str, Any], counted: _Counted, fault: str | None) -> None:
        how, visible = self.server.behaviour, counted.tokens_out - counted.reasoning
        self._head()
        time.sleep(how.ttft_s)
        for n in range(visible):
            is_last = n == visible - 1
            if fault in ("reset_midstream", "cut_midstream", "error_event") and n == visible // 2:
                if fault == "error_event":
                    self._event({"error": {"message": "the model went away"}})
                    self.wfile.write(b"0\r\n\r\n")
                    return
                self._reset() if fault == "reset_midstream" else self._close()
                return
            finish = ("content_filter" if fault == "filtered" else "length") if is_last else None
            said = {"delta": {"content": " w"}} if "messages" in body else {"text": " w"}
            self._event({"choices": [{"index": 0, "finish_reason": finish, **said}]})
            time.sleep(how.itl_s)
        if fault != "no_usage":
            self._event({"choices": [], "usage": self._usage(counted)})
        self._bytes(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")
        if fault == "closes":
            self._close()

    def _at_once(self, body: dict[str, Any], counted: _Counted, fault: str | None) -> None:
        time.sleep(self.server.behaviour.ttft_s)
        text = " w" * (counted.tokens_out - counted.reasoning)
        said = {"message": {"content": text}} if "messages" in body else {"text": text}
        finish = "content_filter" if fault == "filtered" else "length"
        answer: dict[str, Any] = {"choices": [{"index": 0, "finish_reason": finish, **said}]}
        if fault != "no_usage":
            answer["usage"] = self._usage(counted)
        if fault == "error_event":
            answer = {"error": {"message": "the model went away"}}
        data = json.dumps(answer).encode()
        if fault in ("reset_midstream", "cut_midstream"):
            self.send_response_only(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self._reset() if fault == "reset_midstream" else self._close()
            return
        self._whole(200, answer, self.server.limit_headers(None))
        if fault == "closes":
            self._close()

    def _event(self, event: object) -> None:
        self._bytes(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _bytes(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _whole(self, status: int, answer: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(answer).encode()
        self.send_response_only(status)
        for name, value in {"content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _close(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _reset(self) -> None:
        """RST instead of FIN."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _asked(body: dict[str, Any]) -> float:
    asked = [body[key] for key in ("max_tokens", "max_completion_tokens") if key in body]
    return float(max(asked))
