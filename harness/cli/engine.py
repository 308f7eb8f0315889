"""`breakeven engine`: engines on this machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from harness.base.errors import EndpointError, EngineError
from harness.base.text import printable
from harness.cli.gpu_options import gpu_options
from harness.cli.groups import Group
from harness.cli.installing import shown_progress
from harness.cli.outputs import makeable
from harness.engines import ENGINES, engine_kind
from harness.engines.check.answer import EngineAnswer, one_line
from harness.engines.check.ask_engine import TIMEOUT_S, ask_engine, started_urls
from harness.engines.endpoint import api_key_in
from harness.engines.gpus.layout import Asked
from harness.engines.kind import Settings
from harness.engines.kinds.quantize import WISHES, quantize
from harness.engines.life import daemon
from harness.engines.weights.models import in_words
from harness.pipeline.before_start import plan_start

_NAME = click.argument("name", metavar="ENGINE")
_NAMES = click.argument("names", metavar="ENGINE...", nargs=-1, required=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


@click.group(name="engine", cls=Group)
def command() -> None:
    """Install, start, ask and stop an engine on this machine.

    ENGINE is one of vllm, tgi, llama_server, llama_cpp_python.

    \b
    Example:
      URL=$(breakeven engine start llama_server --slots 4)
      breakeven engine check llama_server
      breakeven run chat --url $URL --backend llama_cpp
      breakeven engine stop llama_server
    """


@command.command()
@_NAMES
def install(names: tuple[str, ...]) -> None:
    """Install each ENGINE, once, into a cache outside any project. `start` does it too.

    \b
    Examples:
      breakeven engine install llama_server     builds it from source: 5 to 10 minutes on 2 cores
      breakeven engine install vllm             an environment of its own: 3 GB
    """
    for kind in [engine_kind(name) for name in names]:
        with shown_progress() as progress:
            kind.install(progress)
        click.echo(f"{kind.title} {kind.installed_version() or ''}".rstrip())


@command.command()
@_NAME
@click.option("--model", help="A GGUF file (vllm, tgi: also a directory or a hub's id). Default: SmolLM2-135M.")
@gpu_options
@click.option("--port", type=int, help="Port on 127.0.0.1, further replicas on the next ones. Default: free ones.")
@click.option(
    "--context-tokens", type=click.IntRange(min=1), default=2048, help="Prompt and output of the longest request."
)
@click.option("--slots", type=click.IntRange(min=1), default=4,
              help="Requests each replica serves at once (llama_cpp_python one, whatever you say).")  # fmt: skip
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
@_JSON
def start(
    name: str,
    model: str | None,
    gpus: str | None,
    tensor_parallel: int | None,
    replicas: int | None,
    port: int | None,
    context_tokens: int,
    slots: int,
    flags: tuple[str, ...],
    as_json: bool,
) -> None:
    """Start ENGINE, install it first if need be, wait until it serves, and print its URL.

    With --replicas it prints what drives them all: `--url URL --url URL ... --boxes 1`. FLAGS after `--` are handed to
    the engine as they are. What cannot come up (weights that do not fit, more GPUs than there are, a driver too old, a
    gated model without a token) is refused before anything is started.

    \b
    Examples:
      breakeven engine start vllm --model meta-llama/Llama-3.1-8B-Instruct --replicas 4
      breakeven engine start vllm --model casperhansen/llama-3.3-70b-instruct-awq --tensor-parallel 4
      breakeven engine start tgi --model MODEL --gpus 0,1,2,3 --replicas 2
      breakeven run chat.yaml $(breakeven engine start llama_server --replicas 2) --instance c7i.large
      breakeven engine start llama_server --model model.gguf --slots 8 --context-tokens 4096
      breakeven engine start llama_server -- --flash-attn on
    """
    settings = Settings(context_tokens=context_tokens, slots=slots, port=port, extra_flags=flags)
    plan = plan_start(name, model, settings, Asked(gpus, tensor_parallel, replicas))
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)
    with shown_progress() as progress:
        started = daemon.start(name, model, plan.copies, progress)
    says = f"{started.name} {started.version or ''} serves {started.model or 'its model'}"
    click.echo(printable(says, 500), err=True)
    for replica in started.replicas:
        click.echo(f"log: {replica.log}", err=True)
    click.echo(json.dumps(_known(started), indent=2) if as_json else _drives(started))


@command.command()
@_NAMES
def stop(names: tuple[str, ...]) -> None:
    """Stop each ENGINE that `engine start` started, all its replicas; one that does not run is fine.

    \b
    Example:
      breakeven engine stop llama_server vllm
    """
    for name in names:
        stopped = daemon.stop(name)
        click.echo(f"{name} stopped" if stopped else f"{name} did not run", err=True)


@command.command()
@click.argument("name", metavar="[ENGINE]", required=False)
@_JSON
def status(name: str | None, as_json: bool) -> int:
    """What runs: one line an engine, or a replica. With ENGINE the exit code is 0 only when it serves, every replica.

    \b
    Examples:
      breakeven engine status
      breakeven engine status llama_server --json | jq -r .base_url
    """
    unread: list[EngineError] = []
    rows = [_row(each, unread) for each in ([engine_kind(name).name] if name else ENGINES)]
    if as_json:
        click.echo(json.dumps(rows[0] if name else rows, indent=2))
    else:
        for row in rows:
            for url, health in zip(row.get("urls", ["-"]), row.get("replica_health", [row["health"]]), strict=True):
                click.echo(f"{row['name']:<18}{health:<10}{url:<26}{printable(_version(row))}")
    for error in unread[:1]:
        raise error
    return 0 if name is None or rows[0]["health"] == "serving" else 1


@command.command()
@click.argument("name", metavar="[ENGINE]", required=False)
@click.option(
    "--url", "urls", metavar="URL", multiple=True, help="Where it serves; repeatable.  [what `engine start` started]"
)
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the bearer token.")
@click.option(
    "--timeout-s", type=click.IntRange(1, 3600), default=TIMEOUT_S, help="Seconds until the answer must be whole."
)
@_JSON
def check(name: str | None, urls: tuple[str, ...], api_key_env: str | None, timeout_s: int, as_json: bool) -> None:
    """Ask ENGINE one real question, greedily, a few tokens, and show the answer.

    The exit code is 0 only when it answers as an engine should: with text, its tokens and a normal end; 1 when nobody
    listens, it answers with an error or nothing, or not in time. TGI is asked through its own package's client (extra
    `tgi`), whole and streamed, and both must be the same tokens. Without ENGINE each --url is asked a plain completion.
    Do not ask an engine that is being measured.

    \b
    Examples:
      breakeven engine check llama_server
      breakeven engine check vllm --url http://127.0.0.1:8000 --api-key-env VLLM_API_KEY
      breakeven engine check tgi --url http://127.0.0.1:8080 --json | jq -r .answer
      breakeven engine check --url http://127.0.0.1:8000 --url http://127.0.0.1:8001
    """
    key, failed = api_key_in(api_key_env), []
    for n, url in enumerate(urls := urls or tuple(started_urls(name))):
        try:
            answer = ask_engine(name, url=url, timeout_s=timeout_s, api_key=key)
        except EndpointError as error:
            if len(urls) < 2:
                raise
            failed.append(str(error))
            click.echo(f"error: {error}", err=True)
            continue
        click.echo(("" if as_json or not n else "\n") + _answered(answer, as_json=as_json))
        if answer.problem is not None:
            failed.append(f"{answer.engine} at {answer.base_url}: {one_line(answer.problem)}")
    if failed:
        raise EndpointError(f"{len(failed)} of {len(urls)} failed: {failed[0]}" if len(urls) > 1 else failed[0])


@command.command(name="quantize")
@click.argument("types", metavar="TYPE...", nargs=-1, required=True, type=click.Choice(WISHES, case_sensitive=False))
@click.option("--model", metavar="FILE", help="A GGUF file.  [SmolLM2-135M, which comes with a package]")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), callback=makeable, default=Path(),
              help="The directory it is put into.")  # fmt: skip
def quantize_model(types: tuple[str, ...], model: str | None, out: Path) -> None:
    """Make weights of another TYPE (Q8_0, Q5_0, Q4_0, ...) with llama.cpp's own quantiser, and print where they are.

    A file is named after the types that its weights have in the end, and after what it was made from if that was
    quantised before: from Q4_1 even Q8_0 holds no more than Q4_1 did. For the same tasks through each of them, see
    docs/tasks.md.

    \b
    Examples:
      breakeven engine quantize Q8_0 Q5_0 Q4_0 --out weights
      breakeven engine start llama_server --model $(breakeven engine quantize q4_k_m --model f16.gguf)
    """
    for kind in types:
        with shown_progress() as progress:
            made, words = quantize(model, kind, out, progress)
        click.echo(f"{in_words(made)}: {words}", err=True)
        click.echo(made.path)


@command.command()
@_NAME
@_JSON
def version(name: str, as_json: bool) -> None:
    """The version of ENGINE: as the running one reports it, else as installed.

    \b
    Example:
      breakeven engine version vllm
    """
    row = _row(engine_kind(name).name, [])
    found = row.get("version") or row["installed_version"]
    if found is None:
        raise EngineError(f"{engine_kind(name).title} is not installed", hint=f"breakeven engine install {name}")
    click.echo(json.dumps({"name": name, "version": found}) if as_json else found)


def _answered(answer: EngineAnswer, *, as_json: bool) -> str:
    return json.dumps(asdict(answer), indent=2) if as_json else _answer_lines(answer)


def _answer_lines(answer: EngineAnswer) -> str:
    prompt, output = ("n/a" if tokens is None else tokens for tokens in (answer.prompt_tokens, answer.output_tokens))
    end = "normal" if answer.finished_normally else "not normal"
    lines = [
        f"engine  {answer.engine} at {answer.base_url}",
        f"model   {one_line(answer.model) if answer.model else 'n/a'}",
        f"asked   {json.dumps(answer.question)}",
        f"answer  {_quoted(answer.answer)}",
        f"tokens  {prompt} in, {output} out, in {answer.seconds:.2f} s",
        f"finish  {one_line(answer.finish_reason)} ({end})" if answer.finish_reason else "finish  n/a",
    ]
    if answer.streamed_alike is not None:
        lines.append(f"stream  {'the same tokens' if answer.streamed_alike else 'differs'}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """As JSON has it; what a terminal would obey is escaped too."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in json.dumps(text, ensure_ascii=False))


def _row(name: str, unread: list[EngineError]) -> dict[str, Any]:
    """What is known of an engine; where its file cannot be read, that goes to `unread`, and its health is unknown."""
    known: dict[str, Any] = {"name": name, "health": "unknown"}
    try:
        started = daemon.read_state(name)
        known = {**(_known(started) if started else known), "health": daemon.health(started)}
    except EngineError as error:
        unread.append(error)
    return {**known, "installed_version": engine_kind(name).installed_version()}


def _known(started: daemon.Started) -> dict[str, Any]:
    return {**asdict(started), "urls": started.urls, "replica_health": daemon.replica_health(started)}


def _drives(started: daemon.Started) -> str:
    """Its URL; of several replicas the options of `run` that drive them as the one box that they are."""
    if not started.others:
        return started.base_url
    return " ".join(f"--url {url}" for url in started.urls) + " --boxes 1"


def _version(row: dict[str, Any]) -> str:
    installed = row["installed_version"]
    return row.get("version") or (f"{installed} installed" if installed else "not installed")
