"""Answers that the server may give in one form alone: each engine's own way to ask for it, or a complaint."""

import json
from typing import Any

import pytest

from harness.backends import BACKENDS
from harness.backends.wire import Ask, Constraint

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
GRAMMAR = 'root ::= "yes" | "no"'
STRICT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}


def ask(api: str, constraint: Constraint | None, **more: Any) -> Ask:
    return Ask(
        prompt="p", max_tokens=7, api=api, stream=True, temperature=0.0, force_length=False, model="m",
        constraint=constraint, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("backend", "api", "where", "keys"),
    [
        ("openai", "chat", (), {"response_format": STRICT}),
        ("vllm", "completions", (), {"response_format": STRICT}),
        ("llama_cpp", "chat", (), {"response_format": {"type": "json_object", "schema": SCHEMA}}),
        ("llama_cpp", "completions", (), {"json_schema": SCHEMA}),
        ("llama_cpp", "native", (), {"json_schema": SCHEMA}),
        ("tgi", "native", ("parameters",), {"grammar": {"type": "json", "value": SCHEMA}}),
        ("tgi", "chat", (), {"response_format": {"type": "json", "value": SCHEMA}}),
        ("sglang", "chat", (), {"response_format": STRICT}),
        ("sglang", "completions", (), {"json_schema": json.dumps(SCHEMA, separators=(",", ":"))}),
        ("sglang", "native", ("sampling_params",), {"json_schema": json.dumps(SCHEMA, separators=(",", ":"))}),
    ],
)
def test_a_schema_is_asked_for_in_the_engines_own_words(
    backend: str, api: str, where: tuple[str, ...], keys: dict[str, Any]
) -> None:
    free, bound = (BACKENDS[backend].body(ask(api, one)) for one in (None, Constraint(schema=SCHEMA)))
    for key in where:
        free, bound = free[key], bound[key]

    assert bound == free | keys


@pytest.mark.parametrize(
    ("backend", "api", "keys"),
    [
        ("vllm", "chat", {"structured_outputs": {"grammar": GRAMMAR}}),
        ("llama_cpp", "completions", {"grammar": GRAMMAR}),
        ("sglang", "chat", {"ebnf": GRAMMAR}),
        ("tgi", "chat", {"response_format": {"type": "regex", "value": GRAMMAR}}),
    ],
)
def test_a_grammar_goes_where_the_engine_has_one(backend: str, api: str, keys: dict[str, Any]) -> None:
    wire = BACKENDS[backend]

    assert wire.body(ask(api, Constraint(grammar=GRAMMAR))) == wire.body(ask(api, None)) | keys


@pytest.mark.parametrize(
    ("backend", "api", "constraint", "word"),
    [
        ("openai", "chat", Constraint(grammar=GRAMMAR), "grammar"),
        ("tgi", "completions", Constraint(schema=SCHEMA), "json_schema"),
        ("tgi", "completions", Constraint(grammar=GRAMMAR), "grammar"),
    ],
)
def test_what_a_route_cannot_be_bound_to_is_a_complaint_and_never_an_unbound_answer(
    backend: str, api: str, constraint: Constraint, word: str
) -> None:
    complaint = BACKENDS[backend].complaint(ask(api, constraint))

    assert complaint is not None
    assert f"`constrained: {word}`" in complaint
    assert f"{api} route" in complaint


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_extra_body_has_the_last_word_over_a_constraint(backend: str) -> None:
    mine = {"type": "json_object"}

    body = BACKENDS[backend].body(ask("chat", Constraint(schema=SCHEMA), extra_body={"response_format": mine}))

    assert body["response_format"] == mine
