"""What failed in a step, by kind and in the words of who said so; the distribution that is kept of a latency."""

import numpy as np
import pytest

from harness.base.stats import SHARES, quantiles
from harness.metrics.failures import errors_of
from harness.metrics.steps import compute_metrics
from harness.rundir.of_step import ErrorOfStep, LoadOfStep, SaidOfError
from harness.rundir.read import typed
from harness.rundir.steps import RanStep
from harness.scenario import Scenario


def found(*failures: tuple[str, str | None]) -> tuple[ErrorOfStep, ...]:
    kinds, said = zip(*failures, strict=True)
    return errors_of(np.array(kinds, dtype=object), np.array(said, dtype=object))


def test_the_commonest_kind_comes_first_with_its_commonest_words() -> None:
    errors = found(
        ("timeout", "no whole answer in 60 s"),
        ("http_503", "model is loading"),
        ("http_503", "queue is full"),
        ("http_503", "queue is full"),
    )

    assert [(error.kind, error.requests) for error in errors] == [("http_503", 3), ("timeout", 1)]
    assert errors[0].said == (
        SaidOfError(words="queue is full", requests=2),
        SaidOfError(words="model is loading", requests=1),
    )


def test_words_that_differ_in_numbers_and_ids_alone_are_the_same() -> None:
    (error,) = found(
        ("http_429", "Rate limit reached (request req_9f3a1c, retry in 1.2 s)"),
        ("http_429", "Rate limit reached (request req_77b0, retry in 30 s)"),
    )

    assert error.said == (SaidOfError(words="Rate limit reached (request req_9f3a1c, retry in 1.2 s)", requests=2),)


def test_a_failure_of_which_nothing_was_said_has_no_words() -> None:
    assert found(("reset", None)) == (ErrorOfStep(kind="reset", requests=1),)


def test_only_the_three_commonest_words_of_a_kind_are_kept() -> None:
    (error,) = found(*(("error_event", f"words {chr(ord('a') + i)}") for i in range(9)))

    assert error.requests == 9
    assert [said.words for said in error.said] == ["words a", "words b", "words c"]


def test_a_step_counts_the_failures_of_its_window_and_no_planned_ends() -> None:
    def row(n: int, sent_s: float, error: str | None, detail: str | None = None) -> dict[str, object]:
        good = {"first_token_s": sent_s + 0.5, "finished_s": sent_s + 1.5, "output_tokens": 11, "events": 11}
        sent = {"request_id": f"r{n}", "step": 0, "attempt": 1, "scheduled_s": sent_s, "sent_s": sent_s, "process": 1}
        return sent | good | {"prompt_tokens": 100, "error": error, "error_detail": detail}

    rows = [
        row(0, 11, None),
        row(1, 5, "http_500", "before the window"),
        row(2, 12, "http_500", "CUDA out of memory"),
        row(3, 13, "cut_at_end"),
    ]
    ran = RanStep(step=0, load=LoadOfStep(kind="closed", users=1), start_s=0.0, window_start_s=10.0, end_s=20.0)

    (step,) = compute_metrics(typed(rows), [ran], Scenario(name="t")).steps

    said = (SaidOfError(words="CUDA out of memory", requests=1),)
    assert step.errors == (ErrorOfStep(kind="http_500", requests=1, said=said),)


def test_a_distribution_is_kept_at_fifteen_shares_of_the_requests() -> None:
    kept = quantiles(np.arange(101.0))  # 0 to 100: the value at a share is the share times 100

    assert kept == pytest.approx([100 * share for share in SHARES])
    assert quantiles(np.array([1.0])) is None
