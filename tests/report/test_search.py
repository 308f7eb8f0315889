"""A search in the report: its probes in order, which one gives the goodput, and why it ended."""

import io
from pathlib import Path
from typing import Any

import pytest
from report_cases import case, changed
from rich.console import Console

from harness.report import console_report, render_report
from harness.report.measured.steps import search_blocks
from harness.report.model import Table, Text
from harness.rundir.results import Metrics

ENDED = {"search": {"reason": "found", "text": "2 users pass, 3 users fail"}}


def probe(step: int, users: int, met: bool | None, goodput: float | None, **more: Any) -> dict[str, Any]:
    return {
        "step": step,
        "load": {"kind": "search", "users": users},
        "window": {"start_s": 100.0 * step, "end_s": 100.0 * step + 25},
        "requests": 140,
        "slo_met": met,
        "goodput_requests_per_s": goodput,
    } | more


METRICS = Metrics.model_validate(
    {
        "steps": [probe(0, 1, True, 1.5), probe(1, 2, True, 2.5), probe(2, 4, False, 0.5), probe(3, 3, False, 0.75)],
        "goodput": {"requests_per_s": 2.5, "step": 1},
    }
)


def table_of(metrics: Metrics) -> Table:
    _, table = search_blocks(ENDED, metrics)
    assert isinstance(table, Table)
    return table


def test_the_probes_stand_in_the_order_they_were_made() -> None:
    rows = [[cell.text for cell in row.cells] for row in table_of(METRICS).rows]

    assert rows == [
        ["1", "1 user", "passes", "25.0", "140", "1.50"],
        ["2", "2 users", "passes", "25.0", "140", "2.50"],
        ["3", "4 users", "fails", "25.0", "140", "0.500"],
        ["4", "3 users", "fails", "25.0", "140", "0.750"],
    ]
    assert [row.strong for row in table_of(METRICS).rows] == [False, True, False, False]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"over_saturated": True}, "fails: the queue grew"),
        ({"given_up": True}, "fails: cut, it could not pass any more"),
        ({"slo_met": None}, "not judged"),
        ({"slo_verdict": "not_sure"}, "fails"),
    ],
)
def test_a_probe_says_why_it_counts_as_it_does(facts: dict[str, Any], words: str) -> None:
    table = table_of(Metrics.model_validate({"steps": [probe(0, 1, False, None, **facts)]}))

    assert table.rows[0].cells[2].text == words
    assert table.rows[0].cells[5].text == "n/a"
    assert table.rows[0].cells[2].note == ("not surely" if "slo_verdict" in facts else "")
    assert not table.rows[0].strong


def test_the_reason_to_stop_is_said_first() -> None:
    assert search_blocks(ENDED, METRICS)[0] == Text("The search ended (found): 2 users pass, 3 users fail.")


def test_a_search_that_was_cut_short_is_said_to_be() -> None:
    assert search_blocks({}, METRICS)[0] == Text("The search did not come to an end: the run was cut short.", "warn")


def test_every_printer_has_the_search(tmp_path: Path) -> None:
    given = case("two_windows")
    metrics = changed(given.metrics, lambda m: [step["load"].update(kind="search") for step in m["steps"]])
    given.run.client |= ENDED
    files = given._replace(metrics=metrics).under(tmp_path)

    render_report(files)
    console = Console(width=100, file=io.StringIO())
    console.print(console_report(files))
    assert isinstance(console.file, io.StringIO)
    said_in_terminal = console.file.getvalue()

    for said in ((tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()):
        assert "How the search went" in said
        assert "2 users pass, 3 users fail" in said
    assert "The search ended (found): 2 users pass, 3 users fail" in said_in_terminal


def test_a_ladder_has_no_search_section(tmp_path: Path) -> None:
    files = case("two_windows").under(tmp_path)

    render_report(files)

    assert "How the search went" not in (tmp_path / "report.html").read_text()
    assert search_blocks(files.run.client, files.metrics) == ()
