"""Attack breakeven in every way that is known, and count what did not hold.

    python benchmarks/attack                     all of them, as often as the project promises
    python benchmarks/attack kills peers         some
    python benchmarks/attack kills --count 10 --seed 7

One line an attack; exit code 1 where one of them did not hold. The same seed tries the same things. What a bad one left
behind is kept below `--out`.
"""

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support"), str(Path(__file__).parent)]

from result import Result

ATTACKS = {
    "streams": "answers as no server should give them, read by the real sender",
    "files": "damaged prompt files, traces, YAML and prices",
    "run_dirs": "damaged run directories, reported",
    "endpoints": "endpoints that flood, stall and lie, against real runs",
    "kills": "a process of a run killed, at a moment",
    "spending": "an API that bills, limits and fails, driven within a spending limit",
    "peers": "strangers, and holders of the token gone bad, at the port of a run with workers elsewhere",
}


def main() -> int:
    given = _parse()
    held = [_tried(name, given) for name in given.names or ATTACKS]
    return 0 if all(held) else 1


def _tried(name: str, given: argparse.Namespace) -> bool:
    attack = importlib.import_module(name)
    out_dir = given.out / name
    out_dir.mkdir(parents=True, exist_ok=True)
    count = attack.DEFAULT_COUNT if given.count is None else given.count
    began_s = time.monotonic()
    result: Result = attack.attack(count, given.seed, out_dir)
    for line in result.bad:
        print(f"  {line}")
    held = result.tried - len(result.bad)
    print(f"{name}: {held:,} of {result.tried:,} held, {time.monotonic() - began_s:.0f} s; {result.note}", flush=True)
    return not result.bad


def _parse() -> argparse.Namespace:
    attacks = "\n".join(f"  {name:10} {text}" for name, text in ATTACKS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"attacks:\n{attacks}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the attacks below [all]")
    parser.add_argument("--count", type=int, help="how many of each [as many as the project promises]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where it works, and leaves what did not hold [a temporary place]")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in ATTACKS]
    if unknown:
        parser.error(f"no such attack: {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
    if given.out is None:
        given.out = Path(tempfile.mkdtemp(prefix="breakeven-attack-"))
    return given


if __name__ == "__main__":
    sys.exit(main())
