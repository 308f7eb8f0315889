"""The audit of "The Real Costs of Serving an LLM in Production (2026 Edition)": as printed, as its inputs give.

Its worked example is the support agent of scenarios/demand/. Every recomputed figure comes out of the same
functions that price a run; every difference has its reason beside it. Money is USD, M is a million.
"""

from dataclasses import dataclass, replace
from functools import partial

from harness.base.units import HOURS_PER_DAY, HOURS_PER_MONTH, SECONDS_PER_HOUR, usd_per_mtok
from harness.base.workload import Workload
from harness.cost.api_rates import usd_per_mtok_blended
from harness.cost.article_prices import BOX, Book, article_book, today_book
from harness.cost.box.plausible import ceiling_tokens_per_s, weights_gib
from harness.cost.breakeven.decision import attempts_per_task
from harness.cost.breakeven.success import indifferent_human_usd
from harness.demand.demand import History
from harness.demand.items import WEEKS_PER_MONTH, EmbeddingItem, HoursItem, PerTaskItem, usd_per_month, usd_per_pass
from harness.prices.catalog import find_instance
from harness.prices.record import Rates

CONVERSATIONS = 100_000
TURNS = 4
INPUT_TOKENS = 800
OUTPUT_TOKENS = 250
CALLS = CONVERSATIONS * TURNS
HAIKU_SHARE = 0.7

HALF_FTE_USD = 0.5 * 208_000 / 12
PARAMETERS = 70.6e9  # Llama 3.3 70B

HOSTED = {
    "Llama 3.3 70B at 0.10/0.32": Rates(0.10, 0.32),
    "Llama 3.3 70B at 0.59/0.79": Rates(0.59, 0.79),
    "Llama 3.3 70B at 0.72/0.72": Rates(0.72, 0.72),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of the article: what it is, what is printed, what its own inputs give, and why they differ."""

    section: str
    what: str
    printed: float | str | None  # None: the cell is blank
    recomputed: float | str
    unit: str
    why: str
    today: float | str | None = None  # the same at the prices of the list at hand


def _tokens_usd(conversations: float, rates: Rates) -> float:
    return conversations * TURNS * rates.request_usd(INPUT_TOKENS, OUTPUT_TOKENS)


def inference_usd(haiku: Rates, sonnet: Rates) -> float:
    """The month's tokens, 70 % of the conversations to Haiku and 30 % to Sonnet."""
    to_haiku = CONVERSATIONS * HAIKU_SHARE
    return _tokens_usd(to_haiku, haiku) + _tokens_usd(CONVERSATIONS - to_haiku, sonnet)


def cascade_usd(haiku: Rates, sonnet: Rates) -> float:
    """The same when every conversation starts at Haiku and 30 % go on to Sonnet."""
    return _tokens_usd(CONVERSATIONS, haiku) + _tokens_usd(CONVERSATIONS * (1 - HAIKU_SHARE), sonnet)


_KNOWLEDGE = EmbeddingItem(
    name="knowledge", kind="embeddings", chunks=50_000, tokens_per_chunk=400, usd_per_mtok=0.02, passes_per_year=12
)
_QUERIES = PerTaskItem(name="queries", kind="per_task", tokens_per_task=30, usd_per_mtok=0.02)
_ENGINEER = HoursItem(name="engineer", kind="hours", hours_per_week=3, usd_per_hour=100)
_VECTOR_STORE_USD, _BACKEND_USD, _LOGGING_USD = 140.0, 180.0, 40.0
_EVALUATION_USD, _EXPERIMENTS_USD = 80.0, 200.0
_PRINTED_ENGINEER_USD = 1_200.0


def infrastructure_usd() -> float:
    """Vector store, embeddings of knowledge and queries, backend, logging: the article's five rows."""
    embedding = usd_per_pass(_KNOWLEDGE) + usd_per_month(_QUERIES, CALLS)
    return _VECTOR_STORE_USD + embedding + _BACKEND_USD + _LOGGING_USD


def hidden_usd() -> float:
    """Engineer as printed, evaluation runs, experiments."""
    return _PRINTED_ENGINEER_USD + _EVALUATION_USD + _EXPERIMENTS_USD


def totals(inference: float) -> dict[str, float]:
    """Grand total, per conversation and the three shares in per cent."""
    infra, hidden = infrastructure_usd(), hidden_usd()
    total = inference + infra + hidden
    shares = {name: 100 * usd / total for name, usd in (("inference", inference), ("infra", infra), ("hidden", hidden))}
    return {"total": total, "per_conversation": total / CONVERSATIONS, **shares}


PRINTED_INFERENCE_USD = 1_242.0  # 504 + 738


def worked_example(book: Book) -> list[Finding]:
    """Section 1: the table of the support agent."""
    haiku, haiku_list, _ = book.prices["Claude Haiku 4.5"]
    sonnet = book.prices["Claude Sonnet 4.6"][0]
    right, printed = totals(inference_usd(haiku, sonnet)), totals(PRINTED_INFERENCE_USD)
    at_list = totals(inference_usd(haiku_list, sonnet))
    to_haiku = CONVERSATIONS * HAIKU_SHARE

    row = partial(Finding, "worked example")

    return [
        row("Haiku input tokens", 280, to_haiku * TURNS * INPUT_TOKENS / 1e6, "M",
            "70,000 x 4 x 800; 280 thousand is the number of turns"),
        row("Haiku output tokens", 70, to_haiku * TURNS * OUTPUT_TOKENS / 1e6, "M", "right"),
        row("Haiku at 0.80/4.00", 504, _tokens_usd(to_haiku, haiku), "USD", "504 is 280M x 0.80 + 70M x 4"),
        row("Sonnet at 3/15", 738, _tokens_usd(CONVERSATIONS - to_haiku, sonnet), "USD", "right"),
        row("inference total", 1_242, inference_usd(haiku, sonnet), "USD", "follows from the Haiku row"),
        row("vector store", 140, 280 * 50_000 / 10e6, "USD",
            "140 buys 5M vectors at 280 per 10M; the example has 50,000 chunks"),
        row("embedding 50,000 x 400", 0.40, usd_per_pass(_KNOWLEDGE), "USD", "a one-off, booked as monthly"),
        row("re-embedding on query", 0.24, usd_per_month(_QUERIES, CALLS), "USD",
            "right, but it is the query's embedding; nothing is re-embedded"),
        row("infrastructure total", None, infrastructure_usd(), "USD", "left blank"),
        row("engineer, 3 h a week", 1_200, usd_per_month(_ENGINEER, CALLS), "USD",
            f"a month has 52/12 = {WEEKS_PER_MONTH:.2f} weeks, not 4"),
        row("hidden total", None, hidden_usd(), "USD", "left blank; with the printed 1,200"),
        row("grand total", 3_082, right["total"], "USD",
            f"as printed it sums to {printed['total']:,.2f}, which rounds to 3,083"),
        row("per conversation", 0.031, right["per_conversation"], "USD",
            f"as printed {printed['per_conversation']:.4f}"),
        row("shares", "40/12/48", _shares(right), "%", f"as printed {_shares(printed)}"),
        row("total at Haiku's list price 1/5", None, at_list["total"], "USD",
            "0.80/4.00 is the price of an older Haiku"),
        row("inference if escalated means Haiku first", None, cascade_usd(haiku, sonnet), "USD",
            f"the table assumes routing up front; {cascade_usd(haiku_list, sonnet):,.0f} at list prices"),
    ]  # fmt: skip


def _shares(total: dict[str, float]) -> str:
    return "/".join(f"{total[name]:.2f}" for name in ("inference", "infra", "hidden"))


def routing_factor(cheap_share: float, price_ratio: float) -> float:
    """How many times cheaper it gets when a share goes to a model `price_ratio` times cheaper."""
    return 1 / (1 - cheap_share + cheap_share / price_ratio)


def _attempts(rate: float, retries: int | None) -> float:
    classes = [{"input_tokens": 1, "output_tokens": 1}]
    work = {"classes": classes, "retry_failure_rate": rate, "max_retries": retries}
    return attempts_per_task(Workload.model_validate(work))


def claims(book: Book) -> list[Finding]:
    """Section 2: what it says about multipliers."""
    sonnet = book.prices["Claude Sonnet 4.6"][0]
    usd = sonnet.request_usd(200, 1500)
    long_chat = History(turns=40, base_tokens=375, growth_tokens=375)
    short_chat = History(turns=10, base_tokens=300, growth_tokens=350)
    cache_usd = 0.15 * PRINTED_INFERENCE_USD
    opus, haiku = book.prices["Claude Opus 4.7"], book.prices["Claude Haiku 4.5"]
    routed = routing_factor(0.8, opus[0].output_usd_per_mtok / haiku[0].output_usd_per_mtok)
    routed_list = routing_factor(0.8, opus[1].output_usd_per_mtok / haiku[1].output_usd_per_mtok)
    human = indifferent_human_usd((0.10, 1.0), (4 * 0.005, 0.0))

    row = partial(Finding, "claims")

    return [
        row("200 in, 1,500 out on Sonnet", 0.023, usd, "USD", "right"),
        row("output's share of it", 95, 100 * 1500 * 15 / 1e6 / usd, "%", "1,500 x 15 of 23,100"),
        row("8 % retries", 1.08, _attempts(0.08, None), "x",
            f"{_attempts(0.08, 1):.2f} is at most one retry; a success costs 1/(1-p) whatever the cap"),
        row("30 % retries", 1.30, _attempts(0.30, None), "x",
            f"one retry {_attempts(0.3, 1):.2f}, two {_attempts(0.3, 2):.2f}, until success 1/0.7"),
        row("40 turns growing to 15,000 tokens", 600_000, long_chat.total_input_tokens(), "tokens",
            "grows by 375 a turn; 40 x 15,000 bills the last turn forty times"),
        row("10 turns of 800 with history", 8_000, short_chat.total_input_tokens(), "tokens",
            "300 + 350 for each past turn; a flat 800 contradicts its own context bloat"),
        row("15 % cache hits", 15, 100 * cache_usd / totals(PRINTED_INFERENCE_USD)["total"], "% of the bill",
            f"{cache_usd:.2f} USD: of inference only"),
        row("80 % to a cheaper model, Opus to Haiku", "5-10", routed, "x cheaper",
            f"1/(0.2 + 0.8/r) is below 5 for any r; at list prices {routed_list:.2f}"),
        row("0.10 beats 4 x 0.005 and a person", "always", human or 0.0, "USD",
            "only if the person costs more than this"),
    ]  # fmt: skip


def self_hosting(book: Book) -> list[Finding]:
    """Section 3: 0.30 USD per Mtok for a 70B model on one g5.12xlarge."""
    box = find_instance(BOX)
    ceiling = ceiling_tokens_per_s(PARAMETERS, box) or 0.0
    needed = book.on_demand / 0.30 / SECONDS_PER_HOUR * 1e6
    out_per_s = 5e6 / (HOURS_PER_DAY * SECONDS_PER_HOUR)
    total_per_s = out_per_s * (1 + INPUT_TOKENS / OUTPUT_TOKENS)
    at_5m = usd_per_mtok(book.on_demand, total_per_s)
    memory = box.gpu_count * (box.gpu_memory_gib or 0)
    ratio = INPUT_TOKENS / OUTPUT_TOKENS

    def against(model: str) -> float:
        return 100 * (1 - 0.30 / usd_per_mtok_blended(book.prices[model][0], ratio))

    row = partial(Finding, "self-hosting")

    return [
        row("tokens/s for 0.30 USD per Mtok", None, needed, "tokens/s",
            "on demand, every hour of the month full"),
        row("the same at 30 % use", None, needed / 0.3, "tokens/s",
            "a price per token is divided by the use"),
        row("what four A10G can compute", None, ceiling, "tokens/s",
            "2 x 70.6e9 FLOP a token, 4 x 70 TFLOPS: 0.30 is above the ceiling"),
        row("USD per Mtok with every FLOP used", 0.30, usd_per_mtok(book.on_demand, ceiling), "USD/Mtok",
            "on demand; no engine comes near, and the box cannot be cheaper"),
        row("weights in BF16", None, weights_gib(PARAMETERS, 16), "GiB",
            f"the box has {memory:.1f}: they do not fit"),
        row("USD per Mtok at 5M output a day", 0.30, at_5m, "USD/Mtok",
            f"the box costs {book.on_demand * HOURS_PER_DAY:.2f} a day whatever it serves"),
        row("use of the box at 5M a day, were 0.30 true", None, 100 * total_per_s / needed, "%",
            "the two statements differ by 21.6 times"),
        row("60-80 % cheaper than Sonnet, were 0.30 true", "60-80", against("Claude Sonnet 4.6"), "%",
            f"GPT-4.1 {against('GPT-4.1'):.1f}, GPT-4.1-mini {against('GPT-4.1-mini'):.1f}: they cannot all hold"),
    ]  # fmt: skip


def parity_mtok_per_day(usd_per_day: float, rates: Rates, *, input_per_output: float) -> float:
    """Million output tokens a day at which the API costs as much as a box; the box's capacity is ignored."""
    return usd_per_day / (rates.output_usd_per_mtok + input_per_output * rates.input_usd_per_mtok)


def parity(book: Book) -> list[Finding]:
    """Section 4: "5M output tokens a day is parity", for each API at 800/250, with list prices."""
    day = book.on_demand * HOURS_PER_DAY
    ratio = INPUT_TOKENS / OUTPUT_TOKENS
    staffed = day + HALF_FTE_USD * HOURS_PER_DAY / HOURS_PER_MONTH
    rows = []
    for name, rates in {**{name: listed for name, (_, listed, _) in book.prices.items()}, **HOSTED}.items():
        mixed = parity_mtok_per_day(day, rates, input_per_output=ratio)
        alone = parity_mtok_per_day(day, rates, input_per_output=0)
        people = parity_mtok_per_day(staffed, rates, input_per_output=ratio)
        why = f"output alone {alone:,.2f}; with half a person {people:,.2f}; capacity ignored"
        rows.append(Finding("parity with one on-demand box", name, 5, mixed, "M output/day", why))
    return rows


def price_table(book: Book) -> list[Finding]:
    """Section 5: the price list."""
    section = "prices, in/out per Mtok"
    return [
        Finding(section, name, _pair(printed), _pair(listed), "USD", f"the price of {whose}" if whose else "right")
        for name, (printed, listed, whose) in book.prices.items()
    ]


def _pair(rates: Rates) -> str:
    return f"{rates.input_usd_per_mtok:g}/{rates.output_usd_per_mtok:g}"


def three_arms(book: Book) -> list[Finding]:
    """Section 6: its own 400,000 calls a month on every arm, the hosted weights it leaves out included."""
    haiku, haiku_list, _ = book.prices["Claude Haiku 4.5"]
    sonnet = book.prices["Claude Sonnet 4.6"][0]
    month = book.on_demand * HOURS_PER_MONTH
    arms: dict[str, tuple[float | None, float]] = {
        "Haiku and Sonnet, printed prices": (PRINTED_INFERENCE_USD, inference_usd(haiku, sonnet)),
        "Haiku and Sonnet, list prices": (None, inference_usd(haiku_list, sonnet)),
        **{name: (None, CALLS * rates.request_usd(INPUT_TOKENS, OUTPUT_TOKENS)) for name, rates in HOSTED.items()},
        f"one {BOX} on demand": (None, month),
        f"one {BOX} reserved for a year": (None, book.box_usd_per_hour["reserved_1y"] * HOURS_PER_MONTH),
        f"one {BOX} on spot": (None, book.box_usd_per_hour["spot"] * HOURS_PER_MONTH),
        f"one {BOX} on demand and half a person": (None, month + HALF_FTE_USD),
    }
    why = "the same weights hosted by someone else are the arm that it leaves out"
    section = "its workload on every arm, a month"
    return [
        Finding(section, name, was, usd, "USD", why if name.startswith("Llama") else "")
        for name, (was, usd) in arms.items()
    ]


def audit() -> list[Finding]:
    """Every finding, in the article's order."""
    today = _findings(today_book())
    return [replace(one, today=now.recomputed) for one, now in zip(_findings(article_book()), today, strict=True)]


def _findings(book: Book) -> list[Finding]:
    parts = (worked_example, claims, self_hosting, parity, price_table, three_arms)
    return [finding for part in parts for finding in part(book)]
