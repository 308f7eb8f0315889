"""A box that was not driven here: its goodput was given, in requests or in tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.base.errors import UsageError
from harness.base.rounding import significant
from harness.base.units import usd_per_mtok
from harness.cost.box.box import PricedBox, rented_box
from harness.demand.demand import Demand
from harness.prices.price_file import UserPrices
from harness.rundir.decision import MtokAtStep, PerMtok
from harness.rundir.manifest import InstanceFacts
from harness.rundir.results import Goodput


@dataclass(frozen=True, slots=True)
class GivenRate:
    """What somebody says that one instance serves, and between what it surely lies, in one of three units."""

    requests_per_s: float | None = None
    output_tokens_per_s: float | None = None
    tokens_per_s: float | None = None  # input and output together
    low: float | None = None
    high: float | None = None


def given_goodput(rate: GivenRate, demand: Demand) -> tuple[Goodput, str]:
    """Requests per second of the demand's own mean lengths, and in words how that follows from what was given.

    Example: 150 output tokens/s over answers of 250 tokens are 0.6 requests/s.

    Raises:
        UsageError: no rate or several, ends that do not hold it, requests that have none of these tokens.
    """
    given, output = demand.mean_tokens()
    units = [
        (rate.requests_per_s, "requests/s", 1.0, ""),
        (rate.output_tokens_per_s, "output tokens/s", output, f"{significant(output)} output tokens"),
        (rate.tokens_per_s, "tokens/s", given + output, f"{significant(given)} in and {significant(output)} out"),
    ]
    said = [unit for unit in units if unit[0] is not None]
    if len(said) != 1:
        raise UsageError(
            f"{'no' if not said else 'more than one'} rate of the box is given",
            hint="one of --goodput (requests/s), --tokens-per-s (output) and --total-tokens-per-s",
        )
    (value, unit, tokens, lengths), *_ = said
    assert value is not None
    if not tokens:
        raise UsageError(f"a request of the demand has no {unit.removesuffix('/s')}", hint="--goodput, in requests/s")
    if not (rate.low if rate.low is not None else value) <= value <= (rate.high if rate.high is not None else value):
        raise UsageError(
            f"--low and --high must hold the {value:g} {unit} that are given between them, in the same unit"
        )
    requests = value / tokens
    low, high = (None if end is None else end / tokens for end in (rate.low, rate.high))
    words = f"{value:,g} {unit}"
    if lengths:
        words += f" over {lengths} a request are {significant(requests, 4)} requests/s"
    return Goodput(requests_per_s=requests, low=low, high=high), words


def given_box(instance: Mapping[str, Any], rate: GivenRate, demand: Demand, prices: UserPrices) -> PricedBox:
    """A box of which a goodput was given; `instance` as in run.json.

    Raises:
        UsageError: neither a price nor an instance that has one; a rate that is none.
    """
    goodput, words = given_goodput(rate, demand)
    rented, listed = rented_box(InstanceFacts.model_validate(instance), prices)
    return PricedBox(
        instance=rented,
        listed=listed,
        goodput=goodput,
        usd_per_mtok=PerMtok(at_slo=_at(goodput, demand, rented.usd_per_hour), at_peak=None),
        why_no_goodput="",
        given=words,
    )


def _at(goodput: Goodput, demand: Demand, usd: float) -> MtokAtStep | None:
    """The box kept busy with the demand's own requests."""
    given, output = (tokens * (goodput.requests_per_s or 0.0) for tokens in demand.mean_tokens())
    if not output:
        return None
    return MtokAtStep(
        step=None,
        output_only=usd_per_mtok(usd, output),
        total=usd_per_mtok(usd, given + output),
        input_tokens_per_s=given,
        output_tokens_per_s=output,
    )
