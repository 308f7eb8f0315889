"""TGI, by its container: it is in no package registry and has no CPU build. For machines with an NVIDIA GPU.

Not run by this project's tests, which have no GPU: they check the command line and the errors.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from harness.backends.said import Info
from harness.base.errors import EngineError, UsageError
from harness.engines.gpus.nvml import PASSED_ON
from harness.engines.kind import EngineKind, GpuUse, Identity, Launch, Progress, Settings
from harness.engines.process.ask import ask_said
from harness.engines.weights.shape import hub_home

NAME = "tgi"
IMAGE = "ghcr.io/huggingface/text-generation-inference:3.3.7"
IMAGE_VARIABLE = "BREAKEVEN_TGI_IMAGE"
_DOCKER_LIMIT_S = 20


def launch(model: str | Path | None, settings: Settings, port: int, _progress: Progress) -> Launch:
    """`docker run` in the foreground, bound to loopback: no prefix cache, no usage statistics.

    The queue takes 512 requests, so that load is refused by none of the engines compared (TGI's own
    default is 128).
    """
    if model is None:
        raise UsageError("TGI needs a model", hint="--model with a hub's id or a directory of safetensors")
    _check_docker()
    local = Path(model).resolve() if Path(model).is_dir() else None
    name = f"breakeven-tgi-{port}"
    docker = [
        "docker", "run", "--rm", "--name", name, "--gpus", _docker_gpus(settings), "--shm-size", "1g",
        "--publish", f"127.0.0.1:{port}:80",
        "--env", "HF_TOKEN", "--env", "USAGE_STATS=off", "--env", "PREFIX_CACHING=0",
        *(word for variable in _given(*PASSED_ON) for word in ("--env", variable)),
        *(["--volume", f"{local}:/weights:ro"] if local else ["--volume", f"{hub_home()}:/data"]),
    ]  # fmt: skip
    flags = [
        "--model-id", "/weights" if local else str(model),
        "--max-input-tokens", str(settings.context_tokens - 1),
        "--max-total-tokens", str(settings.context_tokens), "--max-batch-size", str(settings.slots),
        "--max-concurrent-requests", "512",
        *(["--num-shard", str(len(settings.gpus))] if settings.gpus else []),
        *settings.extra_flags,
    ]  # fmt: skip
    return Launch(
        command=[*docker, image(), *flags],
        flags=[_by_digest(image()), "PREFIX_CACHING=0", f"gpus={_docker_gpus(settings)}", *flags],
        loads=local.name if local else str(model),
        quantization=None,
        environment=_given("HF_TOKEN", *PASSED_ON),
        cleanup=["docker", "rm", "--force", name],  # a killed `docker run` leaves its container running
    )


def _docker_gpus(settings: Settings) -> str:
    """What docker's --gpus takes: a list of devices in quotation marks of its own, since a comma separates options."""
    return f'"device={",".join(map(str, settings.gpus))}"' if settings.gpus else "all"


def _given(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def image() -> str:
    """The container's image: the user's own, or the last that was published."""
    return os.environ.get(IMAGE_VARIABLE, IMAGE)


def _by_digest(reference: str) -> str:
    """With the digest that its registry knows it by: a tag can move. One that was built here has none."""
    if "@" in reference or shutil.which("docker") is None:
        return reference
    try:
        asked = _docker("image", "inspect", "--format", "{{json .RepoDigests}}", reference, timeout_s=_DOCKER_LIMIT_S)
        digests = json.loads(asked.stdout) if asked.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        return reference
    own = reference.rpartition(":")[0] if ":" in reference.rpartition("/")[2] else reference
    found = [one for one in digests if str(one).startswith(f"{own}@")] if isinstance(digests, list) else []
    return f"{reference}@{found[0].partition('@')[2]}" if found else reference


def _docker(*arguments: str, timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout_s, check=False)


def _check_docker() -> None:
    """Raises EngineError where no container can be run."""
    hint = "TGI has no other form; vllm and llama_server run without containers"
    if shutil.which("docker") is None:
        raise EngineError("TGI runs in a container, and there is no docker here", hint=hint)
    try:
        asked = _docker("version", "--format", "{{.Server.Version}}", timeout_s=_DOCKER_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise EngineError(f"docker has not answered for {_DOCKER_LIMIT_S} s", hint=hint) from None
    if asked.returncode != 0:
        said = (asked.stderr.strip().splitlines() or ["no word why"])[-1]
        raise EngineError(f"TGI runs in a container, and docker does not work here: {said}", hint=hint)


def identify(base_url: str) -> Identity:
    """`/info`; its version lags behind the tag, so the image's label is preferred."""
    info = ask_said(Info, f"{base_url}/info")
    return Identity(
        version=info.docker_label or info.version, model=info.model_id, context_tokens=info.max_total_tokens
    )


def install(progress: Progress) -> None:
    """Pull the image.

    Raises:
        EngineError: no docker, or the image cannot be had.
    """
    _check_docker()
    progress(f"pulling {image()}")
    pulled = _docker("pull", "--quiet", image())
    if pulled.returncode != 0:
        raise EngineError(f"cannot pull {image()}", detail=pulled.stderr.strip())


def installed_version() -> str | None:
    """The image's tag where docker has it; None where not."""
    if shutil.which("docker") is None:
        return None
    try:
        found = _docker("image", "inspect", image(), timeout_s=_DOCKER_LIMIT_S)
    except subprocess.TimeoutExpired:
        return None
    return image().rpartition(":")[2] if found.returncode == 0 else None


ENGINE = EngineKind(
    name=NAME,
    title="TGI",
    backend="tgi",
    ready_path="/health",
    ready_timeout_s=1800,  # the first start fetches the weights
    launch=launch,
    identify=identify,
    install=install,
    installed_version=installed_version,
    gpu_use=GpuUse(
        flags=frozenset({"--num-shard", "--sharded"}),
        elsewhere=frozenset(),
        cuda=12,  # 12.4 in the image of 3.3.7
        kv_heads="divided",
    ),
)
