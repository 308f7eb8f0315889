"""What the server and its GPUs said of themselves in each load step, beside what the client saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.measured.steps import load_words
from harness.report.model import Block, Cell, Column, Row, Table, Text
from harness.report.text import NA, clean, duration, number, percent, significant, step_number, whole


def server_blocks(metrics: Mapping[str, Any]) -> tuple[Block, ...]:
    """The server's own account; where there is none, why. Nothing for runs from before there was one."""
    said = metrics.get("server")
    if said is None:
        return ()
    steps = metrics.get("steps") or []
    blocks: list[Block] = []
    if said.get("note"):
        blocks.append(Text(_sentence(clean(said["note"])), "muted"))
    elif any(step.get("server") for step in steps):
        blocks.append(_server_table(metrics))
    else:
        blocks.append(Text("No load step was long enough for three looks at the server's counters.", "muted"))
    gpus = [step for step in steps if step.get("gpu")]
    return (*blocks, *((_gpu_table(metrics),) if gpus else ()))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _server_table(metrics: Mapping[str, Any]) -> Table:
    rows = tuple(Row(tuple(_cells(step))) for step in metrics.get("steps") or [])
    return Table(
        caption=f"By {clean(metrics['server'].get('engine') or 'the server')}'s own /metrics, looked at each second",
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


def _cells(step: Mapping[str, Any]) -> list[Cell]:
    server, times = step.get("server") or {}, step.get("server_times") or {}
    running, waiting = server.get("requests_running") or {}, server.get("requests_waiting") or {}
    texts = [
        whole(server.get("generation_tokens")),
        whole(server.get("client_generation_tokens")),
        significant(running.get("mean")),
        whole(running.get("max")),
        significant(waiting.get("mean")),
        whole(waiting.get("max")),
        _seconds((server.get("queue_time_s") or {}).get("mean")),
        _share((server.get("kv_cache_usage") or {}).get("max")),
        whole(server.get("preemptions")),
        _share(server.get("prefix_cache_hit_rate")),
        _seconds(times.get("outside_s")),
    ]
    first = [Cell(step_number(step.get("step"))), Cell(load_words(step))]
    return first + [Cell(text, tone="muted" if text == NA else "") for text in texts]


def _gpu_table(metrics: Mapping[str, Any]) -> Table:
    rows = []
    for step in metrics.get("steps") or []:
        gpu = step.get("gpu") or {}
        throttled = gpu.get("throttled")
        slow = (
            None if throttled is None else ", ".join(f"{percent(s)} {clean(w)}" for w, s in throttled.items())
        )
        texts = [
            whole(gpu.get("gpus")),
            _share(gpu.get("utilization")),
            significant(gpu.get("memory_used_gib")),
            significant(gpu.get("memory_total_gib")),
            significant(gpu.get("power_w")),
            significant(gpu.get("joules_per_output_token")),
            NA if slow is None else slow or "no",
        ]
        cells = [Cell(step_number(step.get("step"))), Cell(load_words(step)), *map(Cell, texts)]
        rows.append(Row(tuple(cells)))
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


def _share(value: Any) -> str:
    return NA if number(value) is None else percent(value)


def _seconds(value: Any) -> str:
    return NA if number(value) is None else duration(value)
