"""The audit of the article, against figures worked out apart from it. Ids are those of tests/data/cost.json."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cost_cases import VECTORS

from harness.cost.article import (
    HOSTED,
    PRINTED_INFERENCE_USD,
    Finding,
    audit,
    cascade_usd,
    hidden_usd,
    inference_usd,
    infrastructure_usd,
    parity_mtok_per_day,
    routing_factor,
    totals,
)
from harness.cost.article_prices import PRICES


def finding(what: str) -> Finding:
    return next(found for found in audit() if found.what == what)


def test_the_worked_example_comes_out_both_ways() -> None:
    haiku, haiku_list, _ = PRICES["Claude Haiku 4.5"]
    sonnet = PRICES["Claude Sonnet 4.6"][0]
    expected = VECTORS["SEED-07"]["expected"]

    right, printed = totals(inference_usd(haiku, sonnet)), totals(PRINTED_INFERENCE_USD)

    assert inference_usd(haiku, sonnet) == pytest.approx(VECTORS["SEED-04"]["expected"]["correct"])
    assert infrastructure_usd() == pytest.approx(VECTORS["SEED-05"]["expected"]["total"])
    assert hidden_usd() == pytest.approx(VECTORS["SEED-06"]["expected"]["total"])
    assert printed["total"] == pytest.approx(expected["article_sum"])
    assert printed["per_conversation"] == pytest.approx(expected["article_per_conv"])
    assert [printed[k] for k in ("inference", "infra", "hidden")] == pytest.approx(expected["article_shares_pct"])
    assert right["total"] == pytest.approx(expected["correct_sum"])
    assert right["per_conversation"] == pytest.approx(expected["correct_per_conv"])
    assert [right[k] for k in ("inference", "infra", "hidden")] == pytest.approx(expected["correct_shares_pct"])
    assert totals(inference_usd(haiku_list, sonnet))["total"] == pytest.approx(VECTORS["SEED-08"]["expected"]["total"])
    assert cascade_usd(haiku, sonnet) == pytest.approx(1394)
    assert cascade_usd(haiku_list, sonnet) == pytest.approx(1558)


@pytest.mark.parametrize(
    ("what", "printed", "recomputed"),
    [
        ("Haiku input tokens", 280, 224),
        ("Haiku output tokens", 70, 70),
        ("Haiku at 0.80/4.00", 504, 459.2),
        ("Sonnet at 3/15", 738, 738),
        ("vector store", 140, 1.4),
        ("infrastructure total", None, 360.64),
        ("engineer, 3 h a week", 1200, 1300),
        ("hidden total", None, 1480),
        ("output's share of it", 95, 97.4025974026),
        ("8 % retries", 1.08, 1.0869565217),
        ("30 % retries", 1.30, 1.4285714286),
        ("40 turns growing to 15,000 tokens", 600_000, 307_500),
        ("10 turns of 800 with history", 8_000, 18_750),
        ("15 % cache hits", 15, 6.0435211377),
        ("80 % to a cheaper model, Opus to Haiku", "5-10", 1 / (0.2 + 0.8 / 18.75)),
        ("0.10 beats 4 x 0.005 and a person", "always", 0.08),
        ("tokens/s for 0.30 USD per Mtok", None, 5251.8518518519),
        ("the same at 30 % use", None, 17506.1728395062),
        ("what four A10G can compute", None, 1983.0028328612),
        ("USD per Mtok with every FLOP used", 0.30, 0.7945301588),
        ("weights in BF16", None, 131.5027475357),
        ("USD per Mtok at 5M output a day", 0.30, 6.4822857143),
        ("use of the box at 5M a day, were 0.30 true", None, 4.62799718),
        ("one g5.12xlarge on demand", None, 4140.56),
        ("one g5.12xlarge reserved for a year", None, 2608.5528),
        ("one g5.12xlarge on spot", None, 1889.24),
        ("one g5.12xlarge on demand and half a person", None, 12807.2266666667),
    ],
)
def test_each_figure_is_the_one_its_inputs_give(what: str, printed: float | str | None, recomputed: float) -> None:
    found = finding(what)

    assert found.printed == printed
    assert found.recomputed == pytest.approx(recomputed)


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("Claude Sonnet 4.6", "sonnet-4.6 3/15"),
        ("GPT-4.1", "gpt-4.1 list 2/8"),
        ("GPT-4.1-mini", "gpt-4.1-mini list .4/1.6"),
        ("Claude Opus 4.7", "opus-4.7 list 5/25"),
        ("Claude Haiku 4.5", "haiku-4.5 list 1/5"),
        ("Gemini 2.5 Pro", "gemini-2.5-pro list 1.25/10"),
    ],
)
def test_parity_is_another_volume_for_each_model(model: str, key: str) -> None:
    expected = VECTORS["HOST-06"]["expected"][key]
    rates = PRICES[model][1]

    assert parity_mtok_per_day(136.128, rates, input_per_output=0) == pytest.approx(expected["out_only"])
    assert finding(model).recomputed == pytest.approx(expected["mix_3p2"])


def test_the_hosted_weights_cost_a_fraction() -> None:
    expected = VECTORS["AN-28"]["expected"]
    usd = [400_000 * rates.request_usd(800, 250) for rates in HOSTED.values()]

    assert usd == pytest.approx([expected[key] for key in expected if key.startswith("llama")])


def test_no_routing_of_four_fifths_saves_five_times() -> None:
    assert routing_factor(0.8, 5) == pytest.approx(2.7777777778)
    assert routing_factor(0.8, 1e12) < 5


def test_every_difference_has_a_reason() -> None:
    for found in audit():
        if found.printed is not None and isinstance(found.recomputed, float) and found.printed != "always":
            differs = isinstance(found.printed, str) or abs(found.printed - found.recomputed) > 0.005
            assert found.why or not differs or "arm" in found.section, found.what


@pytest.mark.parametrize(
    ("what", "today"),
    [
        ("Haiku at 0.80/4.00", 574),  # 224 Mtok at 1 and 70 at 5
        ("inference total", 1312),
        ("Sonnet at 3/15", 738),
        ("80 % to a cheaper model, Opus to Haiku", 1 / (0.2 + 0.8 / 5)),
        ("Haiku input tokens", 224),  # no price in it
        ("what four A10G can compute", 1983.0028328612),
    ],
)
def test_each_figure_says_what_would_be_right_today(what: str, today: float) -> None:
    assert finding(what).today == pytest.approx(today)


def test_the_price_list_of_today_stands_beside_the_printed_one() -> None:
    rows = {found.what: found for found in audit() if found.section.startswith("prices")}

    assert (rows["GPT-4.1"].printed, rows["GPT-4.1"].today) == ("2.5/10", "2/8")
    assert (rows["Gemini 2.5 Pro"].printed, rows["Gemini 2.5 Pro"].today) == ("1.25/5", "1.25/10")


def test_the_command_prints_the_audit() -> None:
    run = [sys.executable, "-m", "harness", "explain", "article"]

    text = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    data = json.loads(subprocess.run([*run, "--json"], capture_output=True, text=True, check=True).stdout)

    assert "459.20" in text
    assert max(map(len, text.splitlines())) <= 110
    assert len(data) == len(audit())
