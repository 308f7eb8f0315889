"""What-if moved: all arms at once, people as FTE, other lengths, the link with the numbers, the demand to keep."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from report_cases import Case, case, changed, decision_of

from harness.cost.breakeven.decision import decide_parsed, parse
from harness.cost.breakeven.words import sentence
from harness.demand.demand import Demand, demand_from_dict
from harness.report.money.whatif import what_if_panel

pytestmark = pytest.mark.browser

PageOf = Callable[[str | Case], Path]
TASKS, INPUT, OUTPUT = "workload.tasks_per_month", "workload.classes.0.input_tokens", "workload.classes.0.output_tokens"
TYPE = """
const number = document.querySelector(`input[data-path="${arguments[0]}"]`);
number.value = arguments[1];
number.dispatchEvent(new Event('input', {bubbles: true}));
"""
CHOOSE = "const s = document.getElementById('wi-arm'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))"
ADDRESS = "const done = arguments[0]; setTimeout(() => done(location.hash), 400)"


def typed(browser, path: str, value: float) -> None:
    browser.js(TYPE, path, str(value))


def decided(browser) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(browser.js("return document.getElementById('what-if-panel').dataset.decision"))
    return found


def field_of(browser, path: str) -> float:
    return float(browser.js(f"""return document.querySelector('input[data-path="{path}"]').value"""))


def address(browser) -> str:
    return str(browser.driver.execute_async_script(ADDRESS))


def with_link(page: Path, fragment: str) -> Any:
    """The page as a link with a fragment opens it."""

    class Linked:
        def as_uri(self) -> str:
            return f"{page.as_uri()}#{fragment}"

    return Linked()


def inputs(name: str = "two_windows") -> list[dict[str, Any]]:
    return [arm.input.model_dump(mode="json") for arm in decision_of(name).arms]


def words(input_: dict[str, Any]) -> str:
    parsed = parse(input_)
    return sentence(parsed, decide_parsed(parsed))


def staffed() -> Case:
    """The run of two windows with half an engineer in the demand and 8,666.67 USD fixed for him."""
    person = {
        "name": "people",
        "kind": "fte",
        "line": "people",
        "arm": "self_host",
        "fraction": 0.5,
        "loaded_usd_per_year": 208_000,
    }

    def people(data: dict[str, Any]) -> None:
        data["demand"] = {**data["demand"], "items": [person], "self_fixed_usd_per_month": 0}
        data["people"] = {"usd_per_month": 208_000 / 24, "fte": 0.5, "assumed": True}

    run, metrics, decision = case("two_windows")
    assert decision is not None
    return Case(run, metrics, changed(decision, people))


@pytest.mark.parametrize("name", ["never", "infeasible"])
def test_the_panel_begins_with_the_sentences_of_the_decision(browser, page_of: PageOf, name: str) -> None:
    browser.open(page_of(name))

    assert browser.texts("#what-if .outcomes .sentence") == [arm.sentence for arm in decision_of(name).arms]


def test_all_arms_verdicts_follow_at_once(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))

    typed(browser, TASKS, 5_000_000)

    expected = []
    for input_ in inputs():
        input_["workload"]["tasks_per_month"] = 5_000_000
        expected.append(words(input_))
    assert browser.texts("#what-if .outcomes .sentence") == expected
    assert len(expected) == 3


def test_another_arm_keeps_what_was_typed_and_has_its_own_prices(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))
    typed(browser, TASKS, 5_000_000)
    typed(browser, "api.output_usd_per_mtok", 30)

    browser.js(CHOOSE, "1")

    assert field_of(browser, TASKS) == 5_000_000
    assert field_of(browser, "api.output_usd_per_mtok") == inputs()[1]["api"]["output_usd_per_mtok"]
    assert decided(browser)["at_volume"]["tasks_per_month"] == 5_000_000
    browser.js(CHOOSE, "0")
    assert field_of(browser, "api.output_usd_per_mtok") == 30


def test_people_are_moved_as_fte(browser, page_of: PageOf) -> None:
    """0.1 of 208,000 a year is 1,733.33 a month beside 4,140.56 for the box."""
    browser.open(page_of(staffed()))
    assert (field_of(browser, "people.fte"), field_of(browser, "people.usd_per_year")) == (0.5, 208_000)
    first = "#what-if .outcomes .sentence"
    assert "costs USD 12,807 (8,667 of it an assumed half engineer) and" in browser.texts(first)[0]

    typed(browser, "people.fte", 0.1)

    assert decided(browser)["at_volume"]["self_usd"] == pytest.approx(4140.56 + 1733.3333333)
    assert "costs USD 5,874 (1,733 of it 0.1 of an engineer) and" in browser.texts(first)[0]


@pytest.mark.parametrize("length", [(1600, 250), (800, 500), (400, 100)])
def test_other_lengths_take_more_or_less_of_the_box_by_the_measured_split(browser, page_of: PageOf, length) -> None:
    given = case("two_windows")
    assert given.decision is not None
    weight = what_if_panel(given.decision, given.metrics).data["weight"]
    browser.open(page_of("two_windows"))

    typed(browser, INPUT, length[0])
    typed(browser, OUTPUT, length[1])

    def left(w: float) -> float:
        return (800 + 250 * w) / (length[0] + length[1] * w)

    measured = inputs()[0]["self_host"]
    assert field_of(browser, "self_host.goodput_requests_per_s") == pytest.approx(
        0.6 * left(weight["middle"]), rel=1e-6
    )
    told = next(text for text in browser.texts("#what-if .facts div") if text.startswith("goodput at these lengths"))
    ends = sorted((left(weight["low"]), left(weight["high"])))
    assert f"({measured['goodput_low'] * ends[0]:.3g} to {measured['goodput_high'] * ends[1]:.3g})" in told
    assert weight["said"] in told


def test_a_verdict_that_hangs_on_the_unknown_split_is_greyed(browser, page_of: PageOf) -> None:
    """1.2M tasks of 2,400 in: one box or many, by which tokens take the time."""
    browser.open(page_of("two_windows"))
    typed(browser, "people.fte", 0)
    typed(browser, "self_host.other_fixed_usd_per_month", 0)

    typed(browser, INPUT, 2400)
    typed(browser, "api.input_usd_per_mtok", 0.3)
    typed(browser, "api.output_usd_per_mtok", 9)

    first = "#what-if .outcomes li:first-child"
    assert browser.js(f"return document.querySelector('{first}').className").startswith("unsure")
    assert browser.texts(f"{first} .sentence")[0].startswith("Cannot tell at such lengths: the answer changes between")


def test_ten_times_the_input_breaks_the_limit_and_no_verdict_is_given(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))

    typed(browser, INPUT, 80_000)

    sentences = browser.texts("#what-if .outcomes .sentence")
    assert all(text.startswith("Cannot tell: requests that long may break the SLO") for text in sentences)
    assert set(browser.js("return [...document.querySelectorAll('.outcomes li')].map(l => l.classList[0])")) == {
        "unsure"
    }


def test_a_goodput_that_was_typed_is_taken_as_it_is(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))
    typed(browser, "self_host.goodput_requests_per_s", 2)

    typed(browser, INPUT, 8000)

    assert field_of(browser, "self_host.goodput_requests_per_s") == 2
    assert "Cannot tell" not in browser.texts("#what-if .outcomes .sentence")[0]


def test_the_address_keeps_what_was_moved_and_opens_it_again(browser, page_of: PageOf) -> None:
    page = page_of("two_windows")
    browser.open(page)
    browser.js(CHOOSE, "1")
    typed(browser, TASKS, 2_000_000)
    typed(browser, "people.fte", 0.25)
    typed(browser, "api.output_usd_per_mtok", 3.5)
    before, said = decided(browser), browser.texts("#what-if .outcomes .sentence")

    fragment = address(browser)
    browser.open(with_link(page, fragment.removeprefix("#")))

    assert fragment.startswith("#what-if&")
    assert decided(browser) == before
    assert browser.texts("#what-if .outcomes .sentence") == said
    assert field_of(browser, "api.output_usd_per_mtok") == 3.5
    assert browser.js("return document.getElementById('what-if').getBoundingClientRect().top < innerHeight")
    browser.js("document.querySelector('#what-if button').click()")
    assert address(browser) == "#what-if&arm=1"  # the arm that is looked at is no number of it


@pytest.mark.parametrize(
    "fragment",
    [
        "what-if&workload.retry_failure_rate=8",
        "what-if&workload.tasks_per_month=many&arm=9",
        "what-if&self_host.min_instances=1.5",
        "what-if&__proto__.x=1&constructor.prototype.y=2&arms.7.api.fixed_usd_per_month=1",
        "what-if&self_host.usd_per_hour=",
        "what-if&<img src=x onerror=alert(1)>=1",
        "what-if&%E0%A4%A=1",
    ],
)
def test_a_link_gives_only_what_a_field_would_take(browser, page_of: PageOf, fragment: str) -> None:
    page = page_of("two_windows")
    browser.open(page)
    before = decided(browser)

    browser.open(with_link(page, fragment))

    assert decided(browser) == before
    assert browser.complaints() == []


def copied_demand(browser) -> Demand:
    """What the button gives, read as a demand file."""
    browser.js("[...document.querySelectorAll('#what-if button')].find(b => /yaml/.test(b.textContent)).click()")
    text = browser.js("return document.getElementById('what-if-demand').value")
    return demand_from_dict(yaml.safe_load(text))


def test_the_demand_is_copied_as_a_file_that_prices_the_same(browser, page_of: PageOf) -> None:
    browser.open(page_of(staffed()))
    typed(browser, TASKS, 1_234_567.5)
    typed(browser, INPUT, 900)
    typed(browser, "workload.retry_failure_rate", 1e-7)
    typed(browser, "people.fte", 0.1)
    typed(browser, "self_host.max_load", 0.8)
    typed(browser, "api.usd_per_request", 0.001)

    demand = copied_demand(browser)

    assert demand.tasks_per_month == 1_234_567.5
    assert demand.mean_tokens() == (900, 250)
    assert demand.retry_failure_rate == 1e-7
    assert demand.fixed_usd("self_host") == pytest.approx(1733.3333333)
    assert demand.max_load == 0.8
    assert {name: terms.usd_per_request for name, terms in demand.arms.items()} == {
        "anthropic:claude-sonnet-5-5": 0.001
    }


@pytest.mark.parametrize("name", ["two_windows", "never", "errors", "twelve_steps", "infeasible"])
def test_a_demand_that_was_not_moved_is_copied_as_it_is(browser, page_of: PageOf, name: str) -> None:
    browser.open(page_of(name))

    demand = copied_demand(browser)

    assert demand.workload() == demand_from_dict(decision_of(name).demand).workload()
    assert demand.fixed_usd("self_host") == demand_from_dict(decision_of(name).demand).fixed_usd("self_host")


@pytest.mark.parametrize("name", ["two_windows", "never", "errors", "twelve_steps", "infeasible", "partial"])
def test_the_page_opens_at_most_six_screens_long(browser, page_of: PageOf, name: str) -> None:
    page = page_of(name)
    browser.open(page)

    assert browser.js("return document.documentElement.scrollHeight") <= 6 * 900
    assert page.stat().st_size < 400_000


def test_a_link_into_a_folded_section_opens_it_and_one_button_opens_all(browser, page_of: PageOf) -> None:
    opened = "return [...document.querySelectorAll('main > section > details')].map(d => d.open)"
    page = page_of("two_windows")
    browser.open(page)
    assert not any(browser.js(opened))

    browser.open(with_link(page, "checks"))
    assert browser.js("return document.getElementById('checks').closest('details').open")
    browser.js("document.getElementById('open-all').click()")
    assert all(browser.js(opened))
    assert browser.texts("#open-all") == ["Close all"]


def test_on_paper_everything_is_there(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"), media="print", width=703)

    heights = browser.js(
        "return [...document.querySelectorAll('.folded > details > div')].map(d => [d.id, d.offsetHeight])"
    )

    assert [name for name, height in heights if height < 30] == []
