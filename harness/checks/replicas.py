"""Checks of several URLs: did each of them answer, and did they share the load?"""

from collections.abc import Iterator

from harness.checks.finding import at, check
from harness.rundir.result import Check
from harness.rundir.results import Metrics, Step

UNEVEN = 0.20  # of an equal share
CHANCE = 3.0  # standard deviations of a count that chance alone gives an equal share


def replica_step_checks(step: Step) -> Iterator[Check]:
    """Replicas that failed by themselves in a step."""
    for one in step.replicas:
        if one.failing:
            requests = sum(other.requests for other in step.replicas if other is not one)
            failed = sum(other.failed for other in step.replicas if other is not one)
            text = f"{at(step)} {one.words}; elsewhere {failed} of {requests} failed"
            hint = "nothing of this run is priced: the fleet was not whole; mend the replica, or leave its --url out"
            never = "nothing of this run is priced: it got no request; fewer users than replicas do not reach them all"
            yield check("replica_failing", "error", text, hint if one.requests else never)


def replica_run_checks(metrics: Metrics) -> Iterator[Check]:
    """Requests that lay unevenly over the replicas, over all windows; a replica that failed is told of by its step."""
    counts: dict[str, int] = {}
    for step in metrics.steps:
        for one in step.replicas:
            counts[one.url] = counts.get(one.url, 0) + one.requests
    if metrics.failing or not any(counts.values()):
        return
    share = sum(counts.values()) / len(counts)
    by_chance = CHANCE * (share * (1 - 1 / len(counts))) ** 0.5
    if any(abs(count - share) > max(UNEVEN * share, by_chance) for count in counts.values()):
        shown = ", ".join(f"{url} {count:,}" for url, count in counts.items())
        text = f"the replicas did not get equal shares of the requests: {shown}; an equal share is {share:,.0f}"
        hint = "unlike machines do so; if they are alike, look at the slow one, or at who else uses it"
        yield check("replicas_uneven", "warning", text, hint)
