"""`python -m harness` is `breakeven`."""

from harness.cli import main

main()
