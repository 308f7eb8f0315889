"""The real LiteLLM proxy before a server: it is named, what it passes on is read, what it refuses and hides is said."""

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from faulty_exchange import Exchange
from faulty_server import FaultyServer
from field import ASKED, END, FieldServer, chunk, message, served
from intermediaries import free_port
from litellm_proxy import KEY, WITH_KEY, Behind, litellm_proxy, version
from load_helpers import records_of, run_load, scenario

from harness import cli
from harness.engines.life.running import Engine
from harness.pipeline.analyse import analyse_run
from harness.rundir.files import read_manifest
from harness.rundir.identity import Via
from harness.rundir.manifest import RunManifest
from harness.scenario import Scenario

pytestmark = pytest.mark.slow

GAP_S = 0.01
WAYS = (
    "status=500", "status=503", "status=429", "status=401", "error-event=3", "error-first",
    "cut-mid-stream=3", "cut-cleanly=3", "refuses-key=ignore_eos",
)  # fmt: skip
BY_ITSELF: dict[str, Any] = {}  # it asks a server that failed up to twice more
LONGER = {"kind": "closed", "users": [2], "step_s": 2.5, "warmup_s": 0}
IMPATIENT = {"num_retries": 0, "max_retries": 0, "timeout": 0.3}


def paced(x: Exchange) -> None:
    """20 tokens, 10 ms apart, or all of them in one body."""
    if not x.body.get("stream"):
        x.whole(200, json.dumps(message(" w" * ASKED, model="real-name", id="f", object="chat.completion")).encode())
        return
    x.head(transfer_encoding="chunked")
    for event in (*[chunk(" w")] * ASKED, *END):
        x.chunk(event)
        time.sleep(GAP_S)
    x.end()


@dataclass(frozen=True)
class Field:
    """One proxy before two servers: one that serves (the model `paced`), and the faulty one (its ways)."""

    url: str
    paced: FieldServer
    faulty: FaultyServer


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    with FieldServer(paced) as good, FaultyServer() as faulty:
        ways = [Behind(way, f"{faulty.url(way)}/v1") for way in WAYS]
        more = [
            Behind("paced", f"{good.base_url}/v1"),
            Behind("asked again", f"{faulty.url('fails-every=2')}/v1", more=BY_ITSELF),
            Behind("silent", f"{faulty.url('silent')}/v1", more=IMPATIENT),
            Behind("stalls", f"{faulty.url('stalls=2')}/v1", more=IMPATIENT),
            Behind("dead", f"http://127.0.0.1:{free_port()}/v1"),
            Behind("two", f"{faulty.url('status=429')}/v1"),
            Behind("two", f"{faulty.url('status=429')}/v1", "openai/other-name"),
        ]
        with litellm_proxy(tmp_path_factory.mktemp("litellm"), *ways, *more) as url:
            _ask(url)  # its first answer takes a second or two more
            yield Field(url, good, faulty)


def _ask(url: str) -> None:
    body = json.dumps({"model": "paced", "messages": [{"role": "user", "content": "warm"}]}).encode()
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", body, {"content-type": "application/json"} | WITH_KEY
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


@dataclass(frozen=True)
class Ran:
    """What a run through it left."""

    rows: pd.DataFrame
    manifest: RunManifest
    checks: list[dict[str, Any]]
    step: dict[str, Any]

    @property
    def found(self) -> dict[str, dict[str, Any]]:
        """The findings by code."""
        return {check["code"]: check for check in self.checks}

    @property
    def via(self) -> Via | None:
        return self.manifest.via

    @property
    def counts(self) -> set[tuple[Any, ...]]:
        """How the answers ended, and what they and their prompts count."""
        kept = served(self.rows)[["error", "finish_reason", "output_tokens", "prompt_tokens", "token_source", "resent"]]
        return set(kept.astype(object).where(kept.notna(), None).itertuples(index=False, name=None))


def work_of(**more: Any) -> Scenario:
    work = {
        "load": {"kind": "closed", "users": [2], "step_s": 0.8, "warmup_s": 0},
        "prompts": {"kind": "synthetic", "input_tokens": 20, "output_tokens": ASKED},
        "request": {"timeout_s": 10, "api": "chat"},
    }
    return scenario(**work | more)


def run(out_dir: Path, url: str, model: str | None, *, backend: str | None = None, **more: Any) -> Ran:
    """A short load, as the command line makes it: with a look beforehand, and no dialect named."""
    work = work_of(**more)
    measured = run_load(out_dir, url, backend=backend, work=work, preflight=True, model=model, headers=WITH_KEY)
    assert measured.failure is None, measured.failure
    analyse_run(measured.run_dir)
    metrics = json.loads((measured.run_dir / "metrics.json").read_text())
    checks = [check for step in metrics["steps"] for check in step["checks"]] + metrics["checks"]
    manifest = read_manifest(measured.run_dir)
    return Ran(records_of(measured), manifest, checks, metrics["steps"][0])


def refused(out_dir: Path, url: str, model: str, headers: dict[str, str] = WITH_KEY, **more: Any) -> tuple[str, str]:
    """The line that ends a run before its load, and its hint."""
    work = work_of()
    measured = run_load(
        out_dir, url, work=work, preflight=True, model=model, headers=headers, **{"backend": None} | more
    )
    assert measured.failure is not None
    return str(measured.failure), measured.failure.hint or ""


def test_it_is_named_with_its_version_and_what_it_added_is_unknown_where_it_does_not_say(
    field: Field, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "s.yaml", tmp_path / "out"
    path.write_text(
        "name: s\nload: {users: [2], step_s: 0.8, warmup_s: 0}\nprompts: {input_tokens: 20, output_tokens: 20}\n"
        "request: {api: chat}\n"
    )

    cli.invoke([
        "run", str(path), "--url", field.url, "--model", "paced", "--header", f"Authorization: Bearer {KEY}", "--out",
        str(out),
    ])  # fmt: skip

    (run_dir,) = out.iterdir()
    manifest, report = read_manifest(run_dir), (run_dir / "report.md").read_text().replace("\\", "")
    assert manifest.via == Via(server="uvicorn", gateway="litellm", version=version(), added_ms=None)
    assert f"litellm {version()} (server: uvicorn)" in report
    assert ", adds" not in report
    assert KEY not in "".join(file.read_text(errors="replace") for file in run_dir.iterdir() if file.is_file())


def test_what_it_says_it_added_to_a_whole_answer_is_a_number(field: Field, tmp_path: Path) -> None:
    got = run(tmp_path, field.url, "paced", load=LONGER, request={"api": "chat", "stream": False})

    assert got.via is not None
    assert isinstance(got.via.added_ms, float)
    assert 0 < got.via.added_ms < 10_000
    assert f"litellm {version()} (server: uvicorn), adds" in got.via.words()
    assert got.counts == {(None, "length", ASKED, 50, "server", 0)}


def test_through_it_is_counted_what_the_server_counts_and_no_token_comes_sooner(field: Field, tmp_path: Path) -> None:
    direct = run(tmp_path / "direct", field.paced.base_url, "real-name", load=LONGER)
    through = run(tmp_path / "through", field.url, "paced", load=LONGER)

    assert direct.counts == through.counts == {(None, "length", ASKED, 50, "server", 0)}
    for got in (direct, through):
        assert got.step["ttft_s"]["n"] == got.step["tpot_s"]["n"] == got.step["e2e_s"]["n"] > 0
        assert got.step["tpot_s"]["p50"] >= GAP_S * 0.9
        assert "one_piece" not in got.found


def test_the_engine_behind_it_is_unknown_and_asked_in_openais_dialect_by_its_own_name(
    field: Field, tmp_path: Path
) -> None:
    before = len(field.paced.generations())

    got = run(tmp_path, field.url, "paced", load=LONGER)

    asked = field.paced.generations()[before:]
    assert got.manifest.identity is not None
    assert (got.manifest.identity.engine, got.manifest.identity.dialect) == (None, "openai")
    assert (got.manifest.model, {x.body["model"] for x in asked}) == ("paced", {"real-name"})
    assert not any("ignore_eos" in x.body for x in asked)


def test_to_find_out_who_answers_no_model_behind_it_is_asked(field: Field, tmp_path: Path) -> None:
    """Its /health asks all of them for 'Hey how's it going?' or the like, paid ones too."""
    before = len(field.faulty.generations()), len(field.paced.generations())

    run(tmp_path, field.url, "paced", load=LONGER)

    assert len(field.faulty.generations()) == before[0]
    mine = {(x.body["stream"], x.body["max_tokens"]) for x in field.paced.generations()[before[1] :]}
    assert mine == {(True, ASKED)}


def test_keys_that_only_the_engine_behind_it_knows_are_passed_on(field: Field, tmp_path: Path) -> None:
    before = len(field.paced.generations())

    run(tmp_path, field.url, "paced", backend="vllm", load=LONGER)

    asked = field.paced.generations()[before:]
    assert {(x.body["ignore_eos"], x.body["min_tokens"]) for x in asked} == {(True, ASKED)}


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Authorization": "Bearer sk-of-another"}, "http_400: No connected db."),
        ({"Authorization": "Bearer other"}, "http_400: No connected db."),
        ({}, "http_401: Authentication Error, No api key passed in."),
    ],
    ids=["another key", "no key of its kind", "no key"],
)
def test_a_wrong_key_ends_the_run_in_one_line_that_says_so(
    field: Field, headers: dict[str, str], words: str, tmp_path: Path
) -> None:
    before = len(field.paced.generations())

    line, hint = refused(tmp_path, field.url, "paced", headers)

    assert line == f"{field.url} refuses the scenario's request: {words}"
    assert "refuses the key: --api-key-env" in hint
    assert len(field.paced.generations()) == before


def test_a_model_that_it_does_not_know_is_said_to_be_missing(field: Field, tmp_path: Path) -> None:
    line, hint = refused(tmp_path, field.url, "nobody's")

    assert line.startswith(f"{field.url} has no such model: http_400: ")
    assert "--model NAME" in hint


def test_a_server_that_refuses_its_key_is_told_from_a_wrong_key_of_ours(field: Field, tmp_path: Path) -> None:
    line, hint = refused(tmp_path, field.url, "status=401")

    assert "http_401: litellm.AuthenticationError" in line
    assert "no luck: 401" in line
    assert "`api_key` of the model in its config" in hint


def test_a_server_that_refuses_a_key_of_the_body_is_understood_through_it(field: Field, tmp_path: Path) -> None:
    line, hint = refused(tmp_path, field.url, "refuses-key=ignore_eos", backend="vllm")

    assert "Unrecognized request argument: ignore_eos" in line
    assert "--backend openai" in hint


@pytest.mark.parametrize(
    ("model", "error", "words", "way_out"),
    [
        ("status=500", "http_500", "no luck: 500", None),
        ("status=503", "http_503", "no luck: 503", None),
        ("status=429", "http_429", "no luck: 429", "quota"),
        ("error-event=3", "error_event", "out of memory", None),
        ("error-first", "http_503", "out of memory", None),
        ("dead", "http_500", "Connection error", "`api_base` in its config"),
        ("silent", "http_408", "time", "LiteLLM: timeout"),
        ("stalls", "error_event", "time", "LiteLLM: timeout"),
    ],
)
def test_a_server_that_fails_behind_it_is_a_failure_with_the_servers_words(
    field: Field, model: str, error: str, words: str, way_out: str | None, tmp_path: Path
) -> None:
    got = run(tmp_path, field.url, model)

    assert {error} <= set(served(got.rows)["error"]) <= {error, "http_408"}  # late: a busy machine
    assert all(words.lower() in detail.lower() for detail in served(got.rows)["error_detail"])
    assert got.step["goodput_requests_per_s"] in (0, None)
    if way_out is not None:
        assert way_out in got.found["errors_over_limit"]["hint"]


def test_that_it_asks_none_of_several_servers_any_more_is_said(field: Field, tmp_path: Path) -> None:
    got = run(tmp_path, field.url, "two")

    assert any("No deployments available" in detail for detail in got.rows["error_detail"].dropna())
    assert "those it has failed" in got.found["errors_over_limit"]["hint"]


@pytest.mark.parametrize("model", ["cut-mid-stream=3", "cut-cleanly=3"])
def test_an_answer_that_it_ended_well_though_the_server_broke_off_is_warned_of(
    field: Field, model: str, tmp_path: Path
) -> None:
    """It makes a `stop` of it, with a count of its own: nothing but the length is left to see."""
    got = run(tmp_path, field.url, model)

    assert set(served(got.rows)["finish_reason"]) == {"stop"}
    (check,) = (check for check in got.checks if "answers had 3.0 tokens on average, 20.0" in check["message"])
    assert "LiteLLM" in check["hint"]
    assert "broke off" in check["hint"]


def test_what_it_asks_again_by_itself_is_one_row_here(field: Field, tmp_path: Path) -> None:
    """Every second request fails at the server, none here: the wait for another try is in the first token's time."""
    before = len(field.faulty.generations())

    got = run(tmp_path, field.url, "asked again", load={"kind": "closed", "users": [1], "step_s": 4, "warmup_s": 0})

    assert len(field.faulty.generations()) - before > len(got.rows) + 1
    assert set(served(got.rows)["error"].dropna()) == set()


def test_it_listens_and_speaks_on_loopback_alone(field: Field) -> None:
    addresses = {
        address.ip
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections(kind="inet")
        for address in (connection.laddr, connection.raddr)
        if address
    }

    assert addresses == {"127.0.0.1"}


@pytest.mark.engine
def test_llama_server_behind_it_counts_what_it_counts_alone(llama_server_engine: Engine, tmp_path: Path) -> None:
    """Its own dialect goes through LiteLLM, so that answers have their length both ways."""
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "Tell me all that you know of rivers."}\n')
    prompts = {"kind": "file", "path": str(tmp_path / "prompts.jsonl"), "output_tokens": ASKED, "nonce": False}
    behind = Behind("smol", f"{llama_server_engine.base_url}/v1", f"openai/{llama_server_engine.model}")
    load = {"kind": "closed", "users": [2], "step_s": 5, "warmup_s": 0}
    work: dict[str, Any] = {"prompts": prompts, "load": load, "request": {"api": "chat", "timeout_s": 60}}

    direct = run(tmp_path / "direct", llama_server_engine.base_url, None, **work)
    with litellm_proxy(tmp_path, behind) as url:
        through = run(tmp_path / "through", url, "smol", backend="llama_cpp", **work)
        unnamed = run(tmp_path / "unnamed", url, "smol", **work)

    (count,) = direct.counts
    assert {row for row in through.counts if row[0] != "http_500"} == {count}  # it may find a kept connection closed
    assert count[:3] == (None, "length", ASKED)
    assert count[4:] == ("server", 0)
    assert set(served(unnamed.rows)["error"].dropna()) <= {"http_500"}
    assert {row[3:] for row in unnamed.counts if row[0] != "http_500"} == {count[3:]}
    dialects = [got.manifest.identity.dialect for got in (direct, through, unnamed) if got.manifest.identity]
    assert dialects == ["llama_cpp", "llama_cpp", "openai"]
    assert direct.via is None or direct.via.gateway is None
    assert through.via is not None
    assert (through.via.gateway, through.via.version) == ("litellm", version())
