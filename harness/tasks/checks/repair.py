"""JSON that was meant but badly written, mended by json-repair."""

import json

from json_repair import repair_json


def repaired(text: str) -> str | None:
    """The object or list that it finds in a text, as JSON; None where there is none."""
    try:
        value = repair_json(text, return_objects=True)
        return json.dumps(value, allow_nan=False) if isinstance(value, dict | list) else None
    except (ValueError, RecursionError):
        return None
