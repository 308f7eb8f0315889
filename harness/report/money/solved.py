"""What a task costs that really got done, on each side: as both were measured, or by the demand's one failure rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.base.rounding import NA, significant, usd, whole
from harness.base.shares import Paired
from harness.cost.breakeven.success import AT_VOLUME, KEPT_BUSY, OF_TERMS, cheapest_by_failure
from harness.report.measured.steps import percentile_cell
from harness.report.model import Block, Cell, Table, Text, table_of
from harness.report.money.bill import plain_success_table
from harness.report.text import clean, duration, per_task, percent, price
from harness.rundir.decision import Arm, Decision
from harness.rundir.of_step import Summary
from harness.rundir.success import SuccessCost, TriesOfSide

_NO_SIDE = "no goodput, so no price of a call"


class _Side(NamedTuple):
    name: str
    tries: TriesOfSide
    cost: SuccessCost | None


def solved_blocks(decision: Decision) -> tuple[Block, ...]:
    """The table of all sides, and what a failure may cost; nothing where every task is taken as solved at once."""
    sides = _sides(decision)
    if not sides:
        known = [arm.success for arm in decision.arms]
        at_once = all(one.attempts_per_task == one.solved_share == 1 for one in known)
        return () if at_once else (plain_success_table(decision),)
    own, cheapest = _own_table(sides), _cheapest(sides)
    tables = [table for table in (_table(decision, sides), own, cheapest) if table is not None]
    return (*tables, *_judging(sides), *_differences(decision.arms), *_flips(decision.arms))


def _sides(decision: Decision) -> list[_Side]:
    found = [
        _Side(clean(arm.name), arm.success.api_tries, arm.success.api)
        for arm in decision.arms
        if arm.success.api_tries is not None
    ]
    own = decision.arms[0].success
    return [*found, _Side("self-host", own.self_tries, own.self_host)] if found and own.self_tries is not None else []


def _table(decision: Decision, sides: Sequence[_Side]) -> Table:
    human = decision.arms[0].success.human_usd_per_task
    where = KEPT_BUSY if decision.tasks_per_month is None else AT_VOLUME
    people = (
        f"A person takes over what stays unsolved, for {price(human)} USD a task (assumed)."
        if human is not None
        else "Nobody takes over what stays unsolved: `human_usd_per_task` (of the demand, or of the scenario's "
        "prompts) says what a person takes for it. Until then the verdict compares solved tasks."
    )
    assumed = any(side.tries.kind == "assumed" for side in sides)
    return table_of(
        f"Cost of a successful task; the box's {where}",
        sides,
        ("arm", None, lambda side: Cell(side.name, note=_origin(side.tries))),
        ("solved", "share of tasks", lambda side: _solved(side.tries)),
        ("requests", "a task", lambda side: _assumed(significant(side.tries.attempts_per_task), side.tries)),
        ("per successful task", "USD, model only", lambda side: _usd(side.cost, lambda c: c.usd_per_solved_task)),
        ("per task", "USD, with people", lambda side: _usd(side.cost, lambda c: c.usd_per_task)),
        ("of it people", "USD", lambda side: _usd(side.cost, lambda c: c.people_usd_per_task)),
        ("of it failed attempts", "USD", lambda side: _failed(side)),
        notes=(people, *((_ASSUMED,) if assumed else ())),
    )


_ASSUMED = (
    "Assumed: that API was not asked these tasks, so its success and attempts are taken as equal to the box's, which "
    "is no measurement. `breakeven report RUN --against API_RUN` puts what it really does in their place."
)


def _origin(tries: TriesOfSide) -> str:
    return f"{tries.kind}: {clean(tries.source)}" if tries.kind == "measured" else clean(tries.source)


def _assumed(text: str, tries: TriesOfSide) -> Cell:
    is_measured = tries.kind == "measured"
    return Cell(text, note="" if is_measured else "assumed", tone="" if is_measured else "muted")


def _solved(tries: TriesOfSide) -> Cell:
    if tries.kind != "measured" or tries.low is None:
        return _assumed(percent(tries.solved_share), tries)
    return Cell(
        percent(tries.solved_share), note=f"{percent(tries.low)} to {percent(tries.high)} of {whole(tries.tasks)}"
    )


def _usd(cost: SuccessCost | None, of: Callable[[SuccessCost], float | None]) -> Cell:
    if cost is None:
        return Cell(NA, note=_NO_SIDE, tone="muted")
    value = of(cost)
    return Cell("none was solved", tone="bad") if value is None else Cell(per_task(value))


def _failed(side: _Side) -> Cell:
    value = side.tries.failed_usd_per_task
    if value is None:
        return Cell(NA, note="not measured" if side.tries.kind == "assumed" else "", tone="muted")
    return Cell(per_task(value))


def _cheapest(sides: Sequence[_Side]) -> Table | None:
    """Who costs least a task, by what a failure costs; of those of which it is known how many they solve."""
    known = [
        (side.name, side.cost.usd_per_task - side.cost.people_usd_per_task, side.tries.solved_share)
        for side in sides
        if side.cost is not None and _is_told(side.tries)
    ]
    if len(known) < 2:
        return None
    found = cheapest_by_failure(known)
    return table_of(
        "Who costs least a task, by what a failure costs",
        found,
        ("a failure costs", None, lambda row: "nothing" if not row[0] else f"more than {usd(row[0])}"),
        ("cheapest", None, lambda row: row[1]),
        notes=("A failure: what a person takes for a task that stays unsolved. Sides assumed equal are left out.",),
    )


def _is_told(tries: TriesOfSide) -> bool:
    return tries.kind == "measured" or tries.source.startswith(OF_TERMS)


def _own_table(sides: Sequence[_Side]) -> Table | None:
    """What was measured of each side that was asked the tasks: its own tokens, time and first tokens."""
    measured = [side for side in sides if side.tries.tasks is not None]
    if not measured:
        return None
    return table_of(
        "The same tasks, each side in its own tokens; times of a task are of all its attempts",
        measured,
        ("arm", None, lambda side: side.name),
        ("input", "tokens a task", lambda side: significant(side.tries.input_tokens_per_task)),
        ("of it cached", "tokens", lambda side: significant(side.tries.cached_tokens_per_task)),
        ("output", "tokens a task", lambda side: significant(side.tries.output_tokens_per_task)),
        ("time p50", "of a task", lambda side: _time(side.tries.latency_s, "p50")),
        ("time p95", "of a task", lambda side: _time(side.tries.latency_s, "p95")),
        ("TTFT p50", "of round 1", lambda side: _time(side.tries.ttft_s, "p50")),
        ("TTFT p95", "of round 1", lambda side: _time(side.tries.ttft_s, "p95")),
    )


def _time(stats: Summary | None, name: str) -> Cell:
    return Cell(NA, tone="muted") if stats is None else percentile_cell(stats, name, duration)


LEAST_CHANCE = 0.001  # below it one is as sure as another


def difference_words(found: Paired, one: str, other: str) -> str:
    """`A solves 12 % more of the tasks than B (3 % to 21 %), more than chance (...)`, with the test that says so."""
    if not found.n:
        return f"no task was judged both of {one} and of {other}"
    chance = "p < 0.001" if found.chance < LEAST_CHANCE else f"p = {significant(found.chance, 2)}"
    return (
        f"{short_difference(found, one, other)} (of {whole(found.n)} tasks {one} alone solved {whole(found.only_one)}, "
        f"{other} alone {whole(found.only_other)}; McNemar's exact test on these pairs: {chance})"
    )


def short_difference(found: Paired, one: str, other: str) -> str:
    """`A solves 12 % more of the tasks than B (3 % to 21 %), more than chance`; some were judged of both."""
    span = found.difference
    if span is None or span.value == 0:
        return f"{one} and {other} solve as many of the tasks"
    more = "more" if span.value > 0 else "fewer"
    ends = sorted((abs(span.low), abs(span.high))) if span.low * span.high > 0 else None
    between = "" if ends is None else f" ({percent(ends[0])} to {percent(ends[1])})"
    sure = "more than chance" if found.differ else "not more than chance"
    return f"{one} solves {percent(abs(span.value))} {more} of the tasks than {other}{between}, {sure}"


def _judging(sides: Sequence[_Side]) -> list[Text]:
    return [
        Text(f"The model that judged took USD {per_task(usd_)} a task, which is in no side's price.")
        for side in sides
        if (usd_ := side.tries.judging_usd_per_task) is not None
    ]


def _differences(arms: Sequence[Arm]) -> list[Text]:
    told = []
    for arm in arms:
        found = arm.success.difference
        if found is not None:
            pairs = Paired(found.both, found.only_api, found.only_self_host, found.neither)
            said = difference_words(pairs, clean(arm.name), "the box")
            told.append(Text(f"{said}.", "" if found.differs else "warn"))
    return told


def _flips(arms: Sequence[Arm]) -> list[Text]:
    """What a failure may cost, of the arms that were measured or said; the others are equal by assumption."""
    told = []
    for arm in arms:
        found, tries = arm.success.indifference, arm.success.api_tries
        if found is not None and tries is not None and found.better is not None:
            said = f"{clean(arm.name)} against the box: {clean(found.words)}"
            ratio = arm.success.tokenizer_ratio
            counts = "" if ratio is None else f" It counts {significant(ratio)} tokens for one of ours (measured)."
            told.append(Text(f"{said}.{counts}"))
    return told
