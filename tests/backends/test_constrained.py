"""Answers of an asked form, in each server's own words; who has no word for it says so beforehand."""

from dataclasses import replace
from typing import Any

import pytest

from harness.backends import BACKENDS
from harness.backends.wire import Ask

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
PLAIN = Ask("p", 8, "chat", stream=True, temperature=0, force_length=False, model="m")


def keys_added(backend: str, ask: Ask) -> dict[str, Any]:
    wire = BACKENDS[backend]
    plain = wire.body(replace(ask, schema=None, grammar=None))
    return {key: value for key, value in wire.body(ask).items() if plain.get(key) != value}


@pytest.mark.parametrize(
    ("backend", "api", "added"),
    [
        (
            "openai",
            "chat",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
                }
            },
        ),
        ("vllm", "chat", {"structured_outputs": {"json": SCHEMA}}),
        ("vllm", "completions", {"structured_outputs": {"json": SCHEMA}}),
        ("llama_cpp", "chat", {"response_format": {"type": "json_object", "schema": SCHEMA}}),
        ("llama_cpp", "completions", {"json_schema": SCHEMA}),
        ("llama_cpp", "native", {"json_schema": SCHEMA}),
        ("tgi", "chat", {"response_format": {"type": "json", "value": SCHEMA}}),
    ],
)
def test_a_schema_is_asked_for_in_the_servers_own_words(backend: str, api: str, added: dict[str, Any]) -> None:
    assert keys_added(backend, replace(PLAIN, api=api, schema=SCHEMA)) == added


def test_tgis_own_route_has_the_schema_among_its_parameters() -> None:
    body = BACKENDS["tgi"].body(replace(PLAIN, api="native", schema=SCHEMA))

    assert body["parameters"]["grammar"] == {"type": "json", "value": SCHEMA}


@pytest.mark.parametrize(
    ("backend", "added"),
    [("vllm", {"structured_outputs": {"grammar": 'root ::= "a"'}}), ("llama_cpp", {"grammar": 'root ::= "a"'})],
)
def test_a_grammar_is_sent_as_it_stands(backend: str, added: dict[str, Any]) -> None:
    assert keys_added(backend, replace(PLAIN, grammar='root ::= "a"')) == added


@pytest.mark.parametrize(
    ("backend", "api", "more", "said"),
    [
        ("openai", "chat", {"grammar": "g"}, "has no grammars"),
        ("tgi", "chat", {"grammar": "g"}, "TGI knows schemas, not grammars"),
        ("openai", "completions", {"schema": SCHEMA}, "no schema on `request.api: completions`"),
        ("tgi", "completions", {"schema": SCHEMA}, "no schema on `request.api: completions`"),
    ],
)
def test_what_a_dialect_cannot_ask_for_is_said(backend: str, api: str, more: dict[str, Any], said: str) -> None:
    wire = BACKENDS[backend]

    assert said in (wire.complaint(replace(PLAIN, api=api, **more)) or "")
    assert wire.complaint(replace(PLAIN, api=api)) is None
