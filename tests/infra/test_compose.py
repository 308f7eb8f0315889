"""The compose recipes, checked without docker: against the compose specification's schema, and by hand."""

import json
import os
import re
import shutil
import subprocess
import sys
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


def verify(infra: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VERIFY_AGAIN": "1", "PYTHONPATH": str(COMPOSE.parent.parent)}
    command = [sys.executable, str(infra / "verify")]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_recipes_pass_their_own_verification(infra: Path) -> None:
    done = verify(infra)

    assert done.returncode == 0, done.stdout + done.stderr
    for check in ("schema", "written", "variables", "documented"):
        assert f"ok     {check}\n" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    - HF_TOKEN\n", "    - HF_TOKEN=${HF_TOKEN:-}\n", "FAILED variables: vllm.yaml: vllm-70b: HF_TOKEN="),
        ("${HF_CACHE:-~/.cache/huggingface}", "${HF_CACHE:?where}", "FAILED variables: vllm.yaml: ${HF_CACHE:?where}"),
        ("    - NCCL_DEBUG\n", "    - NCCL_DEBAG\n", "NCCL_DEBAG is used and not in README.md"),
        ("interval: 10s", "intervall: 10s", "FAILED schema: "),
    ],
)
def test_verification_names_what_is_wrong(infra: Path, old: str, new: str, said: str) -> None:
    path = infra / "compose" / "vllm.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    done = verify(infra)

    assert done.returncode == 1
    assert said in done.stdout


@pytest.mark.engine
def test_every_flag_is_known_to_the_engines_own_parsers(vllm_engine: Engine, tmp_path: Path) -> None:
    assert vllm_engine.process.poll() is None  # and so it is installed, as llama-server is
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(tmp_path)]
    fetched = subprocess.run([*command, "sglang==0.5.23"], capture_output=True, text=True, check=False)
    assert fetched.returncode == 0, fetched.stderr

    verifying = [sys.executable, str(COMPOSE.parent / "verify"), "--wheels", str(tmp_path)]
    done = subprocess.run(verifying, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "sglang: 11 flags known to SGLang\n" in done.stdout
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
