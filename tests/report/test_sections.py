"""The order of the page, what of it is folded, and what is left out because nobody knows it."""

import re
from pathlib import Path
from typing import Any

import pytest
from report_cases import Case, case, changed

from harness.report import render_report
from harness.report.model import Cell, Section, Table, section, table_of
from harness.report.sections import build_report

NA = Cell("n/a")


def made(rows: list[tuple[Cell | str, ...]], *, notes: tuple[str, ...] = ()) -> Section:
    """A section of one table: a name, two numbers, words."""
    table = table_of(
        "prices",
        rows,
        ("way", None, lambda row: row[0]),
        ("a month", "USD", lambda row: row[1]),
        ("hours", "", lambda row: row[2]),
        ("source", None, lambda row: row[3]),
        notes=notes,
    )
    return section("x", "X", table)


def shown(of: Section) -> list[list[str]]:
    """Titles and rows of its table."""
    (table,) = of.blocks
    assert isinstance(table, Table)
    return [[column.title for column in table.columns], *([cell.text for cell in row.cells] for row in table.rows)]


def test_a_row_and_a_column_of_nothing_but_na_are_left_out_and_named() -> None:
    of = made(
        [("on demand", "65", NA, "a list"), (Cell("spot", "nobody lists it"), NA, NA, "a list")], notes=("First.",)
    )

    assert shown(of) == [["way", "a month", "source"], ["on demand", "65", "a list"]]
    assert of.blocks[0].notes == ("First.", "Left out, n/a throughout: spot (nobody lists it), hours.")  # type: ignore[union-attr]


def test_an_unknown_that_says_why_keeps_its_column() -> None:
    of = made([("on demand", "65", Cell("n/a", "no volume was given"), "a list")])

    assert shown(of)[0] == ["way", "a month", "hours", "source"]


def test_a_table_without_any_number_and_its_section_are_left_out() -> None:
    assert made([("on demand", NA, NA, "a list"), ("spot", NA, NA, "a list")]).blocks == ()


def test_a_table_that_is_known_wholly_is_as_it_was() -> None:
    of = made([("on demand", "65", "730", "a list")])

    assert shown(of) == [["way", "a month", "hours", "source"], ["on demand", "65", "730", "a list"]]
    assert of.blocks[0].notes == ()  # type: ignore[union-attr]


def order(given: Case) -> list[tuple[str, bool]]:
    """The sections of a run's report, and which are folded."""
    return [(part.id, part.folded) for part in build_report(given.under(Path("results/a-run"))).sections]


def test_what_if_stands_first_and_all_that_defends_the_answer_is_folded() -> None:
    found = order(case("two_windows"))

    assert found[:5] == [("what-if", False), ("needed", False), ("volume", False), ("arms", False), ("load", True)]
    assert all(folded for _, folded in found[4:])
    assert found[-2:] == [("method", True), ("words", True)]


def test_a_run_without_a_price_says_so_once_and_shows_its_load() -> None:
    assert order(case("partial"))[:2] == [("needed", False), ("load", False)]


def test_a_server_that_says_nothing_has_no_section_but_a_line_among_the_engines_facts(tmp_path: Path) -> None:
    def silent(data: dict[str, Any]) -> None:
        data["server"] = {"engine": "x", "note": "x has no /metrics"}

    run, metrics, decision = case("two_windows")
    given = Case(run, changed(metrics, silent), decision)
    render_report(given.under(tmp_path))
    markdown = (tmp_path / "report.md").read_text()

    assert "server" not in [name for name, _ in order(given)]
    assert "| its own counters | `x has no /metrics` |" in markdown


def test_where_every_task_is_taken_as_solved_at_once_nothing_is_said_of_it() -> None:
    assert "solved" not in [name for name, _ in order(case("two_windows"))]


@pytest.mark.parametrize("name", ["two_windows", "twelve_steps", "infeasible", "partial"])
def test_no_table_has_a_column_of_nothing_but_na(tmp_path: Path, name: str) -> None:
    render_report(case(name).under(tmp_path))
    html = (tmp_path / "report.html").read_text()

    for table in re.findall(r"<table>.*?</table>", html, re.DOTALL):
        rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in table.split("</tr>")[1:]]
        for column in zip(*[row for row in rows if row], strict=True):
            assert set(column) != {"n/a"}
