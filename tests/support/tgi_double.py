"""A protocol double of TGI 3.3's router on loopback, derived from its source. It generates no language.

    with TgiDouble() as tgi:
        tgi.behaviour = Behaviour(fail_after=2)
        tgi.url      # http://127.0.0.1:41234

Tokens of a prompt are its words; the answer is Behaviour's script, cut at `max_new_tokens`. What it says besides is
held against a real one (`tests/backends/test_tgi_double_as_recorded.py`).
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import Any

from loopback import Loopback
from tgi_forms import MODEL
from tgi_handler import Handler
from tgi_job import Behaviour, Job
from tgi_metrics import SECONDS, page
from tgi_rules import Limits, Refusal, validate
from tgi_text import words

SHA = "db931fcf42da018a3657580c64bf2720f167f9ab"
MAX_TOKENS = 2**32
BIG_SEED = 2**63 + 5  # of a sampled answer: no double holds it


class TgiDouble(Loopback):
    """The router: its limits, its room, its counters."""

    def __init__(
        self,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        max_concurrent_requests: int = 128,
        api_key: str | None = None,
        chat_template: bool = True,
        port: int = 0,
    ) -> None:
        super().__init__(Handler, port)
        self.limits, self.api_key, self.chat_template = limits, api_key, chat_template
        self.max_concurrent_requests = max_concurrent_requests
        self.behaviour = Behaviour()
        self.healthy = True
        self.counts: Counter[str] = Counter()
        self.observed: defaultdict[str, list[float]] = defaultdict(list)
        self.bodies: list[dict[str, Any]] = []  # of the generations asked for
        self._permits = threading.Semaphore(max_concurrent_requests)

    def take_permit(self) -> None:
        self.counts["tgi_request_count"] += 1
        if not self._permits.acquire(blocking=False):
            self.counts['tgi_request_failure{err="overloaded"}'] += 1
            raise Refusal(429, "Model is overloaded", "overloaded")

    def give_permit(self) -> None:
        self._permits.release()

    def count_success(self, job: Job, inference_s: float) -> None:
        self.counts["tgi_request_success"] += 1
        self.observed["tgi_request_inference_duration"].append(inference_s)
        self.observed["tgi_request_input_length"].append(job.input_tokens)
        self.observed["tgi_request_generated_tokens"].append(len(job.tokens))
        self.observed["tgi_request_max_new_tokens"].append(job.max_new_tokens)

    def job(self, inputs: str, parameters: dict[str, Any]) -> Job:
        """Validate; the seed of a sampled answer is random, a greedy one has none."""
        tokens = min(len(words(inputs)), parameters.get("truncate") or MAX_TOKENS)
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
            "version": "3.3.6-dev0", "sha": SHA, "docker_label": None,
        }  # fmt: skip

    def models(self) -> dict[str, Any]:
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}
        return {"object": "list", "data": [model]}

    def metrics(self) -> str:
        limits, hundredths = self.limits, range(1, 101)
        lengths = [limits.max_input_tokens / 100 * k for k in hundredths]
        tokens = [limits.max_total_tokens / 100 * k for k in hundredths]
        bounds = {
            "tgi_request_inference_duration": SECONDS, "tgi_request_input_length": lengths,
            "tgi_request_generated_tokens": tokens, "tgi_request_max_new_tokens": tokens,
        }  # fmt: skip
        return page(self.counts, self.observed, bounds)
