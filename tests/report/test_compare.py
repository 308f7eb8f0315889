import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from report_cases import HOSTILE, case, changed, measuring, run_of
from rich.console import Console

from harness.report import WIDTH, console_comparison, render_comparison
from harness.report.compare.gate import Regression
from harness.report.compare.parity import differences, unequal_work
from harness.report.compare.runs import compare_runs
from harness.report.compare.standing import Standing
from harness.report.model import RunFiles


def rented(files: RunFiles, **facts: float | str | None) -> RunFiles:
    """The run on another instance."""
    assert files.decision is not None
    decision = changed(files.decision, lambda d: d["self_host"]["instance"].update(facts))
    return replace(files, decision=decision)


def with_lengths(files: RunFiles, **lengths: float | None) -> RunFiles:
    return measuring(files, lambda m: [step.update(lengths) for step in m["steps"]])


def engine(version: str, **more: Any) -> dict[str, Any]:
    return {"name": "vllm", "version": version, "flags": {"max_num_seqs": 256}, **more}


def printed(comparison: Any) -> str:
    out = StringIO()
    Console(file=out, width=WIDTH, no_color=True).print(console_comparison(comparison))
    return out.getvalue()


def test_equal_runs_differ_in_nothing() -> None:
    assert differences([run_of(), run_of()]) == []


def test_a_winner_is_named_when_the_work_was_equal_and_the_intervals_lie_apart() -> None:
    comparison = compare_runs(
        [
            run_of(engine=engine("0.10.1"), goodput=(0.47, 0.5, 0.53)),
            run_of(engine=engine("0.11.0"), goodput=(0.55, 0.6, 0.65)),
        ]
    )

    most, least = comparison.outcomes
    # 5.672 USD/h: 1000 requests at 0.55 req/s cost 5.672 / (0.55 * 3600) * 1000 = 2.865, at 0.65 2.424
    assert (most.winner, least.winner) == ("vllm 0.11.0", "vllm 0.11.0")
    assert most.words == "vllm 0.11.0 serves most, 0.550 to 0.650 req/s, against vllm 0.10.1 0.470 to 0.530 req/s"
    assert least.words.startswith("vllm 0.11.0 costs least for 1000 requests, USD 2.42 to 2.86, against")


def test_no_winner_is_named_when_the_intervals_overlap() -> None:
    comparison = compare_runs(
        [
            run_of(engine=engine("0.10.1"), goodput=(0.5, 0.55, 0.6)),
            run_of(engine=engine("0.11.0"), goodput=(0.58, 0.6, 0.62)),
        ]
    )

    assert [outcome.winner for outcome in comparison.outcomes] == [None, None]
    assert all("the intervals overlap" in outcome.words for outcome in comparison.outcomes)


def test_an_instance_serves_what_all_its_engines_do() -> None:
    # decision.json's own goodput may be of an older analysis: what counts is measured now
    old = rented(run_of(goodput=(0.55, 0.6, 0.65)), replicas=4, instances_driven=0.25)
    assert old.decision is not None
    said = changed(old.decision, lambda d: d["self_host"]["goodput"].update(requests_per_s=99, low=98, high=100))

    first, _ = compare_runs([replace(old, decision=said), run_of()]).standings

    assert (first.low, first.goodput, first.high) == pytest.approx((2.2, 2.4, 2.6))


@pytest.mark.parametrize("used", [0, 1, 3])
def test_a_run_on_a_part_of_its_box_wins_nothing_and_leaves_no_winner(used: int) -> None:
    why = f"{used} of the 4 GPUs of a g5.12xlarge used"
    part = rented(run_of(engine=engine("0.10.1"), goodput=(0.1, 0.2, 0.3)), gpus_used=used, unpriced=why)
    whole = rented(run_of(engine=engine("0.11.0"), goodput=(0.5, 0.6, 0.7)), gpus_used=4)

    comparison = compare_runs([part, whole])

    assert {(outcome.winner, outcome.words) for outcome in comparison.outcomes} == {
        (None, f"no winner: vllm 0.10.1 ({why})")
    }
    assert [outcome.winner for outcome in compare_runs([rented(part, unpriced=None), whole]).outcomes] == [
        "vllm 0.11.0"
    ] * 2


def driving(files: RunFiles, **instance: Any) -> RunFiles:
    """The run as an older version priced it, of which only run.json says what it drove."""
    files.run.instance = files.run.instance | instance
    return rented(files, instances_driven=None)


def test_an_older_decision_goes_by_what_its_run_drove() -> None:
    first, _ = compare_runs([driving(run_of(goodput=(0.55, 0.6, 0.65)), replicas=4), run_of()]).standings

    assert (first.low, first.goodput, first.high) == pytest.approx((2.2, 2.4, 2.6))


def test_where_nobody_said_how_many_boxes_a_run_drove_all_count_as_driven_and_none_has_a_price() -> None:
    unknown = driving(run_of(goodput=(1.1, 1.2, 1.3)), replicas_driven=4)
    four = rented(run_of(goodput=(3.6, 4.0, 4.4)), instances_driven=4.0)

    comparison = compare_runs([unknown, four])

    assert [one.goodput for one in comparison.standings] == [1.2, 4.0]
    assert [one.usd_per_hour for one in comparison.standings] == [None, None]
    assert comparison.outcomes[1].words.startswith("no winner: nobody said how many boxes the URLs of ")


def test_who_serves_most_need_not_cost_least() -> None:
    small, large = run_of(engine=engine("0.10.1")), run_of(engine=engine("0.11.0"), goodput=(1.1, 1.2, 1.3))

    most, least = compare_runs([small, rented(large, usd_per_hour=20.0)]).outcomes  # 2 x goodput, 3.5 x price

    assert (most.winner, least.winner) == ("vllm 0.11.0", "vllm 0.10.1")


def _scenario(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    scenario = copy.deepcopy(case("two_windows").run.scenario)
    change(scenario)
    return scenario


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"quantization": None}, "quantisation"),
        ({"quantization": "fp8"}, "quantisation"),
        ({"model": "meta-llama/Llama-3.1-8B-Instruct"}, "model"),
        ({"engine": {"name": "vllm", "version": "0.10.1", "flags": {"kv_cache_dtype": "fp8"}}}, "KV cache"),
        ({"scenario": _scenario(lambda s: s["request"].update(api="chat"))}, "request.api"),
        ({"scenario": _scenario(lambda s: s["request"].update(temperature=0.7))}, "request.temperature"),
        (
            {"scenario": _scenario(lambda s: s["prompts"].update(shared_prefix_tokens=400))},
            "prompts.shared_prefix_tokens",
        ),
        ({"scenario": _scenario(lambda s: s["slo"].update(ttft_p95_s=5))}, "slo.ttft_p95_s"),
    ],
)
def test_unequal_work_is_found_and_forbids_a_winner(change: dict[str, Any], named: str) -> None:
    first = run_of(engine=engine("0.10.1"), goodput=(0.47, 0.5, 0.53))
    second = run_of(**{"engine": engine("0.10.1"), **change}, goodput=(5.5, 6.0, 6.5))

    comparison = compare_runs([first, second])

    assert named in unequal_work(comparison.differences)
    assert [outcome.winner for outcome in comparison.outcomes] == [None, None]
    assert comparison.outcomes[0].words.startswith("no winner: the work was unequal (")


def test_lengths_that_one_plan_drew_differ_by_the_draw_alone() -> None:
    runs = [
        with_lengths(run_of(), mean_output_tokens=250.0, mean_requested_output_tokens=250.0),
        with_lengths(run_of(), mean_output_tokens=259.2, mean_requested_output_tokens=259.2),
    ]
    other_plan = replace(runs[1], run=runs[1].run.model_copy(deep=True))
    other_plan.run.scenario["prompts"]["output_tokens"] = {"mean": 260, "stdev": 10}

    assert unequal_work(differences(runs)) == []
    assert "mean output tokens" in unequal_work(differences([runs[0], other_plan]))


def test_answers_shorter_than_asked_for_are_other_work() -> None:
    runs = [
        with_lengths(run_of(), mean_output_tokens=250.0, mean_requested_output_tokens=250.0),
        with_lengths(run_of(), mean_output_tokens=200.0, mean_requested_output_tokens=250.0),
    ]

    assert unequal_work(differences(runs)) == ["mean output tokens"]


def test_other_lengths_and_cache_hits_are_other_work() -> None:
    shorter = with_lengths(run_of(), mean_output_tokens=200.0)  # 250 asked for
    first, cached = (with_lengths(run_of(), cached_input_tokens=tokens) for tokens in (0, 66 * 800))

    assert unequal_work(differences([first, shorter])) == ["mean output tokens"]
    found = differences([first, cached])
    assert [(d.what, d.values) for d in found] == [("input from the prefix cache", ("0 %", "100 %"))]


def test_streaming_against_not_streaming_is_a_comparison_of_its_own() -> None:
    whole = run_of(scenario=_scenario(lambda s: s["request"].update(stream=False)), goodput=(0.6, 0.65, 0.7))

    comparison = compare_runs([run_of(goodput=(0.4, 0.45, 0.5)), whole])

    assert [(d.what, d.values, d.about) for d in comparison.differences] == [("streamed", ("yes", "no"), "subject")]
    assert comparison.outcomes[0].winner is not None


def test_a_native_route_is_the_same_work_as_completions() -> None:
    native = run_of(scenario=_scenario(lambda s: s["request"].update(api="native")))

    found = differences([run_of(), native])

    assert [(d.what, d.values) for d in found] == [("route", ("completions", "native"))]
    assert unequal_work(found) == []


def test_where_prefixes_are_shared_an_engine_that_tells_no_hits_is_in_doubt() -> None:
    shared = _scenario(lambda s: s["prompts"].update(shared_prefix_tokens=400))
    told, silent = (with_lengths(run_of(scenario=shared), cached_input_tokens=tokens) for tokens in (66 * 400, None))

    found = differences([told, silent])

    assert [(d.what, d.values) for d in found] == [("input from the prefix cache", ("50 %", "unknown"))]


def test_what_is_compared_differs_without_forbidding_anything() -> None:
    found = differences(
        [run_of(engine=engine("0.10.1")), run_of(engine=engine("0.11.0"), seed=2, instance={"id": "p5.48xlarge"})]
    )

    assert unequal_work(found) == []
    assert {d.what for d in found} == {"engine version", "instance", "purchase", "seed"}


def test_boxes_with_other_drivers_and_kernels_are_said_to_be_other_boxes() -> None:
    boxes = [
        {"system": {"kernel": "6.8.0-1021-aws"}, "gpus": [{"driver": driver}, {"driver": driver}]}
        for driver in ("570.172.08", "580.65.06")
    ]

    found = differences([run_of(box=box) for box in boxes])

    assert [(d.what, d.values, d.about) for d in found] == [("GPU driver", ("570.172.08", "580.65.06"), "subject")]
    assert {d.what for d in differences([run_of(box=boxes[0]), run_of()])} == {"GPU driver", "kernel"}


def test_an_slo_written_out_is_the_same_as_its_preset() -> None:
    preset = _scenario(lambda s: s.update(slo={"preset": "chat", "error_rate": 0.01}))
    spelled = _scenario(
        lambda s: s.update(slo={"preset": None, "ttft_p99_s": 2.0, "tpot_p99_s": 0.2, "error_rate": 0.01})
    )

    assert [d.what for d in differences([run_of(scenario=preset), run_of(scenario=spelled)])] == []


def test_a_path_and_a_bare_name_are_the_same_model() -> None:
    runs = [run_of(model="/cache/SmolLM2-135M-Instruct-Q4_1.gguf"), run_of(model="smollm2-135m-instruct-q4_1")]

    assert differences(runs) == []


@pytest.mark.parametrize(
    ("goodput", "change"),
    [
        ((0.47, 0.50, 0.53), "worse"),  # a loss of 7.9 % to 24.6 %
        ((0.50, 0.54, 0.58), "not shown"),  # of -0.8 % to 19.5 %
        ((0.54, 0.58, 0.62), "not shown"),  # of -7.4 % to 12.9 %
        ((0.60, 0.66, 0.70), "within"),  # of -21.7 % to 2.8 %
        ((0.71, 0.75, 0.79), "better"),  # of -38 % to -13.3 %
        ((None, 0.50, None), "worse"),  # no interval: the values alone
        ((0.47, 0.50, None), "not shown"),  # at least: its box was not filled
        ((0.60, 0.66, None), "within"),  # at least: of 2.8 % at most
    ],
)
def test_a_regression_is_a_loss_beyond_the_limit_that_the_intervals_show(goodput: Any, change: str) -> None:
    first = run_of(goodput=(0.55, 0.6, 0.65))

    (regression,) = compare_runs([first, run_of(directory="later", goodput=goodput)], 0.05).regressions

    assert regression.change == change


def test_a_run_that_meets_the_slo_no_more_is_worse() -> None:
    (regression,) = compare_runs([run_of(), run_of("infeasible", "later")], 0.05).regressions

    assert regression == Regression("later", 1.0, "worse", "no load step met the SLO any more")


@pytest.mark.parametrize("goodput", [(0.57, 0.62, 0.67), (0.54, 0.58, 0.62)])
def test_against_a_box_that_was_not_filled_nothing_is_better_or_as_good(goodput: Any) -> None:
    first = run_of(goodput=(0.55, 0.6, None))

    (same,) = compare_runs([first, run_of(directory="later", goodput=goodput)], 0.05).regressions
    (less,) = compare_runs([first, run_of(directory="later", goodput=(0.4, 0.45, 0.5))], 0.05).regressions

    assert same.change == "not shown"
    assert same.words.endswith("but the box was not filled")
    assert less.change == "worse"


@pytest.mark.parametrize(("most", "change"), [(0.40, "worse"), (0.60, "not shown")])
def test_a_run_that_meets_the_slo_at_no_load_surely_is_worse_where_even_the_most_is_less(
    most: float, change: str
) -> None:
    at_most = {"requests_per_s": None, "low": None, "high": most, "step": None, "at_most": True}
    later = measuring(run_of(directory="later"), lambda m: m["goodput"].update(at_most))

    (regression,) = compare_runs([run_of(goodput=(0.55, 0.6, 0.65)), later], 0.05).regressions

    assert regression.change == change
    assert regression.words == f"no load surely met the SLO, at most {most:.3f} req/s"


def test_a_box_that_was_not_filled_wins_where_its_lower_bound_does_and_loses_to_nobody() -> None:
    open_ended = run_of(goodput=(0.55, 0.6, None))

    won = compare_runs([open_ended, run_of(directory="later", goodput=(0.4, 0.45, 0.5))]).outcomes
    lost = compare_runs([open_ended, run_of(directory="later", goodput=(0.7, 0.75, 0.8))]).outcomes

    assert [outcome.winner for outcome in won] == ["a-run", "a-run"]
    assert "0.550 or more req/s" in won[0].words
    assert "or less" in won[1].words
    assert [outcome.winner for outcome in lost] == [None, None]


def test_a_regression_is_not_judged_on_unequal_work_or_failed_checks() -> None:
    other_model = run_of(directory="b", model="meta-llama/Llama-3.1-8B-Instruct")
    failed = with_lengths(run_of("errors", "c"), mean_input_tokens=800.2)

    regressions = compare_runs([run_of(), other_model, failed], 0.05).regressions

    assert [r.change for r in regressions] == ["cannot tell", "cannot tell"]
    assert regressions[0].words == "the work was unequal (model)"
    assert regressions[1].words == "c: client_bound"


def test_cost_is_of_an_instance_kept_busy() -> None:
    standing = Standing("a", 0.5, None, None, 3.6, ())

    assert standing.usd_at(0.5) == pytest.approx(2.0)  # 3.6 / (0.5 * 3600) * 1000
    assert standing.usd_at(None) is None
    assert standing.usd_at(0) is None


def test_the_console_says_first_what_was_unequal_and_fits() -> None:
    comparison = compare_runs([run_of(directory="first"), run_of("twelve_steps", "second")])

    said = printed(comparison)

    assert max(len(line) for line in said.splitlines()) <= WIDTH
    assert said.index("! quantisation") < said.index("no winner: the work was unequal") < said.index("req/s with its")


def test_a_run_that_got_worse_is_the_first_thing_said() -> None:
    comparison = compare_runs([run_of(), run_of(directory="later", goodput=(0.47, 0.5, 0.53))], 0.05)

    assert " ".join(printed(comparison).split()).startswith(
        "error: later is worse: 16.7 % less goodput than a-run (a loss of 11.1 % to 22.1 %), more than the 5 % "
        "allowed; one run knows only the spread within it"
    )


def test_a_comparison_is_written_with_unequal_things_first(tmp_path: Path) -> None:
    comparison = compare_runs([run_of(directory="first"), run_of("twelve_steps", "second")])

    html = render_comparison(comparison, tmp_path / "new" / "place").read_text(encoding="utf-8")
    markdown = (tmp_path / "new" / "place" / "comparison.md").read_text(encoding="utf-8")

    titles = ["What was not the same", "The runs", "The money of each", "The same load, side by side", "Checks"]
    assert re.findall(r"<h2><span>\d+</span> (.*?)</h2>", html) == titles
    assert re.findall(r"^## \d+\. (.*)$", markdown, re.MULTILINE) == titles
    # output, goodput and first token of the second run, each wide, narrow and in the legend
    assert html.count('class="line arm-1"') == 9
    # 4 users: 0.6 req/s of 250 tokens against 0.81
    assert "| 4 users | 150 (714 ms, n 66) | 202 (145 ms, n 729) |" in markdown


def test_hostile_names_stay_text_in_a_comparison(tmp_path: Path) -> None:
    runs = [run_of(), run_of(model=HOSTILE, engine={"name": HOSTILE, "version": "1", "flags": [HOSTILE]})]

    html = render_comparison(compare_runs(runs), tmp_path).read_text(encoding="utf-8")

    assert "<script>alert" not in html
    assert "\x1b" not in printed(compare_runs(runs))


@pytest.mark.parametrize(
    ("models", "quantised", "labels"),
    [
        (("SmolLM2-135M.Q4_1", "SmolLM2-135M.Q8_0-from-Q4_1"), ("Q4_1", "Q8_0"), ("Q4_1", "Q8_0")),
        (("SmolLM2-135M.Q4_1", "SmolLM2-135M.Q4_0+Q8_0-from-Q4_1"), ("Q4_1", "Q4_0"), ("Q4_1", "Q4_0")),
        (("org/Llama-3.1-8B-Q4_K_M.gguf", "llama-3.1-8b-f16"), ("Q4_K_M", "F16"), ("Q4_K_M", "F16")),
        (("SmolLM2-135M.Q4_1", "SmolLM2-135M.Q4_1-bf16"), ("Q4_1", "BF16"), ("Q4_1", "BF16")),
    ],
)
def test_one_model_in_several_quantisations_differs_in_these_alone_and_is_labelled_by_them(
    models: tuple[str, str], quantised: tuple[str, str], labels: tuple[str, str]
) -> None:
    runs = [run_of(model=model, quantization=kind) for model, kind in zip(models, quantised, strict=True)]

    comparison = compare_runs(runs)

    assert comparison.labels == labels
    assert unequal_work(comparison.differences) == ["quantisation"]


def test_a_quantisation_that_only_the_name_tells_is_compared_as_such() -> None:
    runs = [run_of(model="tiny-8B.Q4_1", quantization=None), run_of(model="tiny-8B.Q8_0", quantization=None)]

    assert unequal_work(differences(runs)) == ["quantisation"]


def test_two_engines_in_two_quantisations_each_are_labelled_by_both() -> None:
    kinds = [("0.10.1", "Q4_1"), ("0.10.1", "Q8_0"), ("0.11.0", "Q4_1"), ("0.11.0", "Q8_0")]
    runs = [run_of(engine=engine(version), quantization=kind) for version, kind in kinds]

    assert compare_runs(runs).labels == (
        "vllm 0.10.1 Q4_1", "vllm 0.10.1 Q8_0", "vllm 0.11.0 Q4_1", "vllm 0.11.0 Q8_0",
    )  # fmt: skip


def test_three_runs_are_compared_and_named_apart() -> None:
    comparison = compare_runs([run_of(), run_of(), run_of("partial")])

    assert comparison.labels == ("1: a-run", "2: a-run", "3: a-run")
    assert json.dumps([d.values for d in comparison.differences])


def test_flags_are_compared_by_name_within_one_engine_and_not_at_all_between_two() -> None:
    def files(name: str, *flags: str) -> RunFiles:
        return run_of(engine={"name": name, "flags": list(flags)})

    one = files("llama_server", "--port", "1", "--ctx-size", "512", "--metrics", "OMP_WAIT_POLICY=passive")
    two = files("llama_server", "--port", "2", "--ctx-size", "1024", "--metrics")
    other = files("vllm", "--max-model-len", "512")

    def flags(*runs: RunFiles) -> list[tuple[str, tuple[str, ...]]]:
        return [(d.what, d.values) for d in differences(runs) if d.what.startswith("flag ")]

    assert flags(one, two) == [("flag ctx-size", ("512", "1024")), ("flag OMP_WAIT_POLICY", ("passive", "not set"))]
    assert flags(one, other) == []
    assert flags(files("vllm", "-tp", "4"), files("vllm", "--tensor-par=4")) == []
