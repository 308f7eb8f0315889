"""Keeps what the servers say at `/metrics` each second, over connections of its own; nothing is parsed here.

One row a scrape in `server_metrics-<pid>.jsonl`: `{t_s, url, up, lines}`. `t_s`: seconds since the run began, when
the page had arrived; `up`: whether it did; `lines`: the page's lines that are not as they were a scrape before.
"""

import contextlib
import os
from pathlib import Path

import gevent
from gevent.hub import get_hub

from harness.load.process.gpu import LOCAL, LocalGpus
from harness.load.wire.clock import RunClock
from harness.load.wire.exchange import ConnectionLost
from harness.load.wire.transport import ConnectFailed, Late, Target, fetch
from harness.rundir.recorder import LineFile

SCRAPE_S = 1.0
SCRAPE_TIMEOUT_S = 5.0  # a busy vLLM answers late; a scrape that is late is still dated right
PATH = "/metrics"
MARK = b"# TYPE"  # of the Prometheus format: a page without it is somebody's 200 for everything


class Scraper:
    """Scrapes every target that has the page, until it is killed."""

    def __init__(
        self, targets: list[Target], clock: RunClock, run_dir: Path, *, timeout_s: float, gpus: LocalGpus | None = None
    ) -> None:
        self._targets = targets  # its own: the users' connections are theirs
        self._clock = clock
        self._timeout_s = min(SCRAPE_TIMEOUT_S, timeout_s)
        self._file = LineFile(run_dir / f"server_metrics-{os.getpid()}.jsonl")
        self._before: dict[str, set[str]] = {}
        self._gpus = gpus

    def run(self) -> None:
        """Once each SCRAPE_S, from a grid that lateness does not shift; a target without the page is left alone."""
        targets = [target for target in self._targets if self.scrape(target)]
        self.look_at_gpus()
        due_s = self._clock.now_s()
        while targets or self._gpus is not None:
            due_s = max(due_s + SCRAPE_S, self._clock.now_s())
            gevent.sleep(due_s - self._clock.now_s())
            looks = [gevent.spawn(self.scrape, target) for target in targets]
            gevent.joinall([*looks, gevent.spawn(self.look_at_gpus)])
            self.flush()

    def last(self) -> None:
        """A last look after the load, and everything to disk."""
        known = [target for target in self._targets if target.url in self._before]
        gevent.joinall([gevent.spawn(self.scrape, target) for target in known])
        self.flush()
        for target in self._targets:
            target.close()

    def flush(self) -> None:
        """To disk; a disk that is full has been told of by the recorder."""
        with contextlib.suppress(OSError):
            self._file.flush()

    def scrape(self, target: Target) -> bool:
        """Keep what is new on the page; False where the target has no such page."""
        try:
            status, page = fetch(target, PATH, timeout_s=self._timeout_s)
        except (ConnectFailed, ConnectionLost, Late):
            status, page = 0, b""
        up = status == 200 and (MARK in page or not page.strip())  # TGI's is empty until something has happened
        if not up and target.url not in self._before:
            return False
        self._keep(target.url, page if up else None)
        return True

    def look_at_gpus(self) -> None:
        """The same of this machine's GPUs; the driver is asked in a thread, since it may take its time."""
        if self._gpus is not None:
            self._keep(LOCAL, get_hub().threadpool.apply(self._gpus.page))

    def _keep(self, source: str, page: bytes | None) -> None:
        row = {"t_s": self._clock.now_s(), "url": source, "up": page is not None, "lines": []}
        if page is not None:
            before = self._before.get(source, set())
            lines = page.decode("utf-8", "replace").split("\n")
            row["lines"] = [line for line in lines if line and line not in before]
            self._before[source] = set(lines)
        self._file.add(row)
