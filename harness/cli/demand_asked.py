"""The month that a command is asked to price, or who operates the box where nobody gives one."""

from collections.abc import Mapping
from typing import Any

from harness.base.people import PeopleSaid
from harness.cli.options import people_of
from harness.demand.demand import load_demand
from harness.pipeline.demanded import is_given, refuse_beside


def demand_asked(given: Mapping[str, Any]) -> tuple[dict[str, Any] | None, PeopleSaid | None]:
    """Both as run.json keeps them.

    Raises:
        UsageError: a demand that cannot be used, or people beside one.
    """
    people, path = people_of(given["fte"], given["fte_usd_per_year"]), given["demand_file"]
    if path is None or not is_given(path):
        return None, people
    refuse_beside(people, f"--demand {path} is one")
    return load_demand(path).to_dict(), None
