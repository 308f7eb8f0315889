"""What a run shows while it lasts: a bar on a terminal, a line a step elsewhere. All on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from harness.base.text import printable
from harness.base.units import SECONDS_PER_HOUR
from harness.load.protocol import Doing, Live, Warned
from harness.load.run_events import BrokenPart, RoundBegun, RunEvent, StepBegun, Waits
from harness.load.spending.purse import Spent
from harness.load.spending.tariff import usd

LONGEST_LINE = 2000  # a peer's words are in it


class RunDisplay:
    """Shows the events of a run; `planned_s` is how long the load will take."""

    def __init__(self, planned_s: float | None, usd_per_hour: float | None, max_usd: float | None = None) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = self._console.is_terminal
        self._usd_per_hour = usd_per_hour
        self._max_usd = max_usd  # of an API that is paid for
        self._spent = Spent()
        self._began = time.monotonic()
        self._step: StepBegun | None = None
        self._round: RoundBegun | None = None
        self._held_for: int | None = None  # requests; None: nothing is held
        self._first_s: float | None = None  # the first step's start
        self._last_said = ""
        self._progress = Progress(
            TextColumn(
                "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
            ),
            BarColumn(bar_width=10),
            TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
            TextColumn("left", style="dim"),
            TimeRemainingColumn(table_column=Column(min_width=7, no_wrap=True)),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._task: TaskID = self._progress.add_task("starting", total=planned_s)

    def __enter__(self) -> RunDisplay:
        if self._bar:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """One line about what is being done."""
        text = printable(text, LONGEST_LINE)
        if self._bar:
            self._progress.update(self._task, description=text)
        elif text.split(",")[0] != self._last_said:  # a line that only counts seconds is said once
            self._last_said = text.split(",")[0]
            print(f"{time.monotonic() - self._began:6.1f} s  {text}", file=sys.stderr, flush=True)

    def on_event(self, event: RunEvent) -> None:
        """Show one event of the load."""
        match event:
            case Doing():
                self.say(event.text)
            case Warned():
                self._warn(event.text)
            case BrokenPart():
                self._warn(f"{event.part} failed ({event.text}): the run goes on without, and says so")
            case RoundBegun():
                self._round = event
            case StepBegun():
                self._step, self._held_for = event, None
                self._first_s = event.start_s if self._first_s is None else self._first_s
                self.say(self._what)
            case Waits():
                if self._held_for is None:
                    self.say(f"holding for {_requests(event.left)} under way ({self._what})")
                self._held_for = event.left
            case Spent():
                self._spent = event
                if event.stopped is not None:
                    self.say(f"spending limit: {event.stopped}; what is under way ends")
            case Live():
                if self._bar and self._step is not None and self._first_s is not None:
                    done_s = event.t_s - self._first_s
                    held = f", holding for {_requests(self._held_for)}" if self._held_for else ""
                    text = f"{self._what}{held}, {self._live(event)}"
                    self._progress.update(self._task, description=text, completed=done_s)

    def _warn(self, text: str) -> None:
        self._progress.console.print(f"warning: {printable(text, LONGEST_LINE)}", markup=False, soft_wrap=True)

    @property
    def _what(self) -> str:
        """The step that is on, and of a task run its round."""
        if self._round is None:
            return _step_name(self._step)
        begun = self._round
        what = {"attempts": "", "escalation": " at the dearer endpoint", "judging": " judged by a model"}[begun.role]
        return (
            f"round {begun.number} of {begun.most}: {begun.asks} task{'s' if begun.asks != 1 else ''}{what}; "
            f"{begun.solved} of {begun.tasks} solved, {_step_name(self._step)}"
        )

    def _live(self, live: Live) -> str:
        parts = [f"{live.output_tokens} tok/s", f"{live.in_flight} in flight"]
        if live.ttft_p50_s is not None:
            parts.append(f"TTFT p50 {live.ttft_p50_s:.2f} s")
        parts.append(f"{live.finished} done")
        if live.failed:
            parts.append(f"{live.failed} failed")
        if self._max_usd is not None:
            parts.append(f"USD {usd(self._spent.spent_pico):.4f} of {self._max_usd:g} spent")
        elif self._usd_per_hour:
            spent = self._usd_per_hour * (time.monotonic() - self._began) / SECONDS_PER_HOUR
            parts.append(f"USD {spent:.4f}")
        return ", ".join(parts)


def _requests(n: int) -> str:
    return f"{n} request{'s' if n != 1 else ''}"


def _step_name(begun: StepBegun | None) -> str:
    if begun is None:
        return "no step yet"
    users = begun.load.get("users")
    what = f"{users} user{'s' if users != 1 else ''}" if users else f"{begun.load.get('requests_per_s')} requests/s"
    return f"step {begun.step + 1}: {what}"
