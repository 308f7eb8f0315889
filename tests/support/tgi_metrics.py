"""The double's /metrics, laid out as the router's exporter does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import accumulate

SECONDS = list(accumulate(range(34), lambda at, _: at * 1.5, initial=0.0001 * 1.5))
COUNTERS = {
    "tgi_request_failure": None,
    "tgi_request_count": "Total number of requests",
    "tgi_request_success": "Number of successful requests",
}
HISTOGRAMS = {
    "tgi_request_inference_duration": "Request inference duration",
    "tgi_request_input_length": "Input token length per request",
    "tgi_request_generated_tokens": None,  # the words of its HELP line are not known
    "tgi_request_max_new_tokens": None,
}


def page(counts: Counter[str], observed: Mapping[str, list[float]], bounds: Mapping[str, list[float]]) -> str:
    """Each family with what it has; one that nothing touched is left out."""
    families = []
    for name, help_text in COUNTERS.items():
        series = {key: value for key, value in sorted(counts.items()) if key.partition("{")[0] == name}
        if series:
            families.append([*_head(name, help_text, "counter"), *(f"{key} {n}" for key, n in series.items())])
    for name, help_text in HISTOGRAMS.items():
        values = observed[name]
        if values:
            under = [(repr(at).removesuffix(".0"), sum(value <= at for value in values)) for at in bounds[name]]
            buckets = [f'{name}_bucket{{le="{at}"}} {n}' for at, n in [*under, ("+Inf", len(values))]]
            ends = [f"{name}_sum {sum(values)}", f"{name}_count {len(values)}"]
            families.append([*_head(name, help_text, "histogram"), *buckets, *ends])
    return "".join("\n".join(lines) + "\n\n" for lines in families)


def _head(name: str, help_text: str | None, kind: str) -> list[str]:
    return [*([f"# HELP {name} {help_text}"] if help_text else []), f"# TYPE {name} {kind}"]
