"""How sure the answer is, in tables and words: what was drawn, within whose range, and what came out."""

import re
from typing import Any

import pytest
from cost_cases import ARMS, manifest, metrics, smallest
from report_cases import changed

from harness.cost.verdict import build_decision
from harness.demand.demand import Demand
from harness.report.model import Table
from harness.report.money.doubt import doubt_blocks, resampling_words
from harness.rundir.decision import Decision


def decided(demand: Demand, goodput: float = 0.6) -> Decision:
    return build_decision(manifest(), metrics(goodput), demand, ARMS[:1])


def table(decision: Decision, caption: str) -> Table:
    (found,) = (one for one in doubt_blocks(decision) if isinstance(one, Table) and one.caption.startswith(caption))
    return found


def rows(shown: Table) -> dict[str, dict[str, tuple[str, str]]]:
    """Each row by its first cell: text and note of the others by column."""
    titles = [column.title for column in shown.columns][1:]
    return {
        row.cells[0].text: {title: (cell.text, cell.note) for title, cell in zip(titles, row.cells[1:], strict=True)}
        for row in shown.rows
    }


NO_VOLUME = {"tasks_per_month": None}


def test_every_input_shows_its_range_and_whose_it_is() -> None:
    month = smallest(items=[{"name": "people", "kind": "fte", "arm": "self_host", "fraction": 0.5}])

    shown = rows(table(decided(month), "The value at which the answer changes"))

    assert shown["tasks a month"]["range"] == ("200k to 800k", "assumed half to twice")
    assert shown["people"]["range"] == ("4,333 to 17,333", "assumed half to twice")  # 8,667: a quarter to one engineer
    assert shown["goodput"]["range"] == ("0.580 to 0.620", "measured")
    assert shown["peak to mean"]["range"] == ("1.00 to 2.50", "assumed 1 to 2.5")
    assert shown["API price"]["range"] == ("0.800 to 1.20", "assumed ±20 %")
    assert shown["load limit"]["range"] == ("80 % to 100 %", "assumed ±20 %, not drawn")


def test_a_range_of_the_demand_is_the_readers_own_and_one_of_equal_ends_holds_the_input() -> None:
    month = smallest(ranges={"tasks_per_month": (300_000, 500_000), "api_price": (1, 1), "max_load": (0.7, 0.9)})

    shown = rows(table(decided(month), "The value at which the answer changes"))

    assert shown["tasks a month"]["range"] == ("300k to 500k", "yours")
    assert shown["API price"]["range"] == ("1.00", "yours, not drawn")
    assert shown["load limit"]["range"] == ("70 % to 90 %", "yours")


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ({}, "Ranges that are measured, listed or given: of goodput; the others are assumed."),
        (
            {"tasks_per_month": (3e5, 5e5), "api_price": (0.7, 1)},
            "Ranges that are measured, listed or given: of tasks a month, goodput and API price; "
            "the others are assumed.",
        ),
    ],
)
def test_it_is_said_which_ranges_are_not_assumed(ranges: dict[str, tuple[float, float]], said: str) -> None:
    notes = table(decided(smallest(ranges=ranges)), "The value at which the answer changes").notes

    assert said in notes


def test_without_a_volume_the_draws_say_where_self_hosting_first_wins_and_nothing_of_a_volume() -> None:
    decision = decided(smallest(**NO_VOLUME))

    drawn, sure = rows(table(decision, "What was drawn")), rows(table(decision, "How sure that is"))

    assert set(drawn) == {"goodput", "price of an hour", "peak to mean", "attempts that fail", "API price"}
    assert set(sure[ARMS[0]]) == {"first wins from", "never wins", "for good", "measure better first"}
    middle, ends = sure[ARMS[0]]["first wins from"]
    assert re.fullmatch(r"6\d\dk", middle)  # 673k at the listed prices
    assert re.fullmatch(r"5\d\dk to 8\d\dk", ends)
    words = resampling_words(decision.arms[0])
    assert words.startswith("In 10,000 draws of what is uncertain, self-hosting first wins between 5")
    assert words.endswith("; every range but that of goodput is assumed.")
    assert "your volume" not in words


def test_without_a_volume_each_input_alone_says_what_it_does_to_the_first_win() -> None:
    people = {"name": "people", "kind": "fte", "arm": "self_host", "fraction": 0.5}
    ranges = {"people_usd_per_month": (0.0, 8666.67)}

    shown = rows(table(decided(smallest(**NO_VOLUME, items=[people], ranges=ranges)), "What was drawn"))

    # one box of 4,140.56 holds 1,576,800 tasks, worth 9,697.32: g 5,556.76. People at 0 are paid from 673,262 on; at
    # 8,666.67 by the second box, 1,576,800 to 3,153,600: (2 x 4,140.56 + 8,666.67) / 0.00615
    assert shown["people"][ARMS[0]] == ("673k to 2.76M", "")
    assert next(iter(shown)) == "peak to mean"  # what removes most of the doubt stands first
    assert shown["peak to mean"][ARMS[0]] == ("2.76M to never", "")  # K/2.5 x 0.00615 = 3,879 < 4,140.56


def test_where_hardly_a_draw_wins_it_is_never_and_no_number() -> None:
    decision = decided(smallest(**NO_VOLUME), goodput=0.02)  # its interval goes up to 0.62

    sure = rows(table(decision, "How sure that is"))

    assert sure[ARMS[0]]["first wins from"] == ("never", "the same in 90 % of the draws")
    assert re.fullmatch(r"9\d(\.\d)? %", sure[ARMS[0]]["never wins"][0])
    assert re.search(r"self-hosting never wins in 9\d(\.\d)? %", resampling_words(decision.arms[0]))


@pytest.mark.parametrize(
    ("quantiles", "never", "said"),
    [
        ((2e6, 5e6, 1.5e7), 0.0, "first wins between 2M and 15M tasks a month in 90 % (at 5M in the middle one)"),
        ((2e6, 5e6, None), 0.21, "first wins at 5M tasks a month in the middle one, below 2M in 5 % and never in 21 %"),
        ((2e6, None, None), 0.7, "never wins in 70 % and first wins below 2M tasks a month in 5 %"),
        ((5e6, 5e6, 5e6), 0.01, "first wins at 5M tasks a month and never in 1 %"),
        ((None, None, None), 0.99, "never wins in 99 %"),
    ],
)
def test_draws_without_a_volume_in_words(quantiles: tuple[float | None, ...], never: float, said: str) -> None:
    def turn(decision: dict[str, Any]) -> None:
        drawn = decision["arms"][0]["monte_carlo"]
        p05, p50, p95 = quantiles
        drawn["first_win_tasks_per_month"] = {"p05": p05, "p25": p50, "p50": p50, "p75": p50, "p95": p95}
        drawn["verdict_shares"]["never"] = never

    (arm,) = changed(decided(smallest(**NO_VOLUME)), turn).arms[:1]

    assert resampling_words(arm) == (
        f"In 10,000 draws of what is uncertain, self-hosting {said}; every range but that of goodput is assumed."
    )


def test_a_saving_that_no_draw_moves_is_said_to_be_the_same() -> None:
    held = dict.fromkeys(("api_price", "peak_to_mean"), (1.0, 1.0))
    held |= {"tasks_per_month": (4e5, 4e5), "usd_per_hour": (5.672, 5.672), "retry_failure_rate": (0.0, 0.0)}

    sure = rows(table(decided(smallest(ranges=held)), "How sure that is"))  # one box, not full at any goodput drawn

    assert sure[ARMS[0]]["saving"] == ("−1,681", "the same in 90 % of the draws")  # 2,460 - 4,140.56


@pytest.mark.parametrize(("removed", "said"), [(0.3, "people"), (0.004, "nothing: the answer is sure")])
def test_an_input_that_removes_next_to_no_doubt_is_not_to_be_measured_first(removed: float, said: str) -> None:
    def turn(decision: dict[str, Any]) -> None:
        decision["arms"][0]["monte_carlo"]["narrow_first"] = [
            {"input": "people_usd_per_month", "doubt_removed": removed}
        ]

    sure = rows(table(changed(decided(smallest()), turn), "How sure that is"))

    assert sure[ARMS[0]]["measure better first"][0] == said
