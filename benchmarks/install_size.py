"""How big the base install is: the wheel of this checkout, without extras, in a fresh virtual environment.

    python benchmarks/install_size.py

Prints the megabytes that `du -sm` gives for the whole environment, pip included, as pip leaves it (every module
compiled, the test suites inside pandas too), and the biggest packages. Exit code 1 when it is above 410 MB.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

LIMIT_MB = 410
BIGGEST_SHOWN = 8


def main() -> int:
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory(prefix="breakeven-install-size-") as temporary:
        place = Path(temporary)
        venv.create(place / "venv", with_pip=True)
        empty_mb = _disk_mb(place / "venv")
        python = place / "venv" / "bin" / "python"
        _run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", place, root)
        (wheel,) = place.glob("*.whl")
        _run(python, "-m", "pip", "install", "--quiet", wheel)
        _run(place / "venv" / "bin" / "breakeven", "--version")
        whole_mb = _disk_mb(place / "venv")
        (site,) = (place / "venv" / "lib").glob("python*/site-packages")
        packages = sorted(((_disk_mb(p), p.name) for p in site.iterdir() if p.is_dir()), reverse=True)
    print(f"{wheel.name} installed: {whole_mb} MB (limit {LIMIT_MB}), {empty_mb} MB of them an empty environment")
    for size_mb, name in packages[:BIGGEST_SHOWN]:
        print(f"  {size_mb:4} MB  {name}")
    return 0 if whole_mb <= LIMIT_MB else 1


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def _disk_mb(folder: Path) -> int:
    """What `du -sm` says: blocks on disk, in units of 1,048,576 bytes, rounded up."""
    said = subprocess.run(["du", "-sm", str(folder)], check=True, capture_output=True, text=True).stdout
    return int(said.split()[0])


if __name__ == "__main__":
    sys.exit(main())
