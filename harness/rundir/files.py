"""results/<run>/: written as things happen, read back whole. Nothing measured is ever overwritten.

While a run lasts each load process appends to its own `records-<pid>.jsonl` (and `client-<pid>.jsonl`,
`arrivals-<pid>.jsonl`; `records-w<n>-<pid>.jsonl` are those of worker n on another machine); `collect` turns them into
Parquet afterwards. A reader takes Parquet where it is and the JSON lines where a run was killed before it got there.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from harness.base.errors import UsageError
from harness.base.whole import regular, written_whole
from harness.base.yamlfile import validate
from harness.rundir.manifest import RunManifest
from harness.rundir.parquet_file import DAMAGED

MANIFEST = "run.json"
RECORDS = "records"
ARRIVALS = "arrivals"
CLIENT = "client"
SERVER = "server_metrics"
TEXTS = "texts"  # generated text of answers whose tokens the server did not count
TOKENS = "tokens"  # their counts, asked of the endpoint's tokenizer after the run
ANSWERS = "answers"  # what a task run judges: the text of each request that a task ended with
STEPS = "steps.jsonl"
_LARGEST_JSON_BYTES = 64 * 2**20  # a decision.json of ours has about one MiB


def part_of(run_dir: Path, stem: str, process: str | int) -> Path:
    """Where one load process writes its rows of `stem`; `process`: its pid, `w<n>-<pid>` on another machine."""
    return run_dir / f"{stem}-{process}.jsonl"


def parts(run_dir: Path, stem: str) -> list[Path]:
    """What the load processes have written of `stem` so far."""
    return sorted(run_dir.glob(f"{stem}-*.jsonl"))


def create_run_dir(parent: Path, started: datetime, *names: str) -> Path:
    """Make `parent/<UTC time>-<name>-<name>...`, suffixed -2, -3 ... when taken.

    Raises:
        UsageError: `parent` cannot be made or written.
    """
    stem = "-".join([started.strftime("%Y%m%dT%H%M%SZ"), *(_safe(name) for name in names if name)])
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", *(f"-{n}" for n in range(2, 1000))):
            try:
                (parent / f"{stem}{suffix}").mkdir()
            except FileExistsError:
                continue
            return parent / f"{stem}{suffix}"
    except OSError as error:
        raise UsageError(
            f"cannot write results under {parent}: {error.strerror or error}", hint="name another place with --out DIR"
        ) from None
    raise UsageError(f"too many runs named {stem} under {parent}", hint="name another place with --out DIR")


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", name).strip("_") or "unnamed"


def write_json(run_dir: Path, name: str, data: Mapping[str, Any]) -> Path:
    """Write a JSON file of the run, whole or not at all."""
    path = run_dir / name
    option = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    with written_whole(path) as place:
        place.write_bytes(orjson.dumps(data, option=option))
    return path


def read_json(run_dir: Path, name: str) -> dict[str, Any]:
    """A JSON file of the run.

    Raises:
        UsageError: missing, or not a JSON object.
    """
    path = run_dir / name
    try:
        data = orjson.loads(_content(path))
    except FileNotFoundError:
        raise UsageError(f"{run_dir} has no {name}", hint="is it a run directory?") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}", hint=DAMAGED) from None
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds a {type(data).__name__}, expected an object")
    return data


def _content(path: Path) -> bytes:
    with regular(path).open("rb") as file:
        content = file.read(_LARGEST_JSON_BYTES + 1)
    if len(content) > _LARGEST_JSON_BYTES:
        raise UsageError(f"cannot read {path}: larger than {_LARGEST_JSON_BYTES >> 20} MiB", hint=DAMAGED)
    return content


def write_manifest(run_dir: Path, manifest: RunManifest) -> None:
    """Write run.json."""
    write_json(run_dir, MANIFEST, manifest.to_dict())


def read_manifest(run_dir: Path) -> RunManifest:
    """Read run.json.

    Raises:
        UsageError: no run directory, or one whose run.json lacks keys, has wrong ones, or is of a newer version.
    """
    if not run_dir.is_dir():
        raise UsageError(f"no such run directory: {run_dir}", hint="runs lie under results/ unless --out said else")
    return validate(RunManifest, read_json(run_dir, MANIFEST), where=str(run_dir / MANIFEST))
