"""A decision without a run: what the box serves is given, in requests or in tokens."""

import pytest
from cost_cases import smallest

from harness.base.errors import UsageError
from harness.cost.box.given import GivenRate, given_goodput
from harness.cost.breakeven.words import engineers
from harness.cost.verdict import decide_on_given
from harness.demand.demand import demand_from_dict
from harness.report.given import given_report
from harness.report.render.markdown import render_markdown
from harness.report.verdict import headline
from harness.rundir.decision import Decision

SHAPE = demand_from_dict({"name": "d", "classes": [{"input_tokens": 800, "output_tokens": 250}]})


def decided(rate: GivenRate, model: str | None = None, **more: object) -> Decision:
    return decide_on_given({"id": "g5.12xlarge"}, rate, smallest(**more), ["anthropic:claude-sonnet-4-6"], model=model)


@pytest.mark.parametrize(
    ("rate", "requests_per_s", "words"),
    [
        (GivenRate(requests_per_s=0.6), 0.6, "0.6 requests/s"),
        (
            GivenRate(output_tokens_per_s=150),
            0.6,
            "150 output tokens/s over 250 output tokens a request are 0.6000 requests/s",
        ),
        (GivenRate(tokens_per_s=2100), 2.0, "2,100 tokens/s over 800 in and 250 out a request are 2.000 requests/s"),
    ],
)
def test_a_rate_in_tokens_is_one_in_requests_of_the_demands_mean_lengths(
    rate: GivenRate, requests_per_s: float, words: str
) -> None:
    goodput, said = given_goodput(rate, SHAPE)

    assert goodput.requests_per_s == pytest.approx(requests_per_s)
    assert said == words


def test_the_mean_is_taken_over_the_weights_of_the_classes() -> None:
    two = demand_from_dict(
        {
            "name": "two",
            "classes": [
                {"input_tokens": 100, "output_tokens": 100, "weight": 3},
                {"input_tokens": 100, "output_tokens": 500, "weight": 1},
            ],
        }
    )

    assert given_goodput(GivenRate(output_tokens_per_s=400), two)[0].requests_per_s == pytest.approx(2.0)


def test_the_ends_are_in_the_unit_that_the_rate_is_in() -> None:
    goodput, _ = given_goodput(GivenRate(output_tokens_per_s=150, low=100, high=200), SHAPE)

    assert (goodput.low, goodput.high) == pytest.approx((0.4, 0.8))


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (GivenRate(), "no rate of the box is given"),
        (GivenRate(requests_per_s=1, tokens_per_s=1), "more than one rate of the box is given"),
        (GivenRate(requests_per_s=1, low=2), "--low and --high must hold the 1 requests/s"),
        (GivenRate(requests_per_s=1, high=0.5), "--low and --high must hold the 1 requests/s"),
        (GivenRate(requests_per_s=5, low=7, high=3), "--low and --high must hold the 5 requests/s"),
    ],
)
def test_a_rate_that_is_none_is_refused_in_one_line(rate: GivenRate, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        given_goodput(rate, SHAPE)


def test_output_tokens_say_nothing_of_requests_that_have_none() -> None:
    silent = demand_from_dict({"name": "embeddings", "classes": [{"input_tokens": 400, "output_tokens": 0}]})

    with pytest.raises(UsageError, match="a request of the demand has no output tokens"):
        given_goodput(GivenRate(output_tokens_per_s=150), silent)


def test_the_decision_is_that_of_a_run_with_the_same_goodput_and_says_that_nothing_was_measured() -> None:
    got = decided(GivenRate(output_tokens_per_s=150))

    assert got.arms[0].decision.first_win_tasks_per_month == pytest.approx(673261.7886178861, rel=1e-9)  # AN-08
    assert got.self_host.given == "150 output tokens/s over 250 output tokens a request are 0.6000 requests/s"
    assert [(f.kind, f.source) for f in got.provenance if f.what == "goodput"] == [("assumed", got.self_host.given)]
    assert "goodput_given" in [check.code for check in got.checks]


def test_a_million_tokens_is_priced_at_the_rate_given() -> None:
    at = decided(GivenRate(output_tokens_per_s=150)).self_host.usd_per_mtok.at_slo

    assert at is not None
    assert at.step is None
    assert at.output_only == pytest.approx(5.672 * 1e6 / 3600 / 150)
    assert at.total == pytest.approx(5.672 * 1e6 / 3600 / (150 + 480))


def test_weights_that_do_not_fit_the_box_are_an_error_without_a_run_too() -> None:
    got = decided(GivenRate(requests_per_s=0.6), model="meta-llama/Llama-3.1-405B-Instruct")

    assert got.checks[0].code == "weights_do_not_fit"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.5, 0.7, " (0.500 to 0.700 req/s)"), (0.5, None, " (0.500 or more req/s)"), (None, 0.7, " (up to 0.700 req/s)"),
     (None, None, "")],
)  # fmt: skip
def test_the_head_has_the_range_that_was_given(low: float | None, high: float | None, said: str) -> None:
    report = given_report(decided(GivenRate(requests_per_s=0.6, low=low, high=high)), "d", ("breakeven",))

    assert report.measured == f"goodput 0.600 req/s{said}, given: 0.6 requests/s"


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"fraction": 1.0, "loaded_usd_per_year": 120_000}, {"fraction": 0.5}],
         "1.5 engineers, 0.5 of them at an assumed USD 208,000 a year"),
        ([{"fraction": 0.25}, {"fraction": 0.25, "loaded_usd_per_year": 208_000}],
         "half an engineer, 0.25 of them at an assumed USD 208,000 a year"),
        ([{"fraction": 0.25}, {"fraction": 0.25}], "half an engineer at an assumed USD 208,000 a year"),
        ([{"fraction": 0.5, "loaded_usd_per_year": 120_000}], "half an engineer"),
    ],
)  # fmt: skip
def test_people_of_whom_only_some_have_a_pay_are_told_apart(items: list[dict[str, float]], said: str) -> None:
    whole = [{"kind": "fte", "arm": "self_host", "name": f"p{i}"} | item for i, item in enumerate(items)]

    people = decided(GivenRate(requests_per_s=0.6), items=whole).people

    assert people is not None
    assert engineers(people) == said


@pytest.mark.parametrize(("tasks", "said"), [(1, "At your 1 task a month"), (2, "At your 2 tasks a month")])
def test_one_task_is_no_plural(tasks: int, said: str) -> None:
    decision = decided(GivenRate(requests_per_s=0.6), tasks_per_month=tasks)

    assert decision.arms[0].sentence.startswith(f"{said} self-hosting costs")
    assert headline(decision).startswith(f"{said} ")


def test_a_month_that_lacks_only_its_volume_says_so() -> None:
    report = given_report(decided(GivenRate(requests_per_s=0.6)), "d", ("breakeven",))

    assert "no goodput or" not in render_markdown(report)
