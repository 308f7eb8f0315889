"""What a task costs that really got done: attempts, failures, and the person who takes over."""

from collections.abc import Sequence

from harness.rundir.decide import Decided
from harness.rundir.success import Success, SuccessCost

AT_VOLUME, KEPT_BUSY = "at your volume", "on a box kept busy at its goodput"
OF_TERMS = "terms of "  # begins the source of tries that a demand or a price file says


def indifferent_human_usd(one: tuple[float, float], other: tuple[float, float]) -> float | None:
    """What a person may cost until two models are equal; each is (USD per task, success rate).

    None when both solve the same share. Example: 0.10 always solved against 4 x 0.005 never solved: 0.08.
    """
    (usd_one, solved_one), (usd_other, solved_other) = one, other
    if solved_one == solved_other:
        return None
    return (usd_one - usd_other) / (solved_one - solved_other)


def success_costs(
    decided: Decided, human_usd: float | None, cache_hit_rate: float, *, attempts: float | None = None
) -> Success:
    """Cost per task and per solved task of both sides at the reader's volume: C = a m + (1 - q) C_human.

    Example: 4 calls of 0.005, never solved, a person at 5.00: 5.02 a task.
    Tasks answered by the response cache count as solved, at no model cost. `self_host` None without a volume
    or a goodput; the person's price unknown: what nobody solves costs nothing here, and `human_usd_per_task`
    is None to say so. `attempts`: calls of the API for a task that reaches it, where they are not the box's.
    """
    solved = cache_hit_rate + (1 - cache_hit_rate) * decided.success_rate
    own = None if decided.at_volume is None else decided.at_volume.self_usd_per_task
    people = (1 - solved) * (human_usd or 0.0)
    return Success(
        attempts_per_task=decided.attempts_per_task if attempts is None else attempts,
        solved_share=solved,
        human_usd_per_task=human_usd,
        api=_side(decided.api_usd_per_task, people, solved),
        self_host=None if own is None else _side(own, people, solved),
    )


def _side(model_usd: float, people_usd: float, solved: float) -> SuccessCost:
    return SuccessCost(
        usd_per_task=model_usd + people_usd,
        usd_per_solved_task=model_usd / solved if solved > 0 else None,
        people_usd_per_task=people_usd,
    )


def cheapest_by_failure(sides: Sequence[tuple[str, float, float]]) -> list[tuple[float, str]]:
    """Who costs least from which price of a failure on, from 0; each side is (name, model USD a task, share solved).

    Example: 0.10 always solved, and 4 x 0.005 never: the second from 0, the first from 0.08 on.
    """
    lines = sorted((usd_, 1 - solved, name) for name, usd_, solved in sides)
    if not lines:
        return []
    usd_now, failing, name = lines[0]
    found = [(0.0, name)]
    while better := [(_crossing(usd_now, failing, line), line[1], line) for line in lines if line[1] < failing]:
        since, _, (usd_now, failing, name) = min(better)
        found.append((since, name))
    return found


def _crossing(usd_now: float, failing: float, other: tuple[float, float, str]) -> float:
    return (other[0] - usd_now) / (failing - other[1])
