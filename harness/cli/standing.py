"""How a run stands while it lasts: what its events add up to, for whoever shows it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from harness.load.protocol import Live
from harness.load.run_events import RoundBegun, StepBegun
from harness.rundir.results import step_number

RATE_OVER_S = 5.0  # what a rate of tokens is the mean of
CURVE = 60  # rates that a curve is of, one a sample


@dataclass(slots=True)
class Standing:
    """The step that is on, its counts, and the last minute's token rates."""

    step: StepBegun | None = None
    round: RoundBegun | None = None
    held_for: int | None = None  # requests; None: nothing is held
    first_s: float | None = None  # the first step's start
    live: Live | None = None
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=CURVE))
    _before: Live | None = None  # as the step began
    _tokens: deque[tuple[float, int]] = field(default_factory=deque)  # (t_s, tokens of that sample)

    def begin(self, step: StepBegun) -> None:
        """A step begins."""
        self.step, self.held_for, self._before = step, None, self.live
        self.first_s = step.start_s if self.first_s is None else self.first_s

    def take(self, live: Live) -> None:
        """A second has gone by."""
        began_s = live.t_s - 1.0 if self.live is None else self.live.t_s
        if not self._tokens:
            self._tokens.append((began_s, 0))
        self._tokens.append((live.t_s, live.output_tokens))
        while len(self._tokens) > 2 and self._tokens[1][0] <= live.t_s - RATE_OVER_S:
            self._tokens.popleft()
        self.live = live
        self.rates.append(self.tokens_per_s)

    @property
    def tokens_per_s(self) -> float:
        """Output tokens over the last five seconds."""
        if len(self._tokens) < 2:
            return 0.0
        took_s = self._tokens[-1][0] - self._tokens[0][0]
        return sum(tokens for _, tokens in list(self._tokens)[1:]) / took_s if took_s > 0 else 0.0

    @property
    def ended(self) -> tuple[int, int]:
        """Requests of this step that have failed, and all that have ended."""
        if self.live is None:
            return 0, 0
        failed = self.live.failed - (self._before.failed if self._before else 0)
        finished = self.live.finished - (self._before.finished if self._before else 0)
        return failed, failed + finished

    @property
    def errors(self) -> dict[str, int]:
        """What failed in this step, by kind, the commonest first."""
        if self.live is None:
            return {}
        before = self._before.errors if self._before else {}
        new = {kind: n - before.get(kind, 0) for kind, n in self.live.errors.items()}
        return dict(sorted(((kind, n) for kind, n in new.items() if n > 0), key=lambda item: -item[1]))

    @property
    def done_s(self) -> float:
        """Seconds of load so far."""
        return 0.0 if self.live is None or self.first_s is None else max(0.0, self.live.t_s - self.first_s)

    @property
    def what(self) -> str:
        """The step that is on, and of a task run its round."""
        if self.round is None:
            return _step_name(self.step)
        begun = self.round
        what = {"attempts": "", "escalation": " at the dearer endpoint", "judging": " judged by a model"}[begun.role]
        return (
            f"round {begun.number} of {begun.most}: {begun.asks} task{'s' if begun.asks != 1 else ''}{what}; "
            f"{begun.solved} of {begun.tasks} solved, {_step_name(self.step)}"
        )


def requests(n: int) -> str:
    """`1 request`, `2 requests`."""
    return f"{n:,} request{'s' if n != 1 else ''}"


def _step_name(begun: StepBegun | None) -> str:
    if begun is None:
        return "no step yet"
    users = begun.load.get("users")
    what = f"{users} user{'s' if users != 1 else ''}" if users else f"{begun.load.get('requests_per_s')} requests/s"
    return f"step {step_number(begun.step)}: {what}"
