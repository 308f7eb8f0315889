"""Conversations turn by turn: how the context grows with them, and what that does to the first token."""

from harness.base.rounding import significant, whole
from harness.base.units import MS_PER_S
from harness.report.measured.steps import percentile_cell
from harness.report.model import Block, Cell, Field, Table, Text, table_of
from harness.rundir.of_step import TurnOfStep
from harness.rundir.results import Metrics, Step


def turn_blocks(metrics: Metrics) -> tuple[Block, ...]:
    """The turns of the step that counts; nothing where there were no conversations."""
    step = metrics.decisive
    if step is None or not step.turns:
        return ()
    first, last = step.turns[0], step.turns[-1]
    words = Text(
        f"Every turn sends the whole conversation again: {significant(first.input_tokens)} input tokens at turn "
        f"{first.number}, {significant(last.input_tokens)} at turn {last.number}, on average "
        f"{significant(step.mean_input_tokens)}."
    )
    return (words, _table(step, step.turns))


def _table(step: Step, turns: tuple[TurnOfStep, ...]) -> Table:
    return table_of(
        f"Turn by turn at {step.load.words}, requests that were due in the window",
        turns,
        ("turn", "", lambda turn: str(turn.number)),
        ("requests", "", _requests),
        ("input", "tokens", lambda turn: significant(turn.input_tokens)),
        ("cached", "tokens", lambda turn: significant(turn.cached_tokens)),
        ("output", "tokens", lambda turn: significant(turn.output_tokens)),
        _ttft("p50"),
        _ttft("p95"),
        notes=(
            "Users enter at different turns, so that each is there from the start. Who enters in the middle of a "
            "conversation sends a history that no prefix cache knows: such requests are left out of cached and TTFT.",
        ),
    )


def _ttft(percentile: str) -> Field[TurnOfStep]:
    return (
        f"TTFT {percentile}",
        "ms",
        lambda turn: percentile_cell(turn.ttft_s, percentile, lambda seconds: significant(seconds * MS_PER_S)),
    )


def _requests(turn: TurnOfStep) -> Cell:
    return Cell(whole(turn.requests), note=f"{turn.entered} entered here" if turn.entered else "")
