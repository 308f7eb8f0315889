"""Times and counts that no request can have: a damaged file, a -1 for "unknown", a clock that was set."""

import pandas as pd

from harness.base.stats import Floats
from harness.checks.finding import check
from harness.rundir.impossible import cannot_be, in_words
from harness.rundir.result import Check

_MUST = ("scheduled_s", "sent_s", "finished_s")  # of a request that was answered


def without_impossible(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Check]]:
    """The records with what cannot be (`harness/rundir/impossible.py`) as unknown, and a finding where there is such.

    Nor can an answer be that has no time of its own. One pass over `records` (`store.read_records`), which stays as it
    is.
    """

    def column(name: str) -> Floats:
        return records[name].to_numpy(dtype=float, na_value=float("nan"))

    wrong = cannot_be(column)
    clean = records.assign(**{name: records[name].mask(bad) for name, bad in wrong.items() if bad.any()})
    answered = records["error"].isna().to_numpy()
    for name in _MUST:
        wrong[name] |= answered & records[name].isna().to_numpy()
    if not any(bad.any() for bad in wrong.values()):
        return records, []
    hint = "the records are damaged, were changed by hand, or the machine's clock was set during the run"
    return clean, [check("impossible_values", "error", in_words(wrong, len(records)), hint)]
