"""The scenarios and the template that ship, and what each is said to take."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import cli
from harness.pipeline.context import context_tokens
from harness.scenario import Scenario, bundled_scenarios_dir, load_scenario
from harness.scenario.estimate import estimate

SCENARIOS = sorted(bundled_scenarios_dir().glob("*.yaml"))


def work(**parts: object) -> Scenario:
    return Scenario.model_validate({"name": "a"} | parts)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda p: p.stem)
def test_every_bundled_scenario_can_be_estimated(path: Path) -> None:
    plan = estimate(load_scenario(path), 3.6, path.parent)

    assert plan["seconds"] > 0
    assert 0 < plan["requests"][0] <= plan["requests"][1]
    # 3.6 USD/h, and the longest that the load may have to be held
    assert plan["instance_usd"] == pytest.approx((plan["seconds"] + plan["hold_seconds"][1]) / 1000, rel=1e-3)


def test_the_shapes_shown_in_a_comment_of_the_template_are_right(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    assert cli.invoke(["init", str(path)]) == 0
    lines = [line.lstrip("# ") for line in path.read_text().splitlines() if line.startswith("#  {")]
    shown = [yaml.safe_load(line.rsplit("   #", 1)[0]) for line in lines]

    assert [one["kind"] for one in shown] == ["closed", "open", "ramp", "trace", "sessions", "file", "tasks"]
    for one in shown:
        work(**{"prompts" if one["kind"] in {"sessions", "file", "tasks"} else "load": one})
    load_scenario(path)


def test_an_open_load_takes_its_own_number_of_requests_whatever_the_server() -> None:
    plan = estimate(work(load={"kind": "open", "requests_per_s": [1, 3], "step_s": 10}), None)

    # 10 s at 1 and 10 s at 3 a second, 800 tokens in and 250 out
    assert (plan["seconds"], plan["steps"], plan["requests"]) == (20, 2, [40, 40])
    assert plan["input_tokens"] == [32_000, 32_000]
    assert plan["instance_usd"] is None


def test_a_ramp_takes_the_area_under_it() -> None:
    plan = estimate(work(load={"kind": "ramp", "start": 1, "end": 3, "ramp_s": 60, "slices": 4}), None)

    assert (plan["seconds"], plan["requests"]) == (60, [120, 120])


def test_a_trace_takes_its_requests_and_tokens(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n0,100,10\n58,300,30\n")
    scenario = work(load={"kind": "trace", "file": "t.csv", "speed": 2})

    plan = estimate(scenario, None, tmp_path)

    assert (plan["seconds"], plan["requests"]) == (30, [2, 2])
    assert (plan["input_tokens"], plan["output_tokens"]) == ([400, 400], [40, 40])
    assert context_tokens(scenario, tmp_path) == 300 + 30 + 64


@pytest.mark.parametrize(
    ("policy", "temperature", "noted"),
    [(["again"], 0, True), (["with_error", "again"], 0, True), (["again"], 0.7, False), (["with_error"], 0, False)],
)
def test_asking_again_for_the_same_greedy_answer_is_noted(policy: list[str], temperature: float, noted: bool) -> None:
    prompts = {"kind": "tasks", "file": "arithmetic", "on_failure": policy}

    plan = estimate(work(prompts=prompts, request={"temperature": temperature}), None)

    assert bool(plan["notes"]) is noted


def test_a_search_takes_at_most_its_longest_probes() -> None:
    load = {"kind": "search", "over": "requests_per_s", "low": 1, "high": 4, "max_probes": 4, "max_step_s": 100}

    plan = estimate(work(load=load), None)

    # one probe at 1 a second at least; at most 1, 2, 4 and 4 a second, 100 s each
    assert (plan["seconds"], plan["requests"]) == (400, [100, 1100])


def test_conversations_need_room_for_their_last_turn() -> None:
    scenario = work(
        prompts={"kind": "sessions", "turns": 4, "base_tokens": 300, "growth_tokens": 350, "output_tokens": 250}
    )

    # the last prompt has 300 + 3 * 350 tokens; the mean one 300 + 1.5 * 350
    assert context_tokens(scenario) == 1350 + 250 + 64
    plan = estimate(scenario, None)
    assert plan["input_tokens"][1] == pytest.approx(plan["requests"][1] * 825, rel=0.05)


LONG: dict[str, Any] = {"kind": "sessions", "turns": 20, "base_tokens": 60, "growth_tokens": 150, "output_tokens": 100}


def test_conversations_longer_than_a_step_are_said_beforehand() -> None:
    # 20 turns of 0.1 s + 100 x 0.005 s at a fast server are 12 s, where 9 s count; 8 users can ask 8 x 9 / 0.6 = 120
    (note,) = estimate(work(load={"users": [8], "step_s": 10, "warmup_s": 1}, prompts=LONG), None)["notes"]

    assert "20 turns takes 12 s even on a fast server" in note
    assert "longer than the 9 s that a step counts" in note
    assert "users enter at different turns" in note


def test_users_who_cannot_ask_every_turn_in_a_step_are_said_beforehand_with_the_time_it_takes() -> None:
    # with 1 s of thinking 32 s; one user can ask 9 / 1.6 = 5 turns
    load = {"users": [1, 8], "step_s": 10, "warmup_s": 1, "think_time_s": 1}
    (note,) = estimate(work(load=load, prompts=LONG), None)["notes"]

    assert "1 user can ask some 5 of them" in note
    assert "are not priced; make step_s 33 or more" in note


@pytest.mark.parametrize(
    ("load", "prompts"),
    [
        ({"users": [1], "step_s": 20, "warmup_s": 5}, LONG),
        ({"kind": "search", "max_step_s": 60}, LONG),
        ({"users": [1], "step_s": 1, "warmup_s": 0}, {}),
    ],
    ids=["long enough", "a search", "no conversations"],
)
def test_what_has_the_time_is_not_spoken_of(load: dict[str, Any], prompts: dict[str, Any]) -> None:
    assert estimate(work(load=load, prompts=prompts), None)["notes"] == []


def test_the_note_stands_before_the_load_in_a_dry_run_and_in_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("{name: s, load: {users: [1], step_s: 0.5, warmup_s: 0}, prompts: {kind: sessions}}")

    assert cli.invoke(["run", str(path), "--url", "http://127.0.0.1:9", "--dry-run"]) == 0
    assert "note           `prompts.turns`: a conversation of 4 turns takes" in capsys.readouterr().out
    cli.invoke(["run", str(path), "--url", "http://127.0.0.1:9", "--out", str(tmp_path / "out")])  # nobody is there
    assert "warning: `prompts.turns`: a conversation of 4 turns takes" in capsys.readouterr().err


def test_a_dry_run_reads_the_trace_and_sends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["run", "trace", "--url", "http://127.0.0.1:9", "--dry-run"]) == 0
    assert "nothing is sent now" in capsys.readouterr().out

    missing = tmp_path / "s.yaml"
    missing.write_text("name: s\nload: {kind: trace, file: none.csv}\n")
    assert cli.invoke(["run", str(missing), "--url", "http://127.0.0.1:9", "--dry-run"]) == 2
    assert "cannot read the trace" in capsys.readouterr().err


def test_a_dry_run_says_the_rows_of_a_file_their_order_and_what_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.csv").write_text(f"prompt,max_tokens\n{'x' * 40},30\n,5\n{'y' * 80},\n")
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nload: {kind: open, requests_per_s: [1], step_s: 60, arrivals: constant}\n"
        "prompts: {kind: file, path: p.csv, format: csv, order: draw}\n"
    )

    assert cli.invoke(["run", str(path), "--url", "http://127.0.0.1:9", "--dry-run"]) == 0

    said = capsys.readouterr().out
    assert (
        "p.csv: 2 rows, drawn by the seed, with replacement: some come again before others came; "
        "1 without a length ask for 250 tokens; left out: 1 row without a prompt\n" in said
    )
    # 60 requests of 10 and 20 tokens in (4 characters each), 30 and 250 out
    assert "input tokens   900 to 900" in said
    assert "output tokens  8,400 to 8,400" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "1 conversation with 2 questions, each once a round, shuffled by the seed for every round; each"
         " conversation is a session of one user, every question with the recorded talk before it; each is sent as"
         " one text without roles"),
        ({"request": {"api": "chat"}, "load": {"kind": "open", "requests_per_s": [1]}},
         "every question is a request of its own, with the recorded talk before it (nobody waits in an open load);"
         " each answer is asked for in the length of the recorded one"),
    ],
)  # fmt: skip
def test_what_is_said_of_recorded_conversations_fits_how_they_are_asked(
    more: dict[str, object], said: str, tmp_path: Path
) -> None:
    talk = [{"from": who, "value": "w" * 40_000} for who in ("human", "gpt", "human", "gpt")]
    (tmp_path / "t.json").write_text(json.dumps([{"conversations": talk}]))
    scenario = work(prompts={"kind": "file", "path": "t.json", "format": "sharegpt"}, **more)

    assert said in estimate(scenario, None, tmp_path)["prompts"]
    # the second question has 120,000 characters and an answer of 40,000, at 4 a token; no engine gets more than 32 Ki
    assert context_tokens(scenario, tmp_path) == 32_768
