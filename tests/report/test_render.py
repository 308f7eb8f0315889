import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from report_cases import HOSTILE, NAMES, Case, case, changed
from rich.console import Console

from harness.base.errors import BreakevenError
from harness.cost.verdict import build_decision
from harness.demand.demand import load_demand
from harness.report import WIDTH, console_report, render_report
from harness.report.render.markdown import escape
from harness.rundir.decision import Decision
from harness.rundir.result import Result
from harness.rundir.results import Metrics, Step
from harness.scenario import bundled_scenarios_dir


def written(tmp_path: Path, given: Case) -> tuple[str, str]:
    """report.html and report.md of a run."""
    render_report(given.under(tmp_path))
    return (tmp_path / "report.html").read_text(encoding="utf-8"), (tmp_path / "report.md").read_text(encoding="utf-8")


def redecided(given: Case, change: Callable[[dict[str, Any]], object]) -> Case:
    """The run with another decision, where it was priced."""
    return given if given.decision is None else given._replace(decision=changed(given.decision, change))


def printed(given: Case, *, colour: bool) -> str:
    """What the console shows at 100 columns."""
    out = StringIO()
    terminal = {"force_terminal": True, "color_system": "truecolor"} if colour else {"no_color": True}
    Console(file=out, width=WIDTH, **terminal).print(console_report(given.under(Path("results/a-run"))))  # type: ignore[arg-type]
    return out.getvalue()


class Page(HTMLParser):
    """Elements and visible text of an HTML page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._hidden += tag in {"style", "script"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_run_is_written_small_and_whole(tmp_path: Path, name: str) -> None:
    html, markdown = written(tmp_path, case(name))

    assert len(html.encode()) < 3_000_000
    assert html.rstrip().endswith("</html>")
    assert markdown.startswith("# ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.md"]


def test_a_dozen_arms_still_make_a_chart_with_a_label_and_a_lane_each(tmp_path: Path) -> None:
    def twelve(data: dict[str, Any]) -> None:
        data["arms"] = [{**data["arms"][0], "name": f"api:{i}"} for i in range(12)]

    html, _ = written(tmp_path, redecided(case("two_windows"), twelve))

    wide = re.search(
        r'<div class="wide"><svg viewBox="0 0 980 (\d+)".*?</svg>', html[html.index('id="chart-cost"') :], re.DOTALL
    )
    assert wide is not None
    assert int(wide[1]) == 490 + 9 * 19  # nine lanes more than fit
    assert len(re.findall(r'class="lane arm-', wide[0])) == 24  # two windows in each of twelve lanes
    labels = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*class="end-label arm-\d">api:', wide[0])]
    assert len(labels) == 24
    assert len(set(labels)) == 24  # none lies on another


@pytest.mark.parametrize("name", NAMES)
def test_no_unknown_is_printed_as_a_number_or_left_empty(tmp_path: Path, name: str) -> None:
    html, markdown = written(tmp_path, case(name))

    says_no_nonsense(html, markdown, printed(case(name), colour=False))


def says_no_nonsense(html: str, markdown: str, console: str) -> None:
    for text in (Page(html).text, markdown, console):
        assert not re.search(r"\b(nan|NaN|inf|Infinity|None|null)\b|\$", text)
    assert "|  |" not in markdown
    assert not re.search(r"<td[^>]*></td>", html)


def test_html_and_markdown_say_the_same_sections_in_the_same_order(tmp_path: Path) -> None:
    html, markdown = written(tmp_path, case("two_windows"))

    titles = re.findall(r"<h2><span>\d+</span> (.*?)</h2>", html)

    assert titles == re.findall(r"^## \d+\. (.*)$", markdown, re.MULTILINE)
    assert titles[:5] == [
        "What if",
        "Measured beside needed",
        "Cost against volume",
        "The arms, a month and per task",
        "Throughput and latency against load",
    ]
    assert titles[-3:] == ["Checks", "Method and provenance", "Words used here"]


def test_the_page_asks_nobody_for_anything(tmp_path: Path) -> None:
    page = Page(written(tmp_path, case("two_windows"))[0])

    links = [
        value
        for tag, attributes in page.elements
        for key, value in attributes.items()
        if key in {"src", "href", "srcset", "action", "poster", "data"} or (tag == "object" and key == "data")
    ]

    assert links
    assert all(link is not None and link.startswith(("#", "data:,")) for link in links)


def test_an_error_is_the_first_thing_said_everywhere(tmp_path: Path) -> None:
    given = case("errors")
    assert given.decision is not None
    message = given.decision.checks[0].message
    html, markdown = written(tmp_path, given)

    assert printed(given, colour=False).splitlines()[0].startswith("error: the goodput was measured on requests of")
    assert markdown.splitlines()[2].startswith("> **error**: the goodput was measured on requests of another shape")
    body = Page(html[html.index("<body>") :]).text
    assert body.startswith(f"chat · vllm 0.10.1 · Tern-70B-Instruct · g5.12xlarge Do not decide on this run: {message}")
    assert body.index(f"error {message}") < body.index(given.decision.arms[0].sentence)


@pytest.mark.parametrize("name", NAMES)
def test_the_console_fits_100_columns_and_says_the_same_without_colour(name: str) -> None:
    plain, coloured = printed(case(name), colour=False), printed(case(name), colour=True)

    assert max(len(line) for line in plain.splitlines()) <= WIDTH
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_the_console_ends_with_where_the_report_is() -> None:
    assert printed(case("never"), colour=False).splitlines()[-1] == "report: results/a-run/report.html"


def test_percentiles_without_enough_samples_have_their_number_beside_them(tmp_path: Path) -> None:
    _, markdown = written(tmp_path, case("two_windows"))

    row = next(line for line in markdown.splitlines() if line.startswith("| **3** |") and "714" in line)

    # 66 requests: p50 and p90 have enough (p90 needs 64), p95 needs 130 and p99 662
    assert re.search(r"\*\*714\*\* \| \*\*[\d,]+\*\* \| \*\*[\d,]+\*\* \(n 66\) \| \*\*[\d,]+\*\* \(n 66\)", row)


def test_a_percentile_with_enough_samples_is_printed(tmp_path: Path) -> None:
    _, markdown = written(tmp_path, case("twelve_steps"))

    rows = [line for line in markdown.splitlines() if re.match(r"\| \**4\** \| 4 users", line)]

    assert sum("| 419 |" in row for row in rows) == 1  # 729 requests: p99 of the first token is 419 ms


def test_a_drawings_words_quote_no_percentile_without_enough_samples(tmp_path: Path) -> None:
    _, markdown = written(tmp_path, case("two_windows"))

    drawing = next(line for line in markdown.splitlines() if line.startswith("**Time to first token**"))

    assert "p99: too few requests at every load." in drawing  # as in the table below it
    assert "p50 " in drawing


def test_that_the_interval_changes_no_verdict_is_said_once(tmp_path: Path) -> None:
    def settle(data: dict[str, Any]) -> None:
        for arm in data["arms"]:
            ends = ("verdict_at_low", "verdict_at_high")
            arm["decision"]["interval"] = dict.fromkeys(ends, arm["decision"]["verdict"])

    given = redecided(case("two_windows"), settle)
    page, markdown = written(tmp_path, given)
    console = printed(given, colour=False)

    said = "All verdicts are the same at both ends of the measured goodput."
    plain = re.sub("</?abbr[^>]*>", "", page)  # the page says what goodput means
    assert [text.count(said) for text in (plain, markdown, console)] == [1, 1, 1]


def test_what_a_message_quotes_is_a_code_span(tmp_path: Path) -> None:
    assert escape("the limit is 1 % (`slo.error_rate`)") == "the limit is 1 % (`slo.error_rate`)"
    assert escape("`a_b` and <b>") == "`a_b` and \\<b\\>"


@pytest.mark.parametrize(
    ("text", "safe"),
    [("a ` b", "a \\` b"), ("``` x", "\\`\\`\\` x"), ("` a ``b` c", "\\` a \\`\\`b\\` c"), ("`a|b`", "\\`a\\|b\\`")],
)
def test_backticks_that_quote_nothing_are_no_markup(text: str, safe: str) -> None:
    assert escape(text) == safe


def test_numbers_of_the_arms_are_those_of_the_decision(tmp_path: Path) -> None:
    _, markdown = written(tmp_path, case("two_windows"))

    row = next(
        line for line in markdown.splitlines() if line.startswith("| anthropic:claude-sonnet-5-5") and "3 / 15" in line
    )

    # 400,000 * 0.00615 = 2,460; 2,460 - 12,807.23 = -10,347.23
    assert row == (
        "| anthropic:claude-sonnet-5-5 (frontier API) | 3 / 15 (a test, checked 2026-11-01) "
        "| 0.00615 | 2,460 | −10,347 | 2.76M | 3.43M |"
    )


def test_every_number_says_whether_it_was_measured_listed_or_assumed(tmp_path: Path) -> None:
    _, markdown = written(tmp_path, case("two_windows"))

    table = markdown[markdown.index("Every number that the verdict rests on") :]

    assert "| goodput | 0.600 req/s (0.583 to 0.617, 95 %, one run's) at 4 users | measured | step 3, 4 users," in table
    assert "| 5.672 USD/h | listed | a list, checked 2026-11-01 |" in table
    assert "| tasks a month | 400,000 tasks | assumed | demand support-agent |" in table


# of a fixed set of words, or dates: another word there is refused when the file is read
OWN_WORDS = {
    "scenario",
    "kind", "level", "role", "verdict", "slo_verdict", "winner", "verdict_at_low", "verdict_at_high", "checked_on",
    "date", "winner_at_low", "winner_at_high", "convention", "arm", "line", "drawn", "said_by",
}  # fmt: skip


def _with_hostile_words(value: Any) -> Any:
    if isinstance(value, Result):
        return type(value).model_validate(_with_hostile_words(value.to_dict()))
    if isinstance(value, dict):
        return {key: item if key in OWN_WORDS else _with_hostile_words(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_hostile_words(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def test_hostile_names_stay_text_everywhere(tmp_path: Path) -> None:
    given = case("two_windows")
    hostile = Case(*(_with_hostile_words(part) for part in given))
    html, markdown = written(tmp_path, hostile)
    page = Page(html)

    assert [attributes for tag, attributes in page.elements if tag == "script" and "type" not in attributes] == [
        attributes
        for tag, attributes in Page(written(tmp_path, given)[0]).elements
        if tag == "script" and "type" not in attributes
    ]
    assert "<script>alert" not in html
    assert "alert(1)" in page.text
    for text in (html, markdown, printed(hostile, colour=False)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    prose = re.sub(r"(?s)(?<!\\)(`+).*?(?<!\\)\1", "", markdown)  # without what is in the fixed-width face
    assert not re.search(r"(?<!\\)(\]\(|<script)", prose)


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_table_has_its_columns_whatever_the_names(tmp_path: Path, name: str) -> None:
    def rename(data: dict[str, Any]) -> None:
        for arm in data["arms"]:
            arm["name"] = "a|b`c|d"

    html, markdown = written(tmp_path, redecided(case(name), rename))

    for block in markdown.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1
    for table in re.findall(r"<table>.*?</table>", html, re.DOTALL):
        assert len({len(re.findall(r"<t[hd][ >]", row)) for row in table.split("</tr>")[:-1]}) == 1


OLDER = ["anthropic:claude-sonnet-4-6", "openai:gpt-4.1-mini"]  # 3/15 and 0.40/1.60


def real_decision(given: Case) -> Decision:
    """decision.json as the cost model makes it: the article's support agent on the run of two windows."""
    manifest = given.run.model_copy(update={"arms": OLDER})
    demand = load_demand(bundled_scenarios_dir() / "demand" / "support-agent.yaml")
    return build_decision(manifest, given.metrics, demand, OLDER)


def test_everything_the_cost_model_adds_is_shown(tmp_path: Path) -> None:
    given = case("two_windows")
    given = given._replace(decision=real_decision(given))

    html, markdown = written(tmp_path, given)

    says_no_nonsense(html, markdown, printed(given, colour=False))
    titles = re.findall(r"^## \d+\. (.*)$", markdown, re.MULTILINE)
    assert titles == [
        "What if",
        "Measured beside needed",
        "Cost against volume",
        "The arms, a month and per task",
        "Throughput and latency against load",
        "The run over time",
        "What a million tokens costs",
        "What would change the answer",
        "Checks",
        "Method and provenance",
        "Words used here",
    ]
    # 5.672 * 730 = 4,140.56; 0.5 * 208,000 / 12 = 8,666.67; 0.00615 * 400,000 = 2,460
    assert re.search(r"^\| inference \| computed \| 4,141 \| .*\b288\b", markdown, re.MULTILINE)
    assert re.search(r"^\| people: operating the box \(.*\) \| assumed \| 8,667 \| – \| – \|", markdown, re.MULTILINE)
    assert "1 × 5.672 USD/h × 730 h + 8,667 fixed, 25.4 % used" in markdown
    # the winner at 400,000 tasks changes where self-hosting first wins
    assert re.search(r"^\| tasks a month \| 400,000 \(tasks\) \| .*above 2.76M", markdown, re.MULTILINE)
    assert re.search(r"^\| on demand static \| 4,141 \| 730 \|", markdown, re.MULTILINE)
    assert html.count('<svg viewBox="0 0 470') >= 4 + 3  # four load charts, a tornado for each of three arms
    assert "In 10,000 draws of what is uncertain, self-hosting wins at your volume in 0 %" in markdown


def test_every_fact_of_the_decision_is_in_the_table_of_origins(tmp_path: Path) -> None:
    given = case("two_windows")
    decision = real_decision(given)
    given = given._replace(decision=decision)

    _, markdown = written(tmp_path, given)

    table = markdown[markdown.index("Every number that the verdict rests on") :].split("\n\n")[1]
    origins = [row.split(" | ")[-2] for row in table.splitlines()[2:]]
    facts = [fact for fact in decision.provenance if fact.what != "goodput"]
    assert set(origins) == {"measured", "listed", "assumed", "computed"}
    assert len(origins) == 2 + len(facts)  # goodput and mean tokens are measured


def test_an_empty_run_is_still_a_report(tmp_path: Path) -> None:
    empty = case("partial")._replace(metrics=Metrics(steps=()))

    html, markdown = written(tmp_path, empty)

    assert "Measured, not priced" in Page(html).text
    assert "No load step was finished" in markdown
    assert "goodput: none" in printed(empty, colour=False)


def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BreakevenError, match=r"cannot write .*report\.html"):
        render_report(case("never").under(tmp_path / "nowhere"))


def test_the_report_needs_no_locust_and_no_http_client() -> None:
    code = (
        "import sys, harness.report\n"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " {'locust', 'gevent', 'geventhttpclient', 'requests', 'httpx', 'urllib3', 'genai_prices'}"
        " or m.startswith(('harness.load', 'harness.engines', 'harness.backends', 'harness.prices'))])"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"


def test_the_cases_have_a_value_for_every_key_that_a_run_without_a_servers_page_can_have() -> None:
    def keys(value: Any, path: str = "") -> set[str]:
        if isinstance(value, dict):
            return {found for key, item in value.items() for found in keys(item, f"{path}.{key}")}
        if isinstance(value, list):
            return {found for item in value for found in keys(item, f"{path}[]")}
        return set() if value is None else {path}

    seen = {key for name in NAMES for key in keys(case(name).metrics.to_dict())}
    told = set(Step.model_fields) - {
        "server", "server_times", "gpu",  # the servers' own account
        "itl_s",  # where arrivals were kept
        "offered_requests_per_s", "sent_requests_per_s", "not_sent", "over_saturated", "queue_at_start",  # open loads
        "cached_input_tokens",  # where the server tells it
        "drift",  # where there is one
        "turns",  # of conversations
        "replicas",  # of several URLs
        "void",  # where a replica or a load process was lost
        "round", "role",  # of a task run
    }  # fmt: skip

    assert {field for field in told if not any(key.startswith(f".steps[].{field}") for key in seen)} == set()
