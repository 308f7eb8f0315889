from collections.abc import Iterator

import pytest

from harness.engines.running import Engine, running_engine


@pytest.fixture(scope="session")
def llama_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The embedded engine with its little model, started once for all tests that use it."""
    log_path = tmp_path_factory.mktemp("llama_cpp_python") / "engine.log"
    with running_engine("llama_cpp_python", log_path=log_path) as engine:
        yield engine
