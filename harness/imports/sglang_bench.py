"""SGLang's `bench_serving`: JSON lines, one a run; --output-details keeps the requests, without when they began.

Read from documentation and its source, no real file seen.
"""

from __future__ import annotations

from typing import Any

from harness.imports.bench_scripts import LARGE, has_rows, part_of
from harness.imports.files import Source
from harness.imports.members import objects
from harness.imports.told import Api, Told

NAME = "SGLang bench_serving"
DOCUMENTED = "0.4 to 0.5"
E2E = "e2e_latency"  # what its keys call the whole time of a request
_KEYS = {"backend", "dataset_name", "total_output_tokens_retokenized"}
_DIFFERENCES = (
    "a chunk of several tokens counts as several gaps of equal length on SGLang's own route",
    "output tokens are the server's count where it sent one, else the length that was asked for; the total of the "
    "tool's tokenizer stands beside it in the file",
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
    parts = [part_of(*run, said, E2E) for run, said in zip(runs, scalars, strict=True)]
    first = scalars[0]
    backend, info = str(first.get("backend") or ""), first.get("server_info")
    info = info if isinstance(info, dict) else {}
    unknown = ["its version"]
    if any(part.rows is None for part in parts):
        unknown.insert(0, "requests one by one: --output-details keeps them")
    if not info:
        unknown.append("the model")
    return Told(
        tool=NAME,
        layout="--output-details" if parts[0].rows is not None else "plain",
        parts=tuple(parts),
        model=_text(info.get("model_path")),
        api=_api(backend),
        backend="sglang" if "sglang" in backend else "vllm" if "vllm" in backend else "openai",
        engine="sglang" if info else None,
        differences=_DIFFERENCES,
        unknown=tuple(unknown),
        laid_out=any(has_rows(members) and "start_times" not in members for *_, members in runs),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _api(backend: str) -> Api:
    if backend in ("sglang", "sglang-native"):
        return "native"
    return "chat" if "chat" in backend else "completions"
