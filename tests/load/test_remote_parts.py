"""What load processes of other machines stand on: pieces of files, clocks, plans. No process is started."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from load_helpers import scenario

from harness.load.plan import LoadPlan
from harness.load.protocol import Begin
from harness.load.remote.courier import Courier, NotTaken, take_part
from harness.load.remote.messages import Part
from harness.load.remote.muster import for_elsewhere
from harness.load.remote.offset import Echo, Relation


class OtherSide:
    """Takes parts into a file of its own, and can be told to keep silent or to take half of one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mood = "well"
        self.courier = Courier(self.send)

    def send(self, part: Part) -> None:
        if self.mood == "half":  # a disk that fills up in the middle of a piece
            self.path.write_bytes(self.path.read_bytes() + part.data[: len(part.data) // 2])
        elif self.mood == "well":
            answer = take_part(self.path, part)
            self.courier.got(replace(answer, name="another"))  # late news of a file given up
            self.courier.got(answer)


def test_a_piece_that_was_taken_in_part_is_completed_by_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.load.remote.courier.PATIENCE_S", 0.01)
    source, other = tmp_path / "source", OtherSide(tmp_path / "there")
    source.write_bytes(b"first line\n")
    other.courier.ship("s", source)
    for mood in ("half", "silent"):
        other.mood = mood
        with source.open("ab") as file:
            file.write(b"a line more\n")
        with pytest.raises(NotTaken):
            other.courier.ship("s", source)
    other.mood = "well"

    other.courier.ship("s", source)

    assert other.path.read_bytes() == source.read_bytes() == b"first line\na line more\na line more\n"


def test_a_clock_is_related_as_it_stands_when_the_run_begins() -> None:
    relation = Relation()
    relation.add(Echo(sent_ns=0, seen_ns=1, back_ns=2))  # no offset, when the worker came
    for n in range(1, 11):  # minutes later, as the plan leaves, its clock is 40 ns behind
        relation.add(Echo(sent_ns=n * 1000, seen_ns=n * 1000 + 3 - 40, back_ns=n * 1000 + 6))

    assert relation.fix() == 40
    assert relation.facts().error_s == pytest.approx(3e-9)
    assert relation.facts().moved_s == 0  # not during the run


def test_the_offset_of_a_clock_is_that_of_the_quickest_echo() -> None:
    relation = Relation()
    # there 3, back 5: the middle of 100 and 108 is 104, the other clock said 53, so ours is 51 ahead, give or take 4
    relation.add(Echo(sent_ns=100, seen_ns=53, back_ns=108))
    # there and back in 2: ours is 201 - 151 = 50 ahead, give or take 1
    relation.add(Echo(sent_ns=200, seen_ns=151, back_ns=202))
    relation.add(Echo(sent_ns=300, seen_ns=260, back_ns=340))

    assert relation.fix() == 50
    assert relation.facts().error_s == pytest.approx(1e-9)


def test_clocks_that_move_apart_after_the_start_are_said_to_have_moved() -> None:
    relation = Relation()
    relation.add(Echo(sent_ns=0, seen_ns=1, back_ns=2))  # no offset, give or take 1
    relation.fix()
    for n in range(1, 21):  # ten seconds later the other clock is 40 ns behind, told by ways of 6
        relation.add(Echo(sent_ns=n * 1000, seen_ns=n * 1000 + 3 - 40, back_ns=n * 1000 + 6))

    facts = relation.facts()

    assert relation.fix() == 0  # the run goes by what was known at its start
    assert facts.moved_s == pytest.approx(40e-9)
    assert facts.moved_error_s == pytest.approx(4e-9)  # 1 then, 3 now
    assert facts.echoes == 21


def order_for(tmp_path: Path, **more: Any) -> Begin:
    plan = LoadPlan(
        run_dir="r", salt="s", run_id="i", scenario=scenario(**more).model_dump(mode="json"), base_dir=str(tmp_path),
        urls=[], backend="openai", model=None, started_monotonic_ns=0, ca_file="/etc/ca.pem",
    )  # fmt: skip
    return for_elsewhere(plan)


def test_the_plan_of_a_worker_elsewhere_names_files_by_their_bare_names(tmp_path: Path) -> None:
    of_trace = order_for(tmp_path, load={"kind": "trace", "file": "logs/day.csv"})
    of_file = order_for(tmp_path, prompts={"kind": "file", "path": "/d/p.jsonl", "format": "jsonl", "output_tokens": 3})

    log = str((tmp_path / "logs/day.csv").resolve())
    assert of_trace.attached == {"0-day.csv": log, "1-ca.pem": "/etc/ca.pem"}
    assert of_trace.plan.scenario["load"]["file"] == "0-day.csv"
    assert of_trace.plan.ca_file == "1-ca.pem"
    assert of_file.attached == {"0-p.jsonl": "/d/p.jsonl", "1-ca.pem": "/etc/ca.pem"}
    assert of_file.plan.scenario["prompts"]["path"] == "0-p.jsonl"
