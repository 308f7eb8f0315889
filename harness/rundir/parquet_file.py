"""Reading a run's Parquet files: whatever is wrong with one is said in one line that names it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.base.errors import UsageError
from harness.base.text import printable
from harness.base.whole import regular

DAMAGED = "the file is damaged or was changed by hand; fetch the run directory again if there is a copy"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Reading this file: what is wrong with it in one line."""
    try:
        regular(path)
        yield
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, OverflowError) as error:
        # pyarrow's errors are these and tell several things at once; the last part is what is wrong
        said = getattr(error, "strerror", None) or str(error)
        reason = " ".join(said.split(": ")[-1].split())
        raise UsageError(f"cannot read {path}: {printable(reason)}", hint=DAMAGED) from None


TEXT = pd.StringDtype("pyarrow")  # an eighth of the memory of a Python string each


def read_frame(path: Path, kinds: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """The table in a Parquet file, text as `TEXT`; with `kinds` just these columns, as these types.

    One column after the other, so that a large file is in memory once and not in three forms.
    """
    texts = {pa.string(): TEXT, pa.large_string(): TEXT}
    with pq.ParquetFile(path) as file:
        columns = {
            name: file.read([name]).to_pandas(types_mapper=texts.get)[name]
            for name in file.schema_arrow.names
            if kinds is None or name in kinds
        }
        rows = file.metadata.num_rows
    if kinds is None:
        return pd.DataFrame(columns)
    return pd.DataFrame(
        {
            name: columns.pop(name).astype(kind) if name in columns else pd.Series(None, index=range(rows), dtype=kind)
            for name, kind in kinds.items()
        }
    )


def with_numbers(frame: pd.DataFrame, numbers: Sequence[str], *others: str) -> pd.DataFrame:
    """The frame, `numbers` as floats; an empty one may have no columns at all.

    Raises:
        ValueError: a column is missing, or holds what is no number.
    """
    if not len(frame):
        return frame
    for name in (*numbers, *others):
        if name not in frame:
            raise ValueError(f"it has no column `{name}`")
    for name in numbers:
        try:
            frame[name] = frame[name].astype("float64")
        except (ValueError, TypeError):
            raise ValueError(f"column `{name}` holds what is no number") from None
    return frame
