"""Engines as containers, by the recipes of infra/compose: what starts and ends one, and where it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

import harness

UP_S = 1200
_GGUF = ("llama_server", "llama_cpp_python")


class _Service(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    profiles: list[str]
    ports: Annotated[list[str], Field(default=[])]


class Recipe(BaseModel):
    """One engine's file, as far as it is read here: nothing but what a client has to know."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str  # of compose's project
    services: dict[str, _Service]

    def urls(self, profile: str) -> list[str]:
        """Where each copy of a profile answers, on the box."""
        published = [port for one in self.services.values() if profile in one.profiles for port in one.ports]
        return [f"http://{':'.join(port.split(':')[:2])}" for port in published]


def has_recipe(engine: str) -> bool:
    """Whether one has been written."""
    return _path(engine) is not None


def recipe_path(engine: str) -> Path:
    """The recipe of an engine: in the wheel, or beside the package in a checkout."""
    found = _path(engine)
    assert found is not None, engine
    return found


def _path(engine: str) -> Path | None:
    package = Path(harness.__file__).parent
    places = (package / "compose", package.parent / "infra" / "compose")
    return next((place / f"{engine}.yaml" for place in places if (place / f"{engine}.yaml").is_file()), None)


def read_recipe(engine: str) -> Recipe:
    """The recipe of an engine."""
    return Recipe.model_validate(yaml.safe_load(recipe_path(engine).read_text(encoding="utf-8")))


def model_variable(engine: str, profile: str) -> str:
    """What a recipe reads the model's name from."""
    return f"{'GGUF' if engine in _GGUF else 'MODEL'}_{profile.upper()}"


def pull(engine: str, profile: str) -> list[str]:
    """Fetch the images."""
    return [*_compose(engine, profile), "pull"]


def up(engine: str, profile: str) -> list[str]:
    """Start every copy and wait until all are healthy."""
    return [*_compose(engine, profile), "up", "--detach", "--wait", "--wait-timeout", str(UP_S)]


def down(engine: str) -> list[str]:
    """End all of it, by the project's name: by the file it leaves what its profile does not name."""
    return ["docker", "compose", "--project-name", read_recipe(engine).name, "down"]


def _compose(engine: str, profile: str) -> list[str]:
    return ["docker", "compose", "--file", f"{engine}.yaml", "--profile", profile]
