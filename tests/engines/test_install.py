"""Install steps, caches and locks; nothing is downloaded here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from box_programs import stand_in
from engine_helpers import ROOT
from tiny_gguf import model_bytes

from harness.base.errors import EngineError
from harness.engines import engine_kind
from harness.engines.kind import Settings
from harness.engines.kinds import tgi
from harness.engines.kinds.install import run_step
from harness.engines.kinds.llama_server import server_path
from harness.engines.life.ready import how_it_ended
from harness.engines.life.running import running_engine
from harness.engines.weights.cache import cache_dir, install_lock


def test_a_step_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    code = "print('\\n'.join(f'line {n}' for n in range(50))); raise SystemExit('no compiler here')"

    with pytest.raises(EngineError) as caught:
        run_step("building the server", [sys.executable, "-c", code], tmp_path / "log", lambda _: None)

    assert str(caught.value) == "building the server failed with exit code 1"
    assert "no compiler here" in (caught.value.detail or "")
    assert str(tmp_path / "log") in (caught.value.hint or "")


def test_a_step_says_how_far_the_build_is(tmp_path: Path) -> None:
    code = "import time; print('[12/206] Building CXX object', flush=True); time.sleep(1.5)"
    said: list[str] = []

    run_step("building", [sys.executable, "-c", code], tmp_path / "log", said.append)

    assert said[0] == "building"
    assert said[1].startswith("building, step 12 of 206, ")


def test_only_one_process_installs_an_engine_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = """if True:
        from harness.engines.weights.cache import install_lock
        with install_lock("thing", print):
            print("held", flush=True)
            input()
    """
    said: list[str] = []

    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()

        def let_the_other_go(line: str) -> None:
            said.append(line)
            assert other.stdin is not None
            other.stdin.write(b"\n")
            other.stdin.flush()

        with install_lock("thing", let_the_other_go):
            assert other.wait(timeout=20) == 0

    assert said[0] == "another process installs thing, waiting for it"


def test_a_cache_that_cannot_be_made_names_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    with pytest.raises(EngineError, match="cannot make") as caught:
        cache_dir("vllm")

    assert "XDG_CACHE_HOME" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["llama_server", "vllm"])
def test_an_engine_that_is_not_installed_says_how_to_install_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = tmp_path / "tiny.gguf"
    model.write_bytes(model_bytes())

    with pytest.raises(EngineError, match="not") as caught:  # noqa: SIM117
        with running_engine(name, log_path=tmp_path / "log", progress=print, model=model):
            pass

    assert caught.value.hint == f"breakeven engine install {name}"
    assert engine_kind(name).installed_version() is None


def test_other_build_options_are_another_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREAKEVEN_LLAMA_SERVER_CMAKE_ARGS", raising=False)
    plain = server_path()
    monkeypatch.setenv("BREAKEVEN_LLAMA_SERVER_CMAKE_ARGS", "-DGGML_CUDA=on")

    assert server_path() != plain
    assert server_path().name == plain.name == "llama-server"


def test_build_options_of_llama_cpp_python_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = server_path()
    monkeypatch.setenv("CMAKE_ARGS", "-DLLAMA_BUILD_SERVER=OFF")

    assert server_path() == plain


def test_tgi_without_docker_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EngineError, match="TGI runs in a container, and there is no docker here"):
        engine_kind("tgi").launch("org/model", Settings(), 8080, lambda _: None)


def test_tgi_with_a_docker_that_does_not_work_repeats_its_last_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    with pytest.raises(EngineError, match="docker does not work here: Cannot connect to the Docker daemon"):
        engine_kind("tgi").launch("org/model", Settings(), 8080, lambda _: None)


def test_tgi_is_bound_to_loopback_without_prefix_cache_and_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")

    launch = engine_kind("tgi").launch("org/model", Settings(context_tokens=4096, slots=8), 8089, lambda _: None)

    assert "127.0.0.1:8089:80" in launch.command
    assert "PREFIX_CACHING=0" in launch.command
    assert "hf_very_secret" not in " ".join([*launch.command, *launch.flags])  # docker takes it by name
    assert launch.environment == {"HF_TOKEN": "hf_very_secret"}
    assert launch.flags[launch.flags.index("--max-total-tokens") + 1] == "4096"
    assert launch.cleanup == ["docker", "rm", "--force", "breakeven-tgi-8089"]


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (1, "ended with exit code 1"),
        (-9, "was killed by SIGKILL (out of memory?)"),
        (-4, "was killed by SIGILL"),
        (None, "ended with exit code n/a"),
    ],
)
def test_the_end_of_an_engine_is_said_in_words(exit_code: int | None, words: str) -> None:
    assert how_it_ended(exit_code) == words


def test_the_image_of_tgi_is_looked_up_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKEVEN_TGI_IMAGE", "my/own:1")
    monkeypatch.setattr(tgi, "_check_docker", lambda: None)

    made = tgi.launch("some/model", Settings(), 8000, lambda _: None)

    assert "my/own:1" in made.command
    assert made.flags[0] == "my/own:1"


@pytest.mark.parametrize(
    ("named", "digests", "kept"),
    [
        ("ghcr.io/org/tgi:3.3", ["ghcr.io/org/tgi@sha256:9a2"], "ghcr.io/org/tgi:3.3@sha256:9a2"),
        (
            "ghcr.io/org/tgi:3.3",
            ["mirror/tgi@sha256:b1", "ghcr.io/org/tgi@sha256:9a2"],
            "ghcr.io/org/tgi:3.3@sha256:9a2",
        ),
        ("localhost:5000/tgi", ["localhost:5000/tgi@sha256:9a2"], "localhost:5000/tgi@sha256:9a2"),
        ("ghcr.io/org/tgi@sha256:9a2", ["ghcr.io/org/tgi@sha256:ffff"], "ghcr.io/org/tgi@sha256:9a2"),
        ("mine:latest", [], "mine:latest"),  # built here: in no registry
    ],
)
def test_the_image_of_tgi_is_kept_by_its_digest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, digests: list[str], kept: str
) -> None:
    says = {'"image inspect "*': (0, json.dumps(digests)), '"version "*': (0, "28.3.3")}
    stand_in(tmp_path, "docker", says)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BREAKEVEN_TGI_IMAGE", named)

    made = tgi.launch("some/model", Settings(), 8000, lambda _: None)

    assert named in made.command
    assert made.flags[0] == kept
