"""How a search ended, for people."""

from collections.abc import Mapping, Sequence

from harness.load.search.probes import Probe, Standing
from harness.scenario import SearchLoad


def load_words(search: SearchLoad, load: float) -> str:
    """`1 user`, `32 users`, `2.5 requests/s`."""
    if search.over == "users":
        return f"{load:g} user{'' if load == 1 else 's'}"
    return f"{load:g} requests/s"


def stop_words(reason: str, search: SearchLoad, best: Standing | None, fail: Standing | None) -> str:
    """Why the search ended at the highest pass and the lowest fail; for `too_short` the first is the load."""
    if reason == "too_short":
        assert best is not None
        longest_s = max(probe.length_s for probe in best.probes)
        return f"{load_words(search, best.load)}: too few requests in {longest_s:g} s to judge"
    between = found_words(search, best, fail)
    if reason == "max_probes":
        return f"{search.max_probes} probes were made (`load.max_probes`): {between}"
    if reason == "flat":
        return f"{between}, and more load adds less than 5 % to the rate"
    return between


def refused_words(search: SearchLoad, refused: Probe, best: Standing | None) -> str:
    """`4 users: the endpoint's quota refused 41% of the requests; 2 users still meet the limits`."""
    said = f"{load_words(search, refused.load)}: {refused.refused}"
    return said if best is None else f"{said}; {found_words(search, best, None)}"


def found_words(search: SearchLoad, best: Standing | None, fail: Standing | None) -> str:
    """`20 users pass, 21 users fail`; said where one of them is not sure, and where the other end is open."""
    if fail is None:
        assert best is not None
        return f"{load_words(search, best.load)} still {_verb(search, best, 'meet')} the limits{_unsure(best)}"
    if best is None:
        return f"{load_words(search, fail.load)} cannot meet the limits{_unsure(fail)}"
    if not best.is_sure and not fail.is_sure:
        return f"{_passes(search, best)}, {_fails(search, fail)}, neither for sure"
    return f"{_passes(search, best)}{_unsure(best)}, {_fails(search, fail)}{_unsure(fail)}"


def lost_words(search: SearchLoad, load: float, seconds: float) -> str:
    """Why a probe was cut: `32 users cannot meet the limits any more: stopped after 12 s`."""
    why = "cannot meet the limits any more" if search.over == "users" else "make the queue grow"
    return f"{load_words(search, load)} {why}: stopped after {seconds:.0f} s"


def count_words(history: Sequence[Probe]) -> str:
    """`5 loads were tried, 2 probes repeated one`."""
    tried = len({probe.load for probe in history})
    again = len(history) - tried
    loads = f"{tried} load{'s were' if tried != 1 else ' was'} tried"
    return loads if not again else f"{loads}, {again} probe{'s' if again != 1 else ''} repeated one"


def decided_words(low: float, high: float, needed: Mapping[str, float | None]) -> str:
    """That every arm is decided, by side; the goodput lies between the two."""
    groups = (
        (
            f"{low:.3g} requests/s or more are enough against",
            [f"{arm} (needs {need:.3g})" for arm, need in needed.items() if need is not None and low >= need],
        ),
        (
            f"{high:.3g} requests/s or less are not enough against",
            [f"{arm} (needs {need:.3g})" for arm, need in needed.items() if need is not None and low < need],
        ),
        ("no goodput pays against", [arm for arm, need in needed.items() if need is None]),
    )
    return "; ".join(f"{text} {', '.join(arms)}" for text, arms in groups if arms)


def _passes(search: SearchLoad, one: Standing) -> str:
    return f"{load_words(search, one.load)} {_verb(search, one, 'pass', 'passes')}"


def _fails(search: SearchLoad, one: Standing) -> str:
    return f"{load_words(search, one.load)} {_verb(search, one, 'fail')}"


def _verb(search: SearchLoad, one: Standing, plural: str, singular: str = "") -> str:
    return (singular or f"{plural}s") if search.over == "users" and one.load == 1 else plural


def _unsure(one: Standing) -> str:
    return "" if one.is_sure else " (not for sure)"
