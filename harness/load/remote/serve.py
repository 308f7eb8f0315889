"""Keeps agents running on a worker machine: one for each process it lends, a new one for every run. No Locust."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.load.protocol import Malformed, Who, encode
from harness.load.remote.messages import AgentOrders, Busy, Home, News, Nobody, TakenOn, Trouble, news_of

AGAIN_S = 2.0  # before an agent asks a busy master again
REFUSED = 2  # exit code of an agent whose master will never take it
END_S = 60.0  # for agents to bring their rows home after Ctrl-C

Say = Callable[[str], None]


@dataclass(slots=True)
class _Slot:
    """One lent process."""

    number: int
    agent: subprocess.Popen[bytes] | None = None
    pending: bytes = b""
    again_at_s: float = 0.0  # monotonic
    worst: int = 0  # exit code so far
    is_refused: bool = False  # for good
    has_served: bool = False
    has_waited: bool = False  # it was said already that nobody is there


class Lender:
    """Lends `processes` load processes of this machine to the master at `host:port`."""

    def __init__(self, master: tuple[str, int], processes: int, out_dir: Path, who: Who, say: Say) -> None:
        is_ours = not out_dir.exists()
        self._orders = AgentOrders(master[0], master[1], str(out_dir), is_out_dir_ours=is_ours, who=who)
        self._slots = [_Slot(number) for number in range(processes)]
        self._selector = selectors.DefaultSelector()
        self._say = say

    def serve(self, *, once: bool) -> int:
        """Serve one run after another until Ctrl-C, or one (`once`); the worst exit code of an agent.

        Raises:
            KeyboardInterrupt: after the agents have brought home what they had.
        """
        try:
            while any(self._is_wanted(slot, once=once) for slot in self._slots):
                self._tend(once=once)
        except KeyboardInterrupt:
            self._end()
            raise
        return max(slot.worst for slot in self._slots)

    def _is_wanted(self, slot: _Slot, *, once: bool) -> bool:
        return slot.agent is not None or not (slot.is_refused or (once and slot.has_served))

    def _tend(self, *, once: bool) -> None:
        for slot in self._slots:
            if slot.agent is None and self._is_wanted(slot, once=once) and time.monotonic() >= slot.again_at_s:
                self._start(slot)
        for key, _ in self._selector.select(0.2):
            self._read(key.data)

    def _start(self, slot: _Slot) -> None:
        slot.agent = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.load.remote.agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches us first
        )
        assert slot.agent.stdin is not None
        assert slot.agent.stdout is not None
        slot.agent.stdin.write(encode(self._orders))
        slot.agent.stdin.flush()
        self._selector.register(slot.agent.stdout, selectors.EVENT_READ, slot)

    def _read(self, slot: _Slot) -> None:
        assert slot.agent is not None
        assert slot.agent.stdout is not None
        data = os.read(slot.agent.stdout.fileno(), 65536)
        if not data:
            self._selector.unregister(slot.agent.stdout)
            self._ended(slot)
            return
        *lines, slot.pending = (slot.pending + data).split(b"\n")
        for line in lines:
            try:
                news = news_of(line)
            except Malformed:  # what a library prints
                self._say(line.decode(errors="replace"))
            else:
                self._take(slot, news)

    def _take(self, slot: _Slot, news: News) -> None:
        match news:
            case TakenOn():
                slot.has_served, slot.has_waited = True, False
                self._say(f"worker {news.worker + 1} of {news.run}")
            case Home():
                self._say("its rows are with the master")
            case Busy():
                slot.again_at_s = time.monotonic() + AGAIN_S
            case Nobody():
                if not slot.has_waited:
                    self._say("nobody there yet; still waiting")
                slot.has_waited = True
            case Trouble():
                self._say(news.text)

    def _ended(self, slot: _Slot) -> None:
        assert slot.agent is not None
        code = slot.agent.wait()
        slot.worst = max(slot.worst, code if code >= 0 else 1)
        slot.is_refused = code == REFUSED
        slot.again_at_s = max(slot.again_at_s, time.monotonic() + (AGAIN_S if code else 0.0))
        for pipe in (slot.agent.stdin, slot.agent.stdout):
            if pipe is not None:
                pipe.close()
        slot.agent, slot.pending = None, b""

    def _end(self) -> None:
        """Every agent writes down what its load process has, and hands it over."""
        for slot in self._slots:
            if slot.agent is not None:
                slot.agent.send_signal(signal.SIGTERM)
        until_s = time.monotonic() + END_S
        while any(slot.agent is not None for slot in self._slots) and time.monotonic() < until_s:
            for key, _ in self._selector.select(0.2):
                self._read(key.data)
        for slot in self._slots:
            if slot.agent is not None:
                slot.agent.kill()
                self._ended(slot)
