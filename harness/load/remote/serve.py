"""Keeps agents running on a worker machine: one for each process it lends, a new one for every run. No Locust."""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from harness.load.ends import hang_up, start, tell
from harness.load.lines import encode
from harness.load.protocol import Who
from harness.load.remote.messages import BUSY, REFUSED, AgentOrders

AGENT = ("-m", "harness.load.remote.agent")
AGAIN_S = 2.0  # before an agent asks a busy master again
LOOK_S = 0.1  # for agents that have ended
END_S = 60.0  # for agents to bring their rows home after Ctrl-C


@dataclass(slots=True)
class _Slot:
    """One lent process."""

    agent: subprocess.Popen[bytes] | None = None
    again_at_s: float = 0.0  # monotonic
    worst: int = 0  # exit code so far
    is_refused: bool = False  # for good
    has_served: bool = False
    has_waited: bool = False  # it was said already that nobody is there


class Lender:
    """Lends `processes` load processes of this machine to the master at `host:port`; agents speak for themselves."""

    def __init__(
        self, master: tuple[str, int], token: str, processes: int, out_dir: Path, allow_env: list[str], who: Who
    ) -> None:
        self._master, self._token, self._out_dir, self._allow_env, self._who = master, token, out_dir, allow_env, who
        self._is_ours = not out_dir.exists()
        self._slots = [_Slot() for _ in range(processes)]

    def serve(self, *, once: bool) -> int:
        """Serve one run after another until Ctrl-C, or one (`once`); the worst exit code of an agent.

        Raises:
            KeyboardInterrupt: after the agents have brought home what they had.
        """
        try:
            while wanted := [slot for slot in self._slots if not (slot.is_refused or (once and slot.has_served))]:
                for slot in wanted:
                    self._tend(slot)
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            self._end()
            raise
        return max(slot.worst for slot in self._slots)

    def _tend(self, slot: _Slot) -> None:
        if slot.agent is not None:
            if slot.agent.poll() is not None:
                self._ended(slot, slot.agent)
        elif time.monotonic() >= slot.again_at_s:
            slot.agent = start(*AGENT, log=sys.stderr, needs=self._allow_env)
            orders = AgentOrders(
                *self._master,
                token=self._token,
                out_dir=str(self._out_dir),
                is_out_dir_ours=self._is_ours,
                allow_env=self._allow_env,
                says_nobody=not slot.has_waited,
                who=self._who,
            )
            tell(slot.agent, encode(orders))

    def _ended(self, slot: _Slot, agent: subprocess.Popen[bytes]) -> None:
        hang_up(agent)
        slot.agent, code = None, agent.returncode
        slot.again_at_s = time.monotonic() + (AGAIN_S if code else 0.0)
        slot.has_waited = True
        if code != BUSY:
            slot.has_served, slot.is_refused = True, code == REFUSED
            slot.worst = max(slot.worst, code if code >= 0 else 1)

    def _end(self) -> None:
        """Every agent writes down what its load process has, and hands it over."""
        agents = [slot.agent for slot in self._slots if slot.agent is not None]
        for agent in agents:
            agent.send_signal(signal.SIGTERM)
        until_s = time.monotonic() + END_S
        while any(agent.poll() is None for agent in agents) and time.monotonic() < until_s:
            time.sleep(LOOK_S)
        for agent in agents:
            hang_up(agent)
