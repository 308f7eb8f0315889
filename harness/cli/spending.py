"""`run --max-usd`: the arm that is driven, its prices, and what a limit can be kept with. Checked beforehand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from harness.backends import BACKENDS
from harness.backends.wire import Ask
from harness.base.errors import UsageError
from harness.load.spending.bounds import least_request, most_billed
from harness.load.spending.purse import Spending, below_one_request
from harness.load.spending.tariff import PICO_PER_USD, PriceTier, Tariff, TokenPrices
from harness.pipeline.options import Budget
from harness.prices.catalog import resolve_api
from harness.prices.price_file import UserPrices
from harness.prices.record import ApiPrice, Rates
from harness.rundir.arm_price import ListedPrice
from harness.rundir.driven import Driven
from harness.scenario import Scenario
from harness.scenario.tasks import TaskPrompts

MOST_USD = 1_000_000
SOON = timedelta(days=2)  # an announced price that begins sooner may be the one that is asked
_EXAMPLE = "for example --api openai:gpt-4o-mini --max-usd 2"


def budget_of(given: Mapping[str, Any], prices: UserPrices | None, scenario: Scenario) -> Budget | None:
    """What `--max-usd` asks for; None where it is not given.

    Raises:
        UsageError: no amount, no arm, nothing to drive, several processes, a price that is not wholly known.
    """
    if given["max_usd"] is None:
        return None
    max_usd = _amount(given["max_usd"])
    if not given["apis"]:
        raise UsageError("--max-usd needs the price of what is driven: --api PROVIDER:MODEL", hint=_EXAMPLE)
    if not given["urls"]:
        raise UsageError("--max-usd is of an API that is driven: name it with --url", hint="--url https://...")
    if given["remote_workers"] or given["workers"] not in (None, 1):
        raise UsageError("--max-usd is kept by one load process alone", hint="leave --workers and --remote-workers out")
    if given["times"] > 1:
        raise UsageError(
            "--repeat and --max-usd exclude each other", hint="--max-usd is of one run: repeat it yourself"
        )
    price = resolve_api(given["apis"][0], prices)
    others = _elsewhere(scenario, prices)
    tariffs = {role: tariff_of(other) for role, other in others.items()}
    spending = Spending(int(max_usd * PICO_PER_USD), tariff_of(price), elsewhere=tariffs)
    driven = Driven(
        arm=f"{price.provider}:{price.model}",
        max_usd=float(max_usd),
        price=_listed(price),
        elsewhere={role: _listed(other) for role, other in others.items()},
    )
    return Budget(spending, driven, price.model)


def _listed(price: ApiPrice) -> ListedPrice:
    return ListedPrice.model_validate(price.to_dict())


def _elsewhere(scenario: Scenario, prices: UserPrices | None) -> dict[str, ApiPrice]:
    """The prices of other endpoints that a scenario asks, by what for; one without a key bills nobody.

    Raises:
        UsageError: it is asked with a key, and has no price.
    """
    found: dict[str, ApiPrice] = {}
    spec = scenario.prompts
    if not isinstance(spec, TaskPrompts):
        return found
    for role, key, other in (("escalation", "escalate", spec.escalate), ("judging", "judge", spec.judge)):
        if other is None or (other.api is None and other.api_key_env is None):
            continue
        if other.api is None:
            raise UsageError(
                f"--max-usd is kept over all that is asked: `prompts.{key}` has a key, and no price",
                hint=f"`prompts.{key}.api: PROVIDER:MODEL` names it",
            )
        found[role] = resolve_api(other.api, prices)
    return found


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        raise UsageError(f"--max-usd `{text}` is no amount of USD", hint="for example --max-usd 2.50") from None
    if not amount.is_finite() or not 0 < amount <= MOST_USD:
        raise UsageError(f"--max-usd must be above 0 and at most {MOST_USD:,}, got {text}", hint="--max-usd 2.50")
    return amount


def tariff_of(price: ApiPrice) -> Tariff:
    """An arm's prices as a limit is kept by: by the hour the dearest, and what is announced for the next days too.

    Raises:
        UsageError: an answer may hold what nothing here prices.
    """
    due = [part.words for part in price.unused if part.is_due]
    if due:
        raise UsageError(
            f"--max-usd cannot be kept: {price.provider}:{price.model} also bills {', '.join(due)}",
            hint="give its price by the token, as dear as it can be, in a file for --prices FILE",
        )
    soon = [change for change in price.changes if change.starts_on <= datetime.now(UTC).date() + SOON]
    edges = sorted(
        {tier.above_input_tokens for tiers in (price.tiers, *(change.tiers for change in soon)) for tier in tiers}
    )

    def at(input_tokens: int) -> TokenPrices:
        listed = [price.rates_for(input_tokens), *price.by_hour]
        for change in soon:
            tiers = [tier.rates for tier in change.tiers if input_tokens > tier.above_input_tokens]
            listed.append(tiers[-1] if tiers else change.rates)
        return _dearest(listed)

    return Tariff(
        prices=at(0),
        tiers=[PriceTier(edge, at(edge + 1)) for edge in edges],
        usd_per_request=price.terms.usd_per_request,
        surcharge=price.terms.surcharge,
    )


def _dearest(listed: list[Rates]) -> TokenPrices:
    return TokenPrices(
        input_usd_per_mtok=max(rates.input_usd_per_mtok for rates in listed),
        cached_usd_per_mtok=max(rates.read for rates in listed),
        written_usd_per_mtok=max(max(rates.write, rates.write_1h) for rates in listed),
        output_usd_per_mtok=max(rates.output_usd_per_mtok for rates in listed),
    )


def check_payable(spending: Spending, scenario: Scenario, backend: str | None, extra_body: Mapping[str, Any]) -> None:
    """Whether a limit can be kept with such requests, and pays for one.

    Raises:
        UsageError: nobody can bound what one costs; or the shortest is dearer than the limit.
    """
    if "model" in extra_body:
        raise UsageError("--extra-body `model`: a spending limit is kept by --api's price", hint="--model names it")
    input_tokens, output_tokens = least_request(scenario)
    request = scenario.request
    ask = Ask(
        prompt="x" * input_tokens,
        max_tokens=output_tokens,
        api=request.api,
        stream=request.stream,
        temperature=request.temperature,
        force_length=request.force_length,
        model=None,
        extra_body=extra_body,
        omit=request.omit,
        rename=request.rename,
        cache_salt="x",
    )
    most_pico = spending.tariff.most_pico(most_billed(BACKENDS[backend or "openai"].body(ask)))
    if most_pico > spending.max_pico:
        raise below_one_request(spending.max_pico, most_pico)
