"""The demand of a run that nobody gave one: its own requests, no volume, and the people that a box takes."""

from harness.base.people import DEFAULT_FTE, DEFAULT_USD_PER_YEAR, PeopleSaid
from harness.demand.demand import Demand, demand_from_dict
from harness.demand.items import FteItem

_ASSUMED = "assumed; --people FTE and --fte-usd-per-year USD say otherwise, --people 0 strikes it"


def own_demand(run: str, what: str, input_tokens: float, output_tokens: float, people: PeopleSaid | None) -> Demand:
    """A request or task (`what`) of the run's mean lengths is one task of the month; nobody said how many."""
    shape = {"name": what, "input_tokens": round(input_tokens), "output_tokens": round(output_tokens)}
    item = people_item(people or PeopleSaid())
    demand = demand_from_dict({"name": f"{run}, its own requests", "classes": [shape], "made_of_run": run})
    return demand.model_copy(update={"items": [item] if item.fraction else []})


def people_item(said: PeopleSaid) -> FteItem:
    """The line of the month that people are: half an engineer, where nobody said otherwise."""
    return FteItem(
        name="people",
        kind="fte",
        arm="self_host",
        fraction=DEFAULT_FTE if said.fte is None else said.fte,
        loaded_usd_per_year=DEFAULT_USD_PER_YEAR if said.usd_per_year is None else said.usd_per_year,
        pay_assumed=said.usd_per_year is None,
        assumed=said.fte is None,
        note=_ASSUMED if said.fte is None else "",
    )
