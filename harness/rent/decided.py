"""Whether a measurement has answered the plan's question, rent or pay, so that the others need not be paid for."""

from pathlib import Path

from harness.pipeline.reread import read_decision
from harness.rundir.decision import Arm


def decided_by(run_dir: Path) -> str | None:
    """The answer in words; None where another engine, model or scenario of the plan may still change it.

    It cannot where the box wins against every API at the demand, nor where it loses to one with as few instances as
    there can be: no engine makes the month's bill smaller then.
    """
    arms = read_decision(run_dir).arms
    lost = next((arm for arm in arms if _is_lost(arm)), None)
    if lost is not None:
        return f"{lost.name} costs less at the demand than the fewest boxes there can be, whatever runs on them"
    saved = [_saved_usd(arm) for arm in arms]
    won = [usd for usd in saved if usd is not None]
    if not won or len(won) < len(saved):
        return None
    return f"self-hosting wins against every API at the demand, by USD {min(won):,.0f} a month or more"


def _is_lost(arm: Arm) -> bool:
    """Whether the API wins though no measurement could have asked for fewer instances, or for less work of people."""
    at, box = arm.decision.at_volume, arm.input.self_host
    if not arm.decided or at is None or at.winner != "api" or at.instances is None or box.usd_per_task > 0:
        return False
    return at.instances <= max(1, box.min_instances or 1)


def _saved_usd(arm: Arm) -> float | None:
    """What self-hosting saves a month; None where it does not win for certain."""
    at = arm.decision.at_volume
    return at.saving_usd if arm.decided and at is not None and at.winner == "self_host" else None
