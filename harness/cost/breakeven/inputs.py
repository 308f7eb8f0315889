"""What is handed to `decide`, checked so that whatever is wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.base.errors import UsageError
from harness.base.yamlfile import validate
from harness.rundir.decide import DecideInput


def parse(inputs: Mapping[str, Any], *, where: str = "decide input") -> DecideInput:
    """`inputs` checked, defaults filled in.

    Raises:
        UsageError: an unknown or missing key, a wrong type, a value out of range; names key and value.
    """
    if not isinstance(inputs, Mapping):
        raise UsageError(f"{where} must be a mapping, got {type(inputs).__name__}")
    return validate(DecideInput, {key: _plain(value) for key, value in inputs.items()}, where=where)


def _plain(value: Any) -> Any:
    """Mappings of any kind as dicts, inside lists too."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
