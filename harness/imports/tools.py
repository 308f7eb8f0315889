"""Which tools there are, and whose a file is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path

from harness.base.errors import UsageError
from harness.imports import aiperf, genai_perf, guidellm, inference_perf, llmperf, sglang_bench, vllm_bench
from harness.imports.checked import checked
from harness.imports.files import Source, as_seen
from harness.imports.told import Told


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool whose results are read."""

    name: str
    detect: Callable[[Source], bool]
    read: Callable[[list[Source]], Told]
    seen: str  # versions whose real files were read
    documented: str = ""  # versions that only their documentation was read of


_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")
# what --from calls it -> the tool; the first that knows a file has it
TOOLS: dict[str, Tool] = {
    "vllm": Tool(vllm_bench.NAME, vllm_bench.detect, vllm_bench.read, vllm_bench.SEEN, vllm_bench.DOCUMENTED),
    "sglang": Tool(sglang_bench.NAME, sglang_bench.detect, sglang_bench.read, "", sglang_bench.DOCUMENTED),
    "guidellm": Tool(guidellm.NAME, guidellm.detect, guidellm.read, guidellm.SEEN, guidellm.DOCUMENTED),
    "aiperf": Tool(aiperf.NAME, aiperf.detect, aiperf.read, aiperf.SEEN, aiperf.DOCUMENTED),
    "inference-perf": Tool(
        inference_perf.NAME, inference_perf.detect, inference_perf.read, inference_perf.SEEN, inference_perf.DOCUMENTED
    ),
    "llmperf": Tool(llmperf.NAME, llmperf.detect, llmperf.read, llmperf.SEEN),
    "genai-perf": Tool(genai_perf.NAME, genai_perf.detect, genai_perf.read, "", genai_perf.DOCUMENTED),
}


def read_results(paths: Sequence[Path], named: str | None = None) -> Told:
    """One measurement out of the files that a tool wrote of it; `named`: the tool, where the user says it.

    Raises:
        UsageError: no such file, one that no tool wrote, files of two tools, or one that cannot be used.
    """
    sources = [Source(path) for path in dict.fromkeys(paths)]
    if len({source.path.resolve() for source in sources}) < len(paths):
        raise UsageError(f"{_twice(paths)} is given twice", hint="each file once: it would be counted twice")
    _check_copies(sources)
    owners = {source.name: _owner(source) for source in sources}
    if named is None:
        for source in sources:
            if owners[source.name] is None:
                raise UsageError(f"{source.name} is no result of {_all()}", hint=_looks_like(source))
    known = list(dict.fromkeys(owner for owner in owners.values() if owner is not None))
    if len(known) > 1:
        shown = ", ".join(f"{name} ({TOOLS[owner].name})" for name, owner in owners.items() if owner is not None)
        raise UsageError(f"files of different tools: {shown}", hint="import those of each tool by themselves")
    if named is not None and known and known[0] != named:
        wrong = next(name for name, owner in owners.items() if owner is not None)
        raise UsageError(
            f"{wrong} is a file of {TOOLS[known[0]].name}, not of {TOOLS[named].name}", hint="leave --from out"
        )
    tool = TOOLS[named or known[0]]
    with as_seen(", ".join(owners), tool.name):
        told = checked(tool.read(sources), ", ".join(owners))
    if not told.has_rows and any(part.rows is not None for part in told.parts):
        raise UsageError(
            f"of {told.tool}'s loads some have their requests and some only their figures",
            hint="import those with requests by themselves",
        )
    return told


def _check_copies(sources: Sequence[Source]) -> None:
    for place, source in enumerate(sources):
        for other in sources[:place]:
            if source.head == other.head and cmp(other.path, source.path, shallow=False):
                raise UsageError(
                    f"{source.name} is a copy of {other.name}", hint="each file once: it would be counted twice"
                )


def _owner(source: Source) -> str | None:
    return next((key for key, tool in TOOLS.items() if tool.detect(source)), None)


def _all() -> str:
    *first, last = (tool.name for tool in TOOLS.values())
    return f"{', '.join(first)} or {last}" if first else last


def _twice(paths: Sequence[Path]) -> Path:
    resolved = [path.resolve() for path in paths]
    return next(path for path, whole in zip(paths, resolved, strict=True) if resolved.count(whole) > 1)


def _looks_like(source: Source) -> str:
    if source.head.startswith(_PACKED):
        return "it is compressed: unpack it first"
    if not (source.is_list or source.is_object):
        return f"it begins with {source.head[:20]!r}: name the JSON that the tool wrote, not a table or a log"
    shown = ", ".join(sorted(source.keys)[:6])
    return f"it is JSON with the keys {shown or '(none)'}; --from TOOL reads it as that tool's all the same"
