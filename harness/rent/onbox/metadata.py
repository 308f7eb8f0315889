"""The metadata service of the cloud that this box is of: which one answers, and what it says at a path."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import threading
from typing import Any, Dict, NamedTuple, Optional
from urllib.parse import urlsplit

BASE_URL = "http://169.254.169.254"  # all three clouds have theirs here
REDIRECTED = "BREAKEVEN_METADATA_URL"
TIMEOUT_S = 1.0
MOST_BYTES = 64 * 1024
TOKEN_S = 21600
AZURE_INSTANCE = "/metadata/instance?api-version=2021-02-01"

AWS, GCP, AZURE = "aws", "gcp", "azure"
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{8,512}")
_AWS_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")


class Answer(NamedTuple):
    """What was answered, cut off at a limit."""

    status: int
    headers: Dict[str, str]
    text: str


class Metadata:
    """One box's metadata service; nothing that it says or does not say is an error."""

    def __init__(self, base_url: Optional[str] = None, timeout_s: float = TIMEOUT_S) -> None:
        self._base = urlsplit(base_url or os.environ.get(REDIRECTED) or BASE_URL)
        self._timeout_s = timeout_s
        self._token: Optional[str] = None
        self.cloud: Optional[str] = None

    def find(self) -> Optional[str]:
        """Which cloud this is; None where nobody answers as a cloud does. Asks no more once it is known."""
        if self.cloud is None:
            self.cloud = self._found()
        return self.cloud

    def _found(self) -> Optional[str]:
        probe = self._exchange("GET", "/computeMetadata/v1/instance/id", {"Metadata-Flavor": "Google"})
        if probe is None:
            return None  # nobody there: the others' services have the same address
        if probe.status == 200 and probe.headers.get("metadata-flavor") == "Google" and probe.text.strip().isdigit():
            return GCP
        if _AWS_INSTANCE.fullmatch(self._aws("/latest/meta-data/instance-id") or ""):
            return AWS
        said = parsed(self._plain(AZURE_INSTANCE, {"Metadata": "true"}))
        return AZURE if isinstance(said, dict) and isinstance(said.get("compute"), dict) else None

    def text(self, path: str) -> Optional[str]:
        """What the cloud that was found says at a path; None where that is nothing."""
        if self.cloud == AWS:
            return self._aws(path)
        if self.cloud == GCP:
            return self._plain(path, {"Metadata-Flavor": "Google"})
        return self._plain(path, {"Metadata": "true"}) if self.cloud == AZURE else None

    def _plain(self, path: str, headers: Dict[str, str]) -> Optional[str]:
        answer = self._exchange("GET", path, headers)
        return said_text(answer)

    def _aws(self, path: str) -> Optional[str]:
        """By IMDSv2; a token that is no longer taken is asked for again, once."""
        for _ in range(2):
            if self._token is None:
                self._token = self._new_token()
            if self._token is None:
                return None
            answer = self._exchange("GET", path, {"X-aws-ec2-metadata-token": self._token})
            if answer is None or answer.status != 401:
                return said_text(answer)
            self._token = None
        return None

    def _new_token(self) -> Optional[str]:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S), "Content-Length": "0"}
        said = said_text(self._exchange("PUT", "/latest/api/token", headers))
        return said if said is not None and _TOKEN.fullmatch(said) else None

    def _exchange(self, method: str, path: str, headers: Dict[str, str]) -> Optional[Answer]:
        """Straight to the address: no proxy is used, no redirect followed, and it ends by its time limit."""
        connection = http.client.HTTPConnection(
            self._base.hostname or "", self._base.port or 80, timeout=self._timeout_s
        )
        limit: Optional[threading.Timer] = None
        try:
            connection.connect()
            limit = threading.Timer(2 * self._timeout_s, _cut, [connection.sock])
            limit.daemon = True
            limit.start()
            connection.request(method, self._base.path.rstrip("/") + path, headers=headers)
            response = connection.getresponse()
            body = response.read(MOST_BYTES)
            named = {key.lower(): value for key, value in response.getheaders()}
            return Answer(response.status, named, body.decode("utf-8", "replace"))
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            if limit is not None:
                limit.cancel()
            connection.close()


def _cut(sock: socket.socket) -> None:
    """End a conversation that drips."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def said_text(answer: Optional[Answer]) -> Optional[str]:
    """The text of an answer that says something: a 200 that is no web page."""
    if answer is None or answer.status != 200 or answer.text.lstrip().startswith("<"):
        return None
    return answer.text.strip() or None


def parsed(text: Optional[str]) -> Any:
    """JSON; None where it is not."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
