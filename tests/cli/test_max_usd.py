"""`breakeven run --max-usd` from the outside: what is refused in a line, and what a run that is paid for leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
from billing_api import BillingApi

from harness import cli
from harness.base.errors import UsageError
from harness.cli.spending import tariff_of
from harness.load.spending.tariff import PriceTier, TokenPrices
from harness.prices.catalog import resolve_api
from harness.prices.record import ApiPrice, Part, Rates, Tier

SCENARIO = """\
name: paid
load: {kind: closed, users: [4], step_s: 1, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 50, output_tokens: 20}
request: {api: chat, timeout_s: 60%s}
"""
PRICES = """\
api:
  - {provider: x, model: m, input_usd_per_mtok: 3, output_usd_per_mtok: 15, source: a page, checked_on: 2026-11-01}
"""


class Paid:
    """A scenario, a price file, and the runs that are made of them."""

    def __init__(self, place: Path, request: str = "") -> None:
        self.place, self.out = place, place / "out"
        (place / "s.yaml").write_text(SCENARIO % request)
        (place / "p.yaml").write_text(PRICES)

    def run(self, url: str, *more: str) -> int:
        files = [str(self.place / "s.yaml"), "--prices", str(self.place / "p.yaml"), "--out", str(self.out)]
        return cli.invoke(["run", *files, *(["--url", url] if url else []), *more])

    def manifest(self) -> dict[str, Any]:
        (run_dir,) = self.out.iterdir()
        found: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
        return found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-usd", "2"], "needs the price of what is driven: --api PROVIDER:MODEL"),
        (["--api", "x:m", "--max-usd", "0"], "must be above 0"),
        (["--api", "x:m", "--max-usd", "-1"], "must be above 0"),
        (["--api", "x:m", "--max-usd", "nan"], "must be above 0"),
        (["--api", "x:m", "--max-usd", "1e9"], "must be above 0 and at most 1,000,000"),
        (["--api", "x:m", "--max-usd", "two"], "`two` is no amount of USD"),
        (["--api", "x:m", "--max-usd", "2,50"], "`2,50` is no amount of USD"),
        (["--api", "openai:unheard-of", "--max-usd", "2"], "unknown API model `unheard-of`"),
        (["--api", "x:m", "--max-usd", "2", "--workers", "2"], "kept by one load process alone"),
        (["--api", "x:m", "--max-usd", "2", "--remote-workers", "1"], "kept by one load process alone"),
        (["--api", "x:m", "--max-usd", "2", "--repeat", "2"], "--repeat and --max-usd"),
        (["--api", "x:m", "--max-usd", "0.0005"], "below the worst case of one request"),
        (["--api", "x:m", "--max-usd", "2", "--extra-body", '{"web_search_options": {}}'], "`web_search_options`"),
        (["--api", "x:m", "--max-usd", "2", "--extra-body", '{"max_tokens": null}'], "`max_tokens`"),
        (["--api", "x:m", "--max-usd", "2", "--extra-body", '{"model": "dear"}'], "`model`"),
        (["--api", "x:m", "--max-usd", "2", "--extra-body", '{"n": "many"}'], "`n`"),
    ],
)
def test_what_no_limit_can_be_kept_with_is_refused_before_anything_is_sent(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paid = Paid(tmp_path)

    with BillingApi() as api:
        code = paid.run(api.url, *options)

    said = " ".join(capsys.readouterr().err.split())
    assert code == 2
    assert words in said
    assert "Traceback" not in said
    assert api.asked == []
    assert api.gets == 0
    assert not paid.out.exists()


def test_a_limit_is_of_an_endpoint_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Paid(tmp_path).run("", "--api", "x:m", "--max-usd", "2") == 2
    assert "name it with --url" in capsys.readouterr().err


def test_a_run_that_is_paid_for_says_whose_prices_and_what_was_spent(tmp_path: Path) -> None:
    paid = Paid(tmp_path)
    with BillingApi() as api:
        code = paid.run(api.url, "--api", "x:m", "--max-usd", "2")

    manifest = paid.manifest()
    driven = manifest["driven"]
    assert code in (0, 3)
    assert (driven["arm"], driven["max_usd"], driven["stopped"]) == ("x:m", 2.0, False)
    assert driven["spent_usd"] == pytest.approx(float(api.bill_usd()))
    assert (driven["price"]["source"], driven["price"]["checked_on"]) == ("a page", "2026-11-01")
    assert {body["model"] for body in api.asked} == {"m"}  # the arm's own, where --model names no other
    assert any("x:m was driven, at prices of a page (2026-11-01)" in note for note in manifest["notes"])


def test_a_run_that_its_limit_ended_is_partial_and_not_to_be_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paid = Paid(tmp_path)
    with BillingApi() as api:
        code = paid.run(api.url, "--api", "x:m", "--max-usd", "0.02")

    said, manifest = " ".join(capsys.readouterr().err.split()), paid.manifest()
    assert code == 3
    assert "spending limit: of USD 0.02 at most" in said
    assert manifest["partial"]
    assert manifest["driven"]["stopped"]
    metrics = json.loads(next(paid.out.glob("*/metrics.json")).read_text())
    found = {check["code"]: check for check in metrics["checks"]}
    assert found["spending_limit"]["level"] == "error"
    assert metrics["steps"][0]["requests"] > 0  # what was measured before is kept


def test_max_completion_tokens_bounds_an_answer_as_well(tmp_path: Path) -> None:
    paid = Paid(tmp_path, request=", rename: {max_tokens: max_completion_tokens}")
    with BillingApi() as api:
        paid.run(api.url, "--api", "x:m", "--max-usd", "1")

    assert {body["max_completion_tokens"] for body in api.asked} == {20}
    assert paid.manifest()["driven"]["spent_usd"] == pytest.approx(float(api.bill_usd()))


def price(**more: Any) -> ApiPrice:
    return ApiPrice("x", "m", **{"rates": Rates(3, 15), "source": "here"} | more)


def test_the_dearest_hour_and_the_dearest_write_to_a_cache_are_what_a_limit_is_kept_by() -> None:
    hours = (*[Rates(1, 2)] * 23, Rates(4, 8, 0.4, 5, 8))

    assert tariff_of(price(rates=Rates(1.1, 2.2), by_hour=hours)).prices == TokenPrices(4, 1.1, 8, 8)


def test_tiers_are_kept() -> None:
    tariff = tariff_of(price(tiers=(Tier(200, Rates(6, 22.5)),)))

    assert tariff.tiers == [PriceTier(200, TokenPrices(6, 6, 6, 22.5))]


def test_an_arm_that_bills_what_nobody_prices_here_is_refused() -> None:
    with pytest.raises(UsageError, match=r"also bills citation 2 USD/Mtok"):
        tariff_of(price(unused=(Part("citation 2 USD/Mtok", is_due=True),)))


def test_listed_prices_are_taken_as_they_are() -> None:
    listed = resolve_api("openai:gpt-4o-mini")

    assert tariff_of(listed).prices.output_usd_per_mtok == listed.rates.output_usd_per_mtok
