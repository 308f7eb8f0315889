"""The run over time, as it is drawn, said and tabled."""

import re
from typing import Any

from report_cases import case, changed

from harness.report.charts.time import time_chart
from harness.report.measured.time import time_blocks
from harness.report.model import Chart, Table
from harness.rundir.of_step import LoadOfStep, Phases
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Metrics, Step
from harness.rundir.timeline import Stall, Timeline


def span(start_s: float, end_s: float) -> WindowOfStep:
    return WindowOfStep(start_s=start_s, end_s=end_s)


STALL = Stall(step=0, start_s=5.0, end_s=7.0, length_s=2.0, in_flight=4)
STEP = Step(
    step=0, load=LoadOfStep(kind="closed", users=4), window=span(3, 9), requests=20, failed=2,
    phases=Phases(enter=span(0, 1), warmup=span(1, 3), window=span(3, 9), hold=span(9, 10)),
)  # fmt: skip
TIMELINE = Timeline(
    start_s=0.0, bin_s=1.0, end_s=10.0,
    output_tokens_per_s=(10, 40, 50, 52, 51, 0, 0, 90, 50, 20),
    in_flight=(2, 4, 4, 4, 4, 4, 4, 4, 3.5, 1),
    failed=(0, 0, 0, 0, 2, 0, 0, 1, 0, 0),
    stalls=(STALL,),
)  # fmt: skip
METRICS = Metrics(steps=(STEP,), timeline=TIMELINE)


def drawn(metrics: Metrics = METRICS) -> Chart:
    chart = time_chart(metrics)
    assert chart is not None
    return chart


def test_each_phase_is_shaded_in_both_drawings_and_named() -> None:
    chart = drawn()

    for picture in (chart.wide, chart.narrow):
        for phase in ("enter", "warmup", "window", "hold"):
            assert picture.count(f'class="phase phase-{phase}"') == 2  # under tokens and under requests
    assert [css for css, _ in chart.legend][:4] == ["phase-enter", "phase-warmup", "phase-window", "phase-hold"]


def test_a_phase_that_took_no_time_is_not_in_the_legend() -> None:
    # an older version's step: nobody entered one by one, and nothing was held
    phases = Phases(enter=span(0, 0), warmup=span(0, 3), window=span(3, 9))
    old = METRICS.model_copy(update={"steps": (STEP.model_copy(update={"phases": phases}),)})

    assert [css for css, _ in drawn(old).legend] == ["phase-warmup", "phase-window", "mark-failed", "mark-stall"]


def test_failures_and_stalls_are_marked_where_they_were() -> None:
    picture = drawn().wide

    assert picture.count("failed-step") == 2
    assert "2 failed requests at second 4" in picture
    assert "1 failed request at second 7" in picture
    assert picture.count('class="stall"') == 2
    # the axis goes from 27.36 (two figures of 7.68, and 12) to 966: second 5 is at 496.68, 2 s are 187.73
    assert 'x="496.68"' in re.search(r"<rect [^>]*stall", picture).group()  # type: ignore[union-attr]
    assert 'width="187.73"' in re.search(r"<rect [^>]*stall", picture).group()  # type: ignore[union-attr]


def test_a_step_bears_its_number_and_as_much_of_its_load_as_there_is_room_for() -> None:
    def names(seconds_of_each: float) -> list[str]:
        ends = [(n * seconds_of_each, (n + 1) * seconds_of_each) for n in range(2)]
        steps = tuple(
            STEP.model_copy(
                update={"step": n, "phases": Phases(enter=span(a, a), warmup=span(a, a), window=span(a, b))}
            )
            for n, (a, b) in enumerate(ends)
        )
        chart = drawn(METRICS.model_copy(update={"steps": steps}))
        return re.findall(r'y="36"[^>]*>([^<]+)<', chart.wide)

    # 938 units for 10 s; "step 1: 4 users" takes about 105, "1: 4 users" 70, "1" 8, each with 8 between
    assert names(5) == ["step 1: 4 users", "step 2: 4 users"]
    assert names(1) == ["1: 4 users", "2: 4 users"]
    assert names(0.2) == ["1", "2"]
    assert names(0.1) == []


def test_the_drawing_says_in_words_what_it_shows() -> None:
    assert drawn().alt == (
        "From second 0 to 10.0, 1 second at a time: output up to 90.0 tok/s, up to 4.00 requests in flight. "
        "3 requests failed, from second 4.00 on. The server stalled at second 5.0 for 2.0 s."
    )


def test_the_table_has_the_lowest_and_highest_of_each_window() -> None:
    (table,) = (block for block in time_blocks(METRICS) if isinstance(block, Table))

    assert [cell.text for cell in table.rows[0].cells] == [
        "1",
        "4 users",
        "from 0 s: enter 1.00 s, warm-up 2.00 s, window 6.00 s, hold 1.00 s",
        "0 to 90.0",
        "3.50 to 4.00",
        "2",
        "2.0 s at 5 s",
    ]


def test_nothing_to_draw_is_no_section() -> None:
    one_bin = TIMELINE.model_copy(update={"output_tokens_per_s": (1,), "in_flight": (1,), "failed": (0,)})

    assert time_blocks(METRICS.model_copy(update={"timeline": None})) == ()
    assert time_blocks(METRICS.model_copy(update={"timeline": one_bin})) == ()


def test_a_run_from_before_there_was_a_timeline_is_read() -> None:
    def without(data: dict[str, Any]) -> None:
        del data["timeline"]

    assert changed(case("two_windows").metrics, without).timeline is None
