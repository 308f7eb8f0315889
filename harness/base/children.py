"""How a child process is started: it runs our code, nothing that lies where the user stands, and knows what it needs.

A Python child takes PYTHON with its arguments: -P leaves the current directory out of what is imported.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PYTHON = (sys.executable, "-P")

_PASSED_ON = (
    "PATH", "HOME", "USER", "LANG", "LC_*", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "VIRTUAL_ENV", "XDG_*", "SSL_CERT_*", "CUDA_*", "NVIDIA_*", "HIP_*", "ROCR_*", "GGML_*", "OMP_*",
    "KMP_*", "DOCKER_*", "BREAKEVEN_BOX",  # whatever runs on a rented box is known by it, and ended with it
)  # fmt: skip
_OF_PYTHON = ("PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
_PATH = "PYTHONPATH"
_OURS = Path(__file__).resolve().parents[2]  # what holds the folder `harness`


def plain_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without anything but what any program needs, plus `extra`: no key, no setting of another's."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if any(key == name or (name.endswith("*") and key.startswith(name[:-1])) for name in _PASSED_ON)
    }
    return {**kept, **(extra or {})}


def python_environment(needs: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a Python child of ours, with the variables that it `needs` where they are there."""
    kept = {name: os.environ[name] for name in (*_OF_PYTHON, *needs) if name in os.environ}
    places = os.pathsep.join(_places())
    return plain_environment({**kept, **({_PATH: places} if places else {}), "PYTHONUNBUFFERED": "1"})


def named_environment(needs: Sequence[str]) -> dict[str, str]:
    """For a program of ours on another machine, whose own environment is there already."""
    return {**{name: os.environ[name] for name in needs if name in os.environ}, "PYTHONUNBUFFERED": "1"}


def installer_environment() -> dict[str, str]:
    """The whole environment, as a package index and a compiler may need it, but not what lies where the user stands."""
    return {**os.environ, _PATH: os.pathsep.join(_places())}


def _places() -> Iterator[str]:
    """PYTHONPATH without what is meant from the current directory on, as an empty entry is, unless it is our own."""
    for place in os.environ.get(_PATH, "").split(os.pathsep):
        if Path(place).is_absolute():
            yield place
        elif Path(place).resolve() == _OURS:
            yield str(_OURS)
