"""genai-perf, which AIPerf has replaced: <name>_genai_perf.json, the tool's own figures and what was asked.

Read from documentation and its source, no real file seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.imports.files import Source, inside, number
from harness.imports.metric_blocks import summary_of_blocks, users_of
from harness.imports.told import Part, Told, at_rate, closed
from harness.rundir.of_step import LoadOfStep

NAME = "genai-perf"
DOCUMENTED = "0.0.8 to 0.0.16"
_DIFFERENCES = (
    "tokens are counted by the tool's own tokenizer",
    "its inter_token_latency is (E2E - TTFT) over the tokens after the first",
)


def detect(source: Source) -> bool:
    """Whether it is one of this tool's, be it perf_analyzer's raw export beside it."""
    keys = source.keys
    return source.is_object and ("request_latency" in keys or "experiments" in keys) and "aiperf_version" not in keys


def read(sources: list[Source]) -> Told:
    """The summaries of one or more runs, each a part.

    Raises:
        UsageError: perf_analyzer's raw export, or a summary without what is needed.
    """
    said = [_said(source) for source in sources]
    config = inside(said[0], "input_config")
    parts = [
        Part(load := _load(source, one), summary=summary_of_blocks(source, NAME, one, load), file=source.name)
        for source, one in zip(sources, said, strict=True)
    ]
    names = config.get("model") or config.get("model_names") or config.get("formatted_model_name")
    endpoint = str(config.get("endpoint_type") or inside(config, "endpoint").get("type") or "")
    return Told(
        tool=NAME,
        layout="summary",
        parts=tuple(parts),
        model=str(names[0] if isinstance(names, list) and names else names) if names else None,
        api="chat" if "chat" in endpoint else "completions",
        streamed=any(part.summary is not None and part.summary.ttft_s.n > 0 for part in parts),
        differences=_DIFFERENCES,
        unknown=("requests one by one: perf_analyzer's export has no token counts", "its version"),
    )


def _said(source: Source) -> dict[str, Any]:
    said = source.document(NAME)
    if not isinstance(said, dict) or "experiments" in said:
        raise source.bad(
            NAME,
            "it is perf_analyzer's raw export, which has no token counts",
            hint="name the *_genai_perf.json beside it",
        )
    return said


def _load(source: Source, said: Mapping[str, Any]) -> LoadOfStep:
    config = inside(said, "input_config")
    stimulus = inside(config, "perf_analyzer", "stimulus")
    rate = number(config.get("request_rate")) or number(stimulus.get("request_rate"))
    users = number(config.get("concurrency")) or number(stimulus.get("concurrency"))
    return at_rate(rate) if rate else closed(users or users_of(source, NAME, said))
