"""After the load: the JSON lines of the load processes become Parquet."""

from pathlib import Path

import pandas as pd

from harness.base.whole import written_whole
from harness.rundir.files import ANSWERS, ARRIVALS, CLIENT, RECORDS, SERVER, TEXTS, TOKENS, parts
from harness.rundir.read import read_client, read_parts, read_rows, read_server_metrics


def collect(run_dir: Path, *, keep_text: bool = False) -> None:
    """Turn the JSON lines of the load processes into Parquet, then remove them.

    The lines go only after the Parquet file has its final name: nothing measured is lost in between. `keep_text`: what
    a task run has judged stays too.
    """
    _collect(run_dir, RECORDS, read_rows(run_dir))
    _collect(run_dir, CLIENT, read_client(run_dir))
    said = read_server_metrics(run_dir)
    if said is not None:
        _collect(run_dir, SERVER, said)
    arrivals = read_parts(run_dir, ARRIVALS)
    if arrivals:
        _collect(run_dir, ARRIVALS, pd.DataFrame(arrivals))
    answers = read_parts(run_dir, ANSWERS)
    if answers and keep_text:
        _collect(run_dir, ANSWERS, pd.DataFrame(answers))
    for stem in (TEXTS, TOKENS, ANSWERS):  # their content is in the records now, or was judged
        for part in parts(run_dir, stem):
            part.unlink()


def _collect(run_dir: Path, stem: str, frame: pd.DataFrame) -> None:
    path = run_dir / f"{stem}.parquet"
    if path.exists():
        return
    hint = f"the rows are safe in {run_dir}/{stem}-*.jsonl; free some space, then `breakeven report`"
    with written_whole(path, hint=hint) as place:
        frame.to_parquet(place, index=False)
    for part in parts(run_dir, stem):
        part.unlink()


def has_rows(run_dir: Path) -> bool:
    """Whether the run has measured anything."""
    return (run_dir / f"{RECORDS}.parquet").exists() or any(path.stat().st_size for path in parts(run_dir, RECORDS))
