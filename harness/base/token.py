"""The token that a run and its workers on other machines share: who has it may take part, nobody else."""

import os
import secrets
import stat
from pathlib import Path

from harness.base.errors import UsageError

TOKEN_ENV = "BREAKEVEN_TOKEN"
SHORTEST = 20  # characters: it must not be guessed
_MAKE = "make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def new_token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(32)


def given_token(variable: str | None, file: Path | None) -> str | None:
    """The token out of a file that nobody else may read, or of an environment variable; None where there is neither.

    Raises:
        UsageError: both, a file that others may read, a variable that is not there, a token that can be guessed; it is
            not repeated.
    """
    if variable is not None and file is not None:
        raise UsageError("--token-env and --token-file exclude each other")
    if file is not None:
        return _checked(_in_file(file), f"--token-file {file}")
    if variable is not None and not os.environ.get(variable):
        raise UsageError(f"--token-env {variable}: no such environment variable, or it is empty", hint=_MAKE)
    found = os.environ.get(variable or TOKEN_ENV)
    return _checked(found, variable or TOKEN_ENV) if found else None


def _in_file(file: Path) -> str:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {file}: {getattr(error, 'strerror', None) or 'not text'}", hint=_MAKE) from None
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"--token-file {file}: others may read it (mode {stat.S_IMODE(mode):o})", hint="chmod 600 it")
    return text


def _checked(token: str, where: str) -> str:
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"{where}: a token has {SHORTEST} or more printable ASCII characters, no blanks", hint=_MAKE)
    return token
