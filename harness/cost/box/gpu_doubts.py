"""Checks on what a box's GPUs did: none used, more than it has, a part of them, or nobody knows."""

from collections.abc import Iterator

from harness.cost.box.gpu_share import GpuShare
from harness.rundir.result import Check

_SHOW = "`nvidia-smi` on the box shows which GPUs have work"


def gpu_doubts(share: GpuShare | None) -> Iterator[Check]:
    """At most one finding; none where the box has no GPU, or all of them work."""
    if share is None:
        return
    if share.error is not None:
        code, hint = "more_gpus_than_box", "name the instance that really served, or fewer replicas of it"
        if not share.used:
            code, hint = "no_gpu_used", f"an engine built for its GPUs, or the instance that it ran on; {_SHOW}"
        yield Check(code=code, level="error", message=share.error, hint=hint)
    elif share.idle is not None:
        yield _idle(share, share.idle)
    elif share.is_unknown:
        message = f"nobody says how many of the {share.box} GPUs of a {share.id} are used: it is priced as if all were"
        hint = f"{_SHOW}; `breakeven report RUN --replicas-per-instance N`: so many such engines fill it"
        yield Check(code="gpus_unknown", level="warning", message=message, hint=hint)


def _idle(share: GpuShare, idle: str) -> Check:
    if share.is_filled:
        message = f"{idle} ({share.said_by}), and all are paid for, as asked for"
        return Check(code="gpus_unused", level="warning", message=message, hint="a smaller instance, or more engines")
    message = f"{idle} ({share.said_by}): nothing is decided at the price of all"
    as_driven = f"{share.engines:g}"
    hint = (
        f"drive all of it; or `breakeven report RUN --replicas-per-instance {share.fills}`: so many such engines fill "
        f"it, or {as_driven}: it is paid for this alone"
    )
    return Check(code="gpus_unused", level="warning", message=message, hint=hint)
