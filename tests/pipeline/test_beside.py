"""Engines that were measured one after the other: each one's report shows the others."""

import shutil
from pathlib import Path

import pytest
from report_cases import write_case

from harness.pipeline.analyse import read_written, set_beside
from harness.report import build_report
from harness.rundir.files import read_manifest

TITLE = "The engines side by side"


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two runs of one folder, set beside each other."""
    for name in ("one", "other"):
        write_case("two_windows", tmp_path / name)
    set_beside([read_written(tmp_path / name) for name in ("one", "other")])
    return [tmp_path / "one", tmp_path / "other"]


def test_each_report_shows_the_other_and_each_run_names_it(runs: list[Path]) -> None:
    one, other = runs

    assert (read_manifest(one).beside, read_manifest(other).beside) == (["other"], ["one"])
    assert all(TITLE in (run / "report.md").read_text() for run in runs)


def test_a_run_read_alone_has_no_such_section(runs: list[Path]) -> None:
    alone = build_report(read_written(runs[0]))

    assert TITLE not in [section.title for section in alone.sections]


def test_a_run_that_is_gone_is_left_out(runs: list[Path]) -> None:
    from harness.pipeline.analyse import _beside

    one, other = runs
    manifest = read_manifest(one)
    assert [found.run_dir for found in _beside(one, manifest)] == [other]

    shutil.rmtree(other)

    assert list(_beside(one, manifest)) == []
