"""Whether a measurement has answered the plan's question, so that the others need not be paid for."""

from pathlib import Path

from harness.pipeline.reread import read_decision


def decided_by(run_dir: Path) -> str | None:
    """In words, where the box wins against every API at the demand, at both ends of what was measured; else None.

    Where it does not win, another engine or model of the plan may.
    """
    decision = read_decision(run_dir)
    at = [arm.decision.at_volume for arm in decision.arms if arm.decided]
    if not at or len(at) < len(decision.arms):
        return None
    if any(one is None or one.winner != "self_host" for one in at):
        return None
    saved = [one.saving_usd for one in at if one is not None and one.saving_usd is not None]
    return f"self-hosting wins against every API at the demand, by USD {min(saved):,.0f} a month or more"
