"""The report in a real browser: silent, offline, readable on a phone and on paper."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_cases import HOSTILE, NAMES, Case, case, changed, decision_of

pytestmark = pytest.mark.browser

A4_CONTENT_PX = 703  # 210 mm less two margins of 12 mm, at 96 px an inch
PageOf = Callable[[str | Case], Path]


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_from_a_file_says_nothing_and_asks_nobody(browser, page_of: PageOf, name: str) -> None:
    page = page_of(name)

    browser.open(page)

    assert browser.requests() == [page.as_uri()]
    assert browser.complaints() == []


@pytest.mark.parametrize("name", ["two_windows", "never", "infeasible", "errors", "twelve_steps"])
def test_the_verdicts_are_those_of_decision_json(browser, page_of: PageOf, name: str) -> None:
    browser.open(page_of(name))

    assert browser.texts(".verdicts .sentence") == [arm.sentence for arm in decision_of(name).arms]


def test_the_chart_has_a_step_and_the_shaded_windows_of_the_decision(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))

    staircase = browser.js("return document.querySelector('.cost .wide .staircase').getAttribute('d')")
    bands = browser.js(
        "return [...document.querySelectorAll('.cost .wide .band')]"
        ".map(b => [b.dataset.arm, b.dataset.low, b.dataset.high, b.getBoundingClientRect().width])"
    )

    assert re.match(r"M[\d. ]+H[\d.]+V[\d.]+H", staircase)  # level, up, level: whole instances
    assert [band[:3] for band in bands] == [
        ["anthropic:claude-sonnet-5-5", "2755737.6693766937", "3153600.0"],
        ["anthropic:claude-sonnet-5-5", "3428999.4579945793", ""],
    ]
    assert all(band[3] > 1 for band in bands)


@pytest.mark.parametrize(("width", "most"), [(1440, 900), (390, 2 * 844)])
@pytest.mark.parametrize("name", ["two_windows", "never", "infeasible", "errors", "twelve_steps"])
def test_the_answer_with_both_months_is_on_the_first_screen(
    browser, page_of: PageOf, name: str, width: int, most: int
) -> None:
    browser.open(page_of(name), width=width)

    ends = browser.js(
        "return [...document.querySelectorAll('h1, .verdicts')].map(e => e.getBoundingClientRect().bottom)"
    )

    assert len(ends) == 2
    assert max(ends) <= most


def test_a_word_of_the_field_says_what_it_means_where_it_stands(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))

    words = browser.texts("header abbr")
    said = browser.js("return [...document.querySelectorAll('header abbr')].every(e => e.title.length > 10)")

    assert {"TTFT", "SLO"} <= set(words)
    assert said
    assert {"TTFT", "TPOT", "E2E"} <= set(browser.texts("th abbr"))


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", ["two_windows", "twelve_steps", "errors", "partial"])
def test_nothing_makes_the_page_scroll_sideways(browser, page_of: PageOf, name: str, width: int) -> None:
    browser.open(page_of(name), width=width)

    assert browser.js("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 1440])
def test_every_word_of_a_drawing_is_large_enough_to_read(browser, page_of: PageOf, width: int) -> None:
    browser.open(page_of("twelve_steps"), width=width)

    heights = browser.js(
        "return [...document.querySelectorAll('svg.chart text')].filter(t => t.getClientRects().length)"
        ".map(t => [t.textContent, t.getBoundingClientRect().height])"
    )

    assert len(heights) > 50
    assert [text for text, height in heights if height < 10] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page_in_both_colour_schemes(browser, page_of: PageOf, scheme: str) -> None:
    browser.open(page_of("two_windows"), scheme=scheme)

    colours = browser.js(
        "const of = (s, p) => getComputedStyle(document.querySelector(s))[p];"
        "return [of('html', 'backgroundColor'), of('body', 'color'), of('th', 'color'), of('td.bad', 'color'),"
        " of('td.good', 'color'), of('.chart .tick', 'fill'),"
        " ...['arm-0', 'arm-1', 'arm-2', 'self'].map(c => of('.cost .end-label.' + c, 'fill'))]"
    )

    page, *words = [_luminance(colour) for colour in colours]
    assert (page < 0.1) == (scheme == "dark")
    assert [colour for colour, word in zip(colours[1:], words, strict=True) if _contrast(page, word) < 4.5] == []


def _luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, WCAG 2."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("name", ["two_windows", "twelve_steps"])
def test_on_a4_no_table_and_no_drawing_is_cut(browser, page_of: PageOf, name: str) -> None:
    browser.open(page_of(name), width=A4_CONTENT_PX, media="print")

    cut = browser.js(
        "const over = e => e.getBoundingClientRect().right > arguments[0] + 1;"
        "return [...document.querySelectorAll('table, svg, pre')]"
        ".filter(e => e.getClientRects().length && (over(e) || e.scrollWidth > e.clientWidth + 1))"
        ".map(e => e.tagName + ' ' + e.textContent.trim().slice(0, 40))",
        A4_CONTENT_PX,
    )

    assert cut == []


def test_it_prints_to_a_few_pages_of_a4(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"), media="print")

    answer = browser.command("Page.printToPDF", printBackground=True, preferCSSPageSize=True)

    pdf = base64.b64decode(answer["data"])
    pages = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert 2 <= len(pages) <= 10
    assert {(round(float(w)), round(float(h))) for w, h in pages} == {(595, 842)}


def test_hostile_names_do_nothing_but_stand_there(browser, page_of: PageOf) -> None:
    def rename(data: dict[str, Any]) -> None:
        for arm in data["arms"]:
            arm["name"] = arm["label"] = arm["sentence"] = HOSTILE + "</script><img src=x onerror=alert(2)>"

    run, metrics, _ = case("two_windows")
    run.model = run.engine["version"] = HOSTILE
    page = page_of(Case(run, metrics, changed(decision_of("two_windows"), rename)))

    browser.open(page)

    assert browser.requests() == [page.as_uri()]
    assert browser.complaints() == []
    assert browser.js("return document.querySelectorAll('img').length") == 0
    assert "<script>alert(1)</script>" in browser.texts("h1, .kicker")[0]
