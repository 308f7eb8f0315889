"""What was found in a cloud that is ours and has to go, and what came of it."""

from dataclasses import dataclass, field, fields
from typing import Any

from harness.rent.box import Box


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to go: what is past its expiry, else everything, else boxes by their ids."""

    everything: bool = False
    ids: tuple[str, ...] = ()

    def has(self, box: Box | None) -> bool:
        """Whether it has to; none: a box whose tags cannot be read."""
        if self.ids:
            return box is not None and box.id in self.ids
        return self.everything or (box is not None and box.is_expired())


@dataclass(frozen=True, slots=True)
class Thing:
    """Something of ours that costs money."""

    where: str  # `local`, `aws eu-central-1 i-0abc`
    box: Box | None = None  # none where its tags cannot be read
    why: str | None = None  # what is to be said of it

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**(self.box.to_dict() if self.box else {}), "where": self.where, "why": self.why}

    def __str__(self) -> str:
        said = self.where
        if self.box is not None:
            said = f"{self.box.id} ({said}), expired {self.box.expires_at}, USD {self.box.spent_usd():.4f}"
        return f"{said}: {self.why}" if self.why else said


@dataclass(slots=True)
class Sweep:
    """What came of looking for what has to go."""

    gone: list[Thing] = field(default_factory=list)
    remaining: list[Thing] = field(default_factory=list)
    unreadable: list[Thing] = field(default_factory=list)  # ours by name, and nobody knows until when: left alone
    unseen: list[Thing] = field(default_factory=list)  # where it could not be looked
    passed_over: list[Thing] = field(default_factory=list)  # where nobody asked it to look, and nothing could be seen

    @property
    def is_clean(self) -> bool:
        """Whether nothing that has to go can be there still."""
        return not (self.remaining or self.unreadable or self.unseen)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {one.name: [thing.to_dict() for thing in getattr(self, one.name)] for one in fields(self)}

    def add(self, other: "Sweep") -> None:
        """Another cloud's too."""
        self.gone += other.gone
        self.remaining += other.remaining
        self.unreadable += other.unreadable
        self.unseen += other.unseen
        self.passed_over += other.passed_over
