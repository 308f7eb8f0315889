"""The routes of the double of TGI's router: how a request is read, and every byte that is answered."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tgi_job import Job, Token, words
from tgi_rules import Refusal, check_stream_only, parse

if TYPE_CHECKING:
    from tgi_double import TgiDouble

MODEL = "double/model"
FINGERPRINT = "3.3.6-dev0-native"
DONE = b"data: [DONE]\n\n"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: TgiDouble
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        routes: dict[str, Callable[[], tuple[Any, str]]] = {
            "/info": lambda: (self.server.info(), "application/json"),
            "/v1/models": lambda: (self.server.models(), "application/json"),
            "/metrics": lambda: (self.server.metrics(), "text/plain; charset=utf-8"),
        }
        if self.path in ("/", "/health", "/ping"):
            error = b'{"error":"unhealthy","error_type":"healthcheck"}'
            self._whole(200 if self.server.healthy else 503, b"" if self.server.healthy else error)
        elif self.path in routes:
            body, kind = routes[self.path]()
            self._whole(200, body.encode() if isinstance(body, str) else json.dumps(body).encode(), kind)
        else:
            self._whole(405 if self.path in POSTS else 404, b"")

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
            self._whole(refusal.status, refusal.text.encode(), "text/plain; charset=utf-8")
        else:
            error = {"error": refusal.text, "error_type": refusal.kind}
            self._whole(refusal.status, json.dumps(error).encode())

    def _whole(self, status: int, body: bytes, kind: str = "application/json", **more: object) -> None:
        self.send_response(status)
        if body:
            self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self._more_headers(more)
        self.wfile.write(body)

    def _more_headers(self, more: dict[str, object]) -> None:
        for name, value in {"access-control-allow-origin": "*", **more}.items():
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
        job, times = self._run(data["inputs"], parameters)
        answer: dict[str, Any] = {"generated_text": job.text}
        if job.details:
            answer["details"] = job.details_json(stream=False)
        self._whole(200, json.dumps([answer] if wrapped else answer).encode(), **times)

    def _run(self, inputs: str, parameters: dict[str, Any]) -> tuple[Job, dict[str, object]]:
        """A whole generation and the headers that tell its times."""
        self.server.bodies.append(parameters)
        self.server.take_permit()
        try:
            began = time.monotonic()
            job = self.server.job(inputs, parameters)
            made = len(list(job.generate()))
        except ConnectionAbortedError:
            raise Refusal(500, "Incomplete generation", "incomplete_generation") from None
        finally:
            self.server.give_permit()
        self.server.count_success(job)
        total_ms = int((time.monotonic() - began) * 1000)
        return job, {
            "x_compute_type": "gpu+optimized", "x_compute_time": f"{total_ms / 1000:.9f}",
            "x_compute_characters": len(inputs), "x_total_time": total_ms, "x_validation_time": 0,
            "x_queue_time": 0, "x_inference_time": total_ms, "x_time_per_token": total_ms // made,
            "x_prompt_tokens": job.input_tokens, "x_generated_tokens": made,
        }  # fmt: skip

    def _stream_native(self, data: dict[str, Any]) -> None:
        parameters = data.get("parameters", {"do_sample": True})

        def error(refusal: Refusal) -> dict[str, Any]:
            return {"error": refusal.text, "error_type": refusal.kind}

        def event(index: int, token: Token, job: Job) -> dict[str, Any]:
            return {
                "index": index,
                "token": token.to_json(null_logprob=job.behaviour.null_logprobs),
                "generated_text": job.text if token.finish else None,
                "details": job.details_json(stream=True) if token.finish and job.details else None,
            }

        self._stream(data["inputs"], parameters, event, error, ends=None)

    def _stream(
        self,
        inputs: str,
        parameters: dict[str, Any],
        event: Callable[[int, Token, Job], dict[str, Any]],
        error: Callable[[Refusal], dict[str, Any]],
        ends: Callable[[Job | None], list[bytes]] | None,
    ) -> None:
        """Headers first, whatever comes: refusals are events. `ends`: what follows in the OpenAI dialect."""
        self.server.bodies.append(parameters)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self._more_headers({
            "cache-control": "no-cache", "x-compute-type": "gpu+optimized", "x-accel-buffering": "no",
            "x-compute-characters": len(inputs), "transfer-encoding": "chunked",
        })  # fmt: skip
        behaviour, out = self.server.behaviour, []
        try:
            for piece in self._events(inputs, parameters, event, error, ends):
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

    def _events(
        self,
        inputs: str,
        parameters: dict[str, Any],
        event: Callable[[int, Token, Job], dict[str, Any]],
        error: Callable[[Refusal], dict[str, Any]],
        ends: Callable[[Job | None], list[bytes]] | None,
    ) -> Iterator[bytes]:
        keep_alive = self.server.behaviour.keep_alives
        job = None
        try:
            check_stream_only(parameters)
            self.server.take_permit()
            try:
                job = self.server.job(inputs, parameters)
                if keep_alive:
                    yield b":\n\n"
                for index, token in enumerate(job.generate(), 1):
                    yield sse(event(index, token, job))
                    if keep_alive and not token.finish:
                        yield b":\n\n"
                self.server.count_success(job)
            finally:
                self.server.give_permit()
        except Refusal as refusal:
            yield sse(error(refusal))
            job = None
        if ends is not None:
            yield from ends(job)

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def chat(self, body: bytes) -> None:
        data = self._parse(body, "chat")
        if not self.server.chat_template:
            raise Refusal(422, "Template error: template not found", "template_error")
        inputs = "".join(f"<{m['role']}> {m.get('content') or ''}\n" for m in data["messages"])
        penalty = data.get("presence_penalty")
        parameters = _openai_parameters(data) | ({"repetition_penalty": penalty + 2.0} if penalty is not None else {})
        self._openai(data, inputs, parameters, chat=True)

    def completions(self, body: bytes) -> None:
        data = self._parse(body, "completions")
        if data.get("suffix") is not None:
            raise Refusal(
                422, "Suffix is not supported and can be achieved by preprocessing the prompt.", "suffix not supported"
            )
        # of several prompts the double answers the first
        prompts = data["prompt"] if isinstance(data["prompt"], list) else [data["prompt"]]
        most = self.server.limits.max_client_batch_size
        if len(prompts) > most:
            words_ = f"Number of prompts exceeds the maximum allowed batch size of {most}"
            raise Refusal(422, words_, "batch size exceeded")
        self._openai(data, prompts[0], _openai_parameters(data), chat=False)

    def _openai(self, data: dict[str, Any], inputs: str, parameters: dict[str, Any], *, chat: bool) -> None:
        self.server.counts["tgi_request_count"] += 1  # and once more below: the router counts these twice
        kind = ("chat.completion" if chat else "text_completion") + (".chunk" if chat and data.get("stream") else "")
        model = data.get("model") or "tgi"
        common = {
            "object": kind, "id": "", "created": int(time.time()), "model": MODEL if model == "tgi" else model,
            "system_fingerprint": FINGERPRINT,
        }  # fmt: skip
        if not data.get("stream"):
            job, times = self._run(inputs, parameters)
            if not chat:
                del times["x_compute_time"]
            text = {"message": {"role": "assistant", "content": job.text}} if chat else {"text": job.text}
            finish = _finish(job.tokens[-1].finish, chat)
            choice = {"index": 0, **text, "logprobs": None, "finish_reason": finish}
            self._whole(200, json.dumps({**common, "choices": [choice], "usage": job.usage()}).encode(), **times)
            return
        usage_wanted = bool(data.get("stream_options", {}).get("include_usage"))

        def event(_: int, token: Token, job: Job) -> dict[str, Any]:
            finish = _finish(token.finish, chat)
            if chat:
                delta = {"role": "assistant", "content": "" if token.special else token.text}
                choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
                return {**common, "choices": [choice], "usage": None}
            choice = {"index": 0, "text": token.text, "logprobs": None, "finish_reason": finish or ""}
            return {**common, "choices": [choice]} | ({"usage": job.usage()} if finish else {})

        def error(refusal: Refusal) -> dict[str, Any]:
            return {"error": {"message": refusal.text, "http_status_code": 422}}

        def ends(job: Job | None) -> list[bytes]:
            wanted = chat and usage_wanted and job is not None
            usage = [sse({**common, "choices": [], "usage": job.usage()})] if wanted and job else []
            return [*usage, DONE]

        self._stream(inputs, parameters, event, error, ends)

    def tokenize(self, body: bytes) -> None:
        inputs = self._parse(body, "generate")["inputs"]
        if not inputs:
            raise Refusal(422, "Input validation error: `inputs` cannot be empty", "validation")
        self._whole(200, json.dumps(_tokens(inputs)).encode())

    def chat_tokenize(self, body: bytes) -> None:
        data = self._parse(body, "chat")
        text = "".join(f"<{m['role']}> {m.get('content') or ''}\n" for m in data["messages"])
        self._whole(200, json.dumps({"tokenize_response": _tokens(text), "templated_text": text}).encode())


POSTS: dict[str, Callable[[Handler, bytes], None]] = {
    "/": Handler.compat,
    "/generate": Handler.generate,
    "/generate_stream": Handler.generate_stream,
    "/v1/chat/completions": Handler.chat,
    "/v1/completions": Handler.completions,
    "/tokenize": Handler.tokenize,
    "/chat_tokenize": Handler.chat_tokenize,
}


def sse(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _finish(finish: str | None, chat: bool) -> str | None:
    """Chat speaks OpenAI's words, completions hand on the router's own."""
    return "stop" if chat and finish == "eos_token" else finish


def _openai_parameters(data: dict[str, Any]) -> dict[str, Any]:
    """Temperature 0 is greedy, none at all is sampling."""
    greedy = data.get("temperature") == 0
    names = ("top_p", "frequency_penalty", "repetition_penalty", "seed")
    more = {name: data[name] for name in names if data.get(name) is not None}
    temperature = {} if greedy or data.get("temperature") is None else {"temperature": data["temperature"]}
    tokens = data.get("max_tokens")
    return {
        "do_sample": not greedy, "max_new_tokens": 100 if tokens is None else tokens, "details": True,
        "stop": data.get("stop") or [], **temperature, **more,
    }  # fmt: skip


def _tokens(text: str) -> list[dict[str, Any]]:
    found, start = [], 0
    for n, word in enumerate(words(text)):
        found.append({"id": n, "text": word, "start": start, "stop": start + len(word)})
        start += len(word)
    return found
