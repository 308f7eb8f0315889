"""The compose recipes, checked without docker: against the compose specification's schema, and by hand."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_helpers import until

from harness.engines.kinds.llama_server import server_path
from harness.engines.life.running import Engine
from harness.engines.process.ask import ask, ask_json
from harness.engines.process.process import LeashedProcess, choose_port, log_tail
from harness.engines.weights.models import bundled_model_path

COMPOSE = Path(__file__).parent.parent.parent / "infra" / "compose"
FILES = sorted(COMPOSE.glob("*.yaml"))
GPUS = [["0"], ["1"], ["2"], ["3"]]


def services(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
    return found


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
    assert [path.stem for path in FILES] == ["llama_cpp_python", "llama_server", "tgi", "vllm"]


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
def test_nothing_secret_is_written_down(service: dict[str, Any]) -> None:
    assert service.get("environment", {}).get("HF_TOKEN", "${HF_TOKEN:-}") == "${HF_TOKEN:-}"


def test_prefix_caches_are_off_where_they_can_be() -> None:
    for service in services(COMPOSE / "vllm.yaml").values():
        assert flag(service, "--no-enable-prefix-caching") == ""
        assert flag(service, "--generation-config") == "vllm"
    for service in services(COMPOSE / "tgi.yaml").values():
        assert service["environment"]["PREFIX_CACHING"] == "0"
        assert service["environment"]["USAGE_STATS"] == "off"
    for service in services(COMPOSE / "llama_server.yaml").values():
        assert flag(service, "--no-cache-prompt") == ""
        assert flag(service, "--cache-ram") == "0"


def test_llama_cpp_python_is_not_interrupted_and_keeps_no_prompt_logits() -> None:
    for service in services(COMPOSE / "llama_cpp_python.yaml").values():
        assert flag(service, "--interrupt_requests") == "false"
        assert flag(service, "--logits_all") == "false"


def test_each_slot_of_llama_server_holds_4096_tokens() -> None:
    for service in services(COMPOSE / "llama_server.yaml").values():
        context, slots = flag(service, "--ctx-size"), flag(service, "--parallel")

        assert int(context or 0) / int(slots or 1) == 4096  # the context is split among the slots


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

            assert ask_json(f"{url}/props")["total_slots"] == 2, log_tail(tmp_path / name)


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
