"""The scenario that an imported run stands for: its load, the lengths that it had, and the limits it is held to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.base.stats import Floats
from harness.base.yamlfile import validate
from harness.imports.told import Part, Rows, Told
from harness.scenario import Scenario


def scenario_of(told: Told, parts: Sequence[Part], slo: dict[str, Any]) -> Scenario:
    """Parts by users make a closed load, parts by rate an open one.

    Raises:
        UsageError: a load or a limit that no scenario may have; names it.
    """
    data = {
        "name": re.sub(r"[^a-z0-9.]+", "-", told.tool.lower()),
        "load": _load(parts),
        "prompts": {
            "kind": "synthetic",
            "input_tokens": _length(parts, lambda rows: rows.prompt_tokens, "mean_input_tokens"),
            "output_tokens": _length(parts, lambda rows: rows.output_tokens, "mean_output_tokens"),
        },
        "request": {"api": told.api, "stream": told.streamed, "force_length": False},
        "slo": slo or ({} if told.streamed else {"preset": "batch"}),
    }
    return validate(Scenario, data, where=f"{told.tool}'s load")


def _load(parts: Sequence[Part]) -> dict[str, Any]:
    common = {
        "warmup_s": 0.0
    }  # no length: it is as long as its requests took, and the same work where they took longer
    if parts[0].load.users is not None:
        return {"kind": "closed", "users": [int(part.load.users or 1) for part in parts], **common}
    return {"kind": "open", "requests_per_s": [part.load.requests_per_s for part in parts], **common}


def _length(parts: Sequence[Part], of: Callable[[Rows], Floats | None], in_summary: str) -> Any:
    """The mean length that requests had, which stands for what was asked; 1 where nobody tells."""
    known = [of(part.rows) for part in parts if part.rows is not None]
    values = np.concatenate([v for v in known if v is not None] or [np.empty(0)])
    values = values[~np.isnan(values)]
    if len(values):
        mean, spread = float(values.mean()), float(values.std())
    else:
        told = [getattr(part.summary, in_summary) for part in parts if part.summary is not None]
        means = [value for value in told if value]
        mean, spread = (sum(means) / len(means) if means else 1.0), 0.0
    return {"mean": max(round(mean), 1), "stdev": round(spread)}
