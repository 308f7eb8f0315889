"""The verdict in plain words."""

from harness.base.rounding import amount, tasks_words, usd, volumes
from harness.cost.breakeven.decision import decide_parsed, staircase
from harness.cost.breakeven.exact import is_tie
from harness.cost.breakeven.stretches import Stretch, stretches
from harness.rundir.decide import AtVolume, Decided, DecideInput, SelfHost
from harness.rundir.decision import People


def sentence(
    given: DecideInput, decided: Decided, people: People | None = None, most_per_s: float | None = None
) -> str:
    """Both months and who wins at the reader's volume, and where self-hosting wins or why it never does.

    `people`: those within the box's fixed costs, who are named where they decide. `most_per_s`: without a goodput,
    what the box serves within the limits at most.
    """
    at = decided.at_volume
    if decided.capacity_tasks_per_month is None:
        return _infeasible(decided, at, most_per_s)
    counted = people if people is not None and people.usd_per_month > 0 else None
    said = "; ".join([_where(given, decided, counted), *_interval(decided)])
    if at is None:
        return f"{said[0].upper()}{said[1:]}."
    month = _at_volume(at, counted)
    return f"{month}; {said.replace('self-hosting', 'it', 1) if month.endswith('self-hosting wins') else said}."


def engineers(people: People) -> str:
    """`an assumed half engineer`, `2 engineers`, `0.3 of an engineer at an assumed USD 208,000 a year`."""
    pay, some = people.assumed_usd_per_year, people.assumed_pay_fte
    if people.assumed or people.fte is None or pay is None:
        return _whose_time(people)
    whose = "" if some is None else f", {some:g} of them"
    return f"{_whose_time(people)}{whose} at an assumed {usd(pay)} a year"


def _whose_time(people: People) -> str:
    if people.fte is None:
        return "assumed people" if people.assumed else "people"
    if people.fte > 1:
        return f"{people.fte:g} {'assumed ' if people.assumed else ''}engineers"
    name = _PARTS.get(people.fte)
    if name is None:
        return f"{people.fte:g} of an {'assumed ' if people.assumed else ''}engineer"
    return f"an assumed {name[0]}" if people.assumed else name[1]


_PARTS = {
    0.25: ("quarter engineer", "a quarter of an engineer"),
    0.5: ("half engineer", "half an engineer"),
    1.0: ("engineer", "one engineer"),
}
USUAL_PEAK_TO_MEAN = 2.5  # of a service that people use by day


def flat_traffic(given: DecideInput) -> str:
    """What a month without a peak takes for granted, and where self-hosting wins at a usual one."""
    peaked = given.workload.model_copy(update={"peak_to_mean": USUAL_PEAK_TO_MEAN})
    decided = decide_parsed(given.model_copy(update={"workload": peaked}))
    where = "never wins" if decided.verdict == "never" else _windows(given.self_host, decided, " tasks a month")
    return f"Assumes the same load every hour; at {USUAL_PEAK_TO_MEAN:g} x peak to mean self-hosting {where}."


def _infeasible(decided: Decided, at: AtVolume | None, most_per_s: float | None) -> str:
    needed = decided.min_goodput_requests_per_s
    why = "no load step met the latency limits, so the box has no capacity to price"
    if most_per_s is not None:
        why = f"the box serves at most {most_per_s:.3g} requests/s within the latency limits"
    more = f"; it would have to serve {needed:.3g} requests/s within them" if needed is not None else ""
    bill = (
        f", and at your {tasks_words(at.tasks_per_month)} a month the API costs {usd(at.api_usd)}"
        if at is not None
        else ""
    )
    return f"Self-hosting never wins on this evidence: {why}{more}{bill}."


def _at_volume(at: AtVolume, people: People | None) -> str:
    assert at.self_usd is not None
    assert at.instances is not None
    made_of = [f"{at.instances:,} instances"] if at.instances > 1 else []
    made_of += [f"{amount(people.usd_per_month)} of it {engineers(people)}"] if people is not None else []
    own = f"{usd(at.self_usd)} ({', '.join(made_of)})" if made_of else usd(at.self_usd)
    who = "self-hosting wins" if at.winner == "self_host" else "the API wins"
    if is_tie(at.api_usd, at.self_usd):
        who = "both cost the same"
    month = f"At your {tasks_words(at.tasks_per_month)} a month"
    return f"{month} self-hosting costs {own} and the API {amount(at.api_usd)}: {who}"


def _where(given: DecideInput, decided: Decided, people: People | None) -> str:
    """Where self-hosting wins; and without the people, where that changes it."""
    unit = " tasks a month" if decided.at_volume is None else ""
    never = decided.verdict == "never"
    said = _never(given) if never else f"self-hosting {_windows(given.self_host, decided, unit)}"
    if people is None:
        return said
    left = max(0.0, given.self_host.fixed_usd_per_month - people.usd_per_month)
    box = given.self_host.model_copy(update={"fixed_usd_per_month": left})
    struck = decide_parsed(given.model_copy(update={"self_host": box}))
    if struck.winning_windows == decided.winning_windows:
        return said
    whom = "without the people"
    if decided.at_volume is None:
        whom += f" ({engineers(people)}, {usd(people.usd_per_month)} a month)"
    where = _windows(box, struck, unit if never else "")
    if len(stretches(given.self_host, decided)) == len(stretches(box, struck)) == 1 and struck.verdict == "yes":
        return f"{said}, {whom} {where.removeprefix('wins ')}"
    return f"{said}; {whom} it {where}"


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


def _windows(box: SelfHost, decided: Decided, unit: str = "") -> str:
    """`wins from 2.76M tasks a month, loses again from 3.15M to 3.43M, and wins for good above that`."""
    first, *others = stretches(box, decided)
    if decided.permanent_win_tasks_per_month is None:
        return _bounded(first, len(others), unit, truncated=decided.windows_truncated)
    if not others:
        at_once = decided.first_win_tasks_per_month == 0
        return "wins at every volume" if at_once else f"wins from {first.start}{unit} on"
    good, gaps = others[-1].start, "many" if decided.windows_truncated else str(len(others))
    if first.is_point:
        more = "" if len(others) == 1 else " and in more stretches above"
        return f"may win at {first.start}{unit}{more}, and wins for good from {good}"
    start = f"wins from {first.start}{unit}, loses again"
    if gaps == "1":
        return f"{start} from {first.high} to {good}, and wins for good above that"
    return f"{start} in {gaps} stretches from {first.high} on, and wins for good from {good}"


def _bounded(first: Stretch, others: int, unit: str, *, truncated: bool) -> str:
    said = f"may win at {first.start}{unit} only" if first.is_point else f"wins only {first.words}{unit}"
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
