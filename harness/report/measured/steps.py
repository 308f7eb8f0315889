"""What was measured, step by step: the table under the load charts, a search's probes, the line that sums it up."""

from collections.abc import Callable, Mapping
from typing import Any

from harness.base.rounding import NA, significant, whole
from harness.base.stats import SAMPLE_FLOORS
from harness.report.model import Block, Cell, Field, Table, Text, table_of
from harness.report.text import clean, count, duration, interval, percent, rate
from harness.rundir.of_step import Summary
from harness.rundir.results import Metrics, Step
from harness.scenario import Slo

THE_BOLD_ROW = "The row in bold gives the goodput."
STEP: Field[Step] = ("step", "", lambda step: str(step.number))
LOAD: Field[Step] = ("load", None, lambda step: Cell(step.load.words, note=round_words(step)))


def round_words(step: Step) -> str:
    """`round 2: escalation` of a task run; empty of any other."""
    return "" if step.round is None else f"round {step.round}: {step.role or 'attempts'}"


def slo_words(slo: Slo) -> str:
    """`TTFT p99 ≤ 2.00 s, TPOT p99 ≤ 200 ms, errors ≤ 1 %`."""
    parts = [f"{limit.latency.upper()} {limit.percentile} ≤ {duration(limit.seconds)}" for limit in slo.limits()]
    return ", ".join([*parts, f"errors ≤ {percent(slo.error_rate)}"])


def percentile_cell(stats: Summary, name: str, show: Callable[[float], str]) -> Cell:
    """A percentile; where it rests on fewer samples than it should, muted and with their number."""
    value = stats.percentile(name)
    if value is None:
        return Cell(NA, tone="muted")
    if stats.n < SAMPLE_FLOORS.get(name, 1):
        return Cell(show(value), note=f"n {whole(stats.n)}", tone="muted")
    return Cell(show(value))


def steps_table(metrics: Metrics) -> Table:
    """One row a load step: load, requests, rates, whether the SLO held."""
    return table_of(
        "Every load step, counted over its steady window",
        metrics.steps,
        STEP,
        LOAD,
        ("SLO", None, slo_cell),
        ("window", "s", lambda step: significant(step.window.length_s)),
        ("requests", "", lambda step: whole(step.requests)),
        ("failed", "", lambda step: Cell(whole(step.failed), tone="bad" if step.failed else "")),
        ("finished", "req/s", lambda step: significant(step.requests_per_s)),
        ("within SLO", "req/s", _within_slo),
        ("input", "tok/s", lambda step: significant(step.input_tokens_per_s)),
        ("output", "tok/s", lambda step: significant(step.output_tokens_per_s)),
        notes=(
            "A window begins after the warm-up given, or later where the step's own requests show that the server "
            "had not settled by then (told from 100 requests on); behind it the load is held until all that was "
            "scheduled inside it has ended. Rates: requests by the share of their service inside the window, tokens "
            "that arrived inside. The SLO is judged from 10 requests on, failed ones over every "
            "limit; “not surely”: chance alone could turn it. Beneath a goodput: its 95 % interval.",
            *((THE_BOLD_ROW,) if metrics.goodput is not None else ()),
        ),
        strong=lambda step: gives_goodput(metrics, step),
    )


def _within_slo(step: Step) -> Cell:
    return Cell(significant(step.goodput_requests_per_s), interval(step.goodput_low, step.goodput_high, ""))


def gives_goodput(metrics: Metrics, step: Step) -> bool:
    """Whether the run's goodput is this step's."""
    return metrics.goodput is not None and metrics.goodput.step == step.step


def slo_cell(step: Step) -> Cell:
    """Whether the step kept the SLO, and whether that is sure."""
    return {
        "yes": Cell("met", tone="good"),
        "no": Cell("broken", tone="bad"),
        "not_sure": Cell("met" if step.slo_met else "broken", note="not surely", tone="warn"),
        "not_judged": Cell("not judged", tone="muted"),
    }[step.verdict]


def goodput_words(metrics: Metrics) -> str:
    """`goodput 0.600 req/s (0.550 to 0.650, 95 %) at 4 users`, or why there is none."""
    goodput, step = metrics.goodput, metrics.decisive
    if goodput is None or goodput.at_most:
        return f"goodput: none, {metrics.why_no_goodput()}"
    at = f" at {step.load.words}" if step is not None else ""
    sure = percent(goodput.confidence)
    if goodput.at_least:
        above = "" if goodput.low is None else f" (above {significant(goodput.low)}, {sure})"
        return f"goodput at least {rate(goodput.requests_per_s)}{above}{at}"
    between = interval(goodput.low, goodput.high)
    if goodput.low is not None and goodput.high is not None:
        between += f", {sure}, one run's"
    return f"goodput {rate(goodput.requests_per_s)} ({between}){at}"


def measured_line(metrics: Metrics) -> str:
    """The run in one line: goodput, output rate and first token at the step that counts, sample counts."""
    step = metrics.decisive
    parts = [goodput_words(metrics)]
    if step is not None:
        limited = {key.split("_")[1] for key in step.limits if key.startswith("ttft_")}
        names = sorted({"p50", *(limited or {"p95"})})
        firsts = [f"{name} {_in_words(percentile_cell(step.ttft_s, name, duration))}" for name in names]
        parts += [
            f"output {significant(step.output_tokens_per_s)} tok/s",
            f"TTFT {', '.join(firsts)}",
            f"{whole(step.requests)} requests, {whole(step.failed)} failed, "
            f"{significant(step.window.length_s)} s window",
        ]
    return " · ".join(parts)


def _in_words(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.note else cell.text


_UNFINISHED = "The search did not come to an end: the run was cut short."


def search_blocks(client: Mapping[str, Any], metrics: Metrics) -> tuple[Block, ...]:
    """The probes and the reason to stop; nothing for any other kind of load."""
    probes = [step for step in metrics.steps if step.load.kind == "search"]
    if not probes:
        return ()
    ended = search_end(client)
    return (Text(f"{ended}." if ended else _UNFINISHED, "" if ended else "warn"), probes_table(metrics, probes))


def search_end(client: Mapping[str, Any]) -> str:
    """`The search ended (found): 12 users pass, 13 users fail`; empty where it did not, or was none."""
    ending = client.get("search")
    return f"The search ended ({clean(ending['reason'])}): {clean(ending['text'])}" if ending else ""


def probes_table(metrics: Metrics, probes: list[Step]) -> Table:
    """One row a probe, in the order they were made."""
    return table_of(
        f"The search's {count(len(probes), 'probe')}, in the order they were made",
        probes,
        STEP,
        LOAD,
        ("verdict", None, _verdict),
        ("window", "s", lambda step: significant(step.window.length_s)),
        ("requests", "", lambda step: whole(step.requests)),
        ("within SLO", "req/s", lambda step: _within(step.goodput_requests_per_s)),
        notes=(THE_BOLD_ROW,) if any(gives_goodput(metrics, step) for step in probes) else (),
        strong=lambda step: gives_goodput(metrics, step),
    )


def _within(goodput: float | None) -> Cell:
    return Cell(significant(goodput), tone="muted" if goodput is None else "")


def _verdict(step: Step) -> Cell:
    if step.over_saturated:
        return Cell("fails: the queue grew", tone="bad")
    if step.given_up:
        return Cell("fails: cut, it could not pass any more", tone="bad")
    if step.slo_met is None:
        return Cell("not judged", tone="muted")
    word = "passes" if step.slo_met else "fails"
    if step.verdict == "not_sure":
        return Cell(word, note="not surely", tone="warn")
    return Cell(word, tone="good" if step.slo_met else "bad")
