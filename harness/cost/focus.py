"""The month's bill as CSV in the columns of FOCUS, the FinOps billing specification, for a spreadsheet or a warehouse.

A forecast, not an invoice: `ChargeCategory` is Usage, and the columns with x_ are ours.
"""

import csv
from pathlib import Path
from typing import Any

from harness.base.units import HOURS_PER_MONTH, TOKENS_PER_MTOK
from harness.base.whole import written_whole
from harness.rundir.decide import AtVolume
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
    rows = _instances(decision.self_host.instance, decision.arms[0].decision.at_volume)
    for arm in decision.arms:
        rows += _tokens(arm)
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


def _instances(instance: BoxInstance, at: AtVolume | None) -> list[Row]:
    if at is None or at.instances is None:
        return []
    hours = at.instances * HOURS_PER_MONTH
    row = {
        "ProviderName": instance.provider,
        "ServiceCategory": "Compute",
        "ServiceName": "GPU instance" if instance.gpu_count else "Instance",
        "RegionId": instance.region,
        "SkuId": instance.id,
        "SkuPriceId": f"{instance.id}:{instance.purchase}",
        "ChargeDescription": f"{at.instances} x {instance.id} {instance.purchase}",
        "ConsumedQuantity": hours,
        "ConsumedUnit": "Hours",
        "PricingQuantity": hours,
        "PricingUnit": "Hours",
        "ListUnitPrice": instance.usd_per_hour,
        "BilledCost": hours * instance.usd_per_hour,
        "CommitmentDiscountType": "Reserved" if instance.purchase.startswith("reserved") else None,
        "x_PriceSource": instance.source,
        "x_PriceCheckedOn": instance.checked_on,
    }
    return [_complete(row, "self_host", "inference", instance.kind)]


def _tokens(arm: Arm) -> list[Row]:
    """Input, cached input and output tokens of the month, at the rates the decision was made with."""
    at = arm.decision.at_volume
    if at is None:
        return []
    work, price, api = arm.input.workload, arm.price, arm.input.api
    calls = at.tasks_per_month * arm.decision.attempts_per_task * (1 - work.response_cache_hit_rate)
    given, cached, output = work.mean_tokens()
    amounts = {
        "input": (given - cached, api.input_usd_per_mtok),
        "cached input": (cached, api.cache_read_usd_per_mtok),
        "output": (output, api.output_usd_per_mtok),
    }
    rows = []
    for what, (tokens_per_call, usd_per_mtok) in amounts.items():
        tokens = calls * tokens_per_call
        if tokens == 0:
            continue
        row = {
            "ProviderName": arm.provider,
            "PublisherName": arm.provider,
            "ServiceCategory": "AI and Machine Learning",
            "ServiceName": "LLM API",
            "SkuId": arm.model,
            "SkuPriceId": f"{arm.provider}:{arm.model}:{what}",
            "ChargeDescription": f"{arm.name} {what} tokens",
            "ConsumedQuantity": tokens,
            "ConsumedUnit": "Tokens",
            "PricingQuantity": tokens / TOKENS_PER_MTOK,
            "PricingUnit": "1M Tokens",
            "ListUnitPrice": usd_per_mtok,
            "BilledCost": tokens / TOKENS_PER_MTOK * usd_per_mtok,
            "x_PriceSource": " ".join(part for part in (price.source, price.version) if part),
            "x_PriceCheckedOn": price.checked_on,
        }
        rows.append(_complete(row, arm.name, "inference", price.kind))
    return rows


def _overhead(arm: str, line: BillLine) -> Row:
    row = {"ServiceCategory": "Other", "ServiceName": line.line, "ChargeDescription": line.name, "BilledCost": line.usd}
    return _complete(row, arm, line.line, line.kind)


def _complete(row: Row, arm: str, line: str, kind: Kind) -> Row:
    own = {"ChargeCategory": "Usage", "BillingCurrency": "USD", "x_Arm": arm, "x_Line": line, "x_Kind": kind}
    return {column: "" if value is None else value for column, value in (row | own).items()}
