"""The servers' /metrics pages as one table, long form: `t_s, name, labels, value`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
from prometheus_client.parser import text_string_to_metric_families

UP = "up"
COLUMNS = ("t_s", "name", "labels", "value")


def frame_of_scrapes(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The table out of the scraper's rows (`harness.load.process.scrape`); lines that are no samples are left out."""
    samples = [sample for row in rows for sample in _samples(row)]
    frame = pd.DataFrame(samples, columns=list(COLUMNS))
    frame = frame.astype({"t_s": "float64", "name": "string", "labels": "string", "value": "float64"})
    return frame.sort_values("t_s", kind="stable", ignore_index=True)


def _samples(row: Mapping[str, Any]) -> Iterator[tuple[float, str, str, float]]:
    instance = row["url"]
    yield row["t_s"], UP, json.dumps({"instance": instance}), float(bool(row["up"]))
    for line in row["lines"]:
        if line.startswith("#"):
            continue
        try:
            families = list(text_string_to_metric_families(line))
        except (ValueError, IndexError):  # a page cut short, or something else that is no sample
            continue
        for sample in (sample for one in families for sample in one.samples):
            labels = json.dumps({**sample.labels, "instance": instance}, sort_keys=True)
            yield row["t_s"], sample.name, labels, float(sample.value)
