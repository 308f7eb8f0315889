"""focus.csv is opened in spreadsheets: what would be computed there is text."""

import csv
from pathlib import Path

import pytest
from report_cases import changed, decision_of

from harness.cost.focus import write_focus_csv


def cells_with(name: str, path: Path) -> set[str]:
    decision = changed(decision_of("two_windows"), lambda data: data["arms"][0].update(provider=name, model=name))
    write_focus_csv(decision, path)
    with path.open(newline="") as file:
        return {row["ProviderName"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1"])
def test_a_cell_that_would_be_computed_is_made_text(formula: str, tmp_path: Path) -> None:
    assert f"'{formula}" in cells_with(formula, tmp_path / "focus.csv")
    assert formula not in cells_with(formula, tmp_path / "focus.csv")


def test_other_text_and_numbers_stay_what_they_are(tmp_path: Path) -> None:
    assert "anthropic-1" in cells_with("anthropic-1", tmp_path / "focus.csv")
    with (tmp_path / "focus.csv").open(newline="") as file:
        assert all(float(row["BilledCost"]) >= 0 for row in csv.DictReader(file))
