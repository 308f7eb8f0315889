"""The report's tables of money: needed goodput, cost at several volumes, tokens, and the console's one table."""

from collections.abc import Callable

from harness.base.rounding import NA, amount, exact_volume, significant, tasks_words, volume, volumes, whole
from harness.base.units import HOURS_PER_MONTH
from harness.cost.breakeven.decision import comes_and_goes, is_metered
from harness.cost.breakeven.exact import is_tie
from harness.cost.breakeven.staircase import Staircase
from harness.report.charts.cost import stairs_of
from harness.report.model import Cell, Field, Table, table_of, with_spares
from harness.report.text import ROLES, clean, interval, per_task, percent, price
from harness.rundir.arm_price import Day
from harness.rundir.decide import AtVolume, Decided, SelfHost
from harness.rundir.decision import Arm, BoxInstance, Decision, MtokAtStep
from harness.rundir.results import Goodput, step_number

_VOLUMES_SHOWN = 12


def arm_cell(arm: Arm) -> Cell:
    """An arm's name with its role beneath, and why it stands in for another where it does."""
    return Cell(clean(arm.name), note=arm_kind(arm))


def arm_kind(arm: Arm) -> str:
    """What an arm is, in words: its label (a stand-in says for what it stands in), else its role."""
    return clean(arm.label) or ROLES[arm.role]


def at_volume_words(decision: Decision) -> str:
    """`at 400,000 tasks a month`, or that nobody said how many."""
    tasks = decision.tasks_per_month
    return "no monthly volume was given" if tasks is None else f"at {tasks_words(tasks)} a month"


def wins_from(decided: Decided) -> str:
    """The volume from which self-hosting wins; `never` where there is none."""
    windows = decided.winning_windows
    return volume(windows[0][0]) if windows else _nowhere(decided)


def wins_for_good_from(decided: Decided) -> str:
    """The volume from which it wins at every larger one."""
    good = decided.permanent_win_tasks_per_month
    return _nowhere(decided) if good is None else volume(good)


def _nowhere(decided: Decided) -> str:
    return "never" if decided.verdict is not None else "not decided"


def needed_table(decision: Decision) -> Table:
    """Goodput measured beside the smallest goodput at which one full instance pays for itself."""
    goodput = decision.self_host.goodput
    measured, origin = None if goodput is None else goodput.requests_per_s, decision.self_host.origin

    def times(arm: Arm) -> str:
        needed = arm.decision.min_goodput_requests_per_s
        return f"{significant(measured / needed)}×" if measured is not None and needed else NA

    return table_of(
        f"Goodput of one instance: {origin}, and needed before a full instance pays for itself",
        decision.arms,
        ("API arm", None, arm_cell),
        ("needed", "req/s", lambda arm: _needed(arm.decision.min_goodput_requests_per_s)),
        (origin, "req/s", lambda _: Cell(significant(measured), note=_measured_note(decision))),
        (f"{origin} ÷ needed", "", times),
        ("a full instance pays", None, lambda arm: _pays(arm.decision.min_goodput_requests_per_s, goodput)),
        notes=("Needed counts the instance's own cost only: fixed costs (people) move the volume, not this.",),
    )


def _needed(needed: float | None) -> Cell:
    return Cell(significant(needed), note="" if needed is not None else "a further task costs too little there")


def _measured_note(decision: Decision) -> str:
    goodput = decision.self_host.goodput
    if goodput is None:
        return decision.self_host.no_goodput
    if decision.self_host.given is not None:
        return interval(goodput.low, goodput.high, "no interval given")
    at = f" at {percent(goodput.confidence)}" if goodput.low is not None else ""
    return interval(goodput.low, goodput.high) + at


def _pays(needed: float | None, goodput: Goodput | None) -> Cell:
    if goodput is None or goodput.requests_per_s is None:
        return Cell("no answer: no goodput", tone="bad")
    if needed is None:
        return Cell("never: a further task costs too little at the API", tone="bad")
    low, high = goodput.low, goodput.high
    if goodput.at_least and goodput.requests_per_s < needed:
        return Cell("cannot tell: the box was not filled", tone="warn")
    if low is not None and high is not None and low < needed <= high:
        return Cell("cannot tell: the interval holds the needed value", tone="warn")
    sure = "" if low is not None and high is not None else " (no interval)"
    pays = goodput.requests_per_s >= needed
    return Cell(f"{'yes' if pays else 'no'}{sure}", tone="good" if pays else "bad")


def volume_table(decision: Decision) -> Table | None:
    """The chart's numbers: what a month costs at the volumes where something changes."""
    found = _volumes(decision)
    if not found:
        return None
    arms, own = [stairs_of(arm) for arm in decision.arms], decision.tasks_per_month
    box = arms[0] if arms[0].capacity is not None else None

    def mine(tasks: float) -> float | None:
        return None if box is None else box.self_usd_at(tasks)

    def against(stairs: Staircase) -> Callable[[tuple[float, str]], Cell]:
        return lambda row: _against(stairs.api_usd(row[0]), mine(row[0]))

    return table_of(
        "What a month costs at the volumes where something changes",
        zip(found, volumes(*found), strict=True),
        ("tasks a month", "", lambda row: exact_volume(row[0]) if row[0] == own else row[1]),
        ("what is there", None, lambda row: "; ".join(dict.fromkeys(found[row[0]]))),
        ("instances", "", lambda row: NA if box is None else whole(box.instances(row[0]))),
        ("self-host", "USD a month", lambda row: amount(mine(row[0]))),
        *((clean(arm.name), "USD a month", against(stairs)) for arm, stairs in zip(decision.arms, arms, strict=True)),
        notes=("Beneath an API's price: what self-hosting saves or loses against it.",),
        strong=lambda row: row[0] == own,
    )


def _against(cost: float, mine: float | None) -> Cell:
    if mine is None:
        return Cell(amount(cost))
    if is_tie(cost, mine):
        return Cell(amount(cost), note="both cost the same", tone="good")
    wins = cost > mine
    return Cell(
        amount(cost),
        note=f"self-host {'saves' if wins else 'loses'} {amount(abs(cost - mine))}",
        tone="good" if wins else "",
    )


def _volumes(decision: Decision) -> dict[float, list[str]]:
    """Volumes worth a row, each with why: the reader's own, a full instance, where wins begin or end."""
    found: dict[float, list[str]] = {}
    own = decision.tasks_per_month
    if own is not None:
        found.setdefault(own, []).append("your volume")
    for arm in decision.arms:
        stairs = stairs_of(arm)
        if stairs.full is not None:
            found.setdefault(stairs.full, []).append(_full(stairs))
        for low, high in arm.decision.winning_windows[:4]:
            found.setdefault(low, []).append(f"wins against {clean(arm.name)}")
            if high is not None:
                found.setdefault(high, []).append(f"last win against {clean(arm.name)}")
    kept = sorted(found.items())[:_VOLUMES_SHOWN]
    return {tasks: why for tasks, why in kept if tasks > 0 or tasks == own}


def _full(stairs: Staircase) -> str:
    fewest = max(1, stairs.min_instances)
    return "one instance full" if fewest == 1 else f"{fewest} instances full"


def always_on(own: SelfHost) -> bool:
    """Whether every instance is paid for the whole month."""
    return not comes_and_goes(own) and not is_metered(own)


def running_words(own: SelfHost) -> str:
    """How a box is paid that is not paid for the whole month."""
    return "by the second of each call" if is_metered(own) else "for the hours with arrivals"


def instance_words(instance: BoxInstance) -> str:
    """`aws us-east-1, 4 × A10G (22.35 GiB each), on demand`."""
    memory = instance.gpu_memory_gib
    each = f" ({price(memory)} GiB each)" if memory is not None else ""
    if instance.gpu and instance.gpu_count:
        hardware = f"{whole(instance.gpu_count)} × {clean(instance.gpu)}{each}"
    else:
        hardware = "no GPU" if instance.gpu_count == 0 else ""
    place = " ".join(clean(part) for part in (instance.provider, instance.region) if part)
    return ", ".join(part for part in (place, hardware, clean(instance.purchase).replace("_", " ")) if part)


def source_words(source: str, version: str | None, checked_on: Day) -> str:
    """Where a price was listed, and on a second line when that was looked up."""
    said = f"{clean(source)} {clean(version)}" if version else clean(source)
    return f"{said}\n{checked_words(checked_on) or 'date unknown'}"


def checked_words(checked_on: Day) -> str:
    """`checked 2026-07-20`, or nothing where nobody said."""
    return "" if checked_on is None else f"checked {checked_on.isoformat()}"


def _self_month(arm: Arm) -> str:
    """What the self-host month is made of: `, self = 2 x 65.15 + 8,667 fixed by the demand`."""
    at, own = arm.decision.at_volume, arm.input.self_host
    if at is None or at.self_usd is None:
        return ""
    unsolved_usd = arm.input.beside_usd("self_host", at.tasks_per_month)
    more = f" + {amount(own.fixed_usd_per_month)} fixed by the demand" if own.fixed_usd_per_month else ""
    more += f" + {amount(unsolved_usd)} for what stays unsolved" if unsolved_usd else ""
    if always_on(own):
        return f", self = {at.instances} x {amount(own.usd_per_hour * HOURS_PER_MONTH)}{more}"
    return f", self = {amount(at.self_usd - own.fixed_usd_per_month - unsolved_usd)} {running_words(own)}{more}"


_ConsoleRow = tuple[Arm, Decided, AtVolume | None]
_CONSOLE_MONTHS: tuple[Field[_ConsoleRow], ...] = (
    ("API/month", "", lambda row: amount(row[2].api_usd if row[2] else None)),
    ("self/month", "", lambda row: amount(row[2].self_usd if row[2] else None)),
)
_CONSOLE_STRUCK: tuple[Field[_ConsoleRow], ...] = (
    ("no people", "", lambda row: wins_from(row[0].decision_without_people)),
)


def console_arms_table(decision: Decision) -> Table:
    """The console's table of arms; a narrow one leaves out what all have in common."""
    goodput = decision.self_host.goodput
    measured = significant(None if goodput is None else goodput.requests_per_s)
    people = decision.people is not None and decision.people.usd_per_month
    table = table_of(
        f"USD, {at_volume_words(decision)}{_self_month(decision.arms[0])};"
        " goodput in req/s of one instance; wins: self-hosting",
        [(arm, arm.decision, arm.decision.at_volume) for arm in decision.arms],
        ("API arm", None, lambda row: clean(row[0].name)),
        ("USD/task", "", lambda row: per_task(row[1].api_usd_per_task)),
        *(_CONSOLE_MONTHS if decision.tasks_per_month is not None else ()),
        ("needed", "", lambda row: significant(row[1].min_goodput_requests_per_s)),
        (decision.self_host.origin, "", lambda _: measured),
        ("wins from", "", lambda row: wins_from(row[1])),
        *(_CONSOLE_STRUCK if decision.tasks_per_month is None and people else ()),
    )
    return with_spares(table, {decision.self_host.origin: 1})


def per_mtok_table(decision: Decision) -> Table | None:
    """USD per million tokens at the SLO and at the peak, in the conventions people use."""
    rates, given = decision.self_host.usd_per_mtok, decision.self_host.given is not None
    if rates.at_slo is None and rates.at_peak is None:
        return None
    rows = [("at the goodput given" if given else "at the SLO", rates.at_slo, decision.self_host.no_goodput)]
    rows += [] if given else [("at the peak, SLO ignored", rates.at_peak, "not measured")]

    def told(show: Callable[[MtokAtStep], str]) -> Callable[[_AtLoad], str]:
        return lambda row: NA if row[1] is None else show(row[1])

    return table_of(
        f"USD per million tokens of one instance kept busy {'with such requests' if given else 'at that step'}",
        rows,
        ("load", None, lambda row: Cell(row[0], note="" if row[1] else row[2])),
        ("step", "", told(lambda at: _step(at.step))),
        ("input", "tok/s", told(lambda at: significant(at.input_tokens_per_s))),
        ("output", "tok/s", told(lambda at: significant(at.output_tokens_per_s))),
        ("all on output", "USD per Mtok out", told(lambda at: significant(at.output_only, 4))),
        ("spread over all", "USD per Mtok in + out", told(lambda at: significant(at.total, 4))),
        notes=(
            "How an hour is split over input and output tokens is a convention. Both columns carry the whole "
            "hour: never add them up. The verdict uses neither; it compares the cost of the same task.",
        ),
    )


_AtLoad = tuple[str, MtokAtStep | None, str]  # load, its figures, or why there are none


def splits_table(decision: Decision) -> Table | None:
    """One hour's price shared out over input and output tokens, in each convention."""
    splits = decision.self_host.splits
    if splits is None:
        return None
    return table_of(
        f"The same hour split over input and output, at {_at_step(splits.step)}",
        splits.conventions,
        ("convention", None, lambda row: clean(row.label)),
        ("input", "USD per Mtok", lambda row: _or_free(row.input_usd_per_mtok)),
        ("output", "USD per Mtok", lambda row: _or_free(row.output_usd_per_mtok)),
        notes=("In each convention input and output together cost exactly the hour.",),
    )


def _step(step: int | None) -> str:
    return NA if step is None else str(step_number(step))


def _at_step(step: int | None) -> str:
    return "the goodput given" if step is None else f"step {step_number(step)}"


def _or_free(usd: float) -> str:
    return "0 by convention" if usd == 0 else significant(usd, 4)
