import re
from typing import Any

from report_cases import case, changed, decision_of

from harness.report.model import Check
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
        "At 400,000 tasks a month self-hosting is cheaper than 2 of 3 APIs"
    )
    assert headline(case("never").decision) == ("At 400,000 tasks a month all 3 APIs are cheaper than self-hosting")


def test_without_a_volume_the_headline_says_so() -> None:
    def without(data: dict[str, Any]) -> None:
        for arm in data["arms"]:
            arm["input"]["workload"]["tasks_per_month"] = None
            arm["decision"]["at_volume"] = None

    assert headline(changed(decision_of("two_windows"), without)) == (
        "Self-hosting can pay against 1 of 3 APIs; no monthly volume was given"
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
    won = "At 400,000 tasks a month self-hosting is cheaper than 2 of 3 APIs"
    assert headline(decision) == f"{won}. {why}"
    doubt = Check("error", "client_bound", "the client was busy", "")
    assert headline(decision, [doubt]) == f"Do not decide on this run: the client was busy. {won}. {why}"


def test_a_long_finding_is_cut_at_a_word_in_the_headline() -> None:
    doubt = Check("error", "long", "word, " * 60, "")

    said = headline(decision_of("two_windows"), [doubt])

    assert re.match(r"Do not decide on this run: (word, )+word …\. At ", said)
    assert len(said) < 260


def test_each_verdict_has_both_months_side_by_side() -> None:
    """5.672 x 730 = 4,140.56 for the box, 8,666.67 fixed; 400,000 x 0.00615 at the API."""
    box, api = verdicts(decision_of("two_windows"))[0].months

    assert (box.usd, api.usd) == ("USD 12,807", "USD 2,460")
    assert box.made_of == "1 x 4,141 + 8,667 other fixed costs"
    assert api.made_of == "0.00615 a task"


def without_a_volume(data: dict[str, Any]) -> None:
    for arm in data["arms"]:
        arm["input"]["workload"]["tasks_per_month"] = None
        arm["decision"]["at_volume"] = None


def test_without_a_volume_a_month_of_the_box_stands_beside_a_million_tasks() -> None:
    box, api = verdicts(changed(decision_of("two_windows"), without_a_volume))[0].months

    assert (box.usd, api.usd) == ("USD 12,807", "USD 6,150")
    assert box.made_of == "a month, 1 x 4,141 + 8,667 other fixed costs, serves up to 1.58M tasks"
    assert api.made_of == "a million tasks"


def test_a_box_that_serves_nothing_within_the_limits_has_no_month_of_its_own() -> None:
    for verdict in verdicts(changed(decision_of("infeasible"), without_a_volume)):
        assert [month.whose for month in verdict.months] == ["the API"]


def test_the_top_of_the_page_says_what_was_priced() -> None:
    facts = dict(demand_facts(decision_of("two_windows")))

    assert facts["demand"].endswith("400,000 tasks a month")
    assert facts["a task"] == "800 tokens in, 250 out"
    assert facts["people for the box"] == "none counted"


def test_people_are_named_with_what_they_cost() -> None:
    people = {"usd_per_month": 8666.67, "fte": 0.5, "assumed": True}
    decision = changed(decision_of("two_windows"), lambda data: data.update(people=people))

    assert dict(demand_facts(decision))["people for the box"] == "an assumed half engineer, USD 8,667 a month"
    assert verdicts(decision)[0].months[0].made_of == "1 x 4,141 + 8,667 an assumed half engineer"
