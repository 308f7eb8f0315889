"""Whether a scenario fits what the server says it takes: told before the load, not by a ladder of refusals."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.load.prompts.prompt import draw_length
from harness.rundir.identity import Identity, SaidCount
from harness.scenario import (
    ClosedLoad,
    FilePrompts,
    RampLoad,
    Scenario,
    SearchLoad,
    SessionPrompts,
    TaskPrompts,
    TraceLoad,
)
from harness.scenario.trace import trace_of

DRAWS = 1000  # of lengths that vary
_LONGER = {  # how each engine is given room, for prompts and for whole requests
    "tgi": ("--max-input-tokens", "--max-total-tokens"),
    "vllm": ("--max-model-len", "--max-model-len"),
    "sglang": ("--context-length", "--context-length"),
    "llama_server": ("--ctx-size (shared by its slots)", "--ctx-size (shared by its slots)"),
    "llama_cpp_python": ("--n_ctx", "--n_ctx"),
    "ollama": ("OLLAMA_CONTEXT_LENGTH or num_ctx", "OLLAMA_CONTEXT_LENGTH or num_ctx"),
}
_BEYOND_PROMPT = {"sglang": 4}  # tokens that a request may have beyond its longest prompt: there the answer is cut


@dataclass(frozen=True, slots=True)
class Misfit:
    """What of the scenario the server does not take."""

    text: str
    hint: str
    is_hopeless: bool  # more of the requests than may fail, not a few

    def as_error(self) -> UsageError:
        """As what ends the run."""
        return UsageError(self.text, hint=self.hint)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of one request."""

    prompt: int
    answer: int


def lengths_of(scenario: Scenario, base_dir: Path) -> list[Lengths]:
    """The lengths that the scenario's requests have: each turn's, each row's, or draws of them.

    A prompt out of a file counts as 1: its length is not known before it is asked.
    """
    prompts, rng = scenario.prompts, random.Random(scenario.seed)
    if isinstance(scenario.load, TraceLoad):
        rows = trace_of(scenario.load, base_dir).rows
        return [Lengths(row.input_tokens, row.output_tokens) for row in rows]
    if isinstance(prompts, SessionPrompts):
        turns = [prompts.input_tokens(turn) for turn in range(prompts.turns)]
        return [Lengths(tokens, draw_length(prompts.output_tokens, rng)) for tokens in turns]
    if isinstance(prompts, TaskPrompts):
        return [Lengths(1, prompts.output_tokens)]
    if isinstance(prompts, FilePrompts):
        output = prompts.output_tokens
        return [Lengths(1, draw_length(output, rng)) for _ in range(DRAWS)] if output is not None else [Lengths(1, 1)]
    draws = 1 if isinstance(prompts.input_tokens, int) and isinstance(prompts.output_tokens, int) else DRAWS
    return [
        Lengths(draw_length(prompts.input_tokens, rng), draw_length(prompts.output_tokens, rng)) for _ in range(draws)
    ]


def misfits(identity: Identity, scenario: Scenario, base_dir: Path, url: str, replicas: int) -> Iterator[Misfit]:
    """What the server's own limits say against the scenario, the worst of each kind once."""
    for_prompts, for_all = _LONGER.get(identity.engine or "", ("a longer context", "a longer context"))
    yield from _too_long(identity, lengths_of(scenario, base_dir), scenario.slo.error_rate, url, for_prompts, for_all)
    limit = identity.max_concurrent_requests
    few, many = _at_once(scenario)
    if limit is not None and many > limit.value * replicas:
        yield Misfit(
            f"up to {many:,} requests at once are asked for, {url} takes {limit.value:,}"
            f"{f' on each of {replicas} URLs' if replicas > 1 else ''} ({_source(limit)}) and refuses more",
            "a lower load, or start it with a higher limit (TGI: --max-concurrent-requests)",
            few > limit.value * replicas,
        )


def _too_long(
    identity: Identity, lengths: list[Lengths], may_fail: float, url: str, for_prompts: str, for_all: str
) -> Iterator[Misfit]:
    most_prompt, most = identity.max_input_tokens, _together(identity)
    over = [one for one in lengths if most_prompt is not None and one.prompt > most_prompt.value]
    if most_prompt is not None and over:
        longest = max(one.prompt for one in over)
        yield Misfit(
            f"{_share(over, lengths)}prompts of {longest:,} tokens do not fit: {url} takes {most_prompt.value:,} "
            f"({_source(most_prompt)})",
            f"shorter prompts (`prompts`), or start it with more: {for_prompts}",
            len(over) / len(lengths) > may_fail,
        )
    over = [one for one in lengths if most is not None and one.prompt + one.answer > most.value]
    if most is not None and over:
        worst = max(over, key=lambda one: one.prompt + one.answer)
        yield Misfit(
            f"{_share(over, lengths)}prompts of {worst.prompt:,} and answers of {worst.answer:,} tokens do not fit: "
            f"{url} takes {most.value:,} together ({_source(most)})",
            f"fewer tokens (`prompts`), or start it with more: {for_all}",
            len(over) / len(lengths) > may_fail,
        )


def _together(identity: Identity) -> SaidCount | None:
    """Tokens of prompt and answer: what the context has, less where its engine ends an answer before that, unsaid."""
    context, prompt, beyond = identity.context, identity.max_input_tokens, _BEYOND_PROMPT.get(identity.engine or "")
    if prompt is None or beyond is None or (context is not None and context.value <= prompt.value + beyond):
        return context
    return SaidCount(value=prompt.value + beyond, said_by=prompt.said_by)


def _share(over: list[Lengths], lengths: list[Lengths]) -> str:
    share = len(over) / len(lengths)
    return "" if share == 1 else f"{share:.1%} of the requests with "


def _source(limit: SaidCount) -> str:
    return f"so says its {limit.said_by}"


def _at_once(scenario: Scenario) -> tuple[int, int]:
    """The fewest and the most requests in flight of a load by users, whose number is known; 0 where it is not."""
    load = scenario.load
    if isinstance(load, ClosedLoad):
        return min(load.users), max(load.users)
    if isinstance(load, SearchLoad) and load.over == "users":
        return int(load.low), int(load.low)  # it ends by itself where requests are refused
    if isinstance(load, RampLoad) and load.over == "users":
        return int(min(load.start, load.end)), int(max(load.start, load.end))
    return 0, 0
