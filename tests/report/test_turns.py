"""Conversations turn by turn, as they are said and tabled."""

from pathlib import Path

from report_cases import case, changed

from harness.report import render_report
from harness.report.measured.turns import turn_blocks
from harness.report.model import Table, Text
from harness.rundir.of_step import Summary, TurnOfStep
from harness.rundir.results import Metrics

TURNS = tuple(
    TurnOfStep(
        turn=turn, requests=150, input_tokens=300.0 + 350 * turn, output_tokens=250.0,
        cached_tokens=None if turn == 0 else 290.0 + 350 * (turn - 1), entered=2 if turn == 1 else 0,
        ttft_s=Summary(n=150, mean=0.1, p50=0.1 * (turn + 1), p95=0.2 * (turn + 1)),
    )
    for turn in range(3)
)  # fmt: skip


def with_turns(metrics: Metrics) -> Metrics:
    """The figures with conversations in every step, of other lengths where it does not count."""
    assert metrics.decisive is not None
    counts = metrics.decisive.step
    steps = [
        step.model_copy(update={"turns": TURNS if step.step == counts else TURNS[:1], "mean_input_tokens": 650.0})
        for step in metrics.steps
    ]
    return metrics.model_copy(update={"steps": tuple(steps)})


def test_the_turns_of_the_step_that_counts_are_in_order_with_their_lengths() -> None:
    words, table = turn_blocks(with_turns(case("two_windows").metrics))

    assert isinstance(words, Text)
    assert isinstance(table, Table)
    assert "300 input tokens at turn 1, 1,000 at turn 3, on average 650" in words.text
    assert "at 4 users" in table.caption
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["1", "150", "300", "n/a", "250", "100", "200"],
        ["2", "150", "650", "290", "250", "200", "400"],
        ["3", "150", "1,000", "640", "250", "300", "600"],
    ]
    assert [row.cells[1].note for row in table.rows] == ["", "2 entered here", ""]


def test_both_reports_show_them_and_metrics_json_keeps_them(tmp_path: Path) -> None:
    one = case("two_windows")
    metrics = changed(with_turns(one.metrics), lambda data: None)  # as read from its file
    files = one._replace(metrics=metrics).under(tmp_path)

    render_report(files)

    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "Conversations, turn by turn" in text
        assert "1,000" in text


def test_a_run_without_conversations_has_no_such_section(tmp_path: Path) -> None:
    render_report(case("two_windows").under(tmp_path))

    assert turn_blocks(case("two_windows").metrics) == ()
    assert "turn by turn" not in (tmp_path / "report.html").read_text()
