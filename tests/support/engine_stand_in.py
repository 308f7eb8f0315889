"""`breakeven engine` with a small Python program that stands for an engine."""

import subprocess
import sys
from pathlib import Path

import psutil
from engine_helpers import ROOT

# the command line, with a web server of files that comes up after `seconds` in place of two engines
COMMAND = """if True:
    import dataclasses, sys
    from harness import cli
    from harness.engines import ENGINES
    from harness.engines.kind import Identity, Launch

    SERVE = '''if True:
        import http.server, sys, time
        time.sleep(float(sys.argv[2]))
        http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
    '''

    def launch(model, settings, port, progress):
        return Launch([sys.executable, "-P", "-c", SERVE, str(port), sys.argv[1]], [], "its model", None)

    for name in ("llama_server", "vllm"):
        ENGINES[name] = dataclasses.replace(
            ENGINES[name], launch=launch, ready_path="/", identify=lambda _: Identity("1", "m"),
            install=lambda _: None, installed_version=lambda: "1",
        )
    cli.main(sys.argv[2:])
"""


def engines(below: Path) -> list[int]:
    """The stand-ins that run, by the directory in their environment (XDG_STATE_HOME)."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("XDG_STATE_HOME") == str(below)
            if ours and any("SimpleHTTPRequestHandler" in word for word in process.cmdline()[3:4]):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def begin(*arguments: str, seconds: float = 0) -> subprocess.Popen[str]:
    """`breakeven engine ...`"""
    command = [sys.executable, "-c", COMMAND, str(seconds), "engine", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def done(*arguments: str) -> tuple[int, str, str]:
    process = begin(*arguments)
    out, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert "this is a bug" not in said
    return process.returncode, out, said
