"""What is seen before the load: what no load can cure ends the run with one line, anything else is a row."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from endpoint import NOT_FOUND, Call, Endpoint, Reply, served
from load_helpers import run_load, scenario
from tgi_double import TgiDouble

from harness import cli
from harness.base.errors import EndpointError, UsageError
from harness.load.process.trial import Trial, hopeless, via_of
from harness.load.prompts.prompt import Prompt
from harness.load.protocol import Prepared, Warned
from harness.pipeline.measure import measure
from harness.pipeline.options import Measured, RunOptions
from harness.rundir.files import read_manifest
from harness.rundir.read import read_records, read_rows
from harness.rundir.records import RequestRecord
from harness.rundir.steps import read_steps

CHAT = {"api": "chat", "timeout_s": 2.0}
SHORT = {"kind": "closed", "users": [1], "step_s": 0.4, "warmup_s": 0}


def prompts(input_tokens: int, output_tokens: int = 5) -> dict[str, Any]:
    return {"kind": "synthetic", "input_tokens": input_tokens, "output_tokens": output_tokens}


def looked(out_dir: Path, *urls: str, backend: str | None = None, **work: Any) -> Measured:
    """A run that looks before it loads."""
    given = {"load": SHORT, "request": CHAT, "prompts": prompts(20)} | work
    return run_load(out_dir, *urls, backend=backend, work=scenario(**given), preflight=True)


def preflights(measured: Measured) -> pd.DataFrame:
    rows = read_rows(measured.run_dir)
    return rows[rows["preflight"]]


def error_body(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


def test_one_request_of_the_scenarios_shape_goes_before_the_load_and_is_in_no_figure(tmp_path: Path) -> None:
    with Endpoint() as server:
        measured = looked(tmp_path, server.url)
        first = server.generations()[0]

    (row,) = preflights(measured).to_dict("records")
    load, steps = read_records(measured.run_dir), read_steps(measured.run_dir)
    assert first.request_id == row["request_id"]
    assert first.body["max_tokens"] == 5
    assert pd.isna(row["step"])
    assert row["error"] is None or pd.isna(row["error"])
    assert row["finished_s"] < steps[0].start_s
    assert not load["preflight"].any()
    assert first.request_id not in set(load["request_id"])
    assert len(load) == len(server.generations()) - 1
    assert first.text not in {call.text for call in server.generations()[1:]}  # no cache knows the load's


@pytest.mark.parametrize("load", [SHORT, {"kind": "open", "requests_per_s": [10], "step_s": 0.4, "warmup_s": 0}])
def test_each_url_is_asked_once_by_the_first_process_alone(tmp_path: Path, load: dict[str, Any]) -> None:
    with Endpoint() as one, Endpoint() as two:
        work = scenario(load={**load, "users": [2]} if "users" in load else load, request=CHAT)
        measured = run_load(tmp_path, one.url, two.url, backend=None, work=work, preflight=True, workers=2)

    rows = preflights(measured)
    assert sorted(rows["url"]) == sorted([one.url, two.url])
    assert rows["process"].nunique() == 1
    assert rows["request_id"].nunique() == 2


REDIRECT = {"location": "http://llm.internal/api/v1/chat/completions?key=secret"}
HTML = Reply(200, b"<!doctype html><title>Sign in</title>", {"content-type": "text/html"})
EVENTS = {"content-type": "text/event-stream"}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(307, b"", REDIRECT), "redirect (307) to http://llm.internal/api/v1/chat/completions, which"),
        (HTML, "answers something else than this API: not_sse: text/html: <!doctype html>"),
        (NOT_FOUND, "refuses the scenario's request: http_404"),
        (Reply(500, error_body("litellm.NotFoundError: model 'm' not found")), "has no such model: http_500"),
        (
            Reply(200, b'data: {"error":{"message":"Input validation error: `top_p` must be < 1.0"}}\n\n', EVENTS),
            "refuses the scenario's request: error_event: Input validation error",
        ),
    ],
    ids=["redirect", "html", "404", "no model", "an error event of validation"],
)
def test_what_no_load_cures_ends_the_run_before_it_and_leaves_its_row(tmp_path: Path, reply: Reply, said: str) -> None:
    with Endpoint(post=lambda _: reply) as server:
        measured = looked(tmp_path, server.url)
        assert len(server.generations()) == 1

    assert isinstance(measured.failure, EndpointError)
    assert measured.failure.exit_code == 1
    assert said in str(measured.failure)
    assert "\n" not in str(measured.failure)
    assert measured.failure.hint
    assert "secret" not in str(measured.failure)
    assert len(preflights(measured)) == 1
    assert read_steps(measured.run_dir) == []
    assert read_manifest(measured.run_dir).client["ended_early"]["text"] == str(measured.failure)


def trial(error: str, detail: str | None, status: int | None) -> Trial:
    row = RequestRecord("id", None, error=error, error_detail=detail, http_status=status, preflight=True)
    return Trial(row, Prompt("x", None, 1), location="/login")


@pytest.mark.parametrize(
    ("error", "detail", "status", "said"),
    [
        ("http_301", None, 301, "redirect (301) to http://h/login"),
        ("http_400", "`top_p` cannot be used", 400, "refuses the scenario's request: http_400: `top_p`"),
        ("http_401", "no key", 401, "refuses the scenario's request: http_401"),
        ("http_403", "forbidden", 403, "refuses"),
        ("http_405", None, 405, "refuses"),
        ("http_422", "extra_forbidden", 422, "refuses"),
        ("http_404", "The model `m` does not exist or you do not have access to it.", 404, "no such model"),
        ("http_400", "no such model: m", 400, "no such model"),
        ("error_event", "model_not_found", 200, "no such model"),
        ("not_sse", 'application/json: {"choices": []}', 200, "something else than this API"),
        ("bad_encoding", "br", 200, "something else than this API"),
        ("error_event", "the answer is not JSON", 200, "something else than this API"),
        ("connect", "TLS: CERTIFICATE_VERIFY_FAILED", None, "nobody can be reached at http://h: TLS: CERT"),
        ("reset", "HTTP: Invalid protocol", None, "does not speak HTTP/1.1"),
        ("http_429", "later", 429, None),
        ("http_500", "out of memory", 500, None),
        ("http_503", "loading model m", 503, None),
        ("error_event", "overloaded: Model is overloaded", 200, None),
        ("timeout", "no whole answer in 2 s", None, None),
        ("connect", "Connection refused", None, None),
        ("reset", "ECONNRESET", None, None),
        ("truncated", "the answer broke off", 200, None),
    ],
)
def test_what_ends_a_run_is_a_closed_list(error: str, detail: str | None, status: int | None, said: str | None) -> None:
    found = hopeless(trial(error, detail, status), "http://h", "/v1/completions")

    if said is None:
        assert found is None
    else:
        assert isinstance(found, EndpointError)
        assert said in str(found)
        assert found.hint


@pytest.mark.parametrize(
    "reply",
    [Reply(429, error_body("slow down")), Reply(200, b'data: {"error":{"message":"Model is overloaded"}}\n\n', EVENTS)],
    ids=["429", "overloaded"],
)
def test_what_may_pass_is_said_and_the_load_begins(tmp_path: Path, reply: Reply) -> None:
    heard: list[Any] = []
    tries: list[Call] = []

    def post(call: Call) -> Reply:
        if "tokenize" in call.path:
            return NOT_FOUND
        tries.append(call)
        return reply if len(tries) == 1 else served(call, prompt_tokens=20)

    with Endpoint(post=post) as server:
        options = RunOptions(
            scenario=scenario(load=SHORT, request=CHAT), base_dir=tmp_path, backend=None, out_dir=tmp_path,
            urls=[server.url], preflight=True,
        )  # fmt: skip
        measured = measure(options, heard.append)

    assert measured.failure is None
    assert read_records(measured.run_dir)["error"].isna().any()
    (warned,) = [event.text for event in heard if isinstance(event, Warned)]
    assert f"{server.url}: the request sent beforehand failed" in warned
    assert preflights(measured)["error"].notna().all()


def test_the_command_says_one_line_and_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nload: {users: [1], step_s: 0.4, warmup_s: 0}\nrequest: {api: chat}\nprompts: {input_tokens: 50}\n"
    )
    with Endpoint(post=lambda call: Reply(308, b"", {"location": f"/real{call.path}"})) as server:
        code = cli.invoke(["run", str(path), "--url", server.url, "--out", str(tmp_path / "out")])
        (run_dir,) = (tmp_path / "out").iterdir()

    said = capsys.readouterr()
    assert code == 1
    assert said.out == ""
    assert said.err.count("error:") == 1
    assert f"--url {server.url}/real" in said.err
    assert (run_dir / "report.html").exists()


def test_without_it_the_load_begins_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nload: {users: [1], step_s: 0.4, warmup_s: 0}\nprompts: {input_tokens: 50, output_tokens: 5}\n"
    )
    with Endpoint() as server:
        cli.invoke(["run", str(path), "--url", server.url, "--out", str(tmp_path / "out"), "--no-preflight"])
        (run_dir,) = (tmp_path / "out").iterdir()

    assert not read_rows(run_dir)["preflight"].any()
    assert read_steps(run_dir) != []


def slow(seconds: float) -> Callable[[Call], Reply]:
    return lambda call: served(call, after_s=seconds) if "completions" in call.path else NOT_FOUND


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ({**SHORT, "step_s": 0.6, "warmup_s": 0.3}, "a step's window 0.3 s"),
        ({"kind": "open", "requests_per_s": [2], "step_s": 0.4, "warmup_s": 0}, "a step's window 0.4 s"),
        ({"kind": "search", "low": 1, "high": 2, "step_s": 0.3, "max_step_s": 0.4, "warmup_s": 0}, "window 0.4 s"),
    ],
)
def test_a_window_too_short_for_one_request_ends_with_2(tmp_path: Path, load: dict[str, Any], said: str) -> None:
    with Endpoint(post=slow(0.5)) as server:
        measured = looked(tmp_path, server.url, load=load, request={**CHAT, "stream": True})
        assert len(server.generations()) == 1

    # the tokens come in one piece 0.5 s after they were asked for
    assert isinstance(measured.failure, UsageError)
    assert "one request takes " in str(measured.failure)
    assert said in str(measured.failure)
    assert "step_s" in (measured.failure.hint or "")


def test_users_enter_over_the_time_that_the_request_beforehand_took(tmp_path: Path) -> None:
    load = {"kind": "closed", "users": [4], "step_s": 1.6, "warmup_s": 0}
    with Endpoint(post=slow(0.2)) as server:
        measured = looked(tmp_path, server.url, load=load)

    (step,) = read_steps(measured.run_dir)
    assert step.entered_s is not None
    # 0.2 s of the server, at most a quarter of the step; with a first user who finds out alone it is longer
    assert 0.2 <= step.entered_s - step.start_s <= 0.4


@pytest.mark.parametrize(("tokens", "asked", "ends"), [(128, 300, True), (1, 20, False), (77, 200, False)])
def test_an_answer_that_ends_at_a_round_number_has_met_a_limit(
    tmp_path: Path, tokens: int, asked: int, ends: bool
) -> None:
    with Endpoint(post=lambda call: served(call, prompt_tokens=20, tokens=tokens)) as server:
        measured = looked(tmp_path, server.url, prompts=prompts(20, asked))

    # 77 and 20 + 77 are no limit that anyone sets, and 1 is a deadline's
    assert isinstance(measured.failure, UsageError) == ends
    if ends:
        assert f"ends an answer at {tokens} tokens, {asked} were asked for" in str(measured.failure)


def test_prompts_that_are_cut_to_a_context_end_the_run(tmp_path: Path) -> None:
    context = 1024

    def post(call: Call) -> Reply:
        return served(call, prompt_tokens=min(len(call.text) // 4, context))

    with Endpoint(post=post) as server:
        measured = looked(tmp_path, server.url, prompts=prompts(4000))
        fits = looked(tmp_path, server.url, prompts=prompts(context))

    assert isinstance(measured.failure, UsageError)
    assert f"reads {context:,} tokens of a prompt of" in str(measured.failure)
    assert "it cuts prompts to its context" in str(measured.failure)
    assert fits.failure is None


def counts_words(call: Call) -> Reply | None:
    """A tokenizer route that knows no templates."""
    if not call.path.endswith("/tokenize"):
        return None
    n = len(str(call.body.get("prompt") or "").split())
    return Reply(body={"count": n, "tokens": list(range(n))})


def test_a_template_that_only_the_answers_show_is_counted_in(tmp_path: Path) -> None:
    template, wanted = 30, 50

    def post(call: Call) -> Reply:
        return counts_words(call) or served(call, prompt_tokens=len(call.text.split()) + template)

    with Endpoint(post=post) as server:
        measured = looked(tmp_path, server.url, prompts=prompts(wanted))

    assert set(preflights(measured)["prompt_tokens"]) == {wanted + template}
    assert set(read_records(measured.run_dir)["prompt_tokens"]) == {wanted}


def test_a_template_longer_than_the_prompt_is_said_truly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def post(call: Call) -> Reply:
        return counts_words(call) or served(call, prompt_tokens=len(call.text.split()) + 60)

    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nload: {users: [1], step_s: 0.4, warmup_s: 0}\nrequest: {api: chat}\n"
        "prompts: {input_tokens: 20, output_tokens: 5}\n"
    )
    with Endpoint(post=post) as server:
        cli.invoke(["run", str(path), "--url", server.url, "--out", str(tmp_path / "out"), "--json"])

    step = json.loads(capsys.readouterr().out)["metrics"]["steps"][0]
    (found,) = [check for check in step["checks"] if check["code"] == "lengths_differ"]
    assert "prompts had 61 tokens on average, 20 were wanted" in found["message"]
    assert found["hint"] == "no prompt is shorter here: the chat template alone has 60 tokens"


@pytest.mark.parametrize("backend", ["vllm", "llama_cpp", "tgi"])
def test_chat_prompts_have_their_length_with_the_template_that_each_tokenizer_knows(
    tmp_path: Path, backend: str
) -> None:
    """Each in its own form: vLLM's messages, llama-server's /apply-template, TGI's /chat_tokenize."""

    def counted(text: str) -> int:
        return len(text.split())

    def post(call: Call) -> Reply:
        templated = f"<user> {call.text} <end> <assistant>"
        match call.path:
            case "/apply-template":
                return Reply(body={"prompt": templated})
            case "/chat_tokenize":
                return Reply(body={"tokenize_response": [{}] * counted(templated), "templated_text": templated})
            case "/tokenize":
                n = counted(templated if "messages" in call.body else call.text)
                return Reply(body=[{}] * n if "inputs" in call.body else {"count": n, "tokens": [0] * n})
            case _:
                return served(call, prompt_tokens=counted(templated))

    with Endpoint(post=post) as server:
        measured = looked(tmp_path, server.url, backend=backend)

    assert set(read_rows(measured.run_dir)["prompt_tokens"]) == {20}


def test_limits_that_the_server_tells_end_the_run_before_anything_is_sent(tmp_path: Path) -> None:
    info = {"router": "text-generation-router", "max_input_tokens": 1024, "max_total_tokens": 2048, "version": "3.3"}
    listing = {"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 512}]}
    for gets, work, said in (
        ({"/info": info}, prompts(1500, 10), "prompts of 1,500 tokens do not fit"),
        ({"/v1/models": listing}, prompts(500, 13), "takes 512 together (so says its /v1/models)"),
    ):
        with Endpoint(gets) as server, pytest.raises(UsageError, match="do not fit") as caught:
            looked(tmp_path / "out", server.url, prompts=work)

        assert said in str(caught.value)
        assert server.generations() == []
    assert not (tmp_path / "out").exists()  # nothing was measured


def test_without_a_preflight_such_a_run_is_not_to_be_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nload: {users: [1], step_s: 0.4, warmup_s: 0}\nprompts: {input_tokens: 500, output_tokens: 20}\n"
    )
    gets = {"/v1/models": {"data": [{"id": "m", "max_model_len": 512}]}}
    with Endpoint(gets, post=lambda call: served(call, prompt_tokens=492)) as server:
        code = cli.invoke(
            ["run", str(path), "--url", server.url, "--out", str(tmp_path / "out"), "--json", "--no-preflight"]
        )

    found = [check for check in json.loads(capsys.readouterr().out)["metrics"]["checks"] if check["level"] == "error"]
    assert code == 3
    assert "does_not_fit" in {check["code"] for check in found}


@pytest.mark.parametrize("api", ["native", "chat"])
def test_who_answers_decides_the_dialect(tmp_path: Path, api: str) -> None:
    """TGI refuses the `top_p` of OpenAI's dialect; it says who it is."""
    with TgiDouble() as tgi:
        measured = looked(tmp_path, tgi.url, request={"api": api, "timeout_s": 2.0})

    rows, manifest = read_rows(measured.run_dir), read_manifest(measured.run_dir)
    assert measured.failure is None
    assert rows["error"].isna().all()
    assert (manifest.backend, manifest.engine["name"]) == ("tgi", "tgi")
    assert manifest.identity is not None
    assert (manifest.identity.engine, manifest.identity.dialect) == ("tgi", "tgi")
    assert manifest.client["tokenizer"] == "/tokenize"
    assert manifest.client["exact_lengths"] is True


@pytest.mark.parametrize(
    ("gets", "asked", "engine", "dialect"),
    [
        ({"/v1/models": {"data": [{"id": "m", "owned_by": "vllm"}]}}, None, "vllm", "vllm"),
        ({"/v1/models": {"data": [{"id": "m", "owned_by": "vllm"}]}}, "openai", "vllm", "openai"),
        ({"/api/version": {"version": "0.9.0"}}, None, "ollama", "openai"),
    ],
)
def test_the_run_names_both_who_answered_and_the_dialect_and_backend_wins(
    tmp_path: Path, gets: dict[str, Any], asked: str | None, engine: str | None, dialect: str
) -> None:
    with Endpoint(gets) as server:
        measured = looked(tmp_path, server.url, backend=asked)
        bodies = [call.body for call in server.generations()]

    manifest = read_manifest(measured.run_dir)
    assert (manifest.engine["name"], manifest.backend) == (engine, dialect)
    assert {"ignore_eos" in body for body in bodies} == {dialect == "vllm"}


def test_a_route_that_only_another_dialect_has_ends_with_2(tmp_path: Path) -> None:
    with Endpoint() as server, pytest.raises(UsageError, match="openai has no `native` route") as caught:
        looked(tmp_path, server.url, request={"api": "native"})

    assert "--backend" in (caught.value.hint or "")


def test_only_questions_that_the_docs_name_are_asked(tmp_path: Path) -> None:
    gets = {"/api/version": {"version": "0.9.0"}}
    with Endpoint(gets) as server:
        looked(tmp_path, server.url)
        asked, posted = set(server.asked), {call.path for call in server.calls}

    # not /health: LiteLLM asks every model behind it then, SGLang generates a token, and it says nothing of who answers
    sglang = {"/server_info", "/model_info", "/get_server_info", "/get_model_info"}
    assert asked == {"/v1/models", "/version", "/info", "/props", "/api/version", "/metrics"} | sglang
    assert posted == {"/api/show", "/tokenize", "/v1/chat/completions"}


def test_several_models_must_be_told_apart_and_nothing_is_sent(tmp_path: Path) -> None:
    listing = {"data": [{"id": "embed"}, {"id": "chat-8b"}]}
    with Endpoint({"/v1/models": listing}) as server:
        with pytest.raises(UsageError, match="lists 2 models, and none was named: embed, chat-8b"):
            looked(tmp_path, server.url)
        assert server.calls == []
        named = run_load(tmp_path, server.url, backend=None, work=scenario(load=SHORT), preflight=True, model="chat-8b")

    assert {call.body["model"] for call in server.generations()} == {"chat-8b"}
    assert read_manifest(named.run_dir).model == "chat-8b"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (
            {"x-litellm-version": "1.108.7", "x-litellm-overhead-duration-ms": "8.059", "server": "uvicorn"},
            "litellm 1.108.7 (server: uvicorn), adds 8.1 ms",
        ),
        ({"server": "nginx/1.29"}, "server: nginx/1.29"),
        ({"x-litellm-call-id": "6a", "x-litellm-overhead-duration-ms": "n/a"}, "litellm"),
        ({"x-portkey-trace-id": "1", "server": "cloudflare"}, "portkey (server: cloudflare)"),
        ({"helicone-id": "1", "via": "1.1 varnish"}, "helicone"),
        ({"cf-aig-log-id": "01", "server": "cloudflare"}, "cloudflare ai gateway (server: cloudflare)"),
        ({"server": "istio-envoy", "x-envoy-upstream-service-time": "12"}, "envoy (server: istio-envoy)"),
        ({"server": "cloudflare", "via": "1.1 varnish"}, "1.1 varnish (server: cloudflare)"),
        ({"server": "kong", "via": "kong/3.9", "x-kong-proxy-latency": "3"}, "kong/3.9 (server: kong), adds 3.0 ms"),
    ],
)
def test_what_stands_between_is_known_by_the_headers_of_an_answer(headers: dict[str, str], words: str) -> None:
    via = via_of(headers)

    assert via is not None
    assert via.words() == words


def test_an_answer_without_such_headers_says_nothing() -> None:
    assert (via_of({"content-type": "text/event-stream"}), via_of(None)) == (None, None)


def test_what_stands_between_is_named_in_run_and_report(tmp_path: Path) -> None:
    headers = {"x-litellm-version": "1.108.7", "x-litellm-overhead-duration-ms": "8.059", "server": "uvicorn"}
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nload: {users: [1], step_s: 0.4, warmup_s: 0}\nprompts: {input_tokens: 50, output_tokens: 5}\n"
    )
    with Endpoint(post=lambda call: served(call, headers=headers)) as server:
        cli.invoke(["run", str(path), "--url", server.url, "--out", str(tmp_path / "out")])
        (run_dir,) = (tmp_path / "out").iterdir()

    via, report = read_manifest(run_dir).via, (run_dir / "report.md").read_text().replace("\\", "")
    assert via is not None
    assert (via.gateway, via.version, via.added_ms) == ("litellm", "1.108.7", 8.059)
    assert "litellm 1.108.7 (server: uvicorn), adds 8.1 ms" in report
    assert "engine that answered" in report
    assert "dialect spoken" in report


def test_a_server_that_never_answers_a_question_costs_seconds(tmp_path: Path) -> None:
    """Every GET and every tokenizer question of it is let run into its time limit, which is the scenario's here."""

    def post(call: Call) -> Reply:
        return served(call) if "completions" in call.path else Reply(after_s=2)

    heard: list[Any] = []
    silent = {path: Reply(after_s=2) for path in ("/v1/models", "/version", "/info", "/props", "/metrics")}
    with Endpoint(silent, post=post) as server:
        work = scenario(load=SHORT, request={"api": "chat", "timeout_s": 0.4})
        options = RunOptions(
            scenario=work, base_dir=tmp_path, backend=None, out_dir=tmp_path, urls=[server.url], preflight=True
        )
        measured = measure(options, heard.append)
        questions = [call for call in server.calls if "tokenize" in call.path]

    assert len(questions) == 1  # one that is not answered in its time is enough
    assert read_records(measured.run_dir)["error"].isna().all()
    assert [e.learned.exact for e in heard if isinstance(e, Prepared)] == [False]
    assert any("slow to tokenise" in e.text for e in heard if isinstance(e, Warned))
