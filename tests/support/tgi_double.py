"""A protocol double of TGI 3.3's router on loopback, derived from its source. It generates no language.

    with TgiDouble() as tgi:
        tgi.behaviour = Behaviour(fail_after=2)
        tgi.url      # http://127.0.0.1:41234

Tokens of a prompt are its words; the answer is Behaviour's script, cut at `max_new_tokens`.
"""

from __future__ import annotations

import threading
from collections import Counter
from http.server import ThreadingHTTPServer
from typing import Any

from tgi_handler import MODEL, Handler
from tgi_job import Behaviour, Job, words
from tgi_rules import Limits, Refusal, validate

BIG_SEED = 2**63 + 5  # of a sampled answer: no double holds it


class TgiDouble(ThreadingHTTPServer):
    """Listens on a loopback port from `with` to the end of the block."""

    daemon_threads = True

    def __init__(
        self,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        max_concurrent_requests: int = 128,
        api_key: str | None = None,
        chat_template: bool = True,
        port: int = 0,
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.limits, self.api_key, self.chat_template = limits, api_key, chat_template
        self.max_concurrent_requests = max_concurrent_requests
        self.behaviour = Behaviour()
        self.healthy = True
        self.counts: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []  # of the generations asked for
        self._permits = threading.Semaphore(max_concurrent_requests)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take_permit(self) -> None:
        self.counts["tgi_request_count"] += 1
        if not self._permits.acquire(blocking=False):
            self.counts['tgi_request_failure{err="overloaded"}'] += 1
            raise Refusal(429, "Model is overloaded", "overloaded")

    def give_permit(self) -> None:
        self._permits.release()

    def count_success(self, job: Job) -> None:
        self.counts["tgi_request_success"] += 1
        for name, value in (("generated_tokens", len(job.tokens)), ("input_length", job.input_tokens)):
            self.counts[f"tgi_request_{name}_sum"] += value
            self.counts[f"tgi_request_{name}_count"] += 1

    def job(self, inputs: str, parameters: dict[str, Any]) -> Job:
        """Validate; the seed of a sampled answer is random, a greedy one has none."""
        tokens = len(words(inputs))
        try:
            wanted = validate(inputs, parameters, tokens, self.limits)
        except Refusal:
            self.counts['tgi_request_failure{err="validation"}'] += 1
            raise
        seed = (parameters.get("seed") or BIG_SEED) if parameters.get("do_sample") else None
        details = bool(parameters.get("details") or parameters.get("decoder_input_details"))
        full_text = bool(parameters.get("return_full_text"))
        return Job(inputs, tokens, wanted, details, full_text, seed, self.behaviour)

    def info(self) -> dict[str, Any]:
        limits = self.limits
        return {
            "model_id": MODEL, "model_sha": None, "model_pipeline_tag": None,
            "max_concurrent_requests": self.max_concurrent_requests, "max_best_of": limits.max_best_of,
            "max_stop_sequences": limits.max_stop_sequences, "max_input_tokens": limits.max_input_tokens,
            "max_total_tokens": limits.max_total_tokens, "validation_workers": 2,
            "max_client_batch_size": limits.max_client_batch_size, "router": "text-generation-router",
            "version": "3.3.6-dev0", "sha": None, "docker_label": None,
        }  # fmt: skip

    def models(self) -> dict[str, Any]:
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}
        return {"object": "list", "data": [model]}

    def metrics(self) -> str:
        lines = []
        for name, value in sorted(self.counts.items()):
            lines += [f"# TYPE {name.partition('{')[0]} counter", f"{name} {value}"]
        return "\n".join(lines) + "\n"

    def __enter__(self) -> TgiDouble:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()
