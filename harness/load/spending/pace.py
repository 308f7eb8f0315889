"""An API's rate limits as its answers tell them: when the next request may go. No clock, no I/O."""

import math
from dataclasses import dataclass

MOST_PAUSE_S = 120.0  # a longer one is no rate limit that a load can wait for
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # where a refusal names no pause, by how many came in a row


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit, as an answer's headers say it."""

    of: str  # requests, tokens, input-tokens, output-tokens
    remaining: float
    limit: float | None
    reset_s: float  # until all of it is there again


@dataclass(slots=True)
class _Bucket:
    remaining: float
    limit: float | None
    told_s: float
    full_s: float

    def wait_s(self, need: float, now_s: float) -> float:
        """Until so much is there: it fills evenly, where its size is known."""
        if self.remaining >= need or now_s >= self.full_s:
            return 0.0
        if self.limit is None or self.limit <= need or self.limit <= self.remaining:
            return self.full_s - now_s
        share = (need - self.remaining) / (self.limit - self.remaining)
        return max(self.told_s + share * (self.full_s - self.told_s) - now_s, 0.0)


class Pace:
    """When a request may go: not before a pause that was asked for, not into an empty bucket, and after a refusal no
    more at once than were taken.
    """

    def __init__(self) -> None:
        self._until_s = 0.0
        self._most_at_once = math.inf
        self._refused_s = -math.inf  # when it was last met by a request that could have known better
        self._refusals = 0  # such ones, in a row
        self._buckets: dict[str, _Bucket] = {}

    def wait_s(self, now_s: float, tokens: int, in_flight: int) -> float:
        """Seconds until a request of about so many tokens may go; infinite: until one under way has ended."""
        if in_flight >= self._most_at_once:
            return math.inf
        waits = [
            bucket.wait_s(1.0 if of == "requests" else float(tokens), now_s) for of, bucket in self._buckets.items()
        ]
        return min(max(self._until_s - now_s, 0.0, *waits), MOST_PAUSE_S)

    def sent(self, tokens: int) -> None:
        """A request goes."""
        for of, bucket in self._buckets.items():
            bucket.remaining -= 1 if of == "requests" else tokens

    def told(self, now_s: float, allowances: list[Allowance]) -> None:
        """What an answer's headers say is left."""
        for said in allowances:
            self._buckets[said.of] = _Bucket(said.remaining, said.limit, now_s, now_s + said.reset_s)

    def served(self) -> None:
        """A request was taken."""
        self._refusals = 0
        self._most_at_once += 1

    def refused(self, now_s: float, sent_s: float, pause_s: float | None, in_flight: int) -> None:
        """The limit was met; `pause_s`: what the answer asks for, None where it does not say. Of what was sent before
        the last refusal nothing new is learned but another pause.
        """
        if sent_s >= self._refused_s:
            self._refused_s = now_s
            self._most_at_once = max(1.0, in_flight / 2)
            self._refusals += 1
        if pause_s is None:
            pause_s = BACK_OFF_S[min(self._refusals, len(BACK_OFF_S)) - 1]
            now_s = self._refused_s
        self._until_s = max(self._until_s, now_s + min(pause_s, MOST_PAUSE_S))
