"""Throughput and latency against load: the whole curve, the SLO's limits, the steps that broke them."""

from collections.abc import Callable, Iterable, Sequence

from harness.base.stats import SAMPLE_FLOORS
from harness.base.units import MS_PER_S
from harness.report.charts.distribution import distribution_chart
from harness.report.charts.panel import Panel, Point, Series, draw
from harness.report.model import Chart
from harness.rundir.results import Metrics, Step
from harness.scenario import Slo

_SECONDS_FROM = 2  # a drawing whose largest latency is this many seconds is in s, else in ms


def load_unit(steps: Iterable[Step]) -> str:
    """What the load axis counts."""
    counts_users = any(step.load.users is not None for step in steps)
    return "users at once" if counts_users else "requests per second asked"


def points_of(
    steps: Sequence[Step],
    value: Callable[[Step], float | None],
    *,
    sure: Callable[[Step], bool] = lambda _: True,
    ends: Callable[[Step], tuple[float, float] | None] = lambda _: None,
) -> tuple[Point, ...]:
    """The steps that have a load and a value, in order of load."""
    found = [
        Point(step.load.size, y, step.slo_met, sure(step), ends(step))
        for step in steps
        if step.load.size and (y := value(step)) is not None
    ]
    return tuple(sorted(found, key=lambda point: point.load))


def load_charts(metrics: Metrics, slo: Slo) -> list[Chart]:
    """Output rate, request rate, time to first token and time per token, each against load; how the last two spread."""
    spread = (distribution_chart(metrics.loads, metrics.at_slo, kind, slo) for kind in ("ttft", "tpot"))
    return [chart for chart in (*map(draw, load_panels(metrics, slo)), *spread) if chart is not None]


def load_panels(metrics: Metrics, slo: Slo) -> list[Panel]:
    """What is drawn against load."""
    steps = metrics.loads
    unit = load_unit(steps)
    marked = None if metrics.at_slo is None else metrics.at_slo.load.size
    kinds = ["ttft", "tpot"] + (["e2e"] if any(limit.latency == "e2e" for limit in slo.limits()) else [])
    return [
        Panel("load-output", "Output tokens per second", "tok/s", unit, _output(steps), (), marked),
        Panel("load-requests", "Requests per second", "req/s", unit, _requests(steps), (), marked),
        *(_latency(steps, kind, slo, unit, marked) for kind in kinds),
    ]


def _output(steps: Sequence[Step]) -> tuple[Series, ...]:
    return (Series("output", "self", points_of(steps, lambda s: s.output_tokens_per_s)),)


def _requests(steps: Sequence[Step]) -> tuple[Series, ...]:
    finished = points_of(steps, lambda s: s.requests_per_s)
    good = points_of(steps, lambda s: s.goodput_requests_per_s, ends=goodput_ends)
    return Series("finished", "series-2", finished), Series("within SLO", "self", good)


def goodput_ends(step: Step) -> tuple[float, float] | None:
    """The interval of a step's goodput, where there were enough windows for one."""
    low, high = step.goodput_low, step.goodput_high
    return None if low is None or high is None else (low, high)


_LATENCY_TITLES = {"ttft": "Time to first token", "tpot": "Time per output token", "e2e": "Whole request"}


def _latency(steps: Sequence[Step], kind: str, slo: Slo, unit: str, marked: float | None) -> Panel:
    limits = {limit.percentile: limit.seconds for limit in slo.limits() if limit.latency == kind}
    names = sorted({"p50", "p95", "p99"} | set(limits))
    largest = max([s.latency(kind).percentile(n) or 0.0 for s in steps for n in names] + [0.0])
    factor, time_unit = latency_unit(max([largest, *limits.values()]))
    return Panel(
        name=f"load-{kind}",
        title=_LATENCY_TITLES[kind],
        unit=time_unit,
        load_unit=unit,
        series=tuple(Series(n, f"series-{n}", latency_points(steps, kind, n, factor)) for n in names),
        limits=tuple((f"SLO {name}", value * factor) for name, value in limits.items()),
        marked_load=marked,
    )


def latency_unit(largest_s: float) -> tuple[float, str]:
    """What to multiply seconds with, and the unit that gives."""
    return (1.0, "s") if largest_s >= _SECONDS_FROM else (float(MS_PER_S), "ms")


def latency_points(steps: Sequence[Step], kind: str, name: str, factor: float) -> tuple[Point, ...]:
    """A percentile of a latency at each load; unsure where it rests on too few samples."""

    def value(step: Step) -> float | None:
        seconds = step.latency(kind).percentile(name)
        return None if seconds is None else seconds * factor

    def enough(step: Step) -> bool:
        return step.latency(kind).n >= SAMPLE_FLOORS.get(name, 1)

    return points_of(steps, value, sure=enough)
