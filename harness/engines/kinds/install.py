"""Long steps of an install: on the leash, logged, with progress, and an error that shows the log's end."""

import re
import shutil
import sys
import time
from importlib import util
from pathlib import Path

from harness.base.children import PYTHON, installer_environment
from harness.base.errors import EngineError
from harness.engines.kind import Progress
from harness.engines.process.process import LeashedProcess, log_tail
from harness.engines.weights.cache import cache_dir

_SAY_EVERY_S = 1.0
_POLL_S = 0.1
_STEP_OF = re.compile(r"\[ *(\d+)/(\d+)\]|\[ *(\d+)%\]")  # ninja's "[12/206]", make's "[ 6%]"


def run_step(what: str, command: list[str], log_path: Path, progress: Progress) -> None:
    """Run one command of an install to its end; `what` says in words what it does ("building llama-server").

    Raises:
        EngineError: it ended with another code than 0; `detail` has the end of its log.
    """
    started = said = time.monotonic()
    progress(what)
    with LeashedProcess(command, log_path, installer_environment()) as process:
        while (exit_code := process.poll()) is None:
            now = time.monotonic()
            if now - said >= _SAY_EVERY_S:
                said = now
                progress(f"{what}{_how_far(log_path)}, {now - started:.0f} s")
            time.sleep(_POLL_S)
        if exit_code != 0:
            raise EngineError(
                f"{what} failed with exit code {exit_code}",
                detail=log_tail(log_path),
                hint=f"the whole log: {log_path}",
            )


def _how_far(log_path: Path) -> str:
    steps = list(_STEP_OF.finditer(log_tail(log_path)))
    if not steps:
        return ""
    done, total, percent = steps[-1].groups()
    return f", {percent} %" if percent else f", step {done} of {total}"


def make_venv(path: Path, log_path: Path, progress: Progress) -> Path:
    """A virtual environment with pip, of our own Python; its interpreter.

    Debian's Python has no ensurepip without the package python3-venv; uv needs none.
    """
    if not (path / "bin" / "pip").exists():
        uv = shutil.which("uv")
        if util.find_spec("ensurepip") is None and uv is not None:
            command = [uv, "venv", "--clear", "--seed", "--python", sys.executable, str(path)]
        else:
            command = [*PYTHON, "-m", "venv", "--clear", str(path)]
        run_step(f"making an environment in {path}", command, log_path, progress)
    return path / "bin" / "python"


def tools_python(log_path: Path, progress: Progress) -> Path:
    """An interpreter that has pip: our own, or one made for the purpose where uv made ours without."""
    if util.find_spec("pip") is not None:
        return Path(sys.executable)
    return make_venv(cache_dir("tools") / "venv", log_path, progress)
