"""What is uncertain where each side has tries of its own: the share of the tasks that it solves, as it was measured."""

from collections.abc import Callable, Sequence

from harness.cost.breakeven.vector import Case, Number
from harness.cost.tries import SAME, Both, Tries
from harness.cost.whatif.knobs import Knob
from harness.cost.whatif.ranges import CONFIDENCE, Range
from harness.cost.whatif.uncertainty import Spread

Turn = Callable[[Case, Number], Case]


def as_tried(uncertain: Sequence[Spread], both: Both | None) -> list[Spread]:
    """The solved shares in the place of one failure rate for all, where they were measured."""
    if both is None or both.own.share.low is None:
        return list(uncertain)
    own, api = _turn_own(both), _turn_api(both)
    is_same = both.api.source == SAME
    found = [
        _solved("solved_share", both.own, (lambda case, q: api(own(case, q), q)) if is_same else own),
        _solved("api_solved_share", both.api, api),
    ]
    kept = [spread for spread in uncertain if spread.knob.name != "retry_failure_rate"]
    return [*kept, *(spread for spread in found if spread is not None)]


def _solved(name: str, side: Tries, turn: Turn) -> Spread | None:
    """One side's share in its interval; None: it was not measured, or has none."""
    low, high = side.share.low, side.share.high
    if low is None or high is None or not side.solved or low >= high:
        return None
    knob = Knob(name, "share", side.solved, max(low, side.solved / 100) / 2, 1.0, turn)
    return Spread(knob, Range(low, high, "measured", "measured", CONFIDENCE))


def _turn_own(both: Both) -> Turn:
    def turn(case: Case, solved: Number) -> Case:
        calls, usd = _until_done(both.own, both.human_usd, solved)
        return case.but(retry_failure_rate=1 - 1 / calls, self_task_usd=case.self_task_usd + usd)

    return turn


def _turn_api(both: Both) -> Turn:
    def turn(case: Case, solved: Number) -> Case:
        calls, usd = _until_done(both.api, both.human_usd, solved)
        return case.but(ways=case.ways.with_api_success(1 / calls), api_task_usd=case.api_task_usd + usd)

    return turn


def _until_done(side: Tries, human_usd: float | None, solved: Number) -> tuple[Number, Number]:
    """Calls of a task at another solved share, and what it takes beside them above the present."""
    if human_usd is None:
        return side.attempts / solved, side.elsewhere_usd / solved - side.elsewhere_usd / side.solved
    return side.attempts, (side.solved - solved) * human_usd
