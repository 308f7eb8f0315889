#!/usr/bin/env python3
"""Write the compose recipes of all engines from one table, so that what they are given can't drift apart.

    python infra/compose/make.py           writes the files beside it
    python infra/compose/make.py --check   says which of them are not what it would write; ends with 1 where any is

Only the standard library: it runs on a bare box.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
GPUS = 4
PASSED = ("NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL", "NCCL_DEBUG")
HUB = ("HF_TOKEN", *PASSED)


@dataclass(frozen=True)
class Work:
    """One model on a g5.12xlarge (4 x A10G, 22.35 GiB each), the same for every engine.

    `context` and `sequences` are what llama-server can reserve beside the weights: it takes the memory of every slot
    at once, the others as requests come.
    """

    profile: str
    hub: str  # 4-bit weights on the hub
    gguf: str  # the same model in 4 bits for llama.cpp
    replicas: int  # copies, with GPUS / replicas each
    context: int  # tokens of one request, prompt and answer
    sequences: int  # requests worked on at once by one copy

    @property
    def gpus(self) -> int:
        """GPUs of one copy."""
        return GPUS // self.replicas

    @property
    def prefill(self) -> int:
        """Prompt tokens computed in one go: at least the longest prompt, since TGI refuses less."""
        return self.context


WORK = (
    Work("70b", "casperhansen/llama-3.3-70b-instruct-awq", "Llama-3.3-70B-Instruct-Q4_K_M.gguf", 1, 8192, 12),
    Work("8b", "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", "Llama-3.1-8B-Instruct-Q4_K_M.gguf", 4, 4096, 32),
)


@dataclass(frozen=True)
class Recipe:
    """How one engine is told of a `Work`, and what its container needs."""

    name: str
    title: str
    image: str
    first_port: int
    inside: int  # the port in the container
    health: str
    flags: Callable[[Work], list[str]]
    environment: tuple[str, ...]  # NAME alone is passed through, and stays unset where it is
    mounts: str  # where the weights are seen
    more: str = ""  # of every service, as YAML
    head: str = ""  # what a reader must know
    build: str = ""


def hub(work: Work) -> str:
    """A model of the hub; a variable of the box may name another."""
    return f"${{MODEL_{work.profile.upper()}:-{work.hub}}}"


def gguf(work: Work) -> str:
    """A model file; a variable of the box may name another."""
    return f"/models/${{GGUF_{work.profile.upper()}:-{work.gguf}}}"


def vllm(work: Work) -> list[str]:
    """vLLM."""
    return [
        f"--model={hub(work)}",
        *([f"--tensor-parallel-size={work.gpus}", "--disable-custom-all-reduce"] if work.gpus > 1 else []),
        f"--max-model-len={work.context}",
        f"--max-num-seqs={work.sequences}",
        f"--max-num-batched-tokens={work.prefill}",
        "--gpu-memory-utilization=0.92",
        "--no-enable-prefix-caching",
        "--generation-config=vllm",
        "--enable-prompt-tokens-details",
        "--enable-per-request-metrics",
        "--disable-uvicorn-access-log",
    ]


def sglang(work: Work) -> list[str]:
    """SGLang."""
    return [
        f"--model-path={hub(work)}",
        *([f"--tensor-parallel-size={work.gpus}"] if work.gpus > 1 else []),
        f"--context-length={work.context}",
        f"--max-running-requests={work.sequences}",
        f"--chunked-prefill-size={work.prefill}",
        "--disable-radix-cache",
        "--sampling-defaults=openai",
        "--enable-cache-report",
        "--enable-metrics",
        "--host=0.0.0.0",
        "--port=30000",
    ]


def tgi(work: Work) -> list[str]:
    """TGI; its longest prompt is a token shorter than the context."""
    return [
        f"--model-id={hub(work)}",
        *([f"--num-shard={work.gpus}"] if work.gpus > 1 else []),
        f"--max-input-tokens={work.context - 1}",
        f"--max-total-tokens={work.context}",
        f"--max-batch-size={work.sequences}",
        f"--max-batch-prefill-tokens={work.prefill}",
        "--max-concurrent-requests=512",
        f"--cuda-graphs={','.join(str(n) for n in (1, 2, 4, 8, 16, 32) if n < 2 * work.sequences)}",
    ]


def llama_server(work: Work) -> list[str]:
    """llama-server: slots share the context out."""
    return [
        "--model", gguf(work),
        "--host", "0.0.0.0", "--port", "8080",
        "--n-gpu-layers", "all", "--split-mode", "layer" if work.gpus > 1 else "none", "--flash-attn", "on",
        "--parallel", str(work.sequences), "--no-kv-unified", "--ctx-size", str(work.sequences * work.context),
        "--batch-size", str(work.prefill),
        "--metrics", "--no-cache-prompt", "--cache-ram", "0", "--offline",
    ]  # fmt: skip


def llama_cpp_python(work: Work) -> list[str]:
    """llama-cpp-python: one request at a time."""
    return [
        f"--model={gguf(work)}",
        "--host=0.0.0.0",
        "--port=8000",
        "--n_gpu_layers=-1",
        f"--n_ctx={work.context}",
        "--flash_attn=true",
        "--logits_all=false",
        "--interrupt_requests=false",
        "--verbose=false",
    ]


LLAMA_MOUNT = """\
    - type: bind
      source: ${GGUF_DIR:-/srv/gguf}
      target: /models
      read_only: true
      bind: {create_host_path: false}
"""

RECIPES = (
    Recipe(
        "vllm", "vLLM", "${VLLM_IMAGE:-vllm/vllm-openai:v0.32.0}", 8000, 8000, "/health", vllm,
        (*HUB, "VLLM_ENABLE_CUDA_COMPATIBILITY", "VLLM_NO_USAGE_STATS=1"),
        '    - "${HF_CACHE:-~/.cache/huggingface}:/root/.cache/huggingface"\n',
        more="  ipc: host\n",
        head="# A CUDA 13 build: driver R580 or newer, else VLLM_ENABLE_CUDA_COMPATIBILITY=1.\n",
    ),
    Recipe(
        "sglang", "SGLang", "${SGLANG_IMAGE:-lmsysorg/sglang:v0.5.23}", 30000, 30000, "/health", sglang, HUB,
        '    - "${HF_CACHE:-~/.cache/huggingface}:/root/.cache/huggingface"\n',
        more="  ipc: host\n  entrypoint: [python3, -m, sglang.launch_server]\n",
        head="# A CUDA 13 build: driver R580 or newer. Never run by us: flags are read in its package.\n",
    ),
    Recipe(
        "tgi", "TGI", "${TGI_IMAGE:-ghcr.io/huggingface/text-generation-inference:3.3.7}", 8080, 80, "/health", tgi,
        (*HUB, "USAGE_STATS=off", "PREFIX_CACHING=0"),
        '    - "${HF_CACHE:-~/.cache/huggingface}:/data"\n',
        more="  shm_size: 1g\n",
        head="# Archived since March 2026; 3.3.7 is the last image. Its authors name vLLM, SGLang, llama.cpp.\n",
    ),
    Recipe(
        "llama_server", "llama-server",
        "${LLAMA_SERVER_IMAGE:-ghcr.io/ggml-org/llama.cpp:server-cuda12-b9603}", 8080, 8080, "/health", llama_server,
        PASSED, LLAMA_MOUNT,
        head="# --ctx-size is shared out over the slots: slots x tokens of one request.\n",
    ),
    Recipe(
        "llama_cpp_python", "llama-cpp-python's server",
        "${LLAMA_CPP_PYTHON_IMAGE:-breakeven-llama-cpp-python:0.3.36}", 8000, 8000, "/openapi.json", llama_cpp_python,
        PASSED, LLAMA_MOUNT,
        more="  pull_policy: never    # built here, see above\n",
        head="""\
# It serves one request at a time; llama_server.yaml is the fair llama.cpp. PyPI has only its source, so the image is
# built here first, once, for the A10G (compute capability 8.6):
#   docker compose -f llama_cpp_python.yaml --profile build build
""",
        build="""\
  image:
    profiles: [build]
    image: ${LLAMA_CPP_PYTHON_IMAGE:-breakeven-llama-cpp-python:0.3.36}
    build:
      args:
        CUDA_IMAGE: ${CUDA_IMAGE:-nvidia/cuda:12.8.1-devel-ubuntu24.04}
        CUDA_ARCHITECTURES: ${CUDA_ARCHITECTURES:-86}
      dockerfile_inline: |
        ARG CUDA_IMAGE
        FROM $${CUDA_IMAGE}
        ARG CUDA_ARCHITECTURES
        RUN apt-get update && apt-get install -y --no-install-recommends python3-pip python3-venv curl
        RUN python3 -m venv /engine
        RUN CMAKE_ARGS="-DGGML_CUDA=on -DGGML_NATIVE=off -DCMAKE_CUDA_ARCHITECTURES=$${CUDA_ARCHITECTURES}" \\
            LIBRARY_PATH=/usr/local/cuda/lib64/stubs \\
            /engine/bin/pip install --no-cache-dir "llama-cpp-python[server]==0.3.36"
        ENTRYPOINT ["/engine/bin/python", "-m", "llama_cpp.server"]
""",
    ),
)  # fmt: skip


def compose(recipe: Recipe) -> str:
    """The recipe's compose file."""
    return "".join(
        (
            f"# {recipe.title} on a box with four 24 GB GPUs (g5.12xlarge: 4x A10G, PCIe only). Loopback only.\n",
            *(
                f"#   docker compose -f {recipe.name}.yaml --profile {work.profile} up -d --wait"
                f"    {_ports_in_words(recipe, work)}\n"
                for work in WORK
            ),
            "# Written by make.py: change the table there.\n",
            recipe.head,
            f"name: breakeven-{recipe.name.replace('_', '-')}\n\n",
            _engine(recipe),
            "\nservices:\n",
            recipe.build,
            "\n".join(_service(recipe, work, n) for work in WORK for n in range(work.replicas)),
        )
    )


def _ports_in_words(recipe: Recipe, work: Work) -> str:
    if work.replicas == 1:
        return f"one over all GPUs, port {recipe.first_port}"
    return f"one on each GPU, ports {recipe.first_port} to {recipe.first_port + work.replicas - 1}"


def _engine(recipe: Recipe) -> str:
    variables = "".join(f"    - {name}\n" for name in recipe.environment)
    return (
        "x-engine: &engine\n"
        f"  image: {recipe.image}\n{recipe.more}"
        f"  environment:    # a name alone is passed through, and stays unset where it is\n{variables}"
        f"  volumes:\n{recipe.mounts}"
        "  healthcheck:\n"
        f'    test: [CMD, curl, --fail, --silent, --max-time, "5", --output, /dev/null, '
        f'"http://127.0.0.1:{recipe.inside}{recipe.health}"]\n'
        "    interval: 10s\n    timeout: 10s\n    retries: 3\n"
        "    start_period: ${START_PERIOD:-15m}    # the weights are fetched beforehand: README.md\n"
    )


def _service(recipe: Recipe, work: Work, n: int) -> str:
    name = f"{recipe.name.replace('_', '-')}-{work.profile}" + (f"-{n}" if work.replicas > 1 else "")
    devices = f"count: {GPUS}" if work.replicas == 1 else f'device_ids: ["{n}"]'
    return (
        f"  {name}:\n    <<: *engine\n    profiles: [{work.profile}]\n"
        f'    ports: ["127.0.0.1:{recipe.first_port + n}:{recipe.inside}"]\n'
        f"    command:\n{''.join(f'      - {_quoted(flag)}' for flag in recipe.flags(work))}"
        "    deploy: {resources: {reservations: {devices: [{driver: nvidia, "
        f"{devices}, capabilities: [gpu]}}]}}}}}}\n"
    )


def _quoted(flag: str) -> str:
    return f'"{flag}"\n' if flag in {"on", "none"} or flag.isdigit() else f"{flag}\n"


def main(arguments: list[str]) -> int:
    """Write, or check, all files; the exit code."""
    other = []
    for recipe in RECIPES:
        path, text = HERE / f"{recipe.name}.yaml", compose(recipe)
        if arguments == ["--check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                other.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
    for name in other:
        print(f"{name} is not what make.py writes", file=sys.stderr)
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
