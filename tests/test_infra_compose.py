"""The compose recipes, checked without docker: against the compose specification's schema, and by hand."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

COMPOSE = Path(__file__).parent.parent / "infra" / "compose"
FILES = sorted(COMPOSE.glob("*.yaml"))
GPUS = [["0"], ["1"], ["2"], ["3"]]


def services(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
    return found


def flag(service: dict[str, Any], name: str) -> str | None:
    """The value of `--name=value`; "" for a bare `--name`, None where it is absent."""
    for given in service["command"]:
        key, _, value = given.partition("=")
        if key == name:
            return str(value)
    return None


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
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(wrong),
    ]

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
