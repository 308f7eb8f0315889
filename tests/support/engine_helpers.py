"""What the engine tests share: waiting with a limit, and single questions to an engine."""

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent.parent


def until(condition: Callable[[], bool], what: str, limit_s: float = 20) -> None:
    give_up = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up, f"waited {limit_s} s in vain until {what}"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def listening_on(pid: int) -> set[str]:
    """The addresses on which a process and its children accept TCP connections."""
    first = psutil.Process(pid)
    return {
        connection.laddr.ip
        for process in [first, *first.children(recursive=True)]
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        got: dict[str, Any] = json.load(answer)
    return got


def complete(base_url: str, prompt: str, max_tokens: int) -> str:
    """The greedy continuation of `prompt`."""
    body = {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0}
    text: str = post(f"{base_url}/v1/completions", body)["choices"][0]["text"]
    return text
