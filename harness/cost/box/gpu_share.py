"""How many of a box's GPUs are used by the engines that it is priced for."""

import math
from dataclasses import dataclass

from harness.rundir.identity import Identity
from harness.rundir.manifest import InstanceFacts


@dataclass(frozen=True, slots=True)
class GpuShare:
    """GPUs of one instance, and those that the engines counted on it use."""

    box: int
    id: str
    used: float | None  # of `box`; None: nobody knows
    each: float  # of what one URL drove; 0 where nobody knows
    said_by: str
    engines: float  # counted on one instance
    is_filled: bool  # somebody said that so many fill it
    is_assumed: bool  # not all of them were driven

    @property
    def error(self) -> str | None:
        """Why no number of the run is this box's; None: it may be."""
        where = f"a {self.id} has {self.box}"
        if self.used is None:
            return None
        if self.used == 0:
            return f"none of the {_gpus(self.box)} of a {self.id} is used ({self.said_by})"
        if self.each > self.box and self.engines >= 1:
            return f"one engine uses {_gpus(self.each)} ({self.said_by}), and {where}"
        if self.is_assumed and self.each * self.engines > self.box:
            return (
                f"{self.engines:g} engines of {_gpus(self.each)} each ({self.said_by}) do not fit: {where}; those "
                "driven had theirs to themselves"
            )
        return None

    @property
    def idle(self) -> str | None:
        """Which part of the box is used, where it is not all of it."""
        if self.used is None or self.error is not None or self.used >= self.box:
            return None
        return f"{self.used:g} of the {_gpus(self.box)} of a {self.id} {'is' if self.used == 1 else 'are'} used"

    @property
    def why_unpriced(self) -> str | None:
        """Why the box has no price for what was measured; None: it has one."""
        if self.error is not None or self.idle is None:
            return self.error
        return None if self.is_filled else f"{self.idle}, and nobody said how many such engines fill it"

    @property
    def is_unknown(self) -> bool:
        """Whether the box has GPUs enough for a part of them to be idle, and nobody knows or says."""
        return self.used is None and self.box > 1 and not self.is_filled

    @property
    def fills(self) -> int:
        """So many such engines fill the box."""
        return max(math.floor(self.box / self.each), 1) if self.each else 1


def gpu_share(identity: Identity | None, asked: InstanceFacts, box_gpus: int | None, box_id: str) -> GpuShare | None:
    """Of a box with so many GPUs; None: it has none, or nobody lists how many."""
    if not box_gpus:
        return None
    known = identity.gpus_used if identity is not None else None
    each = known.value / asked.driven if known is not None else 0.0
    driven = asked.driven / (asked.instances or 1)  # nobody said of how many boxes: of one, which others ask
    engines = float(asked.per_instance) if asked.is_filled else driven
    return GpuShare(
        box=box_gpus,
        id=box_id,
        used=min(each * engines, box_gpus) if known is not None else None,
        each=each,
        said_by=known.said_by if known is not None else "",
        engines=engines,
        is_filled=asked.is_filled,
        is_assumed=asked.is_filled and asked.driven < asked.per_instance,
    )


def _gpus(count: float) -> str:
    return f"{count:g} GPU{'' if count == 1 else 's'}"
