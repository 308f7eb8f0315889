"""Engines that go on running after the command that started them: `breakeven engine start|stop|status`.

What runs is remembered in `$XDG_STATE_HOME/breakeven/engines/NAME.json`, one engine of a name at a time, with all its
replicas: who starts one holds `NAME.lock` until it serves. A file whose processes are gone is stale, and removed by
whoever sees it; one that cannot be read stays, and is said.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Sequence
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
from harness.engines.process.process import GRACE_S, choose_ports, clean_up, engine_environment
from harness.engines.weights.cache import held, locked, opened, state_dir

_KILL_S = 5.0
_LOCK = ".lock"
Pid = Annotated[int, Field(gt=1, lt=2**31)]  # 0 and -1 would stand for whole groups, 1 is the system's


Health = Literal["stopped", "loading", "degraded", "serving"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One process that serves a copy of the weights."""

    base_url: str
    pid: Pid
    pid_created_s: FiniteFloat  # tells the process from a later one with the same id
    log: str
    flags: list[str] = field(default_factory=list)
    cleanup: list[str] | None = None

    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.pid_created_s and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Replica):
    """An engine that was started here, by its first replica; also the content of its state file."""

    name: str
    quantization: str | None = None
    version: str | None = None  # these four once it has answered
    model: str | None = None
    slots: int | None = None
    context_tokens: int | None = None
    others: list[Replica] = field(default_factory=list)

    @property
    def replicas(self) -> list[Replica]:
        """All of them."""
        return [self, *self.others]

    @property
    def urls(self) -> list[str]:
        """Where they serve."""
        return [each.base_url for each in self.replicas]


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


def start(name: str, model: str | Path | None, copies: Sequence[Settings], progress: Progress) -> Started:
    """Install the engine if need be, start a replica of each settings, and come back once all serve.

    Raises:
        UsageError: unknown engine, port taken, no such model.
        EngineError: one of that name runs already (another start may have come first), the install failed, or it did
            not come up.
    """
    kind = engine_kind(name)
    with held(_state_path(name).with_suffix(_LOCK), f"starts {kind.title}", progress):
        running = read_state(name, is_ours=True)
        if running is not None:
            raise _runs_already(kind, running)
        kind.install(progress)
        with contextlib.ExitStack() as stack:
            for port in sorted(settings.port for settings in copies if settings.port is not None):
                place = state_dir("engines") / f"port-{port}{_LOCK}"  # another engine may be told the same one
                stack.enter_context(held(place, f"starts an engine at port {port}", progress))
            return _Starting(kind, model, progress).start(copies)


def _runs_already(kind: EngineKind, running: Started) -> EngineError:
    """What stands in the way of a start: the engine, or what is left of it."""
    left = [each for each in running.replicas if each.alive()] or running.replicas
    places = ", ".join(f"{each.base_url} (process {each.pid})" for each in left)
    ended, hint = len(running.replicas) - len(left), f"breakeven engine stop {kind.name}"
    if not ended:
        return EngineError(f"{kind.title} runs already at {places}", hint=hint)
    return EngineError(
        f"{kind.title} is degraded: {ended} of its {len(running.replicas)} replicas ended, what is left is at {places}",
        hint=f"{hint} ends what is left, then start it again",
    )


class _Starting:
    """One start under way: what has begun is in the state file, and ended where it comes to nothing."""

    def __init__(self, kind: EngineKind, model: str | Path | None, progress: Progress) -> None:
        self.kind, self.model, self.progress = kind, model, progress
        self.begun: list[Replica] = []
        self.started: Started | None = None

    def start(self, copies: Sequence[Settings]) -> Started:
        """The first alone, since it fetches, converts and compiles what the others need too; then those at once."""
        ports = choose_ports([settings.port for settings in copies])
        first, *others = zip(copies, ports, strict=True)
        try:
            self._serve([first])
            assert self.started is not None
            self.started = replace(self.started, **asdict(self.kind.identify(self.started.base_url)))
            self._serve(others)
        except BaseException:
            _end(self.begun)
            _state_path(self.kind.name).unlink(missing_ok=True)
            raise
        _write_state(self.started)
        return self.started

    def _serve(self, copies: Sequence[tuple[Settings, int]]) -> None:
        for replica, process, loads in [self._begin(settings, port) for settings, port in copies]:
            wait_until_ready(self.kind, replica.base_url, process, Path(replica.log), loads, self.progress)

    def _begin(self, settings: Settings, port: int) -> tuple[Replica, subprocess.Popen[bytes], str]:
        launch = self.kind.launch(self.model, settings, port, self.progress)
        number = f"-{len(self.begun) + 1}" if self.begun else ""
        log_path = state_dir("engines") / f"{self.kind.name}{number}.log"
        process = _detached(launch, log_path)
        replica = Replica(
            base_url=f"http://127.0.0.1:{port}",
            pid=process.pid,
            pid_created_s=psutil.Process(process.pid).create_time(),
            log=str(log_path),
            flags=launch.flags,
            cleanup=launch.cleanup,
        )
        self.begun.append(replica)
        if self.started is None:
            self.started = Started(name=self.kind.name, quantization=launch.quantization, **asdict(replica))
        else:
            self.started = replace(self.started, others=[*self.started.others, replica])
        _write_state(self.started)  # before it is ready: a start that is killed must leave something to stop
        return replica, process, launch.loads


def stop(name: str) -> Started | None:
    """End the engine of that name and all that it started; None when none ran."""
    started = read_state(engine_kind(name).name)
    if started is None:
        return None
    _end([each for each in started.replicas if each.alive()])
    _forget_stale(name)
    return started


def _end(replicas: Iterable[Replica]) -> None:
    _end_groups([each.pid for each in replicas])
    for each in replicas:
        clean_up(each.cleanup)


def _forget_stale(name: str) -> None:
    """Remove the file of an engine that is gone, unless a start is under way, which writes it anew."""
    with opened(_state_path(name).with_suffix(_LOCK)) as lock:
        if locked(lock.fileno()):
            read_state(name, is_ours=True)


def _end_groups(pids: Sequence[int]) -> None:
    """SIGTERM to the process group of each replica, SIGKILL after the grace."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, _KILL_S)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                try:
                    os.killpg(pid, number)
                except PermissionError:
                    raise EngineError(f"cannot end process {pid}: it is another user's") from None
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                psutil.Process(pid).wait(timeout=wait_s)


def health(started: Started | None) -> Health:
    """What an engine does now: `serving` when all its replicas do, `degraded` when some are gone, `loading` also when
    one hangs."""
    states: list[Health] = replica_health(started) if started is not None else ["stopped"]
    if "stopped" in states and len(set(states)) > 1:
        return "degraded"
    return "loading" if "loading" in states else states[0]


def replica_health(started: Started) -> list[Health]:
    """Of each replica, in order."""
    path = engine_kind(started.name).ready_path

    def of(replica: Replica) -> Health:
        if not replica.alive():
            return "stopped"
        return "serving" if ask(replica.base_url + path) is not None else "loading"

    return [of(replica) for replica in started.replicas]


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
    if any(each.alive() for each in started.replicas):
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
    return f"`{'.'.join(map(str, found['loc']))}`: {found['msg']}" if found["loc"] else found["msg"]


def _state_path(name: str) -> Path:
    return state_dir("engines") / f"{name}.json"


def _write_state(started: Started) -> None:
    with written_whole(_state_path(started.name)) as place:
        place.write_text(json.dumps(asdict(started), indent=2) + "\n")
