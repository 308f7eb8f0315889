"""The first screen: what stands in the way of trusting the run, and one sentence per API arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.base.units import HOURS_PER_MONTH
from harness.report.charts.curves import tasks_of
from harness.report.model import Check, Checks, Tone, Verdict
from harness.report.money.doubt import resampling_words
from harness.report.money.money import arm_kind
from harness.report.text import clean, count, number, span, steps, usd, volume, whole
from harness.rundir.results import Check as FoundCheck
from harness.rundir.results import Metrics

_ORDER = {"error": 0, "warning": 1}


def gather_checks(metrics: Metrics, decision: Mapping[str, Any] | None) -> Checks:
    """Every check of run, steps and decision, worst first; steps with the same finding in one entry."""
    of_decision = [FoundCheck.model_validate(check) for check in (decision or {}).get("checks") or []]
    found = dict.fromkeys(_words(check) for check in (*metrics.checks, *of_decision))
    items = [Check(level, code, message, hint) for level, code, message, hint in found]
    by_finding: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for step in metrics.steps:
        for check in step.checks:
            level, code, message, hint = _words(check)
            by_finding.setdefault((level, code, hint), []).append((step.step, message))
    items += [_of_steps(finding, said) for finding, said in by_finding.items()]
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


def notices(run: Mapping[str, Any], checks: Checks) -> tuple[Check, ...]:
    """What must be read before any number: checks of level error, and that a run was cut short."""
    out = [check for check in checks.items if check.level == "error"]
    if run.get("partial") and not any(check.code == "partial" for check in out):
        out.append(
            Check(
                "partial",
                "partial",
                "the run stopped before its plan was done; what follows is what was measured until then",
                "run it again for the steps that are missing",
            )
        )
    return tuple(out)


def headline(decision: Mapping[str, Any] | None, *, trusted: bool) -> str:
    """The whole answer in one line, for a reader who stops there."""
    arms = (decision or {}).get("arms") or []
    if not arms:
        return "Measured, not priced: no API arm was given to compare with"
    if all((arm.get("decision") or {}).get("capacity_tasks_per_month") is None for arm in arms):
        said = "No load step met the SLO, so this box has no capacity to price"
    else:
        said = _counted(arms, tasks_of(decision))
    return said if trusted else f"Do not decide on this run. {said}, but a check of level error failed"


def _counted(arms: Sequence[Mapping[str, Any]], tasks: float | None) -> str:
    if tasks is None:
        able = sum((arm.get("decision") or {}).get("verdict") in {"yes", "window"} for arm in arms)
        return (
            f"Self-hosting can pay against {able} of {count(len(arms), 'API')}; no monthly volume was given"
        )
    wins = [((arm.get("decision") or {}).get("at_volume") or {}).get("winner") == "self_host" for arm in arms]
    at = f"At {volume(tasks)} tasks a month"
    if all(wins):
        return f"{at} self-hosting is cheaper than {_all(len(arms))}"
    if not any(wins):
        return f"{at} {_all(len(arms))} {'is' if len(arms) == 1 else 'are'} cheaper than self-hosting"
    return f"{at} self-hosting is cheaper than {sum(wins)} of {count(len(arms), 'API')}"


def _all(n: int) -> str:
    return {1: "the API", 2: "both APIs"}.get(n, f"all {n} APIs")


def verdicts(decision: Mapping[str, Any] | None) -> tuple[Verdict, ...]:
    """One per API arm, in the order of decision.json."""
    return tuple(
        Verdict(
            arm=clean(arm.get("name") or "unnamed"),
            kind=arm_kind(arm),
            sentence=clean(arm["sentence"]) if arm.get("sentence") else sentence(arm),
            detail=resampling_words(arm),
            outcome=_outcome(arm.get("decision") or {}),
        )
        for arm in (decision or {}).get("arms") or []
    )


def verdict_note(decision: Mapping[str, Any] | None) -> str:
    """Said once, not in every sentence: that the interval of the goodput changes no verdict; else empty."""
    decided = [arm.get("decision") or {} for arm in (decision or {}).get("arms") or []]
    for one in decided:
        ends = one.get("interval") or {}
        if {ends.get("verdict_at_low"), ends.get("verdict_at_high")} != {one.get("verdict")}:
            return ""
    if not decided:
        return ""
    whose = (
        "The verdict is" if len(decided) == 1 else f"{'Both' if len(decided) == 2 else 'All'} verdicts are"
    )
    return f"{whose} the same at both ends of the measured goodput"


def _outcome(decided: Mapping[str, Any]) -> Tone:
    if (decided.get("at_volume") or {}).get("winner") == "self_host":
        return "good"
    return "bad" if decided.get("verdict") == "never" or not decided.get("verdict") else "warn"


def sentence(arm: Mapping[str, Any]) -> str:
    """The verdict in words, for a decision.json that carries none."""
    decided = arm.get("decision") or {}
    if not decided:
        return "no verdict: nothing was decided for this arm."
    if decided.get("capacity_tasks_per_month") is None:
        return "never on this evidence: no load step met the SLO, so there is no goodput to price."
    parts = [_at_volume(decided.get("at_volume"))]
    parts.append(_never(arm) if decided.get("verdict") == "never" else _windows(decided))
    said = "; ".join(part for part in parts if part) + "."
    return said[0].upper() + said[1:]


def _at_volume(at: Mapping[str, Any] | None) -> str:
    own, api = number((at or {}).get("self_usd")), number((at or {}).get("api_usd"))
    if not at or own is None or api is None:
        return ""
    winner = "self-hosting" if at.get("winner") == "self_host" else "the API"
    tasks = whole(at.get("tasks_per_month"))
    return f"at your {tasks} tasks a month {winner} wins by {usd(abs(own - api))} a month"


def _never(arm: Mapping[str, Any]) -> str:
    decided, given = arm["decision"], (arm.get("input") or {}).get("self_host") or {}
    task, capacity = number(decided.get("api_usd_per_task")), number(decided.get("capacity_tasks_per_month"))
    hour = number(given.get("usd_per_hour"))
    if task is None or capacity is None or hour is None:
        return "self-hosting never wins"
    saved, cost = task * capacity, hour * HOURS_PER_MONTH
    return f"self-hosting never wins: one full instance saves {usd(saved)} a month and costs {usd(cost)}"


def _windows(decided: Mapping[str, Any]) -> str:
    windows = decided.get("winning_windows") or []
    if not windows:
        return "self-hosting never wins"
    shown = ["always" if high is None and low <= 0 else _window(low, high) for low, high in windows[:3]]
    more = len(windows) - len(shown)
    tail = f" and in {count(more, 'further window')}" if more > 0 else ""
    return f"self-hosting wins {', '.join(shown)}{tail}"


def _window(low: float, high: float | None) -> str:
    return f"from {volume(low)} for good" if high is None else f"from {span(low, high)}"
