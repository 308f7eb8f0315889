import subprocess
from pathlib import Path

from harness.calibration.client_facts import git_revision

ROOT = Path(__file__).parent.parent.parent


def test_a_run_from_a_checkout_names_its_revision() -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)

    revision = git_revision()

    assert revision == head.stdout.strip()
