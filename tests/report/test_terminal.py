"""The report in terminals of any width: what is left out, what is wrapped, and what is drawn."""

import io
import re
from pathlib import Path

import pytest
from report_cases import NAMES, case, changed
from rich.console import Console, RenderableType

from harness.report import console_report
from harness.report.model import Cell, Column, Dot, Plot, Row, Table
from harness.report.render.fitted import Fitted
from harness.report.render.plot import Plots


def shown(what: RenderableType, width: int, *, encoding: str = "utf-8") -> list[str]:
    """The lines on a terminal of that width."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    Console(file=file, width=width, no_color=True, force_terminal=True, highlight=False).print(what)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in raw.getvalue().decode(encoding).splitlines()]


def report_of(name: str, width: int) -> list[str]:
    return shown(console_report(case(name).under(Path("results/a-run"))), width)


def a_table(*titles: tuple[str, int], rows: list[list[str]]) -> Table:
    columns = tuple(Column(title, right=i > 0, spare=spare) for i, (title, spare) in enumerate(titles))
    return Table("", columns, tuple(Row(tuple(map(Cell, row))) for row in rows))


ARMS = a_table(
    ("arm", 0), ("USD", 0), ("wins from", 2), ("needed", 1), rows=[["groq:openai/gpt-oss-20b", "0.05", "1.91M", "9.44"]]
)


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    assert max(len(line) for line in report_of(name, width)) <= width


@pytest.mark.parametrize("width", [80, 140])
def test_a_priced_run_shows_its_steps_too(width: int) -> None:
    lines = report_of("two_windows", width)

    assert any(line.startswith("load steps") for line in lines)
    assert [line for line in lines if re.search(r"\b4 users\b.*\bmet\b", line)]


def titles(width: int) -> set[str]:
    lines = shown(Fitted(ARMS), width)
    rule = next(i for i, line in enumerate(lines) if line.startswith("──"))
    return set(" ".join(lines[:rule]).split())


def test_a_wide_table_has_every_column_and_a_narrow_one_leaves_the_spare_ones_out_one_by_one() -> None:
    # the name is 23, the others 4, 5 (its title goes on below) and 6, and between two columns are 2
    assert [titles(width) for width in (44, 43, 37, 36, 29)] == [
        {"arm", "USD", "wins", "from", "needed"},
        {"arm", "USD", "needed"},
        {"arm", "USD", "needed"},
        {"arm", "USD"},
        {"arm", "USD"},
    ]


def test_a_name_is_wrapped_only_where_nothing_is_left_to_leave_out() -> None:
    # wrapped it is 11 ("gpt-oss-20b"): with 4 and 6 and two gaps of 2 that is 25, and 32 with the other 5
    assert not [line for line in shown(Fitted(ARMS), 29) if line.startswith("gpt-oss-20b")]
    assert [line for line in shown(Fitted(ARMS), 28) if line.startswith("gpt-oss-20b")]
    assert titles(28) == {"arm", "USD", "needed"}


@pytest.mark.parametrize("width", range(17, 60))
def test_a_name_goes_on_in_the_next_line_only_behind_a_colon_or_a_slash(width: int) -> None:
    lines = shown(Fitted(ARMS), width)

    said = [line.split()[0] for line in lines if line.startswith(("groq", "openai", "gpt"))]
    assert "".join(said) == "groq:openai/gpt-oss-20b"
    assert all(part[-1] in ":/" for part in said[:-1])


def test_what_fits_no_table_is_a_name_and_a_paragraph() -> None:
    # no column is spare: 23 + 2 + 11 + 2 + 7 is 45
    table = a_table(("arm", 0), ("wins", 0), ("needed", 0), rows=[["claude-sonnet-5-5-large", "not decided", "9.44"]])

    assert shown(Fitted(table), 40) == ["claude-sonnet-5-5-large", "  wins not decided · needed 9.44"]
    assert shown(Fitted(table), 25) == ["claude-sonnet-5-5-large", "  wins not decided", "  needed 9.44"]


def test_a_number_is_never_parted_from_what_stands_behind_it() -> None:
    table = a_table(("load", 0), ("first token", 0), rows=[["16 users", "1,200 ms*"]])

    assert "1,200 ms*" in "\n".join(shown(Fitted(table), 17))


RATE = Plot(
    "Requests per second", "req/s", "users at once",
    (("finished", (Dot(1, 0, True), Dot(3, 5, True), Dot(5, 10, False))),), (("limit", 5.0),),
)  # fmt: skip


def test_points_stand_where_their_load_and_value_are() -> None:
    lines = shown(Plots((RATE,)), 40)
    drawing = lines[2:10]

    # eight rows from 0 to 10.5: 0 in the lowest, 10 in the highest, 5 in the middle, at the left, middle and right end
    assert [line.index("┤") for line in drawing] == [5] * 8  # the limit's "5.00" stands in its row
    assert drawing[7].startswith("   0 ┤●")
    assert drawing[0][-1] == "✕"
    assert len(drawing[0]) == 40
    middle = next(line for line in drawing if "┄" in line)
    assert middle.startswith("5.00 ┤┄")
    assert middle[6 + 34 // 2] == "●"
    assert lines[1] == "● finished  ┄┄ limit 5.00  ✕ SLO broken"
    assert lines[11].split() == ["1", "3", "5"]


def test_a_terminal_without_unicode_is_drawn_in_ascii() -> None:
    text = "\n".join(shown(Plots((RATE,)), 60, encoding="ascii"))

    assert text.isascii()
    assert "o finished  -- limit 5.00  x SLO broken" in text
    assert "..." in text


def test_two_drawings_stand_beside_each_other_where_there_is_room() -> None:
    assert len(shown(Plots((RATE, RATE)), 140)) == 13
    assert len(shown(Plots((RATE, RATE)), 80)) == 26


def test_a_small_load_is_not_hidden_by_a_large_one() -> None:
    loads = (1, 8, 64)  # equal steps of a logarithmic axis
    plot = Plot("Rate", "req/s", "users at once", (("finished", tuple(Dot(n, 1.0, True) for n in loads)),))

    lines = shown(Plots((plot,)), 44)

    ticks = [i for i, sign in enumerate(lines[10]) if sign == "┬"]
    assert ticks[2] - ticks[1] == pytest.approx(ticks[1] - ticks[0], abs=1)
    assert lines[12].strip() == "users at once (log scale)"


def test_a_run_of_one_load_draws_nothing() -> None:
    assert "users at once" in "\n".join(report_of("twelve_steps", 100))
    for name in NAMES:
        loads = {step.load.size for step in case(name).metrics.steps}
        if len(loads) == 1:
            assert "users at once" not in "\n".join(report_of(name, 100))


def test_what_failed_is_named_under_the_steps() -> None:
    lines = report_of("two_windows", 80)

    assert "failed: truncated x 1" in lines


def test_of_very_many_steps_the_first_and_the_last_are_shown() -> None:
    given = case("twelve_steps")
    many = changed(given.metrics, lambda raw: raw.update(steps=raw["steps"] * 3))

    lines = shown(console_report(given._replace(metrics=many).under(Path("results/a-run"))), 100)

    assert "12 steps between them: see the report" in lines
    assert len([line for line in lines if re.match(r" +\d+ +\d+ users? ", line)]) == 24
