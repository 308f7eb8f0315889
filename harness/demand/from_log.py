"""A month's demand out of a request log: volume, sizes of request, and when in the day or week they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.base.stats import Floats
from harness.base.text import printable
from harness.base.units import SECONDS_PER_HOUR
from harness.demand.classes import cuts, money_of, sized
from harness.demand.repeats import repeats_of
from harness.demand.volume import hourly_profile, volume_of
from harness.scenario.logs.request_log import RequestLog
from harness.scenario.logs.sessions import growth_of

MOST_MODELS = 15  # with classes of their own
_LONGEST_NAME = 120
Rows = npt.NDArray[np.intp]


def demand_of(
    log: RequestLog, *, name: str, classes: int | None = None, tiers: Sequence[int] = (), per_model: bool = False
) -> dict[str, Any]:
    """The keys of a demand file.

    Volume: requests served divided by the log's span, times a month of 730 h; a log of one instant has no span and
    `tasks_per_month` is None. Classes: cut by input length so that prices in tiers come out right, or `classes`
    equal parts; each has its mean lengths, and their mean is the log's whatever their number.

    Args:
        log: as `read_log` has it.
        name: of the demand.
        classes: so many parts of equal number, by input length.
        tiers: input lengths above which a known price changes.
        per_model: classes for each model apart.
    """
    volume = volume_of(log)
    profile = hourly_profile(log)
    demand: dict[str, Any] = {
        "name": name,
        "tasks_per_month": None if volume is None else round(volume.tasks_per_month),
        "classes": _classes(log, classes, tiers, per_model),
    }
    if volume is not None:
        demand["ranges"] = {"tasks_per_month": [round(volume.low), round(volume.high)]}
    if profile is not None:
        demand["hourly_profile"] = profile
    if log.from_cache is not None and (hits := float(log.served[log.from_cache].sum() / log.served.sum())) < 1:
        demand["response_cache_hit_rate"] = round(hits, 4)
    return demand | {"made_of_log": _made_of(log)}


@dataclass(frozen=True, slots=True)
class _Group:
    """Requests that have classes of their own, and what they are called."""

    name: str
    rows: Rows


def _classes(log: RequestLog, wanted: int | None, tiers: Sequence[int], per_model: bool) -> list[dict[str, Any]]:
    asked = np.flatnonzero(_asked(log))
    groups = _by_model(log, asked) if per_model else [_Group("", asked)]
    if wanted is not None:
        parts = [(group, rows) for group in groups for rows in _equal(log, group.rows, wanted)]
        return [_class(log, group.name, rows, alone=wanted == 1) for group, rows in parts]
    given, out, served = log.input_tokens, log.output_tokens, log.served
    money = money_of(given[asked], out[asked], served[asked])
    begins = cuts([sized(given[g.rows], out[g.rows], served[g.rows], money) for g in groups], tiers)
    return [
        _class(log, group.name, rows, alone=len(first) == 1)
        for group, first in zip(groups, begins, strict=True)
        for rows in _parted(log, group.rows, first)
    ]


def _asked(log: RequestLog) -> npt.NDArray[np.bool_]:
    """Requests that a model answered: those of a cache have no price."""
    good = log.served > 0
    if log.from_cache is None or (good & ~log.from_cache).sum() == 0:
        return good
    return good & ~log.from_cache


def _by_model(log: RequestLog, asked: Rows) -> list[_Group]:
    """A group a model, the most asked first; those beyond `MOST_MODELS`, and rows without one, together."""
    if log.model is None:
        return [_Group("", asked)]
    codes = log.model.codes[asked]
    named = codes >= 0
    counts = np.bincount(codes[named], weights=log.served[asked][named], minlength=len(log.model.names))
    most = [int(n) for n in np.argsort(-counts, kind="stable") if counts[n] > 0]
    kept = most[: MOST_MODELS if len(most) > MOST_MODELS else None]
    groups = [_Group(printable(log.model.names[n], _LONGEST_NAME), asked[codes == n]) for n in kept]
    rest = asked[~np.isin(codes, kept)]
    return [*groups, _Group("other models", rest)] if len(rest) else groups


def _equal(log: RequestLog, rows: Rows, wanted: int) -> list[Rows]:
    ordered = rows[np.lexsort((log.output_tokens[rows], log.input_tokens[rows]))]
    count = min(wanted, len(ordered))
    edges = [round(len(ordered) * i / count) for i in range(count + 1)]
    return [ordered[first:end] for first, end in pairwise(edges)]


def _parted(log: RequestLog, rows: Rows, begins: Sequence[float]) -> list[Rows]:
    ordered = rows[np.argsort(log.input_tokens[rows], kind="stable")]
    edges = [*np.searchsorted(log.input_tokens[ordered], begins).tolist(), len(ordered)]
    return [ordered[first:end] for first, end in pairwise(edges)]


def _class(log: RequestLog, group: str, rows: Rows, *, alone: bool) -> dict[str, Any]:
    weights = log.served[rows]
    lengths = log.input_tokens[rows]
    size = "request" if alone else _span_of(float(lengths.min()), float(lengths.max()))
    one: dict[str, Any] = {
        "name": f"{group}: {size}" if group and not alone else group or size,
        "weight": _plain(float(weights.sum())),
        "input_tokens": _mean(lengths, weights),
    }
    room = one["input_tokens"]  # rounded apart, the parts could be more than the whole
    for key, values in (("cached_input_tokens", log.cached_tokens), ("cache_write_tokens", log.cache_write_tokens)):
        if values is not None and (mean := min(_mean(values[rows], weights), room)):
            one[key] = mean
            room = round(room - mean, 2)
    return one | {"output_tokens": _mean(log.output_tokens[rows], weights)}


def _span_of(low: float, high: float) -> str:
    return f"{low:.0f} tokens in" if low == high else f"{low:.0f} to {high:.0f} tokens in"


def _mean(values: Floats, weights: Floats) -> float:
    return _plain(round(float((values * weights).sum() / weights.sum()), 2))


def _plain(value: float) -> float:
    """A whole number without its .0."""
    return int(value) if value == int(value) else value


def _made_of(log: RequestLog) -> dict[str, Any]:
    total, growth = float(log.served.sum()), growth_of(log)
    given = float((log.input_tokens * log.served).sum())
    out: dict[str, Any] = {
        "file": printable(log.file, _LONGEST_NAME),
        "layout": log.layout,
        "time_unit": log.unit,
        "is_aggregate": log.is_aggregate,
        "requests": _plain(log.requests),
        "failed": _plain(float(log.failed.sum())),
        "left_out": dict(log.left_out),
        "span_h": round(log.end_s / SECONDS_PER_HOUR, 3),
    }
    if log.cached_tokens is not None:
        out["cached_share"] = round(float((log.cached_tokens * log.served).sum()) / given, 4)
    for key, values in (("reasoning_tokens", log.reasoning_tokens), ("images", log.images)):
        if values is not None:
            out[key] = round(float((values * log.served).sum()) / total, 2)
    if log.model is not None:
        out["models"] = len(np.unique(log.model.codes[(log.model.codes >= 0) & (log.served > 0)]))
    repeats = repeats_of(log)
    if repeats is not None:
        out["repeats"] = asdict(repeats)
    if growth is not None:
        out["conversations"] = {
            "sessions": growth.sessions,
            "turns": round(growth.turns, 2),
            "base_tokens": round(growth.base_tokens, 2),
            "growth_tokens": round(growth.growth_tokens, 2),
        }
    return out
