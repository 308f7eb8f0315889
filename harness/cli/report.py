"""`breakeven report`: analyse a run again, with other prices or another demand. No measuring, no network."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from harness.base.errors import UsageError
from harness.cli.junit import junit_option, write_junit
from harness.cli.options import BOXES, PATH, demand_again_options, people_of, weights_options
from harness.cli.pooled import print_pooled
from harness.cli.run_dirs import check_each_once, without_comparisons
from harness.pipeline.analyse import Analysis, analyse_run
from harness.pipeline.judge_again import judge_again as judge_answers_again
from harness.report import WIDTH, console_report, summary
from harness.report.compare.pool import pool


@click.command(name="report")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)
@click.option("--api", "apis", metavar="PROVIDER:MODEL", multiple=True, help="API to compare with; repeatable.")
@demand_again_options
@click.option("--prices", "prices_file", metavar="FILE", type=PATH, help="Your own prices; they win.")
@click.option(
    "--against", metavar="API_RUN", multiple=True, type=PATH, help="A run of an API with the same tasks; repeatable."
)
@click.option("--boxes", type=BOXES, help="So many instances are what was driven; the run's own word counts no more.")
@weights_options
@click.option("--replicas-per-instance", "replicas", type=BOXES, help="So many such engines fill an instance.")
@click.option("--pool", "is_pooled", is_flag=True, help="RUNs repeat one measurement: mean and interval too.")
@click.option(
    "--judge-again", is_flag=True, help="Of task runs that kept their texts: judge them by their checkers once more."
)
@click.option(
    "--summary", "as_summary", is_flag=True, help="Print ten lines of Markdown, for a pull request or a chat."
)
@junit_option
@click.option("--json", "as_json", is_flag=True, help="Print run, metrics and decision as JSON.")
def command(
    runs: Sequence[Path],
    apis: Sequence[str],
    demand_file: Path | None,
    fte: float | None,
    fte_usd_per_year: float | None,
    prices_file: Path | None,
    against: Sequence[Path],
    boxes: int | None,
    weights: str | None,
    quantization: str | None,
    replicas: int | None,
    is_pooled: bool,
    judge_again: bool,
    as_summary: bool,
    junit_file: Path | None,
    as_json: bool,
) -> int:
    """Compute figures, decision and reports of one or more run directories again.

    Writes metrics.json, decision.json, report.html and report.md into each RUN and prints the verdict.
    Runs of other shapes on the same box measure how input and output share the cost.
    What is not given is taken from the run. Ends with 3 when a check says not to trust a run.
    --against sets a task run against runs of APIs that were asked the same tasks: each side is priced with its own
    success, attempts and tokens, and the report says what a failure may cost until the dearer one is worth it.

    \b
    Examples:
      breakeven report results/20260801T120000Z-chat-vllm-g5.12xlarge
      breakeven report RUN --api openai:gpt-4.1 --api groq:openai/gpt-oss-120b
      breakeven report RUN --demand scenarios/demand/support-agent.yaml --prices my-prices.yaml
      breakeven report RUN --demand none --people 0.25
      breakeven report RUN --boxes 4
      breakeven report RUN --judge-again
      breakeven report SELF_RUN --against API_RUN --demand mine.yaml
      breakeven report RUN --weights meta-llama/Llama-3.3-70B-Instruct --quantization awq
      breakeven report RUN --replicas-per-instance 4
      breakeven report RUN1 RUN2 RUN3 --pool
      breakeven report RUN --summary --junit breakeven.xml
      breakeven report RUN --json | jq '.[0].decision.arms[].sentence'
    """
    if as_summary and (as_json or is_pooled):
        raise UsageError(f"--summary and {'--json' if as_json else '--pool'} exclude each other")
    runs = without_comparisons(runs)
    if is_pooled or against:
        check_each_once([*runs, *against])
    if judge_again:
        for run in runs:
            _judge_again(run)
    done = [
        analyse_run(
            run,
            apis=apis,
            demand_file=demand_file,
            people=people_of(fte, fte_usd_per_year),
            prices_file=prices_file,
            beside=runs,
            boxes=boxes,
            weights=weights,
            quantization=quantization,
            against=against,
            replicas_per_instance=replicas,
        )
        for run in runs
    ]
    write_junit(junit_file, done)
    pooled = pool(done) if is_pooled else None
    if as_json:
        said = [as_dict(analysis) for analysis in done]
        click.echo(json.dumps({"runs": said, "pooled": pooled} if is_pooled else said, indent=2))
        return max(analysis.exit_code for analysis in done)
    if as_summary:
        click.echo("\n".join(summary(analysis) for analysis in done), nl=False)
        return max(analysis.exit_code for analysis in done)
    print_analyses(done)
    if pooled is not None:
        click.echo()
        print_pooled(pooled)
    return max(analysis.exit_code for analysis in done)


def _judge_again(run: Path) -> None:
    done = judge_answers_again(run)
    click.echo(
        f"{run}: {done.judged:,} answers judged again, {done.changed:,} verdicts are others now, {done.left:,} stand "
        "(a model's, or without a text)",
        err=True,
    )


def as_dict(analysis: Analysis) -> dict[str, object]:
    """What `--json` prints of a run."""
    return {
        "run_dir": str(analysis.run_dir),
        "run": analysis.run.to_dict(),
        "metrics": analysis.metrics.to_dict(),
        "decision": analysis.decision.to_dict() if analysis.decision is not None else None,
    }


def page_console() -> Console:
    """Stdout, as wide as the terminal; piped, rich would take 80 columns, and pages are made for 100."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def print_analyses(analyses: Sequence[Analysis]) -> None:
    """The console report of each run."""
    console = page_console()
    for i, analysis in enumerate(analyses):
        if i:
            console.print()
        console.print(console_report(analysis))
