"""Checks on the money: was the goodput measured on the demand's own shape, is it possible on this box, will it fit."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from harness.base.rounding import tasks_words
from harness.cost.arms import ApiArm
from harness.cost.box.box import PricedBox
from harness.cost.box.engine_memory import memory_of
from harness.cost.box.gpu_doubts import gpu_doubts
from harness.cost.box.plausible import Ceilings, ceilings, kv_room_tokens, weights_do_not_fit
from harness.cost.box.weights import Weights, weights_named, weights_of, weights_unsaid
from harness.cost.breakeven.decision import decide_parsed
from harness.cost.price_doubts import price_doubts
from harness.cost.undecided import answer, with_goodput
from harness.demand.demand import Demand
from harness.prices.record import COMMITTED
from harness.rundir.decide import Decided, DecideInput
from harness.rundir.decision import Arm, BoxInstance, MtokAtStep
from harness.rundir.manifest import RunManifest
from harness.rundir.result import Check, Level
from harness.rundir.results import Metrics, Step

SHAPE_TOLERANCE = 0.10  # of the demand's mean tokens: further off is another shape
MANY_INSTANCES = 10_000
SAY_WEIGHTS = "`breakeven report RUN --weights ID --quantization Q` says it; `breakeven run` takes both too"
RUN_TO_RUN = 0.06  # of the goodput: how far apart runs of one engine may lie, until repeats have shown it


def doubts(
    manifest: RunManifest, metrics: Metrics, box: PricedBox, arms: Sequence[ApiArm], demand: Demand
) -> list[Check]:
    """Every doubt about the decision, errors first."""
    today = datetime.now(UTC).date()
    found = [
        *_shape(metrics.decisive, demand),
        *gpu_doubts(box.gpus),
        *_possible(box, weights_of(manifest), manifest.model, peak_ceilings(box, manifest, metrics)),
        *_cache_room(box, manifest, metrics),
        *_unchecked(box, weights_of(manifest), SAY_WEIGHTS),
        *price_doubts(box.instance, arms, demand, today),
        *_sizes(box.instance, arms, demand),
    ]
    return _errors_first(found)


def doubts_without_a_run(model: str | None, box: PricedBox, arms: Sequence[ApiArm], demand: Demand) -> list[Check]:
    """Every doubt about a decision on a goodput that was given, errors first."""
    weights = weights_named(model) if model is not None else None
    today = datetime.now(UTC).date()
    message = f"the goodput was not measured but given: {box.given}"
    hint = "`breakeven run` measures it, within the latency limits that your users need"
    found = [
        *_possible(box, weights, model, ceilings(weights, box.listed, None) if weights and box.listed else None),
        *_unchecked(box, weights, "--model ID says it"),
        _check("goodput_given", "warning", message, hint),
        *price_doubts(box.instance, arms, demand, today),
        *_sizes(box.instance, arms, demand),
    ]
    return _errors_first(found)


def _errors_first(found: list[Check]) -> list[Check]:
    return sorted(found, key=lambda check: check.level != "error")


def _check(code: str, level: Level, message: str, hint: str | None = None) -> Check:
    return Check(code=code, level=level, message=message, hint=hint)


def off_shape(demand: Demand, *measured: float) -> list[str]:
    """What of requests of these mean input and output tokens is not the demand's, in words."""
    return [
        f"{what} {got:,.0f} tokens where the demand has {wanted:,.0f}"
        for what, got, wanted in zip(("input", "output"), measured, demand.mean_tokens(), strict=True)
        if abs(got - wanted) > SHAPE_TOLERANCE * wanted
    ]


def _shape(step: Step | None, demand: Demand) -> Iterator[Check]:
    if step is None or step.mean_input_tokens is None or step.mean_output_tokens is None:
        message = "the run does not say how long its requests were: they may have had another shape"
        yield _check("demand_shape_unknown", "warning", message)
    elif off := off_shape(demand, step.mean_input_tokens, step.mean_output_tokens):
        message = f"the goodput was measured on requests of another shape: {'; '.join(off)}"
        hint = "measure with the demand's lengths (prompts.input_tokens, output_tokens), or price another"
        yield _check("demand_shape_differs", "error", message, hint)


def _possible(box: PricedBox, weights: Weights | None, model: str | None, most: Ceilings | None) -> Iterator[Check]:
    """Weights that cannot be in the GPUs' memory, and tokens/s above what the GPUs can compute or read."""
    if weights is None or box.listed is None:
        return
    is_over_boxes = (box.instance.instances_driven or 0) > box.instance.replicas_driven
    reason = None if is_over_boxes else weights_do_not_fit(weights, box.listed)
    if reason is not None:
        hint = "is --instance the box that really served the run?"
        yield _check("weights_do_not_fit", "error", f"{model} cannot have run there: {reason}", hint)
        return
    peak = box.usd_per_mtok.at_peak or box.usd_per_mtok.at_slo
    if most is not None and peak is not None:
        yield from _too_fast(most, peak, f"{model} on {box.listed.id}")


def peak_ceilings(box: PricedBox, manifest: RunManifest, metrics: Metrics) -> Ceilings | None:
    """The most that one instance could have given in the busiest step; None: model, GPU or boxes unknown."""
    weights, instances, step = weights_of(manifest), box.instance.instances_driven, metrics.busiest
    if weights is None or box.listed is None or instances is None or step is None:
        return None
    in_flight: float | None = step.peak_in_flight if step.peak_in_flight is not None else step.load.users
    slots = manifest.identity.slots if manifest.identity is not None else None
    if in_flight is not None and slots is not None:
        in_flight = min(in_flight, slots.value * box.instance.replicas_driven)
    return ceilings(weights, box.listed, None if in_flight is None else in_flight / instances)


def _unchecked(box: PricedBox, weights: Weights | None, hint: str) -> Iterator[Check]:
    """What could not be held against the box, since nobody says enough of the weights."""
    has_gpus = box.listed is not None and box.listed.gpu_count > 0
    missing = _checks_missed(weights) if has_gpus else ""
    if weights is None or not weights.is_known:
        beside = f"; {missing}" if missing else ""
        message = f"{weights_unsaid(weights)}: no host of them is compared with{beside}"
        yield _check("weights_unknown", "warning", message, hint)
    elif missing:
        what = "how large they are" if weights.size is None else "in how many bits they are"
        what = "the shape of their KV cache" if weights.size is not None and weights.bits is not None else what
        yield _check("weights_not_checked", "warning", f"of {weights.name} nobody says {what}: {missing}", hint)


def _checks_missed(weights: Weights | None) -> str:
    """Which checks need more than is known of the weights; empty: none."""
    if weights is None or weights.size is None:
        return "that they fit the GPUs, leave room for a KV cache and can be that fast was not checked"
    if weights.bits is None or weights.kv_values is None:
        return "whether the KV cache has room for the requests at once was not checked"
    return ""


def _at_once(most: Ceilings) -> str:
    return f"{most.in_flight:,.0f} request{'' if most.in_flight == 1 else 's'}"


def _too_fast(most: Ceilings, peak: MtokAtStep, where: str) -> Iterator[Check]:
    """The ceiling that was passed by most, with the other beside it."""
    computed, read = most.compute_tokens_per_s, most.bandwidth_tokens_per_s
    both = peak.output_tokens_per_s + (peak.input_tokens_per_s or 0.0)  # output alone is a lower bound
    over = []
    if computed is not None:
        over.append((both / computed, f"{both:,.0f} tokens/s", f"the {computed:,.0f} that it can compute"))
    if read is not None:
        can = f"the {read:,.0f} that its memory bandwidth allows {_at_once(most)} at once"
        over.append((peak.output_tokens_per_s / read, f"{peak.output_tokens_per_s:,.0f} output tokens/s", can))
    over.sort(reverse=True)
    if not over or over[0][0] <= 1:
        return
    (_, reached, could), *rest = over
    beside = "".join(f"; {said} beside {other}" for _, said, other in rest)
    hint = "a prefix cache, arithmetic of fewer bits, speculative decoding, the wrong instance, or a wrong token count"
    yield _check("implausible_throughput", "warning", f"{reached} of {where} are above {could}{beside}", hint)


def _cache_room(box: PricedBox, manifest: RunManifest, metrics: Metrics) -> list[Check]:
    """Users whose requests the KV cache cannot hold at once: some of them wait, or are preempted."""
    if box.listed is None:
        return []
    rented = box.instance
    if rented.instances_driven is None:
        return []
    replicas = rented.replicas_driven / rented.instances_driven  # equal ones on the box
    weights, memory = weights_of(manifest), memory_of(manifest)
    if weights is None:
        return []
    room = kv_room_tokens(
        weights, box.listed, max(round(replicas), 1), utilization=memory.share, kv_bits=memory.kv_bits
    )
    if room is None:
        return []
    for step in metrics.loads:
        users, given, output = step.load.users, step.mean_input_tokens, step.mean_output_tokens
        if users is None or given is None or output is None:
            continue
        needed = users * (given + output)
        if needed > max(room, 0.0) * rented.instances_driven:
            at_most = max(room, 0.0) * rented.instances_driven
            message = (
                f"{users} requests of {given + output:,.0f} tokens at once need {needed:,.0f} tokens of KV cache,"
                f" {box.listed.id} has room for {at_most:,.0f} beside the weights, in {memory.kv_bits:g} bits"
            )
            hint = "from that load on requests wait or are preempted: that is the box, not the engine"
            if not memory.is_said:
                hint += "; a cache in 8 bits would have room for twice as many, and the engine's flags are not known"
            return [_check("kv_cache_full", "warning", message, hint)]
    return []


def _sizes(rented: BoxInstance, arms: Sequence[ApiArm], demand: Demand) -> Iterator[Check]:
    yield from _boxes(rented)
    if saves_nothing_off(rented, demand):
        message = (
            f"{rented.id} {rented.purchase.replace('_', ' ')} is paid whether it runs or not: `min_instances: 0` saves "
            "nothing, and it is priced for every hour of the month"
        )
        yield _check("paid_while_off", "warning", message, "--purchase on_demand, with what an hour of it costs")
    without = [
        arm.name for arm in arms if arm.batch_share(demand) > 0 and not all(price.batch for _, price in arm.parts)
    ]
    if without:
        message = f"no batch price is listed for {', '.join(without)}: the standard price is used"
        yield _check("no_batch_price", "warning", message)


def saves_nothing_off(rented: BoxInstance, demand: Demand) -> bool:
    """Whether a demand would switch off what is paid all the same: owned, or committed to."""
    by_the_hour = demand.self_host.billing == "per_hour"
    return by_the_hour and demand.min_instances == 0 and rented.purchase in COMMITTED


def _boxes(rented: BoxInstance) -> Iterator[Check]:
    """URLs of which nobody said how many boxes they are, and boxes of which only a part was driven."""
    instances = rented.instances_driven
    if instances is None:
        message = (
            f"{rented.replicas_driven} URLs were driven at the price of one {rented.id}, and nobody said how many "
            "boxes they are: nothing is decided"
        )
        hint = (
            f"`breakeven report RUN --boxes 1`, or `--boxes {rented.replicas_driven}` where each has a box of its own"
        )
        yield _check("boxes_unknown", "warning", message, hint)
    elif instances < 1:
        message = (
            f"{rented.replicas_driven} of {rented.replicas} engines of a {rented.id} were driven and the goodput "
            f"taken {1 / instances:g} times: assumed"
        )
        yield _check("replicas_assumed", "warning", message, "drive all of them: --url once for each")


def too_many_instances(decided: Decided) -> list[Check]:
    """A volume that takes more boxes than anybody rents."""
    at = decided.at_volume
    if at is None or at.instances is None or at.instances <= MANY_INSTANCES:
        return []
    message = f"{tasks_words(at.tasks_per_month)} a month would take {at.instances:,} instances"
    return [_check("many_instances", "warning", message, "check `tasks_per_month` and the measured goodput")]


def one_run(arms: Sequence[Arm]) -> Iterator[Check]:
    """Answers that another run of the same box may turn: one run sees only what changes inside it."""
    near = [arm.name for arm in arms if arm.decided and _turns(arm.input, arm.decision)]
    if near:
        message = (
            f"the answer against {', '.join(near)} is one run's: runs of an engine may lie {RUN_TO_RUN:.0%} apart "
            "(assumed), and that would turn it"
        )
        yield _check("one_run", "warning", message, "`breakeven run --repeat 3` shows how far apart they lie")


def _turns(given: DecideInput, decided: Decided) -> bool:
    """Whether a goodput beyond either end by the spread between runs brings another verdict or winner."""
    own = given.self_host
    if not own.goodput_requests_per_s:
        return False
    low = own.goodput_requests_per_s if own.goodput_low is None else own.goodput_low
    high = own.goodput_requests_per_s if own.goodput_high is None else own.goodput_high
    ends = (low / (1 + RUN_TO_RUN), high * (1 + RUN_TO_RUN))
    return any(answer(decide_parsed(with_goodput(given, end))) != answer(decided) for end in ends)
