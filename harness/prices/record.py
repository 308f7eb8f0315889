"""What a price is: the instance's by the hour and the API's by the token, each with its source and date."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

PURCHASES = ("on_demand", "reserved_1y", "reserved_3y", "spot")
STALE_AFTER_DAYS = 90


@dataclass(frozen=True, slots=True)
class Quote:
    """A price in USD per hour, and who said so when; `checked_on` None: the source gave no date."""

    usd_per_hour: float
    source: str
    checked_on: date | None


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine that rents by the hour. `gpu_memory_gib` is what one GPU can use; None: unknown or none."""

    id: str
    provider: str
    region: str | None
    gpu: str | None
    gpu_count: int
    gpu_memory_gib: float | None
    vcpu: int | None
    ram_gib: float | None
    quotes: dict[str, Quote]  # by purchase option
    spot_range_usd_per_hour: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON; dates as ISO text."""
        out: dict[str, Any] = _iso(asdict(self))
        return out


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens. `cached_input` and `cache_write` None: the provider lists no such price."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None

    def request_usd(
        self,
        input_tokens: float,
        output_tokens: float,
        *,
        cached_input_tokens: float = 0,
        cache_write_tokens: float = 0,
    ) -> float:
        """One request: ((in - cached - written) P_in + cached P_cr + written P_cw + out P_out) / 1e6.

        `input_tokens` includes the cached and the written ones. A missing cache price is the input price.
        Example: 800 in of which 600 cached at 0.30, 250 out, at 3/15, is 0.00453 USD.
        """
        plain = input_tokens - cached_input_tokens - cache_write_tokens
        read = (
            self.input_usd_per_mtok
            if self.cached_input_usd_per_mtok is None
            else self.cached_input_usd_per_mtok
        )
        write = (
            self.input_usd_per_mtok
            if self.cache_write_usd_per_mtok is None
            else self.cache_write_usd_per_mtok
        )
        return (
            plain * self.input_usd_per_mtok
            + cached_input_tokens * read
            + cache_write_tokens * write
            + output_tokens * self.output_usd_per_mtok
        ) / 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of every token of a request whose input is above the threshold (a cliff, not a bracket)."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """What one provider asks for one model, by its own ids, with what is needed to look it up again."""

    provider: str
    model: str
    rates: Rates
    source: str  # "genai-prices", or the user's file
    tiers: tuple[Tier, ...] = ()  # ascending
    batch: Rates | None = None
    batch_tiers: tuple[Tier, ...] = ()
    version: str | None = None  # of the price data
    digest: str | None = None  # sha256 of the price data
    checked_on: date | None = None  # the day the source was read; None: unknown
    label: str = ""  # a remark in words, e.g. that it stands in for another model
    kind: str = "listed"  # listed | assumed (typed in by the user)

    def rates_for(self, input_tokens: float, *, batch: bool = False) -> Rates:
        """The rates of one request with that many input tokens (cached ones included).

        Never pass a month's total: tiers go by the single request.
        """
        chosen, tiers = (self.batch, self.batch_tiers) if batch and self.batch else (self.rates, self.tiers)
        for tier in tiers:
            if input_tokens > tier.above_input_tokens:
                chosen = tier.rates
        return chosen

    def as_batch(self) -> ApiPrice:
        """The same model at its batch price; itself where none is listed."""
        return self if self.batch is None else replace(self, rates=self.batch, tiers=self.batch_tiers)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, rates at the top level; `from_dict` reads it back."""
        out = asdict(self)
        rates = out.pop("rates")
        out = {"provider": out.pop("provider"), "model": out.pop("model"), **rates, **out}
        flat: dict[str, Any] = _iso(out)
        return flat

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ApiPrice:
        """From `to_dict`; KeyError when a price is missing."""
        known = {**data, "rates": _rates(data)}
        known["tiers"] = _tiers(data.get("tiers"))
        known["batch"] = _rates(data["batch"]) if data.get("batch") else None
        known["batch_tiers"] = _tiers(data.get("batch_tiers"))
        known["checked_on"] = as_date(data.get("checked_on"))
        return cls(**{key: value for key, value in known.items() if key in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class UserPrices:
    """The user's own prices; they win over every other source."""

    api: dict[str, ApiPrice] = field(default_factory=dict)  # by "provider:model"
    instances: list[dict[str, Any]] = field(default_factory=list)  # rows as in instances.yaml, may be partial


def age_days(checked_on: date | None, today: date) -> int | None:
    """Days since a price was checked; None when nobody said when."""
    return None if checked_on is None else (today - checked_on).days


def as_date(value: Any) -> date | None:
    """A date from YAML's date or ISO text."""
    if value is None or isinstance(value, date):
        return value
    return date.fromisoformat(str(value))


def _rates(data: dict[str, Any]) -> Rates:
    return Rates(
        data["input_usd_per_mtok"],
        data["output_usd_per_mtok"],
        data.get("cached_input_usd_per_mtok"),
        data.get("cache_write_usd_per_mtok"),
    )


def _tiers(rows: list[dict[str, Any]] | None) -> tuple[Tier, ...]:
    return tuple(Tier(row["above_input_tokens"], _rates(row.get("rates", row))) for row in rows or ())


def _iso(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _iso(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_iso(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value
