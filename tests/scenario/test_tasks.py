"""Prompts of kind tasks in a scenario: what is taken, what is refused, and which policy goes which way."""

from typing import Any

import pytest

from harness.base.errors import UsageError
from harness.base.yamlfile import validate
from harness.scenario import Scenario, TaskPrompts

ELSEWHERE = {"url": "http://127.0.0.1:9", "model": "m"}


def scenario(prompts: dict[str, Any] | None = None, **keys: Any) -> Scenario:
    told = {"kind": "tasks", "file": "extraction", **(prompts or {})}
    return validate(Scenario, {"name": "t", "prompts": told, **keys}, where="s.yaml")


def tasks_of(made: Scenario) -> TaskPrompts:
    assert isinstance(made.prompts, TaskPrompts)
    return made.prompts


@pytest.mark.parametrize("request_keys", [{}, {"api": "chat"}, {"force_length": False}])
def test_an_answer_to_a_task_ends_where_it_ends(request_keys: dict[str, Any]) -> None:
    assert scenario(request=request_keys).request.force_length is False


@pytest.mark.parametrize(
    "load", [{"users": 4}, {"kind": "open", "requests_per_s": 2}, {"kind": "open", "requests_per_s": [2.5]}]
)
def test_one_load_is_taken(load: dict[str, Any]) -> None:
    assert scenario(load=load).load is not None


def test_a_pattern_that_a_later_python_may_read_otherwise_is_taken_without_a_word() -> None:
    assert scenario({"checker": {"kind": "regex", "pattern": "[[a]"}}).prompts is not None


def test_a_scenario_of_tasks_reads_back_as_it_was_written_down() -> None:
    made = scenario(
        {
            "checker": {"kind": "json_schema", "schema": {"type": "object", "additionalProperties": False}},
            "on_failure": ["with_error", "repair", "escalate"],
            "escalate": ELSEWHERE,
        }
    )

    again = Scenario.model_validate(made.model_dump(mode="json"))

    assert again == made
    assert again.digest() == made.digest()
    assert made.model_dump(mode="json")["prompts"]["checker"]["schema"]["additionalProperties"] is False


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"load": {"users": [1, 2]}}, "under one load, one number of users or one rate: `load.users` has 2"),
    ({}, {"load": {"kind": "open", "requests_per_s": [1, 2, 3]}}, "`load.requests_per_s` has 3"),
    ({}, {"load": {"kind": "search"}}, "not `load.kind: search`"),
    ({}, {"load": {"kind": "ramp", "start": 1, "end": 2}}, "not `load.kind: ramp`"),
    ({}, {"load": {"kind": "trace", "file": "x.csv"}}, "`prompts.kind` must be synthetic"),
    ({}, {"request": {"force_length": True}}, "`request.force_length: true` makes a server go on"),
    ({"checker": {"kind": "xml"}}, {}, "`prompts.checker.kind` must be one of 'json', 'json_schema', 'regex'"),
    ({"checker": "json"}, {}, "`prompts.checker`: must be a mapping of keys to values, got 'json'"),
    ({"checker": {"kind": "json", "fence": True}}, {}, "unknown key `prompts.checker.fence`"),
    ({"checker": {"kind": "json_schema"}}, {}, "`prompts.checker.schema` is missing"),
    ({"checker": {"kind": "json_schema", "schema": []}}, {}, "`prompts.checker.schema`: must be a JSON Schema"),
    ({"checker": {"kind": "regex", "pattern": "(a"}}, {}, "`prompts.checker.pattern`: not a regular expression"),
    ({"checker": {"kind": "regex", "pattern": "a{2,1}"}}, {}, "not a regular expression: min repeat greater than max"),
    ({"checker": {"kind": "function", "function": "mine"}}, {}, "`prompts.checker.function`: must be `mod"),
    ({"checker": {"kind": "function", "function": "os:path.join"}}, {}, "must be `module:function`"),
    ({"checker": {"kind": "number", "relative": -0.1}}, {}, "`prompts.checker.relative`"),
    ({"checker": {"kind": "judge"}}, {}, "a checker of kind judge needs `judge: {url: ..., model: ...}`"),
    ({"judge": {**ELSEWHERE, "prompt": "Is it right? VERDICT"}}, {}, "must have {answer} where the answer stands"),
    ({"judge": {**ELSEWHERE, "prompt": "Is {answer} right?"}}, {}, "must ask for a line `VERDICT: PASS`"),
    ({"on_failure": ["escalate"]}, {}, "on_failure has `escalate`: say where to"),
    ({"escalate": ELSEWHERE}, {}, "`escalate` names an endpoint, but on_failure has no `escalate`"),
    ({"on_failure": ["escalate", "again"], "escalate": ELSEWHERE}, {}, "cannot come back to the endpoint under test"),
    ({"on_failure": ["repair", "repair"]}, {}, "`repair` twice in a row"),
    ({"on_failure": ["retry"]}, {}, "`prompts.on_failure[0]`: must be 'again', 'with_error', 'repair' or 'escalate'"),
    ({"constrained": "grammar"}, {}, "`constrained: grammar` and `grammar` go together"),
    ({"grammar": "root ::= [0-9]+"}, {}, "`constrained: grammar` and `grammar` go together"),
    ({"max_tasks": 0}, {}, "`prompts.max_tasks`"),
    ({"human_usd_per_task": -1}, {}, "`prompts.human_usd_per_task`"),
    ({"keep_texts": True}, {}, "unknown key `prompts.keep_texts`"),
]  # fmt: skip


@pytest.mark.parametrize(("prompts", "keys", "said"), REFUSED, ids=[said for _, _, said in REFUSED])
def test_what_no_task_run_can_be_is_said_in_one_line(prompts: dict[str, Any], keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        scenario(prompts, **keys)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("policy", "attempts", "actions", "repaired"),
    [
        ([], 1, [None], []),
        (["again"], 2, ["again", None], []),
        (["repair"], 1, [None], [1]),
        (["repair", "with_error"], 2, ["with_error", None], [1]),
        (["with_error", "repair", "again", "escalate"], 4, ["with_error", "again", "escalate", None], [2]),
        (["with_error", "escalate", "repair"], 3, ["with_error", "escalate", None], [3]),
    ],
)
def test_a_repair_asks_nothing_and_belongs_to_the_attempt_before_it(
    policy: list[str], attempts: int, actions: list[str | None], repaired: list[int]
) -> None:
    spec = tasks_of(scenario({"on_failure": policy, **({"escalate": ELSEWHERE} if "escalate" in policy else {})}))

    assert spec.attempts == attempts
    assert [spec.action_before(attempt) for attempt in range(2, attempts + 2)] == actions
    assert [attempt for attempt in range(1, attempts + 1) if spec.is_repaired(attempt)] == repaired
    assert spec.action_before(1) is None
