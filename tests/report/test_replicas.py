"""Several URLs in the report: a table of them, and what they were taken as."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from replica_cases import REFUSED, URLS, analysed, manifest, rows
from report_cases import case, changed, decision_of
from rich.console import Console

from harness.report.measured.replicas import replicas_table
from harness.report.model import RunFiles
from harness.report.render.console import render_console
from harness.report.render.html import render_html
from harness.report.render.markdown import render_markdown
from harness.report.sections import build_report
from harness.report.trust.provenance import reproduce
from harness.report.verdict import verdict_note

RUN_DIR = Path("results/run")
A, B = URLS


def dead_in_second(step: int, n: int) -> dict[str, Any]:
    return REFUSED if step and n % 2 else {}


def test_the_table_is_of_the_step_that_gives_the_goodput() -> None:
    table = replicas_table(analysed(rows(2, URLS), manifest(), steps=2))

    assert table is not None
    assert table.caption == "Each replica, in step 2 (4 requests/s)"
    assert [[cell.text for cell in row.cells[:3]] for row in table.rows] == [[A, "60", "0"], [B, "60", "0"]]


def test_where_a_replica_fails_the_table_shows_the_step_in_which_it_does() -> None:
    table = replicas_table(analysed(rows(2, URLS, dead_in_second), manifest(), steps=2))

    assert table is not None
    assert table.caption.startswith("Each replica, in step 2")
    assert (table.rows[1].cells[2].text, table.rows[1].cells[2].note) == ("60", "fails by itself")


def test_a_single_url_has_no_table() -> None:
    assert replicas_table(analysed(rows(1, (A,)), manifest((A,)))) is None


def test_html_and_markdown_show_every_replica_and_the_console_only_what_a_check_says() -> None:
    def report_of(**kind: Any) -> tuple[str, str, str]:
        report = build_report(RunFiles(RUN_DIR, manifest(), analysed(rows(1, URLS, **kind), manifest()), None))
        out = StringIO()
        Console(file=out, width=100, no_color=True).print(render_console(report, None))
        return render_html(report, None), render_markdown(report).replace("\u200b", ""), out.getvalue()

    for text in report_of()[:2]:
        assert A in text
        assert B in text
    assert B not in report_of()[2]
    assert f"replica {B} answered none of its 30 requests" in report_of(change=lambda _, n: dead_in_second(1, n))[2]


def test_what_was_taken_as_a_box_stands_beside_the_verdict() -> None:
    taken = changed(
        decision_of("two_windows"), lambda d: d["self_host"]["instance"].update(replicas_driven=4, instances_driven=4.0)
    )

    assert verdict_note(taken).startswith("4 URLs taken as 4 boxes, as asked for: one instance serves 0.600 req/s")
    assert "taken as" not in verdict_note(decision_of("two_windows"))


@pytest.mark.parametrize(
    ("instance", "option"),
    [
        ({"replicas": 4, "replicas_driven": 1}, ["--replicas-per-instance", "4"]),
        ({"replicas": 2, "replicas_driven": 2}, ["--replicas-per-instance", "2"]),
        ({"replicas": 1, "replicas_driven": 4, "boxes": 2}, ["--boxes", "2"]),
        ({"replicas": 1, "replicas_driven": 4}, []),
    ],
    ids=str,
)
def test_the_command_that_repeats_a_run_says_what_was_said_of_its_boxes(
    instance: dict[str, int], option: list[str]
) -> None:
    given = case("two_windows")
    given.run.instance = given.run.instance | instance

    said = reproduce(given.under(RUN_DIR))[1].split()

    assert [word for word in said if word in ("--replicas-per-instance", "--boxes")] == option[:1]
    assert " ".join(option) in " ".join(said)
