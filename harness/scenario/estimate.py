"""What a scenario will take, said before anything is sent."""

from pathlib import Path
from typing import Any

from harness.base.units import SECONDS_PER_HOUR
from harness.scenario import FilePrompts, RampLoad, Scenario, SearchLoad, SessionPrompts, TaskPrompts, TraceLoad
from harness.scenario.prompt_survey import PromptSurvey, prompts_said, survey_prompts
from harness.scenario.prompts import mean_tokens
from harness.scenario.steps import Step, even_step, planned_steps
from harness.scenario.trace import Trace, trace_of

FAST_TTFT_S, FAST_TPOT_S = 0.1, 0.005  # a fast GPU server, one stream
SLOW_TTFT_S, SLOW_TPOT_S = 5.0, 0.2  # slower than any preset allows


def estimate(scenario: Scenario, usd_per_hour: float | None, base_dir: Path = Path()) -> dict[str, Any]:
    """What the load will take: requests and tokens as (low, high).

    Closed loads depend on the server's speed; open loads and traces do not, and low equals high. A search is
    taken at its longest in seconds and between its first probe alone and its longest in requests.
    `base_dir` is where the path of a trace or of prompts starts.

    Returns:
        `{seconds, hold_seconds, steps, requests, input_tokens, output_tokens, instance_usd, basis, notes, prompts,
        tasks, attempts}`;
        `seconds` are those of the steps, `hold_seconds` (low, high) how long their load is held on top until all that
        was due in them has ended, `notes` what is better known before anything is sent, `prompts` what a file asks and
        in which order (None: there is no file). `tasks` and the most `attempts` at one are None but in a task run:
        there `seconds` are the most, and requests that only hold its load are not counted.

    Raises:
        UsageError: a trace or a prompt file that cannot be read.
    """
    trace = trace_if_any(scenario, base_dir)
    steps = _steps(scenario, trace)
    survey = survey_prompts(scenario, base_dir)
    if survey is not None and isinstance(scenario.prompts, TaskPrompts):
        return _of_tasks(scenario, scenario.prompts, steps[0], survey, usd_per_hour)
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
    holds = 1 if isinstance(scenario.load, RampLoad | TraceLoad) else len(steps)
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
        "notes": notes(scenario, trace),
        "prompts": prompts_said(scenario, survey),
        "tasks": None,
        "attempts": None,
    }


def _of_tasks(
    scenario: Scenario, spec: TaskPrompts, step: Step, survey: PromptSurvey, usd_per_hour: float | None
) -> dict[str, Any]:
    """A task run: each task once, or in every round; the time is that of all rounds on a slow server."""
    rounds, asked = spec.attempts, survey.requests
    answer_s = SLOW_TTFT_S + survey.mean_output_tokens * SLOW_TPOT_S
    at_once = sum(step.users) / 2 if step.users is not None else sum(step.rate or ()) / 2 * answer_s
    round_s = min(asked * (answer_s + scenario.think_time_s) / at_once, spec.max_round_s) + step.warmup_s
    seconds, hold_s = rounds * round_s, rounds * answer_s
    return {
        "seconds": seconds,
        "hold_seconds": [0.0, round(hold_s, 1)],
        "steps": rounds,
        "requests": [asked, asked * rounds],
        "input_tokens": [round(n * survey.mean_input_tokens) for n in (asked, asked * rounds)],
        "output_tokens": [round(n * survey.mean_output_tokens) for n in (asked, asked * rounds)],
        "instance_usd": None if usd_per_hour is None else usd_per_hour * (seconds + hold_s) / SECONDS_PER_HOUR,
        "basis": f"each task once, or in each of {rounds} rounds; repeats that hold the load not counted",
        "notes": notes(scenario, None),
        "prompts": prompts_said(scenario, survey),
        "tasks": survey.rows,
        "attempts": rounds,
    }


def notes(scenario: Scenario, trace: Trace | None) -> list[str]:
    """What is better known before anything is sent, a line each: conversations that no step has the time for, rows of a
    log that are not sent, attempts that will repeat the one before.
    """
    prompts = scenario.prompts
    if trace is not None and trace.left_out and isinstance(scenario.load, TraceLoad):
        why = ", ".join(f"{count:,} {reason}" for reason, count in trace.left_out.items())
        return [f"`load.file` {scenario.load.file}: rows that are not sent: {why}"]
    if isinstance(prompts, TaskPrompts) and "again" in prompts.on_failure and scenario.request.temperature == 0:
        return ["`on_failure` has `again`, and at `request.temperature` 0 the same question gets the same answer"]
    if not isinstance(prompts, SessionPrompts):
        return []
    request_s = FAST_TTFT_S + mean_tokens(prompts.output_tokens) * FAST_TPOT_S + scenario.think_time_s
    whole_s = prompts.turns * request_s
    short = [step for step in _steps(scenario, None) if step.users and whole_s > step.length_s - step.warmup_s]
    if not short:
        return []
    step = min(short, key=lambda step: sum(step.users or ()) * (step.length_s - step.warmup_s))
    users, window_s = max(sum(step.users or ()) / 2, 1), step.length_s - step.warmup_s
    text = (
        f"`prompts.turns`: a conversation of {prompts.turns} turns takes {whole_s:.0f} s even on a fast server "
        f"({request_s:.2g} s a request), longer than the {window_s:.3g} s that a step counts: "
    )
    room = int(users * window_s / request_s)
    if room < prompts.turns:
        text += (
            f"{users:g} user{'' if users == 1 else 's'} can ask some {room} of them, so that its figures are of other "
            f"lengths than the scenario's and are not priced; make step_s {whole_s + step.warmup_s:.0f} or more, or "
            "turns fewer"
        )
    else:
        text += "users enter at different turns so that all are there; step_s longer makes each as frequent as another"
    return [text]


_SPEEDS = ((SLOW_TTFT_S, SLOW_TPOT_S), (FAST_TTFT_S, FAST_TPOT_S))


def trace_if_any(scenario: Scenario, base_dir: Path) -> Trace | None:
    """The log that a scenario replays."""
    load = scenario.load
    return trace_of(load, base_dir) if isinstance(load, TraceLoad) else None


def _steps(scenario: Scenario, trace: Trace | None) -> list[Step]:
    load = scenario.load
    if trace is not None:
        return planned_steps(load, arrivals_s=[row.arrival_s for row in trace.rows])
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
        asked = None if isinstance(prompts, TaskPrompts) else prompts.output_tokens
        return survey.mean_input_tokens, survey.mean_output_tokens if asked is None else mean_tokens(asked)
    assert not isinstance(prompts, FilePrompts | TaskPrompts)  # those have their survey
    output = mean_tokens(prompts.output_tokens)
    if isinstance(prompts, SessionPrompts):
        return prompts.mean_input_tokens, output
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
