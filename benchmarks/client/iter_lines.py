"""A Locust file as its documentation suggests one for streams: `FastHttpUser`, `iter_lines`, a stamp a line.

Run by compare.py with the environment variable ITER_LINES: {"out", "tokens", "requests"} as JSON.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import gevent
from locust import FastHttpUser, events, task
from locust.exception import StopUser

SETTINGS = json.loads(os.environ["ITER_LINES"])
PROMPT = "one two three four five six seven eight nine ten " * 10
samples: list[dict[str, object]] = []
started = ended = 0


class Streamer(FastHttpUser):
    """Asks again and again until the requests are used up."""

    network_timeout = connection_timeout = 600.0

    @task
    def ask(self) -> None:
        """One streamed completion, and the end of the run after the last."""
        global started, ended
        if started >= SETTINGS["requests"]:
            raise StopUser
        started += 1
        try:
            self.stream(f"lines-{started}")
        finally:
            ended += 1
            if ended == SETTINGS["requests"]:
                gevent.spawn(self.environment.runner.quit)  # not from a user, which it would kill midway

    def stream(self, name: str) -> None:
        """Stamp the lines as they come out of `iter_lines`."""
        body = {"model": "oracle", "prompt": PROMPT, "max_tokens": SETTINGS["tokens"], "stream": True}
        headers = {"x-request-id": name}
        sent_s = time.perf_counter()
        first_s = last_s = None
        for line in self.client.iter_lines("/v1/completions", method="POST", json=body, headers=headers):
            if '"text"' in line:
                last_s = time.perf_counter()
                first_s = first_s or last_s
        if first_s is not None and last_s is not None:
            samples.append({"request_id": name, "ttft_s": first_s - sent_s, "e2e_s": last_s - sent_s})


@events.quitting.add_listener
def write(**_: object) -> None:
    """Leave the samples where compare.py reads them."""
    lines = [json.dumps(sample) + "\n" for sample in samples]
    Path(SETTINGS["out"]).write_text("".join(lines))
