"""A cascade beside each of its models alone: how many go on, what is solved, and what a solved task takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from judged_runs import G5, api_run, write_task_run

from harness.pipeline.analyse import analyse_run, read_analysis
from harness.prices.catalog import resolve_api
from harness.report.compare.page import comparison_report
from harness.report.compare.routed import solved_cost, time_per_solved_s
from harness.report.compare.runs import Comparison, compare_runs
from harness.report.render.markdown import render_markdown

LUNA = "openai:gpt-6-luna"
ELSEWHERE = {"on_failure": ["escalate"], "escalate": {"url": "http://127.0.0.1:1", "model": "luna", "api": LUNA}}
IDS = [f"t{i:03}" for i in range(200)]
SMALL = {task: "+" if i < 120 else "-" for i, task in enumerate(IDS)}  # 120 of 200
CASCADE = {task: "+" if i < 120 else "-E" if i < 180 else "-e" for i, task in enumerate(IDS)}  # 80 go on, 60 solved
DEAR = {task: "+" if i < 180 else "-" for i, task in enumerate(IDS)}


def own(place: Path, plan: Mapping[str, str], prompts: dict[str, Any], **changes: Any) -> Path:
    write_task_run(place, plan, seconds=1.0, instance=G5, prompts=prompts, **changes)
    analyse_run(place)
    return place


def three(tmp_path: Path, prompts: dict[str, Any] = ELSEWHERE) -> Comparison:
    small = own(tmp_path / "small", SMALL, {"on_failure": []})
    cascade = own(tmp_path / "cascade", CASCADE, prompts)
    dear = api_run(tmp_path / "dear", DEAR, LUNA, prompts={"on_failure": []}, seconds=2.0)
    analyse_run(dear)
    return compare_runs([read_analysis(run) for run in (small, dear, cascade)])


def usd_of(found: Comparison, n: int) -> float:
    run, standing = found.runs[n], found.standings[n]
    assert run.metrics.tasks is not None
    usd_per_1000 = standing.usd_at(standing.goodput)
    cost = solved_cost(run, run.metrics.tasks, None if usd_per_1000 is None else usd_per_1000 / 1000)
    assert cost.usd is not None, cost.why_none
    return cost.usd


def test_each_has_its_own_price_of_a_solved_task(tmp_path: Path) -> None:
    found = three(tmp_path)

    hourly = found.standings[0].usd_per_hour
    assert hourly is not None
    box = hourly / 3600  # USD of a request: one a second
    there = resolve_api(LUNA).rates_for(100).request_usd(100, 20)
    assert usd_of(found, 0) == pytest.approx(box / 0.6, rel=0.01)
    assert usd_of(found, 1) == pytest.approx(0.1 / 180)  # 0.10 USD were spent
    assert usd_of(found, 2) == pytest.approx((box + there * 80 / 200) / 0.9, rel=0.01)


def test_time_per_solved_task_counts_what_was_in_vain(tmp_path: Path) -> None:
    times = [time_per_solved_s(run.metrics.tasks) for run in three(tmp_path).runs if run.metrics.tasks is not None]

    # 200 s for 120 solved; 400 s for 180; 200 and 80 more for 180
    assert times == pytest.approx([200 / 120, 400 / 180, 280 / 180])


def test_the_page_says_who_went_on(tmp_path: Path) -> None:
    page = render_markdown(comparison_report(three(tmp_path)))

    assert f"cascade handed 40 % of its tasks on to {LUNA}, which solved 60 of 80" in page
    assert "with them 90 % are solved, without 60 %" in page
    assert "of it the escalation's" in page
    assert "as it was spent" in page


def test_an_escalation_without_a_price_counts_neither_way(tmp_path: Path) -> None:
    nameless = {**ELSEWHERE, "escalate": {"url": "http://127.0.0.1:1", "model": "luna"}}

    found = three(tmp_path, nameless)

    assert usd_of(found, 2) == pytest.approx(usd_of(found, 0), rel=0.01)  # the same 120 tasks on the same box
    assert "without the escalation, which has no price" in render_markdown(comparison_report(found))


def test_without_a_cascade_nothing_is_said_of_one(tmp_path: Path) -> None:
    runs = [own(tmp_path / name, SMALL, {"on_failure": []}) for name in ("one", "two")]

    page = render_markdown(comparison_report(compare_runs([read_analysis(run) for run in runs])))

    assert "went on" not in page
