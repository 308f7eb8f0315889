"""Where a measurement cannot say who wins: nothing was judged, no load surely passed, the box was not filled, or
nobody said of how many boxes the URLs driven are."""

from harness.cost.box.box import PricedBox
from harness.cost.breakeven.decision import decide_parsed
from harness.rundir.decide import Decided, DecideInput

FULL = 1e4  # times the measured goodput: more than any box that was not filled can turn out to have


def why_undecided(given: DecideInput, decided: Decided, box: PricedBox) -> str | None:
    """Why nobody can tell who wins; None: the verdict stands."""
    if box.why_unknown is not None:
        return box.why_unknown
    needed = decided.min_goodput_requests_per_s
    if box.most_per_s is not None and needed is not None and needed <= box.most_per_s:
        return (
            f"no load surely kept the latency limits; the box serves at most {box.most_per_s:.3g} requests/s within "
            f"them and would have to serve {needed:.3g}"
        )
    goodput = box.goodput
    if goodput is None or not goodput.at_least or goodput.requests_per_s is None:
        return None
    filled = decide_parsed(with_goodput(given, goodput.requests_per_s * FULL))
    if answer(filled) == answer(decided):
        return None
    return (
        f"the box was not filled: it serves at least {goodput.requests_per_s:.3g} requests/s within the limits, "
        "and more would change the answer"
    )


def with_goodput(given: DecideInput, requests_per_s: float) -> DecideInput:
    """The same box with another goodput, known exactly."""
    known = {"goodput_requests_per_s": requests_per_s, "goodput_low": None, "goodput_high": None}
    return given.model_copy(update={"self_host": given.self_host.model_copy(update=known)})


def answer(decided: Decided) -> tuple[str | None, str | None]:
    """What a decision comes to: its verdict, and who wins at the volume given."""
    return decided.verdict, None if decided.at_volume is None else decided.at_volume.winner


def left_open(decided: Decided) -> Decided:
    """The same without a verdict, a winner or a volume from which on one wins."""
    at = decided.at_volume
    return decided.model_copy(
        update={
            "verdict": None,
            "first_win_tasks_per_month": None,
            "permanent_win_tasks_per_month": None,
            "winning_windows": (),
            "interval": None,
            "at_volume": None if at is None else at.model_copy(update={"winner": None}),
        }
    )
