"""The rented box of a run: what it costs an hour, from whom, and what a million tokens costs on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.base.errors import UsageError
from harness.base.units import usd_per_mtok
from harness.cost.box.gpu_share import GpuShare, gpu_share
from harness.prices.catalog import find_instance, known_instance, quote_for
from harness.prices.price_file import InstanceRow, UserPrices
from harness.prices.record import PLAUSIBLE, Quote, is_plausible
from harness.rundir.decision import BoxInstance, MtokAtStep, PerMtok
from harness.rundir.identity import Identity
from harness.rundir.manifest import InstanceFacts
from harness.rundir.results import Goodput, Metrics, Step

DEFAULT_PURCHASE = "on_demand"


@dataclass(frozen=True, slots=True)
class PricedBox:
    """An instance, its price per hour, and the goodput measured on it.

    None: no load step met the SLO, or none surely (`most_per_s`), or nobody can tell (`why_unknown`).
    """

    instance: BoxInstance
    listed: InstanceRow | None  # None: not in the catalogue, priced by the user
    goodput: Goodput | None
    usd_per_mtok: PerMtok
    why_no_goodput: str
    most_per_s: float | None = None  # no load surely met it, and none can give more than this
    why_unknown: str | None = None
    given: str | None = None  # the goodput was not measured but given, and how; None: measured
    gpus: GpuShare | None = None  # None: it has none, or nobody lists them


def rented_box(asked: InstanceFacts, prices: UserPrices) -> tuple[BoxInstance, InstanceRow | None]:
    """The box and its catalogue row; a price given with it wins, then the user's file, then the catalogue.

    Raises:
        UsageError: neither a price nor an instance that has one.
    """
    purchase = asked.purchase or DEFAULT_PURCHASE
    known, quote = _priced(asked, purchase, prices)
    rented = BoxInstance(
        id=known.id if known else asked.id or "unnamed",
        **{name: getattr(known, name, None) for name in ("provider", "region", "gpu", "gpu_count", "gpu_memory_gib")},
        usd_per_hour=quote.usd_per_hour,
        purchase=purchase,
        replicas=asked.per_instance,
        replicas_driven=asked.driven,
        instances_driven=asked.instances,
        source=quote.source,
        checked_on=quote.checked_on,
        kind="listed" if asked.usd_per_hour is None and purchase != "owned" else "assumed",  # nobody lists one's own
    )
    return rented, known


def price_box(
    instance: Mapping[str, Any], metrics: Metrics, prices: UserPrices, identity: Identity | None = None
) -> PricedBox:
    """The box of run.json's `instance`; a price given there wins, then the user's file, then the catalogue.

    `identity`: of what was measured, whose GPUs are held against the box's.

    Raises:
        UsageError: neither a price nor an instance that has one.
    """
    asked = InstanceFacts.model_validate(instance)
    rented, known = rented_box(asked, prices)
    share = gpu_share(identity, asked, rented.gpu_count, rented.id)
    if share is not None:
        rented = rented.model_copy(update={"gpus_used": share.used, "unpriced": share.why_unpriced})
    instances, why_unknown = asked.instances, _why_unknown(asked, rented.unpriced, metrics)
    if instances is None or rented.unpriced or metrics.failing:
        why_no_goodput = why_unknown or "nothing was measured"
        nothing = PerMtok(at_slo=None, at_peak=None)
        return PricedBox(rented, known, None, nothing, why_no_goodput, None, why_unknown, gpus=share)
    goodput = None if metrics.goodput is None else metrics.goodput.each_of(instances)
    return PricedBox(
        instance=rented,
        listed=known,
        goodput=goodput if goodput is not None and goodput.requests_per_s else None,
        most_per_s=goodput.high if goodput is not None and goodput.at_most else None,
        why_no_goodput=metrics.why_no_goodput(instances),
        why_unknown=why_unknown,
        usd_per_mtok=PerMtok(
            at_slo=_at_step(metrics.at_slo, rented.usd_per_hour, instances),
            at_peak=_at_step(metrics.busiest, rented.usd_per_hour, instances),
        ),
        gpus=share,
    )


def _why_unknown(asked: InstanceFacts, unpriced: str | None, metrics: Metrics) -> str | None:
    """Why nobody can tell what one instance serves; None: it is known, or nothing was measured yet."""
    if not metrics.loads:
        return None
    if metrics.failing:
        return f"the fleet was not whole: {metrics.failing}"
    if not metrics.is_judged:
        return f"no load step could be judged against the latency limits: {metrics.why_not_judged}"
    if asked.instances is None:
        return f"{asked.driven} URLs were driven at the price of one instance, and nobody said how many boxes they are"
    return unpriced


def _priced(asked: InstanceFacts, purchase: str, prices: UserPrices) -> tuple[InstanceRow | None, Quote]:
    """The catalogue's row, where there is one, and the price of an hour."""
    if asked.usd_per_hour is None:
        if asked.id is None:
            raise UsageError(
                "no instance and no price per hour is named, so nothing can be priced",
                hint="give --instance, for example g5.12xlarge, or its price per hour",
            )
        known = find_instance(asked.id, prices)
        return known, quote_for(known, purchase)
    if not is_plausible(asked.usd_per_hour):
        raise UsageError(
            f"`instance.usd_per_hour` {PLAUSIBLE}, got {asked.usd_per_hour:g}", hint="--usd-per-hour gives it"
        )
    return known_instance(asked.id, prices), Quote(asked.usd_per_hour, "given with the run", None)


def _at_step(step: Step | None, usd: float, instances: float) -> MtokAtStep | None:
    if step is None or step.void is not None or not step.output_tokens_per_s:
        return None
    output = step.output_tokens_per_s / instances
    given = None if step.input_tokens_per_s is None else step.input_tokens_per_s / instances
    return MtokAtStep(
        step=step.step,
        output_only=usd_per_mtok(usd, output),
        total=None if given is None else usd_per_mtok(usd, given + output),
        input_tokens_per_s=given,
        output_tokens_per_s=output,
    )
