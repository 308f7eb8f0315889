"""The tables of money, on a decision as the cost model makes it: 5.672 USD/h at 0.6 requests/s against 3/15 USD."""

import re
from pathlib import Path

from cost_cases import manifest, metrics, smallest
from report_cases import case

from harness.cost.verdict import build_decision
from harness.demand.demand import Demand
from harness.report.model import Table
from harness.report.money.money import console_arms_table, per_mtok_table, splits_table, volume_table
from harness.report.render.markdown import render_markdown
from harness.report.sections import build_report
from harness.rundir.decision import Decision


def decided(demand: Demand) -> Decision:
    return build_decision(manifest(), metrics(), demand, ["anthropic:claude-sonnet-4-6"])


def column(table: Table | None, title: str) -> list[str]:
    assert table is not None
    place = [one.title for one in table.columns].index(title)
    return [row.cells[place].text for row in table.rows]


def test_a_step_has_one_number_in_the_whole_report() -> None:
    decision = decided(smallest())  # the first step sets the goodput, the second has most output

    table = splits_table(decision)

    assert column(per_mtok_table(decision), "step") == ["1", "2"]
    assert table is not None
    assert table.caption.endswith("at step 1")
    assert [fact.source for fact in decision.provenance if fact.what == "goodput"] == ["step 1 of this run"]


def test_a_volume_is_rounded_alike_in_a_sentence_a_table_and_a_drawing() -> None:
    # 5.672 x 730 / 0.00615 = 673,262
    given = case("two_windows")._replace(decision=decided(smallest()))

    report = build_report(given.under(Path("a-run")))
    said = render_markdown(report)

    assert "self-hosting wins from 673k on" in report.verdicts[0].sentence
    assert len(re.findall(r"\b673k\b", said)) >= 3
    assert "673,26" not in said


def test_the_consoles_table_has_months_where_there_is_a_volume_else_what_people_change() -> None:
    people = [{"name": "people", "kind": "fte", "arm": "self_host", "fraction": 0.5}]
    titles = [
        [column.title for column in console_arms_table(decided(smallest(tasks_per_month=tasks, items=items))).columns]
        for tasks, items in ((400_000, people), (None, people), (None, []))
    ]

    assert [{"API/month", "self/month"} <= set(one) for one in titles] == [True, False, False]
    assert ["no people" in one for one in titles] == [False, True, False]


def test_the_readers_own_volume_is_never_rounded() -> None:
    given = case("two_windows")._replace(decision=decided(smallest(tasks_per_month=673_300)))

    said = render_markdown(build_report(given.under(Path("a-run"))))

    assert "At your 673,300 tasks a month" in said
    assert "Your volume is 673,300 tasks a month" in said
    assert "| **673,300** |" in said  # beside 673k, where self-hosting begins to win


def test_volumes_next_to_each_other_have_the_digits_that_tell_them_apart() -> None:
    # 8,667 USD of people over a box of 65 USD: wins to 16.27M, again from 16.29M
    box = manifest(id="c7i.large")
    people = {"name": "people", "kind": "fte", "fraction": 0.5}
    demand = smallest(items=[people | {"arm": "self_host"}])
    decision = build_decision(box, metrics(0.1346153846153846), demand, ["openai:gpt-6-luna"])

    shown = column(volume_table(decision), "tasks a month")

    assert len(shown) == len(set(shown))


def test_at_the_volume_where_both_cost_the_same_the_table_says_so() -> None:
    table = volume_table(decided(smallest()))

    assert table is not None
    row = next(row for row in table.rows if row.cells[0].text == "673k")
    assert row.cells[4].note == "both cost the same"
