"""Every way a server was seen to fail leaves a row with the right error; every odd but right answer is a success."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_server import FaultyServer
from load_helpers import records_of, run_load, scenario

from harness.backends.wire import MAX_DETAIL_CHARS
from harness.base.errors import EndpointError
from harness.load.run_events import RunEvent, StepBegun
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        yield running


@pytest.mark.parametrize(
    ("way", "error", "detail"),
    [
        ("status=401", "http_401", "no luck: 401"),
        ("status=404", "http_404", "/v1/completions: no luck: 404"),
        ("status-text=422", "http_422", "no luck: 422"),
        ("status=429", "http_429", "no luck: 429"),
        ("status=500", "http_500", "no luck: 500"),
        ("status-text=503", "http_503", "no luck: 503"),
        ("html", "not_sse", "text/html"),
        ("json-not-sse", "not_sse", "application/json"),
        ("cut-mid-stream=3", "truncated", "HTTP"),
        ("cut-cleanly=3", "truncated", "without a finish reason"),
        ("rst=3", "reset", "ECONNRESET"),
        ("silent", "timeout", "1 s"),
        ("headers-then-silence", "timeout", "1 s"),
        ("stalls=2", "timeout", "1 s"),
        ("error-event=2", "error_event", "out of memory"),
        ("error-event-no-done=2", "error_event", "out of memory"),
        ("error-first", "error_event", "out of memory"),
        ("tgi-error=2", "error_event", "overloaded"),
        ("garbage-event=2", "truncated", "finish reason"),
        ("zero-tokens", "no_tokens", None),
        ("role-only", "no_tokens", None),
    ],
)
def test_a_fault_is_recorded_as_what_it_is(
    server: FaultyServer, tmp_path: Path, way: str, error: str, detail: str | None
) -> None:
    rows = records_of(run_load(tmp_path, server.url(way), backend="openai"))

    failed = rows[rows["error"].fillna("") != "cut_at_end"]
    assert len(failed) > 0
    assert set(failed["error"]) == {error}
    if detail is not None:
        assert detail in failed["error_detail"].iloc[0]


@pytest.mark.parametrize(
    "way",
    [
        "ok", "role-first", "comments", "byte-by-byte", "several-per-write", "utf8-split", "no-space", "crlf",
        "no-done", "done-without-finish-reason", "content-length", "connection-close", "slow-first-token=0.1",
        "no-probes", "nonsense-probes",
    ],
)  # fmt: skip
def test_odd_but_right_answers_are_counted_exactly(server: FaultyServer, tmp_path: Path, way: str) -> None:
    rows = records_of(run_load(tmp_path, server.url(way), backend="openai"))

    good = rows[rows["error"].isna()]
    assert len(good) > 0
    assert len(good) == len(rows[rows["error"].fillna("") != "cut_at_end"])
    assert set(good["output_tokens"]) == {5}
    assert set(good["events"]) == {5}
    assert set(good["token_source"]) == {"server"}
    assert (good["first_token_s"] <= good["finished_s"]).all()
    assert (good["finished_s"] <= good["answered_s"]).all()
    assert (good["sent_s"] <= good["headers_s"]).all()


def test_merged_tokens_are_counted_by_the_server_and_not_by_events(server: FaultyServer, tmp_path: Path) -> None:
    good = records_of(run_load(tmp_path, server.url("merged=2"), backend="vllm")).query("error.isna()")

    assert set(good["output_tokens"]) == {5}
    assert set(good["events"]) == {3}  # 2 + 2 + 1


def test_empty_text_is_a_token_for_vllm_and_none_for_others(server: FaultyServer, tmp_path: Path) -> None:
    vllm = records_of(run_load(tmp_path / "a", server.url("empty-text"), backend="vllm"))

    assert set(vllm["events"]) == {5}
    assert vllm["error"].isna().all()


def test_tokens_that_nobody_counted_stay_unknown(server: FaultyServer, tmp_path: Path) -> None:
    rows = records_of(run_load(tmp_path, server.url("no-usage"), backend="openai"))

    assert rows["output_tokens"].isna().all()
    assert set(rows["token_source"]) == {"unknown"}


def test_a_whole_answer_has_no_first_token(server: FaultyServer, tmp_path: Path) -> None:
    work = scenario(request={"timeout_s": 1.0, "stream": False})

    rows = records_of(run_load(tmp_path, server.url(), work=work))

    good = rows[rows["error"].isna()]
    assert len(good) > 0
    assert good["first_token_s"].isna().all()
    assert (good["finished_s"] > good["sent_s"]).all()
    assert set(good["output_tokens"]) == {5}


def test_events_of_another_shape_are_no_tokens_and_spoil_none(server: FaultyServer, tmp_path: Path) -> None:
    rows = records_of(run_load(tmp_path, server.url("odd-events")))

    assert rows["error"].isna().sum() > 0
    assert set(rows["error"].dropna()) <= {"cut_at_end"}


def test_a_whole_answer_of_another_shape_leaves_its_row(server: FaultyServer, tmp_path: Path) -> None:
    work = scenario(request={"timeout_s": 1.0, "stream": False})

    rows = records_of(run_load(tmp_path, server.url("odd-body"), work=work))

    assert len(rows) > 0
    assert set(zip(rows["error"], rows["error_detail"], strict=True)) == {
        ("error_event", "the answer is JSON of another shape")
    }


def test_a_key_that_is_cut_off_in_a_servers_words_is_struck_out(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-very-secret-1")
    # "Bearer sk-very-se" is what fits into an error's words
    before = MAX_DETAIL_CHARS - len("Bearer sk-very-se")

    rows = records_of(run_load(tmp_path, server.url(f"quotes-key={before}"), api_key_env="TEST_KEY"))

    assert set(rows["error_detail"].dropna()) == {"x" * before + "Bearer ***"}


def test_chat_is_driven_on_its_own_route(server: FaultyServer, tmp_path: Path) -> None:
    seen = len(server.generations())
    work = scenario(request={"timeout_s": 1.0, "api": "chat"})

    run_load(tmp_path, server.url(), work=work)

    asked = [x for x in server.generations()[seen:] if "tokenize" not in x.path]
    assert {x.path for x in asked} == {"/v1/chat/completions"}
    assert all(x.body["messages"][0]["role"] == "user" for x in asked)


def test_every_request_carries_its_rows_id(server: FaultyServer, tmp_path: Path) -> None:
    seen = len(server.generations())

    rows = records_of(run_load(tmp_path, server.url()))

    asked = [x for x in server.generations()[seen:] if "tokenize" not in x.path]
    sent = [x.headers["x-request-id"] for x in asked]
    assert sorted(sent) == sorted(rows["request_id"])
    assert len(set(sent)) == len(sent)


def test_a_base_url_may_end_in_v1(server: FaultyServer, tmp_path: Path) -> None:
    rows = records_of(run_load(tmp_path, server.url() + "/v1"))

    assert rows["error"].isna().any()


def test_failing_users_back_off(server: FaultyServer, tmp_path: Path) -> None:
    # 0.1 + 0.2 + 0.5 s of waiting: at most four requests begin within 0.5 s
    assert len(records_of(run_load(tmp_path, server.url("status=500")))) <= 4


def test_nobody_listening_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match=r"nobody can be reached at http://127\.0\.0\.1:9: Connection refused"):
        run_load(tmp_path / "results", "http://127.0.0.1:9")

    assert list(tmp_path.iterdir()) == []


def test_replicas_share_the_load(server: FaultyServer, tmp_path: Path) -> None:
    work = scenario(load={"users": [4], "step_s": 0.6, "warmup_s": 0})

    with FaultyServer() as other:
        rows = records_of(run_load(tmp_path, server.url("slow-first-token=0.05"), other.url("ok"), work=work))

    assert rows["url"].nunique() == 2


def test_a_replica_that_is_gone_does_not_draw_the_requests_of_the_others(server: FaultyServer, tmp_path: Path) -> None:
    other = FaultyServer().__enter__()

    def on_event(event: RunEvent) -> None:
        if isinstance(event, StepBegun):
            other.__exit__()  # 0.1 s before the first arrival

    options = RunOptions(
        scenario=scenario(load={"kind": "open", "requests_per_s": [20], "step_s": 2.5, "warmup_s": 0}),
        base_dir=tmp_path, backend="vllm", out_dir=tmp_path,
        urls=[server.url("slow-first-token=0.2"), other.url("ok")],
    )  # fmt: skip
    rows = records_of(measure(options, on_event))

    refused = rows[rows["error"].notna()]
    # it is asked again after each second of rest: three times in 2.5 s, and perhaps while a request is being refused
    assert 1 <= len(refused) <= 6
    assert set(refused["url"]) == {other.url("ok")}
    assert len(rows) > 30


def test_secrets_never_reach_the_run_directory(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-very-secret-1")

    measured = run_load(tmp_path, server.url("status=401"), api_key_env="TEST_KEY", headers={"X-Team": "hush-hush-2"})

    sent = server.generations()[-1]
    assert sent.headers["authorization"] == "Bearer sk-very-secret-1"
    assert sent.headers["x-team"] == "hush-hush-2"
    written = b"".join(path.read_bytes() for path in measured.run_dir.iterdir())
    assert b"sk-very-secret-1" not in written
    assert b"hush-hush-2" not in written
