"""Every shape driven for real against a server that writes down what it was asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_server import FaultyServer
from load_helpers import due_in, records_of, run_load, scenario

from harness.calibration.oracle.process import RunningOracle, running_oracle
from harness.load.shapes.arrivals import ArrivalPlan
from harness.metrics.steps import compute_metrics
from harness.rundir import files
from harness.rundir.read import read_client
from harness.rundir.steps import read_steps

PROMPTS = {"kind": "synthetic", "input_tokens": 20, "output_tokens": 4}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOracle]:
    with running_oracle(tmp_path_factory.mktemp("o") / "ledger.jsonl", ttft_s=0.02, itl_s=0.005) as running:
        yield running


def test_an_open_load_sends_exactly_its_plan_at_its_instants(oracle: RunningOracle, tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "open", "requests_per_s": [20, 60], "step_s": 2, "warmup_s": 0.5}, prompts=PROMPTS, seed=3
    )
    plan = ArrivalPlan(3, "poisson")
    planned = [plan.step(2, 20), plan.step(2, 60)]

    measured = run_load(tmp_path, oracle.url, work=work)

    rows, steps = records_of(measured), read_steps(measured.run_dir)
    assert [(step.load.kind, step.load.requests_per_s) for step in steps] == [("open", 20), ("open", 60)]
    for step, instants in zip(steps, planned, strict=True):
        mine = due_in(rows, step)
        assert list(mine["scheduled_s"] - step.start_s) == pytest.approx(instants, abs=1e-6)
    assert rows["error"].isna().all()
    lag = rows["sent_s"] - rows["scheduled_s"]
    assert lag.min() > -0.001  # never early
    assert lag.median() < 0.02


def test_an_open_load_does_not_wait_for_answers(tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "open", "requests_per_s": 20, "arrivals": "constant", "step_s": 1, "warmup_s": 0},
        prompts=PROMPTS, request={"timeout_s": 5},
    )  # fmt: skip

    with running_oracle(tmp_path / "l.jsonl", ttft_s=2.0) as slow:
        measured = run_load(tmp_path / "runs", slow.url, work=work)

    rows = records_of(measured)
    due = due_in(rows, read_steps(measured.run_dir)[0])
    assert len(due) == 20
    assert due["error"].isna().all()
    assert due["first_token_s"].min() > due["sent_s"].max()  # all were out before the first answer came
    metrics = compute_metrics(rows, read_steps(measured.run_dir), work).steps[0]
    assert metrics.offered_requests_per_s == pytest.approx(20)
    assert metrics.sent_requests_per_s == pytest.approx(20)


def test_arrivals_beyond_the_cap_are_dropped_counted_and_fail_the_step(tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "open", "requests_per_s": 20, "arrivals": "constant", "step_s": 1, "warmup_s": 0,
              "max_in_flight": 5},
        prompts=PROMPTS, request={"timeout_s": 5},
    )  # fmt: skip

    with running_oracle(tmp_path / "l.jsonl", ttft_s=2.0) as slow:
        measured = run_load(tmp_path / "runs", slow.url, work=work)

    rows = records_of(measured)
    due = due_in(rows, read_steps(measured.run_dir)[0])
    assert len(due) == 20
    assert list(due["error"].fillna("")).count("not_sent") == 15
    assert due.loc[due["error"] == "not_sent", "sent_s"].isna().all()
    metrics = compute_metrics(rows, read_steps(measured.run_dir), work).steps[0]
    assert metrics.not_sent == 15
    assert metrics.slo_met is False


def test_a_ramp_gets_denser(oracle: RunningOracle, tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "ramp", "start": 5, "end": 45, "ramp_s": 2, "slices": 2, "arrivals": "constant"}, prompts=PROMPTS
    )

    measured = run_load(tmp_path, oracle.url, work=work)

    rows = records_of(measured)
    # the mean rates of the halves are 15 and 35 a second
    assert [len(due_in(rows, step)) for step in read_steps(measured.run_dir)] == [15, 35]


def test_a_ramp_of_users_brings_them_in_one_by_one(oracle: RunningOracle, tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "ramp", "over": "users", "start": 1, "end": 4, "ramp_s": 1.5, "slices": 1}, prompts=PROMPTS
    )

    measured = run_load(tmp_path, oracle.url, work=work)

    rows, (step,) = records_of(measured), read_steps(measured.run_dir)
    for user_count, at_s in ((1, 0.4), (2, 0.9), (3, 1.4)):
        now_s = step.start_s + at_s
        under_way = rows[(rows["scheduled_s"] <= now_s) & (rows["finished_s"].fillna(1e9) > now_s)]
        assert len(under_way) in {user_count - 1, user_count}


def test_a_trace_is_replayed_with_its_instants_and_lengths(oracle: RunningOracle, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "arrival_s,input_tokens,output_tokens\n100,30,3\n101,50,5\n102.5,40,4\n109,90,9\n"
    )
    work = scenario(load={"kind": "trace", "file": "log.csv", "speed": 2, "max_requests": 3})

    measured = run_load(tmp_path, oracle.url, work=work)

    rows, (step,) = records_of(measured), read_steps(measured.run_dir)
    assert list(rows["scheduled_s"] - step.start_s) == pytest.approx([0, 0.5, 1.25], abs=1e-6)
    assert list(rows["prompt_tokens"]) == [30, 50, 40]
    assert list(rows["output_tokens"]) == [3, 5, 4]
    assert step.load.kind == "trace"


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_conversations_grow_by_the_servers_own_replies(tmp_path: Path, api: str) -> None:
    work = scenario(
        load={"users": [2], "step_s": 1, "warmup_s": 0},
        prompts={"kind": "sessions", "turns": 3, "base_tokens": 30, "growth_tokens": 20, "output_tokens": 5},
        request={"timeout_s": 2, "api": api},
    )

    with FaultyServer() as server:
        rows = records_of(run_load(tmp_path, server.url("slow-first-token=0.05"), work=work, backend="openai"))
        asked = [x for x in server.generations() if x.path.endswith("completions")]

    whole = rows[rows["error"].isna()]
    assert set(whole["turn"]) == {0, 1, 2}
    assert set(whole["session"]) >= {"0-0", "1-0"}
    by_id = {x.headers["x-request-id"]: x.body for x in asked}
    first = rows[(rows["session"] == "0-0")].sort_values("turn")
    assert not rows["entered"][rows["session"] == "0-0"].any()
    bodies = [by_id[request_id] for request_id in first["request_id"]]
    if api == "chat":
        assert [len(body["messages"]) for body in bodies] == [1, 3, 5]
        assert bodies[1]["messages"][:1] == bodies[0]["messages"]
        assert bodies[1]["messages"][1]["role"] == "assistant"
        assert bodies[1]["messages"][1]["content"].split() == ["tok"] * 5
    else:
        assert bodies[1]["prompt"].startswith(bodies[0]["prompt"] + " tok" * 5)


SESSIONS: dict[str, Any] = {"kind": "sessions", "turns": 8, "base_tokens": 30, "growth_tokens": 20, "output_tokens": 5}


def test_users_enter_their_conversations_at_turns_that_are_spread_whoever_drives_them(tmp_path: Path) -> None:
    load = {"users": [4, 6], "step_s": 1.6, "warmup_s": 0}
    work = scenario(load=load, prompts=SESSIONS, request={"timeout_s": 2, "api": "chat"})
    entered = []

    for workers in (1, 2):
        with FaultyServer() as server:
            url = server.url("slow-first-token=0.3")
            rows = records_of(run_load(tmp_path, url, work=work, workers=workers, salt="s"))
            asked = [x for x in server.generations() if x.path.endswith("chat/completions")]
            bodies = {x.headers["x-request-id"]: x.body for x in asked}
        firsts = rows[rows["session"].str.endswith("-0")].groupby("session").first()
        # four of 8 turns are 0, 4, 2, 6; the first user asks alone before, so that the others begin a turn later. Two
        # more come 4 apart, from 4 x 0.618 = 0.472 of such a part on
        assert dict(firsts["turn"]) == {"0-0": 0, "1-0": 5, "2-0": 3, "3-0": 7, "4-0": 1, "5-0": 5}
        assert list(firsts["entered"]) == [False, True, True, True, True, True]
        assert not rows["entered"][~rows["request_id"].isin(firsts["request_id"])].any()
        entered.append([bodies[request_id]["messages"] for request_id in firsts["request_id"]])

    assert entered[0] == entered[1]
    # entered at turn 5: five questions and replies, and the question that is asked
    assert [message["role"] for message in entered[0][1]] == ["user", "assistant"] * 5 + ["user"]


def test_a_turn_that_fails_does_not_make_the_later_ones_rarer(tmp_path: Path) -> None:
    work = scenario(
        load={"users": [1], "step_s": 1.5, "warmup_s": 0}, prompts=SESSIONS, request={"timeout_s": 2, "api": "chat"}
    )

    with FaultyServer() as server:
        rows = records_of(run_load(tmp_path, server.url("status=500"), work=work))

    # each one fails, and the next turn is asked all the same
    assert len(rows) > 3
    assert list(rows["turn"])[:4] == [0, 1, 2, 3]
    assert set(rows["session"]) == {"0-0"}


def test_closed_users_wait_as_long_as_the_server_asks(tmp_path: Path) -> None:
    work = scenario(load={"users": [1], "step_s": 1.5, "warmup_s": 0})

    with FaultyServer() as server:
        rows = records_of(run_load(tmp_path, server.url("status=429"), work=work))

    # `Retry-After: 1`: at 0 and 1 s; our own back-off of 0.1, 0.2, 0.5 s would make it four
    assert len(rows) == 2
    assert rows["scheduled_s"].diff().iloc[1] >= 1.0


@pytest.mark.slow
def test_a_search_finds_the_last_number_of_users_that_meets_the_limits(tmp_path: Path) -> None:
    # llama-cpp-python's way: one answer at a time. 0.1 s each, so u users wait u * 0.1 s
    work = scenario(
        load={"kind": "search", "low": 1, "high": 8, "step_s": 1.5, "max_step_s": 3, "warmup_s": 0.3},
        prompts=PROMPTS, request={"timeout_s": 5}, slo={"e2e_p50_s": 0.35},
    )  # fmt: skip

    with FaultyServer() as server:
        measured = run_load(tmp_path, server.url("one-at-a-time=0.1"), work=work, backend="openai")

    found = files.read_json(measured.run_dir, "search.json")
    assert found["stop"]["reason"] == "found"
    assert found["bracket"] == {"passes": 3, "fails": 4}
    steps = read_steps(measured.run_dir)
    assert [step.load.users for step in steps] == [p["load"] for p in found["probes"]]
    assert list(dict.fromkeys(p["load"] for p in found["probes"])) == [1, 4, 3]  # far from the limit at 1
    metrics = compute_metrics(records_of(measured), steps, work)
    assert steps[metrics.goodput.step].load.users == 3
    assert metrics.goodput.requests_per_s == pytest.approx(10, rel=0.25)


@pytest.mark.slow
def test_a_search_by_rate_cuts_the_step_whose_queue_grows(tmp_path: Path) -> None:
    # 12.5 answers a second where 20 arrive: 7.5 more in flight each second, until the cap drops some
    work = scenario(
        load={"kind": "search", "over": "requests_per_s", "low": 5, "high": 40, "step_s": 4, "max_step_s": 40,
              "warmup_s": 0.2, "max_probes": 2, "arrivals": "constant", "max_in_flight": 10},
        prompts=PROMPTS, request={"timeout_s": 30}, slo={"e2e_p50_s": 5},
    )  # fmt: skip

    with FaultyServer() as server:
        measured = run_load(tmp_path, server.url("one-at-a-time=0.08"), work=work, backend="openai")

    found = files.read_json(measured.run_dir, "search.json")
    assert [p["load"] for p in found["probes"]] == [5, 20]
    assert [p["passed"] for p in found["probes"]] == [True, False]
    cut = found["probes"][-1]
    assert cut["over_saturated"] is True
    assert cut["seconds"] < cut["length_s"]
    assert found["goodput_bounds"]["high"] == 20
    rows = records_of(measured)
    assert rows.loc[rows["step"] < 1, "error"].isna().all()  # the cut hit its own step alone
    assert set(rows.loc[rows["step"] == 1, "error"].dropna()) == {"not_sent", "cut_at_end"}


def test_a_probe_by_users_is_cut_when_it_cannot_pass_any_more(tmp_path: Path) -> None:
    # one answer at a time, 0.05 s each: 8 users wait 0.4 s for every one, so no p95 can get below 0.2 s
    work = scenario(
        load={"kind": "search", "low": 8, "high": 8, "step_s": 10, "max_step_s": 10, "warmup_s": 0.5, "max_probes": 1},
        prompts=PROMPTS, request={"timeout_s": 5}, slo={"e2e_p95_s": 0.2},
    )  # fmt: skip

    with FaultyServer() as server:
        measured = run_load(tmp_path, server.url("one-at-a-time=0.05"), work=work, backend="openai")

    found = files.read_json(measured.run_dir, "search.json")
    (probe,) = found["probes"]
    assert (found["stop"]["reason"], found["stop"]["at_most"]) == ("max_probes", True)
    assert (probe["passed"], probe["verdict"], probe["given_up"]) == (False, "no", True)
    assert probe["seconds"] < 6
    assert found["goodput_bounds"]["high"] is None  # so short a look is no bound
    (step,) = compute_metrics(records_of(measured), read_steps(measured.run_dir), work).steps
    assert (step.slo_met, step.given_up) == (False, True)


def test_a_search_stops_when_the_decision_is_certain(oracle: RunningOracle, tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "search", "low": 2, "high": 64, "step_s": 1.5, "max_step_s": 1.5, "warmup_s": 0.2},
        prompts=PROMPTS, slo={"e2e_p50_s": 1},
    )  # fmt: skip

    measured = run_load(
        tmp_path, oracle.url, work=work, usd_per_hour=3.6, needed_goodput={"some-api": 0.5, "other": None}
    )

    found = files.read_json(measured.run_dir, "search.json")
    assert found["stop"]["reason"] == "decided"
    assert len(found["probes"]) == 1
    manifest = files.read_manifest(measured.run_dir)
    assert manifest.client["search"]["reason"] == "decided"
    assert manifest.notes[-1].startswith("The search ended: ")
    assert "against the fixed ladder" in manifest.notes[-1]
    # the ladder would go on with 4, 8, 16, 32 and 64 users
    assert found["saved"]["seconds"] == pytest.approx(5 * 1.5, abs=0.3)
    assert found["saved"]["usd"] == pytest.approx(found["saved"]["seconds"] / 1000)  # 3.6 USD/h


@pytest.mark.slow
def test_the_certificate_of_a_run_says_each_second_what_was_asked_and_reached(
    oracle: RunningOracle, tmp_path: Path
) -> None:
    work = scenario(load={"users": [2, 3], "step_s": 2.2, "warmup_s": 0}, prompts=PROMPTS)

    measured = run_load(tmp_path, oracle.url, work=work)

    rows, client = records_of(measured), read_client(measured.run_dir)
    assert set(client["asked"]) == {2, 3}
    assert (client["in_flight"] <= client["asked"]).all()
    assert (client["schedule_lag_max_s"] >= 0).all()
    assert client["schedule_lag_max_s"].max() < 1
    # events of requests that had ended at the last sample; the oracle sends one token an event, 5 ms apart
    assert 0 < client["events"].sum() <= rows["events"].sum()
    assert client["shared_events"].sum() <= client["events"].sum()


def test_an_open_load_asks_for_no_number_in_flight(oracle: RunningOracle, tmp_path: Path) -> None:
    work = scenario(load={"kind": "open", "requests_per_s": [20], "step_s": 1.5, "warmup_s": 0}, prompts=PROMPTS)

    assert read_client(run_load(tmp_path, oracle.url, work=work).run_dir)["asked"].isna().all()
