"""The options of an engine's command line, by whatever name and in whatever form its own parser takes them."""

import re
from collections.abc import Sequence

_ASSIGNED = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)  # a variable of its environment among them
_NUMBER = re.compile(r"-?\d+(\.\d+)?")

# Those that are read anywhere here, each by its first name; of vLLM 0.32.0, SGLang 0.5, llama-cpp-python 0.3.36.
# Python's argparse, which these engines use, takes any beginning of a name that no other option has.
_SHORTENED: dict[str, tuple[tuple[str, ...], ...]] = {
    "vllm": (
        ("--tensor-parallel-size", "-tp"),
        ("--pipeline-parallel-size", "-pp"),
        ("--data-parallel-size", "-dp"),
        ("--prefill-context-parallel-size", "-pcp"),
        ("--decode-context-parallel-size", "-dcp"),
        ("--data-parallel-size-local", "-dpl"),
        ("--data-parallel-address", "-dpa"),
        ("--data-parallel-rank", "-dpn"),
        ("--data-parallel-backend", "-dpb"),
        ("--distributed-executor-backend",),
        ("--nnodes", "-n"),
        ("--cpu-offload-gb",),
        ("--quantization", "-q"),
        ("--quantization-config",),
        ("--gpu-memory-utilization", "--device-memory-utilization"),
        ("--device",),
        ("--kv-cache-dtype",),
        ("--kv-cache-dtype-skip-layers",),
        ("--max-num-batched-tokens",),
    ),
    "sglang": (
        ("--tensor-parallel-size", "--tp-size", "--tp"),
        ("--pipeline-parallel-size", "--pp-size", "--pp"),
        ("--data-parallel-size", "--dp-size", "--dp"),
        ("--enable-dp-attention",),
        ("--quantization",),
        ("--quantization-param-path",),
        ("--mem-fraction-static",),
        ("--kv-cache-dtype",),
        ("--chunked-prefill-size",),
    ),
    "llama_cpp_python": (("--n-gpu-layers",), ("--split-mode",), ("--main-gpu",), ("--tensor-split",), ("--n-batch",)),
}


def is_assigned(word: str) -> re.Match[str] | None:
    """A variable of the environment and its value, where a word is such."""
    return _ASSIGNED.fullmatch(word)


def option_in(engine: str | None, word: str) -> tuple[str, str | None] | None:
    """The option that a word gives, by its first name without dashes, and the value in the same word; None: none.

    `-tp`, `--tensor_parallel_size=4` and `--tensor-parallel` are `tensor-parallel-size` of vLLM.
    """
    if not word.startswith("-") or _NUMBER.fullmatch(word) or not word.strip("-"):
        return None
    given, equals, value = word.partition("=")
    given = given.replace("_", "-")
    known = _SHORTENED.get(engine or "", ())
    fits = [names[0] for names in known if given in names] or [
        names[0] for names in known if any(name.startswith(given) for name in names)
    ]
    letter = next((names[0] for names in known if given[:2] in names), None)
    if not fits and letter is not None:  # -n2
        return letter.lstrip("-"), word[2:]
    name = fits[0] if len(fits) == 1 else given  # what fits several is refused by the engine itself
    return name.lstrip("-"), value if equals else None


def options_in(engine: str | None, words: Sequence[str]) -> dict[str, list[str]]:
    """Option by option its values, the one that was given last at the end; of equal ones the last counts."""
    said: dict[str, list[str]] = {}
    values: list[str] | None = None
    for word in words:
        option = option_in(engine, word)
        if option is not None:
            said.pop(option[0], None)
            values = said[option[0]] = [] if option[1] is None else [option[1]]
        elif values is not None and not is_assigned(word):
            values.append(word)
    return said
