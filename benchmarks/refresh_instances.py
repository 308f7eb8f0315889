"""Brings the AWS prices of harness/prices/instances.yaml up to stored copies of their sources.

    python benchmarks/refresh_instances.py zz_generated.pricing_aws.go      Karpenter's table, which says its own day
    python benchmarks/refresh_instances.py instances.json 2027-01-05        Vantage's, as it was read on that day

Of each row only what names that source is touched, and gets the copy's day: on-demand prices of us-east-1 from
Karpenter's table; on-demand prices of other regions and one-year reserved ones from Vantage's. Nothing is fetched.
Tried on small copies alone (tests/prices/test_refresh.py), never against the live files.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

REGION = "us-east-1"
TARGET = Path(__file__).parent.parent / "harness" / "prices" / "instances.yaml"
_GENERATED = re.compile(r"generated at (\d{4}-\d\d-\d\d)T\S+ for (\S+)")
_PRICE = re.compile(r'"([a-z0-9-]+\.[a-z0-9-]+)": (\d+\.\d+)')
_RESERVED_1Y = "yrTerm1Standard.noUpfront"

Prices = dict[tuple[str, str, str], float]
"""USD an hour by instance, region and option (on_demand, reserved_1y)."""


def read_karpenter(text: str) -> tuple[str, Prices]:
    """(the day it was generated on, its prices); it ends here where the copy is of another kind."""
    said = _GENERATED.search(text)
    if said is None or said[2] != REGION:
        sys.exit(f"the copy does not say that it was generated for {REGION}")
    return said[1], {(name, REGION, "on_demand"): float(usd) for name, usd in _PRICE.findall(text)}


def read_vantage(text: str) -> Prices:
    """On-demand and one-year prices of Linux in every region; it ends here where the copy is of another kind."""
    prices: Prices = {}
    try:
        for row in json.loads(text):
            for region, systems in row["pricing"].items():
                linux = systems.get("linux", {})
                for option, usd in (
                    ("on_demand", linux.get("ondemand")),
                    ("reserved_1y", linux.get("reserved", {}).get(_RESERVED_1Y)),
                ):
                    if usd is not None and float(usd) > 0:
                        prices[row["instance_type"], region, option] = float(usd)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        sys.exit(f"the copy is no instances.json of Vantage: {error!r}")
    return prices


KARPENTER = (("on_demand", re.compile(r"^  source: [&*]karpenter\b.*\n  checked_on: (\S+)", re.MULTILINE)),)
VANTAGE = (
    ("on_demand", re.compile(r"^  source: [&*]regions\b.*\n  checked_on: (\S+)", re.MULTILINE)),
    ("reserved_1y", re.compile(r"^    reserved_1y: \{source: [&*]vantage\b.*checked_on: (\S+?)\}", re.MULTILINE)),
)
Options = tuple[tuple[str, re.Pattern[str]], ...]
"""Options whose source a row names so; the group is the day that goes with it."""


def refreshed(rows: str, day: str, prices: Prices, options: Options) -> tuple[str, list[str]]:
    """The file's text with new prices, and what changed in words; a row that the copy lacks stays as it is."""
    said: list[str] = []
    return re.sub(r"^- id: \S+\n(?:  .*\n)*", _row(day, prices, options, said), rows, flags=re.MULTILINE), said


def _row(day: str, prices: Prices, options: Options, said: list[str]) -> Callable[[re.Match[str]], str]:
    def row(found: re.Match[str]) -> str:
        text = found[0]
        name, region = (re.search(rf"^(?:- |  ){key}: (\S+)", text, re.MULTILINE) for key in ("id", "region"))
        for option, its_source in options:
            named, old = its_source.search(text), re.search(rf"\b{option}: ([\d.]+)", text)
            usd = prices.get((name[1], region[1], option)) if name and region else None
            if named is None or old is None or usd is None:
                continue
            text = text[: named.start(1)] + day + text[named.end(1) :]
            text = re.sub(rf"\b{option}: [\d.]+", f"{option}: {usd:.10g}", text, count=1)
            if float(old[1]) != usd and name and region:
                said.append(f"{name[1]} {region[1]} {option}: {old[1]} to {usd:g}")
        return text

    return row


def main(arguments: list[str]) -> int:
    """Read the copy, write the rows, say what changed."""
    copy = Path(arguments[0]).read_text()
    if len(arguments) > 1:
        day, prices, options = date.fromisoformat(arguments[1]).isoformat(), read_vantage(copy), VANTAGE
    else:
        (day, prices), options = read_karpenter(copy), KARPENTER
    text, said = refreshed(TARGET.read_text(), day, prices, options)
    TARGET.write_text(text)
    print("\n".join(said) or "no price changed", f"\nof {day}", sep="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
