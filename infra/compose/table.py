"""What every engine is given for a model and a box: one table, so that no two can drift apart; make.py writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    hub_gb: int
    gguf: str  # the same model in 4 bits for llama.cpp
    gguf_gb: int
    gguf_repo: str
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

    @property
    def fetching(self) -> tuple[str, str]:
        """The lines that fetch its weights, for the hub's cache and as a file."""
        hf = "uvx --from huggingface_hub hf download"
        return (
            f"{hf} {self.hub}    # {self.hub_gb} GB",
            f"{hf} {self.gguf_repo} {self.gguf} --local-dir /srv/gguf    # {self.gguf_gb} GB",
        )


WORK = (
    Work(
        "70b", "casperhansen/llama-3.3-70b-instruct-awq", 40,
        "Llama-3.3-70B-Instruct-Q4_K_M.gguf", 43, "bartowski/Llama-3.3-70B-Instruct-GGUF",
        replicas=1, context=8192, sequences=12,
    ),
    Work(
        "8b", "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", 6,
        "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", 5, "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF",
        replicas=4, context=4096, sequences=32,
    ),
)  # fmt: skip


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
    driver: str  # the oldest
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
        "R580",
        (*HUB, "VLLM_ENABLE_CUDA_COMPATIBILITY", "VLLM_NO_USAGE_STATS=1"),
        '    - "${HF_CACHE:-~/.cache/huggingface}:/root/.cache/huggingface"\n',
        more="  ipc: host\n",
        head="# A CUDA 13 build; VLLM_ENABLE_CUDA_COMPATIBILITY=1 makes it take an older driver.\n",
    ),
    Recipe(
        "sglang", "SGLang", "${SGLANG_IMAGE:-lmsysorg/sglang:v0.5.23}", 30000, 30000, "/health", sglang,
        "R580", HUB,
        '    - "${HF_CACHE:-~/.cache/huggingface}:/root/.cache/huggingface"\n',
        more="  ipc: host\n  entrypoint: [python3, -m, sglang.launch_server]\n",
        head="# A CUDA 13 build. Never run by us: its flags, routes and answers are read in its package.\n",
    ),
    Recipe(
        "tgi", "TGI", "${TGI_IMAGE:-ghcr.io/huggingface/text-generation-inference:3.3.7}", 8080, 80, "/health", tgi,
        "R550", (*HUB, "HF_HOME=/data", "USAGE_STATS=off", "PREFIX_CACHING=0"),
        '    - "${HF_CACHE:-~/.cache/huggingface}:/data"\n',
        more="  shm_size: 1g\n",
        head="# A CUDA 12.4 build. Archived in March 2026, 3.3.7 is the last; its authors name vLLM and SGLang.\n",
    ),
    Recipe(
        "llama_server", "llama-server",
        "${LLAMA_SERVER_IMAGE:-ghcr.io/ggml-org/llama.cpp:server-cuda12-b11312}", 8080, 8080, "/health", llama_server,
        "R570", PASSED, LLAMA_MOUNT,
        head="# A CUDA 12.8 build of the source that was tried out on a CPU. --ctx-size is shared by the slots.\n",
    ),
    Recipe(
        "llama_cpp_python", "llama-cpp-python's server",
        "${LLAMA_CPP_PYTHON_IMAGE:-breakeven-llama-cpp-python:0.3.36}", 8000, 8000, "/openapi.json", llama_cpp_python,
        "R570", PASSED, LLAMA_MOUNT,
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
