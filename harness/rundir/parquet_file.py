"""Reading a run's Parquet files: whatever is wrong with one is said in one line that names it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.base.errors import UsageError

DAMAGED = "the file is damaged or was changed by hand; fetch the run directory again if there is a copy"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Reading this file: what is wrong with it in one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        # pyarrow's errors are these and tell several things at once; the last part is what is wrong
        reason = " ".join(str(error).split(": ")[-1].split())
        raise UsageError(f"cannot read {path}: {reason}", hint=DAMAGED) from None


TEXT = pd.StringDtype("pyarrow")  # an eighth of the memory of a Python string each


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The table in a Parquet file as Arrow has it."""
    # a parent folder named a=b is no column of it
    return pq.read_table(path, columns=columns, partitioning=None)


def read_frame(path: Path) -> pd.DataFrame:
    """The table in a Parquet file, text as `TEXT`."""
    texts = {pa.string(): TEXT, pa.large_string(): TEXT}
    frame: pd.DataFrame = read_table(path).to_pandas(
        types_mapper=texts.get, split_blocks=True, self_destruct=True
    )
    return frame


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
