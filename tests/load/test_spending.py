"""What a request can cost at most and has cost, the purse that holds it, and when a rate limit lets the next one go."""

import math
from typing import Any

import pytest

from harness.backends import BACKENDS
from harness.backends.counts import billed_output, read_usage
from harness.backends.wire import Answer, Ask
from harness.base.errors import UsageError
from harness.load.spending.bounds import most_billed
from harness.load.spending.pace import MOST_PAUSE_S, Allowance, Pace
from harness.load.spending.purse import Purse, Spending, Spent
from harness.load.spending.tariff import PICO_PER_USD, Bound, PriceTier, Tariff, TokenPrices, Usage

PLAIN = TokenPrices(3, 3, 3, 15)
CACHED = TokenPrices(3, 0.3, 3.75, 15)
USD = PICO_PER_USD


@pytest.mark.parametrize(
    ("tariff", "usage", "usd"),
    [
        (Tariff(PLAIN), Usage(1000, 100), "0.0045"),
        (Tariff(TokenPrices(3, 0.3, 3, 15)), Usage(1000, 100, cached_tokens=400), "0.00342"),
        (Tariff(CACHED), Usage(1000, 100, cached_tokens=400, written_tokens=0), "0.00342"),
        # nobody says what was written: all of the other 600
        (Tariff(CACHED), Usage(1000, 100, cached_tokens=400), "0.00387"),
        (Tariff(CACHED), Usage(1000, 100, cached_tokens=400, written_tokens=200), "0.00357"),
        (Tariff(PLAIN, usd_per_request=0.005, surcharge=0.1), Usage(1000, 100), "0.01045"),
        # a tier is a cliff: every token of a longer prompt
        (Tariff(PLAIN, [PriceTier(1000, TokenPrices(6, 6, 6, 22.5))]), Usage(1000, 100), "0.0045"),
        (Tariff(PLAIN, [PriceTier(1000, TokenPrices(6, 6, 6, 22.5))]), Usage(1001, 100), "0.008256"),
        # more cached tokens than the prompt has are as many as it has
        (Tariff(TokenPrices(3, 0.3, 3, 15)), Usage(1000, 0, cached_tokens=5000), "0.0003"),
    ],
)
def test_a_request_costs_what_its_usage_says(tariff: Tariff, usage: Usage, usd: str) -> None:
    assert tariff.cost_pico(usage) == round(float(usd) * USD)


def test_prices_are_exact_and_a_part_of_a_pico_is_rounded_up() -> None:
    assert Tariff(TokenPrices(0.1, 0.1, 0.1, 0.2)).cost_pico(Usage(3, 1)) == 500_000
    assert Tariff(TokenPrices(1e-7, 0, 0, 0)).cost_pico(Usage(11, 0)) == 2


@pytest.mark.parametrize(
    ("tariff", "bound", "usd"),
    [
        (Tariff(PLAIN), Bound(1000, 100), "0.0045"),
        (Tariff(CACHED), Bound(1000, 100), "0.00525"),  # all of it written to a cache
        (Tariff(TokenPrices(3, 4, 3, 15)), Bound(1000, 100), "0.0055"),
        # the tier is reached by what the prompt may have, and it is not known to be cheaper
        (Tariff(PLAIN, [PriceTier(500, TokenPrices(6, 6, 6, 10))]), Bound(1000, 100), "0.0075"),
        (Tariff(PLAIN, [PriceTier(1000, TokenPrices(6, 6, 6, 10))]), Bound(1000, 100), "0.0045"),
        (Tariff(PLAIN, usd_per_request=0.005, surcharge=0.1), Bound(1000, 100), "0.01045"),
    ],
)
def test_a_request_can_cost_its_tokens_at_the_dearest_price_that_may_apply(
    tariff: Tariff, bound: Bound, usd: str
) -> None:
    assert tariff.most_pico(bound) == round(float(usd) * USD)


def body(**more: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": "abc", "max_tokens": 10, "temperature": 0, "stream": True} | more


def test_a_prompt_has_as_many_tokens_as_bytes_and_a_template_at_most() -> None:
    # {"prompt":"abc"} is 16 bytes, and 256 for what a template puts around it
    assert most_billed(body()) == Bound(16 + 256, 10)
    assert most_billed(body(prompt="äbc")) == Bound(17 + 256, 10)
    # {"messages":[{"role":"user","content":"abc"}]} is 46; each message 16 more
    chat = {"messages": [{"role": "user", "content": "abc"}], "max_tokens": 10}
    assert most_billed(chat) == Bound(46 + 256 + 16, 10)


@pytest.mark.parametrize(
    ("more", "output_tokens"),
    [
        ({"max_completion_tokens": 30}, 30),
        ({"max_completion_tokens": 5}, 10),  # of two bounds nobody knows which one the API goes by
        ({"n": 3}, 30),
        ({"n": 2, "best_of": 4}, 40),
        ({"reasoning_effort": "high"}, 10),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, 110),
        ({"reasoning": {"max_tokens": 100}}, 110),
    ],
)
def test_an_answer_has_as_many_tokens_as_are_asked_for(more: dict[str, Any], output_tokens: int) -> None:
    assert most_billed(body(**more)).output_tokens == output_tokens


def test_several_choices_may_read_the_prompt_as_often() -> None:
    assert most_billed(body(n=2)).input_tokens == 2 * most_billed(body()).input_tokens


def test_a_schema_and_tools_are_read_like_a_prompt() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}

    assert most_billed(body(response_format=schema)).input_tokens > most_billed(body()).input_tokens + 70
    assert most_billed(body(tools=[{"type": "function"}])).input_tokens > most_billed(body()).input_tokens + 1024


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({"prompt": "abc"}, "max_tokens"),
        (body(max_tokens="10"), "max_tokens"),
        (body(max_tokens=0), "max_tokens"),
        (body(max_tokens=True), "max_tokens"),
        (body(n="2"), "n"),
        (body(best_of=1.5), "best_of"),
        (body(web_search_options={}), "web_search_options"),
        (body(service_tier="priority"), "service_tier"),
        (body(prompt=["a", "b"]), "prompt"),
        (body(tools=[{"type": "web_search"}]), "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}], "max_tokens": 1}, "messages"),
        ({"inputs": "abc", "parameters": {"max_new_tokens": 10}}, "inputs"),
    ],
)
def test_what_nobody_can_bound_is_refused_by_its_name(asked: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=f"`{key}`"):
        most_billed(asked)


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_what_every_openai_dialect_sends_can_be_bounded(api: str) -> None:
    ask = Ask("hello", 7, api, stream=True, temperature=0.5, force_length=True, model="m", cache_salt="1")

    for wire in BACKENDS.values():
        assert most_billed(wire.body(ask)).output_tokens == 7


def purse(usd: float = 1.0, tariff: Tariff = Tariff(PLAIN), before: Spent = Spent()) -> Purse:  # noqa: B008 - frozen
    return Purse(Spending(round(usd * USD), tariff, before))


def test_a_purse_holds_to_the_last_pico_and_no_further() -> None:
    one = purse(1.0)

    assert one.reserve(USD - 1)
    assert one.reserve(1)
    assert not one.reserve(1)
    assert "USD 1 at most" in (one.stopped or "")


def test_what_is_released_or_costs_less_can_be_reserved_again_until_the_purse_has_once_said_no() -> None:
    one = purse(0.01)

    assert one.reserve(round(0.01 * USD))
    one.settle(round(0.01 * USD), Usage(1000, 100))  # 0.0045
    assert one.reserve(round(0.0055 * USD))
    one.release(round(0.0055 * USD))
    assert not one.reserve(round(0.0056 * USD))
    assert not one.reserve(1)
    assert (one.spent_pico, one.reserved_pico) == (round(0.0045 * USD), 0)


def test_a_request_that_cost_more_than_it_could_ends_the_load() -> None:
    one = purse(1.0)
    one.reserve(100)

    one.settle(100, Usage(1000, 100))

    assert not one.reserve(1)
    assert "more than it could cost" in (one.stopped or "")


def test_a_further_load_begins_with_what_the_one_before_has_left() -> None:
    first = Spending(USD, Tariff(PLAIN))

    second = Purse(first.after(Spent(spent_pico=USD // 2, reserved_pico=USD // 4)))

    assert not second.is_untouched
    assert second.reserve(USD // 4)
    assert not second.reserve(1)


@pytest.mark.parametrize(
    ("usage", "output_tokens"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, 5),
        # reasoning in the total alone
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35}, 25),
        ({"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 20}}, 25),
        ({"prompt_tokens": 10, "completion_tokens": 25, "completion_tokens_details": {"reasoning_tokens": 20}}, 25),
        ({"prompt_tokens": 10}, None),
    ],
)
def test_reasoning_is_billed_wherever_it_is_counted(usage: dict[str, Any], output_tokens: int | None) -> None:
    answer = Answer()

    read_usage(answer, usage)

    assert billed_output(answer) == output_tokens


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10, "cache_creation_input_tokens": 4},
        {"prompt_tokens": 10, "prompt_tokens_details": {"cache_write_tokens": 4}},
        {"input_tokens": 6, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 4},
    ],
)
def test_what_was_written_to_a_cache_is_read_under_each_of_its_names(usage: dict[str, Any]) -> None:
    answer = Answer()

    read_usage(answer, usage)

    assert (answer.prompt_tokens, answer.written_tokens) == (10, 4)


def told(*allowances: Allowance) -> Pace:
    pace = Pace()
    pace.told(0.0, list(allowances))
    return pace


def test_an_empty_bucket_that_fills_evenly_is_waited_for_as_long_as_one_request_takes() -> None:
    pace = told(Allowance("requests", 0, 100, 50))

    assert pace.wait_s(0.0, 10, 0) == 0.5
    assert pace.wait_s(0.5, 10, 0) == 0.0


def test_a_bucket_of_unknown_size_is_waited_for_to_its_reset() -> None:
    assert told(Allowance("requests", 0, None, 7)).wait_s(2.0, 10, 0) == 5.0


def test_tokens_are_waited_for_as_many_as_the_request_needs() -> None:
    pace = told(Allowance("tokens", 100, 1000, 90))

    assert pace.wait_s(0.0, 100, 0) == 0.0
    assert pace.wait_s(0.0, 200, 0) == pytest.approx(10.0)
    assert pace.wait_s(0.0, 5000, 0) == 90.0  # it will never hold as many


def test_each_request_takes_from_the_buckets_that_are_known() -> None:
    pace = told(Allowance("requests", 2, None, 30))

    pace.sent(10)
    assert pace.wait_s(0.0, 10, 0) == 0.0
    pace.sent(10)
    assert pace.wait_s(0.0, 10, 0) == 30.0


def test_a_refusal_is_waited_out_and_then_half_as_many_go_at_once() -> None:
    pace = Pace()

    pace.refused(10.0, 9.0, 5.0, in_flight=64)
    pace.refused(10.1, 9.0, 5.0, in_flight=63)  # of the same burst

    assert pace.wait_s(10.1, 1, 0) == pytest.approx(5.0)
    assert pace.wait_s(15.2, 1, 31) == 0.0
    assert math.isinf(pace.wait_s(15.2, 1, 32))
    pace.served()
    assert pace.wait_s(15.2, 1, 32) == 0.0


def test_a_refusal_that_names_no_pause_is_waited_out_longer_where_the_wait_was_too_short() -> None:
    pace, now_s, waits = Pace(), 0.0, []

    for _ in range(3):
        pace.refused(now_s, now_s, None, in_flight=1)
        pace.refused(now_s, now_s - 1, None, in_flight=1)  # sent before it was known
        waits.append(pace.wait_s(now_s, 1, 0))
        now_s += 100

    assert waits == [1.0, 2.0, 4.0]


def test_no_wait_is_longer_than_a_load_can_wait() -> None:
    assert told(Allowance("requests", 0, None, 86_400)).wait_s(0.0, 1, 0) == MOST_PAUSE_S
