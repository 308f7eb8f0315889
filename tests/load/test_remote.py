"""Load processes of other machines: the same work, split exactly, on clocks that are related to ours."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from faulty_server import FaultyServer
from load_helpers import OPEN_STEPS, due_by_plan, planned_arrivals, prompts_asked, records_of, run_load, scenario
from remote_helpers import TOKEN, free_address, other_clock, worker

from harness.base.errors import BreakevenError, EndpointError, UsageError
from harness.checks.load import load_checks
from harness.load.protocol import Doing
from harness.load.remote.muster import address
from harness.load.run_events import RunEvent, StepBegun
from harness.pipeline.measure import measure
from harness.pipeline.options import Measured, RunOptions
from harness.rundir import files
from harness.rundir.read import read_client, read_parts, read_rows
from harness.rundir.steps import read_steps

pytestmark = pytest.mark.slow  # real loads of many seconds

PROMPTS = {"kind": "synthetic", "input_tokens": 30, "output_tokens": 3}


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        yield running


def test_workers_elsewhere_send_the_same_plan_on_the_masters_clock(tmp_path: Path) -> None:
    work, planned = scenario(load=OPEN_STEPS, prompts=PROMPTS, seed=5), planned_arrivals(5)
    master, prefix = free_address(), other_clock()
    with FaultyServer() as alone:
        run_load(tmp_path / "alone", alone.url(), work=work, salt="s")
        asked_alone = set(prompts_asked(alone))

    with (
        FaultyServer() as server,
        worker(master, tmp_path / "there", "--processes", "2", "--once", prefix=prefix) as lent,
    ):
        measured = run_load(
            tmp_path / "here",
            server.url(),
            work=work,
            workers=3,
            remote_workers=2,
            listen=master,
            token=TOKEN,
            salt="s",
        )
        assert lent.wait(20) == 0
        assert len(set(prompts_asked(server)) & asked_alone) >= len(planned[0] + planned[1])  # a hold varies

    rows = due_by_plan(measured, planned)
    # arrival i is process i mod 3's: one here, two there
    by_process = rows.groupby("process").size()
    assert sorted(by_process) == sorted(len([*planned[0], *planned[1]][w::3]) for w in range(3))
    assert sorted(int(number) // 10_000_000 for number in by_process.index) == [0, 2, 3]
    # sent when planned, by a clock that is thousands of seconds away from ours
    assert (rows["sent_s"] - rows["scheduled_s"]).abs().max() < 0.5
    facts = files.read_manifest(measured.run_dir).client["remote_workers"]
    assert [f["worker"] for f in facts] == [1, 2]
    for fact in facts:
        assert 0 < fact["clock"]["error_s"] < 0.05
        assert abs(fact["clock"]["moved_s"]) <= fact["clock"]["moved_error_s"]  # it is one clock's crystal
    assert set(read_client(measured.run_dir)["process"]) == set(by_process.index)
    assert not (tmp_path / "there").exists()  # every row is with the master
    assert not list(load_checks("open", files.read_manifest(measured.run_dir).client))


def test_a_step_is_held_until_what_workers_elsewhere_were_due_to_send_has_ended(
    server: FaultyServer, tmp_path: Path
) -> None:
    master, load = free_address(), {"kind": "closed", "users": [2, 6], "step_s": 2, "warmup_s": 0.5}
    with worker(master, tmp_path / "there", "--processes", "2", "--once", prefix=other_clock()) as lent:
        measured = run_load(
            tmp_path / "here", server.url("slow-first-token=0.8"), work=scenario(load=load, request={"timeout_s": 5}),
            workers=2, remote_workers=2, listen=master, token=TOKEN,
        )  # fmt: skip
        assert lent.wait(20) == 0

    rows, steps = records_of(measured), read_steps(measured.run_dir)
    for step in steps:
        assert step.end_s is not None
        assert step.held_s is not None
        due = rows[(rows["scheduled_s"] >= step.window_start_s) & (rows["scheduled_s"] < step.end_s)]
        assert set(due["step"]) == {step.step}
        assert due["process"].nunique() == 2
        assert step.end_s < due["finished_s"].max() <= step.held_s
    assert steps[1].start_s >= steps[0].held_s


@pytest.mark.parametrize("way", ["ok", "status=401"])
def test_where_nobody_is_here_a_worker_elsewhere_sends_the_request_before_the_load(tmp_path: Path, way: str) -> None:
    master = free_address()
    with FaultyServer() as server, worker(master, tmp_path / "there", "--processes", "2", "--once"):
        measured = run_load(
            tmp_path / "here", server.url(way), workers=2, remote_workers=2, listen=master, token=TOKEN, preflight=True
        )
        sent = len(prompts_asked(server))

    rows = read_rows(measured.run_dir)
    first = rows[rows["preflight"]]
    assert len(first) == 1
    assert first["process"].iloc[0] // 10_000_000 == 1
    assert len(rows) == sent
    if way == "ok":
        assert len(rows) > 1
    else:
        assert isinstance(measured.failure, EndpointError)
        assert first["error"].iloc[0] == "http_401"
        assert len(rows) == 1


def test_files_that_the_scenario_names_travel_to_a_worker_whose_own_folder_stays(
    server: FaultyServer, tmp_path: Path
) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "why is the sea salt"}\n{"prompt": "name a tree"}\n')
    work = scenario(prompts={"kind": "file", "path": "prompts.jsonl", "format": "jsonl", "output_tokens": 3})
    master = free_address()

    there = tmp_path / "there"
    there.mkdir()

    with worker(master, there, "--once") as lent:
        run_load(tmp_path, server.url(), work=work, workers=1, remote_workers=1, listen=master, token=TOKEN)
        assert lent.wait(20) == 0

    assert list(there.iterdir()) == []  # every row is with the master
    asked = prompts_asked(server)
    assert asked
    assert all("why is the sea salt" in prompt or "name a tree" in prompt for prompt in asked)


def test_a_search_is_driven_by_workers_elsewhere(server: FaultyServer, tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "search", "over": "users", "low": 1, "high": 2, "step_s": 1, "warmup_s": 0,
              "max_step_s": 1, "max_probes": 3},
        prompts=PROMPTS, slo={"e2e_p50_s": 5},
    )  # fmt: skip
    master = free_address()

    with worker(master, tmp_path / "there", "--once"):
        measured = run_load(
            tmp_path,
            server.url("slow-first-token=0.05"),
            work=work,
            workers=1,
            remote_workers=1,
            listen=master,
            token=TOKEN,
        )

    found = json.loads((measured.run_dir / "search.json").read_text())
    assert [probe["load"] for probe in found["probes"]] == [1, 2]
    assert all(probe["requests"] >= 10 for probe in found["probes"])  # its rows were here when it was judged
    assert found["stop"]["reason"] == "high_passes"


def dying(tmp_path: Path, server: FaultyServer, kill: Any) -> tuple[Measured, list[str], Any]:
    """A run of one process here and one there, whose step begins and then `kill(worker)` happens."""
    master, said = free_address(), []
    with worker(master, tmp_path / "there") as lent:

        def on_event(event: RunEvent) -> None:
            if isinstance(event, StepBegun):
                time.sleep(1.8)  # it begins 0.6 s later; some rows are here first
                kill(lent)
            elif isinstance(event, Doing):
                said.append(event.text)

        options = RunOptions(
            scenario=scenario(load={"users": [4], "step_s": 3, "warmup_s": 0}),
            base_dir=tmp_path, backend="openai", out_dir=tmp_path / "here",
            urls=[server.url("slow-first-token=0.05")], workers=2, remote_workers=1, listen=master, token=TOKEN,
        )  # fmt: skip
        measured = measure(options, on_event)
        lent.send_signal(signal.SIGINT)
        print(lent.communicate(timeout=20)[1])
    return measured, said, lent


def children_of(lent: Any, what: str) -> list[psutil.Process]:
    found = psutil.Process(lent.pid).children(recursive=True)
    return [child for child in found if what in " ".join(child.cmdline())]


def kill_child(lent: Any) -> None:
    for child in children_of(lent, "harness.load.process.child"):
        child.kill()


def test_a_process_that_dies_elsewhere_is_noticed_and_the_run_is_marked(server: FaultyServer, tmp_path: Path) -> None:
    measured, said, _ = dying(tmp_path, server, kill_child)

    manifest = files.read_manifest(measured.run_dir)
    assert manifest.partial is True
    assert [(lost["worker"], lost["how"]) for lost in manifest.client["lost_workers"]] == [(1, "signal 9")]
    assert any("its share of the load is lost" in text for text in said)
    assert [check.code for check in load_checks("closed", manifest.client)] == ["worker_lost"]
    rows = records_of(measured)
    assert (rows["process"] >= 10_000_000).sum() > 0  # what it had measured before is here


def test_a_worker_that_is_stopped_at_its_own_machine_brings_its_rows_home(server: FaultyServer, tmp_path: Path) -> None:
    measured, _, lent = dying(tmp_path, server, lambda lent: lent.send_signal(signal.SIGINT))

    client = files.read_manifest(measured.run_dir).client
    assert [lost["how"] for lost in client["lost_workers"]] == ["stopped on its machine"]
    rows = records_of(measured)
    there = rows[rows["process"] >= 10_000_000]
    assert (there["error"] == "cut_at_end").sum() == 2  # its two users had one request each under way
    assert lent.returncode == 130
    assert not (tmp_path / "there").exists()


def kill_everything(lent: Any) -> None:
    for child in [*children_of(lent, "harness.load"), psutil.Process(lent.pid)]:
        child.kill()


def test_a_machine_that_falls_silent_is_given_up_and_its_rows_so_far_are_kept(
    server: FaultyServer, tmp_path: Path
) -> None:
    measured, _, _ = dying(tmp_path, server, kill_everything)

    client = files.read_manifest(measured.run_dir).client
    assert [lost["how"] for lost in client["lost_workers"]] == ["no sign of life for 10 s"]
    rows = records_of(measured)
    assert (rows["process"] >= 10_000_000).sum() > 0
    kept = list((tmp_path / "there").iterdir())
    assert len(kept) == 1  # and there they are still


def test_a_killed_master_ends_the_run_with_its_rows_and_the_worker_stops_loading(
    server: FaultyServer, tmp_path: Path
) -> None:
    def kill_master(_: Any) -> None:
        for child in psutil.Process().children():
            if "harness.load.remote.master" in " ".join(child.cmdline()):
                child.kill()

    measured, _, lent = dying(tmp_path, server, kill_master)

    client = files.read_manifest(measured.run_dir).client
    assert [lost["how"] for lost in client["lost_workers"]] == ["the connection was lost"]
    assert (records_of(measured)["process"] < 10_000_000).sum() > 5  # the process here went on to the end
    assert lent.returncode == 130
    (kept,) = (tmp_path / "there").iterdir()  # nobody took its rows, so they are there
    assert list(read_parts(kept, "records"))


def test_a_worker_without_the_api_key_says_so_and_nothing_is_left_behind(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-something")
    master = free_address()

    with (
        worker(master, tmp_path / "there", "--once", "--allow-env", "SOME_KEY", SOME_KEY=""),
        pytest.raises(UsageError, match="SOME_KEY: no such environment variable there"),
    ):
        run_load(
            tmp_path / "here",
            server.url(),
            workers=1,
            remote_workers=1,
            listen=master,
            token=TOKEN,
            api_key_env="SOME_KEY",
        )

    assert not (tmp_path / "here").exists()


def test_ctrl_c_while_waiting_for_a_worker_ends_at_once_and_the_other_waits_for_the_next_run(
    server: FaultyServer, tmp_path: Path
) -> None:
    master = free_address()

    def on_event(event: RunEvent) -> None:
        if isinstance(event, Doing) and "worker 1 is here" in event.text:
            raise KeyboardInterrupt

    options = RunOptions(
        scenario=scenario(), base_dir=tmp_path, backend="vllm", out_dir=tmp_path / "here", urls=[server.url()],
        workers=2, remote_workers=2, listen=master, token=TOKEN,
    )  # fmt: skip
    with worker(master, tmp_path / "there") as lent:
        measured = measure(options, on_event)
        assert measured.interrupted
        assert lent.poll() is None
        # the same worker serves the next run
        again = run_load(tmp_path / "again", server.url(), workers=1, remote_workers=1, listen=master, token=TOKEN)

    assert len(records_of(again)) > 0


def test_a_worker_that_cannot_write_ends_the_run_with_its_name_and_serves_the_next(
    server: FaultyServer, tmp_path: Path
) -> None:
    master, there = free_address(), tmp_path / "there"

    def spoil(event: RunEvent) -> None:
        if isinstance(event, Doing) and event.text.startswith("waiting for"):
            there.write_text("a file where the directory should be")

    options = RunOptions(
        scenario=scenario(), base_dir=tmp_path, backend="vllm", out_dir=tmp_path / "here", urls=[server.url()],
        workers=1, remote_workers=1, listen=master, token=TOKEN,
    )  # fmt: skip
    with worker(master, there) as lent:
        lent.stderr.readline()  # it has looked at its directory, and waits
        with pytest.raises(BreakevenError, match=r"cannot write to .*: Not a directory"):
            measure(options, spoil)
        assert server.generations() == []
        there.unlink()

        again = run_load(tmp_path / "again", server.url(), workers=1, remote_workers=1, listen=master, token=TOKEN)

    assert len(records_of(again)) > 0


def test_a_worker_refuses_a_place_it_cannot_write_to_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with worker("127.0.0.1:5557", tmp_path / "file" / "x") as lent:
        assert lent.wait(20) == 2
        assert "cannot write" in lent.stderr.read()


def test_workers_that_never_come_end_the_run_with_a_hint(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.load.conduct.crew.PATIENCE_S", 0.5)

    with pytest.raises(BreakevenError, match="1 of 1 workers did not come within") as caught:
        run_load(tmp_path, server.url(), workers=1, remote_workers=1, listen=free_address())

    assert "--workers N" in str(caught.value.hint)
    assert server.generations() == []


def test_a_port_that_is_taken_is_said_before_anything_starts(server: FaultyServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(UsageError, match="Address already in use"):
            run_load(tmp_path, server.url(), workers=1, remote_workers=1, listen=listen)


@pytest.mark.parametrize("text", ["10.0.0.5", "10.0.0.5:", ":5557", "10.0.0.5:99999", "10.0.0.5:http"])
def test_an_address_has_a_host_and_a_port(text: str) -> None:
    with pytest.raises(UsageError, match="is not HOST:PORT"):
        address(text)


def test_addresses_are_taken_apart() -> None:
    assert address("10.0.0.5:5557") == ("10.0.0.5", 5557)
    with pytest.raises(UsageError, match="IPv6"):
        address("[::1]:5557")


def test_a_run_may_listen_on_a_name(server: FaultyServer, tmp_path: Path) -> None:
    master = free_address().replace("127.0.0.1", "localhost")

    with worker(master, tmp_path / "there", "--once") as lent:
        measured = run_load(tmp_path / "here", server.url(), workers=1, remote_workers=1, listen=master, token=TOKEN)
        assert lent.wait(20) == 0

    assert len(records_of(measured)) > 0
