"""A load process: `python -m harness.load.process.child DESCRIPTOR`, commands on stdin, events on the descriptor.

It runs Locust, and is a process of its own because importing Locust patches the whole interpreter. Whatever it, or a
library, prints goes to the run's load.log. It ends when its standard input closes (its parent is gone), on SIGTERM,
or when the load is done.
"""

import gc
import logging
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import gevent
import orjson
from locust.env import Environment

from harness.backends import BACKENDS
from harness.base.errors import BreakevenError
from harness.load.board import Board
from harness.load.conduct.giving_up import late_after_s
from harness.load.limits import allow_open_files, check_limits, files_needed
from harness.load.lines import Malformed
from harness.load.plan import Learned, LoadPlan
from harness.load.process.gpu import is_this_machine, local_gpus
from harness.load.process.inbox import Inbox
from harness.load.process.outbox import Outbox
from harness.load.process.prepare import learn, tokenizer_of, words_of
from harness.load.process.sampling import SAMPLE_S, watch_self
from harness.load.process.scrape import Scraper
from harness.load.process.stepper import Stepper
from harness.load.process.tokenizer import count_answers
from harness.load.prompts.file_rows import FileRows
from harness.load.prompts.positions import positions, shared_positions
from harness.load.prompts.tasks import RoundAsks
from harness.load.prompts.texts import PromptSource
from harness.load.protocol import Broken, Doing, Done, Failed, Ready, Warned
from harness.load.shapes.shapes import shape_of
from harness.load.wire.clock import RunClock
from harness.load.wire.fleet import Fleet
from harness.load.wire.paying import Till
from harness.load.wire.sender import Sender
from harness.load.wire.sockets import LOOKOUT
from harness.load.wire.transport import Target
from harness.rundir.recorder import FLUSH_S, Recorder
from harness.scenario import FilePrompts, Scenario
from harness.scenario.asks import read_asks
from harness.scenario.prompt_file import read_prompt_file
from harness.scenario.steps import most_at_once

DRAIN_S = 30.0  # requests in flight after the last step get min(timeout_s, this)
CUT_S = 5.0  # and so long to write down that they were cut


class LoadProcess:
    """One load process from plan to last row."""

    def __init__(self, plan: LoadPlan, inbox: Inbox, outbox: Outbox) -> None:
        self.plan = plan
        self.inbox = inbox
        self.say = outbox.say
        self.scenario = Scenario.model_validate(plan.scenario)
        most = most_at_once(self.scenario.load)
        if plan.process_base:  # on another machine than the one that was asked beforehand
            check_limits(math.ceil(most / plan.workers), 1, plan.urls)
        allow_open_files(files_needed(most, plan.workers))
        LOOKOUT.open()
        self.clock = RunClock(plan.started_monotonic_ns)
        self.recorder = Recorder(Path(plan.run_dir), keep_arrivals=plan.keep_arrivals)
        targets = [Target(url, _headers(plan), self.clock, ca_file=plan.ca_file) for url in plan.urls]
        self.board = Board(plan.workers, len(targets), plan.board_fd)
        fleet = Fleet(targets, self.board, plan.worker, self.clock.now_s)
        self.till = Till(plan.spending, self.clock, self._on_spent) if plan.spending is not None else None
        self.sender = Sender(plan, self.scenario, self.clock, self.recorder, fleet, self.till)
        self.stepper = Stepper(self.clock, self.sender, self.say)
        self.failure: BreakevenError | None = None

    def run(self) -> None:
        """Prepare, load, drain, count; every row that was seen is on disk at the end.

        Raises:
            BreakevenError: nobody to be driven, a disk that is full, a part that nothing goes on without.
        """
        plan = self.plan
        listener = self._helper("the reader of commands", self._listen, self._fail)
        rows, asks = self._file_rows(), self._round_asks()
        learned = self._learned(rows, asks)
        self.tokenizer = tokenizer_of(self.sender, learned.model, learned.tokenizer_path)
        prompts = PromptSource(self.scenario.prompts, self.scenario.seed, plan.salt, words_of(learned), rows, asks)
        self.shape = shape_of(self.scenario, plan, self.sender, prompts, Environment())
        scraper = self._scraper()
        helpers = [listener, *self._helpers(scraper)]
        gc.collect()
        gc.freeze()  # what is there now stays: no collection pauses over it
        self.say(Ready())
        try:
            self.stepper.run(self.shape, self._flush)
            self.shape.stop()
            self.sender.cut_waiting()
            self._drain()
        finally:
            self.shape.stop()
            self.sender.cut_under_way()
            self._wait_idle(CUT_S)
            self.shape.quit()
            gevent.killall(helpers)
            if scraper is not None:
                scraper.last()
            self._say_spent(is_final=True)
            self._flush()  # counting may take minutes, and not every parent has them
            self._count_afterwards()
            self._close()

    def _file_rows(self) -> FileRows | None:
        plan, spec = self.plan, self.scenario.prompts
        if not isinstance(spec, FilePrompts):
            return None
        return FileRows(
            spec,
            read_prompt_file(spec, Path(plan.base_dir)),
            seed=self.scenario.seed,
            salt=plan.salt,
            whole=self.scenario.has_conversations,
            positions=positions(plan, self.board, is_open=self.scenario.load.is_open),
        )

    def _round_asks(self) -> RoundAsks | None:
        plan, of_round = self.plan, self.plan.round
        if of_round is None:
            return None
        asks = read_asks(Path(of_round.asks))
        salt = f"{plan.salt}/{of_round.step}/{plan.worker}"
        found = RoundAsks(asks, shared_positions(self.board), salt=salt, repeats=of_round.repeats)
        self.sender.constraint = found.constraint
        return found

    def _learned(self, rows: FileRows | None, asks: RoundAsks | None) -> Learned:
        """What is known of the endpoint: the first process asks, and its rows of that are on disk whatever it finds."""
        known = self.plan.learned
        if known is not None:
            self.sender.speak(BACKENDS[known.backend], known.model)
            if rows is not None:
                rows.learn(known)
            return known
        try:
            return learn(self.plan, self.scenario, self.sender, rows, asks, self.say, lambda: self.stepper.interrupted)
        except BreakevenError:
            self._say_spent(is_final=True)
            raise
        finally:
            self._flush()

    def _listen(self) -> None:
        self.inbox.listen(self.stepper.told, self._on_malformed, self.stepper.end)

    def _helpers(self, scraper: Scraper | None) -> list[gevent.Greenlet]:
        """What runs beside the load. One that fails is told of; rows and commands, nothing goes on without."""

        late_s = late_after_s(self.scenario)

        def look() -> None:
            watch_self(self.sender, self.clock, self.recorder, lambda: self.shape.asked, self.say, late_s)

        helpers = [
            self._helper("the writer of rows", self._flush_often, self._fail),
            self._helper("the sampler of this client", look, self._go_on),
        ]
        if self.till is not None:
            helpers.append(self._helper("the teller of what is spent", self._say_spent_often, self._fail))
        if scraper is not None:
            helpers.append(self._helper("the scraper of /metrics", scraper.run, self._go_on))
        return helpers

    def _helper(self, part: str, run: Callable[[], None], on_failure: Callable[[str, str], None]) -> gevent.Greenlet:
        helper: gevent.Greenlet = gevent.spawn(run)
        helper.link_exception(lambda it: on_failure(part, f"{type(it.exception).__name__}: {it.exception}"))
        return helper

    def _go_on(self, part: str, text: str) -> None:
        self.say(Broken(part, text))

    def _fail(self, part: str, text: str) -> None:
        self.failure = self.failure or BreakevenError(
            f"{part} failed: {text}", hint="a fault of breakeven's own; load.log says where"
        )
        self.stepper.end()

    def _on_spent(self, error: BreakevenError | None) -> None:
        """The money is out: what is under way ends, nothing else begins. `error`: it was never enough."""
        self.failure = self.failure or error
        self._say_spent()
        self.stepper.finish()

    def _say_spent(self, *, is_final: bool = False) -> None:
        if self.till is not None:
            self.say(self.till.spent(is_final=is_final))

    def _say_spent_often(self) -> None:
        while True:
            gevent.sleep(SAMPLE_S)
            self._say_spent()

    def _scraper(self) -> Scraper | None:
        """The first process keeps what the servers say of themselves, over connections that no user shares; of an
        endpoint that only helps out nothing."""
        plan = self.plan
        if plan.worker != 0 or (plan.round is not None and plan.round.role != "attempts"):
            return None
        own = [Target(url, _headers(plan), self.clock, ca_file=plan.ca_file) for url in plan.urls]
        own += [Target(url, {}, self.clock) for url in plan.gpu_urls]
        gpus = local_gpus() if all(is_this_machine(url) for url in plan.urls) else None
        timeout_s = self.scenario.request.timeout_s
        return Scraper(own, self.clock, Path(plan.run_dir), timeout_s=timeout_s, gpus=gpus)

    def _on_malformed(self, error: Malformed) -> None:
        self.say(Warned(f"a load process was told what is no command: {error}"))

    def _drain(self) -> None:
        if self.sender.live.in_flight and self.plan.worker == 0:
            self.say(Doing(f"waiting for {self.sender.live.in_flight} requests under way"))
        self._wait_idle(min(self.scenario.request.timeout_s, DRAIN_S), even_if_interrupted=False)

    def _wait_idle(self, seconds: float, *, even_if_interrupted: bool = True) -> None:
        deadline_s = self.clock.now_s() + seconds
        gevent.sleep(0)
        while self.sender.live.in_flight and self.clock.now_s() < deadline_s:
            if self.stepper.interrupted and not even_if_interrupted:
                return
            gevent.sleep(0.02)

    def _flush(self) -> None:
        try:
            self.recorder.flush()
        except OSError as error:
            self._cannot_write(error)
            self.stepper.end()

    def _flush_often(self) -> None:
        while self.failure is None:
            gevent.sleep(FLUSH_S)
            self._flush()

    def _count_afterwards(self) -> None:
        path = self.recorder.texts.path
        if self.failure is not None or self.tokenizer.path is None or not path.exists():
            return
        rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        self.say(Doing(f"counting the tokens of {len(rows)} answers with the endpoint's tokenizer"))
        for request_id, tokens in count_answers(self.tokenizer, rows):
            self.recorder.tokens.add({"request_id": request_id, "output_tokens": tokens})

    def _close(self) -> None:
        try:
            self.recorder.close()
        except OSError as error:
            self._cannot_write(error)
        if self.failure is not None:
            raise self.failure

    def _cannot_write(self, error: OSError) -> None:
        self.failure = self.failure or BreakevenError(
            f"cannot write to {self.plan.run_dir}: {error.strerror}",
            hint="free some space, or name another place with --out DIR; what was written is kept",
        )


def _headers(plan: LoadPlan) -> dict[str, str]:
    headers = dict(plan.headers)
    if plan.api_key_env:
        headers["Authorization"] = f"Bearer {os.environ[plan.api_key_env]}"
    return headers


def main() -> int:
    """Read the plan, run the load, report errors as an event; exit code as everywhere."""
    inbox, outbox = Inbox(), Outbox(int(sys.argv[1]))
    begin = inbox.first()
    if begin is None:
        return 0  # the parent went away before it had a plan for us
    logging.getLogger("locust").setLevel(logging.ERROR)  # it warns of spawn rates that are meant
    gevent.spawn(outbox.say_alive)
    try:
        process = LoadProcess(begin.plan, inbox, outbox)
        gevent.signal_handler(signal.SIGTERM, process.stepper.end)
        gevent.signal_handler(signal.SIGINT, process.stepper.end)
        process.run()
    except BreakevenError as error:
        outbox.say(Failed(str(error), error.exit_code, hint=error.hint, detail=error.detail))
        return error.exit_code
    else:
        outbox.say(Done(process.stepper.interrupted))
        return 0
    finally:
        outbox.close()


if __name__ == "__main__":
    sys.exit(main())
