"""`python3 box.pyz COMMAND FOLDER ...`: what the driver asks a box for; every answer is one JSON document.

| command | does |
|---|---|
| `serve FOLDER LEFT_S [power-off]` | starts the agent, and the timer that ends the box; both outlive whoever asked |
| `ask FOLDER` | passes one JSON object from stdin to the agent |
| `put FOLDER NAME` | writes stdin to a file |
| `list FOLDER NAME` | every file below a folder with its SHA-256 |
| `pack FOLDER NAME` | a folder as a tar archive, instead of JSON |
| `tail FOLDER NAME` | the end of a text file |
| `end FOLDER` | kills all that runs there and removes the folder |
| `facts` | what machine this is |
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import agent, end, files
from .facts import facts


def main(argv: Sequence[str]) -> int:
    """Do one command; 0, or 1 with a line on stderr."""
    command, rest = argv[0], argv[2:]
    folder = Path(argv[1]).resolve() if len(argv) > 1 else Path()
    try:
        if command == "agent":
            agent.run(folder, float(rest[0]))
        elif command == "timer":
            end.timer(folder, float(rest[0]))
        elif command == "pack":
            files.pack(folder, rest[0], sys.stdout.buffer)
        else:
            print(json.dumps(_answer(command, folder, rest)), flush=True)
    except (OSError, ValueError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 1
    return 0


def _answer(command: str, folder: Path, rest: Sequence[str]) -> Any:
    if command == "serve":
        return agent.serve(folder, float(rest[0]), "power-off" in rest)
    if command == "ask":
        return agent.ask(folder, sys.stdin.read())
    if command == "put":
        return files.put(folder, rest[0], sys.stdin.buffer)
    if command == "list":
        return files.listing(folder, rest[0])
    if command == "tail":
        return files.tail(folder, rest[0])
    if command == "end":
        return end.end(folder)
    if command == "facts":
        return facts()
    raise ValueError("no such command")
