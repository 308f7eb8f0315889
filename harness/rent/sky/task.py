"""The YAML that SkyPilot is given to rent a box: written for a person to read, too.

It rents and ends. What is measured is said over SSH by the driver, and so are the variables of a plan's `env`: nothing
secret is in here.
"""

import json
import math
from datetime import UTC, datetime, timedelta

from harness.base.units import SECONDS_PER_HOUR
from harness.rent.box import Box
from harness.rent.driver import SPARE_S
from harness.rent.plan import TEARDOWN_S, Budget, RentPlan
from harness.rent.sky.clouds import CLOUDS, Cloud
from harness.rent.sky.install import version
from harness.rent.tags import tags_of

SPARE_MIN = 10  # SkyPilot's own limit deletes the box, the box's timer may only stop it: that one comes second


def task_of(plan: RentPlan, box: Box | None = None, now: datetime | None = None) -> str:
    """A box's task; without a box, that of any box of this plan."""
    minutes = _minutes_left(box, now) if box is not None else _minutes_of(plan.budget, plan.hourly_usd())
    price = f"USD {plan.hourly_usd():g}/h, {plan.rented_as.replace('_', ' ')}"
    lines = [
        f"# What SkyPilot {version()} is given to rent the box of the plan `{plan.name}`, as `rent plan PLAN --sky`",
        "# writes it. It rents and ends; `breakeven rent run` measures over SSH. Nothing secret is in it.",
        f"name: {_text(plan.name)}",
        "",
        "resources:",
        f"  infra: {_text(_infra(plan))}",
        f"  instance_type: {_text(instance_type(plan))}  # {price}",
        *_bought(plan),
        *_disk(plan),
        *([f"  image_id: {_text(plan.image)}"] if plan.image else []),
        "",
        "  # SkyPilot's hard time limit, kept on the box: whatever runs and whoever is logged in, it deletes itself so",
        "  # many minutes after it is up, also when the machine that rented it is gone.",
        "  autostop:",
        f"    idle_minutes: {minutes}",
        "    wait_for: none",
        "    down: true",
        "",
        *_labels(box),
        "",
        *_setup(CLOUDS[plan.provider], minutes + SPARE_MIN),
    ]
    return "\n".join(lines) + "\n"


def instance_type(plan: RentPlan) -> str:
    """What the cloud calls what is rented."""
    return plan.instance_type or plan.instance.partition("@")[0]


def cluster_name(box: Box) -> str:
    """SkyPilot's name of a box: it begins with a letter, and has no character that a cloud may refuse."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in box.id.lower())
    return f"breakeven-{kept}"


def _infra(plan: RentPlan) -> str:
    return "/".join(part for part in (plan.provider, plan.rented_in, plan.zone) if part)


def _text(value: str) -> str:
    """Plain where YAML reads it as the same text, else in quotes."""
    plain = value.replace("-", "").replace("/", "").replace(".", "").replace("_", "")
    return value if plain.isalnum() and value[0].isalpha() and value.lower() not in _WORDS else json.dumps(value)


_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def _bought(plan: RentPlan) -> list[str]:
    if plan.rented_as == "spot":
        return ["  use_spot: true   # it may be taken away in the middle of a measurement"]
    return ["  use_spot: false  # a spot box may be taken away in the middle of a measurement"]


def _disk(plan: RentPlan) -> list[str]:
    if plan.disk_gb is None:
        return []
    return [f"  disk_size: {plan.disk_gb}  # GB: the engines, and each model's weights"]


def _labels(box: Box | None) -> list[str]:
    if box is None:
        return [
            "  # `breakeven rent run` adds labels: the box's and the run's id, its price, and when it has to be gone;",
            *_BY,
        ]
    return [
        "  # On the instance too:",
        *_BY,
        "  labels:",
        *(f"    {key}: {json.dumps(value)}" for key, value in tags_of(box).items()),
    ]


_BY = ["  # `breakeven rent reap` ends by them what is past its time."]


def _setup(cloud: Cloud, minutes: int) -> list[str]:
    if cloud.is_container:
        return ["# No timer of the box's own: it is a container, which cannot shut its machine down.", 'setup: "true"']
    return [
        "# The box's own timer, which needs neither SkyPilot nor this machine. On most clouds a box that shuts down is",
        "# stopped, not deleted: the disk, on some all of it, is paid for until it is (infra/README.md).",
        "setup: |",
        f"  sudo shutdown -P +{minutes}",
    ]


def _minutes_left(box: Box, now: datetime | None) -> int:
    left = datetime.fromisoformat(box.expires_at) - (now or datetime.now(UTC))
    return max(1, math.ceil(left / timedelta(minutes=1)))


def _minutes_of(budget: Budget, usd_per_hour: float) -> int:
    hours = min(budget.hours, budget.usd / usd_per_hour)
    return math.ceil((hours * SECONDS_PER_HOUR + TEARDOWN_S + SPARE_S) / 60)
