"""decision.json of a run: arms, prices, sentences, doubts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cost_cases import ARMS, G5, given, manifest, metrics, smallest

from harness.base.errors import UsageError
from harness.cost.breakeven.decision import decide, decide_parsed, parse
from harness.cost.breakeven.words import engineers, sentence
from harness.cost.verdict import build_decision, check_prices
from harness.demand.demand import Demand, load_demand
from harness.rundir.arm_price import ModelPrice
from harness.rundir.decide import Decided, VerdictInterval
from harness.rundir.decision import Decision, People
from harness.rundir.identity import Identity, SaidCount, SaidText


def test_three_arms_are_compared_when_none_is_asked_for() -> None:
    got = build_decision(manifest(), metrics(), smallest(), [])

    assert [(arm.name, arm.role) for arm in got.arms] == [
        ("anthropic:claude-sonnet-5-5", "frontier"),
        ("openai:gpt-6-luna", "cheap"),
        (got.arms[2].name, "same_weights"),
    ]
    assert "llama-3.3-70b" in got.arms[2].model.lower()
    assert got.arms[2].label.startswith("the same weights, cheapest of ")


def test_an_arm_asked_for_joins_the_frontier_and_the_same_weights() -> None:
    got = build_decision(manifest(), metrics(), smallest(), ["openai:gpt-4.1"])

    assert [arm.role for arm in got.arms] == ["user", "frontier", "same_weights"]


def test_weights_that_nobody_hosts_get_a_stand_in_that_says_so() -> None:
    got = build_decision(manifest("SmolLM2-135M-Instruct.Q4_K_M.gguf"), metrics(), smallest(), [])

    stand_in = got.arms[-1]
    assert stand_in.name == "groq:openai/gpt-oss-20b"
    assert stand_in.role == "same_weights"
    assert stand_in.label == (
        "stand-in: nobody is listed as hosting SmolLM2-135M-Instruct.Q4_K_M.gguf,"
        " so openai/gpt-oss-20b at groq stands in for it"
    )


def test_the_decision_holds_what_was_decided_on() -> None:
    got = build_decision(manifest(), metrics(), smallest(), ARMS).arms[0]

    assert got.input.self_host.usd_per_hour == 5.672
    assert got.input.self_host.goodput_requests_per_s == 0.6
    assert got.decision.first_win_tasks_per_month == pytest.approx(673261.7886178861, rel=1e-9)  # AN-08
    assert got.decision.interval == VerdictInterval(verdict_at_low="yes", verdict_at_high="yes")
    assert got.price.digest is not None


def test_a_million_tokens_is_priced_at_the_slo_and_at_the_peak() -> None:
    got = build_decision(manifest(), metrics(), smallest(), []).self_host.usd_per_mtok

    assert got.at_slo.step == 0
    assert got.at_slo.output_only == pytest.approx(10.5037037037, rel=1e-9)  # AN-04
    assert got.at_slo.total == pytest.approx(2.5008818342, rel=1e-9)
    assert got.at_peak.step == 1
    assert got.at_peak.output_only == pytest.approx(5.672 / (250 * 3600) * 1e6, rel=1e-9)


def test_a_run_without_goodput_never_wins_and_says_why() -> None:
    broke = metrics(None)
    broke = broke.model_copy(update={"steps": tuple(s.model_copy(update={"slo_met": False}) for s in broke.steps)})
    got = build_decision(manifest(), broke, smallest(), [])

    assert got.self_host.goodput is None
    assert got.self_host.usd_per_mtok.at_slo is None
    assert {arm.decision.verdict for arm in got.arms} == {"never"}
    assert got.arms[0].sentence.startswith(
        "Self-hosting never wins on this evidence: no load step met the latency limits"
    )


def test_a_price_given_with_the_run_wins_over_the_catalogue() -> None:
    got = build_decision(manifest(usd_per_hour=2.0), metrics(), smallest(), []).self_host.instance

    assert got.usd_per_hour == 2.0
    assert got.kind == "assumed"
    assert got.gpu == "A10G"


def test_an_unlisted_box_needs_only_a_price() -> None:
    got = build_decision(manifest(id="under-my-desk", usd_per_hour=0.4), metrics(), smallest(), [])

    assert got.self_host.instance.id == "under-my-desk"
    assert got.self_host.instance.gpu is None


@pytest.mark.parametrize(
    ("instance", "arms", "said"),
    [
        ({"id": None}, [], "no instance and no price"),
        ({"id": "g5.12xlrge"}, [], "unknown instance"),
        ({"purchase": "reserved_3y"}, [], "no `reserved_3y` price"),
        ({}, ["openai:gpt-9"], "unknown API model"),
    ],
    ids=str,
)
def test_what_cannot_be_priced_is_said_before_anything_is_measured(
    instance: dict[str, Any], arms: list[str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        check_prices({**G5, **instance}, arms, smallest())


def test_own_prices_reach_the_decision(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "api: [{provider: openai, model: gpt-4.1-mini, input_usd_per_mtok: 1, output_usd_per_mtok: 2}]\n"
        "instances: [{id: g5.12xlarge, usd_per_hour: {on_demand: 4}}]\n"
    )

    got = build_decision(manifest(), metrics(), smallest(), ARMS, prices_file=path)

    assert got.self_host.instance.usd_per_hour == 4
    assert got.arms[1].decision.api_usd_per_task == pytest.approx(0.0013, rel=1e-9)  # 800 + 2 x 250


def test_replicas_on_the_box_multiply_its_goodput_and_are_called_assumed() -> None:
    got = build_decision(manifest(replicas=4), metrics(), smallest(), [])

    assert got.self_host.goodput.requests_per_s == pytest.approx(2.4)
    assert got.self_host.usd_per_mtok.at_slo.output_tokens_per_s == pytest.approx(600)
    assert "replicas_assumed" in [check.code for check in got.checks]


@pytest.mark.parametrize(
    ("tokens", "codes"),
    [
        ((800, 250), []),
        ((879, 226), []),
        ((881, 250), ["demand_shape_differs"]),
        ((800, 224), ["demand_shape_differs"]),
        ((None, None), ["demand_shape_unknown"]),
    ],
    ids=str,
)
def test_a_run_of_another_shape_is_not_to_be_trusted(
    tokens: tuple[float | None, float | None], codes: list[str]
) -> None:
    got = build_decision(manifest(), metrics(tokens=tokens), smallest(), [])

    assert [c.code for c in got.checks if c.code.startswith("demand_shape")] == codes


def test_an_old_price_is_a_warning() -> None:
    got = build_decision(manifest(purchase="reserved_1y"), metrics(), smallest(), [])

    stale = next(check for check in got.checks if check.code == "stale_price")
    assert stale.level == "warning"
    assert "g5.12xlarge reserved 1y was checked 2025-11-30" in stale.message


def test_the_support_agents_sentence_is_the_whole_answer() -> None:
    got = build_decision(manifest(), metrics(), load_demand(Path("support-agent")), ARMS)

    frontier, cheap = got.arms[0], got.arms[1]
    # 4,140.56 + 8,666.67 = 12,807.23; the windows are AN-09's
    assert frontier.sentence == (
        "At your 400,000 tasks a month self-hosting costs USD 12,807 (8,667 of it an assumed half engineer) and the API"
        " 2,460: the API wins; self-hosting wins from 2.76M, loses again from 3.15M to 3.43M, and wins for good above"
        " that; without the people it wins from 673k on."
    )
    # 0.00072 x 1,576,800 = 1,135.30
    assert "never wins, because one full box saves USD 1,135 and costs USD 4,141 a month" in cheap.sentence
    struck = frontier.decision_without_people
    assert struck.first_win_tasks_per_month == pytest.approx(673261.7886178861, rel=1e-9)
    assert struck.at_volume.self_usd == pytest.approx(4140.56, rel=1e-9)


def test_headroom_and_peaks_reach_the_sentence() -> None:
    got = build_decision(manifest(), metrics(), smallest(max_load=0.8, peak_to_mean=2.5), ARMS)

    # AN-10: 0.00615 x 504,576 = 3,103.14
    assert "because one full box saves USD 3,103 and costs USD 4,141 a month" in got.arms[0].sentence


def test_both_ends_of_the_goodput_are_told_apart() -> None:
    decided = build_decision(manifest(), metrics(), smallest(), []).arms[0].decision
    ends = VerdictInterval(verdict_at_low="never", verdict_at_high="yes")

    said = sentence(parse(given()), decided.model_copy(update={"interval": ends}))

    assert said.endswith("at the low end of the goodput it never wins, at the high end it wins from some volume on.")


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        (
            [[16.21e6, 16.31e6], [16.34e6, None]],
            "wins from 16.2M tasks a month, loses again from 16.31M to 16.34M, and wins for good above that",
        ),
        (
            [[2.76e6, 3.15e6], [3.43e6, None]],
            "wins from 2.76M tasks a month, loses again from 3.15M to 3.43M, and wins for good above that",
        ),
        ([[20_000, 20_004]], "wins only from 20k to 20.004k tasks a month"),
        ([[5e6, 5e6]], "wins only at 5M tasks a month"),
    ],
)
def test_volumes_side_by_side_have_the_digits_that_tell_them_apart(windows: list[Any], said: str) -> None:
    decided = decide(given()) | {
        "winning_windows": windows,
        "verdict": "yes" if windows[-1][1] is None else "window",
        "first_win_tasks_per_month": windows[0][0],
        "permanent_win_tasks_per_month": windows[-1][0] if windows[-1][1] is None else None,
    }

    assert sentence(parse(given()), Decided.model_validate(decided)) == f"Self-hosting {said}."


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        ([[16.27e6, 16.29e6]], "may win at about 16.3M tasks a month only"),
        ([[16.21e6, 16.31e6], [16.34e6, None]], "wins from about 16.2M tasks a month on"),
        ([[5e6, 5.01e6], [8e6, None]], "may win at about 5M tasks a month, and wins for good from 8M"),
        ([[1e6, 1.5e6], [1.6e6, 3e6], [5e6, None]],
         "wins from about 1M tasks a month, loses again from 3M to 5M, and wins for good above that"),
        ([[1e6, 2e6], [2.1e6, 3e6]], "wins only from about 1M to 3M tasks a month"),
        ([[2.7e6, 3.2e6], [4e6, None]],
         "wins from 2.7M tasks a month, loses again from 3.2M to 4M, and wins for good above that"),
    ],
)  # fmt: skip
def test_what_the_goodputs_interval_may_open_or_close_is_folded(windows: list[Any], said: str) -> None:
    """0.6 requests/s to within 14 %: full boxes end a window 14 % earlier, at worst, or later."""
    input_ = given()
    input_["self_host"] |= {"goodput_low": 0.516, "goodput_high": 0.684}
    decided = decide(input_) | {
        "interval": None,
        "winning_windows": windows,
        "verdict": "yes" if windows[-1][1] is None else "window",
        "first_win_tasks_per_month": windows[0][0],
        "permanent_win_tasks_per_month": windows[-1][0] if windows[-1][1] is None else None,
    }

    assert sentence(parse(input_), Decided.model_validate(decided)) == f"Self-hosting {said}."


@pytest.mark.parametrize(
    ("fte", "assumed", "words"),
    [
        (0.5, True, "an assumed half engineer"),
        (0.5, False, "half an engineer"),
        (1, True, "an assumed engineer"),
        (0.25, False, "a quarter of an engineer"),
        (2, True, "2 assumed engineers"),
        (0.3, True, "0.3 of an assumed engineer"),
        (None, False, "people"),
    ],
)
def test_the_people_that_decide_are_named_in_the_sentence(fte: float | None, assumed: bool, words: str) -> None:
    """5.672 USD/h are 4,140.56 a month, 10,000 more are people; a task takes 0.00615 at the API."""
    people = People(usd_per_month=10_000, fte=fte, assumed=assumed)
    input_ = given()
    input_["self_host"]["fixed_usd_per_month"] = 10_000
    at_volume = {**input_, "workload": {**input_["workload"], "tasks_per_month": 400_000}}

    without, with_one = (sentence(parse(one), decide_parsed(parse(one)), people) for one in (input_, at_volume))

    assert without.startswith("Self-hosting wins from ")
    assert f"without the people ({words}, USD 10,000 a month)" in without
    assert without.endswith(" from 673k tasks a month on.") or without.endswith(" from 673k on.")
    assert with_one.startswith(
        f"At your 400,000 tasks a month self-hosting costs USD 14,141 (10,000 of it {words}) and the API 2,460: the API"
    )


@pytest.mark.parametrize(
    ("fte", "assumed", "pay", "words"),
    [
        (0.3, False, 208_000, "0.3 of an engineer at an assumed USD 208,000 a year"),
        (1.5, False, 208_000, "1.5 engineers at an assumed USD 208,000 a year"),
        (0.5, True, 208_000, "an assumed half engineer"),
        (1, False, None, "one engineer"),
        (None, False, 208_000, "people"),
    ],
)
def test_pay_that_nobody_gave_is_said_beside_people_that_somebody_did(
    fte: float | None, assumed: bool, pay: float | None, words: str
) -> None:
    assert engineers(People(usd_per_month=1, fte=fte, assumed=assumed, assumed_usd_per_year=pay)) == words


def test_no_people_are_named_where_there_are_none_or_they_change_nothing() -> None:
    input_ = given()
    free = People(usd_per_month=0, fte=0, assumed=False)
    dear = {**input_, "api": {**input_["api"], "input_usd_per_mtok": 0.01, "output_usd_per_mtok": 0.01}}
    dear["self_host"] = {**dear["self_host"], "fixed_usd_per_month": 10_000}

    assert "people" not in sentence(parse(input_), decide_parsed(parse(input_)), free)
    said = sentence(parse(dear), decide_parsed(parse(dear)), free.model_copy(update={"usd_per_month": 10_000}))
    assert said.startswith("Self-hosting never wins, because one full box")
    assert "people" not in said


def test_a_decision_is_plain_json() -> None:
    got = build_decision(manifest(), metrics(), load_demand(Path("support-agent")), [])

    assert Decision.model_validate_json(json.dumps(got.to_dict(), allow_nan=False)) == got


def test_a_decision_opens_no_connection() -> None:
    code = (
        "import sys\n"
        "def no_network(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.bind'):\n"
        "        raise SystemExit(f'network: {event} {args}')\n"
        "sys.addaudithook(no_network)\n"
        "sys.path.insert(0, 'tests/support')\n"
        "from cost_cases import manifest, metrics\n"
        "from harness.cost.verdict import build_decision\n"
        "from harness.demand.demand import load_demand\nfrom pathlib import Path\n"
        "assert len(build_decision(manifest(), metrics(), load_demand(Path('support-agent')), []).arms) == 3\n"
    )
    root = Path(__file__).parent.parent.parent

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def api_usd(reference: str, demand: Demand) -> float:
    arm = build_decision(manifest(), metrics(), demand, [reference]).arms[0]
    assert arm.decision.at_volume is not None
    return arm.decision.at_volume.api_usd


def test_a_listed_price_is_used_whole() -> None:
    thousand = [{"input_tokens": 1000, "output_tokens": 1000}]
    million = smallest(tasks_per_month=1_000_000, classes=thousand)
    noon = million.model_copy(update={"hourly_profile": [float(hour == 12) for hour in range(24)]})

    # 800 and 250 at 1/1 and 0.012 a request
    assert api_usd("perplexity:sonar", smallest(tasks_per_month=100_000)) == pytest.approx(1305)
    # 1,000 Mtok in at 0.66 and out at 1.98, 7 hours of 24 at twice that
    assert api_usd("deepseek:deepseek-v4-pro", million) == pytest.approx(3410)
    assert api_usd("deepseek:deepseek-v4-pro", noon) == pytest.approx(2640)
    # answers of nothing cost the fee too
    silent = smallest(tasks_per_month=1000, classes=[{"input_tokens": 800, "output_tokens": 0}])
    assert api_usd("perplexity:sonar", silent) == pytest.approx(12.8)


def test_the_fees_of_a_mixs_models_add_up_by_their_calls() -> None:
    parts = [{"api": "perplexity:sonar", "calls_per_task": 0.25}, {"api": "openai:gpt-4.1", "calls_per_task": 0.75}]
    demand = smallest(tasks_per_month=1000, mixes=[{"name": "routed", "parts": parts}])

    # a quarter of 800 and 250 at 1/1 and 0.012, three of 800 at 2 and 250 at 8
    (arm,) = (arm for arm in build_decision(manifest(), metrics(), demand, []).arms if arm.name == "routed")

    assert arm.input.api.usd_per_request == pytest.approx(0.003)
    assert arm.decision.at_volume is not None
    assert arm.decision.at_volume.api_usd == pytest.approx(1000 * (0.25 * 0.01305 + 0.75 * 0.0036))


def test_what_is_retired_or_not_whole_is_a_warning() -> None:
    got = build_decision(manifest(), metrics(), smallest(), ["perplexity:sonar-deep-research"])

    said = {check.code: check.message for check in got.checks}
    assert said["retired_model"].startswith("perplexity:sonar-deep-research was retired on 2026-09-27")
    assert "output reasoning 3 USD/Mtok, output citation 2 USD/Mtok" in said["price_parts_unused"]


def test_a_write_for_an_hour_without_a_price_of_its_own_is_a_warning() -> None:
    kept = [{"input_tokens": 800, "output_tokens": 250, "cache_write_1h_tokens": 500}]

    got = build_decision(
        manifest(), metrics(), smallest(classes=kept), ["openai:gpt-4.1", "anthropic:claude-sonnet-5-5"]
    )

    found = [check.message for check in got.checks if check.code == "price_parts_unused"]
    assert any(message.startswith("the price of openai:gpt-4.1 has parts") for message in found)
    assert not any("claude-sonnet-5-5" in message for message in found)


def test_an_announced_price_is_in_the_projection_from_its_day(tmp_path: Path) -> None:
    arm = build_decision(manifest(), metrics(), smallest(), ["google:gemini-3.6-flash"]).arms[0]

    # 0.75/3.75 for 400,000 x 800/250, twice that from 2027-01-01
    assert isinstance(arm.price, ModelPrice)
    assert [change.starts_on.isoformat() for change in arm.price.changes] == ["2027-01-01"]
    assert arm.projection is not None
    assert arm.projection.months[0].api_usd == pytest.approx(615)
    assert arm.projection.months[-1].api_usd == pytest.approx(1230)


@pytest.mark.parametrize(
    "root",
    [
        "casperhansen/llama-3.3-70b-instruct-awq",
        "/root/.cache/huggingface/hub/models--meta-llama--Llama-3.3-70B-Instruct/snapshots/6f6073b4/",
        "/models/Llama-3.3-70B-Instruct-Q4_K_M.gguf",
    ],
)
def test_the_arm_of_the_same_weights_follows_the_weights_not_the_name_that_requests_carry(root: str) -> None:
    run = manifest("bench")
    run.identity = Identity(weights=SaidText(value=root, said_by="/v1/models"))

    arm = build_decision(run, metrics(), smallest(), []).arms[-1]

    assert arm.role == "same_weights"
    assert "llama-3.3-70b" in arm.model.lower()


@pytest.mark.parametrize(
    ("model", "root"), [("bench", None), ("bench", "/models/llm"), ("prod-llm", "/data"), (None, None)]
)
def test_where_nobody_says_which_weights_were_served_no_stand_in_is_decided_on_and_it_says_why(
    model: str | None, root: str | None
) -> None:
    run = manifest(model)
    run.identity = Identity(weights=SaidText(value=root, said_by="/v1/models") if root else None)

    got = build_decision(run, metrics(), smallest(), [])

    *others, arm = got.arms
    assert all(one.decided for one in others)
    assert (arm.decided, arm.decision.verdict) == (False, None)
    assert (arm.why_not or "").startswith("nobody says which weights ")
    assert arm.label.startswith("not comparable: ")
    (found,) = (check for check in got.checks if check.code == "weights_unknown")
    assert "that they fit the GPUs, leave room for a KV cache and can be that fast was not checked" in found.message
    assert "--weights" in (found.hint or "")


def test_an_api_that_was_asked_for_is_decided_on_though_it_would_be_the_stand_in() -> None:
    got = build_decision(manifest("bench"), metrics(), smallest(), ["groq:openai/gpt-oss-20b"])

    assert [(arm.name, arm.role, arm.decided) for arm in got.arms if arm.name.startswith("groq")] == [
        ("groq:openai/gpt-oss-20b", "user", True)
    ]


def test_weights_that_are_counted_but_not_named_are_held_against_the_box_all_the_same() -> None:
    run = manifest("bench")
    run.identity = Identity(parameters=SaidCount(value=405_000_000_000, said_by="/v1/models"))

    got = build_decision(run, metrics(), smallest(), [])

    # 405e9 in 4 bits are 188.6 GiB, the box has 89.4
    assert {"weights_unknown", "weights_do_not_fit"} <= {check.code for check in got.checks}


@pytest.mark.parametrize("counted", [134_515_008, 70_553_706_496])
def test_a_name_of_another_size_than_the_engine_counts_is_a_name_that_somebody_gave(counted: int) -> None:
    run = manifest("llama-3.1-8b-instruct")
    run.identity = Identity(parameters=SaidCount(value=counted, said_by="/v1/models"))
    same = manifest("llama-3.1-8b-instruct")
    same.identity = Identity(parameters=SaidCount(value=8_030_261_248, said_by="/v1/models"))

    other, own = (build_decision(one, metrics(), smallest(), []).arms[-1] for one in (run, same))

    assert (other.decided, other.why_not) == (
        False, "nobody says which weights are behind the name `llama-3.1-8b-instruct`"
    )  # fmt: skip
    assert own.label.startswith("the same weights, cheapest of ")
