"""What says that this box will be taken away: the cloud's metadata service, and the system's own shutdown."""

from __future__ import annotations

import signal
import threading
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional

from .metadata import AWS, AZURE, GCP, Metadata, parsed

EVERY_S = 5.0
TRIES = 3
SOON = timedelta(minutes=5)
SCHEDULED = Path("/run/systemd/shutdown/scheduled")
GOING_MODES = {"poweroff", "halt", "reboot", "kexec"}
GOING_EVENTS = {"Preempt", "Terminate", "Redeploy", "Reboot"}
OS = "os"


class Notice(NamedTuple):
    """That this box will be gone."""

    provider: str  # aws | gcp | azure | os
    what: str  # in the provider's words
    at: Optional[datetime]  # UTC; None: any moment now

    def to_dict(self) -> Dict[str, Optional[str]]:
        """As it is written down."""
        return {"provider": self.provider, "what": self.what, "at": self.at.isoformat() if self.at else None}


class Asker:
    """Asks a metadata service; after three tries at which no cloud answered it asks no more."""

    def __init__(self, base_url: Optional[str] = None) -> None:
        self._metadata = Metadata(base_url)
        self._tries_left = TRIES
        self._name: Optional[str] = None  # of this box, among those of an Azure set

    def asked(self) -> Optional[Notice]:
        """The notice there is now."""
        cloud = self._metadata.cloud
        if cloud is None and self._tries_left > 0:
            self._tries_left -= 1
            cloud = self._metadata.find()
        if cloud == AWS:
            return self._aws()
        if cloud == GCP:
            return self._gcp()
        return self._azure() if cloud == AZURE else None

    def hint(self) -> Optional[str]:
        """That AWS thinks an end likelier than usual: nothing to end for."""
        if self._metadata.cloud != AWS:
            return None
        said = parsed(self._metadata.text("/latest/meta-data/events/recommendations/rebalance"))
        return "rebalance recommendation of " + str(said["noticeTime"]) if _has(said, "noticeTime") else None

    def _aws(self) -> Optional[Notice]:
        said = parsed(self._metadata.text("/latest/meta-data/spot/instance-action"))
        if _has(said, "action", "time"):
            at = utc(said["time"])
            if at is not None and said["action"] in ("terminate", "stop", "hibernate"):
                return Notice(AWS, "spot " + str(said["action"]), at)
        at = utc(self._metadata.text("/latest/meta-data/spot/termination-time"))
        return Notice(AWS, "spot terminate", at) if at is not None else None

    def _gcp(self) -> Optional[Notice]:
        if self._metadata.text("/computeMetadata/v1/instance/preempted") == "TRUE":
            return Notice(GCP, "preempted", None)
        event = self._metadata.text("/computeMetadata/v1/instance/maintenance-event")
        return Notice(GCP, event, None) if event == "TERMINATE_ON_HOST_MAINTENANCE" else None

    def _azure(self) -> Optional[Notice]:
        said = parsed(self._metadata.text("/metadata/scheduledevents?api-version=2020-07-01"))
        events = said.get("Events") if isinstance(said, dict) else None
        for event in events if isinstance(events, list) else []:
            if _has(event, "EventType", "Resources") and str(event["EventType"]) in GOING_EVENTS:
                if self._is_for_me(event["Resources"]):
                    return Notice(AZURE, str(event["EventType"]), utc(event.get("NotBefore")))
        return None

    def _is_for_me(self, resources: Any) -> bool:
        """Every box of a set hears of all of them."""
        if self._name is None:
            self._name = self._metadata.text("/metadata/instance/compute/name?api-version=2021-02-01&format=text")
        return self._name is None or not isinstance(resources, list) or self._name in resources


def _has(said: Any, *keys: str) -> bool:
    return isinstance(said, dict) and all(key in said for key in keys)


def utc(text: Any) -> Optional[datetime]:
    """A time as AWS (ISO 8601) or Azure (as in mail) writes it; None where it is neither."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except (TypeError, ValueError, IndexError):
            return None
    try:
        return (at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except OverflowError:  # the year 1 or 9999
        return None


def asked(base_url: Optional[str] = None) -> Optional[Notice]:
    """The notice that the cloud gives now, asked for once."""
    return Asker(base_url).asked()


def shutdown(scheduled: Path = SCHEDULED) -> Optional[Notice]:
    """The shutdown that this system has been told to make."""
    try:
        lines = scheduled.read_text("utf-8", "replace")[:4096].splitlines()
    except OSError:
        return None
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    try:
        at = datetime.fromtimestamp(int(said.get("USEC", "")) / 1e6, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    if said.get("MODE") not in GOING_MODES:
        return None
    return Notice(OS, "shutdown, " + said["MODE"], at)


def signalled(number: int) -> Notice:
    """A signal that a system which goes down sends to all that runs on it."""
    return Notice(OS, signal.Signals(number).name, None)


def watch(
    stop: threading.Event,
    told: Callable[[Notice], None],
    *,
    base_url: Optional[str] = None,
    own_end: Optional[datetime] = None,
    hinted: Optional[Callable[[str], None]] = None,
    every_s: float = EVERY_S,
    scheduled: Path = SCHEDULED,
) -> None:
    """Ask until stopped; `told` once, when this box will be gone within five minutes, `hinted` once before.

    A shutdown from `own_end` on is the one that we scheduled ourselves.
    """
    asker = Asker(base_url)
    while not stop.is_set():
        for notice in (asker.asked(), shutdown(scheduled)):
            if notice is not None and _is_soon(notice) and not _is_ours(notice, own_end):
                told(notice)
                return
        hint = asker.hint() if hinted is not None else None
        if hint is not None and hinted is not None:
            hinted(hint)
            hinted = None
        stop.wait(every_s)


def _is_soon(notice: Notice) -> bool:
    return notice.at is None or notice.at - datetime.now(timezone.utc) <= SOON


def _is_ours(notice: Notice, own_end: Optional[datetime]) -> bool:
    return notice.provider == OS and own_end is not None and notice.at is not None and notice.at >= own_end
