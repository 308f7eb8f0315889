"""What the server and its GPUs said of themselves in each load step, beside what the client saw."""

from collections.abc import Callable, Sequence

from harness.base.rounding import NA, significant, whole
from harness.report.measured.steps import LOAD, STEP
from harness.report.model import Block, Cell, Table, table_of
from harness.report.text import clean, duration, percent
from harness.rundir.accounts import Gauge, GpuAccount, Histogram, ServerAccount, ServerSaid
from harness.rundir.results import Metrics, Step


def server_blocks(metrics: Metrics) -> tuple[Block, ...]:
    """The server's own account, as far as there is one; `silence_words` says why not."""
    blocks: list[Block] = []
    if metrics.server is not None and not silence_words(metrics):
        blocks.append(_server_table(metrics.server, metrics.steps))
    if any(step.gpu for step in metrics.steps):
        blocks.append(_gpu_table(metrics.steps))
    return tuple(blocks)


def silence_words(metrics: Metrics) -> str:
    """Why the server says nothing of itself; empty where it does, and for runs from before it was asked."""
    if metrics.server is None:
        return ""
    if metrics.server.note:
        return clean(metrics.server.note)
    told = any(step.server for step in metrics.steps)
    return "" if told else "no load step was long enough for three looks at the server's counters"


def _server_table(said: ServerSaid, steps: Sequence[Step]) -> Table:
    part = next((_part(step.server) for step in steps if step.server is not None), "")
    return table_of(
        f"By {clean(said.engine or 'the server')}'s own /metrics, looked at each second{part}",
        steps,
        STEP,
        LOAD,
        ("tokens it counted", "", _told(lambda s: whole(s.generation_tokens))),
        ("tokens we received", "", _told(lambda s: whole(s.client_generation_tokens))),
        ("running, mean", "", _told(lambda s: significant(_mean(s.requests_running)))),
        ("running, most", "", _told(lambda s: whole(_most(s.requests_running)))),
        ("waiting, mean", "", _told(lambda s: significant(_mean(s.requests_waiting)))),
        ("waiting, most", "", _told(lambda s: whole(_most(s.requests_waiting)))),
        ("queue time, mean", "", _told(lambda s: duration(_mean(s.queue_time_s)))),
        ("KV cache, most", "", _told(lambda s: percent(_most(s.kv_cache_usage)))),
        ("preempted", "", _told(lambda s: whole(s.preemptions))),
        ("prefix hits", "", _told(lambda s: percent(s.prefix_cache_hit_rate))),
        ("outside the engine", "", _outside),
        notes=(
            "Tokens: generated between the first and the last look inside the step's window; they must agree within "
            "2 %. n/a: this engine does not tell it. Outside the engine: median first-token time less the engine's "
            "own queue and prefill, that is network, HTTP and this client (llama-server's queue is in it).",
        ),
    )


def _part(server: ServerAccount) -> str:
    """`, of 1 of 2 replicas: ...`; empty where all were read."""
    told, driven = server.replicas_told, server.replicas
    if told is None or driven is None or told == driven:
        return ""
    return f", of {told} of {driven} replicas: not comparable with what we received from all"


def _mean(of: Gauge | Histogram | None) -> float | None:
    return None if of is None else of.mean


def _most(gauge: Gauge | None) -> float | None:
    return None if gauge is None else gauge.max


def _or_na(text: str) -> Cell:
    return Cell(text, tone="muted" if text == NA else "")


def _told(show: Callable[[ServerAccount], str]) -> Callable[[Step], Cell]:
    return lambda step: _or_na(NA if step.server is None else show(step.server))


def _outside(step: Step) -> Cell:
    return _or_na(NA if step.server_times is None else duration(step.server_times.outside_s))


def _gpu_table(steps: Sequence[Step]) -> Table:
    def told(show: Callable[[GpuAccount], str]) -> Callable[[Step], str]:
        return lambda step: NA if step.gpu is None else show(step.gpu)

    return table_of(
        "The GPUs, over each step's window",
        steps,
        STEP,
        LOAD,
        ("GPUs", "", told(lambda gpu: whole(gpu.gpus))),
        ("busy", "", told(lambda gpu: percent(gpu.utilization))),
        ("memory", "GiB", told(lambda gpu: significant(gpu.memory_used_gib))),
        ("of", "GiB", told(lambda gpu: significant(gpu.memory_total_gib))),
        ("power", "W", told(lambda gpu: significant(gpu.power_w))),
        ("energy", "J per output token", told(lambda gpu: significant(gpu.joules_per_output_token))),
        ("throttled", None, told(lambda gpu: _throttled(gpu.throttled))),
    )


def _throttled(reasons: dict[str, float] | None) -> str:
    if reasons is None:
        return NA
    return ", ".join(f"{percent(share)} {clean(why)}" for why, share in reasons.items()) or "no"
