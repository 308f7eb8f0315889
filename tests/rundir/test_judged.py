"""Verdicts on disk."""

from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.rundir.judged import Verdict, read_judged, write_judged, write_round

FIRST = [Verdict("r1", "a", 1, True, "", "json"), Verdict("r2", "b", 1, None, "nobody knows: ü\u2028", "judge")]
SECOND = [Verdict("r3", "b", 2, False, "no", "judge")]


def test_rounds_are_read_in_their_order_until_there_is_one_file(tmp_path: Path) -> None:
    write_round(tmp_path, 10, SECOND)
    write_round(tmp_path, 2, FIRST)

    assert read_judged(tmp_path) == [*FIRST, *SECOND]

    write_judged(tmp_path, [*SECOND, *FIRST])

    assert read_judged(tmp_path) == [*SECOND, *FIRST]


@pytest.mark.parametrize("verdicts", [[], FIRST, [Verdict("r", "t", 1, None, "", "x")]])
def test_verdicts_read_back_as_they_were_written(tmp_path: Path, verdicts: list[Verdict]) -> None:
    write_judged(tmp_path, verdicts)

    assert read_judged(tmp_path) == verdicts


def test_a_run_without_verdicts_has_none(tmp_path: Path) -> None:
    assert read_judged(tmp_path) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "judged.parquet").write_bytes(b"PAR1 not really")

    with pytest.raises(UsageError, match=r"judged\.parquet"):
        read_judged(tmp_path)
