"""The batching server keeps the schedule that it promises, and its log says what the client saw."""

import http.client
import itertools
import json
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from batching_server import batching_server


def ask(url: str, prompt: str, max_tokens: int, *, stream: bool = True) -> str:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    asked = {"prompt": prompt, "max_tokens": max_tokens, "stream": stream, "stream_options": {"include_usage": True}}
    connection.request("POST", "/v1/completions", json.dumps(asked), {"x-request-id": prompt.split()[0]})
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_a_stream_has_a_token_an_iteration_then_usage_and_done(tmp_path: Path) -> None:
    with batching_server(tmp_path, iteration_s=0.001, running_s=0.0) as server:
        events = ask(server.url, "one two three", 4).strip().split("\n\n")

    assert [json.loads(e[6:])["choices"][0]["finish_reason"] for e in events[:4]] == [None, None, None, "length"]
    assert json.loads(events[4][6:])["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert events[5] == "data: [DONE]"


def test_an_answer_of_one_token_and_one_that_is_not_streamed_are_whole(tmp_path: Path) -> None:
    with batching_server(tmp_path, iteration_s=0.001, running_s=0.0) as server:
        short = ask(server.url, "a", 1)
        whole = json.loads(ask(server.url, "b", 3, stream=False))

    assert short.count('"text"') == 1
    assert whole["usage"]["completion_tokens"] == 3


def test_an_iteration_takes_what_the_formula_says_and_everybody_gets_a_token(tmp_path: Path) -> None:
    with batching_server(tmp_path, iteration_s=0.004, running_s=0.001, prompt_token_s=0.0005) as server:
        users = [threading.Thread(target=ask, args=(server.url, f"u{i} x", 40)) for i in range(4)]
        for user in users:
            user.start()
        for user in users:
            user.join()

    iterations, served = server.iterations(), server.served()
    full = [(a, b) for a, b in itertools.pairwise(iterations) if b.running == 4 and not b.prompt_tokens]
    assert len(full) >= 20
    assert [b.due_s - a.due_s for a, b in full] == pytest.approx([0.008] * len(full))  # 4 ms + 4 * 1 ms
    assert sum(x.prompt_tokens for x in iterations) == 8
    assert sum(x.running for x in iterations) == sum(x.output_tokens for x in served) == 160
    assert {x.request_id for x in served} == {"u0", "u1", "u2", "u3"}


def test_a_client_that_leaves_is_cut_and_makes_room(tmp_path: Path) -> None:
    with batching_server(tmp_path, iteration_s=0.002, running_s=0.0) as server:
        with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0)) as client:
            asked = json.dumps({"prompt": "gone", "max_tokens": 10**6, "stream": True})
            client.sendall(f"POST /v1/completions HTTP/1.1\r\ncontent-length: {len(asked)}\r\n\r\n{asked}".encode())
            client.recv(10)
        for _ in range(50):  # 5 iterations each
            ask(server.url, "other", 5)

    cut = [x for x in server.served() if x.cut]
    assert len(cut) == 1
    assert 0 < cut[0].output_tokens < 250
    assert server.iterations()[-1].running == 1
