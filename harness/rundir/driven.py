"""What run.json keeps of an API that was driven and paid for: whose prices, what was spent, what is not known."""

from pydantic import Field

from harness.rundir.arm_price import ListedPrice
from harness.rundir.result import Result


class Driven(Result):
    """An API arm whose own endpoint was driven, within a spending limit."""

    arm: str = Field(description="provider:model, the first --api.")
    max_usd: float = Field(description="The limit that was given.")
    spent_usd: float = Field(default=0, description="By the API's own usage, at the price below.")
    reserved_usd: float = Field(
        default=0,
        description="The worst case of requests whose usage nobody knows (lost, cut, failed after they were taken); "
        "while the run goes on, of those under way too. Spent and reserved together are never above the limit.",
    )
    stopped: bool = Field(default=False, description="Whether the limit ended the run.")
    why: str | None = Field(default=None, description="How it stood then.")
    rate_limited: int = Field(default=0, description="Requests that a rate limit refused (429), asked again.")
    waited_s: float = Field(default=0, description="That requests waited for a rate limit, all of them together.")
    price: ListedPrice | None = Field(default=None, description="As listed, or as given; with source and date.")
    elsewhere: dict[str, ListedPrice] = Field(
        default={}, description="Prices of other endpoints within the same limit: of `escalation`, of `judging`."
    )

    @property
    def is_rate_limited(self) -> bool:
        """Whether requests waited for the API's rate limit: how many were under way was that limit's doing."""
        return self.rate_limited > 0 or self.waited_s >= 1
