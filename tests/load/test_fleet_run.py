"""Loads on several replicas, held against what each of them saw."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from faulty_server import FaultyServer
from load_helpers import records_of, run_load, scenario

from harness.base.errors import EndpointError

pytestmark = pytest.mark.slow  # real loads of many seconds

FOUR_USERS = {"kind": "closed", "users": [4], "step_s": 2.0, "warmup_s": 0}


@pytest.fixture
def four() -> Iterator[list[FaultyServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyServer()) for _ in range(4)]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_four_users_keep_four_one_slot_replicas_busy_whatever_the_processes(
    four: list[FaultyServer], tmp_path: Path, workers: int
) -> None:
    urls = [server.url("one-at-a-time=0.1") for server in four]

    rows = records_of(run_load(tmp_path, *urls, work=scenario(load=FOUR_USERS), workers=workers))

    all_are_there = rows[rows["scheduled_s"] > rows["scheduled_s"].min() + 1.0]
    counts = all_are_there.groupby("url").size()
    assert len(counts) == 4
    assert min(counts) > 8  # of 10 in a second and a hold; a user who draws one by chance waits for others: 6
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("workers", [1, 4])
def test_arrivals_go_to_equal_replicas_in_equal_shares(four: list[FaultyServer], tmp_path: Path, workers: int) -> None:
    load = {"kind": "open", "requests_per_s": [60], "arrivals": "poisson", "step_s": 4, "warmup_s": 0}

    run_load(
        tmp_path, *[server.url("slow-first-token=0.1") for server in four], work=scenario(load=load), workers=workers
    )

    counts = [len(server.generations()) for server in four]
    assert sum(counts) > 200
    assert max(counts) - min(counts) <= 0.05 * sum(counts) / 4 + 1


def one_fails(four: list[FaultyServer], tmp_path: Path, way: str) -> tuple[int, list[int]]:
    """40 arrivals a second for 1.5 s where the last replica misbehaves: its requests, and the others'."""
    urls = [server.url("slow-first-token=0.1") for server in four[:3]] + [four[3].url(way)]
    load = {"kind": "open", "requests_per_s": [40], "arrivals": "constant", "step_s": 1.5, "warmup_s": 0}
    run_load(tmp_path, *urls, work=scenario(load=load))
    *others, bad = [len(server.generations()) for server in four]
    return bad, others


@pytest.mark.parametrize("way", ["status=429", "status=503", "status=500", "rst=0", "error-first", "cut-mid-stream=1"])
def test_a_replica_that_fails_at_once_draws_a_request_a_second(
    four: list[FaultyServer], tmp_path: Path, way: str
) -> None:
    bad, others = one_fails(four, tmp_path, way)

    assert 1 <= bad <= 4
    assert min(others) > 15


def test_what_any_replica_would_refuse_rests_nobody(four: list[FaultyServer], tmp_path: Path) -> None:
    bad, _ = one_fails(four, tmp_path, "status=422")

    assert bad > 15


def test_a_conversation_stays_where_its_history_is(four: list[FaultyServer], tmp_path: Path) -> None:
    spec = {"kind": "sessions", "turns": 4, "base_tokens": 20, "growth_tokens": 20, "output_tokens": 3}
    work = scenario(load=FOUR_USERS | {"users": [3], "step_s": 1.0}, prompts=spec, request={"api": "chat"})

    urls = [server.url("slow-first-token=0.02") for server in four[:2]]
    rows = records_of(run_load(tmp_path, *urls, work=work))

    assert rows["session"].nunique() > 3
    assert (rows.groupby("session")["url"].nunique() == 1).all()


def test_a_url_that_serves_another_model_ends_the_run_before_the_load(four: list[FaultyServer], tmp_path: Path) -> None:
    urls = [four[0].url(), four[1].url("serves=other-model")]

    with pytest.raises(EndpointError, match=r"serves=other-model serves other-model, the first --url serves faulty"):
        run_load(tmp_path, *urls)

    assert not four[0].generations()
