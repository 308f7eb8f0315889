"""The price list itself, and looking prices up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.base.weights_name import weights_key
from harness.base.yamlfile import read_yaml
from harness.cli import invoke
from harness.prices.catalog import find_instance, load_instances, quote_for, resolve_api
from harness.prices.genai import data_digest
from harness.prices.listing import age, source_letters
from harness.prices.price_file import UserPrices, user_prices
from harness.prices.record import PURCHASES, ApiPrice, Change, Rates, Tier
from harness.prices.roles import ROLES, roles
from harness.prices.same_weights import hosts_of


def load_user_prices(path: Path) -> UserPrices:
    return user_prices(read_yaml(path, what="price"), path)


def test_every_instance_row_has_a_price_a_source_and_its_gpus_memory() -> None:
    for instance in load_instances():
        assert instance.quotes, instance.id
        assert (instance.gpu_count > 0) == (instance.gpu is not None) == (instance.gpu_memory_gib is not None)
        for purchase, quote in instance.quotes.items():
            assert purchase in PURCHASES
            assert 0 < quote.usd_per_hour < 1000, instance.id
            assert quote.source


def test_instance_rows_are_unique() -> None:
    keys = [(i.id, i.region) for i in load_instances()]

    assert len(keys) == len(set(keys))


def test_reserving_is_cheaper_than_on_demand_and_spot_lies_in_its_range() -> None:
    for instance in load_instances():
        quotes = {purchase: quote.usd_per_hour for purchase, quote in instance.quotes.items()}
        assert quotes.get("reserved_1y", 0) < quotes["on_demand"]
        if instance.spot_range_usd_per_hour is not None:
            low, high = instance.spot_range_usd_per_hour
            assert low <= quotes["spot"] <= high < quotes["on_demand"]


@pytest.mark.parametrize(
    ("reference", "purchase", "usd"),
    [
        ("g5.12xlarge", "on_demand", 5.672),
        ("g5.12xlarge", "reserved_1y", 3.57336),
        ("g5.12xlarge@eu-west-1", "on_demand", 6.33167),
        ("p5.48xlarge", "on_demand", 55.04),
        ("c7i.large", "on_demand", 0.08925),
    ],
)
def test_a_listed_price_is_found(reference: str, purchase: str, usd: float) -> None:
    assert quote_for(find_instance(reference), purchase).usd_per_hour == usd


def test_an_unknown_instance_suggests_near_names() -> None:
    with pytest.raises(UsageError, match=r"unknown instance `g5\.12xlrge`") as caught:
        find_instance("g5.12xlrge")

    assert "`g5.12xlarge`" in str(caught.value.hint)


def test_an_unknown_region_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="in region `mars-1`") as caught:
        find_instance("g5.12xlarge@mars-1")

    assert "eu-west-1" in str(caught.value.hint)


def test_a_purchase_option_without_a_source_is_an_error_and_no_guess() -> None:
    with pytest.raises(UsageError, match=r"no `reserved_3y` price for `g5\.12xlarge`"):
        quote_for(find_instance("g5.12xlarge"), "reserved_3y")


def test_a_model_is_resolved_with_its_source() -> None:
    price = resolve_api("anthropic:claude-sonnet-4-6")

    assert (price.provider, price.model) == ("anthropic", "claude-sonnet-4-6")
    assert price.rates == Rates(3, 15, 0.3, 3.75, 6)
    assert price.source == "genai-prices"
    assert (price.version, price.digest) == data_digest()
    assert price.batch == Rates(1.5, 7.5, 0.15, 1.875, 3)


@pytest.mark.parametrize(
    ("reference", "said", "hint"),
    [
        ("openai:gpt-4.1-mimi", "unknown API model `gpt-4.1-mimi` at `openai`", "openai:gpt-4.1-mini"),
        ("opnai:gpt-4.1", "unknown API provider `opnai`", "openai"),
        ("gpt-4.1", "an API is named provider:model, got `gpt-4.1`", "`openai:gpt-4.1`"),
        ("my-own", "an API is named provider:model, got `my-own`", "openai:gpt-4.1-mini"),
        ("openai:", "an API is named provider:model", "openai:gpt-4.1-mini"),
        ("openai:text-embedding-3-small", "no price per input and output token", "--prices"),
    ],
)
def test_what_has_no_price_is_an_error_that_helps(reference: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        resolve_api(reference)

    assert hint in str(caught.value.hint)


def test_a_name_that_only_resembles_a_model_is_refused() -> None:
    # genai-prices matches `gpt-5.6` to `gpt-5.6-sol`; which one is billed is for the user to say
    with pytest.raises(UsageError, match=r"the nearest is `gpt-5\.6-sol`") as caught:
        resolve_api("openai:gpt-5.6")

    assert "`openai:gpt-5.6-sol`" in str(caught.value.hint)


def test_a_cached_request_costs_what_the_price_package_says() -> None:
    from genai_prices import Usage, calc_price

    theirs = calc_price(
        Usage(input_tokens=800, cache_read_tokens=600, output_tokens=250), "claude-sonnet-4-6", provider_id="anthropic"
    )

    ours = resolve_api("anthropic:claude-sonnet-4-6").rates_for(800)

    assert ours.request_usd(800, 250, cached_input_tokens=600) == pytest.approx(0.00453, rel=1e-12)  # AN-06
    assert float(theirs.total_price) == pytest.approx(0.00453, rel=1e-12)


def test_tiers_go_by_the_single_request() -> None:
    price = resolve_api("google:gemini-2.5-pro")

    month = 120_000 * price.rates_for(800).request_usd(800, 250)
    one_call_for_the_month = price.rates_for(96e6).request_usd(96e6, 30e6)

    assert month == pytest.approx(420, rel=1e-12)  # AN-25
    assert one_call_for_the_month == pytest.approx(690, rel=1e-12)  # the mistake


def test_a_tier_starts_above_its_threshold() -> None:
    price = ApiPrice("a", "b", Rates(1, 2), "test", tiers=(Tier(1000, Rates(3, 4)), Tier(5000, Rates(5, 6))))

    assert [price.rates_for(n).input_usd_per_mtok for n in (1000, 1001, 5000, 5001)] == [1, 3, 3, 5]


OWN = """
api:
  - {provider: acme, model: llama-70b, input_usd_per_mtok: 0.2, output_usd_per_mtok: 0.4}
  - {provider: openai, model: gpt-4.1-mini, input_usd_per_mtok: 0.3, output_usd_per_mtok: 1.2,
     source: "our contract", checked_on: 2026-10-01,
     tiers: [{above_input_tokens: 1000, input_usd_per_mtok: 0.6, output_usd_per_mtok: 2.4}]}
instances:
  - {id: g5.12xlarge, usd_per_hour: {reserved_3y: 2.4}, source: "quote of 2026-10", checked_on: 2026-10-02}
  - {id: our-box, gpu: A100, gpu_count: 2, gpu_memory_gib: 80, usd_per_hour: {on_demand: 3.1}}
"""


def test_own_prices_win_over_every_listed_one(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)

    own = load_user_prices(path)

    assert resolve_api("openai:gpt-4.1-mini", own).rates == Rates(0.3, 1.2)
    assert resolve_api("openai:gpt-4.1-mini", own).rates_for(1001) == Rates(0.6, 2.4)
    assert resolve_api("openai:gpt-4.1-mini", own).kind == "listed"
    assert resolve_api("acme:llama-70b", own).kind == "assumed"
    box = find_instance("g5.12xlarge", own)
    assert quote_for(box, "reserved_3y").usd_per_hour == 2.4
    assert quote_for(box, "reserved_3y").checked_on == date(2026, 10, 2)
    assert quote_for(box, "on_demand").usd_per_hour == 5.672
    assert box.gpu_count == 4
    assert quote_for(find_instance("our-box", own), "on_demand").usd_per_hour == 3.1


ROW = "{provider: acme, model: m, input_usd_per_mtok: 1, output_usd_per_mtok: 2}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("api: [{provider: a, model: b, input_usd_per_mtok: 1}]", "`api[0].output_usd_per_mtok` is missing"),
        ("instances: [{id: a, usd_per_hour: {on_demand: -1}}]", "must be 0, or from 1e-09 to 1e+09 USD, got -1"),
        ("instances: [{id: a, usd_per_hour: {ondemand: 1}}]", "unknown purchase option `ondemand`"),
        ("instances: [{id: a, currency: EUR, usd_per_hour: {on_demand: 1}}]", "only USD is understood, got 'EUR'"),
        ("apis: []", "unknown key `apis`"),
        (f"api: [{ROW}, {ROW.replace('acme', 'Acme')}]", "`api[1]`: acme:m is given twice, first in `api[0]`"),
        (
            "instances: [{id: a, usd_per_hour: {on_demand: 1}}, {id: a, usd_per_hour: {spot: 1}}]",
            "`instances[1]`: a is given twice, first in `instances[0]`",
        ),
        (f"api: [{ROW[:-1]}, checked_on: 2999-01-01}}]", "`api[0].checked_on`: 2999-01-01 is in the future"),
        (
            "instances: [{id: a, other_sources: {spot: {source: s, checked_on: 2999-01-01}}}]",
            "`instances[0].checked_on`: 2999-01-01 is in the future",
        ),
        (
            "instances: [{id: a, usd_per_hour: {on_demand: 1.0e-320}}]",
            "`instances[0].usd_per_hour.on_demand`: must be 0, or from 1e-09 to 1e+09 USD, got 1e-320",
        ),
        (
            f"api: [{ROW.replace('usd_per_mtok: 1', 'usd_per_mtok: 1.0e+300')}]",
            "`api[0].input_usd_per_mtok`: must be 0, or from 1e-09 to 1e+09 USD, got 1e+300",
        ),
        ("instances: [{id: a, usd_per_hour: {on_demand: yes}}]", "must not be true or false"),
        ("instances: [{id: a, spot_range_usd_per_hour: [3, 1]}]", "`instances[0].spot_range_usd_per_hour`"),
        ("instances: [{id: ''}]", "`instances[0].id`"),
    ],
)
def test_a_bad_price_file_names_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)

    with pytest.raises(UsageError) as caught:
        load_user_prices(path)

    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_one_instance_in_two_regions_is_given_once_each(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "instances: [{id: a, region: x, usd_per_hour: {spot: 1}}, {id: a, region: y, usd_per_hour: {spot: 2}}]"
    )

    assert quote_for(find_instance("a@y", load_user_prices(path)), "spot").usd_per_hour == 2


def test_a_price_is_stale_after_90_days_and_undated_without_a_date() -> None:
    days = (date(2026, 1, 1), date(2026, 1, 2), None)

    aged = [age(day, date(2026, 4, 2)) for day in days]  # 91 and 90 days later

    assert [row["status"] for row in aged] == ["stale", "fresh", "undated"]


@pytest.mark.parametrize(
    "name",
    [
        "meta-llama/Llama-3.1-8B-Instruct",
        "/models/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf",
        "llama-v3p1-8b-instruct",
        "meta.llama3-1-8b-instruct-v1:0",
        "llama3.1-8b",
        "databricks-meta-llama-3-1-8b-instruct",
        "@cf/meta/llama-3.1-8b-instruct-fp8-fast",
    ],
)
def test_one_models_names_are_one_key(name: str) -> None:
    assert weights_key(name) == ("3.1", "8b", "llama")


@pytest.mark.parametrize(
    "name", ["meta-llama/Llama-3-8B-Instruct", "deepseek-r1-distill-llama-8b", "llama-3.1-70b", "llama-guard-3-8b"]
)
def test_other_weights_have_another_key(name: str) -> None:
    assert weights_key(name) != ("3.1", "8b", "llama")


def test_hosts_are_found_by_any_spelling_and_nobody_hosts_the_little_one() -> None:
    hosts = {f"{p.provider}:{p.model}" for p in hosts_of("Llama-3.3-70B-Instruct-AWQ")}

    assert "groq:llama-3.3-70b-versatile" not in hosts  # retired
    assert "together:meta-llama/Llama-3.3-70B-Instruct-Turbo" not in hosts
    assert "aws:meta.llama3-3-70b-instruct-v1:0" in hosts
    assert not any(":free" in host for host in hosts)
    assert hosts_of("SmolLM2-135M-Instruct.Q4_K_M.gguf") == []
    assert hosts_of("my-finetune") == []


def test_the_list_is_data_on_stdout_and_the_age_a_warning_on_stderr() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "prices", "check", "--api", "openai:gpt-4.1", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert any(row["id"] == "g5.12xlarge" and row["status"] == "stale" for row in data["instances"])
    assert any(row["model"] == "gpt-4.1" for row in data["api"])
    assert done.stderr.startswith("warning: ")


def test_the_list_fits_100_columns_and_gives_every_price_its_source_and_date(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(["prices", "list", "--api", "openai:gpt-4.1"]) == 0

    lines = capsys.readouterr().out.splitlines()
    box = next(line.split() for line in lines if line.startswith("g5.12xlarge ") and "reserved_1y" in line)
    assert box == ["g5.12xlarge", "us-east-1", "4", "A10G", "48/192", "reserved_1y", "3.57336", "2025-11-30", box[-1]]
    assert any(line.startswith(f"{box[-1]}  Vantage data, 1-year standard reserved") for line in lines)
    api = next(line.split() for line in lines if line.startswith("openai:gpt-4.1 "))
    assert api[:5] == ["openai:gpt-4.1", "2", "0.5", "8", "genai-prices"]
    assert max(len(line) for line in lines) <= 100


def test_sources_beyond_the_alphabet_have_two_letters() -> None:
    letters = source_letters([str(n) for n in range(28)])

    assert [letters[str(n)] for n in (0, 25, 26, 27)] == ["a", "z", "aa", "ab"]


def test_looking_instances_up_does_not_load_the_price_package() -> None:
    code = (
        "import sys; from harness.prices.catalog import find_instance; find_instance('g5.xlarge');"
        "sys.exit('genai_prices' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_second_list_that_disagrees_is_quoted() -> None:
    from harness.prices.crosscheck import differences

    wrong = ApiPrice("openai", "gpt-4.1-mini", Rates(0.15, 1.6, 0.1), "genai-prices")

    found = differences(wrong)

    assert [(d.which, d.first, d.second, d.second_source) for d in found] == [("input", 0.15, 0.4, "LiteLLM's table")]


def test_a_model_that_the_second_list_lacks_is_no_disagreement() -> None:
    from harness.prices.crosscheck import differences

    assert differences(ApiPrice("nobody", "nothing", Rates(1, 2), "genai-prices")) == []


def test_the_second_lists_rounding_is_no_disagreement() -> None:
    from harness.prices.second_list import compare

    def differing(ours: float, theirs: float) -> bool:
        return bool(compare(ApiPrice("a", "b", Rates(ours, 1), "x"), Rates(theirs, 1), "y"))

    assert not differing(0.0375, 0.04)  # to cents
    assert not differing(0.28, 0.275)
    assert differing(0.05, 0.04)
    assert differing(0.4, 0.5)


@pytest.mark.parametrize(
    ("typed", "provider", "model"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o"),
        ("azure/gpt-4o", "azure", "gpt-4o"),
        ("vertex_ai/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("gemini/gemini-2.5-flash", "google", "gemini-2.5-flash"),
        ("together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("bedrock/meta.llama3-3-70b-instruct-v1:0", "aws", "meta.llama3-3-70b-instruct-v1:0"),
        ("bedrock:amazon.nova-lite-v1:0", "aws", "amazon.nova-lite-v1:0"),
        ("fireworks_ai/accounts/fireworks/models/deepseek-v3p2", "fireworks", "deepseek-v3p2"),
        ("xai/grok-4.3", "x-ai", "grok-4.3"),
        ("groq/openai/gpt-oss-20b", "groq", "openai/gpt-oss-20b"),
    ],
)
def test_other_tools_names_find_their_provider(typed: str, provider: str, model: str) -> None:
    price = resolve_api(typed)

    assert (price.provider, price.model) == (provider, model)


def test_an_own_price_is_found_by_the_other_spelling_too() -> None:
    own = UserPrices({"x-ai:mine": ApiPrice("x-ai", "mine", Rates(1, 2), "test")})

    assert resolve_api("xai/mine", own).rates == Rates(1, 2)


def test_another_tools_name_of_a_region_gets_the_right_spelling_as_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_api("bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0")

    assert "`aws:regional.anthropic.claude-3-5-sonnet-20241022-v2:0`" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("key", "usd", "right"),
    [("input", "2.5e-06", "2.5"), ("output", "1.0e-05", "10"), ("cached_input", "7.5e-08", "0.075")],
)
def test_the_price_of_one_token_is_refused_with_the_factor(tmp_path: Path, key: str, usd: str, right: str) -> None:
    prices = {"input": "1", "output": "2", key: usd}
    rates = ", ".join(f"{name}_usd_per_mtok: {value}" for name, value in prices.items())
    path = tmp_path / "own.yaml"
    path.write_text(f"api: [{{provider: a, model: b, {rates}}}]\n")

    with pytest.raises(UsageError, match=rf"{key}_usd_per_mtok`: must be the price of a million tokens") as caught:
        load_user_prices(path)

    assert str(caught.value.hint) == f"times 1,000,000 it is {right}: write {right}"


def test_a_free_model_is_0_and_says_so() -> None:
    price = resolve_api("azure:mai-ds-r1:free")

    assert price.rates == Rates(0, 0)
    assert price.is_free
    assert price.label == "free of charge, as listed"


def test_a_fee_for_each_request_is_part_of_the_price() -> None:
    price = resolve_api("perplexity:sonar")

    assert price.terms.usd_per_request == 0.012
    assert price.source_checked_on == date(2026, 10, 19)
    assert price.retired_on == date(2026, 9, 27)


def test_a_price_by_the_hour_is_that_of_a_flat_day_or_of_the_hours_it_is_used() -> None:
    price = resolve_api("deepseek:deepseek-v4-pro")  # 0.66/1.98, twice that from 1 to 4 and from 6 to 10

    nights = [float(hour in (1, 2)) for hour in range(24)]
    assert price.rates.input_usd_per_mtok == pytest.approx(0.66 * 31 / 24)
    assert price.over([1.0] * 24).rates.output_usd_per_mtok == pytest.approx(1.98 * 31 / 24)
    assert price.over(nights).rates.input_usd_per_mtok == pytest.approx(1.32)
    assert price.over(nights * 7).rates.input_usd_per_mtok == pytest.approx(1.32)
    assert price.over([float(hour == 12) for hour in range(24)]).rates.input_usd_per_mtok == pytest.approx(0.66)


def test_parts_that_are_not_priced_are_named() -> None:
    parts = resolve_api("perplexity:sonar-deep-research").unused

    assert [part.words for part in parts if part.is_due] == [
        "output reasoning 3 USD/Mtok",
        "output citation 2 USD/Mtok",
    ]
    assert not any(part.is_due for part in resolve_api("openai:gpt-4.1-mini").unused)


def test_an_announced_price_is_asked_from_its_day_on() -> None:
    price = ApiPrice("a", "b", Rates(2, 10), "t", batch=Rates(1, 5), changes=(Change(date(2027, 1, 1), Rates(4, 20)),))

    assert price.on(date(2026, 12, 31)) == price
    assert price.on(date(2027, 1, 1)).rates == Rates(4, 20)
    assert price.on(date(2027, 1, 1)).batch == Rates(2, 10)


def test_a_cache_write_that_is_kept_an_hour_has_its_own_price() -> None:
    rates = Rates(3, 15, 0.3, 3.75, 6)

    # 1,000 in: 200 plain, 300 written, 500 written for an hour
    usd = rates.request_usd(1000, 0, cache_write_tokens=300, cache_write_1h_tokens=500)
    assert usd == pytest.approx((200 * 3 + 300 * 3.75 + 500 * 6) / 1e6)
    assert Rates(3, 15, 0.3, 3.75).write_1h == 3.75


def test_a_default_is_the_newest_of_its_family_that_is_not_retired(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.cost import arms

    assert arms.default_api("frontier").model == "claude-sonnet-5-5"
    older = {"frontier": ["perplexity:sonar", "nobody:none", "openai:gpt-4.1"]}
    monkeypatch.setattr(arms, "roles", lambda: roles().model_copy(update=older))

    assert arms.default_api("frontier").model == "gpt-4.1"


def test_no_default_is_retired_and_the_file_is_dated() -> None:
    said = roles()

    assert said.checked_on >= date(2026, 11, 28)
    for role in ROLES:
        for reference in said.family(role):
            assert resolve_api(reference).rates.output_usd_per_mtok > 0
