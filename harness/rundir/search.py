"""search.json as types: every probe of a search, what those of one load say together, and why it ended.

Rates are requests per second, loads are users or requests per second as `over` says, unknown is None. Older versions
wrote fewer keys; those have defaults.
"""

from typing import Literal

from pydantic import Field

from harness.rundir.of_step import LimitOfStep
from harness.rundir.result import Result
from harness.rundir.results import SloSays

SEARCH = "search.json"
SEARCH_SCHEMA = 1


class ProbeOfSearch(Result):
    """One load that was tried."""

    load: float
    passed: bool | None  # None: too few requests to tell
    verdict: SloSays = "not_judged"
    length_s: float  # as planned
    seconds: float  # as it was, its hold too
    requests: int
    requests_per_s: float | None
    goodput_per_s: float | None = None
    goodput_low: float | None
    goodput_high: float | None = None
    limits: dict[str, LimitOfStep] = Field(default={})  # by key; the failed requests are `error_rate`
    over_saturated: bool
    given_up: bool
    too_short: bool
    refused: str | None = None  # why it says nothing of the server


class LoadOfSearch(Result):
    """What all probes of one load say together."""

    load: float
    probes: int
    passed: bool | None
    verdict: SloSays
    requests_per_s: float | None
    limits: dict[str, LimitOfStep]


class Bracket(Result):
    """Between which two loads the answer lies; None: that end is open."""

    passes: float | None
    fails: float | None


class Bounds(Result):
    """Between which two rates the goodput certainly lies."""

    low: float
    high: float | None


class StopOfSearch(Result):
    """Why it ended; `sure`: the verdicts it ends at are (None: it does not rest on them)."""

    reason: Literal["found", "decided", "high_passes", "low_fails", "flat", "too_short", "max_probes", "refused"]
    text: str
    at_least: bool = False
    at_most: bool = False
    sure: bool | None = None


class Saved(Result):
    """What it took less than a ladder of fixed steps; negative: more."""

    seconds: float
    requests: float
    usd: float | None


class Search(Result):
    """search.json."""

    version: int = Field(default=SEARCH_SCHEMA, alias="schema")
    over: Literal["users", "requests_per_s"]
    probes: tuple[ProbeOfSearch, ...]
    loads: tuple[LoadOfSearch, ...] = ()
    samples_needed: int
    bracket: Bracket
    goodput_bounds: Bounds
    needed_goodput_requests_per_s: dict[str, float | None] | None
    stop: StopOfSearch | None  # None while it goes on
    saved: Saved
    saved_against: str
