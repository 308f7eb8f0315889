"""`python -m harness` is `breakeven`, and as there the current directory is no place to import from."""

import os
import sys

_OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 - a pathlib.py may lie there too
sys.path[:] = [place for place in sys.path if os.path.realpath(place) != os.path.realpath("") or place == _OURS]

from harness.cli import main  # noqa: E402

main()
