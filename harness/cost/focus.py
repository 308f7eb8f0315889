"""The month's bill as CSV in the columns of FOCUS, the FinOps billing specification, for a spreadsheet or a warehouse.

A forecast, not an invoice: `ChargeCategory` is Usage, and the columns with x_ are ours.
"""

import csv
from pathlib import Path
from typing import Any

from harness.base.units import HOURS_PER_MONTH, TOKENS_PER_MTOK
from harness.base.whole import written_whole
from harness.cost.breakeven.decision import api_calls, api_tokens, is_metered, unit_tasks, usd_per_second
from harness.cost.breakeven.exact import ceil
from harness.rundir.decide import AtVolume, DecideInput
from harness.rundir.decision import Arm, BillLine, BoxInstance, Decision
from harness.rundir.result import Kind

COLUMNS = (
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "RegionId", "SkuId", "SkuPriceId",
    "ChargeCategory", "ChargeDescription", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit",
    "ListUnitPrice", "BilledCost", "BillingCurrency", "CommitmentDiscountType",
    "x_Arm", "x_Line", "x_Kind", "x_PriceSource", "x_PriceCheckedOn",
)  # fmt: skip

Row = dict[str, Any]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", " ")  # a blank in front is no cure: some drop it


def focus_rows(decision: Decision) -> list[Row]:
    """One row for each charge of each arm's month.

    Empty without a volume. Unknown is an empty cell.
    """
    first = decision.arms[0]
    rows = _instances(decision.self_host.instance, first.input, first.decision.at_volume)
    for arm in decision.arms:
        rows += _api_charges(arm)
    for month in decision.monthly:
        rows += [_overhead(month.name, line) for line in month.lines if line.line != "inference"]
    return rows


def write_focus_csv(decision: Decision, path: Path) -> Path:
    """Write `focus_rows` to a CSV file with a header.

    Raises:
        BreakevenError: the file cannot be written.
    """
    with written_whole(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows({column: _cell(value) for column, value in row.items()} for row in focus_rows(decision))
    return path


def _cell(value: Any) -> Any:
    """What a spreadsheet would compute is made text, as spreadsheets write it; numbers stay what they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _instances(instance: BoxInstance, given: DecideInput, at: AtVolume | None) -> list[Row]:
    """The rented hours, or what else of the box is billed: those with arrivals, or the seconds of its calls."""
    if at is None or at.self_usd is None or at.instances is None:
        return []
    own = given.self_host
    billed = at.self_usd - own.fixed_usd_per_month - given.beside_usd("self_host", at.tasks_per_month)
    price, unit = (usd_per_second(own), "Seconds") if is_metered(own) else (instance.usd_per_hour, "Hours")
    quantity = (
        at.instances * HOURS_PER_MONTH if own.min_instances and unit == "Hours" else billed / price if price else 0
    )
    row = {
        "ProviderName": instance.provider,
        "ServiceCategory": "Compute",
        "ServiceName": "GPU instance" if instance.gpu_count else "Instance",
        "RegionId": instance.region,
        "SkuId": instance.id,
        "SkuPriceId": f"{instance.id}:{instance.purchase}",
        "ChargeDescription": f"{at.instances} x {instance.id} {instance.purchase}",
        "ConsumedQuantity": quantity,
        "ConsumedUnit": unit,
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "ListUnitPrice": price,
        "BilledCost": quantity * price,
        "CommitmentDiscountType": "Reserved" if instance.purchase.startswith("reserved") else None,
        "x_PriceSource": instance.source,
        "x_PriceCheckedOn": instance.checked_on,
    }
    return [_complete(row, "self_host", "inference", instance.kind)]


def _api_charges(arm: Arm) -> list[Row]:
    """Tokens of the month by kind, requests, units of capacity and the fee, at the rates the decision was made with."""
    at = arm.decision.at_volume
    if at is None:
        return []
    work, api = arm.input.workload, arm.input.api
    calls = at.tasks_per_month * api_calls(work, api)
    given, cached, output = api_tokens(work, api)
    more = 1 + api.surcharge
    mtok, tokens = TOKENS_PER_MTOK, ("Tokens", "1M Tokens")
    charges = [
        ("input tokens", calls * (given - cached), mtok, api.input_usd_per_mtok * more, tokens),
        ("cached input tokens", calls * cached, mtok, api.cache_read_usd_per_mtok * more, tokens),
        ("output tokens", calls * output, mtok, api.output_usd_per_mtok * more, tokens),
        ("requests", calls if api.usd_per_request else 0, 1, api.usd_per_request * more, ("Requests", "Requests")),
        ("capacity units", _units(arm, at), 1, api.units_usd_per_month, ("Units", "Units")),
    ]
    return [_api_row(arm, *charge) for charge in charges if charge[1]]


def _units(arm: Arm, at: AtVolume) -> float:
    api = arm.input.api
    size = unit_tasks(arm.input.workload, api)
    return max(1.0, ceil(at.tasks_per_month / size)) if api.units_usd_per_month else 0.0


def _api_row(arm: Arm, what: str, quantity: float, per_price: float, usd: float, units: tuple[str, str]) -> Row:
    consumed, priced = units
    price = arm.price
    row = {
        "ProviderName": arm.provider,
        "PublisherName": arm.provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "LLM API",
        "SkuId": arm.model,
        "SkuPriceId": f"{arm.provider}:{arm.model}:{what.removesuffix(' tokens')}",
        "ChargeDescription": f"{arm.name} {what}",
        "ConsumedQuantity": quantity,
        "ConsumedUnit": consumed,
        "PricingQuantity": quantity / per_price,
        "PricingUnit": priced,
        "ListUnitPrice": usd,
        "BilledCost": quantity / per_price * usd,
        "x_PriceSource": " ".join(part for part in (price.source, price.version) if part),
        "x_PriceCheckedOn": price.checked_on,
    }
    return _complete(row, arm.name, "inference", price.kind)


def _overhead(arm: str, line: BillLine) -> Row:
    row = {"ServiceCategory": "Other", "ServiceName": line.line, "ChargeDescription": line.name, "BilledCost": line.usd}
    return _complete(row, arm, line.line, line.kind)


def _complete(row: Row, arm: str, line: str, kind: Kind) -> Row:
    own = {"ChargeCategory": "Usage", "BillingCurrency": "USD", "x_Arm": arm, "x_Line": line, "x_Kind": kind}
    return {column: "" if value is None else value for column, value in (row | own).items()}
