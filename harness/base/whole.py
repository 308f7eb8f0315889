"""Files that are there whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.base.errors import BreakevenError


@contextmanager
def written_whole(path: Path, *, hint: str | None = None) -> Iterator[Path]:
    """A place to write to that takes the name `path` at the end, in one step: a reader sees the old file or the new
    one, never half of one. Whatever goes wrong meanwhile leaves the old one, and nothing beside it.

    A symbolic link at `path` is replaced, and what it points to is left alone: directories come from others too.

    Raises:
        BreakevenError: it cannot be written; names it.
    """
    place = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
        yield place
        place.replace(path)
    except OSError as error:
        raise BreakevenError(f"cannot write {path}: {error.strerror or error}", hint=hint) from None
    finally:
        place.unlink(missing_ok=True)


def regular(path: Path) -> Path:
    """The path, where reading it will end: no pipe, no device, no link to one.

    Raises:
        OSError: it is something else, or not there.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "no regular file")
    return path
