"""What options are where the command line does not give them: the environment, then breakeven.toml.

`BREAKEVEN_RUN_INSTANCE=g5.12xlarge` and, in breakeven.toml of the working directory, `[run]` with
`instance = "g5.12xlarge"` both stand for `breakeven run --instance g5.12xlarge`; the environment wins over the file.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from harness.base.errors import UsageError

FILE = Path("breakeven.toml")
PREFIX = "BREAKEVEN"
_ELSEWHERE = "breakeven.elsewhere"  # of a context: flag -> where it was given
# command -> what its command line gives -> the parameters whose defaults then do not apply: another mode's, or another
# answer to the same question
_GIVES_WAY: dict[str, dict[str, tuple[str, ...]]] = {
    "compare": {"is_trend": ("fail_over", "junit_file", "demand_file", "fte", "fte_usd_per_year", "as_json")},
    "report": {"as_summary": ("as_json", "is_pooled"), "as_json": ("as_summary",), "is_pooled": ("as_summary",)},
    "decide": {
        "source": (
            "demand", "goodput", "tokens_per_s", "total_tokens_per_s", "low", "high", "instance", "usd_per_hour",
            "model", "apis", "prices_file",
        ),
        "demand": ("wanted", "two_way"),
        "goodput": ("tokens_per_s", "total_tokens_per_s"),
        "tokens_per_s": ("goodput", "total_tokens_per_s"),
        "total_tokens_per_s": ("goodput", "tokens_per_s"),
    },
    "run": {
        "urls": ("engine", "gpus", "tensor_parallel", "replicas"),
        "engine": ("urls", "backend"),
        "max_usd": ("times",),
        "times": ("max_usd", "prompts_of"),
        "prompts_of": ("times",),
    },
    "rent run": {"plan_file": ("resume",), "resume": ("out_dir",)},
}  # fmt: skip
# what the kubelet sets for a Service that has a command's name (`breakeven-run`), in the manner of docker's links
_OF_SERVICE = re.compile(
    r"SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
)
_LINKS = ("tcp://", "udp://", "sctp://")  # what such a variable of a port holds, no option's value
_KINDS: dict[type, str] = {list: "list", dict: "table"}


@dataclass(frozen=True, slots=True)
class Default:
    """One option's value, as it was written and where."""

    option: click.Option
    written: Any
    where: str  # `breakeven.toml: [run] instance`, `BREAKEVEN_RUN_INSTANCE`

    @property
    def name(self) -> str:
        """The parameter's, as the command takes it."""
        assert self.option.name is not None
        return self.option.name

    def value(self, ctx: click.Context, *, is_used: bool) -> Any:
        """What click takes for it; used also held against the option's own checks, which may look at the machine.

        Raises:
            UsageError: no value of the option.
        """
        written = self.written
        if self.option.multiple and isinstance(written, str) and not self.where.startswith(str(FILE)):
            written = written.split()
        elif self.option.multiple and not isinstance(written, list):
            written = [written]
        if isinstance(written, list) != self.option.multiple or isinstance(written, dict):
            raise UsageError(f"{self.where}: a {_KINDS[type(self.written)]}, {self.option.opts[-1]} takes one value")
        if isinstance(written, bool) and not self.option.is_flag:
            raise UsageError(f"{self.where}: true and false are of flags, {self.option.opts[-1]} takes a value")
        texts = [str(one) for one in written] if isinstance(written, list) else str(written)
        try:
            (self.option.process_value if is_used else self.option.type_cast_value)(ctx, texts)
        except click.BadParameter as error:
            raise UsageError(f"{self.where}: {error.message.rstrip('.')}") from None
        except UsageError as error:
            raise UsageError(f"{self.where}: {error}", hint=error.hint) from None
        return texts


def defaults_of(command: click.Command, path: Sequence[str], file: Mapping[str, Any]) -> Iterator[Default]:
    """The defaults of a command (`path`: its names, `engine start`), a file's first, then the environment's.

    Raises:
        UsageError: an option that it has not.
    """
    options = dict(_options(command))
    help_of = f"`breakeven {' '.join(path)} --help` has those there are"
    section = ".".join(path)
    for key, written in file.items():
        where = f"{FILE}: [{section}] {key}"
        if key.replace("_", "-") not in options:
            raise UsageError(f"{where}: no such option", hint=help_of)
        yield Default(options[key.replace("_", "-")], written, where)
    by_name = {_variable(*path, flag): option for flag, option in options.items()}
    of_command = f"{_variable(*path)}_"
    for name in sorted(name for name in os.environ if name.startswith(of_command)):
        if name not in by_name and not _is_of_service(name, of_command) and not isinstance(command, click.Group):
            raise UsageError(f"{name}: no such option", hint=help_of)
    for name, option in by_name.items():
        if os.environ.get(name) and not os.environ[name].startswith(_LINKS):
            yield Default(option, os.environ[name], name)


def _is_of_service(name: str, of_command: str) -> bool:
    """Whether it is the kubelet's, of a Service that is called as a command, or as one with more behind it."""
    if _OF_SERVICE.fullmatch(name.removeprefix(of_command)):
        return True
    services = (found.removesuffix("SERVICE_HOST") for found in os.environ if found.endswith("_SERVICE_HOST"))
    return any(
        name.startswith(service) and _OF_SERVICE.fullmatch(name.removeprefix(service))
        for service in services
        if service.startswith(of_command)
    )


def _variable(*names: str) -> str:
    return "_".join([PREFIX, *names]).upper().replace("-", "_")


def _options(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    """The options that may have a default, by their long names."""
    for option in command.params:
        if isinstance(option, click.Option) and option.expose_value:
            for flag in option.opts:
                if flag.startswith("--"):
                    yield flag.removeprefix("--"), option


def read_file(commands: Sequence[str]) -> dict[str, Any]:
    """breakeven.toml of the working directory, a section a command; empty where there is none.

    Raises:
        UsageError: it cannot be read, is no TOML of sections, or has one of no command.
    """
    try:
        data = tomllib.loads(FILE.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{FILE}: not TOML: {error}") from None
    except OSError as error:
        raise UsageError(f"cannot read {FILE}: {error.strerror or error}") from None
    for key, value in data.items():
        if not isinstance(value, dict):
            raise UsageError(
                f"{FILE}: `{key}` stands in no section", hint=f"[run] above it, of `breakeven run --{key}`"
            )
        if key not in commands:
            raise UsageError(f"{FILE}: [{key}] is no command", hint=f"known: {', '.join(commands)}")
    return data


def _refuse_unknown(ctx: click.Context, command: click.Command, section: Mapping[str, Any], name: str) -> None:
    """Sections below a command's that are of none of its subcommands."""
    known = command.list_commands(ctx) if isinstance(command, click.Group) else []
    for key, value in section.items():
        if isinstance(value, dict) and key not in known:
            hint = f"known: {', '.join(known)}" if known else f"options of `breakeven {name}` stand in [{name}] itself"
            raise UsageError(f"{FILE}: [{name}.{key}] is no command", hint=hint)


def _section(file: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The keys of a command's own section, without those of its subcommands."""
    section: Any = file
    for name in path:
        section = section.get(name, {})
    return {key: value for key, value in section.items() if not isinstance(value, dict)}


def apply(ctx: click.Context, command: click.Command, name: str, rest: Sequence[str]) -> None:
    """Give the command what is not on its command line, and say on stderr what came from elsewhere.

    Raises:
        UsageError: a file, a section, an option or a value that cannot be used.
    """
    assert isinstance(ctx.command, click.Group)
    path, file = [name], read_file(ctx.command.list_commands(ctx))
    _refuse_unknown(ctx, command, file.get(name, {}), name)
    while isinstance(command, click.Group) and rest:
        inner = command.get_command(ctx, rest[0])
        if inner is None:
            return
        command, path, rest = inner, [*path, rest[0]], rest[1:]
    given, ways = _given(command, ctx, rest), _GIVES_WAY.get(" ".join(path), {})
    others = {name for mode in given & ways.keys() for name in ways[mode]}
    found = [one for one in defaults_of(command, path, _section(file, path)) if one.name not in others]
    if not found:
        return
    own = click.Context(command, parent=ctx)
    values: dict[str, Any] = {one.name: one.value(own, is_used=one.name not in given) for one in found}
    used = {one.option.opts[-1]: one.where for one in found if one.name not in given}
    if used:
        click.echo(f"given elsewhere: {', '.join(used.values())}", err=True)
        ctx.meta[_ELSEWHERE] = used
    for part in reversed(path):
        values = {part: values}
    ctx.default_map = values


@contextmanager
def mistakes_name_their_place(ctx: click.Context) -> Iterator[None]:
    """What a command says is wrong with an option also says where that was given, if not on the command line."""
    try:
        yield
    except UsageError as error:
        raise UsageError(_with_place(ctx, str(error)), hint=error.hint) from None
    except click.UsageError as error:
        own = error.format_message()
        said = _with_place(ctx, own)
        raise (error if said == own else click.UsageError(said, error.ctx)) from None


def _with_place(ctx: click.Context, said: str) -> str:
    places: dict[str, str] = ctx.meta.get(_ELSEWHERE, {})
    of = [where for flag, where in places.items() if re.search(rf"{re.escape(flag)}(?![\w-])", said)]
    return f"{said} ({', '.join(of)})" if of else said


def _given(command: click.Command, ctx: click.Context, rest: Sequence[str]) -> set[str]:
    """The parameters that the command line itself gives; what is wrong with it is said when it is parsed."""
    try:
        own = click.Context(command, parent=ctx)
        given, _, _ = command.make_parser(own).parse_args(list(rest))
    except click.UsageError:
        return set()
    arguments = {one.name for one in command.params if isinstance(one, click.Argument)}
    return {name for name, value in given.items() if name not in arguments or isinstance(value, str)}
