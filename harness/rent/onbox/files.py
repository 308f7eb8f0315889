"""Files of a box: put there, listed with their checksums, packed to go home."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from pathlib import Path
from typing import IO

FILES = "files"  # where commands run, and what comes home lies
_CHUNK = 2**20
_TAIL = 100_000  # bytes


def put(folder: Path, name: str, content: IO[bytes]) -> dict[str, int]:
    """Write a file, whole or not at all."""
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    half = place.with_name(place.name + ".half")
    with half.open("wb") as file:
        shutil.copyfileobj(content, file)
    half.replace(place)
    return {"bytes": place.stat().st_size}


def listing(folder: Path, name: str) -> dict[str, str]:
    """Every file below a folder by its relative path, with its SHA-256; empty where there is no such folder."""
    below = folder / FILES / name
    return {str(path.relative_to(below)): digest(path) for path in sorted(below.rglob("*")) if path.is_file()}


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            if not chunk:
                return found.hexdigest()
            found.update(chunk)


def pack(folder: Path, name: str, out: IO[bytes]) -> None:
    """A folder's files as a tar archive; one that grows meanwhile comes as far as it was."""
    below = folder / FILES / name
    with tarfile.open(fileobj=out, mode="w|") as archive:
        for path in sorted(below.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    member = tarfile.TarInfo(str(path.relative_to(below)))
                    member.size = os.fstat(file.fileno()).st_size
                    archive.addfile(member, file)


def tail(folder: Path, name: str) -> dict[str, str]:
    """The end of a text file; empty where there is none."""
    place = folder / name
    if not place.is_file():
        return {"text": ""}
    with place.open("rb") as file:
        file.seek(max(0, place.stat().st_size - _TAIL))
        return {"text": file.read().decode("utf-8", "replace")}
