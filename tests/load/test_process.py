"""A load process whose parts fail, that hangs, or that somebody prints in: noticed, said once, and marked."""

import os
from collections.abc import Iterator
from pathlib import Path

import gevent
import gevent.socket
import pytest
from faulty_server import FaultyServer
from load_helpers import A_LIVE, records_of, run_load, scenario

from harness.base.errors import BreakevenError
from harness.load import ends
from harness.load.conduct import crew
from harness.load.process.outbox import Outbox
from harness.load.protocol import Doing, Done, Warned, event_of
from harness.load.run_events import BrokenPart, RunEvent
from harness.pipeline import measure as measure_module
from harness.pipeline.measure import measure
from harness.pipeline.options import Measured, RunOptions
from harness.rundir import files
from harness.rundir.steps import read_steps


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        yield running


def spoilt(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Every load process runs `code` before it begins."""
    start = f"import os, signal, sys; from harness.load.process import child\n{code}\nsys.exit(child.main())"
    monkeypatch.setattr(ends, "CHILD", ("-c", start))


def run_and_hear(out_dir: Path, server: FaultyServer, **load: object) -> tuple[Measured, list[RunEvent]]:
    heard: list[RunEvent] = []
    work = scenario(load={"kind": "closed", "users": [1], "step_s": 0.5, "warmup_s": 0} | load)
    options = RunOptions(
        scenario=work, base_dir=out_dir, backend="vllm", out_dir=out_dir, urls=[server.url("slow-first-token=0.05")]
    )
    return measure(options, heard.append), heard


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("def boom(*_): raise RuntimeError('no more')\nchild.watch_self = boom", "the sampler of this client"),
        ("def boom(*_): raise RuntimeError('no more')\nchild.Scraper.run = boom", "the scraper of /metrics"),
    ],
    ids=["sampler", "scraper"],
)
def test_a_part_that_fails_is_said_once_and_the_run_is_marked(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, part: str
) -> None:
    spoilt(monkeypatch, code)

    measured, heard = run_and_hear(tmp_path, server)

    broken = [event for event in heard if isinstance(event, BrokenPart)]
    assert [(event.worker, event.part, event.text) for event in broken] == [(0, part, "RuntimeError: no more")]
    manifest = files.read_manifest(measured.run_dir)
    assert manifest.partial is True
    assert [lost["part"] for lost in manifest.client["broken_parts"]] == [part]
    assert any(part in note for note in manifest.notes)
    assert records_of(measured)["error"].isna().any()  # the load itself went on
    assert "RuntimeError: no more" in (measured.run_dir / "load.log").read_text()


def test_a_process_that_cannot_write_rows_any_more_ends_the_run(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(monkeypatch, "def boom(*_): raise RuntimeError('no more')\nchild.LoadProcess._flush_often = boom")

    try:
        measured, _ = run_and_hear(tmp_path, server, step_s=60)
        failure = measured.failure
    except BreakevenError as error:  # before its first row
        failure = error

    assert "the writer of rows failed: RuntimeError: no more" in str(failure)


def test_what_a_library_prints_in_a_load_process_goes_to_its_log(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(monkeypatch, "print('hello from a library', flush=True); os.write(1, b'and no end of line')")

    measured, heard = run_and_hear(tmp_path, server)

    assert records_of(measured)["error"].isna().any()
    assert not [event for event in heard if isinstance(event, Warned)]
    assert "hello from a library\nand no end of line" in (measured.run_dir / "load.log").read_text()


def test_a_line_that_is_no_event_costs_itself_alone_and_is_said_once(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(monkeypatch, "for _ in range(3): os.write(int(sys.argv[1]), b'nonsense {}\\n')")

    measured, heard = run_and_hear(tmp_path, server)

    warnings = [event.text for event in heard if isinstance(event, Warned)]
    assert len(warnings) == 1
    assert warnings[0].startswith("load process 1 said what is no event: ")
    assert records_of(measured)["error"].isna().any()


def test_a_process_that_hangs_is_ended_and_its_rows_are_kept(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "SILENT_S", 3.0)
    spoilt(
        monkeypatch,
        "stop = child.Recorder.flush\n"
        "def flush(self):\n"
        "    some = bool(self.records._pending); stop(self)\n"
        "    if some: os.kill(os.getpid(), signal.SIGSTOP)\n"
        "child.Recorder.flush = flush",
    )

    measured, _ = run_and_hear(tmp_path, server, step_s=60)

    assert "no sign of life for 3 s" in str(measured.failure)
    assert len(records_of(measured)) > 0


def test_a_parent_that_does_not_read_holds_nobody_up() -> None:
    reading, writing = os.pipe()
    outbox = Outbox(writing)
    try:
        outbox.say(Doing("x" * 500_000))  # more than a pipe takes
        outbox.say(A_LIVE)  # left out: a newer one will come
        outbox.say(Done(interrupted=False))

        data = b""
        with gevent.Timeout(20):
            while data.count(b"\n") < 2:
                gevent.socket.wait_read(reading)
                data += os.read(reading, 65536)
    finally:
        os.close(reading)
        os.close(writing)

    assert [type(event_of(line)) for line in data.splitlines()] == [Doing, Done]


def test_a_parent_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    outbox = Outbox(writing)
    outbox.say(Done(interrupted=False))
    outbox.close()
    os.close(writing)


def test_a_search_judges_each_probe_by_its_own_rows_and_reads_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[set[str]] = []
    figures = measure_module._figures

    def note(step: object, rows: list[dict[str, str]], work: object) -> object:
        judged.append({row["request_id"] for row in rows})
        assert len(judged[-1]) == len(rows)
        return figures(step, rows, work)

    monkeypatch.setattr(measure_module, "_figures", note)
    load = {"kind": "search", "low": 1, "high": 2, "step_s": 1, "max_step_s": 1, "warmup_s": 0, "max_probes": 2}
    with FaultyServer() as server:
        measured = run_load(
            tmp_path, server.url("slow-first-token=0.03"), work=scenario(load=load, slo={"e2e_p50_s": 5})
        )

    rows = records_of(measured)
    for step, mine in zip(read_steps(measured.run_dir), judged, strict=True):
        due = rows[(rows["scheduled_s"] >= step.window_start_s) & (rows["scheduled_s"] < step.end_s)]
        assert set(due["request_id"]) <= mine <= set(rows["request_id"])
    assert not judged[0] & set(rows[rows["step"] == 1]["request_id"])
