"""A batching engine in virtual time: what it serves is known, and a minute of it takes a millisecond or two.

Each iteration takes `iteration_s + running_s * running + prompt_token_s * new prompt tokens`, times noise and a slow
drift, and gives every running request one token; a request's first comes from the iteration that reads its prompt.
Between arrivals and ends the number running is constant, so many iterations are taken in one step.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Spread = Literal["equal", "varied", "heavy"]
LOOK_S = 0.2  # the drift changes that often
BLOCK = 2048  # random numbers drawn at once


@dataclass(frozen=True, slots=True)
class Engine:
    """How fast it is, and how that changes: `drift` of its speed (standard deviation) with a memory of `drift_s`."""

    iteration_s: float = 0.012
    running_s: float = 0.0006
    prompt_token_s: float = 0.00008
    noise: float = 0.03  # of an iteration
    drift: float = 0.0
    drift_s: float = 20.0
    slow_start: float = 0.0  # slower by so much at first, fading over slow_start_s
    slow_start_s: float = 5.0
    slots: int = 0  # so many run at once, further ones wait their turn; 0: all run


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked: mean output tokens, how they spread, and prompt tokens."""

    spread: Spread = "varied"
    output_tokens: int = 64
    prompt_tokens: int = 50

    def draw(self, random: np.random.Generator, count: int) -> list[int]:
        """Output lengths; `varied` 10 to 190 % of the mean, `heavy` lognormal with sigma 1.2, up to 40 means."""
        mean = self.output_tokens
        if self.spread == "equal":
            return [mean] * count
        if self.spread == "varied":
            return random.integers(max(mean // 10, 1), 2 * mean - mean // 10 + 1, count).tolist()
        sigma = 1.2
        drawn = mean * np.exp(random.normal(-sigma * sigma / 2, sigma, count))
        return np.clip(drawn.round(), 1, 40 * mean).astype(int).tolist()


@dataclass(frozen=True, slots=True)
class Load:
    """`users` who send the next when the last ended, entering spread over `enter_s`; or Poisson arrivals at a rate."""

    users: int = 0
    enter_s: float = 1.0
    requests_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Requests:
    """All that were begun, one entry each, seconds since the load began."""

    sent_s: Floats
    first_s: Floats
    finished_s: Floats
    output_tokens: Floats
    prompt_tokens: Floats


@dataclass(slots=True)
class _Clock:
    """The time of iterations: noise and drift."""

    engine: Engine
    random: np.random.Generator
    now_s: float = 0.0
    _state: float = field(init=False)
    _factor: float = field(init=False)
    _seen_s: float = 0.0
    _noise: Iterator[float] = field(init=False)

    def __post_init__(self) -> None:
        self._state = float(self.random.standard_normal())
        self._noise = self._draws()
        self._look()

    def _draws(self) -> Iterator[float]:
        while True:
            yield from self.random.standard_normal(BLOCK).tolist()

    def _look(self) -> None:
        engine, since_s = self.engine, self.now_s - self._seen_s
        if engine.drift:
            kept = math.exp(-since_s / engine.drift_s)
            self._state = self._state * kept + math.sqrt(1 - kept * kept) * next(self._noise)
        start = engine.slow_start * math.exp(-self.now_s / engine.slow_start_s)
        self._factor = max(1 + engine.drift * self._state, 0.3) * (1 + start)
        self._seen_s = self.now_s

    def iteration_s(self, running: int, prompt_tokens: int = 0) -> float:
        """How long one would take now, but for the noise."""
        if self.now_s - self._seen_s > LOOK_S:
            self._look()
        engine = self.engine
        work_s = engine.iteration_s + engine.running_s * running + engine.prompt_token_s * prompt_tokens
        return work_s * self._factor

    def pass_(self, one_s: float, count: int) -> None:
        """Let so many pass; their noises add as a root."""
        self.now_s += one_s * max(count + self.engine.noise * math.sqrt(count) * next(self._noise), 0.01)


def serve(engine: Engine, work: Work, load: Load, until_s: float, seed: tuple[int, ...]) -> Requests:
    """All requests of a load that is held until each that was sent before `until_s` has ended."""
    random = np.random.default_rng(seed)
    clock = _Clock(engine, random)
    coming = _coming(load, until_s, random)
    lengths = _lengths(work, random)
    waiting: deque[float] = deque()
    rows: list[tuple[float, float, int]] = []  # sent, first, output
    finished_s: list[float] = []
    ends: list[tuple[int, int]] = []  # iteration it ends with, number of the request
    iteration = left = 0  # left: sent before until_s and not ended
    while clock.now_s < until_s or left or (waiting and waiting[0] < until_s):
        if not ends and not waiting:
            clock.now_s = max(clock.now_s, coming[0])
        while coming and coming[0] <= clock.now_s:
            waiting.append(coming.popleft())
        begin = min(len(waiting), engine.slots - len(ends)) if engine.slots else len(waiting)
        if begin:
            clock.pass_(clock.iteration_s(len(ends) + begin, work.prompt_tokens * begin), 1)
            iteration += 1
            for _ in range(begin):
                sent_s = waiting.popleft()
                length = next(lengths)
                heapq.heappush(ends, (iteration + length - 1, len(rows)))
                rows.append((sent_s, clock.now_s, length))
                finished_s.append(math.nan)
                left += sent_s < until_s
        else:
            one_s = clock.iteration_s(len(ends))
            count = min(ends[0][0] - iteration, max(int(LOOK_S / one_s), 1))
            if coming:
                count = min(count, max(math.ceil((coming[0] - clock.now_s) / one_s), 1))
            clock.pass_(one_s, count)
            iteration += count
        while ends and ends[0][0] <= iteration:
            number = heapq.heappop(ends)[1]
            finished_s[number] = clock.now_s
            left -= rows[number][0] < until_s
            if load.users:
                waiting.append(clock.now_s)
    sent, first, output = np.array(rows, dtype=float).T
    return Requests(sent, first, np.array(finished_s), output, np.full(len(rows), float(work.prompt_tokens)))


def _coming(load: Load, until_s: float, random: np.random.Generator) -> deque[float]:
    """When each user enters, or each arrival is due."""
    if load.users:
        return deque(np.sort(random.uniform(0, load.enter_s, load.users)).tolist())
    count = int(2 * until_s * load.requests_per_s) + 200
    return deque(np.cumsum(random.exponential(1 / load.requests_per_s, count)).tolist())


def _lengths(work: Work, random: np.random.Generator) -> Iterator[int]:
    while True:
        yield from work.draw(random, BLOCK)
