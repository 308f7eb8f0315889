from typing import Any

from report_cases import case, changed, decision_of

from harness.report.verdict import gather_checks, headline, notices, verdicts


def test_the_sentence_of_decision_json_is_printed_as_it_is() -> None:
    decision = decision_of("two_windows")

    said = [verdict.sentence for verdict in verdicts(decision)]

    assert said == [arm.sentence for arm in decision.arms]


def test_a_box_without_goodput_is_infeasible_and_not_free() -> None:
    said = headline(decision_of("infeasible"), trusted=True)

    assert said == "No load step met the SLO, so this box has no capacity to price"


def test_the_headline_counts_the_apis_that_lose() -> None:
    assert headline(case("twelve_steps").decision, trusted=True) == (
        "At 400,000 tasks a month self-hosting is cheaper than 2 of 3 APIs"
    )
    assert headline(case("never").decision, trusted=True) == (
        "At 400,000 tasks a month all 3 APIs are cheaper than self-hosting"
    )


def test_without_a_volume_the_headline_says_so() -> None:
    def without(data: dict[str, Any]) -> None:
        for arm in data["arms"]:
            arm["input"]["workload"]["tasks_per_month"] = None
            arm["decision"]["at_volume"] = None

    assert headline(changed(decision_of("two_windows"), without), trusted=True) == (
        "Self-hosting can pay against 1 of 3 APIs; no monthly volume was given"
    )


def test_a_run_with_a_failed_check_says_first_not_to_decide_on_it() -> None:
    run, metrics, decision = case("errors")

    stops = notices(gather_checks(metrics, decision), is_partial=run.partial)

    assert [(stop.level, stop.code) for stop in stops] == [("error", "demand_shape_differs"), ("error", "client_bound")]
    assert headline(decision, trusted=False).startswith("Do not decide on this run.")


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
    assert headline(decision, trusted=True) == f"{won}. {why}"
    doubted = f"Do not decide on this run. {won}, but a check of level error failed"
    assert headline(decision, trusted=False) == f"{doubted}. {why}"
