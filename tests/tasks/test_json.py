"""JSON as an answer, with and without a schema."""

import json
from typing import Any

import pytest
from task_cases import checked, judged

JSON = {"kind": "json"}
SCHEMA = {
    "type": "object", "properties": {"n": {"type": "integer", "minimum": 1}, "s": {"type": "string"}},
    "required": ["n"], "additionalProperties": False,
}  # fmt: skip
FENCED = '```json\n{"n": 1}\n```'


@pytest.mark.parametrize(
    "text", ["{}", " [1, 2]\n", "null", "true", "-1.5e3", '"ü\\u00fc"', "[" * 500 + "]" * 500, "0"]
)
def test_what_a_parser_takes_is_json(text: str) -> None:
    assert checked(JSON, text).success is True


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON: it is empty"),
        (" \n", "not JSON: it is empty"),
        ("Sure!", "not JSON: Expecting value at line 1 column 1"),
        ("{'a': 1}", "not JSON: Expecting property name enclosed in double quotes at line 1 column 2"),
        ('{"a": 1', "not JSON: Expecting ',' delimiter at line 1 column 8"),
        ("{} {}", "not JSON: Extra data at line 1 column 4"),
        ("[1,]", "not JSON: "),
        ("NaN", "not JSON: NaN is no JSON value"),
        ("[-Infinity]", "not JSON: -Infinity is no JSON value"),
        ("\ufeff{}", "not JSON: "),
        ("[" * 100_000, "not JSON: nested too deeply"),
        ("9" * 5_000, "not JSON: Exceeds the limit"),
        (FENCED, "not JSON: it stands in a code fence"),
    ],
)
def test_what_no_parser_takes_fails_and_says_where(text: str, why: str) -> None:
    outcome = checked(JSON, text)

    assert outcome.success is False
    assert outcome.why.startswith(why)


@pytest.mark.parametrize(
    ("text", "success"),
    [
        (FENCED, True),
        ('\n```\n{"n": 1}```\n', True),
        ("~~~json\n[]\n~~~", True),
        ('{"n": 1}', True),
        (f"Here you are:\n{FENCED}", False),
        (f"{FENCED}\nAnything else?", False),
        ('```json\n{"n": }\n```', False),
    ],
)
def test_one_fence_around_the_whole_is_taken_off_only_where_the_checker_says_so(text: str, success: bool) -> None:
    assert checked({**JSON, "fenced": True}, text).success is success


@pytest.mark.parametrize(
    ("value", "expected", "place"),
    [
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}, None),
        ({"a": 1}, {"a": 2}, "$.a"),
        ({"a": 1}, {"a": True}, "$.a"),
        ({"a": 0}, {"a": False}, "$.a"),
        ({"a": None}, {}, "$.a"),
        ({}, {"a": None}, "$.a"),
        ([1, 2], [1], "$[1]"),
        ([1], [1, 2], "$[1]"),
        ([2, 1], [1, 2], "$[0]"),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, "$.a[0].b"),
        ("1", 1, "$"),
        ([], {}, "$"),
        (False, False, None),
    ],
)
def test_an_expected_value_is_compared_as_json_compares(value: Any, expected: Any, place: str | None) -> None:
    outcome = checked(JSON, json.dumps(value), expected)

    assert outcome.success is (place is None)
    assert outcome.why == ("" if place is None else f"not the expected value at {place}")


@pytest.mark.parametrize(
    ("text", "success", "why"),
    [
        ('{"n": 1}', True, ""),
        ('{"n": 1.0, "s": ""}', True, ""),
        ('{"n": 0}', False, "does not fit the schema at $.n: 0 is less than the minimum of 1"),
        ('{"n": true}', False, "does not fit the schema at $.n: True is not of type 'integer'"),
        ("{}", False, "does not fit the schema at $: 'n' is a required property"),
        ('{"n": 1, "x": 2}', False, "does not fit the schema at $: Additional properties are not allowed"),
        ("null", False, "does not fit the schema at $: None is not of type 'object'"),
        ('{"n": 1', False, "not JSON: "),
    ],
)
def test_a_schema_says_where_an_answer_does_not_fit(text: str, success: bool, why: str) -> None:
    outcome = checked({"kind": "json_schema", "schema": SCHEMA}, text)

    assert outcome.success is success
    assert outcome.why.startswith(why)


def test_what_fits_the_schema_may_still_not_be_what_is_expected() -> None:
    outcome = checked({"kind": "json_schema", "schema": SCHEMA}, '{"n": 2}', {"n": 1})

    assert outcome == (False, "not the expected value at $.n")


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False}, ["a", 1], ["a", 1, 2]),
        ({"$defs": {"x": {"const": 5}}, "properties": {"a": {"$ref": "#/$defs/x"}}}, {"a": 5}, {"a": 6}),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 5, "exclusiveMinimum": True}, 6, 5),
        ({"anyOf": [{"type": "null"}, {"enum": ["a"]}]}, None, "b"),
        (True, 1, None),
        (False, None, 1),
    ],
)
def test_the_drafts_that_the_library_knows_are_known(schema: Any, good: Any, bad: Any) -> None:
    checker = {"kind": "json_schema", "schema": schema}

    assert schema is False or checked(checker, json.dumps(good)).success is True
    assert schema is True or checked(checker, json.dumps(bad)).success is False


def test_a_hundred_answers_of_one_schema_are_judged_in_order() -> None:
    texts = [json.dumps({"n": number % 2}) for number in range(100)]

    assert judged({"kind": "json_schema", "schema": SCHEMA}, *texts) == [bool(number % 2) for number in range(100)]
