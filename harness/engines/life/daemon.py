"""Engines that go on running after the command that started them: `breakeven engine start|stop|status`.

What runs is remembered in `$XDG_STATE_HOME/breakeven/engines/NAME.json`, one engine of a name at a time: who starts
one holds `NAME.lock` until it serves. A file whose process is gone is stale, and removed by whoever sees it; one that
cannot be read stays, and is said.
"""

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import psutil
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError

from harness.base.errors import EngineError
from harness.base.text import printable
from harness.base.whole import regular, written_whole
from harness.engines import engine_kind
from harness.engines.kind import EngineKind, Launch, Progress, Settings
from harness.engines.life.ready import wait_until_ready
from harness.engines.process.ask import ask
from harness.engines.process.process import GRACE_S, choose_port, clean_up, engine_environment
from harness.engines.weights.cache import held, locked, opened, state_dir

_KILL_S = 5.0
_LOCK = ".lock"
Pid = Annotated[int, Field(gt=1, lt=2**31)]  # 0 and -1 would stand for whole groups, 1 is the system's


@dataclass(frozen=True, slots=True)
class Started:
    """An engine that was started here; also the content of its state file."""

    name: str
    base_url: str
    pid: Pid
    pid_created_s: FiniteFloat  # tells the process from a later one with the same id
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
        EngineError: one of that name runs already (another start may have come first), the install failed, or it did
            not come up.
    """
    kind = engine_kind(name)
    with held(_state_path(name).with_suffix(_LOCK), f"starts {kind.title}", progress):
        running = read_state(name, is_ours=True)
        if running is not None:
            raise EngineError(
                f"{kind.title} runs already at {running.base_url} (process {running.pid})",
                hint=f"breakeven engine stop {name}",
            )
        kind.install(progress)
        if settings.port is None:
            return _start(kind, model, settings, progress)
        place = state_dir("engines") / f"port-{settings.port}{_LOCK}"  # another engine may be told the same one
        with held(place, f"starts an engine at port {settings.port}", progress):
            return _start(kind, model, settings, progress)


def _start(kind: EngineKind, model: str | Path | None, settings: Settings, progress: Progress) -> Started:
    port = choose_port(settings.port)
    launch = kind.launch(model, settings, port, progress)
    log_path = state_dir("engines") / f"{kind.name}.log"
    process = _detached(launch, log_path)
    started = Started(
        name=kind.name,
        base_url=f"http://127.0.0.1:{port}",
        pid=process.pid,
        pid_created_s=psutil.Process(process.pid).create_time(),
        log=str(log_path),
        quantization=launch.quantization,
        flags=launch.flags,
        cleanup=launch.cleanup,
    )
    try:
        _write_state(started)  # before it is ready: a start that is killed must leave something to stop
        wait_until_ready(kind, started.base_url, process, log_path, launch.loads, progress)
    except BaseException:
        _end(started)
        _state_path(kind.name).unlink(missing_ok=True)
        raise
    started = replace(started, **asdict(kind.identify(started.base_url)))
    _write_state(started)
    return started


def stop(name: str) -> Started | None:
    """End the engine of that name and all that it started; None when none ran."""
    started = read_state(engine_kind(name).name)
    if started is None:
        return None
    _end(started)
    _forget_stale(name)
    return started


def _end(started: Started) -> None:
    _end_group(started.pid)
    clean_up(started.cleanup)


def _forget_stale(name: str) -> None:
    """Remove the file of an engine that is gone, unless a start is under way, which writes it anew."""
    with opened(_state_path(name).with_suffix(_LOCK)) as lock:
        if locked(lock.fileno()):
            read_state(name, is_ours=True)


def _end_group(pid: int) -> None:
    """SIGTERM to the engine's process group, SIGKILL after the grace."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, _KILL_S)):
        with contextlib.suppress(ProcessLookupError):
            try:
                os.killpg(pid, number)
            except PermissionError:
                raise EngineError(f"cannot end process {pid}: it is another user's") from None
        with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            psutil.Process(pid).wait(timeout=wait_s)


def health(started: Started | None) -> Literal["stopped", "loading", "serving"]:
    """What an engine does now; `loading` also when it hangs."""
    if started is None:
        return "stopped"
    return "serving" if ask(started.base_url + engine_kind(started.name).ready_path) is not None else "loading"


def read_state(name: str, *, is_ours: bool = False) -> Started | None:
    """The engine of that name that runs. A stale file is removed; keys of another version are left out.

    `is_ours`: we hold the lock that a start holds, so that no other can have written the file meanwhile.

    Raises:
        EngineError: the file cannot be read: what it stands for may still run, and is not forgotten.
    """
    path = _state_path(name)
    try:
        started = TypeAdapter(Started).validate_json(regular(path).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        why = _first_complaint(error) if isinstance(error, ValidationError) else error.strerror or str(error)
        raise _unreadable(path, name, why) from None
    if started.name != engine_kind(name).name:
        raise _unreadable(path, name, f"it is of `{printable(started.name)}`")
    if started.alive():
        return started
    if is_ours:
        path.unlink(missing_ok=True)
    else:
        _forget_stale(name)
    return None


def _unreadable(path: Path, name: str, why: str) -> EngineError:
    return EngineError(
        f"cannot read what is known of {engine_kind(name).title}: {path}: {why}",
        hint="end the engine by hand if it still runs, then remove the file",
    )


def _first_complaint(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"`{found['loc'][0]}`: {found['msg']}" if found["loc"] else found["msg"]


def _state_path(name: str) -> Path:
    return state_dir("engines") / f"{name}.json"


def _write_state(started: Started) -> None:
    with written_whole(_state_path(started.name)) as place:
        place.write_text(json.dumps(asdict(started), indent=2) + "\n")
