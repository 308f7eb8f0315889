"""How much goodput a decision needs, before anything is measured: a search may stop once it knows its side of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.base.rounding import exact_volume
from harness.cost.breakeven.decision import decide_parsed
from harness.cost.verdict import check_prices, decide_input
from harness.demand.demand import Demand
from harness.rundir.decide import DecideInput

LOWEST, HIGHEST = 1e-6, 1e6  # requests per second of one instance that are looked at
HALVINGS = 60  # of a factor of 1e12 on a logarithmic scale: far below any measurement's interval


def needed_goodput(
    instance: Mapping[str, Any], arms: Sequence[str], demand: Demand, *, prices_file: Path | None = None
) -> dict[str, float | None]:
    """The goodput, in requests per second of what is driven, that the box must reach; None: none is enough.

    Two questions an arm: does a full instance ever pay ("arm"), and does the box win at the demand's own volume
    ("arm at 400,000 a month"). `instance` is run.json's; empty where nobody said how many of it are driven.

    Raises:
        UsageError: no price for the instance or for an arm.
    """
    box, chosen = check_prices(instance, arms, demand, prices_file=prices_file)
    instances = box.instance.instances_driven
    if instances is None:
        return {}
    needed: dict[str, float | None] = {}
    for arm in chosen:
        given = decide_input(arm, box, demand)
        needed[arm.name] = _of_all(decide_parsed(given).min_goodput_requests_per_s, instances)
        if demand.tasks_per_month:
            name = f"{arm.name} at {exact_volume(demand.tasks_per_month)} a month"
            needed[name] = _of_all(_at_volume(given), instances)
    return needed


def _of_all(goodput: float | None, instances: float) -> float | None:
    return None if goodput is None else goodput * instances


def _at_volume(given: DecideInput) -> float | None:
    """Smallest goodput at which the box is not dearer at the demand's volume; more goodput never makes it dearer."""

    def wins(goodput: float) -> bool:
        box = given.self_host.model_copy(update={"goodput_requests_per_s": goodput})
        at = decide_parsed(given.model_copy(update={"self_host": box})).at_volume
        return at is not None and at.winner == "self_host"

    low, high = LOWEST, HIGHEST
    if not wins(high):
        return None
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if wins(middle) else (middle, high)
    return high
