"""The routes of the double of TGI's router: how a request is read, and every byte that is answered."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tgi_forms import Native, OpenAi, dumped
from tgi_job import Job
from tgi_rules import Refusal, check_stream_only, parse
from tgi_text import templated, tokens

if TYPE_CHECKING:
    from tgi_double import TgiDouble

JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"
REASONS = {413: "Payload Too Large", 422: "Unprocessable Entity"}  # the standard library's words have changed
CORS = {
    "vary": "origin, access-control-request-method, access-control-request-headers",
    "access-control-allow-origin": "*",
}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: TgiDouble
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path in ("/", "/health", "/ping"):
            if self.server.healthy:
                self._whole(200, b"")
            else:
                self._whole(503, dumped({"error": "unhealthy", "error_type": "healthcheck"}))
        elif self.path == "/info":
            self._whole(200, dumped(self.server.info()))
        elif self.path == "/v1/models":
            self._whole(200, dumped(self.server.models()))
        elif self.path == "/metrics":
            self._whole(200, self.server.metrics().encode(), PLAIN)
        elif self.path in POSTS:
            self._whole(405, b"", allow="POST")
        else:
            self._whole(404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = POSTS.get(self.path)
        if answer is None:
            self._whole(404, b"")
            return
        key = self.server.api_key
        given = (self.headers.get("authorization") or "").lower()
        if key is not None and self.path != "/chat_tokenize" and given != f"bearer {key}".lower():
            self._whole(401, b"")
            return
        try:
            answer(self, body)
        except Refusal as refusal:
            self._refuse(refusal)

    def _parse(self, body: bytes, form: str) -> dict[str, Any]:
        return parse(body, self.headers.get("content-type") or "", form)

    def _refuse(self, refusal: Refusal) -> None:
        if refusal.kind is None:
            self._whole(refusal.status, refusal.text.encode(), PLAIN)
        else:
            self._whole(refusal.status, dumped({"error": refusal.text, "error_type": refusal.kind}))

    def _whole(self, status: int, body: bytes, kind: str = JSON, **more: object) -> None:
        self._head(status, {**({"content-type": kind} if body else {}), **more, "content-length": len(body)})
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, object]) -> None:
        self.send_response_only(status, REASONS.get(status))
        closes = {"connection": "close"} if self.close_connection else {}
        for name, value in {**headers, **CORS, **closes, "date": formatdate(usegmt=True)}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def generate(self, body: bytes) -> None:
        self._generate(self._parse(body, "generate"), wrapped=False)

    def compat(self, body: bytes) -> None:
        data = self._parse(body, "generate")
        if data.get("stream"):
            self._stream_native(data)
        else:
            self._generate(data, wrapped=True)

    def generate_stream(self, body: bytes) -> None:
        self._stream_native(self._parse(body, "generate"))

    def _generate(self, data: dict[str, Any], *, wrapped: bool) -> None:
        parameters = data.get("parameters", {"do_sample": True})  # left out altogether: sampling
        if wrapped and parameters.get("return_full_text") is None:
            parameters = parameters | {"return_full_text": True}
        (job,), times = self._run([data["inputs"]], parameters)
        answer: dict[str, Any] = {"generated_text": job.text}
        if job.details:
            answer["details"] = job.details_json(stream=False)
        self._whole(200, dumped([answer] if wrapped else answer), **times)

    def _run(self, prompts: list[str], parameters: dict[str, Any]) -> tuple[list[Job], dict[str, object]]:
        """A whole generation for each prompt, and the headers that tell their times."""
        self.server.bodies.append(parameters)
        began = time.monotonic()
        try:
            jobs = [self._one(prompt, parameters) for prompt in prompts]
        except ConnectionAbortedError:
            raise Refusal(500, "Incomplete generation", "incomplete_generation") from None
        made = sum(len(job.tokens) for job in jobs)
        total_ms = int((time.monotonic() - began) * 1000)
        return jobs, {
            "x_compute_type": "gpu+optimized", "x_compute_time": f"{total_ms / 1000:.9f}",
            "x_compute_characters": sum(len(prompt) for prompt in prompts), "x_total_time": total_ms,
            "x_validation_time": 0, "x_queue_time": 0, "x_inference_time": total_ms,
            "x_time_per_token": total_ms // made, "x_prompt_tokens": sum(job.input_tokens for job in jobs),
            "x_generated_tokens": made,
        }  # fmt: skip

    def _one(self, prompt: str, parameters: dict[str, Any]) -> Job:
        self.server.take_permit()
        began = time.monotonic()
        try:
            job = self.server.job(prompt, parameters)
            list(job.generate())
        finally:
            self.server.give_permit()
        self.server.count_success(job, time.monotonic() - began)
        return job

    def _stream_native(self, data: dict[str, Any]) -> None:
        parameters = data.get("parameters", {"do_sample": True})
        if self.path == "/" and parameters.get("return_full_text") is None:
            parameters = parameters | {"return_full_text": True}
        self._stream([data["inputs"]], parameters, Native())

    def _stream(self, prompts: list[str], parameters: dict[str, Any], form: Native | OpenAi) -> None:
        """Headers first, whatever comes: refusals are events."""
        self.server.bodies.append(parameters)
        self._head(200, {
            "content-type": "text/event-stream", "cache-control": "no-cache", "x-compute-type": "gpu+optimized",
            "x-compute-characters": sum(len(prompt) for prompt in prompts), "x-accel-buffering": "no",
            "transfer-encoding": "chunked",
        })  # fmt: skip
        behaviour, out = self.server.behaviour, []
        try:
            for piece in self._events(prompts, parameters, form):
                data = piece if behaviour.space else piece.replace(b"data: ", b"data:")
                if behaviour.write == "all":
                    out.append(data)
                elif behaviour.write == "bytes":
                    for byte in data:
                        self._chunk(bytes([byte]))
                else:
                    self._chunk(data)
            if out:
                self._chunk(b"".join(out))
            self.wfile.write(b"0\r\n\r\n")
        except ConnectionAbortedError:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _events(self, prompts: list[str], parameters: dict[str, Any], form: Native | OpenAi) -> Iterator[bytes]:
        keep_alive = [b":\n\n"] if self.server.behaviour.keep_alives else []
        began, permits = time.monotonic(), 0
        jobs: list[Job] = []
        try:
            check_stream_only(parameters)
            for _ in prompts:
                self.server.take_permit()
                permits += 1
            jobs = [self.server.job(prompt, parameters) for prompt in prompts]
            yield from keep_alive
            for index, step in enumerate(itertools.zip_longest(*(job.generate() for job in jobs)), 1):
                for place, token in enumerate(step):
                    if token is not None:
                        yield from form.event(index, place, token, jobs[place])
                        yield from [] if token.finish else keep_alive
            for job in jobs:
                self.server.count_success(job, time.monotonic() - began)
        except Refusal as refusal:
            yield form.error(refusal)
            jobs = []
        finally:
            for _ in range(permits):
                self.server.give_permit()
        yield from form.ends(jobs)

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%X\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def chat(self, body: bytes) -> None:
        data = self._parse(body, "chat")
        if not self.server.chat_template:
            raise Refusal(422, "Template error: template not found", "template_error")
        self._openai(OpenAi(data, chat=True), [templated(data["messages"])])

    def completions(self, body: bytes) -> None:
        data = self._parse(body, "completions")
        if data.get("suffix") is not None:
            raise Refusal(
                422, "Suffix is not supported and can be achieved by preprocessing the prompt.", "suffix not supported"
            )
        prompts = data["prompt"] if isinstance(data["prompt"], list) else [data["prompt"]]
        most = self.server.limits.max_client_batch_size
        if len(prompts) > most:
            words_ = f"Number of prompts exceeds the maximum allowed batch size of {most}"
            raise Refusal(422, words_, "batch size exceeded")
        self._openai(OpenAi(data, chat=False), prompts)

    def _openai(self, form: OpenAi, prompts: list[str]) -> None:
        self.server.counts["tgi_request_count"] += 1  # and once more below: the router counts these twice
        if form.data.get("stream"):
            self._stream(prompts, form.parameters(), form)
            return
        jobs, times = self._run(prompts, form.parameters())
        if not form.chat:
            del times["x_compute_time"]
        self._whole(200, dumped(form.whole(jobs)), **times)

    def tokenize(self, body: bytes) -> None:
        inputs = self._parse(body, "generate")["inputs"]
        if not inputs:
            raise Refusal(422, "Input validation error: `inputs` cannot be empty", "validation")
        self._whole(200, dumped(tokens(inputs)))

    def chat_tokenize(self, body: bytes) -> None:
        text = templated(self._parse(body, "chat")["messages"])
        self._whole(200, dumped({"tokenize_response": tokens(text), "templated_text": text}))


POSTS: dict[str, Callable[[Handler, bytes], None]] = {
    "/": Handler.compat,
    "/generate": Handler.generate,
    "/generate_stream": Handler.generate_stream,
    "/v1/chat/completions": Handler.chat,
    "/v1/completions": Handler.completions,
    "/tokenize": Handler.tokenize,
    "/chat_tokenize": Handler.chat_tokenize,
}
