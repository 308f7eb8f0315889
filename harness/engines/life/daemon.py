"""Engines that go on running after the command that started them: `breakeven engine start|stop|status`.

What runs is remembered in `$XDG_STATE_HOME/breakeven/engines/NAME.json`, one engine of a name at a time. A
file whose process is gone is stale, and removed by whoever sees it; one that cannot be read stays, and is said.
"""

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import psutil
from pydantic import TypeAdapter, ValidationError

from harness.base.errors import EngineError
from harness.base.whole import written_whole
from harness.engines import engine_kind
from harness.engines.kind import Launch, Progress, Settings
from harness.engines.life.ready import wait_until_ready
from harness.engines.process.ask import ask
from harness.engines.process.process import GRACE_S, choose_port, clean_up, engine_environment
from harness.engines.weights.cache import state_dir

_KILL_S = 5.0


@dataclass(frozen=True, slots=True)
class Started:
    """An engine that was started here; also the content of its state file."""

    name: str
    base_url: str
    pid: int
    pid_created_s: float  # tells the process from a later one with the same id
    log: str
    quantization: str | None = None
    flags: list[str] = field(default_factory=list)
    cleanup: list[str] | None = None
    version: str | None = None  # these four once it has answered
    model: str | None = None
    slots: int | None = None
    context_tokens: int | None = None

    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.pid_created_s and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def _detached(launch: Launch, log_path: Path) -> subprocess.Popen[bytes]:
    """A process in a session of its own that nobody holds."""
    try:
        with log_path.open("wb") as log:
            return subprocess.Popen(
                launch.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=engine_environment(launch.environment), start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise EngineError(f"cannot start {launch.command[0]}: {error.strerror or error}") from None


def start(name: str, model: str | Path | None, settings: Settings, progress: Progress) -> Started:
    """Install the engine if need be, start it, and come back once it serves.

    Raises:
        UsageError: unknown engine, port taken, no such model.
        EngineError: one of that name runs already, the install failed, or it did not come up.
    """
    kind = engine_kind(name)
    running = read_state(name)
    if running is not None:
        raise EngineError(
            f"{kind.title} runs already at {running.base_url} (process {running.pid})",
            hint=f"breakeven engine stop {name}",
        )
    kind.install(progress)
    port = choose_port(settings.port)
    launch = kind.launch(model, settings, port, progress)
    log_path = state_dir("engines") / f"{name}.log"
    process = _detached(launch, log_path)
    started = Started(
        name=name,
        base_url=f"http://127.0.0.1:{port}",
        pid=process.pid,
        pid_created_s=psutil.Process(process.pid).create_time(),
        log=str(log_path),
        quantization=launch.quantization,
        flags=launch.flags,
        cleanup=launch.cleanup,
    )
    _write_state(started)  # before it is ready: a start that is killed must leave something to stop
    try:
        wait_until_ready(kind, started.base_url, process, log_path, launch.loads, progress)
    except BaseException:
        stop(name)
        raise
    started = replace(started, **asdict(kind.identify(started.base_url)))
    _write_state(started)
    return started


def stop(name: str) -> Started | None:
    """End the engine of that name and all that it started; None when none ran."""
    started = read_state(engine_kind(name).name)
    if started is None:
        return None
    _end_group(started.pid)
    clean_up(started.cleanup)
    _state_path(name).unlink(missing_ok=True)
    return started


def _end_group(pid: int) -> None:
    """SIGTERM to the engine's process group, SIGKILL after the grace."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, _KILL_S)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)
        with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            psutil.Process(pid).wait(timeout=wait_s)


def health(started: Started | None) -> Literal["stopped", "loading", "serving"]:
    """What an engine does now; `loading` also when it hangs."""
    if started is None:
        return "stopped"
    return "serving" if ask(started.base_url + engine_kind(started.name).ready_path) is not None else "loading"


def read_state(name: str) -> Started | None:
    """The engine of that name that runs. A stale file is removed; keys of another version are left out.

    Raises:
        EngineError: the file cannot be read: what it stands for may still run, and is not forgotten.
    """
    path = _state_path(name)
    try:
        started = TypeAdapter(Started).validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        why = _first_complaint(error) if isinstance(error, ValidationError) else error.strerror
        raise EngineError(
            f"cannot read what is known of {engine_kind(name).title}: {path}: {why}",
            hint="end the engine by hand if it still runs, then remove the file",
        ) from None
    if started.alive():
        return started
    path.unlink(missing_ok=True)
    return None


def _first_complaint(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"`{found['loc'][0]}`: {found['msg']}" if found["loc"] else found["msg"]


def _state_path(name: str) -> Path:
    return state_dir("engines") / f"{name}.json"


def _write_state(started: Started) -> None:
    with written_whole(_state_path(started.name)) as place:
        place.write_text(json.dumps(asdict(started), indent=2) + "\n")
