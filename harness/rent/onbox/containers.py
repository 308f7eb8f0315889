"""The images of the containers that run here, by digest."""

from __future__ import annotations

import json
from typing import Any, Dict, List

from .commands import NotSeen, first_line, printed

MOST = 64
MOST_S = 5.0  # of each question


def images() -> List[Dict[str, Any]]:
    """Each image that runs: the name it was started by, its id, its digests in registries; [] without Docker.

    A tag can have moved on since: what is asked for are the images of the containers, not of their names.

    Raises:
        NotSeen: Docker does not answer, or not us.
    """
    listed = printed(["docker", "ps", "-q", "--no-trunc"], MOST_S)
    if listed is None:
        return []
    ids = _lines(listed.code, listed.text)[:MOST]
    if not ids:
        return []
    names: Dict[str, str] = {}
    for line in _asked(["docker", "inspect", "--format", "{{.Image}} {{json .Config.Image}}", *ids]):
        image, _, name = line.partition(" ")
        names.setdefault(image, str(json.loads(name)))
    found = []
    for line in _asked(["docker", "image", "inspect", "--format", "{{.Id}} {{json .RepoDigests}}", *names]):
        image, _, digests = line.partition(" ")
        found.append({"name": names.get(image), "id": image, "digests": json.loads(digests) or []})
    return found


def _asked(argv: List[str]) -> List[str]:
    said = printed(argv, MOST_S)
    if said is None:
        raise NotSeen("docker is gone")
    return _lines(said.code, said.text)


def _lines(code: int, text: str) -> List[str]:
    if code != 0:
        raise NotSeen("docker: " + first_line(text))
    return [line.strip() for line in text.splitlines() if line.strip()]
