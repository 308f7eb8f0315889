"""Which models stand for a role when nobody names one, and which nobody can buy any more: roles.yaml."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from harness.base.yamlfile import Strict, read_yaml, validate

FILE = Path(__file__).with_name("roles.yaml")

RoleName = Literal["frontier", "cheap", "stand_in"]
ROLES: tuple[RoleName, ...] = get_args(RoleName)


class _Retired(Strict):
    models: list[str]
    retired_on: date
    source: str
    checked_on: date


class Roles(Strict):
    """The file: per role a family's models, the newest first; and what is withdrawn."""

    checked_on: date
    frontier: list[str]
    cheap: list[str]
    stand_in: list[str]
    retired: list[_Retired]

    def family(self, role: RoleName) -> list[str]:
        """The models that may stand for a role, the newest first."""
        return {"frontier": self.frontier, "cheap": self.cheap, "stand_in": self.stand_in}[role]


@cache
def roles() -> Roles:
    """What the bundled file says."""
    return validate(Roles, read_yaml(FILE, what="roles"), where=str(FILE))


@cache
def withdrawn() -> dict[str, date]:
    """By provider:model the day from which nobody can buy it."""
    return {model: row.retired_on for row in roles().retired for model in row.models}
