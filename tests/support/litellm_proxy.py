"""The real LiteLLM proxy before servers of a test's own, as a program in an environment of its own: never imported.

    with litellm_proxy(folder, Behind("m", f"{server.url()}/v1")) as url:
        run_load(folder / "out", url, model="m", headers=WITH_KEY)

`make litellm` installs it (`make test` does first): 81 packages, all by version and hash, in half a minute. Where it is
missing, or is not what the pins say, a test fails, it does not skip.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from intermediaries import child, free_port

from harness.base.children import plain_environment
from harness.engines.kind import Progress
from harness.engines.kinds.install import make_venv, run_step
from harness.engines.weights.cache import cache_dir, install_lock

NAME = "litellm-proxy"
PINS = Path(__file__).parent / "litellm_env" / "requirements.txt"
KEY = "sk-of-the-tests"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}
ONCE = {"num_retries": 0, "max_retries": 0}  # by itself it asks a server that failed twice more
START_S = 180.0  # 4 s on an idle core, 50 s beside seven others' work
NOWHERE = "http://127.0.0.1:9"  # what it asks of anybody but loopback ends here
QUIET = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), NOWHERE),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    **dict.fromkeys(
        (
            "LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "LITELLM_LOCAL_BLOG_POSTS",
            "LITELLM_LOCAL_POLICY_TEMPLATES",
        ),
        "True",
    ),
    **dict.fromkeys(("HF_HUB_OFFLINE", "DO_NOT_TRACK", "NO_COLOR"), "1"),
}  # fmt: skip


@dataclass(frozen=True)
class Behind:
    """A model of the proxy's, and the server that has it."""

    name: str  # several of one name share its requests
    api_base: str  # with the version
    model: str = "openai/real-name"  # how LiteLLM speaks to the server, and what that calls the model
    more: Mapping[str, Any] = field(default_factory=lambda: ONCE)  # LiteLLM's own parameters


def version() -> str:
    """The proxy's, by the pins."""
    (line,) = (line for line in PINS.read_text().splitlines() if line.startswith("litellm=="))
    return line.removeprefix("litellm==").rstrip(" \\")


def program() -> Path:
    """Its command; fails the test where it is not what the pins say."""
    if not _is_complete():
        pytest.fail("no LiteLLM proxy of these pins on this machine: make litellm", pytrace=False)
    return _venv() / "bin" / "litellm"


def install(progress: Progress) -> None:
    """Make the environment, once for these pins: wheels alone, each of a hash that is written down."""
    if _is_complete():
        return
    with install_lock(NAME, progress):
        if not _is_complete():
            shutil.rmtree(_venv(), ignore_errors=True)
            log = cache_dir(NAME) / "install.log"
            pip = [str(make_venv(_venv(), log, progress)), "-P", "-m", "pip", "install"]
            pins = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(PINS)]
            run_step("installing the LiteLLM proxy for tests (250 MB)", [*pip, *pins], log, progress)
            shutil.copyfile(PINS, stamp())


def _venv() -> Path:
    return cache_dir(NAME) / f"python{sys.version_info.major}.{sys.version_info.minor}"


def stamp() -> Path:
    """The pins that it was installed by, to the end."""
    return _venv() / "complete"


def _is_complete() -> bool:
    return stamp().exists() and stamp().read_bytes() == PINS.read_bytes()


@contextmanager
def litellm_proxy(folder: Path, *behind: Behind) -> Iterator[str]:
    """The proxy as it comes, but for telemetry, before these servers; gives its URL. It wants KEY."""
    port, config, said = free_port(), folder / "litellm.json", folder / "litellm.out"
    models = [
        {"model_name": one.name, "litellm_params": {"model": one.model, "api_base": one.api_base, "api_key": "x"}}
        for one in behind
    ]
    for model, one in zip(models, behind, strict=True):
        model["litellm_params"] |= one.more
    settings = {"general_settings": {"master_key": KEY}, "litellm_settings": {"telemetry": False}}
    config.write_text(json.dumps({"model_list": models, **settings}))
    where = ["--host", "127.0.0.1", "--port", str(port)]
    command = [str(program()), "--config", str(config), *where, "--telemetry", "False"]
    environment = plain_environment({**QUIET, "HOME": str(folder)})
    with child(command, port, said, start_s=START_S, environment=environment):
        yield f"http://127.0.0.1:{port}"


def _one_each(progress: Callable[[str], None]) -> Progress:
    """Says each thing that is done once, not for how long it has been."""
    said: set[str] = set()

    def say(line: str) -> None:
        what = line.split(",")[0]
        if what not in said:
            said.add(what)
            progress(line)

    return say


if __name__ == "__main__":
    install(_one_each(lambda line: print(line, file=sys.stderr, flush=True)))
