"""decision.json as types: old runs read as they are, and whatever is wrong is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.rundir.decision import Decision

KEPT = sorted((Path(__file__).parents[2] / "results" / "kept").glob("*/decision.json"))


def not_kept(old: Any, new: Any, path: str = "") -> list[str]:
    """Keys and values of `old` that `new` has not."""
    if isinstance(old, dict):
        return [
            lost
            for key, value in old.items()
            for lost in (not_kept(value, new[key], f"{path}.{key}") if key in new else [f"{path}.{key}"])
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [lost for i, (one, other) in pairs for lost in not_kept(one, other, f"{path}[{i}]")]
    return [] if old == new else [f"{path}: {old!r} became {new!r}"]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.parent.name)
def test_a_kept_decision_is_read_with_every_key_and_value(path: Path) -> None:
    old = json.loads(path.read_text())

    assert not_kept(old, Decision.model_validate(old).to_dict()) == []


def test_there_are_kept_decisions() -> None:
    assert KEPT
