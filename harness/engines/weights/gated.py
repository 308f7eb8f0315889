"""Models that the hub gives only to who has agreed to their terms, as far as that is known without asking it."""

import os
import re
from dataclasses import dataclass

from harness.engines.weights.shape import hub_home


@dataclass(frozen=True, slots=True)
class _Family:
    pattern: str  # of a hub's id, from its beginning
    source: str
    seen_on: str  # the hub refused one of them that day, or its owner said so


# only what was seen gated since 2025; Mistral's were in 2024, Gemma 4 is not
_GATED = (
    _Family(r"meta-llama/", "github.com/sgl-project/sglang/pull/14644 (Llama-3.2-1B-Instruct)", "2025-12-28"),
    _Family(
        r"google/(gemma-(\d+b|1\.1|2|3|3n)(-|$)|codegemma|recurrentgemma|shieldgemma|paligemma)",
        "github.com/ostris/ai-toolkit/pull/745 (gemma-3-12b-it), github.com/huggingface/transformers/issues/29283",
        "2026-03-24",
    ),
    _Family(r"google/embeddinggemma", "github.com/vllm-project/semantic-router/issues/817", "2025-12-12"),
)


def gated_since(hub_id: str) -> str | None:
    """The day a model of this family was last seen gated; None: not known to be."""
    found = next((family for family in _GATED if re.match(family.pattern, hub_id, re.IGNORECASE)), None)
    return None if found is None else found.seen_on


def has_token() -> bool:
    """Whether a token of the hub is in HF_TOKEN, or kept by its own login."""
    if os.environ.get("HF_TOKEN", "").strip():
        return True
    try:
        return bool((hub_home() / "token").read_bytes().strip())
    except OSError:
        return False
