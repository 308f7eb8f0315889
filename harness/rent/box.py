"""A rented box as the driver sees it, and what whoever makes boxes has to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from harness.base.errors import BreakevenError
from harness.base.units import SECONDS_PER_HOUR
from harness.base.yamlfile import Strict

if TYPE_CHECKING:
    from harness.rent.line import Line


class RentError(BreakevenError):
    """A box could not be made, reached or ended."""


class BoxLostError(RentError):
    """A box that does not answer."""


class NotLaunchedError(RentError):
    """Nothing was made, so there is nothing to end."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its tags are its id, the run that it is of, and when it has to be gone."""

    id: str
    run_id: str
    provider: str
    launched_at: str  # UTC, ISO 8601; from here on it is paid for
    expires_at: str
    usd_per_hour: float

    def age_s(self, now: datetime | None = None) -> float:
        """Seconds that it is paid for so far."""
        age = (now or datetime.now(UTC)) - datetime.fromisoformat(self.launched_at)
        return max(0.0, age.total_seconds())

    def spent_usd(self, now: datetime | None = None) -> float:
        """What it has cost so far."""
        return self.age_s(now) / SECONDS_PER_HOUR * self.usd_per_hour

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

    @property
    def switches_off(self) -> bool:
        """Whether the box is to be switched off when its time is over: a machine that is nobody's but the run's."""

    def launch(self, box: Box) -> None:
        """Make it, tagged, and reachable by its line. NotLaunchedError: before anything was made."""

    def line(self, box: Box) -> Line:
        """How it is reached."""

    def terminate(self, box: Box) -> None:
        """End it; nothing to do where it is gone."""

    def boxes(self) -> tuple[Box, ...]:
        """Every box of ours that is not known to be gone."""
