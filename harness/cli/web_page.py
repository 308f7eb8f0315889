"""`--web`: Locust's own page of the running test, in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
from contextlib import suppress
from types import TracebackType

import click

from harness.base.children import PYTHON, python_environment
from harness.base.errors import UsageError
from harness.cli.metrics_port import LOOPBACK, Place, place_of
from harness.cli.options import Command
from harness.load.protocol import Live
from harness.load.run_events import Opened, RunEvent, StepBegun

DEFAULT_PORT = 8089  # Locust's
_END_S = 5.0


def _web_place(ctx: click.Context, param: click.Parameter, value: str | None) -> Place | None:
    return place_of(ctx, param, value or None)


def web_option(command: Command) -> Command:
    """Where a browser may look."""
    return click.option(
        "--web",
        "web_place",
        is_flag=False,
        flag_value=f"{LOOPBACK}:{DEFAULT_PORT}",
        callback=_web_place,
        metavar="[HOST:]PORT",
        help=f"Show Locust's own page while it runs; alone: {LOOPBACK}:{DEFAULT_PORT}.",
    )(command)


class WebPage:
    """The page while the block lasts; without a place there is none.

    Raises:
        UsageError: the port is taken, or no address of this machine.
    """

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._page: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> WebPage:
        if self._place is not None:
            host, port = self._place
            try:
                family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
                with socket.socket(family, kind) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
                    probe.bind(address)
            except OSError as error:
                hint = "another port or an address of this machine, or stop what has it"
                said = f"--web: port {port} of {host} cannot be used: {error.strerror or error}"
                raise UsageError(said, hint=hint) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._page is None:
            return
        assert self._page.stdin is not None
        with suppress(OSError):
            self._page.stdin.close()
        try:
            self._page.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._page.kill()
            self._page.wait()

    def on_event(self, event: RunEvent) -> None:
        """Start it when the run has its directory; tell it how many users there are."""
        match event:
            case Opened() if self._place is not None:
                self._start(event, self._place)
            case StepBegun() if event.load.get("users"):
                self._tell(int(event.load["users"]))
            case Live() if event.asked is None:  # arrivals: there are no users but requests under way
                self._tell(event.in_flight)

    def _start(self, opened: Opened, place: Place) -> None:
        host, port = place
        command = [*PYTHON, "-m", "harness.load.web", host, str(port), str(opened.run_dir.resolve())]
        self._page = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=python_environment(),
            start_new_session=True,  # Ctrl-C is the run's
        )
        assert self._page.stdout is not None
        if not self._page.stdout.readline():
            click.echo(f"warning: --web {host}:{port}: the page did not come up; the run goes on", err=True)
            return
        click.echo(f"Locust's page: http://{host}:{port}", err=True)

    def _tell(self, users: int) -> None:
        if self._page is None:
            return
        assert self._page.stdin is not None
        with suppress(OSError):  # it died; the run does not care
            self._page.stdin.write(json.dumps({"users": users}).encode() + b"\n")
            self._page.stdin.flush()
