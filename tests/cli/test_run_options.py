"""What `breakeven run` makes of its options before anything is started."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.base.errors import UsageError
from harness.cli.run import command
from harness.cli.run_options import hourly_usd, run_options
from harness.pipeline.options import RunOptions
from harness.scenario import Scenario


def options_of(*arguments: str) -> RunOptions:
    given: dict[str, Any] = command.make_context("run", list(arguments)).params
    return run_options(Scenario.model_validate({"name": "t"}), Path(), given)


URLS = ["--url", "http://a", "--url", "http://b", "--url", "http://c", "--url", "http://d"]


@pytest.mark.parametrize(
    ("said", "boxes", "usd_per_hour"),
    [
        ([], None, 2.0),
        (["--boxes", "4"], 4, 8.0),
        (["--boxes", "1"], 1, 2.0),
        (["--replicas-per-instance", "1"], 4, 8.0),  # each is a box of its own
        (["--replicas-per-instance", "2"], None, 4.0),
        (["--replicas-per-instance", "8"], None, 2.0),  # half a box costs a whole one
        (["--replicas-per-instance", "2", "--boxes", "2"], 2, 4.0),
    ],
    ids=str,
)
def test_the_boxes_driven_are_kept_as_they_were_said_and_each_costs_its_hour(
    said: list[str], boxes: int | None, usd_per_hour: float
) -> None:
    options = options_of(*URLS, *said, "--usd-per-hour", "2")

    assert (options.instance["replicas_driven"], options.instance["boxes"]) == (4, boxes)
    assert hourly_usd(options, None) == usd_per_hour
    assert bool(options.notes) is bool(said)


def test_a_single_url_is_one_box_and_nothing_is_said_of_it() -> None:
    options = options_of("--url", "http://a", "--usd-per-hour", "2")

    assert (hourly_usd(options, None), options.notes) == (2.0, [])
    assert cli.invoke(["run", "--help"]) == 0


@pytest.mark.parametrize(
    ("said", "boxes", "usd_per_hour"),
    [
        ([], 1, 2.0),  # all that one start made is one instance
        (["--replicas-per-instance", "2"], None, 2.0),
        (["--replicas-per-instance", "8"], None, 2.0),  # a quarter of a box costs a whole one
    ],
    ids=str,
)
def test_the_replicas_of_an_engine_that_is_started_here_are_one_box(
    said: list[str], boxes: int | None, usd_per_hour: float
) -> None:
    options = options_of("--engine", "llama_server", "--replicas", "2", *said, "--usd-per-hour", "2")

    assert (options.instance["replicas_driven"], options.instance["boxes"]) == (2, boxes)
    assert hourly_usd(options, None) == usd_per_hour
    assert bool(options.notes) is bool(said)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--engine", "vllm", "--replicas", "4", "--replicas-per-instance", "2"], "--replicas 4 are started on this"),
        (["--url", "http://a", "--replicas", "2"], "are of an engine that is started here"),
        (["--url", "http://a", "--gpus", "all"], "are of an engine that is started here"),
        (["--url", "http://a", "--tensor-parallel", "1"], "are of an engine that is started here"),
    ],
    ids=str,
)
def test_replicas_and_gpus_are_refused_where_they_mean_nothing(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        options_of(*arguments, "--usd-per-hour", "2")


@pytest.mark.parametrize("key", ["escalate", "judge"])
def test_a_price_that_nobody_knows_is_said_before_anything_is_asked(key: str) -> None:
    elsewhere = {key: {"url": "http://127.0.0.1:9", "model": "m", "api": "nobody:nothing"}}
    prompts = {"kind": "tasks", "file": "arithmetic", "on_failure": ["escalate"] if key == "escalate" else []}
    scenario = Scenario.model_validate({"name": "t", "prompts": {**prompts, **elsewhere}})
    given: dict[str, Any] = command.make_context("run", ["--url", "http://a"]).params

    with pytest.raises(UsageError, match=rf"`prompts\.{key}`: .*nobody"):
        run_options(scenario, Path(), given)


BOX = {"schema": 1, "instance": {"cloud": "aws", "id": "i-0", "type": "g5.12xlarge"}, "gpus": []}


def on_a_box(place: Path, *arguments: str, **told: Any) -> RunOptions:
    (place / "box.json").write_text(json.dumps(BOX | told))
    return options_of("--url", "http://a", "--box-facts", str(place / "box.json"), *arguments)


def test_what_a_rented_box_says_is_kept_and_what_a_newer_one_adds_is_not(tmp_path: Path) -> None:
    facts = on_a_box(tmp_path, "--instance", "g5.12xlarge", weather="fine").box_facts

    assert facts is not None
    assert facts.instance is not None
    assert (facts.instance.type, facts.gpus) == ("g5.12xlarge", [])
    assert "weather" not in facts.to_dict()


@pytest.mark.parametrize(
    ("named", "cloud", "notes"),
    [
        ("g5.12xlarge", "aws", []),
        ("g5.2xlarge", "aws", ["The box is a g5.12xlarge, as its cloud says, and it is priced as a g5.2xlarge."]),
        ("g5.2xlarge", "gcp", []),  # measured on another cloud's, as whoever asks for it knows
    ],
)
def test_a_box_that_is_priced_as_another_is_said(tmp_path: Path, named: str, cloud: str, notes: list[str]) -> None:
    instance = {**BOX["instance"], "cloud": cloud}  # type: ignore[dict-item]

    assert on_a_box(tmp_path, "--instance", named, instance=instance).notes == notes


@pytest.mark.parametrize(
    ("told", "said"),
    [({"gpus": "four"}, "gpus"), ({"memory_gib": True}, "memory_gib"), ({"numa": [{}]}, r"numa\[0\]\.node")],
)
def test_facts_of_another_shape_are_refused_by_key(tmp_path: Path, told: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=rf"box\.json.*{said}"):
        on_a_box(tmp_path, **told)
