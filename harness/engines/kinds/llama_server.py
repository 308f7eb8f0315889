"""llama-server: llama.cpp's own server with slots and continuous batching, built from source once.

The source is the one inside llama-cpp-python's sdist (vendor/llama.cpp), so both run the same llama.cpp.
"""

import hashlib
import os
import platform
import shlex
import shutil
import tarfile
from pathlib import Path

from harness.backends.said import Props
from harness.base.errors import EngineError
from harness.engines.kind import EngineKind, GpuUse, Identity, Launch, Progress, Settings
from harness.engines.kinds.install import make_venv, run_step, tools_python
from harness.engines.process.ask import ask_said, first_model
from harness.engines.weights.cache import cache_dir, install_lock
from harness.engines.weights.models import find_gguf, llama_launch, whole_context

NAME = "llama_server"
SOURCE_VERSION = "0.3.36"  # of llama-cpp-python, whose sdist has the llama.cpp these flags were tried on
SOURCE_BUILD = "b11312"  # that llama.cpp: commit 0c1e57098, by the sdist's own .git
_SOURCE = f"llama_cpp_python-{SOURCE_VERSION}"
_PROGRAMS = ("llama-quantize", "llama-server")  # one build; the first adds two files to the second
CMAKE_ARGS_VARIABLE = "BREAKEVEN_LLAMA_SERVER_CMAKE_ARGS"
_CMAKE_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_APP=OFF",
    # the UI would be a download
    "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_OPENSSL=OFF",
    # what the server reports as its build; by itself it would ask git about the directory it is built in
    "-DLLAMA_BUILD_NUMBER=0", f"-DLLAMA_BUILD_COMMIT=llama-cpp-python-{SOURCE_VERSION}",
)  # fmt: skip


def launch(model: str | Path | None, settings: Settings, port: int, _progress: Progress) -> Launch:
    """The server's command line: no prompt cache but what a request asks for, and `slots` full contexts.

    With -np N the context is split, so -c is N times what one request may hold.
    """
    gguf = find_gguf(model)
    if not server_path().exists():
        raise EngineError("llama-server is not built yet", hint=f"breakeven engine install {NAME}")
    flags = [
        "--model", str(gguf.path), "--alias", gguf.path.stem,
        "--host", "127.0.0.1", "--port", str(port),
        "--ctx-size", str(settings.slots * whole_context(settings.context_tokens)),
        "--parallel", str(settings.slots), "--no-kv-unified",
        "--threads", str(settings.decode_threads), "--threads-batch", str(settings.threads),
        "--n-gpu-layers", "all", "--fit", "off", "--offline",
        "--metrics", "--no-cache-prompt", "--cache-ram", "0",
        *_split(settings),
        *settings.extra_flags,
    ]  # fmt: skip
    return llama_launch([str(server_path())], flags, gguf, settings)


def _split(settings: Settings) -> list[str]:
    """Whole layers over the GPUs that it is shown: they work one after the other, as a pipeline."""
    if not settings.gpus:
        return []
    return ["--split-mode", "layer"] if len(settings.gpus) > 1 else ["--split-mode", "none", "--main-gpu", "0"]


def identify(base_url: str) -> Identity:
    """Build, slots and context of one slot from `/props`."""
    props = ask_said(Props, f"{base_url}/props")
    return Identity(
        version=props.build_info, model=first_model(base_url), context_tokens=props.context, slots=props.total_slots
    )


def server_path() -> Path:
    """Where the built server is, or would be: by source version, by build options and by kind of CPU.

    The build is tuned to the CPU at hand; on another, a cache that was copied along would crash.
    """
    options = " ".join(_options())
    key = hashlib.sha256(f"{options} {_cpu_kind()}".encode()).hexdigest()[:8]
    return cache_dir(NAME) / f"{SOURCE_VERSION}-{platform.machine()}-{key}" / "llama-server"


def quantizer_path() -> Path:
    """Where llama.cpp's quantiser is, or would be: beside the server."""
    return server_path().with_name("llama-quantize")


def _options() -> list[str]:
    """Ours, then the user's (-DGGML_CUDA=on). Not CMAKE_ARGS: that is llama-cpp-python's, which builds no server."""
    return [*_CMAKE_OPTIONS, *shlex.split(os.environ.get(CMAKE_ARGS_VARIABLE, ""))]


def _cpu_kind() -> str:
    """The CPU's instruction sets on Linux, its name elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def installed_version() -> str | None:
    """llama-cpp-python's version whose source was built; None when it was not."""
    return f"llama-cpp-python-{SOURCE_VERSION}" if server_path().exists() else None


def install(progress: Progress) -> None:
    """Build the server and the quantiser, once: 5 to 10 minutes on 2 cores. An interrupted build goes on where it
    stopped.

    Raises:
        EngineError: the source could not be had or built; `detail` has the end of the log.
    """
    _have(server_path(), progress)


def install_quantizer(progress: Progress) -> Path:
    """Build the quantiser where a server was built without it; where it is.

    Raises:
        EngineError: as `install`.
    """
    _have(quantizer_path(), progress)
    return quantizer_path()


def _have(program: Path, progress: Progress) -> None:
    if program.exists():
        return
    with install_lock(NAME, progress):
        if not program.exists():
            work = cache_dir(NAME) / f"building-{server_path().parent.name}"
            work.mkdir(exist_ok=True)
            _build(_source(work, progress), work, progress)
            shutil.rmtree(work)


def _source(work: Path, progress: Progress) -> Path:
    """llama.cpp's source, unpacked below `work`."""
    source = work / _SOURCE / "vendor" / "llama.cpp"
    if not (work / "unpacked").exists():
        log = work / "download.log"
        command = [str(tools_python(log, progress)), "-P", "-m", "pip", "download", "--no-deps"]
        command += ["--no-binary", "llama-cpp-python", "--dest", str(work), f"llama-cpp-python=={SOURCE_VERSION}"]
        run_step("fetching llama.cpp's source (77 MB)", command, log, progress)
        progress("unpacking llama.cpp's source")
        with tarfile.open(work / f"{_SOURCE}.tar.gz") as archive:
            archive.extractall(work, filter="data")
        (work / "unpacked").touch()
    return source


def _build(source: Path, work: Path, progress: Progress) -> None:
    """Configure, compile, and move what was not there to its place as the last step."""
    missing = [program for program in _PROGRAMS if not server_path().with_name(program).exists()]
    what = " and ".join(missing)
    build, log = work / "build", work / "build.log"
    cmake, generator = _cmake(work, progress)
    configure = [cmake, "-S", str(source), "-B", str(build), *generator, *_options()]
    run_step(f"configuring {what}", configure, log, progress)
    jobs = str(Settings().threads)
    compile_it = [cmake, "--build", str(build), "--target", *missing, "--parallel", jobs]
    run_step(f"building {what} (once, 5 to 10 minutes on 2 cores)", compile_it, log, progress)
    server_path().parent.mkdir(exist_ok=True)
    shutil.copy2(source / "LICENSE", server_path().parent / "LICENSE")
    for program in missing:
        (build / "bin" / program).replace(server_path().with_name(program))


def _cmake(work: Path, progress: Progress) -> tuple[str, list[str]]:
    """cmake and the generator's flags: the machine's own, or both from PyPI in an own environment."""
    cmake, ninja = shutil.which("cmake"), shutil.which("ninja")
    if cmake:
        return cmake, ["-G", "Ninja"] if ninja else []
    python = make_venv(cache_dir("tools") / "venv", work / "tools.log", progress)
    command = [str(python), "-P", "-m", "pip", "install", "cmake", "ninja"]
    run_step("installing cmake and ninja", command, work / "tools.log", progress)
    tools = python.parent
    return str(tools / "cmake"), ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}"]


ENGINE = EngineKind(
    name=NAME,
    title="llama-server",
    backend="llama_cpp",
    ready_path="/health",  # 503 while it loads
    ready_timeout_s=600,
    launch=launch,
    identify=identify,
    install=install,
    installed_version=installed_version,
    gpu_use=GpuUse(
        flags=frozenset({"--device", "-dev", "--main-gpu", "-mg", "--tensor-split", "-ts"}),
        elsewhere=frozenset(
            {
                "--n-gpu-layers",
                "--gpu-layers",
                "-ngl",
                "--cpu-moe",
                "-cmoe",
                "--n-cpu-moe",
                "-ncmoe",
                "--override-tensor",
                "-ot",
                "--fit",
            }
        ),
    ),
)
