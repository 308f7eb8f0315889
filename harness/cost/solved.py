"""What a solved task costs on each side where both have tries of their own, and what a failure may cost."""

from __future__ import annotations

from harness.base.rounding import amount, usd
from harness.base.shares import Span
from harness.base.units import SECONDS_PER_HOUR
from harness.cost.box.box import PricedBox
from harness.cost.breakeven.decision import box_calls, call_usd, usd_per_attempt
from harness.cost.breakeven.success import indifferent_human_usd
from harness.cost.tries import Both, Tries, tokenizer_ratio
from harness.rundir.decide import Api, Decided, DecideInput, Side
from harness.rundir.success import Indifference, Success, SuccessCost, SuccessDifference, TriesOfSide


def success_as_tried(given: DecideInput, decided: Decided, both: Both, box: PricedBox) -> Success:
    """Per task and per solved task of both sides: C = a m + (1 - q) C_human; tasks of the response cache are solved
    at no cost.

    Example: 0.10 that always solves it, and 4 calls of 0.005 that never do with a person at 5.00, are 0.10 and 5.02 a
    task; they are equal at a person of 0.08.
    """
    reaching = 1 - given.workload.response_cache_hit_rate
    api_usd = usd_per_attempt(given.workload.classes, given.api) * both.api.attempts * reaching
    by_call = _usd_of_a_call(given, decided, box)
    own_usd = None if by_call is None else (by_call * both.own.attempts + both.own.elsewhere_usd) * reaching
    api_solved, own_solved = (1 - reaching + reaching * side.solved for side in (both.api, both.own))
    difference = _difference(both)
    ratio = None if both.measured is None else tokenizer_ratio(both.measured.tasks, both.own.tasks)
    return Success(
        attempts_per_task=both.api.attempts,
        solved_share=api_solved,
        human_usd_per_task=both.human_usd,
        api=_cost(api_usd, api_solved, both.human_usd),
        self_host=None if own_usd is None else _cost(own_usd, own_solved, both.human_usd),
        api_tries=_tries(both.api, _failed_api_usd(both.api, given.api)),
        self_tries=_tries(both.own, _failed_own_usd(both.own, by_call)),
        tokenizer_ratio=ratio,
        difference=difference,
        indifference=None
        if own_usd is None
        else indifference((api_usd, api_solved), (own_usd, own_solved), _span(both)),
    )


def task_words(both: Both | None) -> str:
    """What a task of the month is, and how often each side is asked for it; empty where one failure rate holds."""
    if both is None:
        return ""
    box, api = both.own, both.api
    of_api = f"the API {amount(api.attempts / _each(api, both))} ({api.kind})"
    calls = f"the box is asked {amount(box.attempts / _each(box, both))} times for it ({box.kind}), {of_api}"
    if both.human_usd is None:
        return f"A task counts once it is solved: {calls}."
    return f"Of each task {calls}; what stays unsolved goes to a person at {usd(both.human_usd)} (assumed)."


def _each(side: Tries, both: Both) -> float:
    return side.solved or 1.0 if both.human_usd is None else 1.0


def _cost(model_usd: float, solved: float, human_usd: float | None) -> SuccessCost:
    people = (1 - solved) * (human_usd or 0.0)
    return SuccessCost(
        usd_per_task=model_usd + people,
        usd_per_solved_task=model_usd / solved if solved > 0 else None,
        people_usd_per_task=people,
    )


def _usd_of_a_call(given: DecideInput, decided: Decided, box: PricedBox) -> float | None:
    """The box's, its fixed costs among them, at the reader's volume; without one as if it were kept busy."""
    at, own, work = decided.at_volume, given.self_host, given.workload
    if at is not None and at.self_usd is not None and at.tasks_per_month > 0:
        tasks = at.tasks_per_month * (1 - work.response_cache_hit_rate)
        return (at.self_usd - own.usd_per_task * tasks) / (at.tasks_per_month * box_calls(work))
    if at is not None or not own.goodput_requests_per_s or box.instance.usd_per_hour is None:
        return None
    return own.usd_per_hour / (SECONDS_PER_HOUR * own.max_load * own.goodput_requests_per_s)


def _tries(side: Tries, failed_usd: float | None) -> TriesOfSide:
    tasks = side.tasks
    own = {} if tasks is None else {
        "tasks": tasks.judged,
        "input_tokens_per_task": tasks.input_tokens_per_task,
        "cached_tokens_per_task": tasks.cached_tokens_per_task,
        "output_tokens_per_task": tasks.output_tokens_per_task,
        "latency_s": tasks.latency_s,
    }  # fmt: skip
    return TriesOfSide.model_validate(
        {
            "attempts_per_task": side.attempts,
            "solved_share": side.solved,
            "low": side.share.low,
            "high": side.share.high,
            "kind": side.kind,
            "source": side.source,
            "ttft_s": side.ttft_s,
            "elsewhere_usd_per_task": side.elsewhere_usd,
            "failed_usd_per_task": failed_usd,
            "judging_usd_per_task": side.judging_usd,
            **own,
        }
    )


def _failed_api_usd(side: Tries, api: Api) -> float | None:
    """Of a task: what its failed attempts took, by their own tokens; no cache's share of them is told."""
    if side.tasks is None:
        return None
    failed = side.tasks.failed_attempts
    if failed.input_tokens is None or failed.output_tokens is None or not failed.attempts:
        return 0.0 if not failed.attempts else None
    cached = failed.input_tokens * (api.cached_share or 0.0)
    own = api.model_copy(update=_AS_COUNTED)
    tokens_usd = call_usd(own, failed.input_tokens, cached, failed.output_tokens)
    by_request = api.usd_per_request * (1 + api.surcharge)
    return (tokens_usd + by_request * (failed.attempts - 1)) / side.tasks.n


_AS_COUNTED = {"tokenizer_ratio": 1.0, "output_ratio": 1.0, "reasoning_tokens": 0.0, "cached_share": None}


def _failed_own_usd(side: Tries, by_call: float | None) -> float | None:
    if side.tasks is None or by_call is None:
        return None
    return by_call * side.tasks.failed_attempts.attempts / side.tasks.n


def _difference(both: Both) -> SuccessDifference | None:
    """On the same tasks, pair by pair; None where the API was not asked them."""
    if both.measured is None:
        return None
    paired = both.measured.paired
    found = paired.difference
    if found is None:
        return None
    return SuccessDifference(
        share=found.value,
        low=found.low,
        high=found.high,
        only_api=paired.only_one,
        only_self_host=paired.only_other,
        both=paired.both,
        neither=paired.neither,
        chance=paired.chance,
        differs=paired.differ,
    )


def _span(both: Both) -> Span | None:
    """The API's solved share minus the box's, with its interval; None: it was not measured on both."""
    return None if both.measured is None else both.measured.paired.difference


def indifference(api: tuple[float, float], own: tuple[float, float], span: Span | None) -> Indifference:
    """What a failure may cost until both sides, each (USD a task, share solved), come to the same.

    `span`: the difference in success with its interval; an interval that holds 0 leaves the value without an upper end.
    """
    (api_usd, api_solved), (own_usd, own_solved) = api, own
    value = indifferent_human_usd(api, own)
    if value is None:
        return Indifference(
            human_usd_per_task=None, words="both solve the same share: the cheaper one is, at any price"
        )
    better: Side = "api" if api_solved > own_solved else "self_host"
    who = {"api": "the API", "self_host": "self-hosting"}[better]
    if value <= 0:
        words = f"{who} solves more and costs no more: whatever a failure costs"
        return Indifference(human_usd_per_task=None, better=better, words=words)
    low, high = _ends(api_usd - own_usd, span)
    between = ""
    if low is not None:
        between = f" ({usd(low)} or more)" if high is None else f" ({usd(low)} to {usd(high)})"
    words = f"{who} is worth it if a failure costs more than {usd(value)}{between}"
    return Indifference(human_usd_per_task=value, low=low, high=high, better=better, words=words)


def _ends(dearer_usd: float, span: Span | None) -> tuple[float | None, float | None]:
    """The value at both ends of the difference in success."""
    if span is None or span.value == 0:
        return None, None
    far, near = (span.high, span.low) if span.value > 0 else (span.low, span.high)
    same_side = near * span.value > 0
    return dearer_usd / far, dearer_usd / near if same_side else None
