"""What a scenario will take, said before anything is sent."""

from pathlib import Path
from typing import Any

from harness.base.units import SECONDS_PER_HOUR
from harness.scenario import FilePrompts, RampLoad, Scenario, SearchLoad, SessionPrompts, TraceLoad
from harness.scenario.prompt_survey import PromptSurvey, prompts_said, survey_prompts
from harness.scenario.prompts import mean_tokens
from harness.scenario.steps import Step, even_step, planned_steps
from harness.scenario.trace import Trace, read_trace

FAST_TTFT_S, FAST_TPOT_S = 0.1, 0.005  # a fast GPU server, one stream
SLOW_TTFT_S, SLOW_TPOT_S = 5.0, 0.2  # slower than any preset allows


def estimate(scenario: Scenario, usd_per_hour: float | None, base_dir: Path = Path()) -> dict[str, Any]:
    """What the load will take: requests and tokens as (low, high).

    Closed loads depend on the server's speed; open loads and traces do not, and low equals high. A search is
    taken at its longest in seconds and between its first probe alone and its longest in requests.
    `base_dir` is where the path of a trace or of prompts starts.

    Returns:
        `{seconds, hold_seconds, steps, requests, input_tokens, output_tokens, instance_usd, basis, prompts}`; `prompts`
        says what a file asks and in which order (None: there is no file); `seconds` are
        those of the steps, `hold_seconds` (low, high) how long their load is held on top until all that was due in
        them has ended.

    Raises:
        UsageError: a trace or a prompt file that cannot be read.
    """
    trace = _trace(scenario, base_dir)
    steps = _steps(scenario, trace)
    survey = survey_prompts(scenario, base_dir)
    input_tokens, output_tokens = _tokens(scenario, trace, survey)
    speeds = [ttft_s + output_tokens * tpot_s for ttft_s, tpot_s in _SPEEDS]
    think_time_s = scenario.think_time_s
    requests = (
        [float(len(trace.rows))] * 2
        if trace is not None
        else [sum(_requests(step, answer_s + think_time_s) for step in steps) for answer_s in speeds]
    )
    if isinstance(scenario.load, SearchLoad):
        requests[0] = _requests(steps[0], speeds[0] + think_time_s)
    seconds = sum(step.length_s for step in steps)
    holds = 0 if trace is not None else 1 if isinstance(scenario.load, RampLoad) else len(steps)
    hold_s = [holds * answer_s for answer_s in reversed(speeds)]
    return {
        "seconds": seconds,
        "hold_seconds": [round(s, 1) for s in hold_s],
        "steps": len(steps),
        "requests": [round(r) for r in requests],
        "input_tokens": [round(r * input_tokens) for r in requests],
        "output_tokens": [round(r * output_tokens) for r in requests],
        "instance_usd": usd_per_hour * (seconds + hold_s[1]) / SECONDS_PER_HOUR if usd_per_hour is not None else None,
        "basis": _basis(scenario),
        "prompts": prompts_said(scenario, survey),
    }


_SPEEDS = ((SLOW_TTFT_S, SLOW_TPOT_S), (FAST_TTFT_S, FAST_TPOT_S))


def _trace(scenario: Scenario, base_dir: Path) -> Trace | None:
    load = scenario.load
    return read_trace(base_dir / load.file, max_requests=load.max_requests) if isinstance(load, TraceLoad) else None


def _steps(scenario: Scenario, trace: Trace | None) -> list[Step]:
    load = scenario.load
    if trace is not None:
        return planned_steps(load, trace_span_s=trace.span_s, trace_requests=len(trace.rows))
    if not isinstance(load, SearchLoad):
        return planned_steps(load)
    loads = [load.low]
    while len(loads) < load.max_probes:  # it grows, then stays about where it failed
        loads.append(min(loads[-1] * 2, load.high))
    return [even_step(i, load.over, size, load.max_step_s, load) for i, size in enumerate(loads)]


def _requests(step: Step, answer_s: float) -> float:
    """Requests of a step whose users wait `answer_s` for each; a rate's own number."""
    if step.users is not None:
        users = sum(step.users) / 2
        return users * max(step.length_s / answer_s, 1)
    assert step.rate is not None
    return sum(step.rate) / 2 * step.length_s


def _tokens(scenario: Scenario, trace: Trace | None, survey: PromptSurvey | None) -> tuple[float, float]:
    """(input, output) tokens of the mean request."""
    prompts = scenario.prompts
    if trace is not None:
        n = len(trace.rows)
        return sum(row.input_tokens for row in trace.rows) / n, sum(row.output_tokens for row in trace.rows) / n
    if survey is not None:
        asked = prompts.output_tokens
        return survey.mean_input_tokens, survey.mean_output_tokens if asked is None else mean_tokens(asked)
    assert not isinstance(prompts, FilePrompts)  # those have their survey
    output = mean_tokens(prompts.output_tokens)
    if isinstance(prompts, SessionPrompts):
        return prompts.base_tokens + prompts.growth_tokens * (prompts.turns - 1) / 2, output
    return mean_tokens(prompts.input_tokens), output


def _basis(scenario: Scenario) -> str:
    if isinstance(scenario.load, SearchLoad):
        return "a search ends as soon as it knows; this is its longest"
    if scenario.load.is_open:
        return "planned, whatever the server's speed"
    return (
        f"from a server of {SLOW_TTFT_S:g} s + {SLOW_TPOT_S:g} s/token to one of {FAST_TTFT_S:g} s + "
        f"{FAST_TPOT_S:g} s/token"
    )
