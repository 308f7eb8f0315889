"""The report of a decision on a goodput that was given: what a run would have measured is left out."""

import shlex

from harness.base.rounding import significant
from harness.report.glossary import with_glossary
from harness.report.model import Code, Report, Text, section
from harness.report.money.money import console_arms_table, instance_words
from harness.report.money.solved import solved_blocks
from harness.report.sections import SOLVED, doubt_section, filled, folded, priced_sections, token_blocks
from harness.report.text import clean, interval, rate
from harness.report.trust.provenance import decided_on_table
from harness.report.verdict import demand_facts, errors_of, findings, headline, notices, verdict_note, verdicts
from harness.rundir.decision import Decision
from harness.rundir.results import Goodput

_METHOD = (
    "Nothing was measured. What the box serves was given; the rest is the demand, the price of the instance and the "
    "prices of the APIs. Each side's month is computed at every volume: whole instances, an API task by task."
)


def given_report(decision: Decision, demand: str, command: tuple[str, ...]) -> Report:
    """Everything the printers print of a demand that was priced without a run; `command` made it."""
    box = decision.self_host
    within = _range(box.goodput)
    checks = findings(decision.checks)
    stops = notices(checks, is_partial=False)
    facts = (
        *demand_facts(decision),
        ("instance", f"{clean(box.instance.id)}, {instance_words(box.instance)}"),
        ("goodput", f"given: {box.given}{within}"),
    )
    below = (
        section("tokens", "What a million tokens costs", *token_blocks(decision)),
        doubt_section(decision),
        section("solved", SOLVED, *solved_blocks(decision)),
        section("checks", "Checks", checks),
        section(
            "method",
            "Method and provenance",
            Text(_METHOD),
            decided_on_table(decision),
            Text("The same decision again:"),
            Code(shlex.join(command)),
        ),
    )
    report = Report(
        title=f"{clean(demand)} · {clean(box.instance.id)} · priced without a run",
        headline=headline(decision, errors_of(stops)),
        facts=facts,
        notices=stops,
        verdicts=verdicts(decision),
        verdict_note=verdict_note(decision),
        sections=(*filled(priced_sections(decision)), *folded(filled(below))),
        measured=f"goodput {rate(box.goodput.requests_per_s if box.goodput else None)}{within}, given: {box.given}",
        console_table=console_arms_table(decision),
        warnings=tuple(check for check in checks.items if check.level != "error"),
    )
    return with_glossary(report)


def _range(goodput: Goodput | None) -> str:
    """` (0.500 to 0.700 req/s)`, where --low or --high gave one."""
    if goodput is None or (goodput.low is None and goodput.high is None):
        return ""
    upto = f"up to {significant(goodput.high)}" if goodput.high is not None else ""
    return f" ({upto if goodput.low is None else interval(goodput.low, goodput.high)} req/s)"
