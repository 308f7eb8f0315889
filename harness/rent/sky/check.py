"""A plan as SkyPilot sees it, before anything is spent: its schema, and its catalogue of the cloud."""

import json
import subprocess
import tempfile
from pathlib import Path

from harness.base.errors import UsageError
from harness.base.text import printable
from harness.base.yamlfile import Strict, validate
from harness.rent.plan import RentPlan
from harness.rent.sky.command import sky_environment
from harness.rent.sky.install import environment, how_to_install, is_installed
from harness.rent.sky.task import task_of

CHECKER = Path(__file__).with_name("checker.py")
CHECK_S = 120.0  # it may have to fetch a catalogue, and an image's size from the cloud
DIFFERS = 0.02  # of two prices of the same hour
_LONGEST = 400


class _Said(Strict):
    version: str
    problem: str | None
    is_checked: bool
    usd_per_hour: float | None


def check(plan: RentPlan) -> str:
    """What SkyPilot says of a plan, in one line.

    Raises:
        UsageError: it refuses the plan.
    """
    if not is_installed(plan.provider):
        return f"not checked: SkyPilot is not installed for {plan.provider} (`{how_to_install(plan.provider)}`)"
    said = _ask(task_of(plan))
    if said is None:
        return "not checked: SkyPilot did not answer"
    problem = _one_line(said.problem or "")
    if not said.is_checked:
        return f"not checked: {problem}"
    if said.problem is not None:
        raise UsageError(f"SkyPilot {said.version} refuses the plan: {problem}")
    return f"checked by SkyPilot {said.version}{_price(plan, said.usd_per_hour)}"


def _ask(task: str) -> _Said | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.yaml"
        path.write_text(task, encoding="utf-8")
        command = [str(environment() / "bin" / "python"), "-I", str(CHECKER), str(path)]
        try:
            done = subprocess.run(
                command, env=sky_environment(), capture_output=True, text=True, timeout=CHECK_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    lines = done.stdout.splitlines()
    return validate(_Said, json.loads(lines[-1]), where="SkyPilot's answer") if lines else None


def _price(plan: RentPlan, usd_per_hour: float | None) -> str:
    ours = plan.hourly_usd()
    if usd_per_hour is None or abs(usd_per_hour - ours) <= DIFFERS * ours:
        return ""
    return f", whose catalogue has USD {usd_per_hour:g}/h for it, where this plan counts {ours:g}"


def _one_line(text: str) -> str:
    """What it says over several lines, in one: without a table's frame."""
    words = " ".join(line.strip() for line in text.splitlines() if line.strip())
    return printable(" ".join(words.split()), _LONGEST)
