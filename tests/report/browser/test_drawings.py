"""Drawings in a real browser: no word is cut, crossed by a line or under another; legends have the lines' own dash."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawing_boxes import FAULTS, SMALL
from report_cases import Case, case, changed, decision_of, run_of

from harness.report import render_comparison, render_trend
from harness.report.compare.runs import compare_runs

pytestmark = pytest.mark.browser

PageOf = Callable[[str | Case], Path]
A4_CONTENT_PX = 703  # 210 mm less two margins of 12 mm, at 96 px an inch
SIGHTS = [(390, "screen"), (1440, "screen"), (A4_CONTENT_PX, "print")]
LONG = ("openrouter:meta-llama/llama-4-maverick-17b-128e-instruct-fp8", "MMMMMMMMMMMMMMMMMMMMMMMM", "a")


def faults_of(browser: Any, page: Path, width: int, media: str) -> list[str]:
    """What lies wrong in any drawing of a page, all of its parts unfolded."""
    browser.open(page, width=width, media=media)
    browser.js("document.querySelectorAll('details').forEach(e => { e.open = true })")
    return browser.js(FAULTS)  # type: ignore[no-any-return]


def long_names() -> Case:
    """Three APIs whose names are far too long, all letters broad, and one letter long."""

    def rename(data: dict[str, Any]) -> None:
        for arm, name in zip(data["arms"], LONG, strict=True):
            arm["name"] = name

    return case("two_windows")._replace(decision=changed(decision_of("two_windows"), rename))


def tiny_needs() -> Case:
    """A box of which a hundredth would do, at rates of thousandths."""

    def shrink(data: dict[str, Any]) -> None:
        data["self_host"]["goodput"] = {"requests_per_s": 0.00612, "low": 0.00407, "high": 0.00825}
        for arm, needed in zip(data["arms"], (0.00403, 0.00611, 0.0000125), strict=True):
            arm["decision"]["min_goodput_requests_per_s"] = needed

    return case("two_windows")._replace(decision=changed(decision_of("two_windows"), shrink))


def steps(*changes: dict[str, Any], name: str = "twelve_steps") -> Case:
    """A run with other figures in its first steps."""

    def change(data: dict[str, Any]) -> None:
        for step, figures in zip(data["steps"], changes, strict=False):
            step.update(figures)

    given = case(name)
    return given._replace(metrics=changed(given.metrics, change))


def rates_of_thousandths() -> Case:
    loads = [{"load": {"kind": "open", "requests_per_s": 0.00125 * (n + 1)}} for n in range(12)]
    return steps(*(load | {"output_tokens_per_s": 0.0125 * n} for n, load in enumerate(loads)))


def huge_rates() -> Case:
    loads = [{"load": {"kind": "open", "requests_per_s": 1234.5 * (n + 1)}} for n in range(12)]
    return steps(
        *(load | {"output_tokens_per_s": 1.5e6 * n, "requests_per_s": 98765.4} for n, load in enumerate(loads))
    )


def narrow_volume() -> Case:
    """The reader's own volume at the very left, its label beside the axis' title."""

    def shrink(data: dict[str, Any]) -> None:
        for arm in data["arms"]:
            arm["input"]["workload"]["tasks_per_month"] = 1.0

    return case("never")._replace(decision=changed(decision_of("never"), shrink))


CASES: dict[str, Callable[[], Case]] = {
    "two windows": lambda: case("two_windows"),
    "twelve steps": lambda: case("twelve_steps"),
    "infeasible": lambda: case("infeasible"),
    "never": lambda: case("never"),
    "partial": lambda: case("partial"),
    "long names": long_names,
    "tiny needs": tiny_needs,
    "rates of thousandths": rates_of_thousandths,
    "huge rates": huge_rates,
    "narrow volume": narrow_volume,
}


@pytest.mark.parametrize("name", CASES)
def test_no_word_of_a_drawing_is_cut_crossed_or_under_another(browser: Any, page_of: PageOf, name: str) -> None:
    page = page_of(CASES[name]())

    assert {sight: faults for sight in SIGHTS if (faults := faults_of(browser, page, *sight))} == {}


def test_a_comparisons_drawings_are_as_clear(browser: Any, tmp_path: Path) -> None:
    runs = [run_of(name, name) for name in ("two_windows", "twelve_steps", "never")]
    page = render_comparison(compare_runs(runs), tmp_path)

    assert {sight: faults for sight in SIGHTS if (faults := faults_of(browser, page, *sight))} == {}
    assert same_dash(browser) > 0


def test_runs_over_time_are_drawn_as_clearly(browser: Any, tmp_path: Path) -> None:
    render_trend(
        [run_of(name, f"{name}-of-a-long-name") for name in ("two_windows", "twelve_steps", "never")], tmp_path
    )

    assert {s: faults for s in SIGHTS if (faults := faults_of(browser, tmp_path / "trend.html", *s))} == {}


@pytest.mark.parametrize("width", [390, 1440])
def test_the_what_if_drawing_stays_clear_as_its_numbers_move(browser: Any, page_of: PageOf, width: int) -> None:
    browser.open(page_of("two_windows"), width=width)
    move = (
        'const number = document.querySelector(`input[data-path="${arguments[0]}"]`);'
        "number.value = arguments[1]; number.dispatchEvent(new Event('input', {bubbles: true}));"
    )

    for tasks in (1, 400_000, 123_456_789, 9_000_000_000):
        for price in (0.001, 3, 950):
            browser.js(move, "workload.tasks_per_month", str(tasks))
            browser.js(move, "api.input_usd_per_mtok", str(price))

            assert browser.js("return document.querySelectorAll('#what-if-chart .own').length") == 1
            assert [fault for fault in browser.js(FAULTS) if fault.startswith("what-if")] == [], (tasks, price)


def test_a_label_that_is_crossed_cut_or_covered_would_be_found(browser: Any, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))
    browser.js(
        "document.querySelectorAll('details').forEach(e => { e.open = true });"
        "const svg = [...document.querySelectorAll('.load-ttft svg.chart')].find(e => e.getClientRects().length);"
        "svg.querySelector('.limit-label').setAttribute('x', 100);"  # onto its own line
        "svg.querySelector('.limit-label').setAttribute('y', +svg.querySelector('line.limit').getAttribute('y1') + 4);"
        "svg.querySelector('.panel-title').setAttribute('x', -30);"
        "svg.querySelectorAll('.tick')[1].setAttribute('y', svg.querySelectorAll('.tick')[0].getAttribute('y'))"
    )

    faults = browser.js(FAULTS)

    assert {fault.split(": ")[1] for fault in faults if "load-ttft" in fault} == {"crossed", "outside", "overlap"}


@pytest.mark.parametrize("width", [360, 390])
@pytest.mark.parametrize("name", ["twelve_steps", "two_windows"])
def test_words_of_a_drawing_are_at_least_11_px_on_a_phone(browser: Any, page_of: PageOf, name: str, width: int) -> None:
    browser.open(page_of(name), width=width)

    assert browser.js(SMALL, 11) == []


def same_dash(browser: Any) -> int:
    """How many names of a legend stand behind the dash and colour of their line, all being so."""
    pairs = browser.js(
        "const of = e => { const s = getComputedStyle(e); return s.strokeDasharray + ' ' + s.stroke; }, pairs = [];"
        "for (const figure of document.querySelectorAll('.drawing'))"
        "  for (const key of figure.querySelectorAll('.legend line')) {"
        "    const drawn = figure.querySelector(`.narrow path.line.${key.classList[1]}`);"
        "    if (drawn) pairs.push([of(key), of(drawn)]);"
        "  }"
        "return pairs"
    )
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    return len(pairs)


def test_a_legend_shows_each_lines_own_dash(browser: Any, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"), width=390)

    assert same_dash(browser) == 4 + 2 * 4  # a box and three APIs; four steps in each of two distributions
    dashes = browser.js(
        "return [...document.querySelectorAll('.cost .legend line')].map(e => getComputedStyle(e).strokeDasharray)"
    )
    assert len(set(dashes)) >= 3


def crowded() -> Case:
    """Every percentile of four latencies in long figures, and failures of which much was said."""
    itl = {"n": 9000, "mean": 0.03, "p50": 1.025, "p90": 2.04, "p95": 3.05, "p99": 4.125}
    said = [{"words": f"the server said {'a lot of long words ' * 12}", "requests": 2}]
    failed = {"failed": 3, "errors": [{"kind": "http_503", "requests": 3, "said": said}]}
    slow = {"n": 100, "mean": 3.0, "p50": 1.111, "p90": 2.222, "p95": 3.333, "p99": 9.999}
    return steps(*[failed | {"itl_s": itl, "ttft_s": slow, "tpot_s": slow, "e2e_s": slow} for _ in range(12)])


def test_on_a4_the_fullest_tables_are_not_cut(browser: Any, page_of: PageOf) -> None:
    browser.open(page_of(crowded()), width=A4_CONTENT_PX, media="print")

    assert browser.js(
        "return [...document.querySelectorAll('#load table')]"
        ".map(t => [t.closest('.table').querySelector('figcaption').textContent, t.getBoundingClientRect().right])"
        ".filter(([, right]) => right > arguments[0] + 1)",
        A4_CONTENT_PX,
    ) == []  # fmt: skip


def test_what_was_said_of_failures_is_wrapped(browser: Any, page_of: PageOf) -> None:
    browser.open(page_of(crowded()))

    browser.js("document.querySelectorAll('details').forEach(e => { e.open = true })")
    wide = browser.js(
        "return [...document.querySelectorAll('.table .scroll')].filter(s => s.scrollWidth > s.clientWidth + 1)"
        ".map(s => s.ariaLabel)"
    )

    assert "What failed in each load step" not in wide


def test_on_a_phone_the_first_columns_stay_when_a_table_is_moved(browser: Any, page_of: PageOf) -> None:
    browser.open(page_of("twelve_steps"), width=390)

    moved = browser.js(
        "document.querySelectorAll('details').forEach(e => { e.open = true });"
        "const wide = [...document.querySelectorAll('.table .scroll')].filter(s => s.scrollWidth > s.clientWidth + 1);"
        "return wide.map(s => {"
        "  s.scrollLeft = 10000;"
        "  const row = s.querySelector('tbody tr'), edge = s.getBoundingClientRect(), first = row.cells[0];"
        "  const box = first.getBoundingClientRect(), shadows = getComputedStyle(s).backgroundImage.split('gradient(');"
        "  return [s.ariaLabel, s.scrollLeft > 0, box.left - edge.left, box.width / edge.width, shadows.length - 1]; })"
    )

    assert len(moved) > 3
    # what moves past the first column has room
    assert [one for one in moved if not one[1] or abs(one[2]) > 1 or one[3] > 0.5] == []
    assert {shadows for *_, shadows in moved} == {4}  # two that say there is more, two that cover them at the end
