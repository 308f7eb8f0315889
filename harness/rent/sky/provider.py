"""Boxes that SkyPilot rents: it launches and deletes, and writes the ssh configuration by which they are reached."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from harness.base.text import printable
from harness.base.whole import written_whole
from harness.base.yamlfile import validate
from harness.engines.weights.cache import state_dir
from harness.rent import aws
from harness.rent.box import Box, BoxSaid, NotLaunchedError, RentError
from harness.rent.host import BELOW, SSH
from harness.rent.line import Line, Shell
from harness.rent.plan import RentPlan
from harness.rent.sky.command import sky_environment
from harness.rent.sky.install import environment, how_to_install, is_installed
from harness.rent.sky.task import cluster_name, task_of

LAUNCH_S = 1800.0  # SkyPilot tries one zone after the other
DOWN_S = 900.0
STATUS_S = 300.0  # it asks the clouds
_NEEDED = ("rsync", "ssh")  # without them SkyPilot gives up, once a machine is paid for or before
_LAUNCH = "sky.launch"
_REQUESTS = ("api", "status", "--verbose", "--limit", "all", "--output", "json")
_STATUS = (
    "status", "--refresh", "--output", "json", "--no-show-managed-jobs", "--no-show-services", "--no-show-pools",
)  # fmt: skip


class _Cluster(BaseModel):
    """A cluster as `sky status --output json` has it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    region: str | None = None


class _Request(BaseModel):
    """What SkyPilot's server still does, as `sky api status --verbose --output json` has it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    request_id: str
    name: str
    cluster_name: str | None = None


_CLUSTERS = TypeAdapter(list[_Cluster])
_WAITING = TypeAdapter(list[_Request])
_JSON = re.compile(r"^\[\]?$", re.MULTILINE)  # where it begins: before it there may be other lines, with colours
_ERROR = re.compile(r"^[\w.]*(Error|Exception|Interrupt): .", re.MULTILINE)


_T = TypeVar("_T")


class SkyProvider:
    """Boxes of one cloud; without a plan those that were made before, to be ended."""

    switches_off = False  # the task's setup sets that timer, and SkyPilot's own deletes the box before

    def __init__(self, plan: RentPlan | None = None) -> None:
        self._plan = plan
        self._memory = state_dir("rent/sky")

    def launch(self, box: Box) -> None:
        """Have it made, with its timers and labels. What fails half way SkyPilot leaves there: `terminate` ends it."""
        plan = self._plan
        if plan is None:
            raise NotLaunchedError("nothing is planned")
        if not is_installed(plan.provider):
            raise NotLaunchedError("SkyPilot is not installed", hint=how_to_install(plan.provider))
        missing = [program for program in _NEEDED if shutil.which(program) is None]
        if missing:
            raise NotLaunchedError(f"SkyPilot needs {missing[0]}, which is not on this machine")
        with written_whole(self._memory / f"{box.id}.json") as place:
            place.write_text(json.dumps(box.to_dict()), encoding="utf-8")
        task = self._memory / f"{box.id}.yaml"
        task.write_text(task_of(plan, box), encoding="utf-8")
        self._sky(["launch", "--yes", "--detach-run", "--cluster", cluster_name(box), str(task)], LAUNCH_S)
        if plan.provider == "aws" and aws.is_installed():  # its own shutdown would stop it, and its disk be paid for
            from harness.rent.aws.box import end_on_shutdown

            end_on_shutdown(box, [plan.rented_in] if plan.rented_in else [])

    def line(self, box: Box) -> Line:
        """Over the ssh configuration that SkyPilot keeps."""
        return Line(Shell((*SSH, "--", cluster_name(box))), f"{BELOW}/{box.id}")

    def terminate(self, box: Box) -> None:
        """Have it deleted, also one that was never whole, and one whose launch waits in SkyPilot's server.

        The server goes on with a launch whose client is gone, and until it begins nothing tells of the cluster: `sky
        down` finds none and ends with 0.
        """
        name = cluster_name(box)
        waiting = [request.request_id for request in self._launching() if request.cluster_name == name]
        if waiting:
            self._sky(["api", "cancel", "--yes", *waiting], STATUS_S)
        if name in self._clusters():
            self._sky(["down", "--yes", name], DOWN_S)

    def boxes(self) -> tuple[Box, ...]:
        """The remembered ones that SkyPilot, having asked the cloud, or AWS itself still has."""
        remembered = [self._remembered(path) for path in sorted(self._memory.glob("*.json"))]
        names = {request.cluster_name for request in self._launching()} if remembered else set()
        names |= set(self._clusters()) if remembered else set()  # after it: what is launched in between is in both
        found = []
        for box in remembered:
            if cluster_name(box) in names or self._aws_has(box):
                found.append(box)
            else:
                for kind in ("json", "yaml"):
                    (self._memory / f"{box.id}.{kind}").unlink(missing_ok=True)
        return tuple(found)

    def _remembered(self, path: Path) -> Box:
        return validate(BoxSaid, json.loads(path.read_text(encoding="utf-8")), where=str(path)).box()

    def _aws_has(self, box: Box) -> bool:
        if self._plan is None or box.provider != "aws" or not aws.is_installed():
            return False
        from harness.rent.aws.box import still_there

        return bool(still_there(box, [self._plan.rented_in] if self._plan.rented_in else []))

    def _clusters(self) -> dict[str, _Cluster]:
        """By name.

        Raises:
            RentError: SkyPilot does not say.
        """
        return {cluster.name: cluster for cluster in self._listed(_CLUSTERS, _STATUS)}

    def _launching(self) -> list[_Request]:
        """Launches that SkyPilot's server has not come to the end of.

        Raises:
            RentError: SkyPilot does not say.
        """
        return [request for request in self._listed(_WAITING, _REQUESTS) if request.name == _LAUNCH]

    def _listed(self, shape: TypeAdapter[list[_T]], words: Sequence[str]) -> list[_T]:
        said = self._sky(words, STATUS_S)
        begins = [found.start() for found in _JSON.finditer(said)]
        try:
            return shape.validate_json(said[begins[-1] :])
        except (IndexError, ValidationError):
            raise RentError(f"SkyPilot did not say what there is: {printable(said[-200:])}") from None

    def _sky(self, words: Sequence[str], most_s: float) -> str:
        """Run SkyPilot; what it says. Into files: the server that it may start keeps a pipe open for ever.

        Raises:
            RentError: it failed, with its own last word; all of it is in the log.
        """
        log = self._memory / "sky.log"
        command = [str(environment() / "bin" / "sky"), *words]
        with tempfile.TemporaryFile() as said, log.open("ab") as kept:
            start = kept.tell()
            try:
                done = subprocess.run(
                    command,
                    env=sky_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=kept,
                    timeout=most_s,
                    check=False,
                    start_new_session=True,
                )
                code: Any = done.returncode
            except subprocess.TimeoutExpired:
                code = f"nothing within {most_s:.0f} s"
            except OSError as error:
                raise RentError(f"SkyPilot does not start: {error.strerror or error}") from None
            said.seek(0)
            text = said.read().decode("utf-8", "replace")
            if code != 0:
                kept.write(text.encode())
                raise RentError(f"sky {words[0]}: {_last_word(log, start, text) or code}", hint=f"all of it: {log}")
        return text


def _last_word(log: Path, start: int, text: str) -> str:
    with log.open("rb") as file:
        file.seek(start)
        lines = [*text.splitlines(), *file.read().decode("utf-8", "replace").splitlines()]
    said = [line.strip() for line in lines if line.strip() and not line.startswith(("Traceback", " "))]
    errors = [line for line in said if _ERROR.match(line)]  # below it there may be a table of what was tried
    return printable((errors or said)[-1], 300) if said else ""
