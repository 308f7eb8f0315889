"""Brings the on-demand prices of harness/prices/instances.yaml up to a stored copy of Karpenter's generated table.

    python benchmarks/refresh_instances.py zz_generated.pricing_aws.go

Only rows of us-east-1 that name this table as their source are touched: price and `checked_on`, which is the day that
the copy says it was generated on. Nothing is fetched. Tried on small copies alone (tests/prices/test_refresh.py), never
against the live file.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REGION = "us-east-1"
TARGET = Path(__file__).parent.parent / "harness" / "prices" / "instances.yaml"
_GENERATED = re.compile(r"generated at (\d{4}-\d\d-\d\d)T\S+ for (\S+)")
_PRICE = re.compile(r'"([a-z0-9-]+\.[a-z0-9-]+)": (\d+\.\d+)')
_FROM_KARPENTER = re.compile(r"^  source: [&*]karpenter\b", re.MULTILINE)


def read_table(text: str) -> tuple[str, dict[str, float]]:
    """(the day it was generated on, USD an hour by instance); it ends here where the copy is of another kind."""
    said = _GENERATED.search(text)
    if said is None or said[2] != REGION:
        sys.exit(f"the copy does not say that it was generated for {REGION}")
    return said[1], {name: float(usd) for name, usd in _PRICE.findall(text)}


def refreshed(rows: str, day: str, usd_by_id: dict[str, float]) -> tuple[str, list[str]]:
    """The file's text with new prices, and what changed in words; a row that the table lacks stays as it is."""
    said = []

    def row(found: re.Match[str]) -> str:
        text, name = found[0], found["id"]
        if not _FROM_KARPENTER.search(text) or f"region: {REGION}\n" not in text or name not in usd_by_id:
            return text
        old = re.search(r"on_demand: ([\d.]+)", text)
        if old is not None and float(old[1]) != usd_by_id[name]:
            said.append(f"{name}: {old[1]} to {usd_by_id[name]:g}")
        text = re.sub(r"on_demand: [\d.]+", f"on_demand: {usd_by_id[name]:.10g}", text, count=1)
        return re.sub(r"^  checked_on: \S+", f"  checked_on: {day}", text, count=1, flags=re.MULTILINE)

    return re.sub(r"^- id: (?P<id>\S+)\n(?:  .*\n)*", row, rows, flags=re.MULTILINE), said


def main() -> int:
    """Read the copy, write the rows, say what changed."""
    day, usd_by_id = read_table(Path(sys.argv[1]).read_text())
    text, said = refreshed(TARGET.read_text(), day, usd_by_id)
    TARGET.write_text(text)
    print("\n".join(said) or "no price changed", f"\nof {day}", sep="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
