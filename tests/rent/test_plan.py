"""A plan file: what is measured, what it takes at most, and what is wrong with it in one line."""

import io
from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.cli import invoke
from harness.rent.ledger import Book, new_ledger
from harness.rent.plan import bound_of, cells_of, read_plan, sent_with

PLAN = """\
name: try
instance: c7i.large
usd_per_hour: 2
engines: [llama_server, vllm]
models: [small.gguf, null]
scenarios: [open]
budget: {usd: 1, hours: 4}
"""


TRACE = "arrival_s,input_tokens,output_tokens\n0,10,10\n"


def written(place: Path, text: str) -> Path:
    path = place / "plan.yaml"
    path.write_text(text)
    return path


def test_every_engine_has_every_model_under_every_scenario(tmp_path: Path) -> None:
    cells = cells_of(read_plan(written(tmp_path, PLAN)), tmp_path)

    assert [(cell.engine, cell.model) for cell in cells] == [
        ("llama_server", "small.gguf"),
        ("llama_server", None),
        ("vllm", "small.gguf"),
        ("vllm", None),
    ]
    assert len({cell.id for cell in cells}) == 4


def test_a_measurement_keeps_its_name_until_its_scenario_changes(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nload: {kind: closed, users: [1], step_s: 8}\n")
    plan = read_plan(written(tmp_path, PLAN.replace("[open]", "[mine.yaml]")))
    before = cells_of(plan, tmp_path)
    same = cells_of(plan, tmp_path)

    (tmp_path / "mine.yaml").write_text("name: mine\nload: {kind: closed, users: [2], step_s: 8}\n")

    assert same == before
    assert {cell.id for cell in cells_of(plan, tmp_path)} & {cell.id for cell in before} == set()


@pytest.mark.parametrize(
    ("named", "name", "content", "other"),
    [
        ("load: {kind: trace, file: logs/day.csv}", "logs/day.csv", TRACE + "1,10,10\n", TRACE + "2,10,10\n"),
        (
            "prompts: {kind: file, path: asked.jsonl}",
            "asked.jsonl",
            '{"prompt": "what is it"}\n',
            '{"prompt": "what was it"}\n',
        ),
    ],
)
def test_a_scenario_takes_its_files_along_and_is_another_measurement_with_other_ones(
    tmp_path: Path, named: str, name: str, content: str, other: str
) -> None:
    (tmp_path / "mine.yaml").write_text(f"name: mine\n{named}\n")
    (tmp_path / "logs").mkdir()
    (tmp_path / name).write_text(content)
    plan = read_plan(written(tmp_path, PLAN.replace("[open]", "[mine.yaml]")))
    before = cells_of(plan, tmp_path)

    assert list(sent_with(tmp_path / "mine.yaml")) == [name]
    (tmp_path / name).write_text(other)
    assert {cell.id for cell in cells_of(plan, tmp_path)} & {cell.id for cell in before} == set()


@pytest.mark.parametrize("name", ["../asked.jsonl", "/etc/asked.jsonl"])
def test_a_file_that_would_lie_elsewhere_on_a_box_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "asked.jsonl").write_text('{"prompt": "what is it"}\n')
    told = name.replace("/etc", str(tmp_path))
    (inner / "mine.yaml").write_text(f"name: mine\nprompts: {{kind: file, path: {told}}}\n")

    assert invoke(["rent", "plan", str(written(inner, PLAN.replace("[open]", "[mine.yaml]")))]) == 2
    assert f"its file {told} does not lie below the scenario's folder" in capsys.readouterr().err


def test_the_bound_is_time_times_price_and_the_budget_caps_both(tmp_path: Path) -> None:
    """1 USD at 2 USD an hour is half an hour, less than the 4 hours."""
    plan = read_plan(written(tmp_path, PLAN))

    bound = bound_of(plan, cells_of(plan, tmp_path))

    assert bound.usd == pytest.approx(2 * bound.hours)
    assert (bound.capped_hours, bound.capped_usd) == (0.5, 1.0)
    assert bound.is_capped


def test_planning_spends_nothing_and_says_the_most(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["rent", "plan", str(written(tmp_path, PLAN))]) == 0

    said = capsys.readouterr().out
    assert said.startswith("try: 4 measurements on one c7i.large (local) at USD 2/h\n")
    assert "ends it at 0.50 h, USD 1.00, before all is measured if need be" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("engines: [llama_server, vllm]", "engines: [lama]"), "no engine `lama`; known: "),
        (("engines: [llama_server, vllm]", "engines: []"), "engines"),
        (("usd: 1", "usd: -1"), "budget.usd"),
        (("hours: 4", "hours: 4, minutes: 3"), "minutes"),
        (("name: try", "name: Two Words"), "name"),
        (("scenarios: [open]", "scenarios: [nowhere]"), "no scenario `nowhere`"),
        (("scenarios: [open]", "scenarios: [open, open]"), "the plan names a measurement twice"),
        (("instance: c7i.large\nusd_per_hour: 2", "instance: c7i.largest"), "c7i.largest"),
    ],
)
def test_what_is_wrong_with_a_plan_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], said: str
) -> None:
    assert invoke(["rent", "plan", str(written(tmp_path, PLAN.replace(*change)))]) == 2

    assert said in capsys.readouterr().err


def test_a_plan_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plan"):
        read_plan(tmp_path / "none.yaml")


def test_a_run_needs_a_plan_or_what_an_earlier_one_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["rent", "run"]) == 2
    assert "name a plan, or --resume an earlier run's folder" in capsys.readouterr().err


def test_a_run_whose_scenarios_were_changed_is_not_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nload: {kind: closed, users: [1], step_s: 8}\n")
    plan = read_plan(written(tmp_path, PLAN.replace("[open]", "[mine.yaml]")))
    Book(tmp_path, new_ledger(plan, cells_of(plan, tmp_path))).note()
    (tmp_path / "mine.yaml").write_text("name: mine\nload: {kind: closed, users: [2], step_s: 8}\n")

    assert invoke(["rent", "run", "--resume", str(tmp_path)]) == 2
    assert "its scenarios were changed since it was begun" in capsys.readouterr().err


def test_without_a_yes_nothing_is_rented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    assert invoke(["rent", "run", str(written(tmp_path, PLAN)), "--out", str(tmp_path / "out")]) == 130
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("apis: [nobody:x]", "unknown API provider `nobody`"),
        ("apis: [openai:gpt-4.1, openai:no-such]", "unknown API model `no-such` at `openai`"),
        ("demand: nowhere", "no such demand file: nowhere"),
        ("demand: mine.yaml", "the plan's `demand` is a file, mine.yaml"),
    ],
)
@pytest.mark.parametrize("command", [["plan"], ["run", "--yes"]])
def test_what_the_measurements_would_refuse_is_refused_before_a_box_is_paid_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    line: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(
        "volume: {requests_per_month: 1000}\nclasses: [{input_tokens: 9, output_tokens: 9}]\n"
    )
    plan = written(tmp_path, PLAN + line + "\n")

    assert invoke(["rent", *command, str(plan)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")
    assert not (tmp_path / "results").exists()


def test_a_variable_that_is_not_set_is_named_before_a_box_is_paid_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NOT_SET_HERE", raising=False)
    plan = written(tmp_path, PLAN + "env: [NOT_SET_HERE]\n")

    assert invoke(["rent", "run", "--yes", str(plan)]) == 2
    assert capsys.readouterr().err == "error: the plan's `env` names NOT_SET_HERE, which is not set here\n"
    assert not (tmp_path / "results").exists()
