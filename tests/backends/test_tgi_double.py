"""The double of TGI keeps its router's contract, point by point; a plain HTTP client looks at the bytes."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tgi_double import BIG_SEED, TgiDouble
from tgi_job import Behaviour
from tgi_rules import Limits

DONE = "data: [DONE]"
JSON = "application/json"


@pytest.fixture
def tgi() -> Iterator[TgiDouble]:
    with TgiDouble() as double:
        yield double


class Answer:
    """A whole answer: status, headers, body, and its events where it is a stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        try:
            self.body, self.cut = response.read(), False
        except http.client.IncompleteRead as broken:
            self.body, self.cut = broken.partial, True

    @property
    def lines(self) -> list[str]:
        return [line for line in self.body.decode().split("\n") if line]

    @property
    def events(self) -> list[Any]:
        data = [line.removeprefix("data:").strip() for line in self.lines if line.startswith("data:")]
        return [json.loads(text) for text in data if text != "[DONE]"]

    def json(self) -> Any:
        return json.loads(self.body)


def post(tgi: TgiDouble, path: str, body: Any, kind: str | None = JSON, **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", tgi.server_address[1], timeout=10)) as c:
        c.request("POST", path, data, {**({"content-type": kind} if kind else {}), **headers})
        return Answer(c.getresponse())


def get(tgi: TgiDouble, path: str) -> Answer:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", tgi.server_address[1], timeout=10)) as c:
        c.request("GET", path)
        return Answer(c.getresponse())


def native(n: int = 3, **parameters: Any) -> dict[str, Any]:
    return {"inputs": "one two", "parameters": {"max_new_tokens": n, "details": True, **parameters}}


def chat(n: int = 3, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Hi"}]
    return {"messages": messages, "max_tokens": n, "temperature": 0, "stream": True, **more}


def completion(n: int = 3, **more: Any) -> dict[str, Any]:
    return {"prompt": "one two", "max_tokens": n, "temperature": 0, "stream": True, **more}


def test_01_a_native_stream_ends_with_generated_text_and_without_done(tgi: TgiDouble) -> None:
    answer = post(tgi, "/generate_stream", native())

    assert [e["generated_text"] for e in answer.events] == [None, None, " tok tok tok"]
    assert DONE not in answer.lines


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", chat), ("/v1/completions", completion)])
@pytest.mark.parametrize("fail_after", [None, 1])
def test_02_an_openai_stream_ends_with_done_even_after_an_error(
    tgi: TgiDouble, path: str, body: Any, fail_after: int | None
) -> None:
    tgi.behaviour = Behaviour(fail_after=fail_after)

    assert post(tgi, path, body()).lines[-1] == DONE


def test_03_a_streams_validation_error_is_one_event_under_status_200(tgi: TgiDouble) -> None:
    answer = post(tgi, "/generate_stream", native(top_p=1.0))

    assert answer.status == 200
    assert answer.events == [
        {"error": "Input validation error: `top_p` must be > 0.0 and < 1.0", "error_type": "validation"}
    ]


def test_04_the_same_request_not_streamed_is_a_422_in_json(tgi: TgiDouble) -> None:
    answer = post(tgi, "/generate", native(top_p=1.0))

    assert (answer.status, answer.headers["content-type"]) == (422, JSON)
    assert answer.json()["error_type"] == "validation"


@pytest.mark.parametrize("path", ["/generate", "/generate_stream", "/v1/chat/completions"])
@pytest.mark.parametrize(
    ("body", "kind", "status"), [(b"{half", JSON, 400), (b'{"inputs":3,"messages":3}', JSON, 422), (b"{}", None, 415)]
)
def test_05_what_is_no_request_is_refused_in_plain_text_on_streams_too(
    tgi: TgiDouble, path: str, body: bytes, kind: str | None, status: int
) -> None:
    answer = post(tgi, path, body, kind)

    assert answer.status == status
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_06_overload_is_a_429_an_event_or_a_chat_event_that_says_422() -> None:
    with TgiDouble(max_concurrent_requests=0) as full:
        whole = post(full, "/generate", native())
        stream = post(full, "/generate_stream", native())
        chatted = post(full, "/v1/chat/completions", chat())

    overloaded = {"error": "Model is overloaded", "error_type": "overloaded"}
    assert (whole.status, whole.json(), whole.headers["retry-after"]) == (429, overloaded, None)
    assert (stream.status, stream.events) == (200, [overloaded])
    words = {"error": {"message": "Model is overloaded", "http_status_code": 422}}
    assert (chatted.status, chatted.events, chatted.lines[-1]) == (200, [words], DONE)


def test_07_an_error_in_the_middle_comes_after_the_tokens_and_ends_the_stream(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(fail_after=2)

    events = post(tgi, "/generate_stream", native(5)).events

    assert [e.get("index") for e in events] == [1, 2, None]
    assert events[-1]["error_type"] == "generation"


def test_08_a_crash_is_an_end_without_generated_text(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(crash_after=2)

    answer = post(tgi, "/generate_stream", native(5))

    assert answer.cut
    assert [e["generated_text"] for e in answer.events] == [None, None]


def test_09_keep_alives_come_before_the_first_token_and_between_tokens(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(keep_alives=True)

    lines = post(tgi, "/generate_stream", native(2)).lines

    assert [line[:1] for line in lines] == [":", "d", ":", "d"]


def test_10_a_token_may_have_no_text(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(texts=("", "é"))

    events = post(tgi, "/generate_stream", native(4)).events

    assert [e["token"]["text"] for e in events] == ["", "é", "", "é"]
    assert events[-1]["details"]["generated_tokens"] == 4


@pytest.mark.parametrize("write", ["events", "bytes", "all"])
@pytest.mark.parametrize("space", [True, False])
def test_11_events_may_be_cut_and_joined_anywhere(tgi: TgiDouble, write: str, space: bool) -> None:
    tgi.behaviour = Behaviour(texts=("é", "😀"), write=write, space=space)

    answer = post(tgi, "/generate_stream", native(2))

    assert answer.events[-1]["generated_text"] == "é😀"
    assert all(line.startswith("data: {" if space else "data:{") for line in answer.lines)


def test_12_the_index_runs_from_1_to_the_number_of_generated_tokens(tgi: TgiDouble) -> None:
    events = post(tgi, "/generate_stream", native(4)).events

    assert [e["index"] for e in events] == [1, 2, 3, 4]
    assert events[-1]["details"] == {"finish_reason": "length", "generated_tokens": 4, "seed": None, "input_length": 2}


TIMES = {"x-compute-time", "x-total-time", "x-queue-time", "x-inference-time", "x-time-per-token", "x-prompt-tokens"}


def test_13_times_are_in_headers_of_whole_answers_only(tgi: TgiDouble) -> None:
    whole, stream = post(tgi, "/generate", native()), post(tgi, "/generate_stream", native())

    assert set(whole.headers) >= TIMES
    assert whole.headers["x-prompt-tokens"] == "2"
    assert not TIMES & set(stream.headers)
    assert stream.headers["x-accel-buffering"] == "no"


def test_13_a_streams_headers_come_long_before_its_first_event(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(first_token_s=0.3)
    connection = http.client.HTTPConnection("127.0.0.1", tgi.server_address[1], timeout=10)
    connection.request("POST", "/generate_stream", json.dumps(native(1)), {"content-type": JSON})

    began = time.monotonic()
    response = connection.getresponse()
    headers_s = time.monotonic() - began
    response.read()
    whole_s = time.monotonic() - began
    connection.close()

    assert headers_s < 0.25 < whole_s


def test_14_no_parameters_at_all_means_sampling_and_empty_ones_do_not(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(eos_after=0)
    inputs = {"inputs": "one"}

    assert post(tgi, "/generate", inputs).status == 200
    assert post(tgi, "/generate", inputs | {"parameters": {}}).status == 200
    assert tgi.bodies == [{"do_sample": True}, {}]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        ({"stop": list("abcde")}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"best_of": 3}, "`best_of` must be > 0 and <= 2. Given: 3"),
        ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "do_sample": True, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
        ({"frequency_penalty": 2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
    ],
)
def test_15_16_values_out_of_range_are_refused_in_the_routers_words(
    tgi: TgiDouble, parameters: dict[str, Any], words: str
) -> None:
    answer = post(tgi, "/generate", native(**parameters))

    assert (answer.status, answer.json()["error"]) == (422, f"Input validation error: {words}")


def test_16_too_many_tokens_in_all_are_found_before_too_long_a_prompt() -> None:
    with TgiDouble(limits=Limits(max_input_tokens=2, max_total_tokens=4)) as tgi:
        both = post(tgi, "/generate", {"inputs": "a b c", "parameters": {"max_new_tokens": 2}})
        long = post(tgi, "/generate", {"inputs": "a b c", "parameters": {"max_new_tokens": 1}})

    assert "must be <= 4. Given: 3 `inputs` tokens and 2 `max_new_tokens`" in both.json()["error"]
    assert "`inputs` must have less than 2 tokens. Given: 3" in long.json()["error"]


@pytest.mark.parametrize("more", [{"stream_options": None}, {"stop": "x"}])
def test_17_null_stream_options_and_a_single_stop_are_refused(tgi: TgiDouble, more: dict[str, Any]) -> None:
    answer = post(tgi, "/v1/chat/completions", chat(**more))

    assert answer.status == 422
    assert answer.headers["content-type"].startswith("text/plain")


def test_18_the_end_of_sequence_chunk_has_no_content_but_is_counted(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(eos_after=2)

    events = post(tgi, "/v1/chat/completions", chat(9, stream_options={"include_usage": True})).events

    deltas = [e["choices"][0]["delta"] for e in events[:-1]]
    assert [d["content"] for d in deltas] == [" tok", " tok", ""]
    assert {d["role"] for d in deltas} == {"assistant"}
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert (events[-1]["choices"], events[-1]["usage"]["completion_tokens"]) == ([], 3)
    assert all(e["usage"] is None and e["id"] == "" for e in events[:-1])


def test_18_completions_say_the_routers_own_finish_reason_and_empty_ones_before(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(eos_after=1)

    events = post(tgi, "/v1/completions", completion(9)).events

    assert [e["choices"][0]["finish_reason"] for e in events] == ["", "eos_token"]
    assert ["usage" in e for e in events] == [False, True]


def test_19_a_wrong_key_is_a_401_without_a_word_and_open_routes_need_none() -> None:
    with TgiDouble(api_key="secret") as tgi:
        refused = post(tgi, "/generate", native())
        taken = post(tgi, "/generate", native(), authorization="bearer SECRET")
        open_ones = [get(tgi, path).status for path in ("/health", "/info", "/metrics", "/v1/models")]

    assert (refused.status, refused.body) == (401, b"")
    assert taken.status == 200
    assert open_ones == [200] * 4


def test_20_an_unhealthy_server_says_so_and_one_that_is_not_ready_does_not_listen(tgi: TgiDouble) -> None:
    tgi.healthy = False

    answer = get(tgi, "/health")

    assert (answer.status, answer.json()) == (503, {"error": "unhealthy", "error_type": "healthcheck"})
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with TgiDouble(port=port) as late:
        assert get(late, "/health").status == 200


def test_21_seeds_beyond_53_bits_and_null_logprobs_are_sent_as_they_are(tgi: TgiDouble) -> None:
    tgi.behaviour = Behaviour(null_logprobs=True)

    event = post(tgi, "/generate_stream", native(1, do_sample=True)).events[0]

    assert event["details"]["seed"] == BIG_SEED > 2**53
    assert event["token"]["logprob"] is None


def test_a_stream_refuses_several_sequences_before_it_looks_for_room() -> None:
    with TgiDouble(max_concurrent_requests=0) as full:
        answer = post(full, "/generate_stream", native(best_of=2))

    assert "not supported when streaming" in answer.events[0]["error"]


def test_the_compat_route_wraps_its_answer_and_gives_the_prompt_back(tgi: TgiDouble) -> None:
    assert post(tgi, "/", native(1)).json()[0]["generated_text"] == "one two tok"


def test_info_names_the_router_and_an_unknown_path_is_a_404_without_a_word(tgi: TgiDouble) -> None:
    assert get(tgi, "/info").json()["router"] == "text-generation-router"
    assert (get(tgi, "/nowhere").status, get(tgi, "/nowhere").body) == (404, b"")
    assert get(tgi, "/generate").status == 405


def test_tokenize_gives_a_list_of_tokens_with_their_places(tgi: TgiDouble) -> None:
    assert post(tgi, "/tokenize", {"inputs": "one two"}).json()[1] == {"id": 1, "text": " two", "start": 3, "stop": 7}
    assert post(tgi, "/tokenize", {"inputs": ""}).json()["error_type"] == "validation"


def test_metrics_have_no_total_suffix_and_count_chats_twice(tgi: TgiDouble) -> None:
    post(tgi, "/v1/chat/completions", chat())
    post(tgi, "/generate", native())

    text = get(tgi, "/metrics").body.decode()

    assert "tgi_request_success 2\n" in text
    assert "tgi_request_count 3\n" in text
    assert "_total" not in text
