"""Writes dashboard.json: the client's figures beside the engine's own, over one time axis.

python infra/grafana/make.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from harness.metrics.catalogue import CATALOGUES

DASHBOARD = Path(__file__).parent / "dashboard.json"
WIDTH, HEIGHT = 12, 8  # of a panel, of a grid 24 wide

Drawn = tuple[str, str]  # a query, and its legend


def of_engines(quantity: str, words: str, query: str = "{}") -> tuple[Drawn, ...]:
    """A quantity under the name that each engine has for it, as the analysis reads it too."""
    return tuple(
        (query.format(catalogue.names[quantity][0]), f"{words} {engine}")
        for engine, catalogue in CATALOGUES.items()
        if quantity in catalogue.names
    )


# title, unit as Grafana calls it, and what is drawn
PANELS: tuple[tuple[str, str, tuple[Drawn, ...]], ...] = (
    (
        "Load: users, and requests under way",
        "short",
        (
            ("breakeven_step_users", "users asked for"),
            ("breakeven_requests_in_flight", "under way, by the client"),
            *of_engines("requests_running", "running, by"),
            *of_engines("requests_waiting", "waiting, by"),
        ),
    ),
    (
        "Output tokens per second",
        "short",
        (
            ("rate(breakeven_output_tokens_total[15s])", "received by the client"),
            *of_engines("generation_tokens", "counted by", "rate({}[15s])"),
        ),
    ),
    (
        "Time to first token",
        "s",
        (
            ('breakeven_ttft_seconds{quantile="0.5"}', "median of the last ten seconds"),
            ('breakeven_ttft_seconds{quantile="1"}', "longest of the last ten seconds"),
            *of_engines("ttft_s", "median, by", "histogram_quantile(0.5, sum by (le) (rate({}_bucket[30s])))"),
        ),
    ),
    (
        "Requests a second",
        "reqps",
        (
            ("rate(breakeven_requests_finished_total[15s])", "finished"),
            ("rate(breakeven_requests_failed_total[15s])", "failed"),
            ("rate(breakeven_requests_not_sent_total[15s])", "dropped"),
        ),
    ),
    ("KV cache in use", "percentunit", of_engines("kv_cache_usage", "in use, by")),
    (
        "Is the client in the way?",
        "short",
        (
            ("breakeven_client_cpu_ratio", "busiest load process, of one core"),
            ("breakeven_client_loop_lag_seconds * 1000", "longest hold-up, ms"),
        ),
    ),
)


def main() -> None:
    DASHBOARD.write_text(json.dumps(dashboard(), indent=2) + "\n", encoding="utf-8")


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it; the data source is asked for."""
    return {
        "uid": "breakeven",
        "title": "Breakeven: a running test",
        "tags": ["breakeven", "llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "source",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {},
                    "hide": 0,
                }
            ]
        },
        "annotations": {
            "list": [
                {
                    "name": "steps",
                    "datasource": _SOURCE,
                    "enable": True,
                    "iconColor": "blue",
                    "expr": "changes(breakeven_step[5s]) > 0",
                    "titleFormat": "next step",
                }
            ]
        },
        "panels": [_panel(number, *panel) for number, panel in enumerate(PANELS)],
    }


_SOURCE = {"type": "prometheus", "uid": "${source}"}


def _panel(number: int, title: str, unit: str, drawn: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for i, (query, legend) in enumerate(drawn)
        ],
    }


if __name__ == "__main__":
    main()
