"""The body and the path are the user's: keys left out, renamed, added; a URL that ends in a version is as it is."""

import json
from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import Exchange
from faulty_server import good, probe
from load_helpers import records_of, run_load, scenario
from one_fault import OneFault

from harness.backends import BACKENDS
from harness.backends.faults import hint_for
from harness.backends.wire import Ask
from harness.base.errors import UsageError
from harness.load.wire.clock import RunClock
from harness.load.wire.transport import Target
from harness.scenario import Scenario, load_scenario


def ask(**more: Any) -> Ask:
    base: dict[str, Any] = {
        "prompt": "p", "max_tokens": 7, "api": "chat", "stream": True, "temperature": 0.0, "force_length": True,
        "model": "m", "cache_salt": "salt",
    }  # fmt: skip
    return Ask(**(base | more))


def test_a_greedy_request_carries_what_was_asked_and_what_the_measurement_needs() -> None:
    assert BACKENDS["openai"].body(ask()) == {
        "model": "m",
        "messages": [{"role": "user", "content": "p"}],
        "max_tokens": 7,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("backend", ["openai", "vllm", "llama_cpp", "tgi", "sglang"])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_greedy_is_temperature_0_alone(backend: str, api: str) -> None:
    sent = BACKENDS[backend].body(ask(api=api))

    assert sent["temperature"] == 0
    assert not {"top_p", "top_k", "min_p"} & set(sent)


@pytest.mark.parametrize(
    ("backend", "stated"),
    [
        ("openai", {"top_p": 1}),
        ("vllm", {"top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1}),
        ("sglang", {"top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1}),
        ("llama_cpp", {"top_p": 1, "top_k": 0, "min_p": 0, "repeat_penalty": 1}),
        ("tgi", {}),
    ],
)
def test_sampling_states_all_it_depends_on(backend: str, stated: dict[str, float]) -> None:
    sent = BACKENDS[backend].body(ask(temperature=0.7))

    names = {"top_p", "top_k", "min_p", "repetition_penalty", "repeat_penalty"}
    assert {key: value for key, value in sent.items() if key in names} == stated


def test_keys_are_left_out_renamed_added_and_dropped() -> None:
    sent = BACKENDS["vllm"].body(
        ask(
            omit=("min_tokens",),
            rename={"max_tokens": "max_completion_tokens"},
            extra_body={"n": 1, "cache_salt": None},
        )
    )

    assert sent["max_completion_tokens"] == 7
    assert sent["n"] == 1
    assert not {"max_tokens", "min_tokens", "cache_salt"} & set(sent)


def test_extra_body_has_the_last_word_after_renaming() -> None:
    sent = BACKENDS["openai"].body(
        ask(rename={"max_tokens": "max_output"}, extra_body={"max_output": 3, "max_tokens": 4})
    )

    assert (sent["max_output"], sent["max_tokens"]) == (3, 4)


def test_a_native_routes_parameters_can_be_left_out_too() -> None:
    sent = BACKENDS["tgi"].body(ask(api="native", omit=("return_full_text",), extra_body={"parameters": {"seed": 1}}))

    assert sent["parameters"] == {"do_sample": False, "max_new_tokens": 7, "details": True, "seed": 1}


def test_a_scenario_that_sets_none_of_it_keeps_its_digest() -> None:
    work = scenario()
    asked = work.request.model_dump(mode="json")

    assert {"path": None, "omit": [], "rename": {}}.items() <= asked.items()
    assert not {"path", "omit", "rename"} & set(work.request.asked())
    assert work.digest() != scenario(request={"timeout_s": 1.0, "omit": ["top_p"]}).digest()
    assert Scenario.model_validate(work.model_dump(mode="json")) == work


@pytest.mark.parametrize(
    ("request_yaml", "words"),
    [
        ("{path: v4/chat/completions}", "must begin with `/`"),
        ('{path: "/a b"}', "must begin with `/`"),
        ("{omit: [top_p], rename: {top_p: p}}", "both in `omit` and in `rename`"),
        ("{rename: {top_p: p, top_k: p}}", "two keys one name"),
    ],
)
def test_a_slip_in_the_scenario_is_one_line(request_yaml: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"name: s\nrequest: {request_yaml}\n")

    with pytest.raises(UsageError, match=words):
        load_scenario(path)


@pytest.mark.parametrize(
    ("url", "path", "route"),
    [
        ("http://h", "/v1/chat/completions", "/v1/chat/completions"),
        ("http://h/v1/", "/v1/chat/completions", "/v1/chat/completions"),
        ("http://h/api/paas/v4", "/v1/chat/completions", "/api/paas/v4/chat/completions"),
        ("http://h/v2", "/v1/models", "/v2/models"),
        ("http://h/v1beta", "/v1/completions", "/v1beta/completions"),
        ("http://h/proxy", "/v1/models", "/proxy/v1/models"),
        ("http://h/api/v3", "/metrics", "/api/metrics"),
        ("http://h/vllm", "/v1/models", "/vllm/v1/models"),  # no version
        ("http://h/at", "/openai/m?api-version=1", "/at/openai/m?api-version=1"),
    ],
)
def test_a_url_that_ends_in_a_version_is_taken_as_it_is(url: str, path: str, route: str) -> None:
    assert Target(url, {}, RunClock(0)).route(path) == route


def only_at(wanted: str) -> Any:
    def post(x: Exchange) -> None:
        if x.path == wanted:
            good(x)
        else:
            x.whole(404, json.dumps({"error": {"message": f"no such route: {x.path}"}}).encode())

    return post


@pytest.mark.parametrize(
    ("url", "path", "wanted"),
    [
        ("api/paas/v4", None, "/api/paas/v4/chat/completions"),
        ("at", "/deployments/m/chat?api-version=7", "/deployments/m/chat?api-version=7"),
    ],
)
def test_an_api_at_another_path_is_driven(url: str, path: str | None, wanted: str, tmp_path: Path) -> None:
    def get(x: Exchange) -> None:
        x.path = x.path.replace("/api/paas/v4/", "/v1/").replace("/v2/", "/v1/")
        probe(x)

    with OneFault(only_at(wanted), get) as server:
        work = scenario(request={"api": "chat", "path": path, "timeout_s": 1.0})
        measured = run_load(tmp_path, server.url(url), backend="openai", work=work)

    rows = records_of(measured)
    assert measured.failure is None
    assert rows["error"].isna().any()


def test_the_hint_for_a_refused_key_is_the_option_that_mends_it(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        if "stream_options" in x.body:
            x.whole(
                422, b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra"}]}'
            )
        else:
            good(x)

    many = {"kind": "closed", "users": [12], "step_s": 5, "warmup_s": 0}
    mended = scenario(request={"timeout_s": 1.0, "omit": ["stream_options"]})
    with OneFault(post) as server:
        refused = run_load(tmp_path / "a", server.base, backend="openai", work=scenario(load=many))
        served = run_load(tmp_path / "b", server.base, backend="openai", work=mended)

    assert refused.failure is not None
    assert "`request: {omit: [stream_options]}`" in (refused.failure.hint or "")
    assert served.failure is None
    assert records_of(served)["error"].isna().any()


@pytest.mark.parametrize(
    ("error", "detail", "hint"),
    [
        ("http_404", "/v1/completions: Not Found", "request: {api: chat}"),
        ("http_405", "/v1/completions", "request: {api: chat}"),
        ("http_404", "/api/v4/completions: no such route", "request: {api: chat}"),
        ("http_404", "/v1/chat/completions: Not Found", "request.path"),
        ("http_404", "/v1/completions: The model `x` does not exist", "--model"),
        ("http_422", "[{'loc': ['body', 'messages'], 'msg': 'Field required'}]", "request: {api: chat}"),
        ("http_400", "`temperature` and `top_p` cannot both be specified for this model", "omit: [top_p]"),
        (
            "http_400",
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "rename: {max_tokens: ",
        ),
        ("http_400", "Unsupported value: 'temperature' does not support 0 with this model.", "omit: [temperature]"),
        ("http_422", "body.stream_options: Extra inputs are not permitted", "omit: [stream_options]"),
        ("http_400", "max_tokens is too large: this model's maximum context length is 4096", "context"),
        ("http_400", "Client sent an HTTP request to an HTTPS server.", "https://"),
        ("http_307", "/v1/completions redirects to http://h/real", "--url"),
        ("bad_encoding", "content-encoding `br`", "not to compress"),
        ("http_429", "slow down", "quota"),
    ],
)
def test_the_hint_follows_from_what_was_asked_and_what_came_back(error: str, detail: str, hint: str) -> None:
    assert hint in (hint_for(error, detail) or "")
