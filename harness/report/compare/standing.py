"""A run's two figures that decide, of one instance: what it serves, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.base.units import SECONDS_PER_HOUR
from harness.report.model import RunFiles
from harness.report.verdict import gather_checks
from harness.rundir.manifest import InstanceFacts

REQUESTS = 1000  # costs are quoted for so many requests


@dataclass(frozen=True, slots=True)
class Standing:
    """A run's goodput (requests/s, with its interval) and USD per 1000 requests."""

    label: str
    goodput: float | None
    low: float | None
    high: float | None
    usd_per_hour: float | None
    errors: tuple[str, ...]  # codes of failed checks of level error
    why_none: str = "no load step met the SLO"  # where there is no goodput
    at_least: bool = False  # the box was not filled: `goodput` is a lower bound
    each: Mapping[int, float] = field(default_factory=dict)  # of repeated runs: goodput by seed

    def usd_at(self, requests_per_s: float | None) -> float | None:
        """USD of 1000 requests on an instance kept busy at a goodput; None when either is unknown."""
        if not requests_per_s or self.usd_per_hour is None:
            return None
        return self.usd_per_hour / (requests_per_s * SECONDS_PER_HOUR) * REQUESTS


def instances_of(files: RunFiles) -> float | None:
    """As how many instances what a run drove counts, as it was priced; an unpriced one counts as it was driven."""
    if files.decision is None:
        return 1.0
    priced = files.decision.self_host.instance.instances_driven
    return InstanceFacts.model_validate(files.run.instance).instances if priced is None else priced


def standing_of(files: RunFiles, label: str, instances: float | None) -> Standing:
    """The goodput of one instance, and that instance's price.

    `instances` None: nobody said of one of the runs how many it drove. Then all count as driven, and none has a price.
    """
    rented = files.decision.self_host.instance if files.decision is not None and instances is not None else None
    goodput = files.metrics.goodput
    if goodput is not None and instances is not None:
        goodput = goodput.each_of(instances)
    found = [check for run in (files.repeats or (files,)) for check in gather_checks(run.metrics, None).items]
    errors = [check.code for check in found if check.level == "error"]
    return Standing(
        label=label,
        goodput=None if goodput is None else goodput.requests_per_s,
        low=None if goodput is None else goodput.low,
        high=None if goodput is None else goodput.high,
        usd_per_hour=None if rented is None else rented.usd_per_hour,
        errors=tuple(dict.fromkeys([*errors, *(["partial"] if files.run.partial else [])])),
        why_none=files.metrics.why_no_goodput(instances or 1.0),
        at_least=goodput is not None and goodput.at_least,
        each={
            run.run.seed: run.metrics.goodput.requests_per_s / (instances or 1.0)
            for run in files.repeats
            if run.metrics.goodput is not None and run.metrics.goodput.requests_per_s
        },
    )


def at_its_load(standing: Standing, run: RunFiles) -> Standing:
    """What a task run served at its one load, which is no lower bound where all had the same."""
    step = run.metrics.at_slo
    if step is None or not standing.at_least or standing.goodput is None or not step.goodput_requests_per_s:
        return standing
    instances = step.goodput_requests_per_s / standing.goodput
    high = None if step.goodput_high is None else step.goodput_high / instances
    return replace(standing, high=high, at_least=False)
