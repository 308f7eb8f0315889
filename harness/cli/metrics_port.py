"""`--metrics-port`: how the running test stands, for a Prometheus, beside the engine's own metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import click
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from harness.base.errors import UsageError
from harness.base.urls import host_and_port
from harness.cli.options import Command
from harness.load.protocol import Live
from harness.load.run_events import RoundBegun, RunEvent, StepBegun, Waits
from harness.load.spending.purse import Spent
from harness.load.spending.tariff import usd
from harness.rundir.results import step_number

LOOPBACK = "127.0.0.1"

Place = tuple[str, int]


def place_of(ctx: click.Context, param: click.Parameter, value: str | None) -> Place | None:
    """`9105` (on loopback) or `0.0.0.0:9105`."""
    if value is None:
        return None
    found = host_and_port(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no port; write 9105, or 0.0.0.0:9105", ctx, param)
    host, port = found
    return host.strip("[]") or LOOPBACK, port


def metrics_option(command: Command) -> Command:
    """Where a Prometheus may ask."""
    return click.option(
        "--metrics-port",
        "metrics_place",
        callback=place_of,
        metavar="[HOST:]PORT",
        help="Serve the running test's metrics for a Prometheus, on loopback unless HOST says otherwise.",
    )(command)


@dataclass(frozen=True, slots=True)
class _State:
    """All that is known of the run, replaced as a whole: a scrape never sees half an event."""

    step: StepBegun | None = None
    round: RoundBegun | None = None
    holding: bool = False
    live: Live | None = None
    tokens: int = 0
    spent: Spent | None = None


class RunMetrics(Collector):
    """Listens to a run's events and tells them when it is asked."""

    def __init__(self, labels: dict[str, str]) -> None:
        self._labels = labels
        self._state = _State()

    def on_event(self, event: RunEvent) -> None:
        """Take one event of the load."""
        state = self._state
        match event:
            case StepBegun():
                self._state = replace(state, step=event, holding=False)
            case RoundBegun():
                self._state = replace(state, round=event)
            case Waits():
                self._state = replace(state, holding=True)
            case Live():
                self._state = replace(state, live=event, tokens=state.tokens + event.output_tokens)
            case Spent():
                self._state = replace(state, spent=event)

    def collect(self) -> Iterator[Metric]:
        """What is known now, in Prometheus' units."""
        state = self._state
        yield InfoMetricFamily("breakeven_run", "What is driven.", self._labels)
        if state.step is not None:
            yield _gauge("breakeven_step", "The step that is on, from 1.", step_number(state.step.step))
            users, rate = state.step.load.get("users"), state.step.load.get("requests_per_s")
            yield from _known("breakeven_step_users", "Users asked for in this step.", users)
            yield from _known("breakeven_step_requests_per_second", "Arrivals asked for in this step.", rate)
            yield _gauge("breakeven_step_holding", "1 while the load is held for the window's requests.", state.holding)
        if state.round is not None:
            yield _gauge("breakeven_round", "The round of a task run, from 1.", state.round.number)
        if state.live is not None:
            yield from _of_load(state.live, state.tokens)
        if state.spent is not None:
            yield _gauge("breakeven_spent_usd", "Spent on a driven API, by its usage.", usd(state.spent.spent_pico))


def _of_load(live: Live, tokens: int) -> Iterator[Metric]:
    yield _gauge("breakeven_requests_in_flight", "Requests under way.", live.in_flight)
    for name, what, value in (
        ("sent", "Requests begun.", live.sent),
        ("finished", "Requests that ended well.", live.finished),
        ("failed", "Requests that failed.", live.failed),
        ("not_sent", "Arrivals dropped by the cap on requests under way.", live.not_sent),
    ):
        yield CounterMetricFamily(f"breakeven_requests_{name}", what, value=value)
    yield CounterMetricFamily("breakeven_output_tokens", "Output tokens received.", value=tokens)
    ttft = GaugeMetricFamily("breakeven_ttft_seconds", "Time to first token, last ten seconds.", labels=["quantile"])
    for quantile, seconds in (("0.5", live.ttft_p50_s), ("1", live.ttft_max_s)):
        if seconds is not None:
            ttft.add_metric([quantile], seconds)
    yield ttft
    yield from _known("breakeven_e2e_seconds", "Whole requests that ended last, median.", live.e2e_p50_s)
    yield _gauge("breakeven_client_cpu_ratio", "Busiest load process, of one core.", live.cpu)
    yield _gauge("breakeven_client_loop_lag_seconds", "Longest a load process was held up.", live.loop_lag_max_s)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))


def _known(name: str, what: str, value: Any) -> Iterator[Metric]:
    """A gauge, where there is anything to tell: unknown is absent, never 0."""
    if value is not None:
        yield _gauge(name, what, value)


@contextmanager
def served(place: Place | None, labels: dict[str, str]) -> Iterator[RunMetrics]:
    """The run's metrics, reachable at `place` while the block lasts; None: nobody may ask.

    Raises:
        UsageError: the port is taken, or no address of this machine.
    """
    metrics = RunMetrics(labels)
    if place is None:
        yield metrics
        return
    registry = CollectorRegistry()
    registry.register(metrics)
    host, port = place
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        hint = "another port, or stop what has it"
        raise UsageError(f"--metrics-port {host}:{port}: {error.strerror or error}", hint=hint) from None
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
