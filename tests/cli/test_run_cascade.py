"""A cascade against each of its models alone: three real runs, and what `compare` says of them."""

import json
from pathlib import Path

import pytest
from billing_api import Behaviour, BillingApi
from endpoint import Call, Endpoint
from task_answers import answering

from harness import cli

SCENARIO = """\
name: {name}
load: {{kind: closed, users: [2], warmup_s: 0.2}}
prompts: {{kind: tasks, file: tasks.jsonl, output_tokens: 5{more}}}
request: {{api: chat, timeout_s: 60}}
slo: {{preset: batch}}
"""
ESCALATE = ", on_failure: [escalate], escalate: {{url: '{url}', model: m, api: 'x:m'}}"
PRICES = """\
api:
  - {provider: x, model: m, input_usd_per_mtok: 3, output_usd_per_mtok: 15, source: a page, checked_on: 2026-11-01}
"""
TASKS, CHEAP, DEAR = 20, 8, 15  # in all; that the cheap model solves; that the dear one does, those among them


def task(n: int) -> str:
    pattern = "w" if n < DEAR else "never"
    return json.dumps({"id": f"t{n}", "prompt": f"Task {n} ?", "checker": {"kind": "regex", "pattern": pattern}})


def cheap(call: Call) -> str:
    """Solves the first of them; the dear one says ` w` to whatever it is asked."""
    said = call.body["messages"][0]["content"].split()
    return "w" if int(said[said.index("Task") + 1]) < CHEAP else "no idea"


def run(place: Path, name: str, url: str, *options: str, more: str = "") -> str:
    path, out = place / f"{name}.yaml", place / name
    path.write_text(SCENARIO.format(name=name, more=more))
    files = [str(path), "--prices", str(place / "p.yaml"), "--out", str(out)]
    assert cli.invoke(["run", *files, "--url", url, *options]) in {0, 3}  # a month of other lengths is not decided on
    (run_dir,) = out.iterdir()
    return str(run_dir)


@pytest.mark.slow
def test_the_whole_chain_says_who_went_on_and_what_a_solved_task_costs_in_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tasks.jsonl").write_text("".join(f"{task(n)}\n" for n in range(TASKS)))
    (tmp_path / "p.yaml").write_text(PRICES)
    behaviour = Behaviour(ttft_s=0.01)
    with Endpoint(post=answering(cheap)) as box, BillingApi(behaviour=behaviour) as dear, BillingApi() as taker:
        alone = run(tmp_path, "cheap", box.url, "--usd-per-hour", "1")
        api = run(tmp_path, "dear", dear.url, "--api", "x:m", "--max-usd", "2")
        both = run(tmp_path, "cascade", box.url, "--usd-per-hour", "1", more=ESCALATE.format(url=taker.url))
        billed, taken = float(dear.bill_usd()), list(taker.calls)

    assert cli.invoke(["compare", alone, api, both, "--out", str(tmp_path / "compared")]) == 0
    page = next((tmp_path / "compared").rglob("*.md")).read_text()
    assert "handed 60 % of its tasks on to x:m, which solved 7 of 12" in page
    assert "with them 75 % are solved, without 40 %" in page
    assert "as it was spent" in page
    of_runs = [json.loads((Path(one) / "metrics.json").read_text())["tasks"] for one in (alone, api, both)]
    assert [one["solved"] for one in of_runs] == [CHEAP, DEAR, DEAR]
    spent = json.loads((Path(api) / "run.json").read_text())["driven"]["spent_usd"]
    assert spent == pytest.approx(billed)
    escalated = of_runs[2]["escalated"]
    assert (escalated["tasks"], escalated["solved"]) == (TASKS - CHEAP, DEAR - CHEAP)
    assert len(taken) == TASKS - CHEAP
    assert float(sum(charge.usd for charge in taken)) < billed
