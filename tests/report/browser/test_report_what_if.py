"""The page's own arithmetic: the same numbers and the same words as Python's, and a panel that uses them."""

import json
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_cases import Case, case, decision_of

from harness.cost import decide
from harness.cost.breakeven.decision import decide_parsed, parse
from harness.cost.breakeven.words import sentence
from harness.cost.undecided import left_open
from harness.rundir.decision import People

pytestmark = pytest.mark.browser

PageOf = Callable[[str | Case], Path]
HALF_FTE = 8666.666666666666


def given(
    *, fixed: float = 0, max_load: float = 1, peak: float = 1, tasks: float | None = None, **changes: Any
) -> dict[str, Any]:
    """Input of `decide` for 5.672 USD/h at 0.6 req/s against 3/15 USD per Mtok, 800/250 tokens."""
    box = {"usd_per_hour": 5.672, "goodput_requests_per_s": 0.6, "goodput_low": None, "goodput_high": None}
    api = {"input_usd_per_mtok": 3, "cached_input_usd_per_mtok": None, "output_usd_per_mtok": 15}
    kind = {"name": "chat", "weight": 1, "input_tokens": 800, "cached_input_tokens": 0, "output_tokens": 250}
    work = {"tasks_per_month": tasks, "classes": [kind], "retry_failure_rate": 0, "max_retries": 0}
    input_ = {
        "workload": {**work, "response_cache_hit_rate": 0, "peak_to_mean": peak, "hourly_profile": None},
        "self_host": {**box, "max_load": max_load, "min_instances": 1, "fixed_usd_per_month": fixed},
        "api": {**api, "fixed_usd_per_month": 0},
    }
    for key, value in changes.items():
        part = next(part for part in input_.values() if key in part)
        part[key] = value
    return input_


def said_of(input_: dict[str, Any], people: dict[str, Any] | None = None) -> str:
    """Python's sentence."""
    parsed = parse(input_)
    return sentence(parsed, decide_parsed(parsed), None if people is None else People.model_validate(people))


def people_in(input_: dict[str, Any], random_: random.Random) -> dict[str, Any]:
    """Those who may be within the box's fixed costs."""
    usd = input_["self_host"]["fixed_usd_per_month"] * random_.choice((0, 0.5, 1))
    fte = random_.choice((None, 0.25, 0.5, 1.0, 2.0, 0.3))
    return {"usd_per_month": usd, "fte": fte, "assumed": random_.choice((True, False))}


def drawn(random_: random.Random) -> dict[str, Any]:
    """A decision input from anywhere in the allowed ranges, whole and round numbers among them."""

    def some(*values: Any) -> Any:
        return random_.choice(values)

    goodput = some(None, 0, 0.25, 0.6, random_.uniform(0.01, 40))
    spread = some(None, 0.05, 0.3)
    ends = [goodput * (1 - spread), goodput * (1 + spread)] if spread and goodput else [None, None]
    kinds = [
        {
            "name": f"kind {i}",
            "weight": some(1, 2, random_.random() + 0.01),
            "input_tokens": some(800, random_.randint(1, 20000)),
            "cached_input_tokens": some(0, 1),
            "output_tokens": some(250, random_.randint(0, 4000)),
        }
        for i in range(some(1, 1, 3))
    ]
    profile = some(None, None, [random_.randint(0, 9) + (hour == 3) for hour in range(24)])
    input_ = given(
        tasks=some(None, 0, 1, 400_000, 1_576_800, 1_576_801, round(random_.uniform(1, 5e7))),
        fixed=some(0, HALF_FTE, random_.uniform(0, 30000)),
        classes=kinds,
        retry_failure_rate=some(0, 0.08, random_.uniform(0, 0.9)),
        max_retries=some(0, 1, 3, None),
        response_cache_hit_rate=some(0, 0.15, random_.uniform(0, 0.9)),
        peak=some(1, 2.5, random_.uniform(1, 6)),
        usd_per_hour=some(5.672, 0.08925, random_.uniform(0, 60)),
        goodput_requests_per_s=goodput,
        goodput_low=ends[0],
        goodput_high=ends[1],
        max_load=some(1, 0.8, random_.uniform(0.1, 1)),
        min_instances=some(1, 1, 2, 7),
        input_usd_per_mtok=some(3, 0, 0.1, random_.uniform(0, 30)),
        cached_input_usd_per_mtok=some(None, 0.3),
        output_usd_per_mtok=some(15, 0, 0.32, random_.uniform(0, 90)),
    )
    input_["api"]["fixed_usd_per_month"] = some(0, 0, 4140.56, random_.uniform(0, 30000))
    if profile:
        input_["workload"]["hourly_profile"] = profile
        del input_["workload"]["peak_to_mean"]
    _other_ways_to_pay(input_, random_)
    return input_


def _other_ways_to_pay(input_: dict[str, Any], random_: random.Random) -> None:
    """Units, fees, surcharges; instances that come and go, or are paid by the second. Half the time none of it."""
    some, box, api = random_.choice, input_["self_host"], input_["api"]
    if some((True, False)):
        return
    api |= {"usd_per_request": some((0, 0.005)), "surcharge": some((0, 0.055)), "success_rate": some((None, 0.9))}
    api |= {"output_ratio": some((1, 1.8)), "reasoning_tokens": some((0, 400)), "cached_share": some((None, 0.5))}
    api |= {"tokenizer_ratio": some((1, 1.3)), "units_usd_per_month": some((0, 2448, 500))}
    if api["units_usd_per_month"]:
        api |= some(({}, {"unit_tasks_per_month": random_.uniform(1e4, 1e7)}, {"unit_tokens_per_s": 2000}))
    if some((True, False, False)):
        box |= {"billing": "per_second", "usd_per_second": some((None, 0.00116)), "service_s": some((None, 2.2))}
    elif input_["workload"]["hourly_profile"]:
        box |= {"min_instances": 0, "cold_start_s": some((0, 120)), "idle_s": some((0, 300))}
    if not api["units_usd_per_month"]:  # people beside units are not decided
        box["usd_per_task"], api["usd_per_task"] = some((0, 0.002, 1.5)), some((0, 0, 0.001, 2.0))


def test_the_page_gives_pythons_numbers_and_words_for_inputs_of_all_kinds(browser, page_of: PageOf) -> None:
    inputs = [drawn(random.Random(seed)) for seed in range(2000)]
    people = [people_in(input_, random.Random(seed)) for seed, input_ in enumerate(inputs)]
    browser.open(page_of("two_windows"))
    script = (
        "return arguments[0].map(([i, p]) => "
        "{ const d = breakeven.decide(i); return [d, breakeven.sentence(i, d, p)]; })"
    )

    answers = browser.js(script, list(zip(inputs, people, strict=True)))

    expected = [decide(input_) for input_ in inputs]
    assert {decided["verdict"] for decided in expected} == {"yes", "window", "never"}
    other_words = []
    for input_, operated, decided, (got, words) in zip(inputs, people, expected, answers, strict=True):
        assert _differences(decided, got) == [], json.dumps(input_)
        other_words += [(words, said)] if words != (said := said_of(input_, operated)) else []
    # an amount that ends in exactly 5 may round either way; everything else is the same to the letter
    assert len(other_words) <= 10
    assert [pair for pair in other_words if len({re.sub(r"[\d.,]+", "#", words) for words in pair}) != 1] == []


def test_the_page_tells_volumes_side_by_side_apart_as_python_does(browser, page_of: PageOf) -> None:
    """A box of 65 USD a month under 8,667 USD of people: wins, loses and wins again within a percent."""
    cheap = {"input_usd_per_mtok": 0.4, "output_usd_per_mtok": 1.6, "usd_per_hour": 0.08925}
    input_ = given(fixed=HALF_FTE, goodput_requests_per_s=0.1346153846153846, **cheap)
    browser.open(page_of("two_windows"))

    said = browser.js("return breakeven.sentence(arguments[0], breakeven.decide(arguments[0]))", input_)

    assert said == said_of(input_)
    assert "loses again from 16.27M to 16.29M" in said


def _differences(expected: Any, got: Any, path: str = "") -> list[str]:
    """Where two answers differ by more than the rounding of floats."""
    if isinstance(expected, dict):
        keys = [] if expected.keys() == got.keys() else [f"{path}: {sorted(expected)} != {sorted(got)}"]
        return keys + [
            d for k in expected.keys() & got.keys() for d in _differences(expected[k], got[k], f"{path}.{k}")
        ]
    if isinstance(expected, list | tuple) and isinstance(got, list) and len(expected) == len(got):
        return [
            d for i, (e, g) in enumerate(zip(expected, got, strict=True)) for d in _differences(e, g, f"{path}[{i}]")
        ]
    if isinstance(expected, int | float) and isinstance(got, int | float) and not isinstance(expected, bool):
        same = math.isclose(expected, got, rel_tol=1e-9, abs_tol=1e-9)
    else:
        same = expected == got
    return [] if same else [f"{path}: {expected} != {got}"]


def _shown(browser) -> tuple[dict[str, Any], str]:
    """The panel's decision and its sentence."""
    panel = browser.js("return document.getElementById('what-if-panel').dataset.decision")
    return json.loads(panel), browser.texts("#what-if .sentence")[0]


def test_the_panel_begins_with_the_runs_own_decision(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))

    decided, words = _shown(browser)
    assert _differences(decision_of("two_windows").arms[0].decision.to_dict(), decided) == []
    assert words.startswith(
        "At your 400,000 tasks a month self-hosting costs USD 12,807 and the API 2,460: the API wins;"
    )


MOVE = """
const number = document.querySelector(`input[data-path="${arguments[0]}"]`);
const slider = number.parentElement.querySelector('input[type=range]');
slider.value = arguments[1];
slider.dispatchEvent(new Event('input', {bubbles: true}));
return Number(number.value);
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("workload.tasks_per_month", 800),
        ("workload.retry_failure_rate", 250),
        ("workload.response_cache_hit_rate", 500),
        ("workload.peak_to_mean", 400),
        ("self_host.usd_per_hour", 380),
        ("self_host.goodput_requests_per_s", 620),
        ("self_host.max_load", 700),
        ("self_host.min_instances", 300),
        ("self_host.other_fixed_usd_per_month", 0),
        ("api.input_usd_per_mtok", 450),
        ("api.cached_input_usd_per_mtok", 500),
        ("api.output_usd_per_mtok", 700),
    ],
)
def test_a_slider_moved_gives_pythons_number(browser, page_of: PageOf, path: str, place: int) -> None:
    input_ = decision_of("two_windows").arms[0].input.model_dump(mode="json")
    browser.open(page_of("two_windows"))

    value = browser.js(MOVE, path, place)

    *parts, last = path.replace("other_fixed", "fixed").split(".")
    target = input_
    for part in parts:
        target = target[int(part) if part.isdigit() else part]
    assert value != target[last]
    target[last] = int(value) if last == "min_instances" else value
    if last == "goodput_requests_per_s":
        input_["self_host"].update(goodput_low=None, goodput_high=None)
    del input_["workload"]["hourly_profile"]
    decided, words = _shown(browser)
    assert _differences(decide(input_), decided) == []
    assert words == said_of(input_)


def test_the_chart_follows_and_shades_the_new_windows(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))
    bands = "return [...document.querySelectorAll('#what-if-chart .band')].map(b => Number(b.dataset.low))"
    before = browser.js(bands)

    browser.js(MOVE, "self_host.other_fixed_usd_per_month", 0)

    assert before == [pytest.approx(2755737.6693766937), pytest.approx(3428999.45799458)]
    assert browser.js(bands) == [pytest.approx(673261.7886178861)]  # AN-08: no fixed cost
    assert browser.complaints() == []


def test_a_value_out_of_range_is_said_and_changes_nothing(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))
    before, _ = _shown(browser)

    browser.js(
        "const n = document.querySelector('input[data-path=\"workload.retry_failure_rate\"]');"
        "n.value = '8'; n.dispatchEvent(new Event('input', {bubbles: true}))"
    )

    assert browser.texts("#what-if .refused")[0].startswith("attempts that fail share: ")
    assert _shown(browser)[0] == before


def test_reset_brings_the_run_back(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))
    before = _shown(browser)
    browser.js(MOVE, "api.output_usd_per_mtok", 900)
    assert _shown(browser) != before

    browser.js("document.querySelector('#what-if button').click()")

    assert _shown(browser) == before


def test_another_arm_can_be_chosen(browser, page_of: PageOf) -> None:
    browser.open(page_of("two_windows"))

    browser.js("const s = document.getElementById('wi-arm'); s.value = '1'; s.dispatchEvent(new Event('change'))")

    assert _differences(decision_of("two_windows").arms[1].decision.to_dict(), _shown(browser)[0]) == []


def test_an_infeasible_run_can_be_played_with_all_the_same(browser, page_of: PageOf) -> None:
    browser.open(page_of("infeasible"))

    assert _shown(browser)[1].startswith("Self-hosting never wins on this evidence")
    assert browser.js(MOVE, "self_host.goodput_requests_per_s", 700) > 0
    assert _shown(browser)[0]["capacity_tasks_per_month"] > 0
    assert browser.complaints() == []


def test_what_no_goodput_was_measured_for_is_not_decided_and_no_more_is_said(browser, page_of: PageOf) -> None:
    run, metrics, decision = case("infeasible")
    assert decision is not None
    open_arms = tuple(
        arm.model_copy(update={"decided": False, "why_not": "b was dead", "decision": left_open(arm.decision)})
        for arm in decision.arms
    )

    browser.open(page_of(Case(run, metrics, decision.model_copy(update={"arms": open_arms}))))

    assert _shown(browser)[1] == "Not decided: b was dead."


def test_a_report_without_prices_has_no_panel(browser, page_of: PageOf) -> None:
    browser.open(page_of("partial"))

    assert browser.js("return document.getElementById('what-if')") is None
