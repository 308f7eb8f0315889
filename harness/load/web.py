"""Locust's own page for a run that lasts, in a process of its own: it reads the rows that the run writes down.

`python -m harness.load.web HOST PORT RUN_DIR`; on stdin a line of JSON whenever the load changes: `{"users": 8,
"state": "running"}`. The page can be looked at and nothing else: starting, stopping and resetting are refused, since
it is not who conducts the load.
"""

import sys
from pathlib import Path

import gevent
import orjson
from flask import request
from gevent.fileobject import FileObjectThread
from locust import User
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_STOPPED, LocalRunner
from locust.stats import stats_history

from harness.base.units import MS_PER_S
from harness.rundir.files import RECORDS, parts

LOOK_S = 0.5
WHOLE, FIRST = "whole request", "first token"
_READ_ONLY = "this page only shows: Ctrl-C at the run ends it"
_ACTS = ("/swarm", "/stop", "/stats/reset")


class _Nobody(User):
    """Locust's page wants a user; none is ever started."""

    abstract = False


class _Watched(LocalRunner):
    """A runner that drives nothing: how many users there are, it is told."""

    told_users = 0

    @property
    def user_count(self) -> int:
        """Users, or requests under way where there are none."""
        return self.told_users


class Page:
    """The page, and who feeds it."""

    def __init__(self, host: str, port: int, run_dir: Path) -> None:
        self.environment = Environment(user_classes=[_Nobody], host=str(run_dir))
        self.runner = _Watched(self.environment)
        self.environment.runner = self.runner
        self.runner.state = STATE_RUNNING
        self._run_dir = run_dir
        self._read: dict[Path, int] = {}  # bytes of each file of rows
        web = self.environment.create_web_ui(host, port, delayed_start=True)
        assert web.app is not None
        web.app.before_request(_refuse)
        web.app.debug = False
        web.start()
        gevent.spawn(stats_history, self.runner)

    def feed(self) -> None:
        """Read what was written since the last look."""
        for path in parts(self._run_dir, RECORDS):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                found = file.read()
            whole = found[: found.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for line in whole.splitlines():
                self._log(orjson.loads(line))

    def _log(self, row: dict[str, object]) -> None:
        """A row of records.jsonl, as two of Locust's entries: the whole request, and its first token."""
        sent, finished, first = row.get("sent_s"), row.get("finished_s"), row.get("first_token_s")
        if row.get("preflight") or not isinstance(sent, float) or not isinstance(finished, float):
            return
        stats, error = self.environment.stats, row.get("error")
        stats.log_request("POST", WHOLE, round((finished - sent) * MS_PER_S), 0)
        if error:
            stats.log_error("POST", WHOLE, str(error))
        elif isinstance(first, float):
            stats.get(FIRST, "").log(round((first - sent) * MS_PER_S), 0)  # in no sum

    def listen(self) -> None:
        """Take what stdin says until it ends."""
        for line in FileObjectThread(sys.stdin.buffer, "rb"):
            self.runner.told_users = int(orjson.loads(line)["users"])
        self.runner.state = STATE_STOPPED


def _refuse() -> tuple[str, int] | None:
    acts = request.method not in ("GET", "HEAD") or request.path.startswith(_ACTS)
    return (_READ_ONLY, 405) if acts else None


def main(host: str, port: str, run_dir: str) -> None:
    """Serve the page until stdin ends."""
    page = Page(host, int(port), Path(run_dir))
    print("ready", flush=True)
    listener = gevent.spawn(page.listen)
    while not listener.dead:
        page.feed()
        gevent.sleep(LOOK_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
