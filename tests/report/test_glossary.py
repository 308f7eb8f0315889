"""The field's words: what a report uses is explained, on the page where it stands first."""

from dataclasses import replace

import pytest
from report_cases import NAMES, run_of

from harness.report.glossary import TERMS, explained, with_glossary
from harness.report.model import Table
from harness.report.sections import build_report


def test_a_word_is_explained_where_it_stands_first_and_not_again() -> None:
    said = str(explained("goodput is what counts; goodput again"))

    assert said == f'<abbr title="{TERMS["goodput"]}">goodput</abbr> is what counts; goodput again'


def test_a_plural_is_the_same_word() -> None:
    assert str(explained("800 tokens in")) == f'800 <abbr title="{TERMS["token"]}">tokens</abbr> in'


def test_a_part_of_another_word_is_none() -> None:
    assert str(explained("tokenizer, SLOW, charm")) == "tokenizer, SLOW, charm"


def test_the_longest_term_wins() -> None:
    assert str(explained("a frontier API")).endswith(">frontier API</abbr>")


def test_everyday_words_are_left_alone_in_a_sentence() -> None:
    assert str(explained("open since noon, closed at night")) == "open since noon, closed at night"


def test_what_came_from_outside_cannot_become_markup() -> None:
    said = str(explained("<script>goodput</script>"))

    assert said.startswith("&lt;script&gt;<abbr ")
    assert said.endswith("&lt;/script&gt;")


@pytest.mark.parametrize("name", NAMES)
def test_each_report_ends_with_the_words_that_it_uses(name: str) -> None:
    *_, words = build_report(run_of(name)).sections

    (table,) = words.blocks
    assert isinstance(table, Table)
    assert words.title == "Words used here"
    assert {"SLO", "TTFT"} <= {row.cells[0].text for row in table.rows}


def test_a_report_without_any_of_them_has_no_such_section() -> None:
    report = build_report(run_of())
    bare = replace(report, headline="h", facts=(), verdicts=(), sections=(), measured="m", verdict_note="", notices=())

    assert with_glossary(bare).sections == ()


@pytest.mark.parametrize(
    ("load", "words"),
    [("closed, 4 steps, 515 requests", {"closed"}), ("open, 2 steps", {"open"}), ("search over users", set())],
)
def test_only_the_kind_of_the_reports_own_load_is_explained(load: str, words: set[str]) -> None:
    report = build_report(run_of())  # its command to read run.json calls Python's open

    *_, section = with_glossary(replace(report, facts=(("load", load),), sections=report.sections[:-1])).sections

    (table,) = section.blocks
    assert isinstance(table, Table)
    assert {row.cells[0].text for row in table.rows} & {"open", "closed"} == words
