#!/usr/bin/env python3
"""Write the compose recipes of all engines from the one table in table.py.

    python infra/compose/make.py           writes the files beside it
    python infra/compose/make.py --check   says which of them are not what it would write; ends with 1 where any is

Only the standard library: it runs on a bare box.
"""

from __future__ import annotations

import sys
from pathlib import Path

from table import GPUS, RECIPES, WORK, Recipe, Work

HERE = Path(__file__).parent
UP = "up -d --wait --wait-timeout 1200"  # a little longer than START_PERIOD


def compose(recipe: Recipe) -> str:
    """The recipe's compose file."""
    return "".join(
        (
            f"# {recipe.title} on a box with four 24 GB GPUs (g5.12xlarge: 4x A10G, PCIe only). Loopback only.\n",
            *(
                f"#   docker compose -f {recipe.name}.yaml --profile {work.profile} {UP}"
                f"    {_ports_in_words(recipe, work)}\n"
                for work in WORK
            ),
            f"#   docker compose -p {_project(recipe)} down    all of it, whatever the profile\n",
            f"# Driver {recipe.driver} or newer. Written by make.py: change table.py.\n",
            recipe.head,
            f"name: {_project(recipe)}\n\n",
            _engine(recipe),
            "\nservices:\n",
            recipe.build,
            "\n".join(_service(recipe, work, n) for work in WORK for n in range(work.replicas)),
        )
    )


def _project(recipe: Recipe) -> str:
    return f"breakeven-{recipe.name.replace('_', '-')}"


def _ports_in_words(recipe: Recipe, work: Work) -> str:
    if work.replicas == 1:
        return f"one over all GPUs, port {recipe.first_port}"
    return f"one on each GPU, ports {recipe.first_port} to {recipe.first_port + work.replicas - 1}"


def _engine(recipe: Recipe) -> str:
    variables = "".join(f"    - {name}\n" for name in recipe.environment)
    return (
        "x-engine: &engine\n"
        f"  image: {recipe.image}\n{recipe.more}"
        f"  environment:    # a name alone is passed through, and stays unset where it is\n{variables}"
        f"  volumes:\n{recipe.mounts}"
        "  healthcheck:\n"
        f'    test: [CMD, curl, --fail, --silent, --max-time, "5", --output, /dev/null, '
        f'"http://127.0.0.1:{recipe.inside}{recipe.health}"]\n'
        "    interval: 10s\n    timeout: 10s\n    retries: 3\n"
        "    start_period: ${START_PERIOD:-15m}    # the weights are fetched beforehand: README.md\n"
    )


def _service(recipe: Recipe, work: Work, n: int) -> str:
    name = f"{recipe.name.replace('_', '-')}-{work.profile}" + (f"-{n}" if work.replicas > 1 else "")
    devices = f"count: {GPUS}" if work.replicas == 1 else f'device_ids: ["{n}"]'
    return (
        f"  {name}:\n    <<: *engine\n    profiles: [{work.profile}]\n"
        f'    ports: ["127.0.0.1:{recipe.first_port + n}:{recipe.inside}"]\n'
        f"    command:\n{''.join(f'      - {_quoted(flag)}' for flag in recipe.flags(work))}"
        "    deploy: {resources: {reservations: {devices: [{driver: nvidia, "
        f"{devices}, capabilities: [gpu]}}]}}}}}}\n"
    )


def _quoted(flag: str) -> str:
    return f'"{flag}"\n' if flag in {"on", "none"} or flag.isdigit() else f"{flag}\n"


def main(arguments: list[str]) -> int:
    """Write, or check, all files; the exit code."""
    other = []
    for recipe in RECIPES:
        path, text = HERE / f"{recipe.name}.yaml", compose(recipe)
        if arguments == ["--check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                other.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
    for name in other:
        print(f"{name} is not what make.py writes", file=sys.stderr)
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
