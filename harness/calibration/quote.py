"""How wrong this machine's client was at which load: what `breakeven calibrate` found, cached and quoted.

It never drives anything itself (that is `harness.pipeline.calibrate`), so that a report may import it.
"""

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from harness import __version__
from harness.base.errors import BreakevenError
from harness.base.whole import written_whole
from harness.calibration.oracle.judge import Judgement
from harness.calibration.processor import cpu_name, usable_cores

SCHEMA = 1
LIMIT_S = 0.01  # a load counts as measurable while the p99 of every error is below this
VOID_LATENESS_S = 0.01  # of the server at p99: held to the client's limit, above it the load was another one
_LIBRARIES = ("gevent", "geventhttpclient", "locust")


@dataclass(frozen=True, slots=True)
class Level:
    """One rung of the ladder: the load asked for, and the client's error under it."""

    streams: int
    tokens_per_s_per_stream: float
    judgement: Judgement

    @property
    def tokens_per_s(self) -> float:
        """Tokens per second asked for, all streams together."""
        return self.streams * self.tokens_per_s_per_stream

    @property
    def p99_s(self) -> float | None:
        """The largest p99 error of TTFT, ITL and E2E, seconds; None when one has no samples."""
        p99s = [e.p99_s for e in (self.judgement.ttft, self.judgement.itl, self.judgement.e2e)]
        return None if None in p99s else max(p for p in p99s if p is not None)

    @property
    def void(self) -> str | None:
        """Why this level says nothing about the client; None when it does."""
        late_s = self.judgement.lateness.p99_s
        if late_s is None:
            return "the server sent nothing"
        if late_s > VOID_LATENESS_S:
            return f"the server itself was late by {late_s * 1000:.1f} ms at p99"
        if self.p99_s is None:
            return "too few samples"
        return None

    @property
    def holds(self) -> bool:
        """True when the client measured this load: errors below the limit, no token lost or invented."""
        p99_s = self.p99_s
        return self.void is None and p99_s is not None and p99_s < LIMIT_S and self.judgement.is_complete

    def load(self) -> dict[str, Any]:
        """What was asked for, and the largest error under it, as JSON."""
        names = ("streams", "tokens_per_s_per_stream", "tokens_per_s", "p99_s")
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """The level as JSON; errors in seconds."""
        return {**self.load(), "void": self.void, "holds": self.holds, **asdict(self.judgement)}


def calibration(levels: Sequence[Level], taken_at: str) -> dict[str, Any]:
    """What is cached and printed with --json; `highest` is the last rung up to which no level failed."""
    highest = None
    for level in levels:
        if level.void is None and not level.holds:
            break
        highest = level if level.holds else highest
    return {
        "schema": SCHEMA,
        "taken_at": taken_at,
        "machine": machine(),
        "limit_s": LIMIT_S,
        "highest": None if highest is None else highest.load(),
        "levels": [level.to_dict() for level in levels],
    }


def quote(found: Mapping[str, Any], streams: int, tokens_per_s: float) -> str:
    """The sentence for a report: what this client adds at most at a load of so many streams and tokens/s.

    It names the smallest level measured that is at least as heavy in both.
    """
    day = str(found["taken_at"])[:10]
    levels = [level for level in found["levels"] if level["void"] is None]
    heavier = [v for v in levels if v["streams"] >= streams and v["tokens_per_s"] >= tokens_per_s]
    if not heavier:
        return f"this load is above what the client was calibrated for on {day}: its error is unknown"
    level = min(heavier, key=lambda v: (v["tokens_per_s"], v["streams"]))
    return (
        f"this client adds at most {level['ttft']['p99_s'] * 1000:.2f} ms to 99 % of first tokens and"
        f" {level['itl']['p99_s'] * 1000:.2f} ms to 99 % of token gaps at up to {level['streams']} streams and"
        f" {level['tokens_per_s']:,.0f} tok/s (calibrated {day})"
    )


def facts_for_a_run() -> dict[str, Any] | None:
    """This machine's calibration as run.json keeps it: what `quote` needs and no more; None without one."""
    found = cached_calibration()
    if found is None:
        return None
    levels = [
        {key: level[key] for key in ("streams", "tokens_per_s", "void")}
        | {key: {"p99_s": level[key]["p99_s"]} for key in ("ttft", "itl")}
        for level in found["levels"]
    ]
    return {"taken_at": found["taken_at"], "highest": found["highest"], "levels": levels}


def machine() -> dict[str, Any]:
    """What the error depends on: the box and the code. Another machine has another calibration."""
    return {
        "id": _machine_id(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "breakeven": __version__,
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
    }


def _machine_id() -> str | None:
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text:
            return hashlib.sha256(text.encode()).hexdigest()[:16]  # the id itself is confidential
    return platform.node() or None


def cache_path() -> Path:
    """Where this machine's calibration is kept, outside of any project."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    key = hashlib.sha256(orjson.dumps(machine(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    return Path(base) / "breakeven" / "calibration" / f"{key}.json"


def save(found: Mapping[str, Any]) -> Path | None:
    """Cache a calibration; None where the cache cannot be written, which is no reason to lose the result."""
    path = cache_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as place:
            place.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    except (OSError, BreakevenError):
        return None
    return path


def cached_calibration() -> dict[str, Any] | None:
    """What `breakeven calibrate` found on this machine with this code; None when it was never run."""
    try:
        found = orjson.loads(cache_path().read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None
