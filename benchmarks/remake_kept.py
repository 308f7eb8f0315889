"""Makes the runs in results/kept/ and their figures again, on this machine; nothing else should run beside it.

    python benchmarks/remake_kept.py              # all: six to twelve minutes on 2 cores
    python benchmarks/remake_kept.py --reports    # no measuring: figures and reports of the runs that are there

A run of quickstart and one of engines on every engine take the place of those that are kept. Runs of machines that are
not here (a rented GPU box) are only analysed again, from their records. What names the machine it ran on is taken out.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = Path(__file__).parent.parent / "results" / "kept"
MEASURED_HERE = ("quickstart", "engines")
LEFT_OUT = ("report.html", "load.log", "engine.log")
LOCAL_KERNEL = re.compile(r"(Linux-\d+\.\d+\.\d+)-\S+?-(x86_64|aarch64)")


def breakeven(*arguments: str) -> None:
    """Run the command; a finding that says do not trust it (3) is no failure here."""
    command = [sys.executable, "-m", "harness", *arguments]
    code = subprocess.run(command, check=False, cwd=KEPT.parent.parent).returncode
    if code not in (0, 3):
        sys.exit(f"breakeven {' '.join(arguments)} ended with {code}")


def measure() -> None:
    """Measure what can be measured here, and let it take the place of what is kept."""
    with tempfile.TemporaryDirectory() as place:
        breakeven("run", "quickstart", "--out", place)
        breakeven("run", "engines", "--backend", "all", "--out", place)
        for old in KEPT.iterdir():
            if any(f"-{name}-" in old.name for name in MEASURED_HERE):
                shutil.rmtree(old)
        for new in Path(place).iterdir():
            if (new / "run.json").exists():
                shutil.copytree(new, KEPT / new.name)


def tidy(run_dir: Path) -> None:
    """Leave out what is large, and what names the machine."""
    for name in LEFT_OUT:
        (run_dir / name).unlink(missing_ok=True)
    path = run_dir / "run.json"
    run = json.loads(path.read_text())
    run["client"]["hostname"] = "vm"
    run["client"]["platform"] = LOCAL_KERNEL.sub(r"\1-\2", run["client"].get("platform") or "")
    path.write_text(json.dumps(run, indent=2) + "\n")


def main() -> int:
    """Measure, analyse again, tidy up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", action="store_true", help="figures and reports alone")
    if not parser.parse_args().reports:
        measure()
    for run_dir in sorted(KEPT.iterdir()):
        if (run_dir / "run.json").exists():
            tidy(run_dir)
            breakeven("report", str(run_dir))
            tidy(run_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
