"""The rented box of a run: what it costs an hour, from whom, and what a million tokens costs on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from harness.base.errors import UsageError
from harness.base.units import usd_per_mtok
from harness.prices.catalog import find_instance, quote_for
from harness.prices.price_file import PLAUSIBLE, is_plausible
from harness.prices.record import Instance, UserPrices

DEFAULT_PURCHASE = "on_demand"


@dataclass(frozen=True, slots=True)
class Box:
    """An instance, its price per hour, and the goodput measured on it (None: no load step met the SLO)."""

    id: str
    purchase: str
    usd_per_hour: float
    source: str
    checked_on: date | None
    kind: str  # listed | assumed
    replicas: int  # engines like the measured one on the instance; goodput and tokens/s are times this
    instance: Instance | None  # None: not in the catalogue, priced by the user
    goodput: dict[str, Any] | None
    usd_per_mtok: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """`self_host` of decision.json."""
        known = self.instance
        return {
            "instance": {
                "id": self.id,
                "provider": known.provider if known else None,
                "region": known.region if known else None,
                "gpu": known.gpu if known else None,
                "gpu_count": known.gpu_count if known else None,
                "gpu_memory_gib": known.gpu_memory_gib if known else None,
                "usd_per_hour": self.usd_per_hour,
                "purchase": self.purchase,
                "replicas": self.replicas,
                "source": self.source,
                "checked_on": self.checked_on.isoformat() if self.checked_on else None,
                "kind": self.kind,
            },
            "goodput": self.goodput,
            "usd_per_mtok": self.usd_per_mtok,
        }


def price_box(instance: Mapping[str, Any], metrics: Mapping[str, Any], prices: UserPrices) -> Box:
    """The box of run.json's `instance`; a price given there wins, then the user's file, then the catalogue.

    Raises:
        UsageError: neither a price nor an instance that has one.
    """
    reference, purchase = instance.get("id"), instance.get("purchase") or DEFAULT_PURCHASE
    given = instance.get("usd_per_hour")
    if reference is None and given is None:
        raise UsageError(
            "the run names no instance and no price per hour, so nothing can be priced",
            hint="give --instance, for example g5.12xlarge, or its price per hour",
        )
    known = _lookup(reference, prices, must=given is None)
    if given is not None:
        if not is_plausible(given):
            raise UsageError(
                f"`instance.usd_per_hour` {PLAUSIBLE}, got {given:g}", hint="--usd-per-hour gives it"
            )
        usd, source, checked, kind = float(given), "given with the run", None, "assumed"
    else:
        assert known is not None
        quote = quote_for(known, purchase)
        usd, source, checked, kind = quote.usd_per_hour, quote.source, quote.checked_on, "listed"
    replicas = int(instance.get("replicas") or 1)
    return Box(
        id=known.id if known else str(reference or "unnamed"),
        purchase=purchase,
        usd_per_hour=usd,
        source=source,
        checked_on=checked,
        kind=kind,
        replicas=replicas,
        instance=known,
        goodput=scaled_goodput(metrics, replicas),
        usd_per_mtok=_per_mtok(metrics, usd, replicas),
    )


def _lookup(reference: str | None, prices: UserPrices, *, must: bool) -> Instance | None:
    if reference is None:
        return None
    try:
        return find_instance(reference, prices)
    except UsageError:
        if must:
            raise
        return None


def scaled_goodput(metrics: Mapping[str, Any], replicas: int) -> dict[str, Any] | None:
    """The measured goodput times the engines like the measured one; None where no step met the limits."""
    measured = metrics.get("goodput")
    if not measured or not measured.get("requests_per_s"):
        return None
    scaled = {
        key: None if measured.get(key) is None else max(0.0, measured[key] * replicas)
        for key in ("requests_per_s", "low", "high")
    }
    return {**measured, **scaled}


def _per_mtok(metrics: Mapping[str, Any], usd: float, replicas: int) -> dict[str, Any]:
    """USD per Mtok at the step that sets the goodput, and at the step with most output tokens/s."""
    steps = {step["step"]: step for step in metrics.get("steps", ())}
    goodput = metrics.get("goodput")
    at_slo = steps.get(goodput["step"]) if goodput else None
    busy = [step for step in steps.values() if step.get("output_tokens_per_s")]
    peak = max(busy, key=lambda step: float(step["output_tokens_per_s"]), default=None)
    return {"at_slo": _at_step(at_slo, usd, replicas), "at_peak": _at_step(peak, usd, replicas)}


def _at_step(step: Mapping[str, Any] | None, usd: float, replicas: int) -> dict[str, Any] | None:
    if step is None or not step.get("output_tokens_per_s"):
        return None
    output = step["output_tokens_per_s"] * replicas
    given = step.get("input_tokens_per_s")
    total = None if given is None else given * replicas + output
    return {
        "step": step["step"],
        "output_only": usd_per_mtok(usd, output),
        "total": None if total is None else usd_per_mtok(usd, total),
        "input_tokens_per_s": None if given is None else given * replicas,
        "output_tokens_per_s": output,
    }
