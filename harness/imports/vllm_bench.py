"""`vllm bench serve` (before: benchmark_serving.py): one JSON object a run; with --append-result several, one a line.

Read as real files: 0.32. Older layouts, without start times or with a colon in the goodput's key, from documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from harness.imports.bench_scripts import LARGE, has_rows, part_of
from harness.imports.files import Source
from harness.imports.members import Member, objects
from harness.imports.told import Api, Told

NAME = "vllm bench serve"
SEEN = "0.32"
DOCUMENTED = "0.4 to 0.31"
E2E = "e2el"  # what its keys call the whole time of a request
_KEYS = {"model_id", "num_prompts", "request_throughput"}
_DIFFERENCES = (
    "TTFT ends at the first chunk that has choices, be it the empty one that only names the role: on chat routes it "
    "may lie before the first token",
    "the time of a request begins when the client's own limit on requests at once lets it go; what it waited before is "
    "not in TTFT or E2E",
    "output tokens are the server's count where it sent one, else those of the tool's tokenizer; the file does not say "
    "which",
)


def detect(source: Source) -> bool:
    """Whether it is one of this tool's."""
    return source.is_object and source.keys >= _KEYS


def read(sources: list[Source]) -> Told:
    """The runs of one or more files, each a part.

    Raises:
        UsageError: a file that is cut, or lacks what makes a run.
    """
    runs = [(source, NAME, members) for source in sources for members in objects(source, NAME)]
    scalars = [{k: m.value() for k, m in members.items() if k not in LARGE} for *_, members in runs]
    parts = [
        replace(part_of(*run, said, E2E), model=said.get("model_id")) for run, said in zip(runs, scalars, strict=True)
    ]
    first = scalars[0]
    backend = str(first.get("backend") or first.get("endpoint_type") or "openai")
    unknown = ["its version"]
    if any(part.rows is None for part in parts):
        unknown.insert(0, "requests one by one: --save-detailed keeps them, with the times they began")
    return Told(
        tool=NAME,
        layout=_layout(first, runs[0][2]),
        parts=tuple(parts),
        model=first.get("model_id"),
        api=_api(backend, str(first.get("endpoint") or "")),
        backend=backend if backend in ("vllm", "tgi", "sglang") else "openai",
        started_at=_started(first.get("date")),
        differences=_DIFFERENCES,
        unknown=tuple(unknown),
        laid_out=any(has_rows(members) and "start_times" not in members for *_, members in runs),
        notes=("The date is the measuring machine's own, whose time zone the file does not tell.",),
    )


def _layout(said: Mapping[str, Any], members: Mapping[str, Member]) -> str:
    kind = "--save-detailed" if has_rows(members) else "plain"
    if any(key.endswith(":") for key in said):
        return f"{kind}, an older script's, whose goodput key has a colon"
    return f"{kind}, {'with' if 'start_times' in members else 'without'} start times"


def _api(backend: str, endpoint: str) -> Api:
    return "chat" if "chat" in backend or "chat" in endpoint else "completions"


def _started(date: Any) -> str | None:
    try:
        return datetime.strptime(str(date), "%Y%m%d-%H%M%S").replace(tzinfo=UTC).isoformat()
    except ValueError:
        return None
