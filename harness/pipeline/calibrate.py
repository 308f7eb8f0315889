"""Drives the known-schedule server up a ladder of loads by the code path of `run`, and judges the records."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.base.errors import BreakevenError
from harness.calibration.oracle.judge import judge
from harness.calibration.oracle.process import running_oracle, spare_cores
from harness.calibration.quote import Level
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions
from harness.rundir.files import read_manifest
from harness.scenario import ClosedLoad, Request, Scenario, Slo, SyntheticPrompts

Load = tuple[int, float]  # streams, tokens per second of each

LADDER: tuple[Load, ...] = (
    (4, 50), (16, 50), (64, 50), (128, 50), (128, 100), (256, 50), (256, 100), (512, 50),
)  # fmt: skip
QUICK_LADDER: tuple[Load, ...] = ((16, 50), (64, 50), (128, 100))
STEP_S = 8.0
QUICK_STEP_S = 4.0
WARMUP_S = 1.0
OVERHEAD_S = 3.0  # start of server and load process, drain: for the progress display alone
TTFT_S = 0.02
INPUT_TOKENS = 800
OUTPUT_TOKENS = 32  # short answers: more first tokens a second, and more of them at once
TIMEOUT_S = 60.0
ATTEMPTS = 2  # at a level that something else on the machine spoilt


def measure_level(load: Load, step_s: float) -> Level:
    """Serve and drive one load for `step_s` seconds.

    Raises:
        BreakevenError: server or client did not come up, or the run was interrupted.
    """
    streams, rate = load
    server_core, _ = spare_cores()
    with tempfile.TemporaryDirectory(prefix="breakeven-calibrate-") as temporary:
        ledger = Path(temporary) / "ledger.jsonl"
        with running_oracle(ledger, ttft_s=TTFT_S, itl_s=1 / rate, core=server_core) as oracle:
            options = RunOptions(
                scenario=_scenario(streams, step_s),
                base_dir=Path(temporary),
                backend="openai",
                out_dir=Path(temporary) / "runs",
                urls=[oracle.url],
                keep_arrivals=True,
            )
            with _off_core(server_core):
                measured = measure(options, lambda _: None)
        if measured.failure is not None:
            raise measured.failure
        if measured.interrupted:
            raise KeyboardInterrupt
        started_ns = read_manifest(measured.run_dir).started_monotonic_ns
        return Level(streams, rate, judge(measured.run_dir, ledger, started_monotonic_ns=started_ns))


def climb(ladder: tuple[Load, ...], step_s: float, on_level: Callable[[Level], None]) -> list[Level]:
    """Measure every level, lightest first; each is handed to `on_level` when it is done.

    A void level is measured once more.
    """
    levels = []
    for load in ladder:
        for _ in range(ATTEMPTS):
            level = measure_level(load, step_s)
            on_level(level)
            if level.void is None:
                break
        levels.append(level)
    if not any(level.judgement.requests for level in levels):
        raise BreakevenError("no request of the calibration came to its end")
    return levels


def _scenario(streams: int, step_s: float) -> Scenario:
    return Scenario(
        name="calibrate",
        load=ClosedLoad(users=[streams], step_s=step_s, warmup_s=WARMUP_S),
        prompts=SyntheticPrompts(input_tokens=INPUT_TOKENS, output_tokens=OUTPUT_TOKENS),
        request=Request(timeout_s=TIMEOUT_S),
        slo=Slo(preset="batch"),
    )


@contextmanager
def _off_core(core: int | None) -> Iterator[None]:
    """Keep this process and those it starts off the server's core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before - {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
