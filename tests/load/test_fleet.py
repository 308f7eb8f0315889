"""Which of several replicas is asked."""

import re
from tempfile import TemporaryFile

import pytest

from harness.base.errors import EndpointError
from harness.load.board import Board
from harness.load.process.answers import Found
from harness.load.process.identify import check_alike
from harness.load.wire.clock import RunClock
from harness.load.wire.fleet import REST_S, Fleet, Seat
from harness.load.wire.transport import Target
from harness.rundir.identity import Identity, SaidCount, SaidText


class Clock:
    """A run's seconds, as the test sets them."""

    def __init__(self) -> None:
        self.s = 100.0

    def now_s(self) -> float:
        return self.s


def fleets(replicas: int, workers: int = 1, *, together: bool = True) -> tuple[list[Fleet], Clock]:
    """One fleet for each load process; `together`: on one machine."""
    clock = Clock()
    made = []
    with TemporaryFile() as shared:
        for worker in range(workers):
            targets = [Target(f"http://127.0.0.1:{9000 + k}", {}, RunClock(0)) for k in range(replicas)]
            board = Board(workers, replicas, shared.fileno() if together else None)
            made.append(Fleet(targets, board, worker, clock.now_s))
    return made, clock


def port(target: Target) -> int:
    return int(target.url[-1])


def taken_by_users(users: int, replicas: int, workers: int, *, together: bool) -> list[int]:
    """How many of `users` each replica has when each has asked once, user u being in process u mod `workers`."""
    some, _ = fleets(replicas, workers, together=together)
    counts = [0] * replicas
    for user in range(users):
        counts[port(some[user % workers].take(user))] += 1
    return counts


def test_users_are_spread_alike_over_equal_replicas_whatever_the_processes_and_wherever_they_are() -> None:
    for together in (True, False):
        for workers in (1, 2, 3, 4, 8):
            assert taken_by_users(4, 4, workers, together=together) == [1, 1, 1, 1]
            assert taken_by_users(8, 4, workers, together=together) == [2, 2, 2, 2]
            assert sorted(taken_by_users(6, 4, workers, together=together)) == [1, 1, 2, 2]


def test_processes_of_one_machine_see_what_the_others_have_under_way() -> None:
    (first, second), _ = fleets(3, 2)

    assert [port(first.take(0)), port(first.take(0))] == [0, 1]
    assert port(second.take(0)) == 2  # the place says 0, which is busy


def test_what_a_process_that_died_had_under_way_counts_no_more() -> None:
    with TemporaryFile() as shared:
        parents, child = Board(2, 2, shared.fileno()), Board(2, 2, shared.fileno())
    child.add(1, 0, 5)
    child.add(0, 0, 2)

    parents.forget(1)

    assert [child.under_way(0), child.under_way(1)] == [2, 0]


def test_a_replica_that_failed_rests_for_all_and_then_is_asked_by_one_request_until_it_serves() -> None:
    (fleet, other), clock = fleets(2, 2)
    bad = fleet.targets[0]
    fleet.failed(bad, None)

    assert [port(other.take(0)) for _ in range(3)] == [1, 1, 1]
    clock.s += REST_S + 0.001
    assert port(other.take(0)) == 0  # the one that tries
    assert [port(fleet.take(0)) for _ in range(3)] == [1, 1, 1]

    other.served(other.targets[0])
    assert port(fleet.take(0)) == 0  # it has the fewest


def test_a_server_says_how_long_it_wants_to_rest() -> None:
    (fleet,), clock = fleets(2)
    fleet.failed(fleet.targets[0], 5.0)

    clock.s += 4.9
    assert port(fleet.take(0)) == 1
    clock.s += 0.2
    assert port(fleet.take(0)) == 0


def test_where_all_replicas_rest_the_load_goes_on() -> None:
    (fleet,), _ = fleets(2)
    for target in fleet.targets:
        fleet.failed(target, None)

    assert sorted(port(fleet.take(0)) for _ in range(4)) == [0, 0, 1, 1]


def test_a_conversation_keeps_its_replica_until_it_ends_or_that_one_rests() -> None:
    (fleet,), _ = fleets(3)
    seat = Seat(fleet, 0)

    assert [port(seat.sit()) for _ in range(3)] == [0, 0, 0]
    fleet.failed(fleet.targets[0], None)
    assert port(seat.sit()) == 1
    seat.leave()
    assert port(Seat(fleet, 1).sit()) == 1  # it was given back


def test_a_conversation_that_may_go_anywhere_gives_its_place_up_after_each_turn() -> None:
    (fleet,), _ = fleets(2)
    seat = Seat(fleet, 0)

    assert port(seat.sit()) == 0
    seat.leave()
    others = [fleet.take(0) for _ in range(3)]  # two of them there
    assert [port(target) for target in others] == [0, 1, 0]
    assert port(seat.sit()) == 1


def test_a_replica_is_another_models_only_where_it_lists_others() -> None:
    first = Found(model="a", models=("a", "alias"))

    check_alike(None, first, "http://b", Found(model="a", models=("a",)))
    check_alike(None, first, "http://b", Found())  # it says nothing
    check_alike("alias", first, "http://b", Found(model="c", models=("c", "alias")))
    check_alike(None, Found(), "http://b", Found(model="c", models=("c",)))  # the first does not say


def said(**facts: object) -> Found:
    """A URL that lists model `a` and says this of itself."""
    known = {key: SaidText(value=value, said_by="/x") if isinstance(value, str) and key in {"weights", "quantization"}
             else SaidCount(value=value, said_by="/x") if isinstance(value, int) else value
             for key, value in facts.items()}  # fmt: skip
    return Found(Identity.model_validate(known), model="a", models=("a",))


@pytest.mark.parametrize(
    ("first", "other", "words"),
    [
        ({"engine": "vllm"}, {"engine": "tgi"}, "http://b has the engine tgi, the first --url has vllm"),
        ({"version": "0.32.0"}, {"version": "0.31.0"}, "http://b has the version 0.31.0, the first --url has 0.32.0"),
        ({"weights": "org/m-70b"}, {"weights": "/w/m-8b"}, "http://b has the weights m-8b, the first --url has m-70b"),
        ({"quantization": "Q4_0"}, {"quantization": "Q8_0"}, "http://b has the quantisation Q8_0"),
        ({"context": 8192}, {"context": 4096}, "http://b has a context of 4096, the first --url has 8192"),
    ],
)
def test_a_replica_of_another_kind_is_named_with_what_is_other(
    first: dict[str, object], other: dict[str, object], words: str
) -> None:
    with pytest.raises(EndpointError, match=re.escape(words)):
        check_alike(None, said(**first), "http://b", said(**other))

    check_alike(None, said(**first), "http://b", said(**first))
    check_alike(None, said(**first), "http://b", said())  # it does not say


def test_the_same_weights_may_lie_elsewhere_on_each_machine() -> None:
    check_alike(None, said(weights="/data/m-8b.gguf"), "http://b", said(weights="/srv/models/m-8b.gguf"))
    hub, cached = "org/m-8b", "/root/.cache/huggingface/hub/models--org--m-8b/snapshots/0123abcd"
    check_alike(None, said(weights=hub), "http://b", said(weights=cached))
    with pytest.raises(EndpointError, match="has the revision 4567abcd, the first --url has 0123abcd"):
        check_alike(None, said(weights=cached), "http://b", said(weights=cached.replace("0123", "4567")))
