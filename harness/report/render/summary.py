"""The report in ten lines of Markdown, for a pull request or a chat."""

from collections.abc import Sequence

from harness.report.model import Check, Report
from harness.report.render.markdown import code_span, escape
from harness.report.text import count

LINES = 10
_ARMS, _ERRORS = 4, 2


def render_summary(report: Report) -> str:
    """The answer, what was measured, each API's sentence, and what stands in the way: ten lines at most."""
    lines = [f"**{escape(report.headline)}.**", f"{escape(report.title)}: {escape(report.measured)}"]
    shown = report.verdicts[:_ARMS]
    lines += [f"- **{escape(one.arm)}**: {escape(one.sentence)}" for one in shown]
    if len(report.verdicts) > len(shown):
        lines.append(f"- {count(len(report.verdicts) - len(shown), 'more API')} in the report")
    lines += [
        f"- **{escape(one.level)}**: {escape(one.message)} ({code_span(one.code)})" for one in report.notices[:_ERRORS]
    ]
    rest = (*report.notices[_ERRORS:], *report.warnings)
    if rest:
        lines.append(f"- {count(len(rest), 'more finding' if report.notices else 'warning')}: {_codes(rest)}")
    assert len(lines) <= LINES
    return "\n".join(lines) + "\n"


def _codes(checks: Sequence[Check]) -> str:
    return ", ".join(code_span(code) for code in dict.fromkeys(check.code for check in checks))
