"""The distribution of a latency in each step, as it is drawn and said."""

import re
from typing import Any

from report_cases import case, changed

from harness.base.stats import SHARES
from harness.report.charts.distribution import chosen, distribution_chart
from harness.report.model import Chart
from harness.rundir.results import Metrics
from harness.scenario import Slo

SLO = Slo(ttft_p95_s=2.0, tpot_p95_s=0.2)
EVEN = [0.1 * (1 + share) for share in SHARES]  # 100 to 200 ms, all equally often


def drawn(metrics: Metrics, kind: str = "ttft") -> Chart:
    chart = distribution_chart(metrics.loads, metrics.at_slo, kind, SLO)
    assert chart is not None
    return chart


def evenly(data: dict[str, Any]) -> None:
    for n, step in enumerate(data["steps"], 1):
        step["ttft_quantiles_s"] = [n * value for value in EVEN]


def test_each_step_has_a_curve_that_is_named_by_its_number_and_load() -> None:
    chart = drawn(changed(case("two_windows").metrics, evenly))

    assert [words for _, words in chart.legend] == [
        "step 1: 1 user", "step 2: 2 users", "step 3: 4 users", "step 4: 8 users",
    ]  # fmt: skip
    for picture in (chart.wide, chart.narrow):
        assert len(re.findall(r'class="line curve-\d"', picture)) == 4


def test_the_words_give_half_and_95_percent_of_each_step() -> None:
    chart = drawn(changed(case("two_windows").metrics, evenly))

    # of 100 to 200 ms: half within 150, 95 % within 195; four times that at the fourth step
    assert chart.alt.startswith(
        "Time to first token, share of requests within so many ms. step 1: 1 user: half within 150"
    )
    assert "step 4: 8 users: half within 600 ms, 95 % within 780 ms." in chart.alt


def test_a_curve_goes_through_the_quantiles() -> None:
    metrics = changed(
        case("two_windows").metrics, lambda data: (evenly(data), data["steps"].__delitem__(slice(1, None)))
    )

    path = re.search(r'<path d="M([\d.]+) ([\d.]+)(.*?)" class="line curve', drawn(metrics).wide)
    assert path is not None
    first_y = float(path[2])
    x, y = map(float, re.findall(r"L([\d.]+) ([\d.]+)", path[3])[-1])  # 200 ms, everything
    half = [tuple(map(float, point)) for point in re.findall(r"L([\d.]+) ([\d.]+)", path[3])][6]
    assert first_y == 268 - 42  # nothing is faster than 100 ms
    assert y == 52
    assert half[1] == (first_y + y) / 2
    assert abs(half[0] - (float(path[1]) + x) / 2) < 0.02


def test_of_many_steps_six_are_drawn_the_one_that_counts_among_them() -> None:
    metrics = case("twelve_steps").metrics
    steps = sorted(metrics.loads, key=lambda step: step.load.size)

    shown = chosen(steps, steps[8])

    # evenly: 1, 3, 5, 8, 10, 12 of twelve; the ninth takes the eighth's place
    assert [step.number for step in shown] == [1, 3, 5, 9, 10, 12]
    assert [step.number for step in chosen(steps, steps[0])] == [1, 3, 5, 8, 10, 12]
    assert "6 of 12 steps are drawn." in drawn(metrics).alt


def test_the_limit_is_said_also_where_it_lies_beyond_the_drawing() -> None:
    chart = drawn(changed(case("two_windows").metrics, evenly))

    assert "SLO p95 ≤ 2,000 ms" in chart.wide
    assert 'class="limit"' not in chart.wide  # the slowest took 800 ms
    assert 'class="limit"' in drawn(case("two_windows").metrics).wide


def test_figures_of_an_older_version_have_no_such_drawing() -> None:
    def forget(data: dict[str, Any]) -> None:
        for step in data["steps"]:
            del step["ttft_quantiles_s"]

    metrics = changed(case("two_windows").metrics, forget)

    assert distribution_chart(metrics.loads, metrics.at_slo, "ttft", SLO) is None
    assert distribution_chart(metrics.loads, metrics.at_slo, "tpot", SLO) is not None
