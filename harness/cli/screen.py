"""The screen of a run that lasts: what fails and how long the first token takes come first. It fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions
from rich.text import Text

from harness.base.text import printable
from harness.cli.standing import Standing, requests
from harness.load.protocol import Live
from harness.load.run_events import StepBegun
from harness.scenario import Slo

_NAME = 11  # columns of a line's name
_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
_NARROW_BAR = 30
_LATENCIES = ("ttft", "tpot")


@dataclass(frozen=True, slots=True)
class Screen:
    """Everything that is shown, as it stands now."""

    doing: str  # what is done before the load, and after it
    standing: Standing
    slo: Slo
    gone_s: float
    planned_s: float | None
    spent: str  # empty where nothing costs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self._lines(options.max_width, is_ascii=options.ascii_only):
            line.no_wrap, line.overflow = True, "crop" if options.ascii_only else "ellipsis"
            yield line

    def _lines(self, width: int, *, is_ascii: bool) -> Iterator[Text]:
        standing, live, step = self.standing, self.standing.live, self.standing.step
        if live is None or step is None:
            yield Text(f"{self.doing}  ").append(f"{_clock(self.gone_s)} gone", style="dim")
            return
        yield Text(self._phase(live, step), style="bold")
        yield from _failures(standing, live)
        for name in _LATENCIES:
            yield _latency(name, live, self.slo)
        yield _named("in flight", f"{live.in_flight:,}   {live.finished:,} done")
        yield _named("output", f"{standing.tokens_per_s:,.0f} tok/s ".ljust(14) + curve(standing.rates, 40, is_ascii))
        yield self._time(width, is_ascii=is_ascii)
        if self.doing != standing.what and not standing.held_for:
            yield Text(self.doing, style="dim")

    def _phase(self, live: Live, step: StepBegun) -> str:
        standing = self.standing
        if standing.held_for:
            return f"{standing.what}, holding for {requests(standing.held_for)} under way"
        planned_s = step.planned_end_s - step.start_s
        into_s = min(max(0.0, live.t_s - step.start_s), planned_s)
        return f"{standing.what}, {into_s:.0f} s of {planned_s:.0f} s"

    def _time(self, width: int, *, is_ascii: bool) -> Text:
        done_s = self.standing.done_s
        out = Text()
        words = f"{_clock(self.gone_s)} gone"
        if self.planned_s is not None:
            share = min(1.0, done_s / self.planned_s) if self.planned_s else 1.0
            columns = max(10, min(_NARROW_BAR, width - 50))
            full = round(share * columns)
            out.append(("#" if is_ascii else "━") * full, style="cyan")
            out.append(("-" if is_ascii else "─") * (columns - full) + " ", style="dim")
            words += f", {_clock(max(0.0, self.planned_s - done_s))} left"
        return out.append(", ".join(filter(None, (words, self.spent))))


def _named(name: str, words: str, style: str = "") -> Text:
    return Text(f"  {name:{_NAME}}", style="dim").append(words, style=style or "not dim")


def _failures(standing: Standing, live: Live) -> Iterator[Text]:
    failed, ended = standing.ended
    words = f"{failed:,} of {requests(ended)}" + (f", {live.failed:,} in all" if live.failed > failed else "")
    yield _named("failed", words, "bold red" if failed else "")
    if failed:
        said = ", ".join(f"{kind} x {n:,}" for kind, n in standing.errors.items())
        last = printable(live.last_error or "", 400)
        yield _named("", f"{said}; last: {last}" if said else last, "red")


def _latency(name: str, live: Live, slo: Slo) -> Text:
    p50_s, p99_s = (live.ttft_p50_s, live.ttft_p99_s) if name == "ttft" else (live.tpot_p50_s, live.tpot_p99_s)
    limits = [limit for limit in slo.limits() if limit.latency == name]
    shown = "none in the last seconds" if p50_s is None else f"p50 {short(p50_s):8} p99 {short(p99_s):8}"
    over = p50_s is not None and any(p50_s > limit.seconds for limit in limits)
    out = _named(name.upper(), shown.ljust(25), "yellow" if over else "")
    words = ", ".join(f"{limit.percentile} {short(limit.seconds)}" for limit in limits)
    return out.append(f" limit {words}", style="dim") if words else out


def short(seconds: float | None) -> str:
    """`45 ms`, `1.20 s`, three digits."""
    if seconds is None:
        return "n/a"
    if seconds < 1:
        ms = seconds * 1000
        return f"{ms:.0f} ms" if ms >= 9.95 else f"{ms:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 99.5 else f"{seconds:,.0f} s"


def _clock(seconds: float) -> str:
    """`4:10`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def curve(rates: Iterable[float], most: int, is_ascii: bool) -> str:
    """The last of the rates as a line of bars, from 0 to the highest."""
    bars = _ASCII_BARS if is_ascii else _BARS
    shown: Sequence[float] = list(rates)[-most:]
    top = max(shown, default=0.0)
    return "".join(bars[min(len(bars) - 1, int(rate / top * len(bars)))] if top else bars[0] for rate in shown)
