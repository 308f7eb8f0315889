"""Which APIs the box is compared with: those asked for, a frontier model, and the same weights hosted."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from harness.base.errors import UsageError
from harness.cost.api_rates import effective_rates, usd_per_call
from harness.demand.demand import Demand, Mix
from harness.prices.catalog import resolve_api
from harness.prices.price_file import UserPrices
from harness.prices.record import ApiPrice, Rates
from harness.prices.same_weights import cheapest_host
from harness.rundir.decision import EffectiveRates, MixPrice, ModelPrice, Role

FRONTIER = "anthropic:claude-sonnet-4-6"
CHEAP = "openai:gpt-4.1-mini"
STAND_IN = "groq:llama-3.1-8b-instant"


@dataclass(frozen=True, slots=True)
class ApiArm:
    """One API to compare with: a model, or several with their calls per task."""

    name: str
    role: Role
    label: str  # in words, e.g. that it stands in for weights nobody hosts
    parts: tuple[tuple[float, ApiPrice], ...]

    def rates(self, demand: Demand) -> Rates:
        """USD per Mtok that cost what the demand's requests cost one by one."""
        return effective_rates(self._billed(demand.batch_share), demand.requests(), demand.tokens_ratio)

    def _billed(self, batch_share: float) -> Sequence[tuple[float, ApiPrice]]:
        """The parts, split into what waits for the batch price and what does not."""
        if batch_share == 0:
            return self.parts
        return [
            (calls * share, priced)
            for calls, price in self.parts
            for share, priced in ((1 - batch_share, price), (batch_share, price.as_batch()))
            if share > 0
        ]

    def price(self, demand: Demand) -> ModelPrice | MixPrice:
        """The price as the decision keeps it: listed record, and the rates it comes to for this demand."""
        effective = EffectiveRates.model_validate(asdict(self.rates(demand)))
        first = self.parts[0][1]
        if len(self.parts) == 1:
            return ModelPrice.model_validate({**first.to_dict(), "effective": effective})
        own = {
            "provider": self.provider,
            "model": self.name,
            "checked_on": min((price.checked_on for _, price in self.parts if price.checked_on), default=None),
            "parts": [{**price.to_dict(), "calls_per_task": calls} for calls, price in self.parts],
        }
        return MixPrice.model_validate(first.to_dict() | effective.model_dump() | own)

    @property
    def provider(self) -> str:
        """The provider's id, or several joined by +."""
        return "+".join(dict.fromkeys(price.provider for _, price in self.parts))

    @property
    def model(self) -> str:
        """The model's id at its provider; the mix's own name where there are several."""
        return self.parts[0][1].model if len(self.parts) == 1 else self.name


def choose_arms(
    asked: Sequence[str], model: str | None, demand: Demand, user_prices: UserPrices | None = None
) -> list[ApiArm]:
    """The arms asked for, the demand's mixes, and what is always compared; each API once.

    Always: a frontier model and the run's own weights hosted by someone else (or a stand-in, said in words).
    When none was asked for, a cheap model too.

    Raises:
        UsageError: an API nobody has a price for.
    """
    references = [name for entry in asked for name in _names(entry)]
    wanted = [*references, FRONTIER, *([] if references else [CHEAP])]
    roles: dict[str, Role] = {FRONTIER: "frontier", CHEAP: "cheap"}
    arms = [_single(roles.get(api, "user"), resolve_api(api, user_prices)) for api in wanted]
    arms += [_mix(mix, user_prices) for mix in demand.mixes]
    arms.append(_same_weights(model, demand, user_prices))
    unique: dict[str, ApiArm] = {}
    for arm in arms:
        if arm.name not in unique or arm.role == "same_weights":
            unique[arm.name] = arm  # asked for by name, and it is the run's own weights: say so
    return list(unique.values())


def _names(entry: str) -> list[str]:
    """The APIs of one `--api`: one, or several with commas between."""
    names = [name for name in re.split(r"[,\s]+", entry) if name]
    if not names:
        raise UsageError(f"--api {entry!r} names no API", hint="for example --api openai:gpt-4.1-mini")
    return names


def _single(role: Role, price: ApiPrice) -> ApiArm:
    return ApiArm(f"{price.provider}:{price.model}", role, price.label, ((1.0, price),))


def _mix(mix: Mix, user_prices: UserPrices | None) -> ApiArm:
    resolved = tuple((part.calls_per_task, resolve_api(part.api, user_prices)) for part in mix.parts)
    shares = ", ".join(f"{calls:g} x {price.provider}:{price.model}" for calls, price in resolved)
    return ApiArm(mix.name, "user", f"several models, calls per task: {shares}", resolved)


def _same_weights(model: str | None, demand: Demand, user_prices: UserPrices | None) -> ApiArm:
    def usd(price: ApiPrice) -> float:
        return usd_per_call(price, demand.requests(), demand.tokens_ratio)

    own = list(user_prices.api.values()) if user_prices is not None else []
    found = cheapest_host(model, usd, own) if model else None
    if found is None:
        price = resolve_api(STAND_IN, user_prices)
        whose = f"nobody is listed as hosting {_short(model)}" if model else "the run's model is unknown"
        label = f"stand-in: {whose}, so {price.model} at {price.provider} stands in for it"
        return ApiArm(f"{price.provider}:{price.model}", "same_weights", label, ((1.0, price),))
    price, hosts = found
    label = f"the same weights, cheapest of {hosts} listed hosts" if hosts > 1 else "the same weights, hosted"
    return ApiArm(f"{price.provider}:{price.model}", "same_weights", label, ((1.0, price),))


def _short(model: str) -> str:
    return model.replace("\\", "/").rsplit("/", 1)[-1]
