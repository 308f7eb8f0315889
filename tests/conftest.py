import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from engine_helpers import is_gone

from harness.engines import engine_kind
from harness.engines.kind import Settings
from harness.engines.life.running import Engine, running_engine

SLOTS = 4

# a job in a shell's background ignores Ctrl-C, and so would every program that a test starts and interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)

# no test looks into the account of whoever runs it, or ends anything there
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"), os.devnull)
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _started(name: str, factory: pytest.TempPathFactory, settings: Settings | None = None) -> Iterator[Engine]:
    engine_kind(name).install(_say)  # minutes on a machine that never had it, nothing afterwards
    log_path = factory.mktemp(name) / "engine.log"
    with running_engine(name, log_path=log_path, settings=settings, progress=_say) as engine:
        yield engine
        processes = [
            engine.process.pid,
            *(child.pid for child in psutil.Process(engine.process.pid).children(recursive=True)),
        ]
    assert [pid for pid in processes if not is_gone(pid)] == [], f"{name} left processes behind"


@pytest.fixture(scope="session")
def llama_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The embedded engine with its little model, started once for all tests that use it."""
    with _started("llama_cpp_python", tmp_path_factory) as engine:
        yield engine


@pytest.fixture(scope="session")
def llama_server_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """llama-server with four slots and the same model, started once."""
    with _started("llama_server", tmp_path_factory, Settings(slots=SLOTS)) as engine:
        yield engine


@pytest.fixture(scope="session")
def vllm_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """vLLM on CPU with the same weights in bfloat16, started once."""
    with _started("vllm", tmp_path_factory, Settings(slots=SLOTS)) as engine:
        yield engine
