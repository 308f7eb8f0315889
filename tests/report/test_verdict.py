import re
from dataclasses import replace
from typing import Any

from report_cases import case, changed, decision_of, run_of

from harness.report.model import Check
from harness.report.sections import build_report
from harness.report.verdict import demand_facts, gather_checks, headline, notices, verdicts


def test_the_sentence_of_decision_json_is_printed_as_it_is() -> None:
    decision = decision_of("two_windows")

    said = [verdict.sentence for verdict in verdicts(decision)]

    assert said == [arm.sentence for arm in decision.arms]


def test_a_box_without_goodput_is_infeasible_and_not_free() -> None:
    said = headline(decision_of("infeasible"))

    assert said == "No load step met the SLO, so this box has no capacity to price"


def test_the_headline_counts_the_apis_that_lose() -> None:
    assert headline(case("twelve_steps").decision) == (
        "At your 400,000 tasks a month self-hosting is cheaper than 2 of 3 APIs "
        "(self-hosting USD 65.15, the APIs 24.00 to 2,460)"
    )
    assert headline(case("never").decision) == (
        "At your 400,000 tasks a month all 3 APIs are cheaper than self-hosting "
        "(self-hosting USD 4,141, the APIs 268 to 2,460)"
    )


def test_the_headline_says_that_people_are_assumed_and_not_those_that_were_given() -> None:
    people = {"usd_per_month": 8666.67, "fte": 0.5, "assumed": True}
    given = {**people, "assumed": False}
    assumed, said = (changed(decision_of("two_windows"), lambda d, p=p: d.update(people=p)) for p in (people, given))

    assert "(self-hosting USD 12,807 with an assumed half engineer, the APIs 268 to 2,460)" in headline(assumed)
    assert "(self-hosting USD 12,807, the APIs 268 to 2,460)" in headline(said)
    unasked = headline(changed(assumed, without_a_volume))
    assert unasked.endswith("(anthropic:claude-sonnet-5-5, with an assumed half engineer); no monthly volume was given")


def test_without_a_price_the_headline_says_what_is_missing() -> None:
    run = run_of("partial")
    rented = replace(run, run=run.run.model_copy(update={"instance": {"id": "g5.12xlarge"}}))

    assert build_report(run).headline == (
        "Measured, not priced: nobody said what was rented, or what an hour of it costs"
    )
    assert build_report(rented).headline.endswith("no request tells how many tokens a task has")
    doubt = Check("error", "refused", "every request was refused", "")
    assert headline(None, [doubt], unpriced="why").startswith(
        "Do not decide on this run: every request was refused. Measured, not priced: why"
    )


def test_of_one_api_the_headline_has_its_one_bill() -> None:
    decision = changed(decision_of("never"), lambda data: data.update(arms=data["arms"][:1]))

    assert headline(decision) == (
        "At your 400,000 tasks a month the API is cheaper than self-hosting (self-hosting USD 4,141, the API 2,460)"
    )


def test_without_a_volume_the_headline_says_so() -> None:
    def without(data: dict[str, Any]) -> None:
        for arm in data["arms"]:
            arm["input"]["workload"]["tasks_per_month"] = None
            arm["decision"]["at_volume"] = None

    assert headline(changed(decision_of("two_windows"), without)) == (
        "Self-hosting can pay against 1 of 3 APIs, the first from 2.76M tasks a month (anthropic:claude-sonnet-5-5); "
        "no monthly volume was given"
    )


def test_a_run_with_a_failed_check_says_first_not_to_decide_on_it() -> None:
    run, metrics, decision = case("errors")

    stops = notices(gather_checks(metrics, decision), is_partial=run.partial)

    assert [(stop.level, stop.code) for stop in stops] == [("error", "demand_shape_differs"), ("error", "client_bound")]
    assert headline(decision, stops).startswith(f"Do not decide on this run: {stops[0].message[:60]}")
    assert "(and 1 more check failed). " in headline(decision, stops)


def test_a_partial_run_is_said_to_be_partial() -> None:
    run, metrics, decision = case("partial")

    assert [stop.level for stop in notices(gather_checks(metrics, decision), is_partial=run.partial)] == ["partial"]


def test_the_same_finding_in_several_steps_is_one_entry() -> None:
    _, metrics, decision = case("two_windows")

    found = {check.code: check for check in gather_checks(metrics, decision).items}

    # the third step has 66, with which none over the limit is sure
    assert found["too_few_samples"].where == "steps 1, 2"
    words = "too few requests: TTFT p95 from {0} (needs 130), TPOT p95 from {0} (needs 130)"
    assert found["too_few_samples"].message == f"at 1 user {words.format(16)}"
    assert found["too_few_samples"].more == (f"step 2: at 2 users {words.format(33)}",)


STAND_IN = (
    "stand-in: nobody is listed as hosting SmolLM2-135M-Instruct-Q4_1.gguf, so openai/gpt-oss-20b at groq stands in "
    "for it"
)


def test_a_stand_in_says_so_in_words() -> None:
    kinds = [verdict.kind for verdict in verdicts(case("twelve_steps").decision)]

    assert kinds == ["frontier API", "cheap API", STAND_IN]


def test_outcomes_tell_here_elsewhere_and_never_apart() -> None:
    assert [v.outcome for v in verdicts(case("two_windows").decision)] == ["warn", "bad", "bad"]
    assert [v.outcome for v in verdicts(case("twelve_steps").decision)] == ["good", "good", "warn"]


def test_an_arm_that_is_left_open_is_said_after_what_the_others_come_to() -> None:
    def left_open(decision: dict[str, Any]) -> None:
        decision["arms"][-1].update(decided=False, why_not="nobody says which weights are behind the name `bench`")

    decision = changed(decision_of("twelve_steps"), left_open)  # the two others lose to the box

    why = "Not decided against 1 of 3 APIs: nobody says which weights are behind the name `bench`"
    bills = "(self-hosting USD 65.15, the APIs 288 to 2,460)"
    won = f"At your 400,000 tasks a month self-hosting is cheaper than 2 of 3 APIs {bills}"
    assert headline(decision) == f"{won}. {why}"
    doubt = Check("error", "client_bound", "the client was busy", "")
    assert headline(decision, [doubt]) == f"Do not decide on this run: the client was busy. {won}. {why}"


def test_a_long_finding_is_cut_at_a_word_in_the_headline() -> None:
    doubt = Check("error", "long", "word, " * 60, "")

    said = headline(decision_of("two_windows"), [doubt])

    assert re.match(r"Do not decide on this run: (word, )+word … At ", said)
    assert len(said.split("…")[0]) < 150


def test_each_verdict_has_both_months_side_by_side() -> None:
    """5.672 x 730 = 4,140.56 for the box, 8,666.67 fixed; 400,000 x 0.00615 at the API."""
    box, api = verdicts(decision_of("two_windows"))[0].months

    assert (box.usd, api.usd) == ("USD 12,807", "USD 2,460")
    assert box.made_of == "4,141 for the box + 8,667 for other fixed costs"
    assert api.made_of == "0.00615 a task"
    assert (box.is_cheaper, api.is_cheaper) == (False, True)


def test_an_arm_that_is_left_open_has_no_cheaper_side_and_no_colour() -> None:
    def left_open(data: dict[str, Any]) -> None:
        data["arms"][0].update(decided=False, why_not="the box was not filled")

    open_one, closed_one, _ = verdicts(changed(decision_of("twelve_steps"), left_open))

    assert (open_one.outcome, closed_one.outcome) == ("muted", "good")
    assert [month.is_cheaper for month in (*open_one.months, *closed_one.months)] == [False, False, True, False]


def test_more_boxes_are_one_amount() -> None:
    """3 x 4,140.56 = 12,421.68, and 8,666.67 beside it."""

    def threefold(data: dict[str, Any]) -> None:
        data["arms"][0]["decision"]["at_volume"].update(instances=3, self_usd=21088.35)

    box, _ = verdicts(changed(decision_of("two_windows"), threefold))[0].months

    assert box.made_of == "12,422 for 3 boxes + 8,667 for other fixed costs"


def without_a_volume(data: dict[str, Any]) -> None:
    for arm in data["arms"]:
        arm["input"]["workload"]["tasks_per_month"] = None
        arm["decision"]["at_volume"] = None


def test_without_a_volume_a_month_of_the_box_stands_beside_a_million_tasks() -> None:
    box, api = verdicts(changed(decision_of("two_windows"), without_a_volume))[0].months

    assert (box.usd, api.usd) == ("USD 12,807", "USD 6,150")
    assert box.made_of == "a month: 4,141 for the box + 8,667 for other fixed costs; serves up to 1.58M tasks"
    assert api.made_of == "a million tasks"


def test_a_box_that_serves_nothing_within_the_limits_has_no_month_of_its_own() -> None:
    for verdict in verdicts(changed(decision_of("infeasible"), without_a_volume)):
        assert [month.whose for month in verdict.months] == ["the API"]


def test_the_top_of_the_page_says_what_was_priced() -> None:
    facts = dict(demand_facts(decision_of("two_windows")))

    assert facts["demand"].endswith("400,000 tasks a month")
    assert facts["a task"] == "800 tokens in, 250 out"
    assert facts["people for the box"] == "none counted"
    assert facts["prices"].startswith("box USD 5.672 an hour on demand, listed 20")
    assert "; APIs listed 20" in facts["prices"]


def test_prices_that_nobody_dated_or_that_are_assumed_are_said_to_be() -> None:
    def undated(data: dict[str, Any]) -> None:
        data["self_host"]["instance"].update(checked_on=None, kind="assumed", purchase="spot")
        for arm, day in zip(data["arms"], ("2026-06-02", "2026-07-20", None), strict=True):
            arm["price"]["checked_on"] = day

    said = dict(demand_facts(changed(decision_of("two_windows"), undated)))["prices"]

    assert said == "box USD 5.672 an hour spot, assumed on an unknown day; APIs listed 2026-06-02 to 2026-07-20"


def test_people_are_named_with_what_they_cost() -> None:
    people = {"usd_per_month": 8666.67, "fte": 0.5, "assumed": True}
    decision = changed(decision_of("two_windows"), lambda data: data.update(people=people))

    assert dict(demand_facts(decision))["people for the box"] == "an assumed half engineer, USD 8,667 a month"
    assert verdicts(decision)[0].months[0].made_of == "4,141 for the box + 8,667 for an assumed half engineer"
