"""Runs over time: which changes are larger than their intervals."""

from pathlib import Path
from typing import Any

import pytest
from report_cases import run_of, write_case

from harness.cli import invoke
from harness.report.compare.trend import Entry, trend, trend_report
from harness.report.model import RunFiles


def day(number: int, low: float, value: float, high: float | None, **changes: Any) -> RunFiles:
    """The run of a day of March that served so much."""
    started = f"2026-03-{number:02}T00:00:00+00:00"
    return run_of(directory=f"day-{number}", started_at=started, goodput=(low, value, high), **changes)


def changes(*runs: RunFiles) -> list[int]:
    return [entry.number for entry in trend(runs) if entry.is_change]


def test_runs_are_taken_in_order_of_time_whatever_order_they_are_named_in() -> None:
    entries = trend([day(3, 0.5, 0.6, 0.7), day(1, 0.5, 0.6, 0.7), day(2, 0.5, 0.6, 0.7)])

    assert [entry.run.run_dir.name for entry in entries] == ["day-1", "day-2", "day-3"]
    assert [entry.why_not for entry in entries] == ["the first", "", ""]


def test_a_change_is_one_whose_whole_interval_lies_on_one_side() -> None:
    steady, less, back = day(1, 0.59, 0.6, 0.61), day(2, 0.49, 0.5, 0.51), day(3, 0.48, 0.52, 0.56)

    assert changes(steady, less, back) == [2]  # 0.833 (0.810 to 0.857), then 1.04 (0.96 to 1.12)


def test_each_scenario_engine_and_instance_is_a_line_of_its_own() -> None:
    other = {"name": "tgi", "version": "3.3", "flags": {}}
    runs = [day(1, 0.59, 0.6, 0.61), day(2, 0.29, 0.3, 0.31, engine=other), day(3, 0.59, 0.6, 0.61)]

    entries = trend(runs)

    assert [entry.why_not for entry in entries] == ["the first", "the first", ""]
    assert changes(*runs) == []


def test_what_changed_beside_it_is_named() -> None:
    newer = {"name": "vllm", "version": "9.9.9", "flags": {"max_num_seqs": 256}}

    report = trend_report(trend([day(1, 0.59, 0.6, 0.61), day(2, 0.49, 0.5, 0.51, engine=newer)]))

    assert report.headline.startswith("1 change larger than the intervals: run 2 (")
    assert "served 0.833 (0.812 to 0.855) times what the one before did" in report.headline
    assert "engine version" in report.headline


def test_other_work_is_no_change() -> None:
    runs = [day(1, 0.59, 0.6, 0.61), day(2, 0.29, 0.3, 0.31, quantization="fp8")]

    assert changes(*runs) == []
    assert trend(runs)[1].why_not == "the work was unequal (quantisation)"


def test_without_a_change_it_says_of_how_many_runs() -> None:
    report = trend_report(trend([day(n, 0.5, 0.6, 0.7) for n in (1, 2, 3)]))

    assert report.headline == "No change larger than the intervals in 3 runs"


def test_a_run_without_a_goodput_is_no_end_of_the_line() -> None:
    entries: tuple[Entry, ...] = trend([run_of("infeasible", "a", started_at="2026-03-01T00:00:00+00:00")])

    report = trend_report(entries)

    assert report.console_table is not None
    assert report.console_table.rows[0].cells[3].text == "none"


def test_the_command_writes_the_drawing_and_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        write_case("two_windows", tmp_path / name)

    code = invoke(["compare", "--trend", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")])

    assert code == 0
    assert "No change larger than the intervals in 2 runs." in capsys.readouterr().out
    assert "<svg" in (tmp_path / "out" / "trend.html").read_text()
    assert (tmp_path / "out" / "trend.md").read_text().startswith("# trend")


def test_a_trend_is_no_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        write_case("two_windows", tmp_path / name)

    assert invoke(["compare", "--trend", str(tmp_path / "a"), str(tmp_path / "b"), "--fail-over", "5%"]) == 2
    assert capsys.readouterr().err.startswith("error: --trend goes with --out alone\n")


def test_a_run_that_is_not_sound_hides_no_loss_that_comes_after_it() -> None:
    broken = run_of("errors", "day-2", started_at="2026-03-02T00:00:00+00:00", goodput=(0.59, 0.6, 0.61))
    none = run_of("infeasible", "day-2", started_at="2026-03-02T00:00:00+00:00")

    for between in (broken, none):
        entries = trend([day(1, 0.59, 0.6, 0.61), between, day(3, 0.29, 0.3, 0.31)])
        assert [entry.ratio is not None for entry in entries] == [False, False, True]
        assert entries[2].is_change


def test_no_goodput_any_more_is_a_change() -> None:
    gone = run_of("infeasible", "day-2", started_at="2026-03-02T00:00:00+00:00")

    report = trend_report(trend([day(1, 0.59, 0.6, 0.61), gone, day(3, 0.59, 0.6, 0.61)]))

    assert report.headline.startswith("1 change larger than the intervals: run 2 (")
    assert ") has no goodput any more" in report.headline
