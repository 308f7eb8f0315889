"""What a run recorded, as tables: from Parquet, or from the JSON lines of a run that was killed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pa_types

from harness.base.errors import UsageError
from harness.base.whole import regular
from harness.rundir.arrivals import Arrivals, offsets_of
from harness.rundir.files import ANSWERS, ARRIVALS, CLIENT, RECORDS, SERVER, TOKENS, parts
from harness.rundir.parquet_file import DAMAGED, TEXT, read_frame, reading, with_numbers
from harness.rundir.records import COLUMNS, LATEST_S, RequestRecord
from harness.rundir.scrapes import frame_of_scrapes

_MOST_COUNTED = 1e30  # by a counter of a server
_CLIENT_NUMBERS = ("t_s", "process", "cpu", "in_flight")  # every version wrote these
_CLIENT_LATER = (
    "loop_lag_p50_s", "loop_lag_max_s", "schedule_lag_max_s", "asked", "connections", "clock_steps", "found_closed",
    "events", "shared_events",
)  # fmt: skip


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file; a last line cut by a kill is left out."""
    try:
        with regular(path).open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError:
                    if line.endswith(b"\n"):
                        raise UsageError(f"{path}:{number}: not JSON", hint=DAMAGED) from None
                    return
                if not isinstance(row, dict):
                    raise UsageError(f"{path}:{number}: no JSON object", hint=DAMAGED)
                yield row
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None


def read_parts(run_dir: Path, stem: str) -> list[dict[str, Any]]:
    """All objects that the load processes wrote into `<stem>-<pid>.jsonl`."""
    return [row for path in parts(run_dir, stem) for row in read_lines(path)]


_KIND_OF = {"int": "Int64", "float": "float64", "bool": "boolean"}  # everything else is text
_KINDS: dict[str, Any] = {
    field.name: _KIND_OF.get(str(field.type).removesuffix(" | None"), TEXT) for field in fields(RequestRecord)
}


def typed(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as the table of records: every column of the contract, unknown as NA; in order of `scheduled_s`."""
    return _in_order(_with_resent(pd.DataFrame(rows, columns=list(COLUMNS)).astype(_KINDS)))


def _with_resent(records: pd.DataFrame) -> pd.DataFrame:
    """Rows without `resent` are of an older version, whose `attempt` counted how often a request was written."""
    older = records["resent"].isna() & records["attempt"].notna() & records["task"].isna()
    if older.any():
        records.loc[older, "resent"] = records.loc[older, "attempt"] - 1
        records.loc[older, "attempt"] = 1
    return records


def _in_order(records: pd.DataFrame) -> pd.DataFrame:
    if records["scheduled_s"].is_monotonic_increasing:
        return records
    return records.sort_values("scheduled_s", kind="stable", ignore_index=True)


def read_records(run_dir: Path) -> pd.DataFrame:
    """The load's records, one row an attempt: all that figures are made of."""
    return measured(read_rows(run_dir))


def read_load(run_dir: Path) -> pd.DataFrame:
    """All that was under way: the records, and the repeats of tasks that held their load."""
    return _without(read_rows(run_dir), "preflight", "retried")


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Without what is in no figure: requests of the preflight, tries that a rate limit refused, and repeats that only
    held a load.
    """
    return _without(rows, "preflight", "retried", "repeat")


def _without(rows: pd.DataFrame, *marks: str) -> pd.DataFrame:
    aside = rows[list(marks)].fillna(value=False).astype(bool).any(axis=1)
    return rows[~aside].reset_index(drop=True) if aside.any() else rows


def read_rows(run_dir: Path) -> pd.DataFrame:
    """All of the run's records, those that are in no figure too; from Parquet, or from the JSON lines of a run that was
    killed.
    """
    path = run_dir / f"{RECORDS}.parquet"
    if path.exists():
        with reading(path):
            return _in_order(_with_resent(read_frame(path, _KINDS)))
    rows = read_parts(run_dir, RECORDS)
    counted = {row.get("request_id"): row.get("output_tokens") for row in read_parts(run_dir, TOKENS)}
    for row in rows:
        if row.get("output_tokens") is None and row.get("request_id") in counted:
            row["output_tokens"] = counted[row.get("request_id")]
            row["token_source"] = "endpoint_tokenizer"
    with reading(run_dir / f"{RECORDS}-*.jsonl"):
        return typed(rows)


def read_answers(run_dir: Path) -> dict[str, str]:
    """The text that was judged, by request id; empty where the run did not keep it."""
    path = run_dir / f"{ANSWERS}.parquet"
    if not path.exists():
        return {row["request_id"]: row["text"] for row in read_parts(run_dir, ANSWERS)}
    with reading(path):
        frame = read_frame(path, {"request_id": TEXT, "text": TEXT})
        return dict(zip(frame["request_id"].to_list(), frame["text"].to_list(), strict=True))


def read_client(run_dir: Path) -> pd.DataFrame:
    """Samples of the load generator, one a second and process: `t_s, process, cpu` (of one core), `loop_lag_p50_s,
    loop_lag_max_s, schedule_lag_max_s, in_flight, asked` (null: an open load), `connections, clock_steps,
    found_closed`, and of the requests that ended meanwhile `events` and `shared_events` (out of one read with others).
    """
    path = run_dir / f"{CLIENT}.parquet"
    with reading(path):
        frame = read_frame(path) if path.exists() else pd.DataFrame(read_parts(run_dir, CLIENT))
        later = [name for name in _CLIENT_LATER if name in frame]
        return with_numbers(frame, (*_CLIENT_NUMBERS, *later))


def read_server_metrics(run_dir: Path) -> pd.DataFrame | None:
    """What the servers' /metrics said (`harness.metrics.catalogue`); None where they have no such page."""
    path = run_dir / f"{SERVER}.parquet"
    if path.exists():
        with reading(path):
            frame = with_numbers(read_frame(path), ("t_s", "value"), "name", "labels")
            for labels in frame["labels"].unique() if len(frame) else ():
                if not isinstance(orjson.loads(labels), dict):
                    raise ValueError(f"`labels` is no JSON object: {labels:.80}")
            return _told(frame)
    rows = read_parts(run_dir, SERVER)
    return _told(frame_of_scrapes(rows)) if rows else None


def _told(samples: pd.DataFrame) -> pd.DataFrame:
    """Without samples that tell nothing: a NaN, which Prometheus allows, and what no counter reaches."""
    if not len(samples):
        return samples
    return samples[(samples["value"].abs() < _MOST_COUNTED) & (samples["t_s"].abs() < LATEST_S)]


def read_arrivals(run_dir: Path) -> Arrivals | None:
    """When each event of each request arrived; None when the run kept no arrivals."""
    path = run_dir / f"{ARRIVALS}.parquet"
    if not path.exists():
        rows = read_parts(run_dir, ARRIVALS)
        return Arrivals.of({row["request_id"]: row["arrival_us"] for row in rows}) if rows else None
    with reading(path), pq.ParquetFile(path) as file:
        kind = file.schema_arrow.field("arrival_us").type
        if not (pa_types.is_list(kind) or pa_types.is_large_list(kind)):
            raise ValueError("`arrival_us` holds no lists")
        leaf = file.schema_arrow.get_field_index("arrival_us")
        groups = [file.metadata.row_group(n).column(leaf) for n in range(file.num_row_groups)]
        stamps_us = np.empty(sum(group.num_values for group in groups), np.int64)
        ids, lengths, filled = [], [np.empty(0, np.int64)], 0
        for batch in file.iter_batches(columns=["request_id", "arrival_us"]):
            lists = batch.column("arrival_us")
            flat = lists.flatten()
            stamps_us[filled : filled + len(flat)] = flat
            filled += len(flat)
            ids.append(batch.column("request_id").cast(pa.string()))
            lengths.append(pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
    return Arrivals(
        ids=pa.chunked_array(ids, pa.string()),
        offsets=offsets_of(np.concatenate(lengths)),
        stamps_us=stamps_us[:filled],
    )
