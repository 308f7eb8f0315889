"""The month's bill line by line, its CSV, where numbers come from, cost per solved task, and what is implausible."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest
from cost_cases import ARMS, G5, VECTORS, given, manifest, metrics, smallest, step

from harness.cost.box.plausible import (
    bandwidth_ceiling_tokens_per_s,
    ceiling_tokens_per_s,
    weights_do_not_fit,
    weights_gib,
)
from harness.cost.box.splits import BusyRun
from harness.cost.box.weights import bits_per_weight, parameters_of, weights_named
from harness.cost.breakeven.decision import decide_parsed, parse
from harness.cost.breakeven.success import indifferent_human_usd, success_costs
from harness.cost.extras import busy_run
from harness.cost.focus import COLUMNS, focus_rows, write_focus_csv
from harness.cost.verdict import build_decision
from harness.demand.demand import load_demand
from harness.prices.catalog import find_instance
from harness.rundir.decide import Decided
from harness.rundir.decision import Decision
from harness.rundir.identity import Identity, SaidCount
from harness.rundir.results import Metrics
from harness.scenario import bundled_scenarios_dir


@pytest.fixture(scope="module")
def decision() -> Decision:
    return build_decision(manifest(), metrics(), load_demand(Path("support-agent")), ARMS)


def codes(got: Decision) -> list[str]:
    return [check.code for check in got.checks]


def test_a_bill_has_a_line_for_everything_and_sums_to_what_was_decided_on(decision: Decision) -> None:
    months = {month.name: month for month in decision.monthly}
    box, sonnet = months["self_host"], months["anthropic:claude-sonnet-4-6"]

    by_line: dict[str, float] = defaultdict(float)
    for line in box.lines:
        by_line[line.line] += line.usd
    assert by_line == pytest.approx(
        {
            "inference": 4140.56,
            "people": 8666.666666666666 + 1300,
            "vector_store": 140,
            "embeddings": 0.64,
            "infrastructure": 180,
            "logging": 40,
            "evaluation": 80,
            "experiments": 200,
        }
    )
    assert box.decided_usd == pytest.approx(12807.226666666667)
    shared = 1300 + 140 + 0.64 + 180 + 40 + 80 + 200
    assert box.total_usd == pytest.approx(12807.226666666667 + shared)
    assert sonnet.total_usd == pytest.approx(2460 + shared)


def test_what_both_pay_alike_changes_no_difference(decision: Decision) -> None:
    box, sonnet = decision.monthly[:2]
    at = decision.arms[0].decision.at_volume

    assert box.total_usd - sonnet.total_usd == pytest.approx(at.self_usd - at.api_usd)


def test_the_csv_has_the_columns_and_the_money(decision: Decision, tmp_path: Path) -> None:
    path = write_focus_csv(decision, tmp_path / "bill.csv")

    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert tuple(rows[0]) == COLUMNS
    sonnet = [row for row in rows if row["x_Arm"] == "anthropic:claude-sonnet-4-6" and row["ConsumedUnit"] == "Tokens"]
    assert sum(float(row["BilledCost"]) for row in sonnet) == pytest.approx(2460)
    assert [row["ConsumedQuantity"] for row in sonnet] == ["320000000.0", "100000000.0"]
    for name in ("self_host", "openai:gpt-4.1-mini"):
        month = next(m for m in decision.monthly if m.name == name)
        billed = sum(float(row["BilledCost"]) for row in rows if row["x_Arm"] == name)
        assert billed == pytest.approx(month.total_usd)
    assert {row["BillingCurrency"] for row in rows} == {"USD"}


def test_without_a_volume_there_is_no_bill() -> None:
    got = build_decision(manifest(), metrics(), smallest(tasks_per_month=None), [])

    assert got.monthly == ()
    assert got.purchase_options is None
    assert focus_rows(got) == []
    assert got.arms[0].sensitivity is None


def test_a_run_without_goodput_still_bills_the_apis() -> None:
    got = build_decision(manifest(), metrics(None), smallest(), [])

    assert [month.name for month in got.monthly] == [arm.name for arm in got.arms]
    assert focus_rows(got)


def test_every_number_says_where_it_comes_from(decision: Decision) -> None:
    facts = {fact.what: fact for fact in decision.provenance}

    assert facts["goodput"].kind == "measured"
    assert facts["g5.12xlarge on_demand"].kind == "listed"
    assert facts["g5.12xlarge on_demand"].date == date(2026, 7, 20)
    assert facts["anthropic:claude-sonnet-4-6 output"].kind == "listed"
    assert facts["tokens_ratio"].source == "default"
    assert facts["tasks_per_month"].source == "demand support-agent"
    assert {fact.kind for fact in decision.provenance} == {"measured", "listed", "assumed", "computed"}
    assert all(fact.value is None or fact.source for fact in decision.provenance)


def test_equal_inputs_have_one_digest(decision: Decision) -> None:
    again = build_decision(manifest(), metrics(), load_demand(Path("support-agent")), ARMS)
    other = build_decision(manifest(), metrics(0.7), load_demand(Path("support-agent")), [])

    assert again.inputs_digest == decision.inputs_digest != other.inputs_digest


def test_purchase_options_are_held_against_every_arm(decision: Decision) -> None:
    options = {row.option: row for row in decision.purchase_options.options}

    reserved = options["reserved_1y_static"]
    assert reserved.saving_usd is not None
    # 2,460 - (730 x 3.57336 + 8,666.67)
    assert reserved.saving_usd["anthropic:claude-sonnet-4-6"] == pytest.approx(2460 - 2608.5528 - 8666.666666667)
    regions = decision.purchase_options.regions
    assert regions[-1].region == "ap-northeast-1"
    assert regions[-1].usd_per_month == pytest.approx(8.22609 * 730)


def test_a_class_says_what_a_call_of_it_costs() -> None:
    wanted = load_demand(bundled_scenarios_dir() / "demand" / "document-search.yaml")

    got = build_decision(manifest(), metrics(), wanted, ARMS).arms[0].classes

    # (3,000 - 600) x 3 + 600 x 0.30 + 300 x 15 = 11,880 USD per million calls
    assert got[0].to_dict() == {
        "name": "question",
        "share": 0.9,
        "input_tokens": 3000,
        "output_tokens": 300,
        "turns": 1,
        "usd_per_task": pytest.approx(0.01188),
    }


def calls(usd_per_task: float, *, attempts: float, success_rate: float) -> Decided:
    decided = decide_parsed(parse(given()))
    changed = {"api_usd_per_task": usd_per_task, "attempts_per_task": attempts, "success_rate": success_rate}
    return decided.model_copy(update=changed)


def test_an_escalated_task_costs_the_person_too() -> None:
    never = calls(0.02, attempts=4, success_rate=0)
    always = calls(0.1, attempts=1, success_rate=1)

    assert success_costs(always, 5, 0).api.usd_per_task == pytest.approx(0.1)  # AN-17
    assert success_costs(never, 5, 0).api.usd_per_task == pytest.approx(5.02)
    assert indifferent_human_usd((0.1, 1), (0.02, 0)) == pytest.approx(0.08)
    assert indifferent_human_usd((0.1, 0.9), (0.2, 0.9)) is None
    # AN-18: 72 % deflected at 0.12, else 0.05 and 6.50
    deflected = calls(0.72 * 0.12 + 0.28 * 0.05, attempts=1, success_rate=0.72)
    expected = VECTORS["AN-18"]["expected"]["usd"]
    assert success_costs(deflected, 6.5, 0).api.usd_per_task == pytest.approx(expected)


def test_a_solved_task_costs_one_over_its_success_rate_more() -> None:
    inputs = given(workload__retry_failure_rate=0.08, workload__max_retries=1, workload__tasks_per_month=10**6)
    decided = decide_parsed(parse(inputs))

    got = success_costs(decided, human_usd=5, cache_hit_rate=0)

    # m/q = 1/(1-p): 0.00615 / 0.92; and 0.0064 of the tasks go to a person
    assert got.api.usd_per_solved_task == pytest.approx(0.00615 / 0.92)
    assert got.api.usd_per_task == pytest.approx(0.00615 * 1.08 + 0.0064 * 5)
    assert got.self_host.usd_per_task == pytest.approx(4140.56e-6 + 0.0064 * 5)


def test_a_model_says_its_size() -> None:
    sizes = {
        "meta-llama/Llama-3.3-70B-Instruct": (70e9, 70e9),
        "Qwen/Qwen3-30B-A3B": (30e9, 3e9),
        "SmolLM2-135M-Instruct.Q4_K_M.gguf": (135e6, 135e6),
        "openai/gpt-oss-120b": (117e9, 5.1e9),
        "unsloth/gpt-oss-20b-GGUF": (21e9, 3.6e9),
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8": (400e9, 17e9),
        "Llama-4-Scout-17B-16E": (109e9, 17e9),
        "mistralai/Mixtral-8x7B-Instruct-v0.1": (46.7e9, 12.9e9),
        "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": (8e9, 8e9),
    }

    for name, (total, active) in sizes.items():
        found = parameters_of(name)
        assert found is not None
        assert (found.total, found.active) == (total, active)
    assert parameters_of("somebody/Frankenmix-4x7B") is None
    assert parameters_of("gpt-4.1-mini") is None


@pytest.mark.parametrize(
    ("model", "quantization", "bits"),
    [
        ("Llama-3.3-70B-Instruct-AWQ", None, 4),
        ("Llama-3.3-70B-Instruct", "fp8", 8),
        ("model-Q5_K_M.gguf", None, 5),
        ("Llama-3.3-70B-Instruct", "bfloat16", 16),
        ("Llama-3.3-70B-Instruct", None, None),
        ("nvidia/Llama-3.3-70B-Instruct-NVFP4", None, 4.5),
        ("Llama-3.3-70B-Instruct-FP4", None, 4),
        ("Llama-3.3-70B-Instruct", "mxfp4", 4.25),
        ("unsloth/Llama-3.3-70B-Instruct-bnb-4bit", None, 4),
        ("mlx-community/Llama-3.3-70B-6bit", None, 6),
        ("Qwen2.5-7B-Instruct-GPTQ-Int8", "gptq", 8),
        ("Llama-3.3-70B-Instruct-Q4_1-bf16", "BF16 (from Q4_1)", 16),
        ("openai/gpt-oss-120b", None, 4.25),
    ],
)
def test_weights_have_so_many_bits(model: str, quantization: str | None, bits: float | None) -> None:
    assert bits_per_weight(model, quantization) == bits


def test_seventy_billion_parameters_on_a_g5() -> None:
    box = find_instance("g5.12xlarge")

    assert weights_gib(70.6e9, 16) == pytest.approx(VECTORS["HOST-04"]["expected"]["weights_bf16"])
    assert ceiling_tokens_per_s(70.6e9, box) == pytest.approx(VECTORS["HOST-03"]["expected"]["tok_s"])
    assert "131.5" not in str(weights_do_not_fit(weights_named("Llama-3.3-70B"), box))  # 4 bits would fit
    too_large = str(weights_do_not_fit(weights_named("Llama-3.3-70B", "bf16"), box))
    assert "16-bit weights of 70B parameters take 130.4 GiB" in too_large


def test_a_model_that_cannot_have_run_there_is_an_error() -> None:
    run = manifest()
    run.quantization = "bfloat16"

    assert "weights_do_not_fit" in codes(build_decision(run, metrics(), smallest(), []))


def test_more_tokens_than_the_gpus_can_compute_are_a_warning() -> None:
    busy = step(1, 4000, 250)  # the ceiling for 70B is 2,000
    fast = metrics().model_copy(update={"steps": (metrics().steps[0], busy)})

    assert "implausible_throughput" in codes(build_decision(manifest(), fast, smallest(), []))
    assert "implausible_throughput" not in codes(build_decision(manifest(), metrics(), smallest(), []))


@pytest.mark.parametrize(
    ("model", "output_tokens_per_s"), [("openai/gpt-oss-120b", 17_059), ("openai/gpt-oss-20b", 33_823)]
)
def test_a_mixture_of_experts_is_as_fast_as_the_experts_that_a_token_uses(
    model: str, output_tokens_per_s: float
) -> None:
    # one H100: 2 x 989e12 / (2 x 5.1e9) is 193,922; 256 at once x 3350e9 / (5.1e9 x 4.25 / 8) is 316,534
    busy = metrics().model_copy(update={"steps": (step(0, 1000, output_tokens_per_s, peak_in_flight=256),)})

    got = build_decision(manifest(model, id="p5.4xlarge"), busy, smallest(), [])

    assert "implausible_throughput" not in codes(got)
    ceilings = {fact.what: fact.value for fact in got.provenance if "ceiling" in fact.what}
    assert len(ceilings) == 2
    if model.endswith("120b"):
        assert ceilings["compute ceiling"] == pytest.approx(193_922, rel=1e-4)
        assert ceilings["bandwidth ceiling at 256 requests"] == pytest.approx(316_534, rel=1e-4)


@pytest.mark.parametrize(("in_flight", "slots", "found"), [(1, None, True), (64, None, False), (64, 1, True)])
def test_more_tokens_than_the_weights_can_be_read_for_are_a_warning(
    in_flight: int, slots: int | None, found: bool
) -> None:
    # 4 x 600 GB/s / (70e9 x 4 bits) = 68.6 steps a second, each a token for every request in flight
    alone = metrics().model_copy(update={"steps": (step(0, 10, 250, peak_in_flight=in_flight),)})
    run = manifest("Llama-3.3-70B-Instruct-AWQ")
    if slots is not None:
        run.identity = Identity(slots=SaidCount(value=slots, said_by="/props"))

    said = [c.message for c in build_decision(run, alone, smallest(), []).checks if c.code == "implausible_throughput"]

    assert bool(said) is found
    if found:
        assert said == [
            "250 output tokens/s of Llama-3.3-70B-Instruct-AWQ on g5.12xlarge are above the 69 that its memory"
            " bandwidth allows 1 request at once; 260 tokens/s beside the 2,000 that it can compute"
        ]


def test_a_bandwidth_ceiling_is_the_weights_read_once_a_step() -> None:
    box = find_instance("g5.12xlarge")

    assert bandwidth_ceiling_tokens_per_s(70.6e9, box, 4, 32) == pytest.approx(2175.637394)
    assert bandwidth_ceiling_tokens_per_s(8e9, find_instance("p4d.24xlarge"), 16, 1) == pytest.approx(777.5)
    assert bandwidth_ceiling_tokens_per_s(8e9, find_instance("c7i.large"), 16, 1) is None


def test_a_second_price_list_that_disagrees_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "api: [{provider: openai, model: gpt-4.1-mini, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}]"
    )

    got = build_decision(manifest(), metrics(), smallest(), ARMS, prices_file=path)

    said = [check.message for check in got.checks if check.code == "prices_disagree"]
    assert said == [
        "openai:gpt-4.1-mini: input is 0.15 USD per Mtok here and 0.4 in genai-prices",
        "openai:gpt-4.1-mini: output is 0.6 USD per Mtok here and 1.6 in genai-prices",
    ]


def test_the_two_lists_agree_on_the_default_arms() -> None:
    got = build_decision(manifest("SmolLM2-135M-Instruct.Q4_1.gguf"), metrics(), smallest(), [])

    assert [arm.role for arm in got.arms] == ["frontier", "cheap", "same_weights"]
    assert {"prices_disagree", "retired_model", "price_parts_unused"} & set(codes(got)) == set()


def test_a_missing_batch_price_is_said() -> None:
    got = build_decision(manifest(), metrics(), smallest(batch_share=0.5), [])

    said = next(check.message for check in got.checks if check.code == "no_batch_price")
    assert "claude-sonnet" not in said
    assert "llama-3.3-70b" in said.lower()


def test_more_boxes_than_anybody_rents_are_a_warning() -> None:
    got = build_decision(manifest(**G5), metrics(), smallest(tasks_per_month=1e11), [])

    assert "many_instances" in codes(got)


def test_spot_brings_its_listed_range_into_the_simulation() -> None:
    got = build_decision(manifest(purchase="spot"), metrics(), smallest(), []).arms[0].monte_carlo

    assert got is not None
    price = next(row for row in got.varied if row.input == "usd_per_hour")
    assert (price.low, price.high, price.said_by) == (2.0796, 2.7804, "listed")


def test_a_runs_busiest_step_measures_the_split() -> None:
    shape = step(0, 100, 50, window={"start_s": 5, "end_s": 25})

    assert busy_run(Metrics(steps=(shape,))) == (20.0, 2000.0, 1000.0)
    assert busy_run(Metrics(steps=())) is None

    # 20 s for 2,000 in and 1,000 out; 20 s for 400 in and 1,400 out: 0.005 and 0.01 a token... r = 2.67
    runs = [BusyRun(20.0, 2000.0, 1000.0), BusyRun(20.0, 400.0, 1600.0)]
    got = build_decision(manifest(), metrics(), smallest(), [], shape_runs=runs).self_host.splits
    assert got is not None
    assert got.measured_weight is not None
    # 2000 a + 1000 b = 20 and 400 a + 1600 b = 20: a = 3/700, b = 8/700
    assert got.measured_weight.output_weight == pytest.approx(8 / 3)
    assert "measured over 2 runs" in got.conventions[2].label
