"""The months ahead: a volume that grows, what both sides cost, and when what is paid once is paid back."""

from collections.abc import Sequence
from itertools import accumulate

from harness.cost.breakeven.vector import case_of, evaluate
from harness.rundir.decide import DecideInput
from harness.rundir.whatif import ProjectedMonth, Projection


def projection(
    inputs: DecideInput,
    *,
    growth_per_month: float,
    months: int,
    one_off_usd: float,
    usd_per_attempt: Sequence[float] | None = None,
) -> Projection | None:
    """Both bills month by month; `payback_month` is the first whose summed saving has paid `one_off_usd`.

    Month 1 has the present volume. `usd_per_attempt` is the API's price of a call by month, where it is to change.
    None without a volume or goodput; `payback_month` None: not in these.
    """
    tasks = inputs.workload.tasks_per_month
    if tasks is None or not inputs.self_host.goodput_requests_per_s:
        return None
    volumes = [tasks * (1 + growth_per_month) ** month for month in range(months)]
    case = case_of(inputs, tasks).but(tasks_per_month=volumes)
    out = evaluate(case if usd_per_attempt is None else case.but(usd_per_attempt=usd_per_attempt))
    savings = [float(saving) for saving in out.saving_usd]
    summed = list(accumulate(savings, initial=-one_off_usd))[1:]
    rows = [
        ProjectedMonth(
            month=month + 1,
            tasks=volume,
            instances=int(out.instances[month]),
            self_usd=float(out.self_usd[month]),
            api_usd=float(out.api_usd[month]),
            summed_saving_usd=summed[month],
        )
        for month, volume in enumerate(volumes)
    ]
    return Projection(
        growth_per_month=growth_per_month,
        one_off_usd=one_off_usd,
        payback_month=next((row.month for row in rows if row.summed_saving_usd >= 0), None),
        payback_months_at_present_volume=one_off_usd / savings[0] if savings[0] > 0 else None,
        months=tuple(rows),
    )
