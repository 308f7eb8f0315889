"""Probes as a search would have them, of servers whose latency is a formula."""

from collections.abc import Callable
from typing import Any

from harness.load.search.next_probe import next_probe
from harness.load.search.probes import Next, Probe, Stop
from harness.metrics.slo import Nearness
from harness.scenario import Limit
from harness.scenario.load import SearchLoad

LIMITS = (Limit("ttft", "p95", 2.0),)  # 130 good requests, 59 for a sure pass


def users(**more: float) -> SearchLoad:
    return SearchLoad.model_validate({"kind": "search", "low": 1, "high": 64, "max_step_s": 1000} | more)


def rates(**more: float) -> SearchLoad:
    return SearchLoad.model_validate(
        {"kind": "search", "over": "requests_per_s", "low": 1, "high": 64, "max_step_s": 1000} | more
    )


def probe(load: float, passed: bool | None, **more: Any) -> Probe:
    """A sure one, unless more is said; without any curve."""
    verdict = "not_judged" if passed is None else "yes" if passed else "no"
    return Probe(**({"load": load, "passed": passed, "verdict": verdict, "length_s": 30.0, "seconds": 30.0} | more))


def near(ratio: float, *, n: int = 300, over: int | None = None, doubt: float = 0.02) -> dict[str, Nearness]:
    """How near p95 is: none over the limit where it is kept, all where it is broken, unless more is said."""
    count = (0 if ratio <= 1 else n) if over is None else over
    return {"ttft_p95_s": Nearness(95, n, count, ratio, ratio * (1 - doubt), ratio * (1 + doubt))}


def at_ratio(load: float, ratio: float, *, n: int = 300, over: int | None = None, **more: Any) -> Probe:
    """A probe whose p95 is so near its limit, its verdict by its counts."""
    limits = near(ratio, n=n, over=over)
    met = ratio <= 1
    verdict = limits["ttft_p95_s"].verdict(met=met)
    return probe(load, met, **({"verdict": verdict, "limits": limits, "requests": n} | more))


def whole_search(search: SearchLoad, make: Callable[[float], Probe]) -> tuple[list[float], Stop]:
    """The loads of a search to its end, confirmations left out."""
    history: list[Probe] = []
    while isinstance(move := next_probe(search, LIMITS, history), Next):
        history.append(make(move.load))
        assert len(history) < 50
    return list(dict.fromkeys(p.load for p in history)), move
