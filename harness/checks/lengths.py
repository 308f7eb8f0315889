"""Findings on lengths: prompts and answers that were not as long as the scenario wanted them."""

from collections.abc import Iterator

from harness.checks.finding import at, check
from harness.rundir.identity import LITELLM
from harness.rundir.manifest import RunManifest
from harness.rundir.result import Check
from harness.rundir.results import Step
from harness.scenario import Scenario, SyntheticPrompts, TraceLoad

OUTPUT_TOLERANCE = 0.01
INPUT_TOLERANCE = 0.05
MIN_CUT_TOKENS = 256  # no context is shorter
CUT_SHARE = {True: 0.85, False: 0.6}  # of the tokens wanted, by whether lengths are exact: estimates are words, x 0.8


def length_checks(step: Step, scenario: Scenario, manifest: RunManifest) -> Iterator[Check]:
    """Of one step."""
    got, asked = step.mean_output_tokens, step.mean_requested_output_tokens
    if scenario.request.force_length and got is not None and asked and _off(got, asked) > OUTPUT_TOLERANCE:
        text = f"{at(step)} answers had {got:.1f} tokens on average, {asked:.1f} were asked for"
        yield check("lengths_differ", "warning", text, _why_of_answers(manifest))
    got, wanted = step.mean_input_tokens, _wanted_input(scenario)
    if not wanted or got is None or _off(got, wanted) <= INPUT_TOLERANCE:
        return
    is_exact = manifest.client.get("exact_lengths") is True
    text = f"{at(step)} prompts had {got:.0f} tokens on average, {wanted:.0f} were wanted"
    if wanted >= MIN_CUT_TOKENS and got < CUT_SHARE[is_exact] * wanted:
        text += ": it cuts them to its context"
        yield check("prompts_cut", "error", text, "shorter prompts, or start the server with a longer context")
    else:
        yield check("lengths_differ", "warning", text, _why(got, wanted, scenario, manifest))


def _why_of_answers(manifest: RunManifest) -> str:
    if manifest.via is None or manifest.via.gateway != LITELLM:
        return "this engine cannot be told to ignore end-of-sequence"
    return (
        "LiteLLM hides the engine: `--backend NAME` of the one behind it tells that to ignore end-of-sequence; and it "
        "may make a `stop` of an answer that the engine broke off: see the engine's own log"
    )


def _why(got: float, wanted: float, scenario: Scenario, manifest: RunManifest) -> str:
    if manifest.client.get("exact_lengths") is not True:
        return "it has no tokenizer route: lengths are estimated at 4 characters a token"
    if got < wanted:
        return "its tokenizer was asked, and counts more than it does when it serves"
    template = "the chat template" if scenario.request.api == "chat" else "what the server puts before a prompt"
    added_tokens = manifest.client.get("added_tokens") or 0
    if added_tokens >= wanted:
        return f"no prompt is shorter here: {template} alone has {added_tokens} tokens"
    return f"its tokenizer was asked and tells the text alone: {template} adds {got - wanted:.0f} tokens"


def unfit_checks(manifest: RunManifest) -> Iterator[Check]:
    """What the server itself said that it does not take, where the load began all the same."""
    for misfit in manifest.client.get("unfit") or ():
        yield check("does_not_fit", "error", misfit["text"], misfit["hint"])


def _wanted_input(scenario: Scenario) -> float | None:
    if not isinstance(scenario.prompts, SyntheticPrompts) or isinstance(scenario.load, TraceLoad):
        return None
    length = scenario.prompts.input_tokens
    return float(length if isinstance(length, int) else length.mean)


def _off(got: float, wanted: float) -> float:
    return abs(got - wanted) / wanted
