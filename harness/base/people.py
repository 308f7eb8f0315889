"""The people that running a box takes, where nobody gave a demand that says so."""

from typing import Annotated

from pydantic import Field

from harness.base.yamlfile import Strict

MOST_FTE, MOST_USD_PER_YEAR = 10_000.0, 1e9
DEFAULT_FTE = 0.5
DEFAULT_USD_PER_YEAR = 208_000.0  # 100 USD x 2,080 hours


class PeopleSaid(Strict):
    """What somebody says of them; what is None is assumed."""

    fte: Annotated[float, Field(ge=0, le=MOST_FTE)] | None = None
    usd_per_year: Annotated[float, Field(ge=0, le=MOST_USD_PER_YEAR)] | None = None

    def over(self, other: "PeopleSaid | None") -> "PeopleSaid":
        """This, and the other's where this says nothing."""
        if other is None:
            return self
        return PeopleSaid(
            fte=other.fte if self.fte is None else self.fte,
            usd_per_year=other.usd_per_year if self.usd_per_year is None else self.usd_per_year,
        )
