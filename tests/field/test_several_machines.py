"""One address, several machines: counters that jump between two series are recognised, said, and left out."""

from typing import Any

import pytest
from scraped import run, scrapes, steady, vllm

from harness.metrics.catalogue import PROCESS_START
from harness.rundir.results import Metrics
from harness.rundir.scrapes import frame_of_scrapes

Pages = list[tuple[float, str]]


def judged(pages: Pages) -> tuple[Metrics, dict[str, str]]:
    """The figures, and each finding's level by its code."""
    metrics = run(frame_of_scrapes(scrapes(*pages)))
    checks = [*metrics.checks, *(found for step in metrics.steps for found in step.checks)]
    return metrics, {found.code: found.level for found in checks}


def in_turn(*machines: Any) -> Pages:
    """Each look is answered by the next machine: (tokens at first, tokens a second) of each; 100 tokens/s in all."""
    pages = []
    for second in range(11):
        first, per_s = machines[second % len(machines)]
        pages.append((float(second), vllm(tokens=first + second * per_s, running=1)))
    return pages


@pytest.mark.parametrize(
    "pages",
    [
        in_turn((0, 50), (90_000, 50)),
        in_turn((90_000, 50), (0, 50)),
        in_turn((0, 33), (500, 33), (90_000, 33)),
        [(float(t), vllm(tokens=(90_000 if t in (3, 7, 8) else 0) + t * 50, running=1)) for t in range(11)],
        [(float(t), vllm(tokens=(0 if t == 5 else 90_000) + t * 50, running=1)) for t in range(11)],
    ],
    ids=["two in turn", "the older first", "three", "now and then", "once"],
)
def test_counters_that_jump_between_machines_condemn_no_measurement(pages: Pages) -> None:
    metrics, found = judged(pages)

    assert found["several_machines"] == "warning"
    assert "error" not in found.values()
    assert metrics.steps[0].server is None
    assert metrics.server is not None
    assert "several machines" in (metrics.server.note or "")


def test_a_process_that_gets_older_again_is_another_machine() -> None:
    pages = [
        (float(t), vllm(tokens=t * 50, running=1) + f"# TYPE {PROCESS_START} gauge\n{PROCESS_START} {1e9 + t % 2}\n")
        for t in range(11)
    ]

    assert judged(pages)[1]["several_machines"] == "warning"


@pytest.mark.parametrize(
    "pages",
    [
        [(float(t), vllm(tokens=t * 100 if t < 5 else (t - 5) * 100, running=2)) for t in range(11)],
        [(float(t), vllm(tokens=t * 100 if t < 2 else (t - 2) * 100, running=2)) for t in range(11)],
        [(float(t), vllm(tokens=90_000 + t * 100 if t < 5 else t * 100, running=2)) for t in range(11)],
    ],
    ids=["in the middle", "soon", "after a long life"],
)
def test_an_engine_that_was_started_anew_is_still_an_error(pages: Pages) -> None:
    found = judged(pages)[1]

    assert found["engine_restarted"] == "error"
    assert "several_machines" not in found


def test_a_page_that_saw_half_of_the_requests_is_one_of_two_machines() -> None:
    # 2 requests of 50 tokens end each second; the page counts one of them
    pages = [(float(t), vllm(tokens=t * 50, done=t, running=1)) for t in range(11)]

    found = judged(pages)[1]

    assert found["several_machines"] == "warning"
    assert "counts_differ" not in found


def test_a_page_that_saw_all_requests_and_half_of_their_tokens_differs() -> None:
    pages = [(float(t), vllm(tokens=t * 50, done=2 * t, running=2)) for t in range(11)]

    assert judged(pages)[1]["counts_differ"] == "error"


def test_one_machine_is_one_machine() -> None:
    metrics, found = judged(steady(10, 100))

    assert not {"several_machines", "counts_differ"} & set(found)
    assert metrics.steps[0].server is not None
