"""The report as one HTML file that asks nobody for anything."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness.report.charts.svg import swatch
from harness.report.glossary import explained
from harness.report.model import Report
from harness.rundir.decision import Decision

TEMPLATES = Path(__file__).parent / "templates"


def render_html(report: Report, decision: Decision | None) -> str:
    """The whole page, with `decision` embedded so that the page can recompute and a reader can keep it."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            css=_text("report.css"),
            page_script=_text("page.js"),
            scripts=[_text(name) for name in ("decide.js", "chart.js", "whatif.js")],
            decision_json=embedded_json(decision.to_dict()) if decision is not None else None,
        )
    )


def _text(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["embedded"] = embedded_json
    environment.filters["drawn"] = Markup  # SVG of our own, whose texts were escaped when it was drawn
    environment.filters["swatch"] = swatch
    environment.filters["explained"] = explained
    environment.filters["longest_line"] = lambda text: max(map(len, text.splitlines()), default=0)
    environment.tests["block"] = lambda block, name: type(block).__name__ == name
    return environment


def embedded_json(data: Mapping[str, Any]) -> Markup:
    """JSON for a script element: no text inside can close the element or open a comment."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
