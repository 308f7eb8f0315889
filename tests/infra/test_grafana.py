"""The dashboard and what stands around it: made by its script, its queries read by Prometheus' own tool."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from live_events import LIVE

from harness.cli.metrics_port import RunMetrics
from harness.load.run_events import RoundBegun, StepBegun, Waits
from harness.load.spending.purse import Spent

PLACE = Path(__file__).parent.parent.parent / "infra" / "grafana"
DASHBOARD = json.loads((PLACE / "dashboard.json").read_text())


def queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    assert program is not None, "Debian: apt-get install prometheus"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_the_dashboard_is_what_its_script_makes() -> None:
    made: dict[str, Any] = runpy.run_path(str(PLACE / "make.py"))["dashboard"]()

    assert made == DASHBOARD


def test_prometheus_reads_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = promtool("check", "rules", str(tmp_path / "rules.yml"))

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_of_our_metrics_that_it_draws_is_one_that_a_run_tells() -> None:
    metrics = RunMetrics({})
    for event in (StepBegun(0, {"users": 1}, 0.0, 1.0), RoundBegun(1, 2, "attempts", 3, 0, 3), Waits(1), LIVE, Spent()):
        metrics.on_event(event)
    told = {sample.name for family in metrics.collect() for sample in family.samples}

    drawn = {name for query in queries() for name in re.findall(r"breakeven_\w+", query)}

    assert drawn <= told


def test_panels_lie_beside_each_other_and_each_has_a_number_of_its_own() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]

    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])


def test_prometheus_takes_its_configuration() -> None:
    done = promtool("check", "config", str(PLACE / "prometheus.yml"))

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_fits_its_schema_and_mounts_what_is_there() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(PLACE / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    services = yaml.safe_load((PLACE / "compose.yaml").read_text())["services"]
    mounted = [volume.split(":")[0] for service in services.values() for volume in service["volumes"]]

    assert [name for name in mounted if not (PLACE / name).is_file()] == []


def test_nothing_of_it_is_reached_from_outside() -> None:
    services = yaml.safe_load((PLACE / "compose.yaml").read_text())["services"]

    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
