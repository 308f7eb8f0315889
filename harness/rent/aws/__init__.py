"""Boxes on AWS as AWS itself sees them: found by their tags, ended, looked at until they are gone.

Its modules need boto3, which the base install has not: whoever imports one calls `needed` before.
"""

import importlib.util

from harness.base.errors import UsageError


def is_installed() -> bool:
    """Whether boto3 is there."""
    return importlib.util.find_spec("boto3") is not None


def needed() -> None:
    """Say how to get boto3.

    Raises:
        UsageError: it is not there.
    """
    if not is_installed():
        raise UsageError("AWS needs boto3, which is not installed", hint="pip install 'breakeven[aws]'")
