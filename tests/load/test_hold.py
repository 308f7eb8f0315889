"""A step's requests are all served under its own load: users enter one by one, and the load is held to the end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batching_server import batching_server
from faulty_server import FaultyServer
from load_helpers import prompts_asked, records_of, run_load, scenario

from harness.rundir.files import read_manifest
from harness.rundir.steps import RanStep, read_steps
from harness.scenario import ClosedLoad
from harness.scenario.steps import even_step, user_changes

# 30 iterations of 10 ms and 4 ms a running request: 0.42 s alone, 0.78 s beside three others
SLOW = {"iteration_s": 0.010, "running_s": 0.004}
PROMPTS = {"kind": "synthetic", "input_tokens": 20, "output_tokens": 30}


def counted(rows: pd.DataFrame, step: RanStep) -> pd.DataFrame:
    assert step.end_s is not None
    return rows[(rows["scheduled_s"] >= step.window_start_s) & (rows["scheduled_s"] < step.end_s)]


def run(tmp_path: Path, load: dict[str, Any], **more: Any) -> tuple[pd.DataFrame, list[RanStep]]:
    """Rows and steps of a load on a server that batches."""
    tmp_path.mkdir(exist_ok=True)
    with batching_server(tmp_path, **SLOW) as server:
        work = scenario(load=load, request={"timeout_s": 10}, **({"prompts": PROMPTS} | more.pop("work", {})))
        measured = run_load(tmp_path / "runs", server.url, work=work, backend="openai", **more)
    return records_of(measured), read_steps(measured.run_dir)


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_of_a_step_is_served_by_the_next_steps_load(tmp_path: Path, workers: int) -> None:
    rows, steps = run(tmp_path, {"users": [1, 4], "step_s": 3, "warmup_s": 0.5}, workers=workers)

    for step in steps:
        mine = counted(rows, step)
        assert step.held_s is not None
        assert mine["error"].isna().all()
        assert mine["finished_s"].max() <= step.held_s
    one, four = ((m["finished_s"] - m["first_token_s"]) / 29 for m in (counted(rows, step) for step in steps))
    assert one.max() < 0.018  # 14 ms a token alone, 26 with three others: none has seen them
    assert four.median() > 0.022
    assert steps[1].start_s >= steps[0].held_s
    after = rows[(rows["step"] == 1) & (rows["scheduled_s"] >= steps[1].end_s)]
    assert len(after) >= 3  # whoever was done went on, so that the others were not served alone


@pytest.mark.parametrize(
    ("load", "prompts"),
    [
        ({"kind": "open", "requests_per_s": [5], "step_s": 4, "warmup_s": 0.5}, PROMPTS),
        ({"kind": "ramp", "over": "requests_per_s", "start": 1, "end": 6, "ramp_s": 4, "slices": 2}, PROMPTS),
        ({"kind": "ramp", "over": "users", "start": 1, "end": 3, "ramp_s": 3, "slices": 1}, PROMPTS),
        ({"kind": "search", "low": 3, "high": 3, "step_s": 3, "max_step_s": 3, "warmup_s": 0.5}, PROMPTS),
        ({"users": [2], "step_s": 3, "warmup_s": 0.5},
         {"kind": "sessions", "turns": 3, "base_tokens": 30, "growth_tokens": 40, "output_tokens": 30}),
    ],
    ids=["open", "ramp", "ramp of users", "search", "sessions"],
)  # fmt: skip
def test_every_shape_is_held(tmp_path: Path, load: dict[str, Any], prompts: dict[str, Any]) -> None:
    rows, steps = run(tmp_path, load, work={"prompts": prompts})

    last = steps[-1]
    mine = counted(rows, last)
    assert last.held_s is not None
    assert last.end_s is not None
    assert mine["error"].isna().all()
    assert last.end_s < mine["finished_s"].max() <= last.held_s
    assert (rows["scheduled_s"] >= last.end_s).any()  # the load went on


@pytest.mark.parametrize("workers", [1, 2])
def test_users_begin_one_by_one_over_the_time_of_a_request(tmp_path: Path, workers: int) -> None:
    rows, (first, second) = run(tmp_path, {"users": [4, 8], "step_s": 4, "warmup_s": 1}, workers=workers)

    assert second.entered_s is not None
    enter_s = second.entered_s - second.start_s
    assert 0.3 < enter_s <= 1  # a request took 0.78 s beside three others; a quarter of a step at most
    assert second.window_start_s >= second.entered_s
    # four go on, and each of the others begins at the instant that the seed gives it, whatever process it lives in
    step = replace(even_step(1, "users", 8, 4, ClosedLoad()), carried=4, enter_s=enter_s)
    due_s = rows[rows["step"] == 1]["scheduled_s"] - second.start_s
    for offset_s, _ in user_changes(step, seed=1)[1:]:
        assert (due_s - offset_s).abs().min() < 0.02
    (alone,) = rows[rows["scheduled_s"] <= rows["scheduled_s"].min() + 0.2]["scheduled_s"]
    assert alone == pytest.approx(first.start_s, abs=0.1)  # nobody knows how long a request takes


def test_a_hold_is_not_kept_up_for_a_step_that_has_failed(tmp_path: Path) -> None:
    load = {"users": [14], "step_s": 12, "warmup_s": 0}
    with batching_server(tmp_path, iteration_s=0.01, running_s=0.012) as server:  # 5.3 s for 30 tokens of 14 users
        work = scenario(load=load, prompts=PROMPTS, request={"timeout_s": 60}, slo={"ttft_p95_s": 0.001})
        measured = run_load(tmp_path / "runs", server.url, work=work, backend="openai")

    (step,) = read_steps(measured.run_dir)
    assert step.held_s is not None
    assert step.end_s is not None
    assert step.lost
    assert not step.hold_bound
    assert step.held_s - step.end_s < 2.5  # those under way take up to 5.3 s more
    assert step.drained_s is not None
    assert step.drained_s - step.held_s > 1
    rows = records_of(measured)
    assert rows["scheduled_s"].max() <= step.held_s + 0.5  # nothing begins while the backlog ends


def test_a_hold_has_an_end(tmp_path: Path) -> None:
    load = {"users": [2], "step_s": 4, "warmup_s": 0}
    with FaultyServer() as server:
        work = scenario(load=load, request={"timeout_s": 1.5})
        measured = run_load(tmp_path, server.url("silent"), work=work, backend="openai")

    (step,) = read_steps(measured.run_dir)
    assert step.held_s is not None
    assert step.end_s is not None
    assert step.held_s - step.end_s < 3
    assert set(counted(records_of(measured), step)["error"]) == {"timeout"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_never_sees_a_prompt_of_an_earlier_run(tmp_path: Path, workers: int) -> None:
    work = scenario(load={"users": [1, 2], "step_s": 0.5, "warmup_s": 0}, request={"timeout_s": 2})
    with FaultyServer() as server:
        runs = [run_load(tmp_path, server.url("slow-first-token=0.02"), work=work, workers=workers) for _ in range(3)]
        asked = prompts_asked(server)

    assert len(asked) > 50
    assert len(set(asked)) == len(asked)
    assert len({read_manifest(measured.run_dir).salt for measured in runs}) == 3


def test_the_prompts_of_a_run_can_be_sent_again(tmp_path: Path) -> None:
    work = scenario(load={"users": [1], "step_s": 0.5, "warmup_s": 0}, request={"timeout_s": 2})
    with FaultyServer() as server:
        first = run_load(tmp_path, server.url("slow-first-token=0.05"), work=work)
        before = set(prompts_asked(server))
        salt = read_manifest(first.run_dir).salt
        run_load(tmp_path, server.url("slow-first-token=0.05"), work=work, salt=salt, prompts_of=first.run_dir.name)
        again = prompts_asked(server)

    repeated = len(again) - len(set(again))
    assert repeated >= min(len(before), len(again) - len(before)) - 1
    assert repeated > 3
