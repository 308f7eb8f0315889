"""How big the base install is: the wheel of this checkout, without extras, in a fresh virtual environment.

    python benchmarks/install_size.py

Prints megabytes of disk, as uv leaves it and as pip does, which also compiles every module it installs (the
test suites inside pandas included), and the biggest packages. Exit code 1 when either is 400 MB or more.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

LIMIT_MB = 400
BIGGEST_SHOWN = 8
BYTES_PER_MB = 1_000_000
BLOCK_BYTES = 512  # the unit of st_blocks


def main() -> int:
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory(prefix="breakeven-install-size-") as temporary:
        place = Path(temporary)
        venv.create(place / "venv", with_pip=True)
        empty_mb = _disk_mb(place / "venv")
        python = place / "venv" / "bin" / "python"
        _run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", place, root)
        (wheel,) = place.glob("*.whl")
        _run(python, "-m", "pip", "install", "--quiet", "--no-compile", wheel)
        _run(python, "-c", "import harness.cli")
        (site,) = (place / "venv" / "lib").glob("python*/site-packages")
        plain_mb = _disk_mb(place / "venv") - empty_mb
        subprocess.run(
            [python, "-m", "compileall", "-q", site], stdout=subprocess.DEVNULL
        )  # fails on templates
        compiled_mb = _disk_mb(place / "venv") - empty_mb
        packages = sorted(((_disk_mb(p), p.name) for p in site.iterdir() if p.is_dir()), reverse=True)
    print(f"wheel {wheel.name}")
    print(f"installed {plain_mb:.0f} MB, {compiled_mb:.0f} MB with all modules compiled (limit {LIMIT_MB})")
    print(f"the empty environment is {empty_mb:.0f} MB more; the biggest, compiled:")
    for size_mb, name in packages[:BIGGEST_SHOWN]:
        print(f"  {size_mb:7.1f} MB  {name}")
    return 0 if max(plain_mb, compiled_mb) < LIMIT_MB else 1


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def _disk_mb(folder: Path) -> float:
    """Disk that the files of `folder` take, in blocks as `du` counts them; links are not followed."""
    blocks = sum(p.lstat().st_blocks for p in folder.rglob("*"))
    return blocks * BLOCK_BYTES / BYTES_PER_MB


if __name__ == "__main__":
    sys.exit(main())
