"""`breakeven calibrate`: how wrong this client is on this machine."""

import json
from datetime import UTC, datetime
from typing import Any

import click

from harness.calibration.oracle.ledger import ErrorSummary
from harness.calibration.quote import LIMIT_S, Level, calibration, save
from harness.pipeline.calibrate import LADDER, OVERHEAD_S, QUICK_LADDER, QUICK_STEP_S, STEP_S, climb


@click.command(name="calibrate")
@click.option("--quick", is_flag=True, help="Three levels instead of eight; 20 s instead of 90.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON (errors in seconds).")
def command(quick: bool, as_json: bool) -> None:
    """Drive a server whose schedule is known, and say how wrong the client's times are.

    The server runs on this machine, writes down when it really sent each token, and is driven up a ladder of
    streams x token rates by the same code as `breakeven run`. The result is cached and quoted in reports.

    \b
    Examples:
      breakeven calibrate
      breakeven calibrate --quick --json
    """
    ladder, step_s = (QUICK_LADDER, QUICK_STEP_S) if quick else (LADDER, STEP_S)
    seconds = len(ladder) * (step_s + OVERHEAD_S)
    click.echo(f"calibrating: {len(ladder)} levels, about {seconds:.0f} s", err=True)
    levels = climb(ladder, step_s, _say)
    found = calibration(levels, datetime.now(UTC).isoformat(timespec="seconds"))
    path = save(found)
    if path is None:
        click.echo("warning: the cache cannot be written, reports will not quote this", err=True)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(_HEAD)
    for level in levels:
        click.echo(_row(level))
    click.echo(f"\n{_verdict(found)}")


_HEAD = """\
 load                       client error, ms: p50 / p99 / max                               server late
 streams   tok/s  requests  first token            token gap              whole answer      p99, ms"""


def _say(level: Level) -> None:
    state = level.void or ("holds" if level.holds else "does not hold")
    click.echo(f"{level.streams} streams, {level.tokens_per_s:,.0f} tok/s: {state}", err=True)


def _row(level: Level) -> str:
    judged = level.judgement
    errors = "".join(f"{_errors(e):23}" for e in (judged.ttft, judged.itl, judged.e2e))
    late = "n/a" if judged.lateness.p99_s is None else f"{judged.lateness.p99_s * 1000:.2f}"
    lost = judged.tokens_lost + judged.tokens_invented
    note = f"void: {level.void}" if level.void else f"{lost} tokens lost or invented" if lost else ""
    row = f"{level.streams:8} {level.tokens_per_s:7,.0f} {judged.requests:9,}  {errors}{late:9}{note}"
    return row.rstrip()


def _errors(errors: ErrorSummary) -> str:
    values = (errors.p50_s, errors.p99_s, errors.max_s)
    return " / ".join("n/a" if v is None else f"{v * 1000:.2f}" for v in values)


def _verdict(found: dict[str, Any]) -> str:
    highest, limit_ms = found["highest"], LIMIT_S * 1000
    if highest is None:
        return f"no level had a p99 error below {limit_ms:g} ms: do not trust latencies measured from this machine"
    return (
        f"p99 error stays below {limit_ms:g} ms up to {highest['streams']} streams x"
        f" {highest['tokens_per_s_per_stream']:g} tok/s ({highest['tokens_per_s']:,.0f} tok/s)"
    )
