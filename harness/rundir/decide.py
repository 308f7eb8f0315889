"""What `decide` takes and what it gives: the parts of decision.json that other programs share with it."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from harness.base.terms import Running, Terms, check_running, check_units
from harness.base.workload import Amount, InstancesOrNone, PositiveShare, Workload
from harness.base.yamlfile import Strict
from harness.rundir.result import Result

Verdict = Literal["never", "window", "yes"]
Side = Literal["self_host", "api"]
Window = tuple[float, float | None]  # tasks a month from, to; to None: without end


class SelfHost(Running):
    """One rented instance and what it was measured to serve within the latency limits."""

    usd_per_hour: Amount
    goodput_requests_per_s: Amount | None  # None or 0: no load step met the limits
    goodput_low: Amount | None = None
    goodput_high: Amount | None = None
    max_load: PositiveShare = 1
    min_instances: InstancesOrNone = 1  # 0: none in an hour without arrivals
    fixed_usd_per_month: Amount = 0

    @model_validator(mode="after")
    def _ends_around_the_goodput(self) -> SelfHost:
        goodput, low, high = self.goodput_requests_per_s, self.goodput_low, self.goodput_high
        if low is not None and high is not None and low > high:
            raise ValueError(f"goodput_low ({low:g}) must not be above goodput_high ({high:g})")
        for key, end, wrong in (("goodput_low", low, "above"), ("goodput_high", high, "below")):
            if end is not None and not goodput:
                said = f"{key} ({end:g}) belongs to a goodput, but goodput_requests_per_s is {_null_or_0(goodput)}"
                raise _off_the_goodput(said, "leave goodput_low and goodput_high out where no load met the limits")
            if end is not None and goodput and (end > goodput if wrong == "above" else end < goodput):
                said = f"{key} ({end:g}) must not be {wrong} goodput_requests_per_s ({goodput:g})"
                raise _off_the_goodput(said, "the interval is around the goodput, in the same requests/s")
        return self


def _null_or_0(goodput: float | None) -> str:
    return "null" if goodput is None else "0"


def _off_the_goodput(said: str, hint: str) -> PydanticCustomError:
    """An end of an interval that does not hold the goodput it is said to be of."""
    return PydanticCustomError("interval", "{said}", {"said": said, "hint": hint})


class Api(Terms):
    """What the API charges. No cached price means cached tokens cost the input price."""

    input_usd_per_mtok: Amount
    cached_input_usd_per_mtok: Amount | None = None
    output_usd_per_mtok: Amount

    @model_validator(mode="after")
    def _price_of_a_unit(self) -> Api:
        check_units(self)
        return self

    @classmethod
    def _unsaid(cls) -> set[str]:
        return super()._unsaid() - {"fixed_usd_per_month"}

    @property
    def cache_read_usd_per_mtok(self) -> float:
        """What a cached input token really costs."""
        listed = self.cached_input_usd_per_mtok
        return self.input_usd_per_mtok if listed is None else listed


class DecideInput(Strict):
    """The whole input of a decision."""

    workload: Workload
    self_host: SelfHost
    api: Api

    def beside_usd(self, side: Side, tasks: float) -> float:
        """What a month's tasks take of one side beside its calls or instances: people, for those that stay unsolved."""
        per_task = self.self_host.usd_per_task if side == "self_host" else self.api.usd_per_task
        return per_task * tasks * (1 - self.workload.response_cache_hit_rate)

    @model_validator(mode="after")
    def _when_none_is_needed(self) -> DecideInput:
        box = self.self_host
        has_profile = self.workload.hourly_profile is not None
        check_running(box, box.min_instances, has_profile=has_profile, key="self_host.min_instances")
        return self


class AtVolume(Result):
    """Both sides' month at the reader's volume; None of the box: it has no capacity."""

    tasks_per_month: float
    instances: int | None = None
    utilization: float | None = None
    self_usd: float | None = None
    api_usd: float
    self_usd_per_task: float | None = None  # None without tasks too
    winner: Side | None  # None: the measurement cannot say

    @property
    def saving_usd(self) -> float | None:
        """What self-hosting saves a month; negative where it costs more, None where nobody can tell."""
        return None if self.self_usd is None or self.winner is None else self.api_usd - self.self_usd


class VerdictInterval(Result):
    """The verdict at both ends of the goodput's interval."""

    verdict_at_low: Verdict
    verdict_at_high: Verdict


class Decided(Result):
    """The output of `decide`."""

    api_usd_per_task: float  # without fixed costs
    attempts_per_task: float
    success_rate: float
    capacity_tasks_per_month: float | None  # of one instance; None: no load step met the limits
    verdict: Verdict | None  # None: the measurement cannot say, and no volume is named
    first_win_tasks_per_month: float | None
    permanent_win_tasks_per_month: float | None
    winning_windows: tuple[Window, ...]
    windows_truncated: bool
    min_goodput_requests_per_s: float | None  # None: none is enough, as where the API is free
    at_volume: AtVolume | None  # None: no volume was given
    interval: VerdictInterval | None
