"""What a load process must know before it can begin; it travels on its standard input, never on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from harness.load.spending.purse import Spending
from harness.rundir.of_step import Role
from harness.scenario.prompts import CHARS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """All that a load process needs to know. Secrets travel by environment variable name or in `headers`."""

    run_dir: str
    run_id: str  # prefix of every x-request-id
    salt: str  # what the words of its prompts are drawn from
    scenario: dict[str, Any]
    base_dir: str  # relative prompt files start here
    urls: list[str]
    backend: str | None  # the dialect asked for; None: that of whoever answers
    model: str | None
    started_monotonic_ns: int
    weights: str | None = None  # that the user says are behind the name
    quantization: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    api_key_env: str | None = None
    ca_file: str | None = None
    extra_body: dict[str, Any] = field(default_factory=dict)
    keep_arrivals: bool = False
    known_engine: str | None = None  # that we started ourselves: it need not be asked who it is
    preflight: bool = False  # one request to each URL before the load
    worker: int = 0  # which of the `workers` load processes this is; every one has its exact share
    workers: int = 1
    remote_workers: int = 0  # the last so many of them run on other machines
    listen: str = ""  # HOST:PORT where those connect to
    token: str = field(default="", repr=False)  # that they share with the run; no load process needs it
    process_base: int = 0  # added to a process's number, so that those of several machines differ
    gpu_urls: list[str] = field(default_factory=list)  # DCGM-exporter's, of the boxes that serve
    board_fd: int | None = None  # of the file by which the processes of one machine share what is where
    spending: Spending | None = None  # what it may spend at an API; None: nothing is paid by the token
    learned: Learned | None = None  # by process 0, of the endpoint; or in the round before
    round: RoundPlan | None = None  # of a task run: what is asked is one round of it

    @property
    def process(self) -> int:
        """The number of the process that asks, as it stands in every row."""
        return self.process_base + os.getpid()


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """One round of a task run: a step of its own."""

    asks: str  # the file that says what is asked
    number: int  # from 1
    step: int
    role: Role
    max_s: float  # that it may last, its warm-up apart
    repeats: bool  # tasks are repeated before and after, so that the load stays as it is
    request_s: float | None = None  # that a request took in the round before


@dataclass(frozen=True, slots=True)
class Learned:
    """What the first load process has learned by asking the endpoint; the others take its word."""

    backend: str  # the dialect that is spoken
    model: str | None
    tokenizer_path: str | None
    words: list[str]
    overhead_tokens: int
    exact: bool
    turn_tokens: list[int] = field(default_factory=list)  # see Vocabulary
    answer_tokens: list[tuple[int, int, int]] = field(default_factory=list)
    """(row, request, tokens) of recorded answers that its tokenizer has counted."""
    chars_per_token: float = CHARS_PER_TOKEN  # of the others
    answers_said: str | None = None  # how their lengths are known; None: nobody needs them
