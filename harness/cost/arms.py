"""Which APIs the box is compared with: those asked for, a frontier model, and the same weights hosted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Final, Literal

from harness.base.errors import UsageError
from harness.base.terms import ArmTerms
from harness.cost.api_rates import effective_rates, usd_per_call
from harness.cost.box.weights import Weights, weights_unsaid
from harness.demand.demand import Demand, Mix, Request
from harness.prices.catalog import resolve_api
from harness.prices.price_file import UserPrices
from harness.prices.record import ApiPrice, Rates
from harness.prices.roles import RoleName, roles
from harness.prices.same_weights import cheapest_host
from harness.rundir.arm_price import EffectiveRates, MixPrice, ModelPrice
from harness.rundir.decision import Role

_ALWAYS: Final[tuple[Literal["frontier"], Literal["cheap"]]] = ("frontier", "cheap")


def default_api(role: RoleName, prices: UserPrices | None = None) -> ApiPrice:
    """The price of the model that stands for a role: the newest of its family that is listed and not retired.

    Raises:
        UsageError: nobody has a price for any of them.
    """
    today, missing = datetime.now(UTC).date(), UsageError(f"no model stands for the role `{role}`")
    for reference in roles().family(role):
        try:
            price = resolve_api(reference, prices)
        except UsageError as error:
            missing = error
            continue
        if not price.is_retired(today):
            return price
    raise missing


@dataclass(frozen=True, slots=True)
class ApiArm:
    """One API to compare with: a model, or several with their calls per task."""

    name: str
    role: Role
    label: str  # in words, e.g. that it stands in for weights nobody hosts
    parts: tuple[tuple[float, ApiPrice], ...]
    why_not: str | None = None  # why it is not comparable with the box; None: it is
    terms: ArmTerms = field(default_factory=ArmTerms)

    def over(self, hours: Sequence[float] | None) -> ApiArm:
        """The same arm at the prices of a day with so much in each hour."""
        return replace(self, parts=tuple((calls, price.over(hours)) for calls, price in self.parts))

    def on(self, day: date) -> ApiArm:
        """The same arm at the prices that are announced for a day."""
        return replace(self, parts=tuple((calls, price.on(day)) for calls, price in self.parts))

    def rates(self, demand: Demand) -> Rates:
        """USD per Mtok that cost what the demand's requests cost one by one.

        With terms of its own the tokens are the API's, without any the demand's.
        """
        return effective_rates(
            self._billed(self.batch_share(demand)), self._asked(demand.requests(), demand), self._folded(demand)
        )

    def usd_per_task(self, requests: Sequence[Request], demand: Demand) -> float:
        """Mean USD of a task that comes to these requests, at the listed prices."""
        asked, folded = self._asked(requests, demand), self._folded(demand)
        tokens_usd = sum(calls * usd_per_call(price, asked, folded) for calls, price in self.parts)
        return (tokens_usd + self.terms.usd_per_request) * (1 + self.terms.surcharge)

    def batch_share(self, demand: Demand) -> float:
        """Share of the tasks that wait for the batch price."""
        return demand.batch_share if self.terms.batch_share is None else self.terms.batch_share

    def tokenizer_ratio(self, demand: Demand) -> float:
        """Its tokens for one of the demand's, as far as `rates` leaves that to the terms."""
        if not self.terms.model_fields_set:
            return 1.0
        return self.terms.tokenizer_ratio if "tokenizer_ratio" in self.terms.model_fields_set else demand.tokens_ratio

    def _folded(self, demand: Demand) -> float:
        """The tokenizer's ratio where it is in the rates."""
        return 1.0 if self.terms.model_fields_set else demand.tokens_ratio

    def _asked(self, requests: Sequence[Request], demand: Demand) -> Sequence[Request]:
        if not self.terms.model_fields_set:
            return requests
        return [row.as_asked(self.terms, self.tokenizer_ratio(demand)) for row in requests]

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
    asked: Sequence[str], weights: Weights | None, demand: Demand, user_prices: UserPrices | None = None
) -> list[ApiArm]:
    """The arms asked for, those of which the demand gives terms, its mixes, and what is always compared; each API once.

    Always: a frontier model and the run's own weights hosted by someone else (or a stand-in, said in words).
    When none was asked for, a cheap model too.

    Raises:
        UsageError: an API nobody has a price for.
    """
    references = [name for entry in asked for name in _names(entry)]
    mixes = {mix.name for mix in demand.mixes}
    with_terms = [name for name in demand.arms if name not in mixes]
    asked_for = [_single("user", resolve_api(name, user_prices)) for name in (*references, *with_terms)]
    stand = {role: _single(role, default_api(role, user_prices)) for role in _ALWAYS}
    by_role = {arm.name: arm for arm in stand.values()}
    arms = [by_role.get(arm.name, arm) for arm in asked_for]
    arms += [stand["frontier"], *([] if references else [stand["cheap"]])]
    arms += [_mix(mix, user_prices) for mix in demand.mixes]
    arms.append(_same_weights(weights, demand, user_prices))
    unique: dict[str, ApiArm] = {}
    for arm in arms:
        if arm.name not in unique or (arm.role == "same_weights" and arm.why_not is None):
            unique[arm.name] = arm  # asked for by name, and it is the run's own weights: say so
    own = {name: demand.arms[name] for name in demand.arms if name in mixes}
    own |= {_single("user", resolve_api(name, user_prices)).name: demand.arms[name] for name in with_terms}
    priced = [arm.over(demand.hourly_profile) for arm in unique.values()]
    return [_with_terms(arm, own.get(arm.name), demand) for arm in priced]


def _with_terms(arm: ApiArm, own: ArmTerms | None, demand: Demand) -> ApiArm:
    """The arm with its price's terms, and the demand's laid over them; fees for each request of a mix add up.

    Raises:
        UsageError: they do not go together, or are of one model of a mix.
    """
    listed = _listed_terms(arm)
    if own is None:
        return replace(arm, terms=listed)
    return replace(arm, terms=listed.and_then(own, where=f"demand {demand.name}: `arms.{arm.name}`"))


def _listed_terms(arm: ApiArm) -> ArmTerms:
    fee = sum(calls * price.terms.usd_per_request for calls, price in arm.parts)
    first, *more = (price for _, price in arm.parts)
    if not more:
        return first.terms.model_copy(update={"usd_per_request": fee} if fee else {})
    price = next((price for price in (first, *more) if price.terms.model_fields_set - {"usd_per_request"}), None)
    if price is not None:
        raise UsageError(
            f"`{price.provider}:{price.model}` has terms beside its price per token"
            f" ({', '.join(sorted(price.terms.model_fields_set))}), which the mix `{arm.name}` cannot share out",
            hint=f"give the mix its own in the demand: arms: {{{arm.name}: ...}}, and the model without them",
        )
    return ArmTerms(usd_per_request=fee) if fee else ArmTerms()


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


def _same_weights(weights: Weights | None, demand: Demand, user_prices: UserPrices | None) -> ApiArm:
    def usd(price: ApiPrice) -> float:
        return usd_per_call(price, demand.requests(), demand.tokens_ratio) + price.terms.usd_per_request

    own = list(user_prices.api.values()) if user_prices is not None else []
    known = weights if weights is not None and weights.is_known else None
    found = cheapest_host(known.name, usd, own) if known is not None else None
    if found is None:
        price = default_api("stand_in", user_prices)
        name = f"{price.provider}:{price.model}"
        if known is None:
            label = f"not comparable: the weights are unknown, {price.model} at {price.provider} may be any other size"
            return ApiArm(name, "same_weights", label, ((1.0, price),), weights_unsaid(weights))
        whose = f"nobody is listed as hosting {_short(known.name)}"
        label = f"stand-in: {whose}, so {price.model} at {price.provider} stands in for it"
        return ApiArm(name, "same_weights", label, ((1.0, price),))
    price, hosts = found
    label = f"the same weights, cheapest of {hosts} listed hosts" if hosts > 1 else "the same weights, hosted"
    return ApiArm(f"{price.provider}:{price.model}", "same_weights", label, ((1.0, price),))


def _short(model: str) -> str:
    return model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
