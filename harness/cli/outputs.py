"""Whether what a command is to write can be written where the user says: refused before anything is done for it."""

import errno
import os
from pathlib import Path

import click
from click.core import ParameterSource

from harness.base.errors import UsageError
from harness.base.text import printable

_LONGEST_PATH = 200


def makeable(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Of an option that names a file or a directory to write; a default is checked only when it is used.

    Raises:
        UsageError: it cannot be made or written.
    """
    named = param.name is not None and ctx.get_parameter_source(param.name) is not ParameterSource.DEFAULT
    if value is None or not named:
        return value
    is_file = isinstance(param.type, click.Path) and not param.type.dir_okay
    try:
        problem = _file_problem(value) if is_file else _directory_problem(value)
    except ValueError as error:  # a null character, out of a file
        problem = str(error)
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        shown = printable(str(value), _LONGEST_PATH)  # so that the reason behind it is seen
        raise UsageError(f"cannot write {shown}: {problem}", hint=f"name another place with {param.opts[-1]}")
    return value


def _file_problem(path: Path) -> str:
    if _is_there(path):
        return "" if os.access(path, os.W_OK) else os.strerror(errno.EACCES)
    return _directory_problem(path.parent) or ("" if _is_there(path.parent) else os.strerror(errno.ENOENT))


def _directory_problem(path: Path) -> str:
    if _is_there(path):
        return _no_room(path)
    above = next(place for place in path.absolute().parents if _is_there(place))
    return _no_room(above)


def _no_room(directory: Path) -> str:
    if not directory.is_dir():
        return f"{directory} is no directory"
    return "" if os.access(directory, os.W_OK | os.X_OK) else f"{directory} cannot be written"


def _is_there(path: Path) -> bool:
    """Unlike `Path.exists` also of a name that is too long, which no system can make.

    Raises:
        OSError: nothing can be there.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise OSError(errno.ENOENT, "a link to what is not there") from None
        return False
    return True
