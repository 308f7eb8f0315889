"""The verdict in plain words."""

from harness.base.rounding import exact_volume, span, usd, volumes
from harness.cost.breakeven.decision import decide_parsed, staircase
from harness.cost.breakeven.exact import is_tie
from harness.rundir.decide import AtVolume, Decided, DecideInput


def sentence(given: DecideInput, decided: Decided, most_per_s: float | None = None) -> str:
    """Who wins at the reader's volume, by how much, and where self-hosting wins or why it never does.

    `most_per_s`: without a goodput, what the box serves within the limits at most.
    """
    at = decided.at_volume
    if decided.capacity_tasks_per_month is None:
        return _infeasible(decided, at, most_per_s)
    clauses = [_at_volume(at)] if at is not None else []
    clauses.append(_never(given) if decided.verdict == "never" else _windows(decided))
    clauses += _interval(decided)
    said = "; ".join(clauses) + "."
    return said[0].upper() + said[1:]


USUAL_PEAK_TO_MEAN = 2.5  # of a service that people use by day


def flat_traffic(given: DecideInput) -> str:
    """What a month without a peak takes for granted, and where self-hosting wins at a usual one."""
    peaked = given.workload.model_copy(update={"peak_to_mean": USUAL_PEAK_TO_MEAN})
    decided = decide_parsed(given.model_copy(update={"workload": peaked}))
    where = "self-hosting never wins" if decided.verdict == "never" else _windows(decided)
    return f"Assumes the same load every hour; at {USUAL_PEAK_TO_MEAN:g} x peak to mean {where}."


def _infeasible(decided: Decided, at: AtVolume | None, most_per_s: float | None) -> str:
    needed = decided.min_goodput_requests_per_s
    why = "no load step met the latency limits, so the box has no capacity to price"
    if most_per_s is not None:
        why = f"the box serves at most {most_per_s:.3g} requests/s within the latency limits"
    more = f"; it would have to serve {needed:.3g} requests/s within them" if needed is not None else ""
    bill = (
        f", and at your {exact_volume(at.tasks_per_month)} tasks a month the API costs {usd(at.api_usd)}"
        if at is not None
        else ""
    )
    return f"Self-hosting never wins on this evidence: {why}{more}{bill}."


def _at_volume(at: AtVolume) -> str:
    assert at.self_usd is not None
    assert at.instances is not None
    where = f"at your {exact_volume(at.tasks_per_month)} tasks a month"
    if is_tie(at.api_usd, at.self_usd):
        return f"{where} both cost the same"
    who = "self-hosting" if at.winner == "self_host" else "the API"
    boxes = f" ({at.instances:,} instances)" if at.instances > 1 else ""
    return f"{where}{boxes} {who} wins by {usd(abs(at.api_usd - at.self_usd))} a month"


def _never(given: DecideInput) -> str:
    stairs, never = staircase(given, given.self_host.goodput_requests_per_s).net(), "self-hosting never wins"
    api = stairs.api_usd_per_task_used_up
    if api < 0:
        return f"{never}, because a task costs {usd(-api)} less at the API, people included, before any instance"
    if api <= 0 and stairs.api_base_usd <= 0:
        return f"{never}, because the API is free"
    own = stairs.metered_usd_per_task if stairs.hours is None else stairs.hours.usd_per_task
    if own is not None:
        full = "" if stairs.hours is None else " with every hour full"
        why = f"because a task costs {usd(own)} on the box{full} and {usd(api)} at the API"
        return f"{never}, {why}" if own > api else f"{never} at a volume that makes sense"
    costs = stairs.usd_per_instance_month
    if api <= 0:
        boxes = "one box" if stairs.min_instances == 1 else f"{stairs.min_instances:,} boxes"
        fewest = usd(stairs.self_usd(stairs.min_instances))
        fee = usd(stairs.api_base_usd)
        return f"{never}, because the API takes {fee} a month whatever the volume, and {boxes} {fewest}"
    saves = api * (stairs.capacity or 0.0)
    if saves > costs:
        return f"{never} at a volume that makes sense"
    return f"{never}, because one full box saves {usd(saves)} and costs {usd(costs)} a month"


def window_ends(decided: Decided) -> list[tuple[str, str | None]]:
    """The winning windows as printed: where each begins, and where it ends (None: it does not)."""
    bounded = [edge for window in decided.winning_windows for edge in window if edge is not None]
    shown = iter(volumes(*bounded))
    return [(next(shown), None if high is None else next(shown)) for _, high in decided.winning_windows]


def _windows(decided: Decided) -> str:
    (low, high), *others = window_ends(decided)
    if decided.permanent_win_tasks_per_month is None:
        return _bounded(span(low, high), len(others), truncated=decided.windows_truncated)
    if high is None:
        at_once = decided.first_win_tasks_per_month == 0
        return f"self-hosting wins {'at every volume' if at_once else f'from {low} tasks a month on'}"
    start, good = f"self-hosting wins from {low} tasks a month, loses again", others[-1][0]
    if len(others) == 1:
        return f"{start} from {high} to {good}, and wins for good above that"
    gaps = "many" if decided.windows_truncated else str(len(others))
    return f"{start} in {gaps} stretches from {high} on, and wins for good from {good}"


def _bounded(where: str, others: int, *, truncated: bool) -> str:
    said = f"self-hosting wins only {where} tasks a month"
    if not others:
        return said
    return f"{said} and in {'many' if truncated else others} more stretches above, never for good"


def _interval(decided: Decided) -> list[str]:
    """What the ends of the interval change; nothing where they change nothing."""
    ends = decided.interval
    if ends is None or ends.verdict_at_low == ends.verdict_at_high == decided.verdict:
        return []
    low, high = _AT_AN_END[ends.verdict_at_low], _AT_AN_END[ends.verdict_at_high]
    return [f"at the low end of the goodput it {low}, at the high end it {high}"]


_AT_AN_END = {"yes": "wins from some volume on", "window": "wins only in some range", "never": "never wins"}
