"""vLLM's name for itself in an answer tells its parallelism (entrypoints/serve/utils/fingerprint.py of 0.32.0)."""

import pytest

from harness.backends.vllm import gpus_by_fingerprint


@pytest.mark.parametrize(
    ("said", "gpus"),
    [
        ("vllm-0.32.0-tp4-1a2b3c4d", (4, 4)),
        ("vllm-0.32.0-1a2b3c4d", (1, 1)),
        ("vllm-0.32.1.dev3+g12ab34cd-tp2-pp2-dp3-ep-1a2b3c4d", (4, 12)),
        ("vllm-0.32.0-dp2-nohash", (1, 2)),
        ("3.3.6-dev0-native", None),  # TGI's
        ("fp_ollama", None),
        ("my own", None),
        ("vllm-" + "-tp2" * 10_000, None),
        (None, None),
        ({"tp": 4}, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_degrees_of_a_fingerprint_are_the_gpus_of_one_copy_and_of_all(
    said: object, gpus: tuple[int, int] | None
) -> None:
    assert gpus_by_fingerprint(said) == gpus
