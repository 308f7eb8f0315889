"""JSON that fits a schema. A schema that refers to a file or an address elsewhere is refused: nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from harness.base.text import printable
from harness.scenario.checkers import JsonSchemaChecker
from harness.tasks.checks.given import Check, Given, Outcome, Unusable
from harness.tasks.checks.json_text import NotJson, as_expected, parsed

_WHY_CHARS = 200


def schema_check(checker: JsonSchemaChecker) -> Check:
    """Whether the answer parses, fits the schema, and is what is expected where the task says it.

    Raises:
        Unusable: no JSON Schema.
    """
    schema = checker.schema_
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise Unusable(f"not a JSON Schema: {error.json_path}: {printable(error.message, _WHY_CHARS)}") from None
    except Exception as error:  # a pattern in it that is none
        raise Unusable(f"not a JSON Schema: {printable(str(error), _WHY_CHARS)}") from None
    _check_references(schema)
    validator = kind(schema, registry=Registry())

    def check(given: Given) -> Outcome:
        try:
            value = parsed(given.text, fenced=checker.fenced)
        except NotJson as problem:
            return Outcome(False, str(problem))
        error = next(validator.iter_errors(value), None)
        return as_expected(value, given) if error is None else Outcome(False, _why(error))

    return check


def _why(error: ValidationError) -> str:
    return (
        f"does not fit the schema at {printable(error.json_path, _WHY_CHARS)}: {printable(error.message, _WHY_CHARS)}"
    )


def _check_references(schema: Any) -> None:
    """A reference that leads nowhere would only be met by some of the answers."""
    inside = list(_values(schema))
    if any("$id" in one for one in inside if one is not schema):
        return  # with names of their own inside, they start elsewhere
    own = schema.get("$id", "") if isinstance(schema, dict) else ""
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    resolver = Registry().with_resource(own, resource).resolver(own)
    for reference in (one["$ref"] for one in inside if isinstance(one.get("$ref"), str)):
        try:
            resolver.lookup(reference)
        except (Unresolvable, ValueError):
            raise Unusable(f"`$ref` {printable(reference)} leads nowhere in the schema itself") from None


def _values(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a schema."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
