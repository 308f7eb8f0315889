import copy

from report_cases import case

from harness.report.verdict import gather_checks, headline, notices, sentence, verdicts


def test_the_sentence_of_decision_json_is_printed_as_it_is() -> None:
    decision = case("two_windows").decision
    assert decision is not None

    said = [verdict.sentence for verdict in verdicts(decision)]

    assert said == [arm["sentence"] for arm in decision["arms"]]


def test_without_a_sentence_one_is_made_from_the_numbers() -> None:
    decision = case("two_windows").decision
    assert decision is not None

    # 12,807.23 - 2,460.00 = 10,347.23
    assert sentence(decision["arms"][0]) == (
        "At your 400,000 tasks a month the API wins by USD 10,347 a month; "
        "self-hosting wins from 2.76M to 3.15M, from 3.43M for good."
    )


def test_a_made_never_says_why() -> None:
    decision = case("never").decision
    assert decision is not None

    # 0.00615 * 504,576 = 3,103.14; 5.672 * 730 = 4,140.56
    assert sentence(decision["arms"][0]).endswith(
        "self-hosting never wins: one full instance saves USD 3,103 a month and costs USD 4,141."
    )


def test_a_box_without_goodput_is_infeasible_and_not_free() -> None:
    decision = case("infeasible").decision
    assert decision is not None

    assert "no load step met the SLO" in sentence(decision["arms"][0])
    assert (
        headline(decision, trusted=True) == "No load step met the SLO, so this box has no capacity to price"
    )


def test_the_headline_counts_the_apis_that_lose() -> None:
    assert headline(case("twelve_steps").decision, trusted=True) == (
        "At 400,000 tasks a month self-hosting is cheaper than 2 of 3 APIs"
    )
    assert headline(case("never").decision, trusted=True) == (
        "At 400,000 tasks a month both APIs are cheaper than self-hosting"
    )


def test_without_a_volume_the_headline_says_so() -> None:
    decision = copy.deepcopy(case("two_windows").decision)
    assert decision is not None
    decision["demand"]["tasks_per_month"] = None
    for arm in decision["arms"]:
        arm["input"]["workload"]["tasks_per_month"] = None
        arm["decision"]["at_volume"] = None

    assert headline(decision, trusted=True) == (
        "Self-hosting can pay against 1 of 3 APIs; no monthly volume was given"
    )


def test_a_run_with_a_failed_check_says_first_not_to_decide_on_it() -> None:
    run, metrics, decision = case("errors")

    stops = notices(run, gather_checks(metrics, decision))

    assert [(stop.level, stop.code) for stop in stops] == [
        ("error", "client_bound"),
        ("error", "demand_shape_differs"),
    ]
    assert headline(decision, trusted=False).startswith("Do not decide on this run.")


def test_a_partial_run_is_said_to_be_partial() -> None:
    run, metrics, decision = case("partial")

    assert [stop.level for stop in notices(run, gather_checks(metrics, decision))] == ["partial"]


def test_the_same_finding_in_several_steps_is_one_entry() -> None:
    _, metrics, decision = case("twelve_steps")

    found = {check.code: check for check in gather_checks(metrics, decision).items}

    assert found["too_few_samples"].where == "steps 1 to 3"
    assert found["too_few_samples"].message == "216 requests: p99 needs 662"
    assert found["too_few_samples"].more == (
        "step 2: 405 requests: p99 needs 662",
        "step 3: 576 requests: p99 needs 662",
    )


def test_a_stand_in_says_so_in_words() -> None:
    kinds = [verdict.kind for verdict in verdicts(case("twelve_steps").decision)]

    assert kinds == [
        "frontier API",
        "cheap API",
        "stand-in: nobody hosts SmolLM2-135M, so this is a larger open model",
    ]


def test_outcomes_tell_here_elsewhere_and_never_apart() -> None:
    assert [v.outcome for v in verdicts(case("two_windows").decision)] == ["warn", "bad", "bad"]
    assert [v.outcome for v in verdicts(case("twelve_steps").decision)] == ["good", "good", "warn"]
