"""Where every number of a decision comes from: measured, listed by someone on a date, or assumed by someone."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from harness.cost.arms import ApiArm
from harness.cost.bill import people_of
from harness.cost.box.box import PricedBox
from harness.cost.box.plausible import Ceilings
from harness.cost.breakeven.words import engineers
from harness.cost.tries import Both, tokenizer_ratio
from harness.demand.demand import Demand
from harness.prices.record import ApiPrice
from harness.rundir.decide import DecideInput
from harness.rundir.decision import Fact, People
from harness.rundir.result import Kind
from harness.rundir.results import step_number


def provenance(
    box: PricedBox, arms: Sequence[ApiArm], demand: Demand, most: Ceilings | None, tries: Mapping[str, Both]
) -> tuple[Fact, ...]:
    """One fact for each number that went in, and the most that the box could give."""
    of_arms = [fact for arm in arms for fact in (*_prices(arm), *_terms(arm, demand))]
    return (*_box(box), *_ceilings(most), *of_arms, *_tries(tries), *_demand(demand, is_tried=bool(tries)))


def _tries(tries: Mapping[str, Both]) -> Iterator[Fact]:
    """Calls and solved share of each side; the box's once."""
    sides = [("the box", both.own) for both in list(tries.values())[:1]]
    sides += [(name, both.api) for name, both in tries.items()]
    for name, side in sides:
        yield _fact(f"{name} calls a task", side.attempts, "", side.kind, side.source)
        yield _fact(f"{name} tasks solved", side.solved, "share", side.kind, side.source)
    for name, both in tries.items():
        if both.measured is not None:
            ratio = tokenizer_ratio(both.measured.tasks, both.own.tasks)
            words = "API tokens for one of ours"
            yield _fact(f"{name} tokens of the same text", ratio, words, "measured", both.measured.run)


def _fact(what: str, value: float | None, unit: str, kind: Kind, source: str, read_on: date | None = None) -> Fact:
    return Fact(what=what, value=value, unit=unit, kind=kind, source=source, date=read_on)


def _box(box: PricedBox) -> Iterator[Fact]:
    rented, goodput = box.instance, box.goodput
    named = f"{rented.id} {rented.purchase}"
    yield _fact(named, rented.usd_per_hour, "USD/h", rented.kind, rented.source, rented.checked_on)
    if box.gpus is not None and box.gpus.used is not None:
        yield _fact(f"GPUs used, of {box.gpus.box}", box.gpus.used, "", "measured", box.gpus.said_by)
    if goodput is None:
        yield _fact("goodput", None, "requests/s", "measured", box.why_no_goodput)
        return
    where = "this run" if goodput.step is None else f"step {step_number(goodput.step)} of this run"
    if rented.replicas > 1:
        yield _fact("engines on the instance", rented.replicas, "", "assumed", "given with the run")
    if rented.taken_as:
        yield _fact("boxes driven", rented.instances_driven, "", "assumed", "given with the run")
        where += f", {rented.taken_as}"
    kind: Kind = "measured" if box.given is None else "assumed"
    yield _fact("goodput", goodput.requests_per_s, "requests/s", kind, box.given or where)


def _ceilings(most: Ceilings | None) -> Iterator[Fact]:
    if most is None:
        return
    if most.compute_tokens_per_s is not None:
        source = "the GPUs' peak arithmetic over 2 FLOP for each parameter that a token uses"
        yield _fact("compute ceiling", most.compute_tokens_per_s, "tokens/s", "computed", source)
    if most.bandwidth_tokens_per_s is not None:
        source = f"the GPUs' memory bandwidth, {most.bits:g}-bit weights read once a step"
        named = f"bandwidth ceiling at {most.in_flight:,.0f} requests"
        yield _fact(named, most.bandwidth_tokens_per_s, "output tokens/s", "computed", source)


def _prices(arm: ApiArm) -> Iterator[Fact]:
    for _, price in arm.parts:
        name, source, rates = f"{price.provider}:{price.model}", _source(price), price.rates
        for what, usd in (
            ("input", rates.input_usd_per_mtok),
            ("cached input", rates.cached_input_usd_per_mtok),
            ("output", rates.output_usd_per_mtok),
        ):
            if usd is not None:
                yield _fact(f"{name} {what}", usd, "USD/Mtok", price.kind, source, price.checked_on)


def _terms(arm: ApiArm, demand: Demand) -> Iterator[Fact]:
    """What an arm has beside its price per token: of the demand where that gives it, else of the price file."""
    _, price = arm.parts[0]
    for name in sorted(arm.terms.model_fields_set):
        in_file = name in price.terms.model_fields_set and getattr(price.terms, name) == getattr(arm.terms, name)
        kind, source = (price.kind, _source(price)) if in_file else ("assumed", f"demand {demand.name}")
        what, read_on = f"{arm.name} {name.replace('_', ' ')}", price.checked_on if in_file else None
        yield _fact(what, getattr(arm.terms, name), _TERM_UNITS.get(name, ""), kind, source, read_on)


_TERM_UNITS = {
    "fixed_usd_per_month": "USD a month",
    "units_usd_per_month": "USD a month",
    "unit_tasks_per_month": "tasks",
    "unit_tokens_per_s": "tokens/s",
    "usd_per_request": "USD",
    "surcharge": "share",
    "success_rate": "share",
    "reasoning_tokens": "tokens",
    "cached_share": "share",
    "batch_share": "share",
}
_RUNNING_UNITS = {"cold_start_s": "s", "idle_s": "s", "usd_per_second": "USD/s", "service_s": "s"}


def _source(price: ApiPrice) -> str:
    return " ".join(part for part in (price.source, price.version, (price.digest or "")[:12]) if part)


_WORK = (
    ("tasks_per_month", "tasks"),
    ("retry_failure_rate", "share"),
    ("max_retries", ""),
    ("response_cache_hit_rate", "share"),
    ("peak_to_mean", ""),
    ("max_load", "share"),
    ("min_instances", ""),
    ("tokens_ratio", "API tokens for one of ours"),
    ("batch_share", "share"),
    ("human_usd_per_task", "USD"),
    ("startup_minutes", "min"),
    ("spot_interruptions_per_hour", "1/h"),
    ("spot_recovery_minutes", "min"),
)


_RETRIES = ("retry_failure_rate", "max_retries")


def _demand(demand: Demand, *, is_tried: bool = False) -> Iterator[Fact]:
    """The demand's numbers: assumed by its file where it says them, by Breakeven where it does not; without those of
    retries where each side has tries of its own.
    """
    said, file, made = set(demand.model_fields_set), f"demand {demand.name}", demand.made_of_log
    is_own = demand.made_of_run is not None
    if made is not None:
        file += f", out of {made.file}: {made.requests:,.0f} requests over {made.span_h:,.4g} h"
    values = {name: getattr(demand, name) for name, _ in _WORK} | {"peak_to_mean": demand.peak()}
    if demand.hourly_profile is not None:
        said.add("peak_to_mean")  # it says so hour by hour
    for name, unit in (row for row in _WORK if not (is_tried and row[0] in _RETRIES)):
        yield _fact(name, values[name], unit, "assumed", file if name in said else "default")
    for name, unit in _RUNNING_UNITS.items():
        if name in demand.self_host.model_fields_set:
            yield _fact(name, getattr(demand.self_host, name), unit, "assumed", file)
    for name, tokens in zip(("mean input", "mean output"), demand.mean_tokens(), strict=True):
        if is_own:
            yield _fact(name, tokens, "tokens", "measured", "this run's own requests: no demand was given")
        else:
            yield _fact(name, tokens, "tokens", "assumed", file)
    people = people_of(demand)
    if people.usd_per_month:
        source = _people_source(people) if is_own else file
        yield _fact(f"people: {engineers(people)}", round(people.usd_per_month, 2), "USD a month", "assumed", source)


def _people_source(people: People) -> str:
    """Who said how many they are, and what one takes."""
    if people.assumed:
        return "default" if people.assumed_usd_per_year is not None else "the command line; how many is the default"
    return "the command line" if people.assumed_usd_per_year is None else "the command line; their pay is the default"


def inputs_digest(inputs: Sequence[DecideInput]) -> str:
    """sha256 of the decide inputs, in order: equal digest, equal decision."""
    plain = [given.model_dump(mode="json") for given in inputs]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
