"""What a terminal shows while a run lasts, and what the lines say where there is none."""

import io
from collections.abc import Iterable
from dataclasses import replace

import pytest
from load_helpers import A_LIVE
from rich.console import Console

from harness.cli.progress import RunDisplay
from harness.cli.screen import Screen, curve
from harness.cli.standing import Standing
from harness.load.protocol import Live
from harness.load.run_events import StepBegun, Waits
from harness.scenario import Slo

STEP = StepBegun(step=2, load={"users": 4}, start_s=0.0, planned_end_s=60.0)
SLO = Slo(ttft_p95_s=2.0, tpot_p95_s=0.2)


def seconds(*tokens: int) -> Iterable[Live]:
    """A sample each second, from second 1 on, with so many tokens."""
    return (replace(A_LIVE, t_s=float(n), output_tokens=k) for n, k in enumerate(tokens, start=1))


def standing(*lives: Live) -> Standing:
    out = Standing()
    out.begin(STEP)
    for live in lives:
        out.take(live)
    return out


def lines(stands: Standing, width: int, *, planned_s: float | None = 120.0, encoding: str = "utf-8") -> list[str]:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding=encoding, write_through=True), width=width, no_color=True)
    console.print(Screen(stands.what, stands, SLO, 75.0, planned_s, "USD 0.0100"))
    return raw.getvalue().decode(encoding).splitlines()


BUSY = replace(
    A_LIVE, t_s=42.0, in_flight=4, finished=1_234, failed=3, output_tokens=267, ttft_p50_s=0.45, ttft_p99_s=1.2,
    tpot_p50_s=0.023, tpot_p99_s=0.04, errors={"http_503": 2, "timeout": 1}, last_error="http_503: " + "busy " * 40,
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 140])
def test_failures_and_the_first_token_come_first_and_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = lines(standing(BUSY), width)

    assert max(map(len, shown)) <= width
    assert shown[0].startswith("step 3: 4 users, 42 s of 60 s")
    assert shown[1].split() == ["failed", "3", "of", "1,237", "requests"]
    assert shown[2].strip().startswith("http_503 x 2, timeout x 1"[: width - 20])
    assert shown[3].split()[:4] == ["TTFT", "p50", "450", "ms"]


def test_eighty_columns_show_all_there_is() -> None:
    shown = lines(standing(BUSY), 80)

    assert "p99 1.20 s" in shown[3]
    assert "limit p95 2.00 s" in shown[3]
    assert "p50 23 ms    p99 40 ms" in shown[4]
    assert shown[5].split() == ["in", "flight", "4", "1,234", "done"]
    assert shown[6].split()[:3] == ["output", "267", "tok/s"]
    assert shown[7].endswith("1:15 gone, 1:18 left, USD 0.0100")  # 42 s of 120 s are done


def test_a_terminal_without_unicode_gets_ascii() -> None:
    shown = "\n".join(lines(standing(BUSY), 80, encoding="ascii"))

    assert shown.isascii()
    assert "###" in shown


def test_a_run_without_a_known_end_shows_no_bar() -> None:
    assert lines(standing(BUSY), 80, planned_s=None)[-1] == "1:15 gone, USD 0.0100"


def test_a_held_step_says_for_how_many_requests() -> None:
    stands = standing(BUSY)
    stands.held_for = 1

    assert lines(stands, 80)[0] == "step 3: 4 users, holding for 1 request under way"


def test_tokens_per_second_are_the_mean_of_five_seconds() -> None:
    # the last five: 0, 0, 750, 0, 600 are 270 a second; the one before is older
    assert standing(*seconds(999, 0, 0, 750, 0, 600)).tokens_per_s == pytest.approx(270)
    assert standing(*seconds(100)).tokens_per_s == pytest.approx(100)
    assert standing(*seconds(100, 200)).tokens_per_s == pytest.approx(150)


def test_counts_are_those_of_the_step_that_is_on() -> None:
    stands = standing(replace(A_LIVE, finished=10, failed=2, errors={"timeout": 2}))
    stands.begin(STEP)

    stands.take(replace(A_LIVE, finished=15, failed=5, errors={"timeout": 3, "http_500": 2}))

    assert stands.ended == (3, 8)
    assert stands.errors == {"http_500": 2, "timeout": 1}


def test_the_curve_goes_from_nothing_to_the_highest_and_shows_the_latest() -> None:
    assert curve([0, 50, 100], 40, is_ascii=False) == "▁▅█"
    assert curve([100, 0, 50, 100], 2, is_ascii=True) == "+#"
    assert curve([0, 0], 40, is_ascii=False) == "▁▁"


def test_where_there_is_no_terminal_each_step_ends_with_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with RunDisplay(60.0, None) as display:
        display.on_event(STEP)
        display.on_event(replace(A_LIVE, t_s=1.0, finished=4, ttft_p50_s=0.3, output_tokens=50))
        display.on_event(replace(A_LIVE, t_s=2.0, finished=5, failed=1, last_error="timeout: none", ttft_p50_s=0.3,
                                 errors={"timeout": 1}, output_tokens=50))  # fmt: skip
        display.on_event(Waits(2))
        display.on_event(replace(STEP, step=3))

    said = [line.split(" s  ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "step 3: 4 users",
        "1 of 6 requests failed so far (timeout: none)",
        "holding for 2 requests under way (step 3: 4 users)",
        "step 3: 4 users: 1 of 6 failed (timeout x 1), TTFT p50 300 ms, 50 tok/s",
        "step 4: 4 users",
    ]
