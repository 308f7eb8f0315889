"""The verdict in plain words. Money and volumes are rounded here and nowhere before."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from harness.base.units import HOURS_PER_MONTH

MOST_DIGITS = 9


def usd(amount: float) -> str:
    """`USD 10,347`; cents below 100, and three digits below a dollar."""
    size = abs(amount)
    if size >= 100 or size == 0:
        return f"USD {amount:,.0f}"
    return f"USD {amount:,.2f}" if size >= 1 else f"USD {amount:.3g}"


def volume(tasks: float, digits: int = 3) -> str:
    """`2.76M`, `673k`, `950`: three significant digits unless more are asked for."""
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tasks >= 0.9995 * size:
            short = f"{tasks / size:.{digits}g}" if tasks < 999.5 * size else f"{tasks / size:,.0f}"
            return f"{short}{suffix}"
    return f"{tasks:.{digits}g}"


def volumes(*tasks: float) -> list[str]:
    """Volumes one after the other, with as many digits as it takes to tell neighbours apart, nine at most.

    Example: 16.31M and 16.34M are "16.31M" and "16.34M", not "16.3M" twice.
    """
    for digits in range(3, MOST_DIGITS + 1):
        shown = [volume(one, digits) for one in tasks]
        if all(a != b for a, b in pairwise(shown)):
            return shown
    return [volume(one) for one in tasks]


def exact_volume(tasks: float) -> str:
    """`400,000`: the reader's own number, as he gave it."""
    return f"{tasks:,.0f}" if tasks == int(tasks) else f"{tasks:,.6g}"


def sentence(given: dict[str, Any], decided: dict[str, Any]) -> str:
    """Who wins at the reader's volume, by how much, and where self-hosting wins or why it never does."""
    at = decided["at_volume"]
    if decided["capacity_tasks_per_month"] is None:
        return _infeasible(decided, at)
    clauses = [_at_volume(at)] if at is not None else []
    clauses.append(_never(given, decided) if decided["verdict"] == "never" else _windows(decided))
    clauses += _interval(decided)
    said = "; ".join(clauses) + "."
    return said[0].upper() + said[1:]


def _infeasible(decided: dict[str, Any], at: dict[str, Any] | None) -> str:
    needed = decided["min_goodput_requests_per_s"]
    why = "no load step met the latency limits, so the box has no capacity to price"
    more = f"; it would have to serve {needed:.3g} requests/s within them" if needed is not None else ""
    tasks = exact_volume(at["tasks_per_month"]) if at else ""
    bill = f", and at your {tasks} tasks a month the API costs {usd(at['api_usd'])}" if at else ""
    return f"Self-hosting never wins on this evidence: {why}{more}{bill}."


def _at_volume(at: dict[str, Any]) -> str:
    saved = abs(at["api_usd"] - at["self_usd"])
    who = "self-hosting" if at["winner"] == "self_host" else "the API"
    where = f"at your {exact_volume(at['tasks_per_month'])} tasks a month"
    if saved <= 1e-9 * max(at["api_usd"], at["self_usd"]):
        return f"{where} both cost the same"
    boxes = f" ({at['instances']:,} instances)" if at["instances"] > 1 else ""
    return f"{where}{boxes} {who} wins by {usd(saved)} a month"


def _never(given: dict[str, Any], decided: dict[str, Any]) -> str:
    if decided["api_usd_per_task"] <= 0:
        return "self-hosting never wins, because the API is free"
    saves = decided["api_usd_per_task"] * decided["capacity_tasks_per_month"]
    costs = given["self_host"]["usd_per_hour"] * HOURS_PER_MONTH
    if saves > costs:
        return "self-hosting never wins at a volume that makes sense"
    return f"self-hosting never wins, because one full box saves {usd(saves)} and costs {usd(costs)} a month"


def _windows(decided: dict[str, Any]) -> str:
    windows = decided["winning_windows"]
    first = decided["first_win_tasks_per_month"]
    if decided["verdict"] == "window":
        return _bounded(windows, decided["windows_truncated"])
    permanent = decided["permanent_win_tasks_per_month"]
    if len(windows) == 1:
        where = "at every volume" if first == 0 else f"from {volume(first)} tasks a month on"
        return f"self-hosting wins {where}"
    won_first, lost, won = volumes(first, windows[0][1], permanent)
    start = f"self-hosting wins from {won_first} tasks a month, loses again"
    if len(windows) == 2:
        return f"{start} from {lost} to {won}, and wins for good above that"
    gaps = "many" if decided["windows_truncated"] else str(len(windows) - 1)
    return f"{start} in {gaps} stretches from {lost} on, and wins for good from {won}"


def _bounded(windows: list[list[float]], truncated: bool) -> str:
    low, high = volumes(*windows[0])
    where = f"from {low} to {high}" if low != high else f"at {low}"
    said = f"self-hosting wins only {where} tasks a month"
    if len(windows) > 1:
        more = "many" if truncated else str(len(windows) - 1)
        said += f" and in {more} more stretches above, never for good"
    return said


def _interval(decided: dict[str, Any]) -> list[str]:
    """What the ends of the interval change; nothing where they change nothing."""
    ends = decided["interval"]
    if ends is None:
        return []
    low, high, point = ends["verdict_at_low"], ends["verdict_at_high"], decided["verdict"]
    if low == high == point:
        return []
    names = {"yes": "wins from some volume on", "window": "wins only in some range", "never": "never wins"}
    return [f"at the low end of the measured goodput it {names[low]}, at the high end it {names[high]}"]
