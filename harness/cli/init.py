"""`breakeven init`: a commented scenario to start from, and its JSON Schema beside it."""

import json
from pathlib import Path

import click

from harness.base.errors import UsageError
from harness.cli.options import FILE, write_file
from harness.cli.schema import json_schema

TEMPLATE = """\
# yaml-language-server: $schema={schema}
# A load scenario. `breakeven run {name} --url http://127.0.0.1:8000 --backend vllm` runs it.
name: {stem}

load:
  kind: search          # the highest load that meets the slo; stops early with --demand, --api and --instance
  over: users           # users | requests_per_s; a user asks again when its answer is in
  low: 1                # the first load tried
  high: 256             # none above this is tried
  step_s: 60            # shortest probe in seconds, warm-up included; it is made as long as its percentile needs
  max_step_s: 300       # longest probe
  warmup_s: 10          # seconds at the start of a probe that no metric counts
  think_time_s: 0       # seconds a user waits between two requests
# Other shapes, instead of the above:
#  {{kind: closed, users: [1, 2, 4, 8], step_s: 60, warmup_s: 10}}   # one step per entry
#  {{kind: open, requests_per_s: [0.5, 1, 2], arrivals: poisson, max_in_flight: 1000}}   # arrivals wait for nobody;
#                       # poisson | constant | gamma with burstiness (below 1: in bursts); step_s, warmup_s as above
#  {{kind: ramp, over: requests_per_s, start: 0.5, end: 8, ramp_s: 600, slices: 10}}
#  {{kind: trace, file: log.csv, speed: 1.0, max_requests: null}}   # arrival_s, input_tokens, output_tokens; or a
#                       # gateway's log or a published trace as it is; columns, time_unit where that cannot be told

prompts:
  kind: synthetic       # seeded random words; each prompt differs from its first token on, so no cache can help
  input_tokens: 800     # a number, or {{mean: 800, stdev: 200, min: 100, max: 2000}}
  output_tokens: 250
  shared_prefix_tokens: 0   # a system prompt that all share
# Other prompts, instead of the above:
#  {{kind: sessions, turns: 4, base_tokens: 300, growth_tokens: 350, output_tokens: 250}}   # conversations that grow
#  {{kind: file, path: prompts.jsonl, format: jsonl, order: shuffle, output_tokens: null, nonce: true}}   # sharegpt |
#                       # jsonl | csv; order: shuffle (each row once a round) | file | draw (with replacement)
#  {{kind: tasks, file: extraction, on_failure: [with_error, repair]}}   # answers that are checked, under one load
#                       # (load: {{kind: closed, users: 4}}), without force_length; docs/tasks.md

request:
  api: completions      # completions | chat
  stream: true
  temperature: 0
  force_length: true    # ask the engine to ignore end-of-sequence tokens
  timeout_s: 600
#  path: /chat/completions   # under the --url, where it is not the usual one of `api`
#  omit: [stream_options]    # keys of the body that this server refuses
#  rename: {{max_tokens: max_completion_tokens}}   # keys that it calls otherwise

slo:                    # what counts as served well: {{ttft,tpot,e2e}}_{{p50,p90,p95,p99}}_s, error_rate
  ttft_p95_s: 2         # or {{preset: chat}}: MLPerf's limits (chat, interactive_70b, interactive_8b, batch)
  tpot_p95_s: 0.2
  error_rate: 0.01

seed: 1
"""


@click.command(name="init")
@click.argument("path", type=FILE, default=Path("scenario.yaml"))
@click.option("--force", is_flag=True, help="Replace files that are there.")
def command(path: Path, force: bool) -> None:
    """Write a commented scenario to PATH (default scenario.yaml) and its JSON Schema beside it.

    \b
    Example:
      breakeven init chat.yaml && breakeven run chat.yaml --url http://127.0.0.1:8000 --backend vllm
    """
    schema_path = path.with_suffix(".schema.json")
    for existing in (path, schema_path):
        if existing.exists() and not force:
            raise UsageError(f"{existing} is there already", hint="--force replaces it")
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in path.stem).lstrip(".") or "scenario"
    write_file(path, TEMPLATE.format(schema=schema_path.name, name=path, stem=stem))
    write_file(schema_path, json.dumps(json_schema("scenario"), indent=2) + "\n")
    click.echo(f"wrote {path} and {schema_path}", err=True)
    click.echo(f"next: breakeven run {path} --url http://127.0.0.1:8000 --backend vllm --dry-run", err=True)
