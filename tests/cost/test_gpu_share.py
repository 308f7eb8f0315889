"""A box with several GPUs is priced for what works on it: known to be a part of it, it has no price unless somebody
says how many such engines fill it."""

import pytest
from cost_cases import manifest, metrics, smallest

from harness.base.errors import UsageError
from harness.cost.verdict import build_decision
from harness.report.verdict import headline, verdict_note
from harness.rundir.decision import Decision
from harness.rundir.identity import Identity, SaidCount
from harness.rundir.manifest import InstanceFacts, with_boxes

CODES = ("gpus_unused", "gpus_unknown", "no_gpu_used", "more_gpus_than_box")
NOBODY_SAID = ", and nobody said how many such engines fill it"


def priced(gpus: int | None, replicas: int | None = None, box: str = "g5.12xlarge", **instance: int) -> Decision:
    """0.6 requests/s were measured with so many GPUs in use; a g5.12xlarge has 4, a g5.xlarge 1, a c7i.large none."""
    run = manifest(id=box, **instance)
    run.instance = with_boxes(run.instance, instance.get("boxes"), replicas)
    said = SaidCount(value=gpus, said_by="by NVML") if gpus is not None else None
    run.identity = Identity(engine="vllm", gpus_used=said)
    return build_decision(run, metrics(), smallest(), [])


def found(decision: Decision) -> list[tuple[str, str]]:
    return [(check.code, check.level) for check in decision.checks if check.code in CODES]


@pytest.mark.parametrize(
    ("gpus", "replicas", "instance", "used", "goodput", "codes"),
    [
        (4, None, {}, 4, 0.6, []),  # one engine over all of them
        (1, 4, {}, 4, 2.4, []),  # one of four equal ones
        (4, None, {"replicas_driven": 4, "boxes": 1}, 4, 0.6, []),
        (2, 4, {"replicas_driven": 2}, 4, 1.2, []),
        (2, 2, {"replicas_driven": 2}, 2, 0.6, [("gpus_unused", "warning")]),  # the others stay idle, as asked for
        (1, 1, {}, 1, 0.6, [("gpus_unused", "warning")]),
        (8, None, {"replicas_driven": 2, "boxes": 2}, 4, 0.3, []),  # two boxes
        (1, 2, {"replicas_driven": 2}, 1, 0.6, [("gpus_unused", "warning")]),  # two engines share one GPU
    ],
    ids=str,
)
def test_what_fills_the_box_is_priced_and_what_stays_idle_as_asked_for_is_said(
    gpus: int, replicas: int | None, instance: dict[str, int], used: int, goodput: float, codes: list[tuple[str, str]]
) -> None:
    got = priced(gpus, replicas, **instance)

    assert got.self_host.instance.gpus_used == used
    assert got.self_host.goodput is not None
    assert got.self_host.goodput.requests_per_s == pytest.approx(goodput)
    assert {arm.decided for arm in got.arms} == {True}
    assert found(got) == codes
    assert ("idle" in verdict_note(got)) is bool(codes)


@pytest.mark.parametrize(
    ("gpus", "instance", "words", "hint"),
    [
        (1, {}, "1 of the 4 GPUs of a g5.12xlarge is used", "--replicas-per-instance 4"),
        (2, {}, "2 of the 4 GPUs of a g5.12xlarge are used", "--replicas-per-instance 2"),
        (3, {}, "3 of the 4 GPUs of a g5.12xlarge are used", "--replicas-per-instance 1"),
        (2, {"replicas_driven": 2, "boxes": 1}, "2 of the 4 GPUs of a g5.12xlarge are used", "instance 4"),
        (2, {"replicas_driven": 2, "boxes": 2}, "1 of the 4 GPUs of a g5.12xlarge is used", "instance 4"),
    ],
    ids=str,
)
def test_a_part_of_the_gpus_decides_nothing_at_the_price_of_all(
    gpus: int, instance: dict[str, int], words: str, hint: str
) -> None:
    got = priced(gpus, **instance)

    assert {(arm.decided, arm.why_not) for arm in got.arms} == {(False, words + NOBODY_SAID)}
    assert headline(got) == f"Not decided: {words}{NOBODY_SAID}"
    assert got.self_host.goodput is None
    assert got.self_host.usd_per_mtok.at_peak is None
    assert found(got) == [("gpus_unused", "warning")]
    (check,) = (check for check in got.checks if check.code == "gpus_unused")
    assert hint in (check.hint or "")


@pytest.mark.parametrize(
    ("gpus", "replicas", "box", "code"),
    [
        (0, None, "g5.12xlarge", "no_gpu_used"),
        (0, 4, "g5.12xlarge", "no_gpu_used"),
        (0, None, "g5.xlarge", "no_gpu_used"),
        (8, None, "g5.12xlarge", "more_gpus_than_box"),
        (2, None, "g5.xlarge", "more_gpus_than_box"),
        (1, 8, "g5.12xlarge", "more_gpus_than_box"),  # seven more would have to share, and the one driven did not
    ],
)
def test_gpus_that_the_box_has_not_or_that_nothing_runs_on_are_an_error_and_no_number(
    gpus: int, replicas: int | None, box: str, code: str
) -> None:
    got = priced(gpus, replicas, box)

    assert found(got) == [(code, "error")]
    assert {arm.decided for arm in got.arms} == {False}
    assert got.self_host.goodput is None


def test_a_box_without_gpus_says_nothing_of_them() -> None:
    for gpus in (0, None):
        got = priced(gpus, box="c7i.large")

        assert found(got) == []
        assert got.self_host.instance.gpus_used is None


def test_what_nobody_knows_stays_unknown_is_said_once_and_is_priced_all_the_same() -> None:
    unknown, said, single = priced(None), priced(None, 1), priced(None, box="g5.xlarge")

    assert found(unknown) == [("gpus_unknown", "warning")]
    assert (unknown.self_host.instance.gpus_used, unknown.arms[0].decided) == (None, True)
    assert found(said) == found(single) == []  # somebody said that it fills the box; one GPU has no part


def test_that_one_engine_fills_the_box_is_kept_apart_from_a_run_that_said_nothing() -> None:
    unsaid = {"id": "g5.12xlarge", "replicas": 1, "replicas_driven": 1}

    assert not InstanceFacts.model_validate(unsaid).is_filled
    assert InstanceFacts.model_validate(with_boxes(unsaid, None, 1)).is_filled
    assert not InstanceFacts.model_validate(with_boxes(unsaid, 1)).is_filled
    assert InstanceFacts.model_validate(unsaid | {"replicas": 4}).is_filled  # an older version's run, which said so
    with pytest.raises(UsageError, match="--boxes 2 and --replicas-per-instance 1: 1 were driven"):
        with_boxes(unsaid, 2, 1)
