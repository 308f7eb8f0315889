"""Where engines are kept and remembered, outside any checkout: built once, used by every run."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from harness.base.errors import EngineError
from harness.engines.kind import Progress

_LOCK_POLL_S = 0.5
_LOCK_LIMIT_S = 3600  # longer than any install here


def cache_dir(name: str) -> Path:
    """`$XDG_CACHE_HOME/breakeven/NAME`, made if need be: may be deleted, is then built again."""
    return _made("XDG_CACHE_HOME", ".cache", name)


def state_dir(name: str) -> Path:
    """`$XDG_STATE_HOME/breakeven/NAME`, made if need be: what runs now, and its logs."""
    return _made("XDG_STATE_HOME", ".local/state", name)


def _made(variable: str, below_home: str, name: str) -> Path:
    given = os.environ.get(variable)
    path = (Path(given) if given else Path.home() / below_home) / "breakeven" / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(
            f"cannot make {path}: {error.strerror or error}", hint=f"name a writable place in {variable}"
        ) from None
    return path


@contextmanager
def install_lock(name: str, progress: Progress) -> Iterator[None]:
    """Held by one process at a time: two runs must not build the same engine into the same place.

    Raises:
        EngineError: another process has held it for an hour.
    """
    with held(cache_dir(name) / "lock", f"installs {name}", progress):
        yield


@contextmanager
def held(path: Path, what: str, progress: Progress) -> Iterator[None]:
    """A lock on a file, waited for; the kernel takes it from a holder that ends, however it ends.

    Raises:
        EngineError: another process has held it for an hour, or the file cannot be opened.
    """
    with opened(path) as file:
        give_up = time.monotonic() + _LOCK_LIMIT_S
        while not locked(file.fileno()):
            if time.monotonic() > give_up:
                raise EngineError(f"another process {what} for an hour already: it holds {path}")
            progress(f"another process {what}, waiting for it")
            time.sleep(_LOCK_POLL_S)
        yield


def opened(path: Path) -> IO[bytes]:
    """A file to lock.

    Raises:
        EngineError: it cannot be opened.
    """
    try:
        return path.open("ab")
    except OSError as error:
        raise EngineError(f"cannot open {path}: {error.strerror or error}") from None


def locked(descriptor: int) -> bool:
    """Whether a file's lock is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
