"""TGI's requests as its router takes them, checked with the types of its own Python package."""

from typing import Any

import pytest
from text_generation.types import Parameters, Request

from harness.backends import BACKENDS
from harness.backends.wire import Ask

TGI = BACKENDS["tgi"]


def ask(**more: Any) -> Ask:
    base: dict[str, Any] = {
        "prompt": "p", "max_tokens": 7, "api": "native", "stream": True, "temperature": 0.0,
        "force_length": True, "model": "m", "cache_salt": "salt",
    }  # fmt: skip
    return Ask(**(base | more))


@pytest.mark.parametrize(
    ("api", "stream", "path"),
    [
        ("native", True, "/generate_stream"),
        ("native", False, "/generate"),
        ("completions", True, "/v1/completions"),
        ("chat", False, "/v1/chat/completions"),
    ],
)
def test_the_path_depends_on_api_and_stream(api: str, stream: bool, path: str) -> None:
    assert TGI.path(api, stream=stream) == path


def test_a_greedy_native_request_has_no_temperature_and_no_top_p() -> None:
    # temperature 0 and top_p 1 are refused by the router; `parameters` left out altogether would mean sampling
    assert TGI.body(ask()) == {
        "inputs": "p",
        "parameters": {"do_sample": False, "max_new_tokens": 7, "details": True, "return_full_text": False},
    }


def test_a_sampling_native_request_says_so_and_at_which_temperature() -> None:
    parameters = TGI.body(ask(temperature=0.7))["parameters"]

    assert parameters["do_sample"] is True
    assert parameters["temperature"] == 0.7


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("stream", [True, False])
def test_native_requests_pass_the_packages_own_checks(temperature: float, stream: bool) -> None:
    body = TGI.body(ask(temperature=temperature, stream=stream))

    request = Request(inputs=body["inputs"], parameters=Parameters(**body["parameters"]), stream=stream)

    assert request.parameters is not None
    assert request.parameters.max_new_tokens == 7
    assert request.parameters.details
    assert set(body["parameters"]) <= set(Parameters.model_fields)


def test_extra_body_reaches_into_the_parameters() -> None:
    body = TGI.body(ask(extra_body={"parameters": {"top_k": 4, "details": False}}))

    assert body["parameters"]["top_k"] == 4
    assert body["parameters"]["details"] is False
    assert body["parameters"]["max_new_tokens"] == 7


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_openai_requests_leave_out_what_tgi_refuses(api: str) -> None:
    body = TGI.body(ask(api=api, stream=False))

    assert body["temperature"] == 0  # greedy; left out it would mean sampling
    assert not {"top_p", "presence_penalty", "stream_options", "stop", "ignore_eos", "min_tokens"} & set(body)


def test_a_streamed_openai_request_asks_for_usage() -> None:
    assert TGI.body(ask(api="chat"))["stream_options"] == {"include_usage": True}


def test_the_tokenize_route_takes_a_generate_request() -> None:
    assert TGI.tokenize_body("/tokenize", "a b", "m") == {"inputs": "a b"}
    assert TGI.token_count("/tokenize", b'[{"id":1,"text":"a","start":0,"stop":1}]') == 1


def test_a_seed_beyond_a_doubles_precision_and_a_null_logprob_do_no_harm() -> None:
    reader = TGI.reader("native")
    event = (
        b'{"index":1,"token":{"id":330,"text":" The","logprob":null,"special":false},"generated_text":" The",'
        b'"details":{"finish_reason":"length","generated_tokens":1,"seed":18446744073709551615,"input_length":5}}'
    )

    assert reader.feed(event)
    assert (reader.answer.output_tokens, reader.answer.prompt_tokens, reader.answer.done) == (1, 5, True)


def test_a_special_token_counts_but_is_no_text() -> None:
    reader = TGI.reader("native")

    assert reader.feed(b'{"index":1,"token":{"id":2,"text":"</s>","logprob":0,"special":true},"generated_text":null}')
    assert reader.answer.text == []


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_an_end_of_sequence_chunk_without_text_is_the_last_token(api: str) -> None:
    choice = '"delta":{"role":"assistant","content":""}' if api == "chat" else '"text":""'
    reader = TGI.reader(api)

    assert reader.feed(f'{{"choices":[{{"index":0,{choice},"finish_reason":"stop"}}]}}'.encode())
    assert reader.answer.finish_reason == "stop"


def test_a_whole_answers_times_and_prompt_length_are_in_its_headers() -> None:
    body = b'{"generated_text":"a","details":{"finish_reason":"length","generated_tokens":1,"seed":null}}'
    headers = {"x-prompt-tokens": "9", "x-queue-time": "3", "x-total-time": "250", "x-time-per-token": "0"}

    answer = TGI.read_body("native", body, headers)

    assert answer.prompt_tokens == 9
    assert (answer.server_queue_s, answer.server_total_s) == (0.003, 0.25)
    assert answer.server_prefill_s is None


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        ({"max_new_tokens": "many"}, "valid integer"),
        ({"frequency_penalty": -1.0}, None),  # the router takes -2 to 2
        ({}, None),
    ],
)
def test_what_the_package_objects_to_is_said_before_the_load(parameters: dict[str, Any], words: str | None) -> None:
    complaint = TGI.complaint(ask(extra_body={"parameters": parameters}))

    assert (words is None and complaint is None) or (words is not None and words in (complaint or ""))
