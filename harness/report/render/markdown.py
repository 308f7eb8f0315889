"""The report as Markdown, for a pull request. Outside text cannot become markup, a link or a table's edge."""

import re
from collections.abc import Sequence

from harness.report import model

_SPECIAL = re.compile(r"([\\`*\[\]<>|~#&])")
_EDGE_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")  # inside a word it means nothing


_QUOTED = re.compile(r"(?<!`)`([^`|\n]+)`(?!`)")  # a key or a command, as messages quote them


def escape(text: str) -> str:
    """Text that Markdown prints as it is; what it quotes in backticks stays a code span."""
    parts = _QUOTED.split(text)
    if len(parts) == 1:
        return _escape(text)
    return "".join(code_span(part) if i % 2 else _escape(part) for i, part in enumerate(parts))


def _escape(text: str) -> str:
    safe = _EDGE_UNDERSCORE.sub(r"\\_", _SPECIAL.sub(r"\\\1", text))
    safe = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", safe)  # "1." would open a list
    safe = re.sub(r"^([+=-])", r"\\\1", safe)
    return safe.replace("@", "@\u200b").replace("://", ":\u200b//")  # mentions nobody, links nowhere


def code_span(text: str, *, in_table: bool = False) -> str:
    """Text in the fixed-width face, whatever backticks it holds."""
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    inside = text.replace("|", "\\|") if in_table else text
    return f"{fence}{pad}{inside}{pad}{fence}"


def render_markdown(report: model.Report) -> str:
    """The whole report."""
    lines = [f"# {escape(report.title)}", ""]
    lines += [f"> **{_level(notice)}**: {_said(notice)}" + "\n>" for notice in report.notices]
    if report.notices:
        lines[-1] = lines[-1].removesuffix("\n>")
        lines.append("")
    lines += [f"**{escape(report.headline)}.**", ""]
    for verdict in report.verdicts:
        detail = f" {escape(verdict.detail)}" if verdict.detail else ""
        lines.append(f"- **{escape(verdict.arm)}** ({escape(verdict.kind)}): {escape(verdict.sentence)}{detail}")
        months = " · ".join(f"{month.whose} {month.usd} ({month.made_of})" for month in verdict.months)
        lines += [f"  - {escape(months)}"] if months else []
    if report.verdict_note:
        lines += ["", escape(f"{report.verdict_note}.")]
    lines += ["", escape(report.measured), ""]
    lines += [f"- {escape(what)}: {escape(value)}" for what, value in report.facts]
    for i, section in enumerate(report.sections, 1):
        lines += ["", *_section(i, section)]
    return "\n".join(lines).rstrip() + "\n"


def _level(check: model.Check) -> str:
    where = f" ({check.where})" if check.where else ""
    return escape(f"{check.level}{where}")


def _said(check: model.Check) -> str:
    hint = f" Hint: {escape(check.hint)}." if check.hint else ""
    return f"{escape(check.message)} ({code_span(check.code)}).{hint}"


def _section(position: int, section: model.Section) -> list[str]:
    lines = [f"## {position}. {escape(section.title)}"]
    for block in section.blocks:
        lines += ["", *_block(block)]
    return lines


def _block(block: model.Block) -> list[str]:
    match block:
        case model.Code():
            return ["```sh", *block.text.replace("```", "'''").splitlines(), "```"]
        case model.Chart():
            return [f"**{escape(block.title)}** (drawn in report.html). {escape(block.alt)}"]
        case model.Text() | model.Panel():
            return [escape(block.text)]
        case model.Checks():
            return [line for check in block.items for line in _check(check)]
        case model.Table():
            notes = [line for note in block.notes for line in ("", escape(note))]
            return [f"**{escape(block.caption)}**", "", *_rows(block.columns, block.rows), *notes]


def _check(check: model.Check) -> list[str]:
    return [f"- **{_level(check)}** {_said(check)}", *(f"  - {escape(line)}" for line in check.more)]


def _rows(columns: Sequence[model.Column], rows: Sequence[model.Row]) -> list[str]:
    heads = [escape(c.title) + (f", {escape(c.unit.replace(chr(10), ' '))}" if c.unit else "") for c in columns]
    marks = ["---:" if c.right else ":---" for c in columns]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(marks)} |"]
    return lines + [f"| {' | '.join(_cell(cell, strong=row.strong) for cell in row.cells)} |" for row in rows]


def _cell(cell: model.Cell, *, strong: bool) -> str:
    text = code_span(cell.text, in_table=True) if cell.code else escape(cell.text)
    text = f"**{text}**" if strong and text else text
    return f"{text} ({escape(cell.note.replace(chr(10), ', '))})" if cell.note else text
