"""Each replica of a step by itself: what it was asked, what it answered, and whether it was there at all.

A fleet that lost a replica, or a load that lost a process, is not the one that was named: nothing of it is a goodput.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.base.stats import Floats, known, summary
from harness.base.urls import without_secrets
from harness.metrics.client_stalls import ClientStall, client_stalls, voids
from harness.metrics.rate import shares
from harness.metrics.slo import judge_errors
from harness.metrics.windows import Columns, Stamps, Window, output_tokens, served_in
from harness.rundir.arrivals import Bools, Ints
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import ReplicaOfStep, Summary
from harness.rundir.results import MIN_SLO_SAMPLES, Step

GONE_REQUESTS = 2  # failures that end a replica's run
TENFOLD = 10  # a replica fails by itself where another fails a tenth as often, if none keeps the limit


@dataclass(frozen=True, slots=True)
class Driven:
    """What was driven, and until when by everybody."""

    urls: tuple[str, ...] = ()
    lost_s: float | None = None  # when the first load process died
    stalls: tuple[ClientStall, ...] = ()  # when a load process stood still


ONE = Driven()


def driven_of(manifest: RunManifest, client: pd.DataFrame) -> Driven:
    """What a run drove, by its run.json and the samples of its client."""
    lost = [one["t_s"] for one in manifest.client.get("lost_workers") or ()]
    return Driven(tuple(dict.fromkeys(manifest.urls)), min(lost, default=None), client_stalls(client))


@dataclass(frozen=True, slots=True)
class Replicas:
    """The records of several URLs told apart."""

    urls: tuple[str, ...]
    places: Ints  # of each record's URL among them; -1: none of them
    timeout_s: float
    gone_s: tuple[float | None, ...]  # from when on each only failed, to the run's end; None: it did not


def replicas_of(records: pd.DataFrame, data: Columns, driven: Driven, timeout_s: float) -> Replicas | None:
    """None where one URL was driven: what holds for the step then holds for it."""
    if len(driven.urls) < 2:
        return None
    places = pd.Categorical(records["url"], categories=list(driven.urls)).codes
    gone_s = tuple(_gone_s(places == place, data) for place in range(len(driven.urls)))
    return Replicas(driven.urls, places, timeout_s, gone_s)


def _gone_s(mine: Bools, data: Columns) -> float | None:
    """When a replica failed for the first time after its last good answer, where it did so twice and another served on.

    One that is dead rests and is tried once a second: of a whole step's requests its failures are few.
    """
    served_s = float(data.finished_s[mine & data.ok].max(initial=-np.inf))
    failed = mine & data.failed
    later_s = np.where(np.isnan(data.ended_s), data.scheduled_s, data.ended_s)[failed]  # nobody there: nothing was sent
    later_s = later_s[later_s > served_s]
    if len(later_s) < GONE_REQUESTS:
        return None
    gone_s = float(later_s.min())
    return gone_s if (data.finished_s[~mine & data.ok] > gone_s).any() else None


def by_replica(replicas: Replicas, data: Columns, window: Window, stamps: Stamps | None) -> tuple[ReplicaOfStep, ...]:
    """Every URL of a step, in the order they were given; whether one fails is told when all are known."""
    if window.length_s <= 0:
        return ()
    ends_s = np.where(data.timed_out, data.sent_s + replicas.timeout_s, data.ended_s)
    ends_s = np.where(np.isnan(ends_s), window.end_s, ends_s)  # under way when the run ended
    busy_s = np.maximum(np.minimum(ends_s, window.end_s) - np.maximum(data.sent_s, window.start_s), 0.0)
    served = data.ok * shares(data.sent_s, data.finished_s, window)
    due, with_tokens = data.due_in(window), served_in(data, window)

    def one(place: int) -> ReplicaOfStep:
        mine: Bools = replicas.places == place
        timed = due & mine & data.ok
        return ReplicaOfStep(
            url=without_secrets(replicas.urls[place]),
            requests=int((due & mine & (data.ok | data.failed)).sum()),
            failed=int((due & mine & data.failed).sum()),
            requests_per_s=float(served[mine].sum()) / window.length_s,
            output_tokens_per_s=output_tokens(data, mine & with_tokens, window, stamps) / window.length_s,
            ttft_s=_summary(data.ttft_s[timed]),
            tpot_s=_summary(data.tpot_s[timed]),
            in_flight=float(np.nansum(busy_s[mine])) / window.length_s,
            gone_s=replicas.gone_s[place],
        )

    return tuple(map(one, range(len(replicas.urls))))


def _summary(values: Floats) -> Summary:
    return Summary(**summary(known(values)))


def looked_at(steps: Sequence[Step], driven: Driven, error_rate: float) -> list[Step]:
    """The steps, each replica that fails by itself marked; those in which one does, or a load process was lost or stood
    still, are void.

    A replica that answered nothing in any step, while another did, fails in all.
    """
    silent = _silent([step.replicas for step in steps])
    return [_voided(_marked(step, silent, error_rate), driven) for step in steps]


def _silent(of_steps: Sequence[Sequence[ReplicaOfStep]]) -> set[str]:
    """Those that never answered well, while another did."""
    urls = {one.url for replicas in of_steps for one in replicas}
    answered = {one.url for replicas in of_steps for one in replicas if one.is_there}
    return urls - answered if answered else set()


def _marked(step: Step, silent: set[str], error_rate: float) -> Step:
    if not step.replicas:
        return step
    fails = [one.url in silent or _fails(one, step, error_rate) for one in step.replicas]
    marked = [one.model_copy(update={"failing": is_so}) for one, is_so in zip(step.replicas, fails, strict=True)]
    return step.model_copy(update={"replicas": tuple(marked)})


def _fails(one: ReplicaOfStep, step: Step, error_rate: float) -> bool:
    """Whether a replica failed in a step by itself: gone, silent, or surely over the limit where another was not.

    Where all fail alike the load was too much for the fleet: that is a step that breaks its limit, no dead replica. One
    that got nothing is silent only where it had its turn: enough requests, and as many at once as there are replicas.
    """
    others = [other for other in step.replicas if other is not one]
    if one.gone_s is not None and one.gone_s < step.window.end_s:
        return True
    if not one.answered and any(other.answered for other in others):
        n = len(step.replicas)
        had_its_turn = step.requests >= MIN_SLO_SAMPLES * n and (step.peak_in_flight or 0) >= n
        return one.requests > 0 or had_its_turn
    if judge_errors(one.requests, one.failed, error_rate).verdict != "no":
        return False
    best = min((other.failed_share for other in others if other.requests >= MIN_SLO_SAMPLES), default=None)
    return best is not None and best <= max(error_rate, one.failed_share / TENFOLD)


def _voided(step: Step, driven: Driven) -> Step:
    """The step without a verdict and a goodput, where it is of another fleet or load than was asked for."""
    why = [*([step.void] if step.void else []), *(one.words for one in step.replicas if one.failing)]
    if driven.lost_s is not None and step.window.end_s > driven.lost_s:
        why.append("a load process had died, so that only a part of the load was driven")
    if voids(step, driven.stalls):
        why.append("the client itself stood still, so that its figures are not the server's")
    return step.voided("; ".join(why)) if why else step
