"""The load processes of a run, seen from their parent: started, told what to do, listened to. Imports no Locust."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from harness.base.errors import BreakevenError, EndpointError, UsageError
from harness.base.units import NS_PER_S
from harness.load.conduct.hopeless import hopeless
from harness.load.conduct.live import merged
from harness.load.ends import End, LocalEnd, RemoteEnd, log_tail
from harness.load.plan import LoadPlan
from harness.load.remote.muster import PATIENCE_S, Muster, plan_line, shown, told

LOG = "load.log"
LOG_LINES_SHOWN = 15
READ_BYTES = 65536
REMOTE_PROCESSES = 10_000_000  # numbers of the k-th worker's process begin at k times this if it is elsewhere
REMOTE_LEAD_S = 0.5  # more between an order and its instant where it travels
END_S = 60.0  # for the others to write their rows down when one of them had to give up
_ERRORS = {1: EndpointError, 2: UsageError}

OnEvent = Callable[[dict[str, Any]], None]
Watch = Callable[[], BreakevenError | None]
"""Asked each second why the load must end now; None: it may go on."""


def watch_nothing() -> BreakevenError | None:
    """Nobody but the endpoint itself ends the load."""
    return None


@dataclass(slots=True)
class Worker:
    """One load process."""

    number: int
    end: End
    pending: bytes = b""
    live: dict[str, Any] | None = None  # its latest sample
    is_ready: bool = False
    is_idle: bool = False
    is_done: bool = False
    is_over: bool = False  # its output has ended
    facts: dict[str, Any] = field(default_factory=dict)  # of another machine, and of its clock

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs on another machine."""
        return isinstance(self.end, RemoteEnd)


@dataclass(slots=True)
class Crew:
    """All load processes of a run; one takes its commands from `tell`, its events come out of `wait`."""

    plan: LoadPlan
    on_event: OnEvent
    watch: Watch = watch_nothing
    workers: list[Worker] = field(default_factory=list)
    lost: list[dict[str, Any]] = field(default_factory=list)  # {"worker", "how", "t_s"} of those that died
    prepared: dict[str, Any] | None = None
    was_interrupted: bool = False
    failure: BreakevenError | None = None
    latest: dict[str, Any] | None = None  # merged sample of all
    in_flight_log: list[tuple[float, float]] = field(default_factory=list)  # (t_s, requests), once a second
    _failure_ends_s: float | None = None
    _step_told: int | None = None  # the last one
    _muster: Muster | None = None
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def now_s(self) -> float:
        """Seconds since the run began."""
        return (time.monotonic_ns() - self.plan.started_monotonic_ns) / NS_PER_S

    @property
    def log_path(self) -> Path:
        """Where the processes' standard error goes."""
        return Path(self.plan.run_dir) / LOG

    def start(self) -> None:
        """Start all processes and let the first prepare; return when everyone is ready.

        Raises:
            EndpointError, UsageError: what the first one found. BreakevenError: one died.
        """
        with self.log_path.open("wb") as log:
            self._muster = Muster(self.plan, log) if self.plan.remote_workers else None
            ends: list[End] = [LocalEnd(log) for _ in range(self.plan.workers - self.plan.remote_workers)]
        for number, end in enumerate(ends + (self._muster.ends if self._muster is not None else [])):
            self.workers.append(Worker(number, end))
            self._selector.register(end, selectors.EVENT_READ, self.workers[-1])
        if self._muster is not None:
            self._gather()
        first, *others = self.workers
        self._write(first, self._plan_line(first))
        self.wait(until=lambda: first.is_ready)
        if self.prepared is None:
            return  # it ended before it had begun: `failure` says why, or it was told to
        for worker in others:
            self._write(worker, self._plan_line(worker, learned=self.prepared["learned"]))
        self.wait(until=lambda: all(w.is_ready or w.is_over for w in self.workers))

    def _gather(self) -> None:
        """Wait until every worker of another machine is there."""
        elsewhere = [worker for worker in self.workers if worker.is_elsewhere]
        self.on_event({"event": "doing", "text": f"waiting for {len(elsewhere)} workers: on each machine "
                       f"`breakeven worker --master {shown(self.plan.listen)}`"})  # fmt: skip
        if self.plan.headers:
            text = "the values of --header travel to the workers unencrypted; --api-key-env is read on each machine"
            self.on_event({"event": "warning", "text": text})
        until_s = self.now_s() + PATIENCE_S
        self.wait(until_s, until=lambda: all("host" in w.facts or w.is_over for w in elsewhere))
        missing = sum("host" not in worker.facts for worker in elsewhere)
        if missing and self.failure is None:
            raise BreakevenError(
                f"{missing} of {len(elsewhere)} workers did not come within {PATIENCE_S:.0f} s",
                hint=f"can they reach {self.plan.listen}? On this machine alone: --workers N, no --remote-workers",
            )

    def _plan_line(self, worker: Worker, learned: dict[str, Any] | None = None) -> bytes:
        plan = replace(self.plan, worker=worker.number, learned=learned)
        if not worker.is_elsewhere:
            return plan.to_line()
        return plan_line(replace(plan, process_base=(worker.number + 1) * REMOTE_PROCESSES))

    def tell(self, do: str, **facts: Any) -> None:
        """A command to every process that lives."""
        if do == "steps":
            self._step_told = facts["steps"][-1]["step"]
        line = orjson.dumps({"do": do, **facts}, option=orjson.OPT_APPEND_NEWLINE)
        for worker in self.workers:
            worker.is_idle = worker.is_idle and do != "steps"
            if not worker.is_over:
                self._write(worker, line)

    def _write(self, worker: Worker, line: bytes) -> None:
        try:
            worker.end.send(line)
        except (BrokenPipeError, ConnectionResetError):  # it died: its output ends, and `wait` says so
            return

    def wait(self, until_s: float | None = None, *, until: Callable[[], bool] = lambda: False) -> None:
        """Hand on events until the time has come, or `until` is true, or nobody is left; after a `failure` for a
        minute at most."""
        while not until() and not self.is_over:
            ends_s = [t_s for t_s in (until_s, self._failure_ends_s) if t_s is not None]
            left_s = min(ends_s) - self.now_s() if ends_s else None
            if left_s is not None and left_s <= 0:
                return
            for key, _ in self._selector.select(left_s):
                self._read(key.data)

    @property
    def lead_s(self) -> float:
        """Seconds that an order needs on its way to the farthest process."""
        return REMOTE_LEAD_S if self.plan.remote_workers else 0.0

    @property
    def elsewhere(self) -> list[dict[str, Any]]:
        """What is known of the workers on other machines: host, cores, clock, calibration."""
        hidden = {"version", "how"}
        return [
            {"worker": w.number} | {k: v for k, v in w.facts.items() if k not in hidden}
            for w in self.workers
            if w.is_elsewhere
        ]

    @property
    def is_over(self) -> bool:
        """Whether every process has ended."""
        return all(worker.is_over for worker in self.workers)

    @property
    def is_idle(self) -> bool:
        """Whether every process that lives has nothing under way."""
        return all(worker.is_idle or worker.is_over for worker in self.workers)

    @property
    def in_flight(self) -> int:
        """Requests in flight when the processes last said so."""
        return sum(w.live["in_flight"] for w in self.workers if w.live is not None and not w.is_over)

    @property
    def not_sent(self) -> int:
        """Arrivals dropped so far."""
        return sum(w.live["not_sent"] for w in self.workers if w.live is not None)

    def _read(self, worker: Worker) -> None:
        try:
            data = os.read(worker.end.fileno(), READ_BYTES)
        except ConnectionResetError:  # the process that knows the workers elsewhere was killed
            data = b""
        if not data:
            self._selector.unregister(worker.end)
            worker.is_over = True
            if not worker.is_done:
                self._died(worker)
            return
        *lines, worker.pending = (worker.pending + data).split(b"\n")
        for line in lines:
            self._take(worker, orjson.loads(line))

    def _take(self, worker: Worker, event: dict[str, Any]) -> None:
        match event["event"]:
            case "error":
                worker.is_done = True
                self._give_up(_error(event))
            case "joined" | "exit":
                self._note(worker, event)
            case "ready":
                worker.is_ready = True
            case "idle":
                worker.is_idle = event["step"] == self._step_told  # not late news of a probe before
            case "done":
                worker.is_done = True
                self.was_interrupted = self.was_interrupted or event["interrupted"]
            case "live":
                worker.live = event
                self._show(worker)
            case "prepared":
                self.prepared = event
                self.on_event({key: value for key, value in event.items() if key != "learned"})
            case _:
                self.on_event(event)

    def _note(self, worker: Worker, event: dict[str, Any]) -> None:
        """What is known of a worker's machine: when it comes, and when it goes."""
        worker.facts |= {key: value for key, value in event.items() if key != "event"}
        self.on_event({"event": "elsewhere", "workers": self.elsewhere})
        if event["event"] == "joined":
            self.on_event({"event": "doing", "text": f"worker {worker.number + 1} is here: {told(event)}"})

    def _show(self, worker: Worker) -> None:
        """One merged sample a second, when the first process that lives has a new one."""
        living = [w for w in self.workers if not w.is_over]
        if worker is living[0]:
            live = self.latest = merged([w.live for w in living if w.live is not None])
            self.in_flight_log.append((live["t_s"], live["in_flight"]))
            self.on_event(live)
            error = self.watch() or hopeless(live, self.plan.urls)
            if error is not None:
                self._give_up(error)

    def _give_up(self, error: BreakevenError) -> None:
        """One process cannot go on: the others write down what they have, then the error is raised."""
        if self.failure is None:
            self.failure, self._failure_ends_s = error, self.now_s() + END_S
            self.interrupt()

    def _died(self, worker: Worker) -> None:
        how = worker.facts.get("how") or worker.end.how_it_ended()
        self.lost.append({"worker": worker.number, "how": how, "t_s": round(self.now_s(), 3)})
        self.on_event({"event": "lost", "workers": list(self.lost)})
        if self.is_over and not any(w.is_done for w in self.workers):
            self.failure = self.failure or died(how, self.log_path)
        elif not any(w.is_ready for w in self.workers) or not worker.is_ready:
            self._give_up(died(how, self.log_path))
        else:
            share = f"1 of {len(self.workers)}"
            self.on_event(
                {
                    "event": "doing",
                    "text": f"load process {share} died ({how}): its share of the load is lost",
                }
            )

    def interrupt(self) -> None:
        """Ask every process to end now and keep its rows."""
        for worker in self.workers:
            worker.end.interrupt()

    def close(self) -> None:
        """Kill whoever is left, and tidy up."""
        for worker in self.workers:
            worker.end.close()
        if self._muster is not None:
            self._muster.close()
        self._selector.close()
        if self.log_path.exists() and self.log_path.stat().st_size == 0:
            self.log_path.unlink()


def died(how: str, log_path: Path) -> BreakevenError:
    """The error of a load process that ended without a word."""
    return BreakevenError(
        f"the load process died ({how})",
        detail=log_tail(log_path, LOG_LINES_SHOWN),
        hint="the rows written so far are kept; `breakeven report RUN` reads them",
    )


def _error(event: Mapping[str, Any]) -> BreakevenError:
    kind = _ERRORS.get(event["exit_code"], BreakevenError)
    return kind(event["message"], hint=event.get("hint"), detail=event.get("detail"))
