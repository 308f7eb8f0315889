"""`--ca-file`: looked into before anything is started, because a load process can only die of it."""

import ssl
from pathlib import Path

from harness.base.errors import UsageError


def check_ca_file(path: Path | None) -> None:
    """Whether it holds certificates that TLS can check an endpoint's with.

    Raises:
        UsageError: no such file, unreadable, or no PEM certificate in it.
    """
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise UsageError(
            f"--ca-file {path}: no PEM certificate in it",
            hint="text with -----BEGIN CERTIFICATE-----; `openssl x509 -inform der -in FILE` turns DER into it",
        ) from None
    except OSError as error:
        raise UsageError(f"--ca-file {path}: {error.strerror or error}") from None
