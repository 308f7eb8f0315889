"""What the server and its GPUs said of themselves in each load step, beside what the client saw."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.rounding import NA, significant, whole
from harness.report.model import Block, Cell, Column, Row, Table, Text
from harness.report.text import clean, duration, percent
from harness.rundir.results import Metrics, ServerAccount, ServerSaid, Step


def server_blocks(metrics: Metrics) -> tuple[Block, ...]:
    """The server's own account; where there is none, why. Nothing for runs from before there was one."""
    said = metrics.server
    if said is None:
        return ()
    blocks: list[Block] = []
    if said.note:
        blocks.append(Text(_sentence(clean(said.note)), "muted"))
    elif any(step.server for step in metrics.steps):
        blocks.append(_server_table(said, metrics.steps))
    else:
        blocks.append(Text("No load step was long enough for three looks at the server's counters.", "muted"))
    if any(step.gpu for step in metrics.steps):
        blocks.append(_gpu_table(metrics.steps))
    return tuple(blocks)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _server_table(said: ServerSaid, steps: Sequence[Step]) -> Table:
    rows = tuple(Row(tuple(_cells(step))) for step in steps)
    return Table(
        caption=f"By {clean(said.engine or 'the server')}'s own /metrics, looked at each second",
        columns=(
            Column("step"),
            Column("load", right=False),
            Column("tokens it counted"),
            Column("tokens we received"),
            Column("running, mean"),
            Column("running, most"),
            Column("waiting, mean"),
            Column("waiting, most"),
            Column("queue time, mean"),
            Column("KV cache, most"),
            Column("preempted"),
            Column("prefix hits"),
            Column("outside the engine"),
        ),
        rows=rows,
        notes=(
            "Tokens: generated between the first and the last look inside the step's window; they must agree within "
            "2 %. n/a: this engine does not tell it. Outside the engine: median first-token time less the engine's "
            "own queue and prefill, that is network, HTTP and this client (llama-server's queue is in it).",
        ),
    )


def _cells(step: Step) -> list[Cell]:
    outside = NA if step.server_times is None else duration(step.server_times.outside_s)
    told = [NA] * 10 if step.server is None else _told(step.server)
    first = [Cell(str(step.number)), Cell(step.load.words)]
    return first + [Cell(text, tone="muted" if text == NA else "") for text in (*told, outside)]


def _told(server: ServerAccount) -> list[str]:
    running, waiting, queue, cache = (
        server.requests_running,
        server.requests_waiting,
        server.queue_time_s,
        server.kv_cache_usage,
    )
    return [
        whole(server.generation_tokens),
        whole(server.client_generation_tokens),
        *((NA, NA) if running is None else (significant(running.mean), whole(running.max))),
        *((NA, NA) if waiting is None else (significant(waiting.mean), whole(waiting.max))),
        NA if queue is None else duration(queue.mean),
        NA if cache is None else percent(cache.max),
        whole(server.preemptions),
        percent(server.prefix_cache_hit_rate),
    ]


def _gpu_table(steps: Sequence[Step]) -> Table:
    rows = []
    for step in steps:
        gpu = step.gpu
        texts = [NA] * 7
        if gpu is not None:
            slow = None if gpu.throttled is None else [f"{percent(s)} {clean(w)}" for w, s in gpu.throttled.items()]
            texts = [
                whole(gpu.gpus),
                percent(gpu.utilization),
                significant(gpu.memory_used_gib),
                significant(gpu.memory_total_gib),
                significant(gpu.power_w),
                significant(gpu.joules_per_output_token),
                NA if slow is None else ", ".join(slow) or "no",
            ]
        rows.append(Row((Cell(str(step.number)), Cell(step.load.words), *map(Cell, texts))))
    return Table(
        caption="The GPUs, over each step's window",
        columns=(
            Column("step"),
            Column("load", right=False),
            Column("GPUs"),
            Column("busy"),
            Column("memory", "GiB"),
            Column("of", "GiB"),
            Column("power", "W"),
            Column("energy", "J per output token"),
            Column("throttled", right=False),
        ),
        rows=tuple(rows),
    )
