"""A team's own conditions on a run, for CI: exit code 1 when one does not hold.

python examples/check_run.py results/<run> --at-least 0.5 --first-token-s 3
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd


def main() -> int:
    """The goodput's lower end is high enough, and no long prompt waited too long; a line for each condition."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("run", type=Path)
    ask.add_argument("--at-least", type=float, required=True, help="goodput's lower end, requests a second")
    ask.add_argument("--first-token-s", type=float, required=True, help="for the slowest long prompt")
    ask.add_argument("--long", type=int, default=500, help="prompts from so many tokens on [500]")
    given = ask.parse_args()

    metrics = json.loads((given.run / "metrics.json").read_text())
    goodput = metrics["goodput"]  # null: no step met the SLO
    low = goodput["low"] if goodput and goodput["low"] is not None else 0.0
    decisive = [s for s in metrics["steps"] if goodput and s["step"] == goodput["step"]]
    rows = pd.read_parquet(given.run / "records.parquet")
    slowest_s = float("inf")  # nothing was seen, so nothing holds
    for window in (step["window"] for step in decisive):
        inside = rows.scheduled_s.between(window["start_s"], window["end_s"], inclusive="left")
        long = rows[inside & rows.error.isna() & (rows.prompt_tokens >= given.long)]
        slowest_s = float((long.first_token_s - long.sent_s).max(skipna=False)) if len(long) else slowest_s

    holds = {f"goodput {low:.3f} req/s": low >= given.at_least}
    holds[f"slowest first token {slowest_s:.2f} s"] = slowest_s <= given.first_token_s
    for words, held in holds.items():
        print(f"{'ok' if held else 'FAILED':<7} {words}")
    return 0 if all(holds.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
