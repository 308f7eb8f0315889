"""Bringing results home: whole, and the same bytes, before the box goes."""

import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from harness.rent.box import Box, BoxLostError, Provider, RentError

_CHUNK = 2**20
RETRY_S = 2.0


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder by its relative path, with its SHA-256."""
    return {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def bring_home(
    provider: Provider, box: Box, there: str, here: Path, *, until_s: float, say: Callable[[str], None]
) -> list[Path]:
    """Copy a folder of the box home and hold it against the box's own checksums; the folders in it.

    Tries again until `until_s` (monotonic): a network that is away comes back, or the budget ends.

    Raises:
        RentError: it is not home, or not whole.
    """
    partial = here.with_name(here.name + ".partial")
    while True:
        try:
            wanted = provider.listing(box, there)
            shutil.rmtree(partial, ignore_errors=True)
            provider.fetch(box, there, partial)
            got = digests(partial)
            broken = [name for name, digest in wanted.items() if got.get(name) != digest]
            if not broken:
                break
            raise RentError(f"{len(broken)} of {len(wanted)} files came home broken: {broken[0]}")
        except (OSError, RentError) as error:
            if time.monotonic() + RETRY_S > until_s or _is_gone(provider, box, error):
                raise RentError(f"the results of box {box.id} could not be brought home: {error}") from None
            say(f"not home yet ({error}): trying again")
            time.sleep(RETRY_S)
    shutil.rmtree(here, ignore_errors=True)
    partial.rename(here)
    return sorted(path for path in here.iterdir() if path.is_dir())


def _is_gone(provider: Provider, box: Box, error: Exception) -> bool:
    """Whether nobody will answer any more."""
    return isinstance(error, BoxLostError) and box.id not in {one.id for one in provider.boxes()}
