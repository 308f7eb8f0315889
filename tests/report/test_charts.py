import re
from dataclasses import replace
from typing import Any

from report_cases import case, changed, decision_of

from harness.cost.breakeven.staircase import Staircase
from harness.report.charts.cost import ArmCurve, cost_chart, volume_range
from harness.report.charts.goodput import goodput_chart
from harness.report.charts.load import load_charts
from harness.report.charts.tornado import bars_of, tornado_charts
from harness.rundir.whatif import Swing
from harness.scenario import Slo

SLO = Slo(ttft_p95_s=2.0, tpot_p95_s=0.2)
BOX = Staircase(0.00615, 4140.56, 1_576_800, 0.0, 0.0, 1)


def load_chart(name: str, kind: str) -> str:
    """The drawing of one load panel of a hand-made run."""
    charts = {chart.name: chart for chart in load_charts(case(name).metrics, SLO)}
    return charts[f"load-{kind}"].wide


def test_the_step_that_broke_the_slo_is_crossed_in_every_curve() -> None:
    # 8 users broke it; p50, p95 and p99 of the first token each have a point there
    assert load_chart("two_windows", "ttft").count("failed-step") == 3
    assert load_chart("infeasible", "output").count("failed-step") == 4  # all four steps


def test_a_percentile_from_too_few_samples_is_a_ring() -> None:
    drawn = load_chart("twelve_steps", "ttft")

    # p99 needs 662 samples: 216, 405 and 576 are too few; the next five steps held the SLO with enough
    assert drawn.count('class="ring series-p99"') == 3
    assert drawn.count('class="dot series-p99"') == 5
    assert drawn.count('class="ring series-p50"') == 0


def test_the_limits_of_the_slo_are_drawn_where_they_belong() -> None:
    assert "SLO p95 2.00 s" in load_chart("two_windows", "ttft")
    assert "SLO p95 200 ms" in load_chart("two_windows", "tpot")
    assert "SLO" not in re.sub(r"<(title|desc).*?</\1>|within SLO", "", load_chart("two_windows", "requests"))


def test_the_whole_request_is_drawn_when_the_slo_limits_it() -> None:
    names = [chart.name for chart in load_charts(case("two_windows").metrics, Slo(e2e_p95_s=30))]

    assert names[:5] == ["load-output", "load-requests", "load-ttft", "load-tpot", "load-e2e"]


def test_a_goodput_interval_is_a_broad_stroke() -> None:
    def without(data: dict[str, Any]) -> None:
        data["steps"][0].update(goodput_low=None, goodput_high=None)

    metrics = changed(case("two_windows").metrics, without)

    drawn = next(chart.wide for chart in load_charts(metrics, SLO) if chart.name == "load-requests")

    assert drawn.count("whisker") == 3  # four steps, one of which has none


def test_loads_in_any_order_are_drawn_in_order_of_load() -> None:
    metrics = case("two_windows").metrics

    in_order = load_charts(metrics, SLO)
    reversed_ = load_charts(changed(metrics, lambda m: m["steps"].reverse()), SLO)

    assert [chart.wide for chart in in_order] == [chart.wide for chart in reversed_]


def test_a_drawing_says_in_words_what_it_shows() -> None:
    chart = cost_chart(decision_of("two_windows"))

    assert chart.alt == (
        "One instance costs USD 4,141 a month and serves 1.58M tasks; every further one is a step. "
        "Your volume is 400,000 tasks a month. "
        "Against anthropic:claude-sonnet-5-5 self-hosting wins from 2.76M to 3.15M; from 3.43M on. "
        "Against openai:gpt-6-luna self-hosting wins at no volume. "
        "Against groq:tern-70b-instruct self-hosting wins at no volume."
    )
    assert f'<desc id="cost-wide-desc">{chart.alt}</desc>' in chart.wide


def test_the_volume_axis_holds_every_volume_that_matters_with_room_around() -> None:
    arm = ArmCurve("a", "arm-0", BOX, ((2_755_738, 3_153_600), (3_428_999, None)), [])
    nothing = ArmCurve("a", "arm-0", replace(BOX, capacity=None), (), [])

    # a fifth of 400,000 is 80,000, down to 50,000; 2.5 times 3,428,999 is 8.6M, up to 10M
    assert volume_range([arm], 400_000) == (50_000, 10_000_000)
    assert volume_range([nothing], None) == (200, 5_000_000)  # nothing known: 1,000 to 1M, with room


def test_a_zero_volume_marks_nothing_and_breaks_nothing() -> None:
    def idle(data: dict[str, Any]) -> None:
        for arm in data["arms"]:
            arm["input"]["workload"]["tasks_per_month"] = 0

    chart = cost_chart(changed(decision_of("two_windows"), idle))

    assert 'class="own' not in chart.wide


def test_without_goodput_there_is_no_staircase_but_the_apis_are_drawn() -> None:
    chart = cost_chart(decision_of("infeasible"))

    assert "staircase" not in chart.wide
    assert chart.wide.count('class="line arm-') == 3
    assert chart.alt.startswith("No self-host curve: no load step met the SLO")


def test_measured_and_needed_goodput_lie_on_one_axis() -> None:
    chart = goodput_chart(decision_of("two_windows"))

    assert chart is not None
    # 4,140.56 / (0.00615 * 2,628,000) = 0.25619
    assert [round(float(v), 5) for v in re.findall(r'data-needed="([\d.]+)"', chart.wide)] == [
        0.25619,
        2.18827,
        2.35333,
    ]
    places = [float(x) for x in re.findall(r'd="M([\d.]+) [\d.]+l6 6l-6 6l-6 -6z"', chart.wide)]
    measured = float(re.search(r'<line x1="([\d.]+)"[^>]*class="measured-line"', chart.wide)[1])  # type: ignore[index]
    assert places[0] < measured < places[1] < places[2]


def swing(name: str, low: float | None, high: float | None, *, flips: bool = False) -> dict[str, Any]:
    """An input of the tornado: the saving at its low and at its high end."""
    return {
        "input": name, "unit": "USD/h", "value": 1, "low": 0.8, "high": 1.2, "range_from": "assumed",
        "saving_usd_at_low": low, "saving_usd_at_high": high, "verdict_at_low": "yes", "verdict_at_high": "yes",
        "winner_at_low": "api", "winner_at_high": "api", "flips_verdict": False, "flips_winner": flips,
    }  # fmt: skip


def test_a_tornado_leaves_out_what_moves_nothing() -> None:
    rows = [
        swing("api_price", -90, 100, flips=True),
        swing("usd_per_hour", 30, -10),
        swing("max_load", 5, 5),
        swing("goodput_requests_per_s", None, 3),
    ]

    bars = bars_of([Swing.model_validate(row) for row in rows])

    assert [(bar.name, bar.flips) for bar in bars] == [("API price", True), ("price of an hour", False)]


def test_a_tornado_marks_what_flips_the_answer_and_break_even() -> None:
    def turn(data: dict[str, Any]) -> None:
        data["arms"][0]["sensitivity"] = {
            "saving_usd_per_month": 5,
            "tornado": [swing("api_price", -90, 100, flips=True)],
            "flip_points": [],
            "break_even": None,
            "two_way": None,
        }
        for arm in data["arms"][1:]:
            arm["sensitivity"] = None

    (chart,) = tornado_charts(changed(decision_of("two_windows"), turn))

    assert 'class="bar flips"' in chart.wide
    assert 'class="zero"' in chart.wide
    assert "API price 0.800 to 1.20: −90.00 to 100, which flips the answer" in chart.alt


def test_slices_of_one_load_are_dots_without_a_line() -> None:
    trace = {"kind": "trace", "requests_per_s": 0.5}
    metrics = changed(case("two_windows").metrics, lambda m: [step.update(load=trace) for step in m["steps"]])

    (drawn,) = [chart.wide for chart in load_charts(metrics, SLO) if chart.name == "load-output"]

    assert 'class="line' not in drawn
    assert drawn.count("<circle") + drawn.count("failed-step") == 4
