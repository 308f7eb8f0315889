"""What `--ca-file` names is looked into before anything is started."""

from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.cli.ca_file import check_ca_file

BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x30\x82\x01\x0a", BROKEN.encode()])
def test_a_file_without_a_certificate_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=r"^--ca-file .*ca\.pem: no PEM certificate in it$"):
        check_ca_file(path)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No such file or directory$"):
        check_ca_file(tmp_path / "absent.pem")
    with pytest.raises(UsageError, match=r"^--ca-file "):
        check_ca_file(tmp_path)


def test_no_file_at_all_is_fine() -> None:
    check_ca_file(None)
