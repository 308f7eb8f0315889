"""Findings of several URLs."""

from typing import Any

from replica_cases import REFUSED, URLS, analysed, codes, manifest, rows

from harness.checks.replicas import replica_run_checks
from harness.rundir.of_step import LoadOfStep, ReplicaOfStep
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Metrics, Step

A, B = URLS


def shares(*counts: int) -> Metrics:
    replicas = tuple(
        ReplicaOfStep(url=f"http://{'abcd'[i]}", requests=n, requests_per_s=1, output_tokens_per_s=1, in_flight=1)
        for i, n in enumerate(counts)
    )
    step = Step(
        step=0, load=LoadOfStep(kind="closed", users=4), window=WindowOfStep(start_s=0, end_s=1), requests=sum(counts),
        replicas=replicas,
    )  # fmt: skip
    return Metrics(steps=(step,))


def test_a_fleet_that_answers_has_no_finding_of_its_own() -> None:
    assert not {"replica_failing", "replicas_uneven", "worker_lost"} & set(codes(analysed(rows(1, URLS), manifest())))


def test_a_dead_replica_is_an_error_with_its_name_and_numbers_and_nothing_else_repeats_it() -> None:
    metrics = analysed(rows(1, URLS, lambda _, n: REFUSED if n % 2 else {}), manifest())

    (found,) = (one for one in metrics.steps[0].checks if one.code == "replica_failing")
    assert found.level == "error"
    assert found.message == (f"at 2 requests/s replica {B} answered none of its 30 requests; elsewhere 0 of 30 failed")
    assert not {"not_judged", "replicas_uneven", "slo_never_met"} & set(codes(metrics))


def test_a_replicas_password_is_not_in_its_finding() -> None:
    urls = (A, "http://me:hush-hush@b:1")

    metrics = analysed(rows(1, urls, lambda _, n: REFUSED if n % 2 else {}), manifest(urls))

    assert "hush-hush" not in str(metrics.to_dict())
    assert "replica http://b:1 answered none" in str(metrics.to_dict())


def test_shares_that_lie_apart_are_a_warning_that_names_every_replica_with_its_count() -> None:
    # 447 over two are 223.5 each; 294 is 32 % more
    (found,) = replica_run_checks(shares(294, 153))

    assert (found.code, found.level) == ("replicas_uneven", "warning")
    assert "http://a 294, http://b 153; an equal share is 224" in found.message


def test_a_fifth_off_and_what_chance_explains_are_no_finding() -> None:
    assert not list(replica_run_checks(shares(119, 81)))  # 19 % off
    assert list(replica_run_checks(shares(1210, 790)))  # 21 %, of many
    # of 40 over four, 10 each: 17 is 70 % more, and 2.6 standard deviations of 2.7
    assert not list(replica_run_checks(shares(17, 8, 8, 7)))
    assert list(replica_run_checks(shares(170, 80, 80, 70)))


def test_a_step_that_ended_after_a_load_process_died_says_so_at_its_own_load() -> None:
    lost: dict[str, Any] = {"workers": 2, "lost_workers": [{"worker": 1, "how": "signal 9", "t_s": 45.0}]}

    metrics = analysed(rows(2, URLS), manifest(client=lost), steps=2)

    of_steps = [[one for one in step.checks if one.code == "worker_lost"] for step in metrics.steps]
    assert of_steps[0] == []
    assert [one.level for one in of_steps[1]] == ["error"]
    assert of_steps[1][0].message.startswith("at 4 requests/s a load process was dead from second 45 of the run on")
