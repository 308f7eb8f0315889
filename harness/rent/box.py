"""A rented box as the driver sees it, and what whoever makes boxes has to do."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from harness.base.errors import BreakevenError
from harness.base.units import SECONDS_PER_HOUR
from harness.base.yamlfile import Strict


class RentError(BreakevenError):
    """A box could not be made, reached or ended."""


class BoxLostError(RentError):
    """A box that does not answer."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its tags are its id, the run that it is of, and when it has to be gone."""

    id: str
    run_id: str
    provider: str
    launched_at: str  # UTC, ISO 8601; from here on it is paid for
    expires_at: str
    usd_per_hour: float

    def spent_usd(self, now: datetime | None = None) -> float:
        """What it has cost so far."""
        age = (now or datetime.now(UTC)) - datetime.fromisoformat(self.launched_at)
        return max(0.0, age.total_seconds()) / SECONDS_PER_HOUR * self.usd_per_hour

    def is_expired(self, now: datetime | None = None) -> bool:
        """Whether it has to be gone."""
        return (now or datetime.now(UTC)) >= datetime.fromisoformat(self.expires_at)

    def to_dict(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)


class BoxSaid(Strict):
    """A box as it was written down."""

    id: str
    run_id: str
    provider: str
    launched_at: str
    expires_at: str
    usd_per_hour: float

    def box(self) -> Box:
        """The same, to be driven."""
        return Box(**self.model_dump())


class Provider(Protocol):
    """Who makes boxes. Each of these may raise RentError; what was not ended is found by `boxes`."""

    def launch(self, box: Box) -> None:
        """Make it, tagged, and with a timer of its own that ends it at `expires_at`."""

    def send(self, box: Box, here: Path, there: str) -> None:
        """Copy a file onto it."""

    def run(self, box: Box, argv: Sequence[str], *, log: str, env: Mapping[str, str], most_s: float) -> int:
        """Run a command on it; its exit code. Longer than `most_s`: it is interrupted, then killed."""

    def interrupt(self, box: Box) -> None:
        """Ask the command that runs on it to end now and keep what it has; returns when it has ended."""

    def listing(self, box: Box, there: str) -> dict[str, str]:
        """Every file in a folder of it, with its SHA-256."""

    def fetch(self, box: Box, there: str, here: Path) -> None:
        """Copy a folder of it home."""

    def terminate(self, box: Box) -> None:
        """End it; nothing to do where it is gone."""

    def boxes(self) -> tuple[Box, ...]:
        """Every box of ours that is not gone."""
