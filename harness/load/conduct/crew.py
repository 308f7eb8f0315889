"""The load processes of a run, seen from their parent: started, told what to do, listened to. Imports no Locust."""

import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile

from harness.base.errors import BreakevenError
from harness.base.units import NS_PER_S
from harness.load.board import Board
from harness.load.conduct.hopeless import hopeless
from harness.load.conduct.live import merged
from harness.load.conduct.worker import Worker, died, error_of
from harness.load.conduct.workers import Workers
from harness.load.ends import LineEnd, LocalEnd
from harness.load.lines import Malformed
from harness.load.plan import Learned, LoadPlan
from harness.load.protocol import (
    Alive,
    Begin,
    Broken,
    Command,
    Doing,
    Done,
    Event,
    Failed,
    Held,
    Holding,
    Identified,
    Idle,
    Joined,
    Left,
    Live,
    Looked,
    Prepared,
    Ready,
    RunSteps,
    Unfit,
    Warned,
)
from harness.load.remote.muster import PATIENCE_S, Muster, did_not_come, for_elsewhere, invitation, told
from harness.load.run_events import BrokenPart, Elsewhere, Lost, LostWorker, RunEvent
from harness.load.spending.purse import Spent

LOG = "load.log"
REMOTE_PROCESSES = 10_000_000  # numbers of the k-th worker's process begin at k times this if it is elsewhere
REMOTE_LEAD_S = 0.5  # more between an order and its instant where it travels
END_S = 60.0  # for the others to write their rows down when one of them had to give up
SILENT_S = 60.0  # a process says each few seconds that it is alive: one that does not hangs, and is killed
SILENT_AT_THE_END_S = 15.0  # the same, of one that was asked to end
LOOK_S = 1.0  # for silence

OnEvent = Callable[[RunEvent], None]
Watch = Callable[[], BreakevenError | None]
"""Asked each second why the load must end now; None: it may go on."""


def watch_nothing() -> BreakevenError | None:
    """Nobody but the endpoint itself ends the load."""
    return None


@dataclass(slots=True)
class Crew:
    """All load processes of a run; one takes its commands from `tell`, its events come out of `wait`."""

    plan: LoadPlan
    on_event: OnEvent
    watch: Watch = watch_nothing
    workers: Workers = field(default_factory=Workers)
    lost: list[LostWorker] = field(default_factory=list)
    prepared: Prepared | None = None
    request_s: float | None = None  # that one took before the load
    was_interrupted: bool = False
    is_spent: bool = False  # a spending limit is reached: no further request begins
    failure: BreakevenError | None = None
    latest: Live | None = None  # merged sample of all
    in_flight_log: list[tuple[float, float]] = field(default_factory=list)  # (t_s, requests), once a second
    _failure_ends_s: float | None = None
    _is_ending: bool = False  # everybody was asked to end
    _order: int = 0  # the number of the last one
    _malformed: set[int] = field(default_factory=set)  # workers of whom it was said
    _muster: Muster | None = None
    _board: Board | None = None  # of the processes here
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def now_s(self) -> float:
        """Seconds since the run began."""
        return (time.monotonic_ns() - self.plan.started_monotonic_ns) / NS_PER_S

    @property
    def log_path(self) -> Path:
        """Where what the processes print goes."""
        return Path(self.plan.run_dir) / LOG

    def start(self) -> None:
        """Start all processes and let the first prepare; return when everyone is ready.

        Raises:
            EndpointError, UsageError: what the first one found. BreakevenError: one died.
        """
        with self.log_path.open("wb") as log, TemporaryFile() as shared:
            self.plan = replace(self.plan, board_fd=shared.fileno())
            self._board = Board(self.plan.workers, len(self.plan.urls), shared.fileno())
            self._muster = Muster(self.plan, log) if self.plan.remote_workers else None
            here = self.plan.workers - self.plan.remote_workers
            ends: list[LineEnd] = [LocalEnd(log, self.plan.api_key_env, [shared.fileno()]) for _ in range(here)]
        for number, end in enumerate(ends + (self._muster.ends if self._muster is not None else [])):
            self.workers.append(Worker(number, end))
            self._selector.register(end, selectors.EVENT_READ, self.workers[-1])
        if self._muster is not None:
            self._gather()
        first, *others = self.workers
        known = self.plan.learned  # in the round before
        self.prepared = None if known is None else Prepared(known)
        self.request_s = None if self.plan.round is None else self.plan.round.request_s
        self._begin(first, known)
        self.wait(until=lambda: first.is_ready)
        if self.prepared is None or first.is_over:
            return  # it ended before it had begun: `failure` says why, or it was told to
        for worker in others:
            self._begin(worker, self.prepared.learned)
        self.wait(until=lambda: self.workers.are_ready)

    def _gather(self) -> None:
        """Wait until every worker of another machine is there."""
        elsewhere = self.workers.elsewhere
        self.on_event(Doing(invitation(self.plan)))
        until_s = self.now_s() + PATIENCE_S
        self.wait(until_s, until=lambda: all(w.who is not None or w.is_over for w in elsewhere))
        missing = sum(worker.who is None for worker in elsewhere)
        if missing and self.failure is None:
            raise did_not_come(self.plan, missing, PATIENCE_S)

    def _begin(self, worker: Worker, learned: Learned | None = None) -> None:
        plan = replace(self.plan, worker=worker.number, learned=learned, token="")
        worker.has_plan = True
        if worker.is_elsewhere:  # files may travel first, so that it is silent for a while
            base = (worker.number + 1) * REMOTE_PROCESSES
            self._send(worker, for_elsewhere(replace(plan, process_base=base)))
        else:
            worker.heard_s = self.now_s()
            self._send(worker, Begin(plan))

    def tell(self, command: Command) -> None:
        """A command to every process that lives."""
        if isinstance(command, RunSteps):
            self._order += 1
            command = replace(command, order=self._order)
            for worker in self.workers:
                worker.is_idle, worker.left = False, None
        for worker in self.workers.living:
            self._send(worker, command)

    def _send(self, worker: Worker, command: Command) -> None:
        try:
            worker.end.send(command)
        except (BrokenPipeError, ConnectionResetError):  # it died: its output ends, and `wait` says so
            return

    def wait(self, until_s: float | None = None, *, until: Callable[[], bool] = lambda: False) -> None:
        """Hand on events until the time has come, or `until` is true, or the load is over; after a `failure` for a
        minute at most."""
        self._listen(until_s, lambda: until() or self.is_over)

    def wait_for_end(self) -> None:
        """Hand on events until nobody is left; after a `failure` for a minute at most."""
        self._listen(None, lambda: self.workers.have_ended)

    def _listen(self, until_s: float | None, until: Callable[[], bool]) -> None:
        while not until() and not self.workers.have_ended:
            ends_s = [t_s for t_s in (until_s, self._failure_ends_s) if t_s is not None]
            left_s = min(ends_s, default=float("inf")) - self.now_s()
            if left_s <= 0:
                return
            for key, _ in self._selector.select(min(left_s, LOOK_S)):
                self._hear(key.data)
            self.workers.end_the_silent(self.now_s(), SILENT_AT_THE_END_S if self._is_ending else SILENT_S)

    @property
    def lead_s(self) -> float:
        """Seconds that an order needs on its way to the farthest process."""
        return REMOTE_LEAD_S if self.plan.remote_workers else 0.0

    @property
    def is_over(self) -> bool:
        """Whether no further request begins: the money is spent, or every process has ended."""
        return self.is_spent or self.workers.have_ended

    def _hear(self, worker: Worker) -> None:
        for said in worker.hear():
            if isinstance(said, Malformed):
                self._doubt(worker, said)
            else:
                self._take(worker, said)
        if worker.is_over:
            worker.heard_s = None
            self._selector.unregister(worker.end)
            if not worker.is_done:
                self._died(worker)
        elif worker.has_plan and worker.how is None:
            worker.heard_s = self.now_s()

    def _take(self, worker: Worker, event: Event) -> None:
        match event:
            case Identified() | Unfit() | Looked() | Prepared() if worker.number:
                pass  # the first one alone asks the endpoint
            case Failed():
                worker.is_done = True
                self._give_up(error_of(event))
            case Joined():
                worker.who, worker.clock = event.who, event.clock
                self._tell_of_elsewhere()
                self.on_event(Doing(f"worker {worker.number + 1} is here: {told(event)}"))
            case Left():
                worker.how, worker.clock = worker.how or event.how, event.clock
                self._tell_of_elsewhere()
            case Ready():
                worker.is_ready = True
            case Idle():
                worker.is_idle = event.order == self._order  # not late news of an order before
            case Holding() | Held():
                if event.order == self._order:
                    worker.left = event.left if isinstance(event, Holding) else 0
            case Done():
                worker.is_done = True
                self.was_interrupted = self.was_interrupted or event.interrupted
            case Live():
                worker.live = event
                self._show(worker)
            case Prepared():
                self.prepared = event
                self.on_event(event)
            case Broken():
                self.on_event(BrokenPart(worker.number, event.part, event.text, round(self.now_s(), 3)))
            case Looked():
                self.request_s = event.request_s
                self.on_event(event)
            case Spent():
                self.is_spent = event.stopped is not None
                self.on_event(event)
            case Doing() | Warned() | Identified() | Unfit():
                self.on_event(event)
            case Alive():
                pass

    def _doubt(self, worker: Worker, error: Malformed) -> None:
        """A line that is no event costs only itself; it is said once of each process."""
        if worker.number not in self._malformed:
            self._malformed.add(worker.number)
            self.on_event(Warned(f"load process {worker.number + 1} said what is no event: {error}"))

    def _tell_of_elsewhere(self) -> None:
        self.on_event(Elsewhere([worker.as_remote() for worker in self.workers.elsewhere]))

    def _show(self, worker: Worker) -> None:
        """One merged sample a second, when the first process that lives has a new one."""
        living = self.workers.living
        if worker is living[0]:
            live = self.latest = merged([w.live for w in living if w.live is not None])
            self.in_flight_log.append((live.t_s, live.in_flight))
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
        how = worker.how or worker.end.how_it_ended()
        if self._board is not None:
            self._board.forget(worker.number)
        told_s = self.now_s() if worker.live is None else worker.live.t_s
        self.lost.append(LostWorker(worker.number, how, round(told_s, 3)))
        self.on_event(Lost(list(self.lost)))
        if self.workers.have_ended and not any(w.is_done for w in self.workers):
            self.failure = self.failure or died(how, self.log_path)
        elif not any(w.is_ready for w in self.workers) or not worker.is_ready:
            self._give_up(died(how, self.log_path))
        else:
            share = f"1 of {len(self.workers)}"
            self.on_event(Doing(f"load process {share} died ({how}): its share of the load is lost"))

    def interrupt(self) -> None:
        """Ask every process to end now and keep its rows; one that hangs is not waited for as long as before."""
        self._is_ending = True
        for worker in self.workers:
            if worker.heard_s is None and worker.how is None and not worker.is_over:
                worker.heard_s = self.now_s()
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
