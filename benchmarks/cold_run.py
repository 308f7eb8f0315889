"""How long `make run` takes on a machine that has nothing yet, and the second time.

    python benchmarks/cold_run.py               caches of pip, uv and ours start empty
    python benchmarks/cold_run.py --keep-caches

Clones what is committed here into a temporary folder. Exit code 1 when `make run` fails, takes 15 minutes
or more cold, or 150 s or more warm.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COLD_LIMIT_S = 900
WARM_LIMIT_S = 150
GIVE_UP_S = 2400
TAIL_LINES = 40


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep-caches", action="store_true", help="use this user's caches")
    options = parser.parse_args()
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory(prefix="breakeven-cold-run-") as temporary:
        checkout = Path(temporary) / "checkout"
        subprocess.run(["git", "clone", "--quiet", str(root), str(checkout)], check=True)
        environment = _environment(Path(temporary) / "cache", keep=options.keep_caches)
        cold_s = _make_run(checkout, environment)
        print(f"cold `make run`: {cold_s:.0f} s (limit {COLD_LIMIT_S})", flush=True)
        warm_s = _make_run(checkout, environment)
        print(f"warm `make run`: {warm_s:.0f} s (limit {WARM_LIMIT_S})")
    return 0 if cold_s < COLD_LIMIT_S and warm_s < WARM_LIMIT_S else 1


def _environment(cache: Path, *, keep: bool) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    if not keep:
        names = {"XDG_CACHE_HOME": "", "PIP_CACHE_DIR": "pip", "UV_CACHE_DIR": "uv"}
        environment |= {name: str(cache / folder) for name, folder in names.items()}
    return environment


def _make_run(checkout: Path, environment: dict[str, str]) -> float:
    """Seconds of one `make run`; ends this program with the end of its output when it fails."""
    began = time.monotonic()
    log = checkout.parent / "make-run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run"],
            cwd=checkout,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | str = process.wait(GIVE_UP_S)
        except subprocess.TimeoutExpired:
            code = f"not ended after {GIVE_UP_S} s"
        finally:
            if process.poll() is None:  # also on Ctrl-C: nothing is left running
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    if code != 0:
        tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        sys.exit("\n".join([*tail, f"`make run` failed: {code}"]))
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
