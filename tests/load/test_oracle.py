"""The records against the ledger of a server that writes down what it really sent."""

from pathlib import Path

import pytest
from load_helpers import records_of, run_load, scenario

from harness.calibration.oracle.ledger import join, read_ledger
from harness.calibration.oracle.process import RunningOracle, running_oracle
from harness.pipeline.options import Measured
from harness.rundir import files
from harness.rundir.read import read_arrivals
from harness.rundir.steps import read_steps

TOKENS = 40


@pytest.fixture(scope="module")
def measured_and_ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measured, Path]:
    out_dir = tmp_path_factory.mktemp("oracle")
    work = scenario(
        load={"users": [2, 6], "step_s": 3, "warmup_s": 0.5},
        prompts={"kind": "synthetic", "input_tokens": 300, "output_tokens": TOKENS},
        request={"timeout_s": 20},
    )
    with running_oracle(out_dir / "ledger.jsonl", ttft_s=0.05, itl_s=0.01) as oracle:
        measured = run_load(out_dir / "runs", oracle.url, work=work, keep_arrivals=True)
    return measured, out_dir / "ledger.jsonl"


def test_every_token_sent_is_a_token_recorded(measured_and_ledger) -> None:
    measured, ledger_path = measured_and_ledger

    joined = join(records_of(measured), read_ledger(ledger_path))

    assert len(joined.requests) > 20
    assert joined.unknown_to_client == ()
    assert joined.unknown_to_server == ()
    assert joined.requests["lost"].sum() == 0
    assert joined.requests["invented"].sum() == 0


def test_recorded_times_are_the_ledgers_times(measured_and_ledger) -> None:
    measured, ledger_path = measured_and_ledger
    started_ns = files.read_manifest(measured.run_dir).started_monotonic_ns

    whole = records_of(measured).query("error.isna()").merge(read_ledger(ledger_path), on="request_id")
    first_ns, last_ns = whole["sent_monotonic_ns"].str[0], whole["sent_monotonic_ns"].str[-1]

    # one machine, one clock: an arrival cannot be before it was sent (50 us for the offset between the clocks),
    # and the middle one is not late by more than a busy machine explains
    assert len(whole) > 20
    for recorded_s, sent_ns in ((whole["first_token_s"], first_ns), (whole["finished_s"], last_ns)):
        late_s = recorded_s - (sent_ns - started_ns) / 1e9
        assert late_s.min() > -50e-6
        assert late_s.median() < 0.02
    received_s = (whole["received_monotonic_ns"] - started_ns) / 1e9
    assert (whole["sent_s"] - received_s).max() < 0.0005  # sent is before received


def test_arrivals_hold_one_stamp_a_token_in_order(measured_and_ledger) -> None:
    measured, _ = measured_and_ledger
    kept = read_arrivals(measured.run_dir)
    rows = records_of(measured).query("error.isna()").set_index("request_id")

    assert kept is not None
    arrivals = kept.by_request()
    for request_id, row in rows.iterrows():
        stamps = arrivals[request_id]
        assert len(stamps) == TOKENS
        assert list(stamps) == sorted(stamps)
        assert stamps[0] == pytest.approx(row["first_token_s"] * 1e6, abs=2)
        assert stamps[-1] == pytest.approx(row["finished_s"] * 1e6, abs=2)


def test_the_users_asked_for_are_in_flight(measured_and_ledger) -> None:
    measured, _ = measured_and_ledger
    rows, steps = records_of(measured), read_steps(measured.run_dir)

    for step in steps:
        middle_s = (step.window_start_s + step.end_s) / 2
        open_then = rows[(rows["scheduled_s"] <= middle_s) & (rows["finished_s"].fillna(1e9) > middle_s)]
        assert len(open_then) in {step.load.users - 1, step.load.users}


def test_prompts_have_exactly_the_length_asked_for(measured_and_ledger) -> None:
    measured, _ = measured_and_ledger

    assert set(records_of(measured)["prompt_tokens"].dropna()) == {300}
    assert files.read_manifest(measured.run_dir).client["exact_lengths"] is True


def test_kernel_stamps_are_used_on_linux(measured_and_ledger) -> None:
    measured, _ = measured_and_ledger

    assert set(records_of(measured).query("error.isna()")["clock"]) == {"kernel"}


def test_prompts_have_the_lengths_of_the_seed_and_the_words_of_the_salt(tmp_path: Path) -> None:
    from harness.load.prompts.texts import WORDS, PromptSource, Vocabulary
    from harness.scenario import SyntheticPrompts

    spec = SyntheticPrompts(input_tokens=50, output_tokens={"mean": 50, "stdev": 20, "min": 1})
    one, two, other = (PromptSource(spec, 1, salt, Vocabulary(WORDS)) for salt in ("a", "a", "b"))

    texts = [one.get(user, n).text for user in range(3) for n in range(3)]

    assert texts == [two.get(user, n).text for user in range(3) for n in range(3)]
    assert len(set(texts)) == 9  # no two prompts share their text
    assert not set(texts) & {other.get(user, n).text for user in range(3) for n in range(3)}
    lengths = [one.get(0, n).max_tokens for n in range(9)]
    assert lengths == [other.get(0, n).max_tokens for n in range(9)]
    assert lengths != [PromptSource(spec, 2, "a", Vocabulary(WORDS)).get(0, n).max_tokens for n in range(9)]


def test_a_shared_prefix_is_shared_and_no_more(tmp_path: Path) -> None:
    from harness.load.prompts.texts import WORDS, PromptSource, Vocabulary
    from harness.scenario import SyntheticPrompts

    source = PromptSource(
        SyntheticPrompts(input_tokens=60, shared_prefix_tokens=40), 1, "s", Vocabulary(WORDS, overhead_tokens=1)
    )

    one, two = (source.get(user, 0).text.split() for user in (0, 1))

    assert len(one) == len(two) == 59  # and BOS
    assert one[:40] == two[:40]
    assert one[40:45] != two[40:45]


def test_an_oracle_stops_with_its_block(tmp_path: Path) -> None:
    import psutil

    with running_oracle(tmp_path / "l.jsonl") as oracle:
        assert isinstance(oracle, RunningOracle)
        assert psutil.pid_exists(oracle.pid)

    assert not psutil.pid_exists(oracle.pid)
