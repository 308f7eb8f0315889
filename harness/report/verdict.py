"""The first screen: what stands in the way of trusting the run, and one sentence per API arm."""

from collections.abc import Iterable, Sequence

from harness.base.rounding import exact_volume
from harness.report.model import Check, Checks, Tone, Verdict
from harness.report.money.doubt import draws_note, resampling_words
from harness.report.money.money import arm_kind
from harness.report.text import clean, count, rate, steps
from harness.rundir.decide import Decided
from harness.rundir.decision import Arm, Decision
from harness.rundir.result import Check as FoundCheck
from harness.rundir.results import Metrics

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


def headline(decision: Decision | None, *, trusted: bool) -> str:
    """The whole answer in one line, for a reader who stops there."""
    if decision is None:
        return "Measured, not priced: no API arm was given to compare with"
    decided = [arm for arm in decision.arms if arm.decided]
    open_ones = [arm for arm in decision.arms if not arm.decided]
    if not decided:
        return f"Not decided: {open_ones[0].why_not}"
    said = _counted(decision, decided)
    said = said if trusted else f"Do not decide on this run. {said}, but a check of level error failed"
    if not open_ones:
        return said
    return f"{said}. Not decided against {len(open_ones)} of {count(len(decision.arms), 'API')}: {open_ones[0].why_not}"


def _counted(decision: Decision, arms: Sequence[Arm]) -> str:
    """What the arms that were decided on come to."""
    tasks, apis = decision.tasks_per_month, len(decision.arms)
    if arms[0].decision.capacity_tasks_per_month is None:
        why = decision.self_host.no_goodput
        return f"{why[0].upper()}{why[1:]}, so this box has no capacity to price"
    if tasks is None:
        able = sum(arm.decision.verdict != "never" for arm in arms)
        return f"Self-hosting can pay against {able} of {count(apis, 'API')}; no monthly volume was given"
    wins = sum(_wins(arm.decision) for arm in arms)
    at = f"At {exact_volume(tasks)} tasks a month"
    if wins == apis:
        return f"{at} self-hosting is cheaper than {_all(apis)}"
    if not wins:
        whose = _all(apis) if len(arms) == apis else f"{len(arms)} of {count(apis, 'API')}"
        return f"{at} {whose} {'is' if len(arms) == 1 else 'are'} cheaper than self-hosting"
    return f"{at} self-hosting is cheaper than {wins} of {count(apis, 'API')}"


def _wins(decided: Decided) -> bool:
    """Whether self-hosting is the cheaper one at the reader's volume."""
    return decided.at_volume is not None and decided.at_volume.winner == "self_host"


def _all(n: int) -> str:
    return {1: "the API", 2: "both APIs"}.get(n, f"all {n} APIs")


def verdicts(decision: Decision | None) -> tuple[Verdict, ...]:
    """One per API arm, in the order of decision.json."""
    return tuple(
        Verdict(
            arm=clean(arm.name),
            kind=arm_kind(arm),
            sentence=clean(arm.sentence),
            detail=" ".join(part for part in (clean(arm.assumes or ""), resampling_words(arm)) if part),
            outcome=_outcome(arm.decision),
            assumes=clean(arm.assumes or ""),
        )
        for arm in (decision.arms if decision is not None else ())
    )


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
    said += [note] if (note := draws_note(decision.arms)) else []
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
