"""A worker machine's side of a run: `python -m harness.load.remote.agent`, orders on stdin, words for the user printed.

It connects to the master that has its token, starts a load process when the plan comes, hands its lines and its files
on, and ends with it. It writes and removes only in a directory that it made. The files stay here until the master has
every byte. A master that falls silent ends the load.
"""

import contextlib
import os
import platform
import re
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.socket
from gevent.fileobject import FileObject

from harness.base.text import printable
from harness.load.ends import how_it_ended, start_child, tell
from harness.load.lines import Malformed, encode, readers
from harness.load.plan import LoadPlan
from harness.load.protocol import Begin, Done, Failed, Held, Holding, Idle, command_of
from harness.load.remote import messages
from harness.load.remote.channel import connect_to
from harness.load.remote.courier import Courier, NotTaken, take_part
from harness.load.remote.muster import files_named, is_attached

SHIP_S = 0.5
SILENT_S = 15.0  # of the master
HEARD_S = 3.0  # since its last ping, where it is alive
CHILD_ENDS_S = 40.0  # after it was told to
BYE_S = 10.0
NOBODY_S = 10.0  # without a master, before it is said
HELLO_S, HELLO_LOOKS = 2.0, 20  # between two hellos
MOST_NAME, MOST_SHOWN = 200, 2000  # characters of a run's name, of a line for the user
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]")
LOG = "load.log"
FILES = "files"  # that the plan names: prompts, a trace, certificates
LOG_LINES_SENT = 15
FINAL = readers(Holding, Held, Idle, Done, Failed)  # events that mean: the rows before them are there
DONE = readers(Done)


def say(text: str) -> None:
    """One line for whoever started us, if they are still there."""
    with contextlib.suppress(OSError):
        print(printable(text, MOST_SHOWN), file=sys.stderr, flush=True)


class Agent:
    """One run's work on this machine."""

    def __init__(self, orders: messages.AgentOrders) -> None:
        self._orders = orders
        self._place: Path | None = None
        self._child: Any = None
        self._heard = time.monotonic()
        self._over = gevent.event.Event()
        self._bye = gevent.event.Event()
        self._stopped_here = False
        self._all_there = False  # the master has every byte
        self.exit_code = 0
        self._is_answered = self._is_stranger = False
        gevent.spawn(self._watch_parent)
        self._channel = connect_to(orders.host, orders.port, orders.token, self._on_stranger)
        self._courier = Courier(self._channel.send)
        self._channel.listen(self._take)

    def run(self) -> int:
        """From the hello to the last byte; the exit code."""
        gevent.signal_handler(signal.SIGTERM, self._stop)
        gevent.signal_handler(signal.SIGINT, self._stop)
        if not self._knock():
            return self.exit_code
        while not self._over.wait(1.0):
            if time.monotonic() - self._heard > SILENT_S:
                say(f"the master has been silent for {SILENT_S:g} s; the load ends here")
                self.exit_code = 1 if self._place is not None else messages.BUSY
                self._stop()
                break
        self._over.wait(CHILD_ENDS_S)
        self._kill()
        self._tidy()
        self._channel.close()
        return self.exit_code

    def _knock(self) -> bool:
        """Say hello until a master answers; False where it is no use."""
        began_s, has_said = time.monotonic(), not self._orders.says_nobody
        while not self._is_answered and not self._over.is_set():
            self._channel.send(messages.Hello(self._orders.who))
            for _ in range(HELLO_LOOKS):
                if self._is_answered or self._over.wait(HELLO_S / HELLO_LOOKS):
                    break
            if self._is_stranger and not self._is_answered:
                where = f"{self._orders.host}:{self._orders.port}"
                say(f"whoever listens at {where} has another token than this worker, or is no run of breakeven")
                self.exit_code = messages.REFUSED
                return False
            if not has_said and time.monotonic() - began_s > NOBODY_S:
                has_said = True
                say("nobody there yet; still waiting")
        self._heard = time.monotonic()
        return True

    def _on_stranger(self) -> None:
        self._is_stranger = True

    def _take(self, _master: bytes, message: messages.Message) -> None:
        """What the master says. This must not wait: other messages come after it."""
        self._is_answered = True
        match message:
            case messages.Welcome():
                self._taken_on(message)
            case messages.Refused(text, is_final):
                if is_final:
                    say(text)
                self.exit_code = messages.REFUSED if is_final else messages.BUSY
                self._over.set()
            case messages.Ping(sent_ns):
                self._channel.send(messages.Pong(sent_ns, time.monotonic_ns()))
                self._heard = time.monotonic()
            case messages.Got():
                self._courier.got(message)
            case messages.Bye():
                self._bye.set()
            case messages.Kill():
                self._kill()
                if self._child is None:
                    self._over.set()
            case messages.Part() if self._place is not None:
                self._keep_file(self._place / FILES, message)
            case messages.Say(line) if self._place is not None:
                self._hear(line)

    def _taken_on(self, welcome: messages.Welcome) -> None:
        if self._place is not None:
            return
        run = _NOT_PLAIN.sub("_", welcome.run)[:MOST_NAME]
        place = Path(self._orders.out_dir) / f"{run}-worker{welcome.worker}"
        say(f"worker {welcome.worker + 1} of {run}")
        try:
            place.mkdir(parents=True)
        except OSError as error:
            self._cannot(f"cannot write to {place}: {error.strerror}", "name another place with --out DIR there")
        else:
            self._place = place

    def _keep_file(self, directory: Path, part: messages.Part) -> None:
        if not is_attached(part.name):
            return
        path = directory / part.name
        try:
            directory.mkdir(exist_ok=True)
            self._channel.send(take_part(path, part))
        except OSError as error:
            self._cannot(f"cannot write {path}: {error.strerror}", "free some space there")

    def _hear(self, line: bytes) -> None:
        """A command: the first is the plan, the load process takes the others."""
        if self._child is not None:
            with contextlib.suppress(BrokenPipeError):
                tell(self._child, line + b"\n")
            return
        try:
            command = command_of(line)
            if isinstance(command, Begin):
                self._start(command.plan)
        except Malformed as error:
            self._cannot(f"no plan came: {error}", "do both run the same version?")
        except OSError as error:
            self._cannot(f"no load process can be started: {error.strerror}", "is the machine out of space?")

    def _start(self, plan: LoadPlan) -> None:
        """The plan has come: files beside the rows, then a load process as anywhere else."""
        assert self._place is not None
        files = self._place / FILES
        refusal = self._refusal(plan, files)
        if refusal is not None:
            self._cannot(*refusal, exit_code=2)
            return
        ca_file = str(files / plan.ca_file) if plan.ca_file else None
        plan = replace(plan, run_dir=str(self._place), base_dir=str(files), ca_file=ca_file, board_fd=None, token="")
        with (self._place / LOG).open("wb") as log:
            self._child, events = start_child(log, plan.api_key_env)
        tell(self._child, encode(Begin(plan)))
        gevent.spawn(self._ship_often)
        gevent.spawn(self._relay, events)

    def _refusal(self, plan: LoadPlan, files: Path) -> tuple[str, str] | None:
        """Why this machine does not do what the plan wants, and what helps; None where it does.

        A plan reads the files that came with it, and the variables that this worker was told it may.
        """
        key = plan.api_key_env
        if key and key not in self._orders.allow_env:
            text = f"--api-key-env {key}: this worker may not read that variable"
            return text, f"start it with --allow-env {key}"
        if key and not os.environ.get(key):
            text = f"--api-key-env {key}: no such environment variable there, or it is empty"
            return text, f"export {key}=... where `breakeven worker` runs"
        for name in files_named(plan):
            if not is_attached(name) or not (files / name).is_file():
                return (
                    f"the plan names a file that did not come with it: {printable(name)}",
                    "do both run the same version?",
                )
        return None

    def _cannot(self, text: str, hint: str, exit_code: int = 1) -> None:
        """This machine cannot take part: say so here and there."""
        say(text)
        self.exit_code = 1
        self._pass_on(encode(Failed(f"{platform.node()}: {text}", exit_code, hint=hint)))
        gevent.spawn(self._finish, "not started", "")

    def _watch_parent(self) -> None:
        """`breakeven worker` is gone when our input ends."""
        gevent.socket.wait_read(0)  # type: ignore[attr-defined]
        self._stop()

    def _relay(self, events: int) -> None:
        with FileObject(events, "rb") as lines:
            for line in lines:
                name = line.partition(b" ")[0]
                if name in FINAL:
                    self._ship()
                if name not in DONE or not self._stopped_here:  # it has left, the run goes on
                    self._pass_on(line)
        how = how_it_ended(self._child.wait())
        self._all_there = self._ship()
        assert self._place is not None
        log = (self._place / LOG).read_text(errors="replace").splitlines()[-LOG_LINES_SENT:]
        self._finish("stopped on its machine" if self._stopped_here else how, "\n".join(log))

    def _pass_on(self, line: bytes) -> None:
        self._channel.send(messages.Say(line.rstrip(b"\n")))

    def _finish(self, how: str, log: str) -> None:
        self._channel.send(messages.Over(how, log))
        self._bye.wait(BYE_S)
        self._over.set()

    def _ship_often(self) -> None:
        while not self._over.is_set():
            gevent.sleep(SHIP_S)
            self._ship()

    def _ship(self) -> bool:
        """Send what the files have grown by; whether all of it is there."""
        assert self._place is not None
        all_there = True
        for path in sorted(self._place.glob("*-*.jsonl")):
            try:
                self._courier.ship(path.name, path)
            except NotTaken:
                return False  # nor would the others be
            except OSError:
                all_there = False
        return all_there

    def _stop(self) -> None:
        """Ctrl-C or SIGTERM here, or no master: the load process writes its rows down and ends."""
        self._stopped_here = True
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
        elif self._child is None or time.monotonic() - self._heard > HEARD_S:
            self._over.set()  # else its last rows are on their way

    def _kill(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()

    def _tidy(self) -> None:
        """Rows that the master has need not stay here."""
        if self._place is None:
            return
        if self._child is None or (self._all_there and self._bye.is_set()):
            shutil.rmtree(self._place, ignore_errors=True)
            if self._orders.is_out_dir_ours:
                with contextlib.suppress(OSError):  # others may have rows there
                    Path(self._orders.out_dir).rmdir()
            if self.exit_code == 0:
                say("its rows are with the master")
        else:
            say(f"the master has not taken all rows; they are kept in {self._place}")
            self.exit_code = 1


def main() -> int:
    """Read the orders, work, end."""
    return Agent(messages.orders(messages.AgentOrders)).run()


if __name__ == "__main__":
    sys.exit(main())
