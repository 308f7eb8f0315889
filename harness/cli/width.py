"""How wide a terminal is."""

import shutil
import sys

PAGE = 100  # columns of what is printed where there is no terminal


def columns() -> int:
    """Of the terminal that is printed to; of a pipe or a file those of a page."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PAGE
