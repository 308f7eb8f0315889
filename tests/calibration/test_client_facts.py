import subprocess
from pathlib import Path

from harness.calibration.client_facts import git_revision

ROOT = Path(__file__).parent.parent.parent


def test_a_run_from_a_checkout_names_its_revision_and_one_from_an_archive_none() -> None:
    git = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    is_checkout = (ROOT / ".git").exists()
    head = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip() if is_checkout else None

    assert git_revision() == head
