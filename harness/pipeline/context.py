"""How much context an engine that we start needs for a scenario."""

from pathlib import Path

from harness.scenario import Scenario, SessionPrompts, SyntheticPrompts, TaskPrompts, TraceLoad
from harness.scenario.prompt_survey import survey_prompts
from harness.scenario.prompts import most_tokens
from harness.scenario.trace import trace_of

COMPLAINT_TOKENS = 128  # about an answer that was not accepted
SPARE_CONTEXT_TOKENS = 64  # BOS, chat template, a rounding of lengths
DEFAULT_CONTEXT_TOKENS = 4096  # at least, where prompts come from a file
MOST_FILE_CONTEXT_TOKENS = 32_768  # at most, whatever stands in one; the engine refuses what is longer


def context_tokens(scenario: Scenario, base_dir: Path = Path()) -> int:
    """Room for the longest single request of the scenario, in tokens."""
    prompts, load = scenario.prompts, scenario.load
    if isinstance(load, TraceLoad):
        rows = trace_of(load, base_dir).rows
        return max(row.input_tokens + row.output_tokens for row in rows) + SPARE_CONTEXT_TOKENS
    if isinstance(prompts, SessionPrompts):
        longest = prompts.input_tokens(prompts.turns - 1)
    elif isinstance(prompts, SyntheticPrompts):
        longest = most_tokens(prompts.input_tokens)
    else:
        survey = survey_prompts(scenario, base_dir)
        longest = survey.longest_tokens if survey is not None else 0
        if isinstance(prompts, TaskPrompts):  # what was wrong is said beneath it
            longest += prompts.on_failure.count("with_error") * (prompts.output_tokens + COMPLAINT_TOKENS)
        return min(max(longest + SPARE_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS), MOST_FILE_CONTEXT_TOKENS)
    return longest + most_tokens(prompts.output_tokens) + SPARE_CONTEXT_TOKENS
