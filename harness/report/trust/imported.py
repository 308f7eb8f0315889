"""Of a run that another tool measured: who, from which files, and where its figures are not what ours would be."""

from harness.report.model import Block, Cell, Table, Text, words_table
from harness.report.text import clean
from harness.rundir.imported import Imported


def imported_blocks(imported: Imported | None) -> tuple[Block, ...]:
    """Nothing of a run of ours."""
    if imported is None:
        return ()
    facts = [("tool", imported.words), ("layout", imported.layout), ("files", ", ".join(imported.files))]
    if imported.command:
        facts.append(("its command", imported.command))
    said = [("differs", text) for text in imported.differences] + [("not told", text) for text in imported.unknown]
    return (
        Text(_figures(imported), "warn" if imported.rows == "none" else ""),
        _table("What it is read from", facts),
        words_table("Where it is not a run of Breakeven's", ("what", "in words"), [(w, clean(t)) for w, t in said]),
    )


def _figures(imported: Imported) -> str:
    if imported.rows == "none":
        return (
            f"{imported.tool} measured this and kept no single requests: rates and percentiles are its own, over its "
            "whole time, and no goodput follows from them."
        )
    return (
        f"{imported.tool} measured this. Times and tokens of every request are as its file has them; windows, rates, "
        "percentiles and verdicts are computed from them as for a run of Breakeven's."
    )


def _table(caption: str, facts: list[tuple[str, str]]) -> Table:
    return words_table(caption, ("what", "value"), [(what, Cell(clean(value), code=True)) for what, value in facts])
