"""Waits for the workers of other machines, and tells each its plan. Imports no Locust."""

import contextlib
import re
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.base.errors import BreakevenError, UsageError
from harness.base.token import TOKEN_ENV
from harness.base.urls import host_and_port
from harness.load.ends import LineEnd, RemoteEnd, hang_up, start, tell
from harness.load.lines import encode
from harness.load.plan import LoadPlan
from harness.load.protocol import Begin, Joined
from harness.load.remote.messages import MasterOrders

ANY = "0.0.0.0"
PATIENCE_S = 300.0  # for the last worker to come
FILE_KEYS = (("prompts", "path"), ("load", "file"))  # of a scenario, that name a file
MOST_NAME = 200
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]")
_ATTACHED = re.compile(r"[0-9]+-[A-Za-z0-9._-]{1,200}")


class Muster:
    """The process that the workers connect to, and our ends of their lines."""

    def __init__(self, plan: LoadPlan, log: Any) -> None:
        host, port = _free_address(*address(plan.listen))
        first = plan.workers - plan.remote_workers
        pairs = [socket.socketpair() for _ in range(plan.remote_workers)]
        theirs = [other.fileno() for _, other in pairs]
        self.process = start("-m", "harness.load.remote.master", log=log, pass_fds=theirs)
        for _, other in pairs:
            other.close()
        self.ends: list[LineEnd] = [RemoteEnd(ours) for ours, _ in pairs]
        links = [(first + k, descriptor) for k, descriptor in enumerate(theirs)]
        tell(self.process, encode(MasterOrders(host, port, plan.token, plan.run_dir, links)))

    def close(self) -> None:
        """End the process; the ends are closed already, so it is ending by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        hang_up(self.process)


def for_elsewhere(plan: LoadPlan) -> Begin:
    """The plan of a worker elsewhere: the files that it names go with it, under names of their own."""
    scenario = dict(plan.scenario)
    attached: dict[str, str] = {}
    base = Path(plan.base_dir)

    def attach(path: str) -> str:
        name = f"{len(attached)}-{_NOT_PLAIN.sub('_', Path(path).name)[:MOST_NAME]}"
        attached[name] = str((base / path).resolve())
        return name

    for part, key in FILE_KEYS:
        if scenario[part].get(key):
            scenario[part] = scenario[part] | {key: attach(scenario[part][key])}
    ca_file = attach(str(Path(plan.ca_file).resolve())) if plan.ca_file else None
    return Begin(replace(plan, scenario=scenario, ca_file=ca_file, board_fd=None), attached)


def is_attached(name: str) -> bool:
    """Whether it is a name that a file has on its way."""
    return _ATTACHED.fullmatch(name) is not None


def files_named(plan: LoadPlan) -> list[str]:
    """Every file that a plan would have read."""
    named = [plan.scenario.get(part, {}).get(key) for part, key in FILE_KEYS]
    return [str(name) for name in (*named, plan.ca_file) if name]


def address(text: str) -> tuple[str, int]:
    """HOST:PORT in its two parts.

    Raises:
        UsageError: it is none.
    """
    if ":" in text.rpartition(":")[0]:
        raise UsageError(f"`{text}` is an IPv6 address", hint="workers meet over IPv4: 10.0.0.5:5557, or a name")
    found = host_and_port(text)
    if found is None or not found[0]:
        raise UsageError(f"`{text}` is not HOST:PORT with a port from 1 to 65535", hint="e.g. 10.0.0.5:5557")
    return found


def invitation(plan: LoadPlan) -> str:
    """What is awaited, and the command that each other machine is to be given."""
    workers = "1 worker" if plan.remote_workers == 1 else f"{plan.remote_workers} workers"
    there = f"{TOKEN_ENV}={plan.token} breakeven worker --master {shown(plan.listen)}"
    return f"waiting for {workers}: on each machine `{there}`"


def did_not_come(plan: LoadPlan, missing: int, patience_s: float) -> BreakevenError:
    """The error where so many workers are missing."""
    return BreakevenError(
        f"{missing} of {plan.remote_workers} workers did not come within {patience_s:.0f} s",
        hint=f"can they reach {plan.listen}? On this machine alone: --workers N, no --remote-workers",
    )


def shown(listen: str) -> str:
    """The address that a worker is told to connect to."""
    host, port = address(listen)
    return f"{socket.gethostname() if host == ANY else host}:{port}"


def _free_address(host: str, port: int) -> tuple[str, int]:
    """The address in numbers: messages are only bound to those.

    Raises:
        UsageError: not ours, or taken.
    """
    try:
        where = socket.gethostbyname(host), port
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(where)
    except OSError as error:
        raise UsageError(
            f"--listen {host}:{port}: {error.strerror or error}",
            hint="give an address of this machine and a free port, e.g. --listen 10.0.0.5:5558",
        ) from None
    return where


def told(joined: Joined) -> str:
    """A worker that has come, in a few words."""
    who, error_s = joined.who, joined.clock.error_s
    known = "n/a" if error_s is None else f"{error_s * 1000:.2f} ms"
    return f"{who.host} ({who.cores} cores, its clock is known to {known})"
