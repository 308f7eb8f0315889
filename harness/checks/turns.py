"""Findings on conversations: does the window hold their turns as the scenario has them?"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from harness.checks.finding import at, check
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import TurnOfStep
from harness.rundir.result import Check, Level
from harness.rundir.results import Step
from harness.scenario import Scenario, SessionPrompts

TURNS_TOLERANCE = 0.10  # of the mean input tokens: further off, the window is of another shape than the scenario
SHARE_TOLERANCE = 0.20  # of the requests, that any first turns may have more or less than their share
LENGTH_TOLERANCE = 0.05
ENTERED_TOLERANCE = 0.05


def turn_checks(step: Step, scenario: Scenario, manifest: RunManifest, *, counts: bool) -> Iterator[Check]:
    """Of one step; `counts`: it gives the figure that is priced."""
    spec = scenario.prompts
    if not isinstance(spec, SessionPrompts) or not step.turns:
        return
    requests = sum(turn.requests for turn in step.turns)
    got = sum(turn.requests * spec.input_tokens(turn.turn) for turn in step.turns) / requests
    out = _out_of_proportion(step.turns, spec, got)
    if out is not None:
        level: Level = "error" if counts else "warning"
        yield check("turns_out_of_proportion", level, f"{at(step)} {out}", _hint(step, spec))
    yield from _lengths(step, got, scenario, manifest)
    entered = sum(turn.entered for turn in step.turns)
    if entered > ENTERED_TOLERANCE * requests:
        text = (
            f"{at(step)} {entered} of {requests} requests entered a conversation at a later turn: their whole history "
            "was new to any prefix cache"
        )
        yield check("entered_in_window", "warning", text, "make warmup_s longer, or confirm a ramp with a step")


def _lengths(step: Step, wanted: float, scenario: Scenario, manifest: RunManifest) -> Iterator[Check]:
    """Prompts of another length than their turns have."""
    got = step.mean_input_tokens
    if got is not None and abs(got / wanted - 1) > LENGTH_TOLERANCE:
        text = f"{at(step)} prompts had {got:,.0f} tokens on average, by their turns {wanted:,.0f} were wanted"
        yield check("lengths_differ", "warning", text, _why(got - wanted, scenario, manifest))


def _why(more_tokens: float, scenario: Scenario, manifest: RunManifest) -> str:
    if manifest.client.get("exact_lengths") is False:
        return "it has no tokenizer route: lengths are estimated at 4 characters a token"
    if more_tokens > 0 and scenario.request.api == "chat" and not manifest.client.get("added_at_turns"):
        return (
            f"its chat template adds about {more_tokens:,.0f} tokens a request more than was known: what it adds to a "
            "conversation could not be asked"
        )
    return "what a reply hides (reasoning) is in no history, and its words may be other tokens there"


def _out_of_proportion(turns: Sequence[TurnOfStep], spec: SessionPrompts, got: float) -> str | None:
    """What is wrong with a window's turns, in words: their mean length, or where in the conversation they lie."""
    which = f"{len(turns)} of {spec.turns} turns" if len(turns) < spec.turns else "the turns unequally often"
    if abs(got / spec.mean_input_tokens - 1) > TURNS_TOLERANCE:
        return (
            f"the window holds {which}: by them a request has {got:,.0f} input tokens on average, by the scenario "
            f"{spec.mean_input_tokens:,.0f}"
        )
    first, share = _farthest(turns, spec.turns)
    if abs(share - first / spec.turns) > SHARE_TOLERANCE:
        return (
            f"the window holds {which}: {share:.0%} of its requests are of the first {first}, by the scenario "
            f"{first / spec.turns:.0%}"
        )
    return None


def _farthest(turns: Sequence[TurnOfStep], count: int) -> tuple[int, float]:
    """So many first turns, and their share of the requests, where that is farthest from their share of the turns."""
    requests = dict.fromkeys(range(count), 0) | {turn.turn: turn.requests for turn in turns}
    total = sum(requests.values())
    shares = enumerate((sum_ / total for sum_ in accumulate(requests.values())), start=1)
    return max(shares, key=lambda one: abs(one[1] - one[0] / count))


def _hint(step: Step, spec: SessionPrompts) -> str:
    users, per_s = step.load.users, step.requests_per_s
    if not users or not per_s:
        return "make step_s longer, or ask for fewer turns"
    whole_s = spec.turns * users / per_s
    return f"a conversation takes {whole_s:.0f} s at this load: a window of that length holds every turn equally often"
