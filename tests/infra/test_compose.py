"""The compose recipes, checked without docker: against the compose specification's schema, and by hand."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_helpers import until

from harness.backends.said import Props
from harness.engines.kinds.llama_server import server_path
from harness.engines.life.running import Engine
from harness.engines.process.ask import ask, ask_said
from harness.engines.process.process import LeashedProcess, choose_port, log_tail
from harness.engines.weights.models import bundled_model_path

COMPOSE = Path(__file__).parent.parent.parent / "infra" / "compose"
FILES = sorted(COMPOSE.glob("*.yaml"))
GPUS = [["0"], ["1"], ["2"], ["3"]]


def services(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
    return {name: service for name, service in found.items() if "command" in service}  # without what only builds


def command_line(service: dict[str, Any], **variables: str) -> list[str]:
    """The flags of a service as its engine gets them, variables at their defaults unless given."""

    def value(match: re.Match[str]) -> str:
        return variables.get(match["name"], match["default"] or "")

    given = service["command"]
    words = given.split() if isinstance(given, str) else given
    return [re.sub(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}", value, word) for word in words]


def flag(service: dict[str, Any], name: str) -> str | None:
    """The value of `--name value` or `--name=value`; "" for a bare `--name`, None where it is absent."""
    words = [part for word in command_line(service) for part in word.split("=", 1)]
    if name not in words:
        return None
    following = words[words.index(name) + 1 :]
    return following[0] if following and not following[0].startswith("--") else ""


EVERY_SERVICE = [pytest.param(service, id=name) for path in FILES for name, service in services(path).items()]


def test_there_is_one_recipe_an_engine() -> None:
    assert [path.stem for path in FILES] == ["llama_cpp_python", "llama_server", "sglang", "tgi", "vllm"]


def test_the_recipes_follow_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]

    checked = subprocess.run([*command, *map(str, FILES)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_schema_check_can_fail(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(json.dumps({"services": {"a": {"image": "b", "helthcheck": {}}}}))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)]

    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_70b_has_all_gpus_and_8b_one_each(path: Path) -> None:
    by_profile: dict[str, list[dict[str, Any]]] = {}
    for service in services(path).values():
        (profile,) = service["profiles"]
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        by_profile.setdefault(profile, []).append(device)

    assert [device.get("count") for device in by_profile["70b"]] == [4]
    assert [device.get("device_ids") for device in by_profile["8b"]] == GPUS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_two_services_of_a_profile_share_a_port(path: Path) -> None:
    for profile in ("70b", "8b"):
        ports = [s["ports"][0] for s in services(path).values() if profile in s["profiles"]]

        assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_every_port_is_bound_to_loopback(service: dict[str, Any]) -> None:
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in service["ports"])


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_every_service_has_a_health_check_of_its_own_port(service: dict[str, Any]) -> None:
    inside = service["ports"][0].rpartition(":")[2]

    assert f"http://127.0.0.1:{inside}/" in service["healthcheck"]["test"][-1]


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_every_image_can_be_pinned_from_outside(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-.+:.+\}", service["image"])


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_a_variable_of_the_box_is_passed_through_and_stays_unset_where_it_is(service: dict[str, Any]) -> None:
    passed = {item for item in service["environment"] if "=" not in item}

    assert passed >= {"NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL", "NCCL_DEBUG"}
    assert ("HF_TOKEN" in passed) == ("/models" not in str(service["volumes"]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_weights_are_called_by_their_own_name(path: Path) -> None:
    assert "alias" not in path.read_text()
    assert "served-model-name" not in path.read_text()


def test_prefix_caches_are_off_where_they_can_be() -> None:
    for service in services(COMPOSE / "vllm.yaml").values():
        assert flag(service, "--no-enable-prefix-caching") == ""
        assert flag(service, "--generation-config") == "vllm"
    for service in services(COMPOSE / "tgi.yaml").values():
        assert {"PREFIX_CACHING=0", "USAGE_STATS=off"} <= set(service["environment"])
    for service in services(COMPOSE / "sglang.yaml").values():
        assert flag(service, "--disable-radix-cache") == ""
    for service in services(COMPOSE / "llama_server.yaml").values():
        assert flag(service, "--no-cache-prompt") == ""
        assert flag(service, "--cache-ram") == "0"


def test_llama_cpp_python_is_not_interrupted_and_keeps_no_prompt_logits() -> None:
    for service in services(COMPOSE / "llama_cpp_python.yaml").values():
        assert flag(service, "--interrupt_requests") == "false"
        assert flag(service, "--logits_all") == "false"


CONTEXT = {"vllm": "--max-model-len", "sglang": "--context-length", "tgi": "--max-total-tokens"}
SEQUENCES = {"vllm": "--max-num-seqs", "sglang": "--max-running-requests", "tgi": "--max-batch-size"}


@pytest.mark.parametrize(("profile", "context", "sequences"), [("70b", 8192, 12), ("8b", 4096, 32)])
def test_every_engine_that_batches_is_given_the_same_context_and_requests_at_once(
    profile: str, context: int, sequences: int
) -> None:
    for name in CONTEXT:
        for service in services(COMPOSE / f"{name}.yaml").values():
            if service["profiles"] == [profile]:
                assert (flag(service, CONTEXT[name]), flag(service, SEQUENCES[name])) == (str(context), str(sequences))
    for service in services(COMPOSE / "llama_server.yaml").values():
        if service["profiles"] == [profile]:
            assert (flag(service, "--parallel"), flag(service, "--ctx-size")) == (
                str(sequences),
                str(sequences * context),  # shared out over the slots
            )


GIB = 2**30


@pytest.mark.parametrize(
    ("parameters", "gguf_bits", "layers", "copies", "tokens"),
    [(70.6e9, 4.82, 80, 1, 12 * 8192), (8.03e9, 4.9, 32, 4, 32 * 4096)],
)
def test_all_slots_of_llama_server_fit_beside_the_weights(
    parameters: float, gguf_bits: float, layers: int, copies: int, tokens: int
) -> None:
    weights = parameters * gguf_bits / 8
    cache = 2 * layers * 8 * 128 * 2 * tokens  # key and value, 8 heads of 128, 16 bits

    a_gpu = (weights + cache) * copies / 4 / GIB

    assert a_gpu < 22.35 - 1  # what an A10G has, less what the driver and the buffers take


def test_the_files_are_what_the_table_says(tmp_path: Path) -> None:
    make = COMPOSE / "make.py"
    assert subprocess.run([sys.executable, str(make), "--check"], check=False).returncode == 0

    shutil.copytree(COMPOSE, tmp_path / "compose")
    (tmp_path / "compose" / "tgi.yaml").write_text("services: {}\n")
    other = subprocess.run(
        [sys.executable, str(tmp_path / "compose" / "make.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert (other.returncode, other.stderr) == (1, "tgi.yaml is not what make.py writes\n")


def test_one_service_builds_and_the_others_use_what_it_built() -> None:
    everything = yaml.safe_load((COMPOSE / "llama_cpp_python.yaml").read_text())["services"]

    assert [name for name, service in everything.items() if "build" in service] == ["image"]
    assert {service["image"] for service in everything.values()} == {everything["image"]["image"]}


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A copy of the recipes and of what verifies them."""
    place = tmp_path / "infra"
    shutil.copytree(COMPOSE.parent, place)
    return place


def verify(infra: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As a box without any engine does."""
    environment = {**os.environ, "VERIFY_AGAIN": "1", "PYTHONPATH": str(COMPOSE.parent.parent)}
    environment["XDG_CACHE_HOME"] = str(infra / "none")
    command = [sys.executable, str(infra / "verify"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


CHECKS = ("schema", "written", "variables", "documented", "before", "pinned")


def test_the_recipes_pass_their_own_verification(infra: Path) -> None:
    done = verify(infra)

    assert done.returncode == 0, done.stdout + done.stderr
    for check in CHECKS:
        assert f"ok     {check}\n" in done.stdout
    assert "-      compose itself: run nowhere here" in done.stdout


def test_what_fails_is_named_and_ends_with_1(infra: Path) -> None:
    path = infra / "compose" / "vllm.yaml"
    path.write_text(path.read_text().replace("interval: 10s", "intervall: 10s"))

    done = verify(infra)

    assert done.returncode == 1
    assert "FAILED schema: " in done.stdout
    assert "FAILED written: vllm.yaml is not what make.py writes\n" in done.stdout
    assert "ok     variables\n" in done.stdout


FETCH = "hf download bartowski/Meta-Llama-3.1-8B-Instruct-GGUF Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf"


@pytest.mark.parametrize(
    ("check", "name", "old", "new", "said"),
    [
        ("variables", "vllm.yaml", "- HF_TOKEN\n", "- HF_TOKEN=${HF_TOKEN:-}\n", "HF_TOKEN:- has no default"),
        ("variables", "tgi.yaml", "- HF_TOKEN\n", "- HF_TOKEN=${HF_TOKEN}\n", "tgi.yaml: HF_TOKEN has no default"),
        ("variables", "tgi.yaml", "- HF_TOKEN\n", "- HF_TOKEN=$HF_TOKEN\n", "tgi.yaml: HF_TOKEN has no default"),
        ("variables", "tgi.yaml", "- HF_TOKEN\n", "- HF_TOKEN=\n", "tgi-70b: HF_TOKEN= is empty where unset"),
        ("variables", "vllm.yaml", ":-~/.cache/huggingface}", ":?where}", "vllm.yaml: HF_CACHE:?where has no default"),
        ("documented", "sglang.yaml", "    - HF_TOKEN\n", "", "sglang.yaml: HF_TOKEN is promised and not all of it"),
        (
            "documented",
            "vllm.yaml",
            "    - VLLM_ENABLE_CUDA_COMPATIBILITY\n",
            "",
            "VLLM_ENABLE_CUDA_COMPATIBILITY is pro",
        ),
        ("documented", "vllm.yaml", "- NCCL_DEBUG\n", "- NCCL_DEBAG\n", "NCCL_DEBAG is used and not in README.md"),
        ("documented", "README.md", "| `MODEL_70B`", "| `MODEL_7B`", "vllm.yaml: MODEL_70B is used and not in README"),
        ("before", "README.md", FETCH, "hf download", f"no line `uvx --from huggingface_hub {FETCH}"),
        ("before", "README.md", "| R550 |", "| |", "no row of TGI with its driver R550"),
        ("before", "README.md", " --wait-timeout 1200", "", "README.md: no end to `docker compose -f infra"),
        ("before", "vllm.yaml", " --wait-timeout 1200", "", "vllm.yaml: no end to `docker compose -f vllm.yaml"),
        ("pinned", "table.py", "cuda12-b11312", "cuda12-b9603", "is not b11312, which was tried out"),
        ("pinned", "table.py", "v0.32.0", "latest", "vllm: vllm/vllm-openai:latest"),
        ("written", "table.py", "context=4096", "context=2048", "vllm.yaml is not what make.py writes"),
    ],
)
def test_each_check_names_what_is_wrong(
    infra: Path, monkeypatch: pytest.MonkeyPatch, check: str, name: str, old: str, new: str, said: str
) -> None:
    path = infra / "compose" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    monkeypatch.setenv("VERIFY_AGAIN", "1")  # this interpreter will do
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "table", raising=False)

    wrong = runpy.run_path(str(infra / "verify"))[check]()

    sys.modules.pop("table")  # the copy's
    assert said in wrong


def test_a_flag_is_known_only_where_its_engine_declares_its_arguments(infra: Path) -> None:
    declared = sorted(name.removeprefix("--").replace("-", "_").removeprefix("no_") for name in given_flags("vllm"))
    fields = [f"    {name}: int" for name in declared if name != "max_num_seqs"]
    with zipfile.ZipFile(infra / "vllm-0.32.0-py3.whl", "w") as wheel:
        wheel.writestr("vllm/engine/arg_utils.py", "\n".join(["class EngineArgs:", *fields]))
        wheel.writestr("vllm/model_executor/other.py", "max_num_seqs: int = 1\n")

    done = verify(infra, "--wheels", str(infra))

    assert "FAILED vllm: unknown to vLLM 0.32.0: --max-num-seqs\n" in done.stdout


def given_flags(engine: str) -> set[str]:
    words = [word for service in services(COMPOSE / f"{engine}.yaml").values() for word in command_line(service)]
    return {word.split("=", 1)[0] for word in words if word.startswith("--")}


DOCKER = """#!/bin/sh
echo "docker $*" >> "$LOG"
case "$*" in
    *" up "*) exit "${UP:-0}" ;;
    *" ps --format "*) printf '127.0.0.1:8001->8000/tcp\\n127.0.0.1:8000->8000/tcp\\n' ;;
esac
"""
Smoke = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def smoke(infra: Path) -> Smoke:
    """The first ten minutes on a box, its docker and its check written down instead of done."""
    log, tools = infra / "log", infra / "tools"
    tools.mkdir()
    for path, text in ((tools / "docker", DOCKER), (infra / "breakeven", '#!/bin/sh\necho "breakeven $*" >> "$LOG"\n')):
        path.write_text(text)
        path.chmod(0o755)

    def run(*arguments: str, **variables: str) -> tuple[int, list[str]]:
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "LOG": str(log), **variables}
        done = subprocess.run([infra / "gpu-smoke", *arguments], capture_output=True, check=False, env=environment)
        calls = log.read_text().replace(f"-f {infra}/compose/", "").splitlines() if log.exists() else []
        return done.returncode, calls

    return run


def test_the_first_ten_minutes_ask_every_port_and_take_all_down(smoke: Smoke) -> None:
    code, calls = smoke("vllm", "8b")

    assert code == 0
    assert [call.removeprefix("docker compose vllm.yaml --profile 8b ") for call in calls] == [
        "docker run --rm --gpus all nvidia/cuda:12.8.1-base-ubuntu24.04 nvidia-smi",
        "pull",
        "up --detach --wait --wait-timeout 600",
        "ps --format {{.Ports}}",
        "breakeven engine check --url http://127.0.0.1:8000 --url http://127.0.0.1:8001",
        "down --timeout 20",
    ]


def test_what_does_not_come_up_is_shown_and_taken_down(smoke: Smoke) -> None:
    code, calls = smoke("sglang", "70b", UP="1")

    assert code == 1
    ends = [call.split(" --profile 70b ")[-1] for call in calls[-3:]]
    assert ends == ["ps --all", "logs --tail 40", "down --timeout 20"]


def test_an_image_that_no_registry_has_is_built_before_it_comes_up(smoke: Smoke) -> None:
    _, calls = smoke("llama_cpp_python", "8b")

    assert calls[1] == "docker compose llama_cpp_python.yaml --profile build build"
    assert not [call for call in calls if " pull" in call]


@pytest.mark.parametrize("arguments", [("ollama", "8b"), ("vllm", "7b")])
def test_what_there_is_no_recipe_for_ends_with_2_and_starts_nothing(smoke: Smoke, arguments: tuple[str, str]) -> None:
    assert smoke(*arguments) == (2, [])


def test_weights_fetched_beforehand_are_where_the_recipes_look() -> None:
    for work in runpy.run_path(str(COMPOSE / "table.py"), run_name="table")["WORK"]:
        for_hub, for_file = work.fetching
        assert for_hub.split()[5] == work.hub
        assert for_file.split()[6] == work.gguf
        assert f"/models/${{GGUF_{work.profile.upper()}:-{work.gguf}}}" in (COMPOSE / "llama_server.yaml").read_text()
    for service in services(COMPOSE / "tgi.yaml").values():
        (mounted,) = service["volumes"]
        assert f"HF_HOME={mounted.rpartition(':')[2]}" in service["environment"]


@pytest.mark.engine
def test_every_flag_is_known_to_the_engines_own_parsers(vllm_engine: Engine, tmp_path: Path) -> None:
    assert vllm_engine.process.poll() is None  # and so it is installed, as llama-server is
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(tmp_path)]
    fetched = subprocess.run([*command, "sglang==0.5.23"], capture_output=True, text=True, check=False)
    assert fetched.returncode == 0, fetched.stderr

    verifying = [sys.executable, str(COMPOSE.parent / "verify"), "--wheels", str(tmp_path)]
    done = subprocess.run(verifying, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "sglang: 11 flags known to SGLang 0.5.23\n" in done.stdout
    assert "-      tgi: 8 flags not checked" in done.stdout
    assert done.stdout.count("not checked") == 1


@pytest.mark.engine
def test_llama_server_takes_the_flags_of_its_recipe(llama_server_engine: Engine, tmp_path: Path) -> None:
    assert llama_server_engine.process.poll() is None  # and so it is built
    model = bundled_model_path()
    for name in ("llama-server-70b", "llama-server-8b-0"):
        service = services(COMPOSE / "llama_server.yaml")[name]
        flags = command_line(service, GGUF_70B=model.name, GGUF_8B=model.name)
        flags[flags.index("--model") + 1] = str(model)
        flags[flags.index("--host") + 1] = "127.0.0.1"
        flags[flags.index("--port") + 1] = str(choose_port(None))
        flags[flags.index("--parallel") + 1] = "2"
        flags[flags.index("--ctx-size") + 1] = "512"

        with LeashedProcess([str(server_path()), *flags], tmp_path / name, os.environ) as process:
            url = f"http://127.0.0.1:{flags[flags.index('--port') + 1]}"
            until(lambda: ask(f"{url}/health") is not None or process.poll() is not None, "it serves", limit_s=60)  # noqa: B023

            assert ask_said(Props, f"{url}/props").total_slots == 2, log_tail(tmp_path / name)


@pytest.mark.engine
def test_llama_cpp_python_knows_the_flags_of_its_recipe() -> None:
    code = """if True:
        import argparse, sys
        from llama_cpp.server.cli import add_args_from_model
        from llama_cpp.server.settings import Settings
        parser = argparse.ArgumentParser()
        add_args_from_model(parser, Settings)
        print(parser.parse_args(sys.argv[1:]))
    """
    for service in services(COMPOSE / "llama_cpp_python.yaml").values():
        command = [sys.executable, "-c", code, *command_line(service)]

        parsed = subprocess.run(command, capture_output=True, text=True, check=False)

        assert "interrupt_requests=False" in parsed.stdout, parsed.stderr


@pytest.mark.engine
def test_vllm_knows_the_flags_of_its_recipe(vllm_engine: Engine) -> None:
    code = """if True:
        import json, sys
        from vllm.entrypoints.launchers.cli_args import make_arg_parser
        from vllm.utils.argparse_utils import FlexibleArgumentParser
        for flags in json.loads(sys.argv[1]):
            print(make_arg_parser(FlexibleArgumentParser()).parse_args(flags))
    """
    python = Path(f"/proc/{vllm_engine.process.pid}/cmdline").read_text().split("\0")[0]
    flags = [command_line(service) for service in services(COMPOSE / "vllm.yaml").values()]

    parsed = subprocess.run([python, "-c", code, json.dumps(flags)], capture_output=True, text=True, check=False)

    assert parsed.stdout.count("enable_prefix_caching=False") == len(flags), parsed.stderr[-2000:]


@pytest.mark.parametrize("arguments", [["--wheels"], ["--wheels", "/nowhere"], ["--wheel", "."]])
def test_verify_refuses_arguments_that_it_does_not_know_in_one_line(arguments: list[str]) -> None:
    done = verify(COMPOSE.parent, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {' '.join(arguments)}")
    assert len(done.stderr.splitlines()) == 1
