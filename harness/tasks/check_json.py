"""JSON as an answer: what parses, and what does not."""

import json
from typing import Any


def read_json(text: str) -> tuple[Any, str]:
    """(value, "") or (None, what is wrong)."""
    try:
        return json.loads(text), ""
    except ValueError as error:
        return None, f"not JSON: {error}"
