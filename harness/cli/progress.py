"""What a run shows while it lasts: a screen on a terminal, a few lines a step elsewhere. All on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live as LiveScreen

from harness.base.text import printable
from harness.base.units import SECONDS_PER_HOUR
from harness.cli.screen import Screen, short
from harness.cli.standing import Standing, requests
from harness.load.protocol import Doing, Live, Warned
from harness.load.run_events import BrokenPart, RoundBegun, RunEvent, StepBegun, Waits
from harness.load.spending.purse import Spent
from harness.load.spending.tariff import usd
from harness.scenario import Slo

LONGEST_LINE = 2000  # a peer's words are in it
REFRESHES_PER_S = 2


class RunDisplay:
    """Shows the events of a run; `planned_s` is how long the load will take."""

    def __init__(
        self, planned_s: float | None, usd_per_hour: float | None, max_usd: float | None = None, slo: Slo | None = None
    ) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._planned_s = planned_s
        self._usd_per_hour = usd_per_hour
        self._max_usd = max_usd  # of an API that is paid for
        self._slo = slo or Slo()
        self._spent = Spent()
        self._began = time.monotonic()
        self._standing = Standing()
        self._doing = "starting"
        self._last_said = ""
        self._failure_told = False  # of this step
        self._summed_up: StepBegun | None = None
        self._screen = LiveScreen(
            console=self._console, get_renderable=self._now, refresh_per_second=REFRESHES_PER_S, transient=True
        )

    def __enter__(self) -> RunDisplay:
        if self._console.is_terminal:
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._screen.stop()
        self._sum_up()

    def _now(self) -> Screen:
        gone_s = time.monotonic() - self._began
        return Screen(self._doing, self._standing, self._slo, gone_s, self._planned_s, self._cost())

    def say(self, text: str) -> None:
        """One line about what is being done."""
        text = printable(text, LONGEST_LINE)
        self._doing = text
        if not self._console.is_terminal and text.split(",")[0] != self._last_said:  # one that counts is said once
            self._last_said = text.split(",")[0]
            self._line(text)

    def _line(self, text: str) -> None:
        """A line that stays."""
        said = f"{time.monotonic() - self._began:6.1f} s  {text}"
        if self._console.is_terminal:
            self._console.print(said, markup=False)
        else:
            print(said, file=sys.stderr, flush=True)

    def on_event(self, event: RunEvent) -> None:
        """Show one event of the load."""
        standing = self._standing
        match event:
            case Doing():
                self.say(event.text)
            case Warned():
                self._warn(event.text)
            case BrokenPart():
                self._warn(f"{event.part} failed ({event.text}): the run goes on without, and says so")
            case RoundBegun():
                standing.round = event
            case StepBegun():
                self._sum_up()
                standing.begin(event)
                self._failure_told = False
                self.say(standing.what)
            case Waits():
                if standing.held_for is None:
                    self.say(f"holding for {requests(event.left)} under way ({standing.what})")
                standing.held_for = event.left
            case Spent():
                self._spent = event
                if event.stopped is not None:
                    self.say(f"spending limit: {event.stopped}; what is under way ends")
            case Live():
                standing.take(event)
                self._tell_of_the_first_failure()

    def _warn(self, text: str) -> None:
        self._console.print(
            f"warning: {printable(text, LONGEST_LINE)}", markup=False, soft_wrap=not self._console.is_terminal
        )

    def _tell_of_the_first_failure(self) -> None:
        """A run of which everything fails must not look well to its end, on paper either."""
        failed, ended = self._standing.ended
        if failed and not self._failure_told and not self._console.is_terminal:
            self._failure_told = True
            said = printable(self._standing.live.last_error or "", LONGEST_LINE) if self._standing.live else ""
            self._line(f"{failed:,} of {requests(ended)} failed so far ({said})")

    def _sum_up(self) -> None:
        """What the step that ends came to, as it was seen."""
        standing = self._standing
        failed, ended = standing.ended
        if standing.step is self._summed_up or standing.live is None or not ended:
            return
        self._summed_up = standing.step
        kinds = ", ".join(f"{kind} x {n:,}" for kind, n in standing.errors.items())
        words = [f"{failed:,} of {ended:,} failed" + (f" ({kinds})" if kinds else "")]
        if standing.live.ttft_p50_s is not None:
            words.append(f"TTFT p50 {short(standing.live.ttft_p50_s)}")
        words.append(f"{standing.tokens_per_s:,.0f} tok/s")
        self._line(f"{standing.what}: {', '.join(words)}")

    def _cost(self) -> str:
        if self._max_usd is not None:
            return f"USD {usd(self._spent.spent_pico):.4f} of {self._max_usd:g} spent"
        if self._usd_per_hour:
            return f"USD {self._usd_per_hour * (time.monotonic() - self._began) / SECONDS_PER_HOUR:.4f}"
        return ""
