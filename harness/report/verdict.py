"""The first screen: what stands in the way of trusting the run, and one sentence per API arm."""

from collections.abc import Iterable, Sequence
from datetime import date

from harness.base.rounding import amount, significant, tasks_words, volumes
from harness.base.units import HOURS_PER_MONTH
from harness.cost.breakeven.stretches import stretches
from harness.cost.breakeven.words import engineers
from harness.report.model import Check, Checks, Month, Tone, Verdict
from harness.report.money.doubt import resampling_words
from harness.report.money.money import always_on, arm_kind, at_volume_words, running_words
from harness.report.text import clean, count, per_task, price, rate, steps
from harness.rundir.decide import Decided
from harness.rundir.decision import Arm, Decision
from harness.rundir.result import Check as FoundCheck
from harness.rundir.results import Metrics

_MILLION, _CENT = 1_000_000, 0.01
_ORDER = {"error": 0, "warning": 1}


def gather_checks(metrics: Metrics, decision: Decision | None) -> Checks:
    """Every check of run, steps and decision, worst first; steps with the same finding in one entry."""
    items = list(findings((*metrics.checks, *(decision.checks if decision is not None else ()))).items)
    by_finding: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for step in metrics.steps:
        for check in step.checks:
            level, code, message, hint = _words(check)
            by_finding.setdefault((level, code, hint), []).append((step.step, message))
    items += [_of_steps(finding, said) for finding, said in by_finding.items()]
    return Checks(tuple(sorted(items, key=lambda check: _ORDER.get(check.level, 2))))


def findings(found: Iterable[FoundCheck]) -> Checks:
    """Checks of no step, worst first, each once."""
    items = [Check(*words) for words in dict.fromkeys(map(_words, found))]
    return Checks(tuple(sorted(items, key=lambda check: _ORDER.get(check.level, 2))))


def _words(check: FoundCheck) -> tuple[str, str, str, str]:
    """Level, code, message, hint, as text."""
    return check.level, clean(check.code), clean(check.message), clean(check.hint or "")


def _of_steps(finding: tuple[str, str, str], said: list[tuple[int, str]]) -> Check:
    level, code, hint = finding
    messages: dict[str, list[int]] = {}
    for step, message in said:
        messages.setdefault(message, []).append(step)
    (first, _), *others = messages.items()
    more = tuple(f"{steps(where)}: {message}" for message, where in others)
    return Check(level, code, first, hint, steps([step for step, _ in said]), more)


def notices(checks: Checks, *, is_partial: bool) -> tuple[Check, ...]:
    """What must be read before any number: checks of level error, and that a run was cut short."""
    out = [check for check in checks.items if check.level == "error"]
    if is_partial and not any(check.code == "partial" for check in out):
        out.append(
            Check(
                "partial",
                "partial",
                "the run stopped before its plan was done; what follows is what was measured until then",
                "run it again for the steps that are missing",
            )
        )
    return tuple(out)


_LONGEST_DOUBT = 120  # characters of a check's message in the headline


def headline(decision: Decision | None, doubts: Sequence[Check] = (), *, unpriced: str = "") -> str:
    """The whole answer in one line, for a reader who stops there.

    `doubts`: why it is none, the worst first; `unpriced`: why there is no decision.
    """
    doubt = _doubt(doubts) if doubts else ""
    warned = f"Do not decide on this run: {doubt}{'' if doubt.endswith('…') else '.'} " if doubts else ""
    if decision is None:
        return f"{warned}Measured, not priced: {unpriced}"
    decided = [arm for arm in decision.arms if arm.decided]
    open_ones = [arm for arm in decision.arms if not arm.decided]
    if not decided:
        return f"Not decided: {open_ones[0].why_not}"
    said = f"{warned}{_counted(decision, decided)}"
    if not open_ones:
        return said
    return f"{said}. Not decided against {len(open_ones)} of {count(len(decision.arms), 'API')}: {open_ones[0].why_not}"


def errors_of(stops: Sequence[Check]) -> tuple[Check, ...]:
    """Of what must be read first what forbids to decide."""
    return tuple(check for check in stops if check.level == "error")


def _doubt(doubts: Sequence[Check]) -> str:
    """The first one's own words, cut at a word, and how many more there are."""
    words = doubts[0].message
    if len(words) > _LONGEST_DOUBT:
        words = words[:_LONGEST_DOUBT].rsplit(" ", 1)[0].rstrip(",;:(") + " …"
    return words if len(doubts) == 1 else f"{words} (and {count(len(doubts) - 1, 'more check')} failed)"


def _counted(decision: Decision, arms: Sequence[Arm]) -> str:
    """What the arms that were decided on come to."""
    tasks, apis = decision.tasks_per_month, len(decision.arms)
    if arms[0].decision.capacity_tasks_per_month is None:
        why = decision.self_host.no_goodput
        return f"{why[0].upper()}{why[1:]}, so this box has no capacity to price"
    if tasks is None:
        return f"{_can_pay(decision, arms)}; no monthly volume was given"
    wins, bills = sum(_wins(arm.decision) for arm in arms), _bills(decision, arms)
    at = f"At your {tasks_words(tasks)} a month"
    if wins == apis:
        return f"{at} self-hosting is cheaper than {_all(apis)}{bills}"
    if not wins:
        whose = _all(apis) if len(arms) == apis else f"{len(arms)} of {count(apis, 'API')}"
        return f"{at} {whose} {'is' if len(arms) == 1 else 'are'} cheaper than self-hosting{bills}"
    return f"{at} self-hosting is cheaper than {wins} of {count(apis, 'API')}{bills}"


def _can_pay(decision: Decision, arms: Sequence[Arm]) -> str:
    """Against how many APIs, and where first; without a volume."""
    able = [arm for arm in arms if arm.decision.winning_windows]
    said = f"Self-hosting can pay against {len(able)} of {count(len(decision.arms), 'API')}"
    if not able:
        return said
    first = min(able, key=lambda arm: arm.decision.winning_windows[0][0])
    where = stretches(first.input.self_host, first.decision)[0].start
    at = "at any volume" if first.decision.winning_windows[0][0] == 0 else f"from {where} tasks a month"
    return f"{said}, the first {at} ({clean(first.name)}{_assumed_people(decision, ', with')})"


def _bills(decision: Decision, arms: Sequence[Arm]) -> str:
    """` (self-hosting USD 8,797, the APIs 60.00 to 2,460)`: what a month of each side comes to."""
    known = [arm.decision.at_volume for arm in arms if arm.decision.at_volume is not None]
    own = _from_to(at.self_usd for at in known if at.self_usd is not None)
    api = _from_to(at.api_usd for at in known)
    whom = _assumed_people(decision, " with")
    return f" (self-hosting USD {own}{whom}, the API{'s' * (len(known) > 1)} {api})" if own else ""


def _assumed_people(decision: Decision, joined: str) -> str:
    """` with an assumed half engineer`, where nobody said who operates the box."""
    people = decision.people
    return f"{joined} {engineers(people)}" if people is not None and people.assumed and people.usd_per_month else ""


def _from_to(amounts: Iterable[float]) -> str:
    """`24.00 to 2,460`, or the one amount that all have; empty of none."""
    said = list(dict.fromkeys(amount(one) for one in sorted(amounts)))
    return " to ".join(said[:: max(1, len(said) - 1)])


def _wins(decided: Decided) -> bool:
    """Whether self-hosting is the cheaper one at the reader's volume."""
    return decided.at_volume is not None and decided.at_volume.winner == "self_host"


def _all(n: int) -> str:
    return {1: "the API", 2: "both APIs"}.get(n, f"all {n} APIs")


def verdicts(decision: Decision | None) -> tuple[Verdict, ...]:
    """One per API arm, in the order of decision.json."""
    if decision is None:
        return ()
    return tuple(
        Verdict(
            arm=clean(arm.name),
            kind=arm_kind(arm),
            sentence=clean(arm.sentence),
            detail=" ".join(part for part in (clean(arm.assumes or ""), resampling_words(arm)) if part),
            outcome=_outcome(arm.decision) if arm.decided else "muted",
            assumes=clean(arm.assumes or ""),
            months=_months(decision, arm),
        )
        for arm in decision.arms
    )


def _months(decision: Decision, arm: Arm) -> tuple[Month, ...]:
    """A month of each side at the reader's volume; without one a month of the fewest boxes, and a million tasks."""
    own, decided, at = arm.input.self_host, arm.decision, arm.decision.at_volume
    if at is not None and at.self_usd is not None:
        each, winner = f"{per_task(decided.api_usd_per_task)} a task", at.winner if arm.decided else None
        box = Month(
            "self-hosting", f"USD {amount(at.self_usd)}", _made_of(decision, arm), is_cheaper=winner == "self_host"
        )
        return box, Month("the API", f"USD {amount(at.api_usd)}", each, is_cheaper=winner == "api")
    by_task = Month("the API", f"USD {amount(decided.api_usd_per_task * _MILLION)}", "a million tasks")
    if not always_on(own) or decided.capacity_tasks_per_month is None:
        return (by_task,)
    boxes = max(1, own.min_instances)
    month = boxes * own.usd_per_hour * HOURS_PER_MONTH + own.fixed_usd_per_month
    serves = f"serves up to {volumes(boxes * decided.capacity_tasks_per_month)[0]} tasks"
    box = Month("self-hosting", f"USD {amount(month)}", f"a month: {_made_of(decision, arm)}; {serves}")
    return box, by_task


def _made_of(decision: Decision, arm: Arm) -> str:
    """`65.15 for the box + 8,667 for an assumed half engineer`."""
    own, at, people = arm.input.self_host, arm.decision.at_volume, decision.people
    paid = 0.0 if people is None else people.usd_per_month
    if always_on(own):
        boxes = max(1, own.min_instances) if at is None or at.instances is None else at.instances
        of_them = "the box" if boxes == 1 else f"{boxes:,} boxes"
        parts = [f"{amount(boxes * own.usd_per_hour * HOURS_PER_MONTH)} for {of_them}"]
    else:
        parts = [f"the box, paid {running_words(own)}"]
    parts += [f"{amount(paid)} for {engineers(people)}"] if people is not None and paid else []
    other = own.fixed_usd_per_month - paid
    parts += [f"{amount(other)} for other fixed costs"] if other > _CENT else []
    unsolved = 0.0 if at is None else arm.input.beside_usd("self_host", at.tasks_per_month)
    parts += [f"{amount(unsolved)} for what stays unsolved"] if unsolved > _CENT else []
    return " + ".join(parts)


def demand_facts(decision: Decision | None) -> tuple[tuple[str, str], ...]:
    """What was priced, for the top of the page: the demand, what a task is, and whose time is in it."""
    if decision is None:
        return ()
    work, people = decision.arms[0].input.workload, decision.people
    given, _, out = work.mean_tokens()
    attempts = decision.arms[0].decision.attempts_per_task
    calls = f", {significant(attempts)} calls" if attempts > 1 else ""
    facts = [
        ("demand", f"{clean(decision.demand.get('name', ''))}, {at_volume_words(decision).removeprefix('at ')}"),
        ("a task", f"{significant(given)} tokens in, {significant(out)} out{calls}"),
    ]
    if people is not None:
        who = f"{engineers(people)}, USD {amount(people.usd_per_month)} a month"
        facts.append(("people for the box", who if people.usd_per_month else "none counted"))
    return (*facts, ("prices", _price_words(decision)))


def _price_words(decision: Decision) -> str:
    """`box USD 5.672 an hour on demand, listed 2026-07-20; APIs listed 2026-06-02 to 2026-07-20`."""
    box, apis = decision.self_host.instance, [arm.price for arm in decision.arms]
    bought = clean(box.purchase).replace("_", " ")
    own = f"box USD {price(box.usd_per_hour)} an hour {bought}, {_dated(box.kind, [box.checked_on])}"
    kinds = list(dict.fromkeys(one.kind for one in apis))
    said = [_dated(kind, [one.checked_on for one in apis if one.kind == kind]) for kind in kinds]
    return f"{own}; {'API' if len(apis) == 1 else 'APIs'} {', '.join(said)}"


def _dated(kind: str, days: Sequence[date | None]) -> str:
    """`listed 2026-06-02 to 2026-07-20`: the first and the last day somebody looked."""
    known = sorted({day.isoformat() for day in days if day is not None})
    return " ".join([kind, " to ".join(known[:: max(1, len(known) - 1)]) or "on an unknown day"])


def verdict_note(decision: Decision | None) -> str:
    """Said once, not in every sentence: what was taken as a box, and that the goodput's interval changes no verdict."""
    if decision is None:
        return ""
    decided = [arm.decision for arm in decision.arms]
    rented = decision.self_host.instance
    said = [_box_words(decision)] if rented.taken_as else []
    if rented.gpus_idle and rented.unpriced is None:
        said.append(f"{rented.gpus_idle}, paid for as asked for")
    if all(one.verdict is not None and _is_sure(one) for one in decided):
        whose = "The verdict is" if len(decided) == 1 else f"{'Both' if len(decided) == 2 else 'All'} verdicts are"
        said.append(f"{whose} the same at both ends of the {decision.self_host.origin} goodput")
    return ". ".join(said)


def _box_words(decision: Decision) -> str:
    """`4 URLs taken as one box, as asked for: one instance serves 12.0 req/s`."""
    goodput = decision.self_host.goodput
    serves = "" if goodput is None else f": one instance serves {rate(goodput.requests_per_s)}"
    return f"{decision.self_host.instance.taken_as}, as asked for{serves}"


def _is_sure(decided: Decided) -> bool:
    ends = decided.interval
    return ends is not None and ends.verdict_at_low == ends.verdict_at_high == decided.verdict


def _outcome(decided: Decided) -> Tone:
    if _wins(decided):
        return "good"
    return "bad" if decided.verdict == "never" else "warn"
