"""What a run shows while it lasts: a bar on a terminal, a line a step elsewhere. All on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from harness.base.units import SECONDS_PER_HOUR


class RunDisplay:
    """Shows the events of a run; `planned_s` is how long the load will take."""

    def __init__(self, planned_s: float, usd_per_hour: float | None) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = self._console.is_terminal
        self._usd_per_hour = usd_per_hour
        self._began = time.monotonic()
        self._step: dict[str, Any] | None = None
        self._last_said = ""
        self._progress = Progress(
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
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
        self._done_s = 0.0

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
        if self._bar:
            self._progress.update(self._task, description=text)
        elif text.split(",")[0] != self._last_said:  # a line that only counts seconds is said once
            self._last_said = text.split(",")[0]
            print(f"{time.monotonic() - self._began:6.1f} s  {text}", file=sys.stderr, flush=True)

    def on_event(self, event: dict[str, Any]) -> None:
        """Show one event of the load process."""
        kind = event["event"]
        if kind == "doing":
            self.say(event["text"])
        elif kind == "warning":
            self._progress.console.print(f"warning: {event['text']}", markup=False, soft_wrap=True)
        elif kind == "step":
            self._step = event
            self.say(_step_name(event))
            self._done_s = event["planned_end_s"]
        elif kind == "live" and self._step is not None:
            if self._bar:
                self._progress.update(
                    self._task, description=self._live(event), completed=self._position(event)
                )
        elif kind == "done":
            self._progress.update(self._task, completed=self._progress.tasks[0].total or 0)

    def _position(self, event: dict[str, Any]) -> float:
        """Seconds of load done, counted from the first step."""
        assert self._step is not None
        if not hasattr(self, "_first_s"):
            self._first_s = self._step["start_s"]
        return float(event["t_s"]) - float(self._first_s)

    def _live(self, event: dict[str, Any]) -> str:
        assert self._step is not None
        parts = [
            _step_name(self._step),
            f"{event['output_tokens']} tok/s",
            f"{event['in_flight']} in flight",
        ]
        if event["ttft_p50_s"] is not None:
            parts.append(f"TTFT p50 {event['ttft_p50_s']:.2f} s")
        parts.append(f"{event['finished']} done")
        if event["failed"]:
            parts.append(f"{event['failed']} failed")
        if self._usd_per_hour:
            spent = self._usd_per_hour * (time.monotonic() - self._began) / SECONDS_PER_HOUR
            parts.append(f"USD {spent:.4f}")
        return ", ".join(parts)


def _step_name(event: dict[str, Any]) -> str:
    load = event["load"]
    users = load.get("users")
    what = f"{users} user{'s' if users != 1 else ''}" if users else f"{load.get('requests_per_s')} requests/s"
    return f"step {event['step'] + 1}: {what}"
