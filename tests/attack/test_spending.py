"""A few of the seeded runs against an API that bills; all of them are `python benchmarks/attack spending`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from spending import attack


@pytest.mark.parametrize("seed", [1])
def test_a_spending_limit_is_never_passed(seed: int, tmp_path: Path) -> None:
    result = attack(6, seed, tmp_path)

    assert result.bad == []
    assert "limit reached" in result.note
