"""What the box of each run costs, and from where it pays."""

from dataclasses import replace

from report_cases import run_of

from harness.report.compare.page import beside_blocks, comparison_money
from harness.report.compare.runs import compare_runs
from harness.report.model import RunFiles, Table
from harness.rundir.decision import People


def money(*runs: RunFiles) -> Table:
    table = comparison_money(compare_runs(runs))
    assert table is not None
    return table


def test_each_run_has_its_month_and_from_where_it_wins_against_each_api() -> None:
    table = money(run_of(directory="one"), run_of("never", "other"))

    titles = [column.title for column in table.columns]
    one, other = ({title: cell.text for title, cell in zip(titles, row.cells, strict=True)} for row in table.rows)
    arm = titles[3]
    assert (one["run"], other["run"]) == ("one", "other")
    assert one[arm].endswith("M")  # 2.76M, worked by hand in report_cases
    assert other[arm] == "never"


def test_an_api_that_only_one_run_has_is_not_compared_in_the_other() -> None:
    one = run_of(directory="one")
    assert one.decision is not None
    renamed = one.decision.model_copy(
        update={"arms": tuple(arm.model_copy(update={"name": "other:model"}) for arm in one.decision.arms)}
    )

    table = money(one, replace(run_of(directory="two"), decision=renamed))

    assert [cell.text for cell in table.rows[1].cells][3] == "not compared"
    assert [cell.text for cell in table.rows[0].cells][-1] == "not compared"


def test_a_run_without_a_price_says_so_and_none_at_all_leaves_the_table_out() -> None:
    one, bare = run_of(directory="one"), replace(run_of(directory="two"), decision=None)

    assert money(one, bare).rows[1].cells[1].text == "not priced"
    assert comparison_money(compare_runs([bare, bare])) is None


def test_runs_priced_with_other_people_say_with_whom() -> None:
    one, two = run_of(directory="one"), run_of(directory="two")
    assert two.decision is not None
    people = People(usd_per_month=2000, fte=0.25, assumed=False)
    staffed = replace(two, decision=two.decision.model_copy(update={"people": people}))

    titles = [[column.title for column in money(one, other).columns] for other in (two, staffed)]

    assert ["people" in one for one in titles] == [False, True]
    assert [row.cells[titles[1].index("people")].text for row in money(one, staffed).rows] == ["0", "2,000"]


def test_what_differs_stands_beneath_it_in_one_line() -> None:
    table = money(run_of(directory="one"), run_of(directory="two", quantization="fp8"))

    assert table.notes == ("Not the same: quantisation.",)


def test_a_run_that_stood_alone_has_nothing_beside_it() -> None:
    assert beside_blocks([run_of()]) == ()
    assert len(beside_blocks([run_of(directory="one"), run_of(directory="two")])) == 3
