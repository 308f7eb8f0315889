"""Files of users as no user should have them, given to the commands that read them: done, or one clear line.

    python benchmarks/attack files [--count N] [--seed S]

Scenarios, demand, prices, decision inputs, prompt files, request logs, certificates, tokens and model files that are
good are changed by a seed: bytes flipped, lines doubled, keys gone, values of every other type, tags, anchors, depth,
numbers, codings, names of 80,000 characters. Held: exit 0 or 2, never "this is a bug", an error of one line with less
than 500 characters, nothing that a terminal obeys, and bounds in processor time and memory.
"""

import contextlib
import io
import multiprocessing
import os
import random
import resource
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from file_grammar import (
    CERTIFICATE,
    DECISION,
    DEMANDS,
    FILE_SCENARIO,
    MODEL,
    PRICES,
    PROMPTS,
    ROOT,
    SCENARIOS,
    TRACES,
    changed,
)
from result import Result

from harness.base.errors import UsageError
from harness.cli import complain, invoke
from harness.engines.weights.gguf import read_gguf

NAME = "files"
DEFAULT_COUNT = 20_000
CHUNK = 200
PROCESSES = 2
LONGEST_CPU_S = 10.0
MOST_MEMORY_KIB = 1 << 20
LONGEST_LINE = 500
LONGEST_SAID = 5000  # the line, a hint, warnings
LONGEST_OUT = 4 << 20
ENDPOINT = ("--url", "http://127.0.0.1:9", "--backend", "openai")
DRY = (*ENDPOINT, "--dry-run")
REPORTED = next(path for path in sorted((ROOT / "results" / "kept").iterdir()) if path.name.endswith("c7i.large"))


@dataclass(frozen=True)
class Given:
    """A file that is changed, beside it what is not, and the arguments of a command that reads it."""

    kind: str
    name: str
    content: bytes
    arguments: Callable[[Path], list[str]]  # of the file's path
    beside: tuple[tuple[str, bytes], ...] = ()


def _givens() -> Iterator[Given]:
    for content in SCENARIOS:
        yield Given("scenario", "s.yaml", content, lambda path: ["run", str(path), *DRY])
        yield Given("scenario", "s.yaml", content, lambda path: ["run", str(path), "--dry-run", "--json"])
    for layout, contents in PROMPTS.items():
        name = f"p.{layout}"
        scenario = (FILE_SCENARIO % (name, layout)).encode()
        for content in contents:
            yield Given(
                "prompts",
                name,
                content,
                lambda path: ["run", str(path.parent / "s.yaml"), *DRY],
                (("s.yaml", scenario),),
            )
            yield Given("scenario", "s.yaml", scenario, lambda path: ["run", str(path), *DRY], ((name, content),))
    for ending, contents in TRACES.items():
        name = f"t.{ending}"
        scenario = f"name: t\nload: {{kind: trace, file: {name}, step_s: 9000, warmup_s: 30}}\n".encode()
        for content in contents:
            yield Given("log", name, content, lambda path: ["demand", "from-trace", str(path), "--classes", "3"])
            yield Given(
                "log", name, content, lambda path: ["run", str(path.parent / "s.yaml"), *DRY], (("s.yaml", scenario),)
            )
    for content in DEMANDS:
        yield Given("demand", "d.yaml", content, lambda path: ["run", *DRY, "--demand", str(path)])
    for content in PRICES:
        yield Given(
            "prices",
            "p.yaml",
            content,
            lambda path: ["prices", "list", "--prices", str(path), "--api", "contract:some-model"],
        )
        yield Given("prices", "p.yaml", content, lambda path: ["prices", "check", "--prices", str(path)])
        yield Given(
            "prices", "p.yaml", content, lambda path: ["run", *DRY, "--prices", str(path), "--instance", "rack-7"]
        )
    for more in ([], ["--sensitivity"], ["--two-way", "usd_per_hour", "goodput_requests_per_s"]):
        yield Given("decision", "i.yaml", DECISION.encode(), lambda path, more=more: ["decide", str(path), *more])
    yield Given("token", "token", b"a" * 43, lambda path: ["run", *DRY, "--token-file", str(path)])
    yield Given("certificate", "ca.pem", CERTIFICATE, lambda path: ["run", *DRY, "--ca-file", str(path)])
    yield Given("model", "m.gguf", MODEL, lambda path: [str(path)])
    for kind, option, contents in (("demand", "--demand", DEMANDS), ("prices", "--prices", PRICES)):
        for content in contents:
            yield Given(
                f"{kind} of a report",
                "f.yaml",
                content,
                lambda path, option=option: ["report", str(path.parent / "run"), option, str(path)],
            )


GIVENS = tuple(_givens())
QUICK = tuple(given for given in GIVENS if "report" not in given.kind)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    said: str
    out: str
    took_cpu_s: float

    @property
    def wrong(self) -> str | None:
        """What does not hold."""
        first = self.said.partition("\n")[0]
        if "this is a bug" in self.said or "Traceback" in self.said:
            return f"a bug: {self.said[:300]}"
        if self.code not in (0, 2, 3):
            return f"exit {self.code}: {first[:200]}"
        if self.code == 2 and not (first.startswith("error: ") and len(first) < LONGEST_LINE):
            return f"an error of {len(first)} characters: {first[:200]}"
        if len(self.said) > LONGEST_SAID or len(self.out) > LONGEST_OUT:
            return f"{len(self.said)} and {len(self.out)} characters were said: {first[:200]}"
        odd = next((c for c in self.said + self.out if not c.isprintable() and c != "\n"), None)
        if odd is not None:
            where = self.said if odd in self.said else self.out
            return f"{odd!r} goes to a terminal: {where[max(where.index(odd) - 80, 0) :][:160]!r}"
        return f"{self.took_cpu_s:.1f} s" if self.took_cpu_s > LONGEST_CPU_S else None


def _model(path: str) -> int:
    try:
        read_gguf(Path(path))
    except UsageError as error:
        complain(error)
        return error.exit_code
    return 0


def run(given: Given, content: bytes, place: Path) -> Outcome:
    """The command, in this process, on the file with this content."""
    place.mkdir()
    path = place / given.name
    for name, other in given.beside:
        (place / name).write_bytes(other)
    path.write_bytes(content)
    path.chmod(0o600)
    if "report" in given.kind:
        shutil.copytree(REPORTED, place / "run")
    arguments = given.arguments(path)
    said, out, began = io.StringIO(), io.StringIO(), time.process_time()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
        code = _model(arguments[0]) if given.kind == "model" else invoke(arguments)
    outcome = Outcome(code, said.getvalue(), out.getvalue(), time.process_time() - began)
    shutil.rmtree(place)
    return outcome


def tried(first: int, count: int, out_dir: Path) -> tuple[list[str], Counter[str], float]:
    """Of the files of so many seeds from the first: what did not hold, how they ended, the most processor time."""
    bad, ends, most = [], Counter[str](), 0.0
    place = out_dir / f"files-{os.getpid()}"
    place.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        chance = random.Random(seed)
        given = chance.choice(GIVENS if chance.random() < 0.03 else QUICK)
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcome = run(given, changed(given.content, chance), place / "x")
        more_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
        most = max(most, outcome.took_cpu_s)
        wrong = outcome.wrong or (f"{more_kib >> 10} MiB more" if more_kib > MOST_MEMORY_KIB else None)
        ends[f"exit {outcome.code}"] += 1
        if wrong is not None:
            bad.append(f"{seed} ({given.kind}): {wrong}")
    return bad, ends, most


def attack(count: int, seed: int, out_dir: Path) -> Result:
    """So many files, on two processes."""
    first, bad, ends, most = seed << 32, [], Counter[str](), 0.0
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        starts = range(0, count, CHUNK)
        counts = [min(CHUNK, count - at) for at in starts]
        for more, ended, took in pool.map(tried, [first + at for at in starts], counts, [out_dir] * len(starts)):
            bad += more
            ends += ended
            most = max(most, took)
    kinds = ", ".join(f"{n} {end}" for end, n in ends.most_common())
    return Result(count, bad, f"at most {most:.1f} s of processor time a file; {kinds}")
