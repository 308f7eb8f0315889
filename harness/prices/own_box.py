"""What a box costs an hour that is not sold by the hour: hardware of one's own, a month or a year paid at once."""

from typing import Annotated

from pydantic import Field, model_validator

from harness.base.units import HOURS_PER_MONTH
from harness.base.yamlfile import Strict
from harness.prices.record import Usd

MONTHS_PER_YEAR = 12


class Owned(Strict):
    """Hardware that was bought: written off over its months, with power and the place it stands in.

    Example: 12,000 of which 2,000 are left after 36 months, 1.2 kW x 1.3 at 0.15 a kWh and half the load: 363.19 a
    month, 0.4975 an hour.
    """

    price_usd: Usd
    months: Annotated[float, Field(gt=0, le=600)] = Field(description="Over which it is written off.")
    residual_usd: Usd = Field(default=0, description="What it is worth after them.")
    power_kw: Annotated[float, Field(ge=0, le=1e6)] = Field(default=0, description="Drawn under full load.")
    pue: Annotated[float, Field(ge=1, le=10)] = Field(default=1, description="Power of the site over that of the box.")
    usd_per_kwh: Usd = 0
    load_share: Annotated[float, Field(ge=0, le=1)] = Field(default=1, description="Mean power over full power.")
    colocation_usd_per_month: Usd = Field(default=0, description="Rack, network, hands; or insurance, interest.")

    @model_validator(mode="after")
    def _worth_less(self) -> "Owned":
        if self.residual_usd > self.price_usd:
            raise ValueError(
                f"`residual_usd` ({self.residual_usd:g}) must not be above `price_usd` ({self.price_usd:g})"
            )
        return self

    def usd_per_hour(self) -> float:
        """((price - residual)/months + kW x PUE x price of a kWh x 730 x load share + colocation) / 730."""
        written_off = (self.price_usd - self.residual_usd) / self.months
        power = self.power_kw * self.pue * self.usd_per_kwh * HOURS_PER_MONTH * self.load_share
        return (written_off + power + self.colocation_usd_per_month) / HOURS_PER_MONTH

    def words(self) -> str:
        """What it is made of."""
        said = f"owned: {self.price_usd:,g} over {self.months:g} months"
        if self.residual_usd:
            said += f", {self.residual_usd:,g} left"
        if self.power_kw and self.usd_per_kwh:
            said += (
                f"; {self.power_kw:g} kW x PUE {self.pue:g} x {self.usd_per_kwh:g} a kWh x {self.load_share:.0%} load"
            )
        return said + (
            f"; {self.colocation_usd_per_month:,g} a month of colocation" if self.colocation_usd_per_month else ""
        )
