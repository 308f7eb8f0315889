"""Requests of a log that ask what was asked before: what a cache of answers by the exact prompt would have saved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.base.units import SECONDS_PER_HOUR
from harness.scenario.logs.request_log import RequestLog

DAY_S = 24 * SECONDS_PER_HOUR
_DIGITS = 4  # of shares


@dataclass(frozen=True, slots=True)
class Repeats:
    """Of the requests served: those with the prompt and model of an earlier one, at any time and 24 h before at most.

    Tokens are those that the model would not have read and written.
    """

    column: str  # that told the prompts
    told: int  # requests whose whole prompt is known
    unknown: int
    share: float  # of `told`
    input_tokens: float
    output_tokens: float
    share_24h: float | None  # None: the log says not when
    input_tokens_24h: float | None
    output_tokens_24h: float | None


def repeats_of(log: RequestLog) -> Repeats | None:
    """None: the log tells no prompts.

    A prompt that stands for several lengths of input in one model is no whole one (a template's id, a text that was
    cut), and counts as not told.
    """
    if log.prompts is None or log.is_aggregate:
        return None
    served = np.flatnonzero(log.served > 0)
    keys = log.prompts.keys[served]
    model = np.full(len(served), -1) if log.model is None else log.model.codes[served]
    told = served[keys != 0]
    order = np.lexsort((told, model[keys != 0], keys[keys != 0]))  # the same together, as they came
    rows, same = told[order], _runs(keys[keys != 0][order], model[keys != 0][order])
    is_whole = _is_one_length(same, log.input_tokens[rows])
    rows, same = rows[is_whole], same[is_whole]
    if not len(rows):
        return None
    again = np.concatenate([[False], same[1:] == same[:-1]])
    gap_s = np.concatenate([[0.0], np.diff(log.arrival_s[rows])])
    recent = again & (gap_s <= DAY_S) if log.unit != "none" else None
    return Repeats(
        log.prompts.column,
        len(rows),
        len(served) - len(rows),
        *_saved(log, rows, again),
        *((None, None, None) if recent is None else _saved(log, rows, recent)),
    )


def _runs(keys: npt.NDArray[np.uint64], model: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The number of the run of equal pairs that each row lies in."""
    new = (keys[1:] != keys[:-1]) | (model[1:] != model[:-1])
    return np.concatenate([[0], np.cumsum(new)])[: len(keys)]


def _is_one_length(same: npt.NDArray[np.intp], tokens: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    count = int(same[-1]) + 1 if len(same) else 0
    least, most = np.full(count, np.inf), np.zeros(count)
    np.minimum.at(least, same, tokens)
    np.maximum.at(most, same, tokens)
    is_one: npt.NDArray[np.bool_] = least == most
    return is_one[same]


def _saved(log: RequestLog, rows: npt.NDArray[np.intp], which: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """(share, input tokens, output tokens) of some of the rows."""
    found = rows[which]
    share = round(len(found) / len(rows), _DIGITS)
    return share, float(log.input_tokens[found].sum()), float(log.output_tokens[found].sum())
