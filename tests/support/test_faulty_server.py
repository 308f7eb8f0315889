"""The faulty server is faulty in the ways its name says, and in no other."""

import http.client
import json

import pytest
from faulty_server import FaultyServer

GOOD_WAYS = [
    "ok", "role-first", "comments", "byte-by-byte", "several-per-write", "no-space", "crlf", "merged=2",
    "no-usage", "no-done", "content-length", "connection-close", "slow-first-token=0.01",
    "no-probes", "fails-every=2",
]  # fmt: skip


@pytest.fixture
def server():
    with FaultyServer() as running:
        yield running


def ask(server, way, path="/v1/completions"):
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        client.request("POST", f"/{way}{path}", json.dumps({"max_tokens": 5, "stream": True}))
        answer = client.getresponse()
        return answer.status, answer.read().decode()
    finally:
        client.close()


def texts(body):
    lines = [line.removeprefix("data:").strip() for line in body.splitlines() if line.startswith("data:")]
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    return "".join(choice.get("text", "") for chunk in chunks for choice in chunk["choices"])


@pytest.mark.parametrize("way", GOOD_WAYS)
def test_a_way_that_is_only_unusual_still_carries_the_whole_answer(server, way):
    status, body = ask(server, way)

    assert (status, texts(body)) == (200, " tok" * 5)


def test_several_bytes_a_character_survive_the_split(server):
    assert texts(ask(server, "utf8-split")[1]) == " é€😀" * 5


def test_a_cut_stream_holds_the_tokens_asked_for_and_no_end(server):
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(server, "cut-mid-stream=3")

    assert texts(cut.value.partial.decode()) == " tok" * 3


def test_a_reset_is_a_reset(server):
    with pytest.raises(ConnectionResetError):
        ask(server, "rst=2")


@pytest.mark.parametrize("status", [401, 404, 422, 429, 500, 503])
def test_statuses_come_with_a_json_body_or_with_text(server, status):
    answered, body = ask(server, f"status={status}")
    assert (answered, json.loads(body)["error"]["message"]) == (status, f"no luck: {status}")

    answered, body = ask(server, f"status-text={status}")
    assert (answered, body) == (status, f"no luck: {status}\nsecond line")


def test_what_arrived_is_kept_and_a_misspelt_way_is_an_error(server):
    ask(server, "html")

    assert [(x.way, x.path, x.body["max_tokens"]) for x in server.generations()] == [("html", "/v1/completions", 5)]
    with pytest.raises(KeyError):
        server.url("htlm")


def test_a_server_stops_while_clients_wait_for_its_silence():
    with FaultyServer() as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        client.request("POST", "/silent/v1/completions", "{}")
        assert server.arrived.wait(10)

    with pytest.raises(http.client.RemoteDisconnected):
        client.getresponse()
    client.close()
