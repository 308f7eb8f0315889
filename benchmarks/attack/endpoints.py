"""Real runs against endpoints that flood, stall and lie: each ends in time, small, with all of its rows.

    python benchmarks/attack endpoints [--count N] [--seed S]

Every run drives a server on loopback that is hostile on one kind of route (the generation, /v1/models, /metrics,
/health, /tokenize), plain or over TLS, or in the handshake itself. Held: the load process stays below 300 MB, the run
ends within its timeout and 5 s of one against a good server, with a documented exit code; no request that the server
saw is without a row and no failed row without a reason; no process is left; the terminal gets little, and nothing that
it obeys.
"""

import contextlib
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import psutil
from hostile import ALTERNATING, BIG_CERTIFICATE, TLS_WAYS, WAYS, HostileServer, made_certificate
from result import Result

from harness.rundir.files import RECORDS

NAME = "endpoints"
DEFAULT_COUNT = 100
AT_ONCE = 2
MIB = 1 << 20
TIMEOUT_S = 1.0
MORE_S = 5.0
MOST_BYTES = 300 * MIB
MOST_SAID = 20_000
GIVEN_UP_S = 90.0
SCENARIO = f"""\
name: hostile
load: {{kind: closed, users: [4], step_s: 2, warmup_s: 0}}
prompts: {{kind: synthetic, input_tokens: 20, output_tokens: 5}}
request: {{timeout_s: {TIMEOUT_S}, api: %s}}
"""
ROUTES = ("/v1/models", "/metrics", "/health", "/tokenize")
GENERATION = "completions"
ENDS = (0, 1, 3)  # 1: nobody to be driven; 3: not to be trusted


@dataclass(frozen=True)
class Case:
    """One run: how the server is hostile, on which route, over what, and how it is asked."""

    way: str
    where: str
    is_tls: bool
    api: str = "completions"
    preflight: bool = False

    def __str__(self) -> str:
        asked = "asked beforehand" if self.preflight else "load"
        return f"{self.way} at {self.where}, {'TLS' if self.is_tls else 'plain'}, {self.api}, {asked}"


def cases(count: int, seed: int) -> list[Case]:
    """Each way once at the generation, each of TLS's own, then any at any route."""
    chance = random.Random(seed)
    every = [Case(way, GENERATION, is_tls=False) for way in (*WAYS, ALTERNATING)]
    every += [Case(way, GENERATION, is_tls=True) for way in TLS_WAYS]
    chance.shuffle(every)
    while len(every) < count:
        way = chance.choice((*WAYS, ALTERNATING))
        where = chance.choice((GENERATION, *ROUTES, *ROUTES))
        api = chance.choice(("completions", "chat"))
        every.append(Case(way, where, chance.random() < 0.4, api, chance.random() < 0.5))
    return every[:count]


class Watch:
    """The processes of a run: the most memory that a load process had, and who was there."""

    def __init__(self, run: "subprocess.Popen[bytes]") -> None:
        self.most_bytes = 0
        self.seen: set[psutil.Process] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(psutil.Process(run.pid),))
        self._thread.start()

    def _watch(self, run: psutil.Process) -> None:
        while not self._over.wait(0.02):
            with contextlib.suppress(psutil.Error):
                for process in run.children(recursive=True):
                    self.seen.add(process)
                    self.most_bytes = max(self.most_bytes, process.memory_info().rss)

    def left(self) -> list[psutil.Process]:
        """Who is still there a while after the run has ended."""
        self._over.set()
        self._thread.join()
        return psutil.wait_procs(self.seen, timeout=2)[1]


@dataclass(frozen=True)
class Ran:
    """What came of one."""

    code: int
    took_s: float
    most_bytes: int
    wrong: str | None


def ran(case: Case, place: Path, certificate: tuple[Path, Path]) -> Ran:
    """One run against one server."""
    place.mkdir(parents=True)
    (place / "s.yaml").write_text(SCENARIO % case.api)
    with HostileServer(case.way, case.where, certificate if case.is_tls else None) as server:
        command = [sys.executable, "-m", "harness", "run", str(place / "s.yaml"), "--url", server.base_url]
        command += ["--backend", "vllm", "--out", str(place / "out")]
        command += ["--ca-file", str(certificate[0])] if case.is_tls else []
        command += [] if case.preflight else ["--no-preflight"]
        began_s = time.monotonic()
        with (place / "said").open("wb") as said:
            run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            watch = Watch(run)
            try:
                code = run.wait(GIVEN_UP_S)
            except subprocess.TimeoutExpired:
                run.kill()
                code = run.wait()
        took_s = time.monotonic() - began_s
        left = watch.left()
        for process in left:
            process.kill()
        wrong = _wrong(code, place, server)
    if left:
        wrong = f"{len(left)} processes are left"
    if watch.most_bytes > MOST_BYTES:
        wrong = f"a load process of {watch.most_bytes >> 20} MiB"
    return Ran(code, took_s, watch.most_bytes, wrong)


def _wrong(code: int, place: Path, server: HostileServer) -> str | None:
    """What does not hold of how a run ended, what it said and what it left."""
    said = (place / "said").read_text(errors="replace")
    if code not in ENDS or "this is a bug" in said or "Traceback" in said:
        return f"exit {code}: {said[-300:]}"
    odd = next((c for c in said if not c.isprintable() and c != "\n"), None)
    if len(said) > MOST_SAID or odd is not None:
        return f"{len(said)} characters were said, {odd!r} among them"
    runs = list((place / "out").iterdir()) if (place / "out").exists() else []
    if not runs:
        return None if code == 1 and said.count("error: ") == 1 else f"exit {code} without a run: {said[-300:]}"
    rows = pd.read_parquet(runs[0] / f"{RECORDS}.parquet")  # the one that was sent beforehand too
    asked = [x for x in server.requests if x.method == "POST" and not x.path.endswith("tokenize")]
    if len(asked) > len(rows) + rows["resent"].sum():
        return f"{len(asked)} requests were seen, {len(rows)} rows are there"
    silent = rows[rows["error"].notna() & rows["error_detail"].isna()]
    silent = silent[~silent["error"].isin(["cut_at_end", "no_tokens"]) & ~silent["error"].str.startswith("http_")]
    return f"{len(silent)} rows without a reason: {set(silent['error'])}" if len(silent) else None


class Attack:
    """Runs, held against what one against a good server takes at that time on that machine."""

    def __init__(self, out_dir: Path) -> None:
        self._out_dir = out_dir
        self._plain, self._big = made_certificate(out_dir), made_certificate(out_dir, MIB)
        self.usual = self._good("good")

    def _good(self, name: str) -> Ran:
        return ran(Case("ok", "nowhere", is_tls=False), self._out_dir / name, self._plain)

    def run(self, number: int, case: Case) -> Ran:
        """One; where it took long, a good one is timed again beside it."""
        it = ran(case, self._out_dir / str(number), self._big if case.way == BIG_CERTIFICATE else self._plain)
        usual_s = self.usual.took_s
        if it.took_s > usual_s + TIMEOUT_S + MORE_S:
            usual_s = max(usual_s, self._good(f"{number}-good").took_s)
        is_late = it.took_s > usual_s + TIMEOUT_S + MORE_S
        return replace(it, wrong=it.wrong or f"{it.took_s:.1f} s, a good one {usual_s:.1f}") if is_late else it


def attack(count: int, seed: int, out_dir: Path) -> Result:
    """So many runs, two at once."""
    it, every = Attack(out_dir), cases(count, seed)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(it.run, range(count), every))
    bad = [
        f"{number} ({case}): {run.wrong}"
        for number, (case, run) in enumerate(zip(every, done, strict=True))
        if run.wrong
    ]
    ends = ", ".join(f"{n} exit {code}" for code, n in Counter(run.code for run in done).most_common())
    largest, longest = max(run.most_bytes for run in done) >> 20, max(run.took_s for run in done)
    usual = f"a good one {it.usual.most_bytes >> 20} MiB, {it.usual.took_s:.1f} s"
    return Result(
        count, bad, f"the largest load process {largest} MiB, the longest run {longest:.1f} s ({usual}); {ends}"
    )
