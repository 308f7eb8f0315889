"""Several URLs at one instance's price: as many boxes as somebody says they are, and no verdict where nobody does."""

from typing import Any

import pytest
from cost_cases import manifest, metrics, smallest

from harness.base.errors import UsageError
from harness.cost.needed import needed_goodput
from harness.cost.verdict import build_decision
from harness.rundir.decision import Decision
from harness.rundir.manifest import InstanceFacts, RunManifest, taken_as, with_boxes
from harness.rundir.of_step import ReplicaOfStep
from harness.rundir.results import Goodput, Metrics


def priced(**instance: Any) -> Decision:
    """12 requests/s, 11 to 13, were measured, with 150 tokens/s; 400,000 tasks a month."""
    measured = metrics().model_copy(update={"goodput": Goodput(requests_per_s=12, low=11, high=13, step=0)})
    return build_decision(manifest(**instance), measured, smallest(), [])


@pytest.mark.parametrize(
    ("instance", "goodput", "words"),
    [
        ({"replicas_driven": 4, "boxes": 4}, 3, "4 URLs taken as 4 boxes"),
        ({"replicas_driven": 4, "boxes": 1}, 12, "4 URLs taken as one box"),
        ({"replicas_driven": 4, "replicas": 2}, 6, "4 URLs, 2 equal replicas a box, taken as 2 boxes"),
        ({"replicas_driven": 4, "replicas": 2, "boxes": 2}, 6, "4 URLs, 2 equal replicas a box, taken as 2 boxes"),
        ({"replicas_driven": 3, "replicas": 2}, 8, "3 URLs, 2 equal replicas a box, taken as 1.5 boxes"),
        ({"replicas_driven": 1, "replicas": 4}, 48, "1 URL, 4 equal replicas a box, taken as 0.25 boxes"),
        ({"replicas": 4}, 48, "1 URL, 4 equal replicas a box, taken as 0.25 boxes"),
        ({"replicas_driven": 1, "boxes": 2}, 6, "1 URL taken as 2 boxes"),
        ({"replicas_driven": 1}, 12, ""),
        ({}, 12, ""),
    ],
    ids=str,
)
def test_an_instance_serves_its_share_of_what_was_measured(
    instance: dict[str, Any], goodput: float, words: str
) -> None:
    got = priced(**instance)

    own, at_slo = got.self_host.goodput, got.self_host.usd_per_mtok.at_slo
    assert own is not None
    assert at_slo is not None
    assert (own.requests_per_s, own.low, own.high) == pytest.approx((goodput, 11 / 12 * goodput, 13 / 12 * goodput))
    assert at_slo.output_tokens_per_s == pytest.approx(150 * goodput / 12)
    assert got.self_host.instance.taken_as == words
    assert got.arms[0].decided
    assert got.arms[0].input.self_host.goodput_requests_per_s == own.requests_per_s
    assert [line.note for line in got.monthly[0].lines if line.line == "inference"] == [words]


def test_urls_of_which_nobody_said_how_many_boxes_they_are_decide_nothing() -> None:
    got = priced(replicas_driven=4)

    assert {(arm.decided, arm.decision.verdict) for arm in got.arms} == {(False, None)}
    assert got.arms[0].why_not == (
        "4 URLs were driven at the price of one instance, and nobody said how many boxes they are"
    )
    assert got.self_host.goodput is None
    assert got.self_host.usd_per_mtok.at_slo is None
    assert got.self_host.why_no_goodput == got.arms[0].why_not
    (found,) = (check for check in got.checks if check.code == "boxes_unknown")
    assert found.level == "warning"
    assert "--boxes 4" in (found.hint or "")


def test_the_boxes_said_are_a_fact_of_the_decision_with_its_origin() -> None:
    facts = {fact.what: fact for fact in priced(replicas_driven=4, boxes=2).provenance}

    assert (facts["boxes driven"].value, facts["boxes driven"].kind) == (2, "assumed")
    assert facts["goodput"].source == "step 1 of this run, 4 URLs taken as 2 boxes"


def test_only_a_part_of_a_box_that_was_driven_is_assumed_for_the_rest() -> None:
    def found(**instance: Any) -> list[str]:
        return [check.message for check in priced(**instance).checks if check.code == "replicas_assumed"]

    assert found(replicas_driven=4, replicas=2) == []
    assert found(replicas_driven=2, replicas=8) == [
        "2 of 8 engines of a g5.12xlarge were driven and the goodput taken 4 times: assumed"
    ]


def test_an_older_run_of_several_urls_says_nothing_of_boxes_and_report_may() -> None:
    data = manifest().to_dict() | {"urls": ["http://a", "http://b"]}
    facts = InstanceFacts.model_validate(RunManifest.model_validate(data).instance)

    assert facts.instances is None
    assert InstanceFacts.model_validate(with_boxes(facts.model_dump(), 2)).instances == 2


def test_boxes_that_do_not_fit_the_replicas_of_one_are_refused() -> None:
    with pytest.raises(UsageError, match="--boxes 3 of 2 replicas each are not the 4 URLs driven"):
        with_boxes({"replicas": 2, "replicas_driven": 4}, 3)
    assert with_boxes({"replicas": 2, "replicas_driven": 4}, 2)["boxes"] == 2


def test_a_search_over_all_boxes_needs_what_all_of_them_need_and_stops_at_nothing_where_that_is_unknown() -> None:
    box = {"id": None, "usd_per_hour": 5.672, "purchase": "on_demand", "replicas_driven": 4}
    arm, demand = "anthropic:claude-sonnet-4-6", smallest()

    one = needed_goodput(box | {"replicas_driven": 1}, [arm], demand)
    four = needed_goodput(box | {"boxes": 4}, [arm], demand)

    assert one[arm] is not None
    assert four[arm] == pytest.approx(4 * one[arm])
    assert needed_goodput(box, [arm], demand) == {}


def test_a_fleet_with_a_replica_that_failed_has_no_price_even_at_its_peak() -> None:
    dead = ReplicaOfStep(
        url="http://b", requests=9, failed=9, requests_per_s=0, output_tokens_per_s=0, in_flight=0, failing=True
    )
    broken = tuple(step.model_copy(update={"replicas": (dead,)}) for step in metrics(None).steps)

    got = build_decision(manifest(boxes=1, replicas_driven=2), Metrics(steps=broken), smallest(), [])

    assert {arm.why_not for arm in got.arms} == {
        "the fleet was not whole: replica http://b answered none of its 9 requests"
    }
    assert got.self_host.usd_per_mtok.at_peak is None
    assert got.self_host.splits is None


def test_the_tokens_of_half_a_load_have_no_price() -> None:
    half = tuple(step.model_copy(update={"void": "a load process had died"}) for step in metrics(None).steps)

    got = build_decision(manifest(), Metrics(steps=half), smallest(), [])

    assert got.self_host.usd_per_mtok.at_peak is None
    assert {arm.decided for arm in got.arms} == {False}


def test_what_was_taken_as_what_is_not_said_where_one_url_is_one_box() -> None:
    assert taken_as(1, 1, 1.0) == ""
    assert taken_as(4, 1, None) == ""
