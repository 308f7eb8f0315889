"""Who hosts the run's own open weights: matching a model's name, however a file or a provider spells it."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from harness.prices import genai
from harness.prices.record import ApiPrice

_NOISE = frozenset({
    "meta", "instruct", "chat", "it", "hf", "turbo", "versatile", "instant", "lite", "fast", "latest",
    "gguf", "awq", "gptq", "fp8", "fp16", "bf16", "int8", "int4", "w8a8", "w4a16",
    "databricks", "mistralai", "google",
})  # fmt: skip
_QUANTIZATION = re.compile(r"[-._](i?q\d[\w.]{0,40}|\d{1,3}bit|f16|f32)$")
_RESELLERS = frozenset({"openrouter", "github-copilot", "cursor"})  # their price is another host's plus a margin


def weights_key(model: str) -> tuple[str, ...]:
    """The parts of a model's name that say which weights: family, version, size; sorted.

    Example: `meta-llama/Llama-3.1-8B-Instruct`, `llama-v3p1-8b-instruct`, `meta.llama3-1-8b-instruct-v1:0`
    and `Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf` all give ('3.1', '8b', 'llama').
    """
    name = model.replace("\\", "/").rsplit("/", 1)[-1].lower()
    name = name.split(":", 1)[0].removesuffix(".gguf")
    name = re.sub(r"-v1$", "", _QUANTIZATION.sub("", name))
    name = re.sub(r"\bv?(\d+)p(\d+)\b", r"\1.\2", name)  # v3p1
    name = re.sub(r"([a-z])(\d+)-(\d+)(?=-)", r"\1-\2.\3", name)  # llama3-1-8b
    name = re.sub(r"(?<=[a-z]{3})(?=\d)", "-", name)  # llama3.1, smollm2
    name = re.sub(r"(?<![\d.])(\d)-(\d)(?=-\d+b)", r"\1.\2", name)  # llama-3-1-8b
    parts = [p.removeprefix("v") if re.fullmatch(r"v\d[\d.]*", p) else p for p in re.split(r"[-_ ]", name)]
    parts = [p.split(".")[-1] if re.match(r"[a-z]+\.[a-z]", p) else p for p in parts]  # meta.llama
    return tuple(sorted(p for p in parts if p and p not in _NOISE))


def hosts_of(model: str, own: Sequence[ApiPrice] = ()) -> list[ApiPrice]:
    """Prices of the same weights at every host: the user's own where he gave some, else the listed ones.

    Resellers are left out where somebody hosts them himself. Empty when nobody does, or when the name says too
    little (no size) to be sure.
    """
    wanted = weights_key(model)
    if not any(re.fullmatch(r"[\d.]+[bm]", part) for part in wanted):
        return []
    given = [price for price in own if weights_key(price.model) == wanted]
    if given:
        return given
    found = [
        price
        for provider, name in genai.hosted_models()
        if not name.endswith(":free") and weights_key(name) == wanted
        if (price := genai.try_price(provider, name)) is not None and _is_sold(price)
    ]
    direct = [p for p in found if p.provider not in _RESELLERS and not p.provider.startswith("huggingface_")]
    return direct or found


def _is_sold(price: ApiPrice) -> bool:
    if price.is_retired(datetime.now(UTC).date()):
        return False
    return price.rates.input_usd_per_mtok > 0 and price.rates.output_usd_per_mtok > 0


def cheapest_host(
    model: str, usd_per_request: Callable[[ApiPrice], float], own: Sequence[ApiPrice] = ()
) -> tuple[ApiPrice, int] | None:
    """(the price of the host whose request is cheapest, number of hosts); None when nobody hosts it."""
    hosts = hosts_of(model, own)
    if not hosts:
        return None
    return min(hosts, key=lambda price: (usd_per_request(price), price.provider)), len(hosts)
