"""Whether a window holds the turns of its conversations as the scenario has them, worked by hand."""

from collections.abc import Sequence

import pytest
from cost_cases import manifest

from harness.checks.turns import turn_checks
from harness.rundir.of_step import LoadOfStep, TurnOfStep
from harness.rundir.result import Check, WindowOfStep
from harness.rundir.results import Step
from harness.scenario import Scenario

# 60 + 150 x 9.5 = 1,485 input tokens on average
SESSIONS = Scenario.model_validate(
    {"name": "t", "load": {"users": [8]}, "prompts": {"kind": "sessions", "turns": 20, "base_tokens": 60,
                                                      "growth_tokens": 150, "output_tokens": 100}}
)  # fmt: skip


def found(
    requests: Sequence[int], *, entered: int = 0, counts: bool = True, mean_input_tokens: float | None = None
) -> list[Check]:
    """Of a window with so many requests of turn 0, 1, ..."""
    turns = tuple(
        TurnOfStep(turn=turn, requests=n, entered=entered if turn == 1 else 0) for turn, n in enumerate(requests) if n
    )
    step = Step(
        step=0, load=LoadOfStep(kind="closed", users=8), window=WindowOfStep(start_s=0, end_s=10), requests=40,
        requests_per_s=4.0, turns=turns, mean_input_tokens=mean_input_tokens,
    )  # fmt: skip
    return list(turn_checks(step, SESSIONS, manifest(), counts=counts))


def test_turns_that_are_equally_frequent_have_no_finding() -> None:
    assert found([2] * 20) == []


def test_a_window_of_the_first_turns_alone_is_an_error_with_both_lengths_and_the_time_it_takes() -> None:
    (one,) = found([8] * 6)

    assert (one.code, one.level) == ("turns_out_of_proportion", "error")
    # 60 + 150 x 2.5 = 435
    assert "6 of 20 turns" in one.message
    assert "435 input tokens on average, by the scenario 1,485" in one.message
    # 8 users / 4 requests a second = 2 s a request, 20 of them
    assert one.hint is not None
    assert "40 s" in one.hint


def test_a_window_of_late_turns_is_an_error_too() -> None:
    assert [one.level for one in found([1] * 10 + [3] * 10)] == ["error"]


def test_turns_out_of_the_middle_alone_are_an_error_though_their_mean_length_is_the_scenarios() -> None:
    (one,) = found([0] * 7 + [5] * 6 + [0] * 7)

    assert (one.code, one.level) == ("turns_out_of_proportion", "error")
    # turns 8 to 13 of 20: none of the first 7, which are 35 %
    assert "6 of 20 turns: 0% of its requests are of the first 7, by the scenario 35%" in one.message


def test_a_turn_more_or_less_in_a_short_window_is_let_pass() -> None:
    # 13 requests, every third turn left out: five of the first 7 turns are 38 % for 35 %
    assert found([1, 1, 0] * 6 + [1, 0]) == []


def test_at_a_step_that_gives_no_figure_it_is_a_warning() -> None:
    assert [one.level for one in found([8] * 6, counts=False)] == ["warning"]


@pytest.mark.parametrize(("more", "codes"), [(10, []), (30, ["turns_out_of_proportion"])])
def test_less_than_a_tenth_of_the_mean_length_is_let_pass(more: int, codes: list[str]) -> None:
    # 200 requests of mean turn 9.5, and so many more of turn 19: (1,900 + 19 x 10) / 210 = 9.95, 1,553 tokens, 4.6 %
    # above; (1,900 + 19 x 30) / 230 = 10.74, 1,671 tokens, 12.5 % above
    assert [one.code for one in found([10] * 19 + [10 + more])] == codes


@pytest.mark.parametrize(
    ("tokens", "codes"), [(1550.0, []), (1570.0, ["lengths_differ"]), (1400.0, ["lengths_differ"])]
)
def test_prompts_of_another_length_than_their_turns_have_are_a_warning(tokens: float, codes: list[str]) -> None:
    # 5 % of 1,485 are 74
    assert [one.code for one in found([2] * 20, mean_input_tokens=tokens)] == codes


def test_conversations_entered_inside_the_window_are_told() -> None:
    (one,) = found([2] * 20, entered=3)

    assert (one.code, one.level) == ("entered_in_window", "warning")
    assert "3 of 40 requests" in one.message
    assert found([2] * 20, entered=2) == []
