"""The known-schedule server keeps its schedule, counts truly, and writes down what it did."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.calibration.oracle import http as wire_http
from harness.calibration.oracle.ledger import read_ledger
from harness.calibration.oracle.process import running_oracle
from harness.calibration.oracle.wire import count_tokens, token_text

LATENESS_ALLOWED_S = 0.25  # a busy machine; what is tested is that lateness never adds up


C_SOURCE = Path(__file__).parent.parent.parent / "benchmarks" / "client" / "oracle.c"


@pytest.fixture(scope="session")
def c_oracle(tmp_path_factory):
    """The benchmarks' C twin of the server, built as the benchmarks build it."""
    binary, compiler = tmp_path_factory.mktemp("oracle") / "oracle", os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        pytest.fail(f"no C compiler `{compiler}` on this machine: apt-get install gcc", pytrace=False)
    subprocess.run([compiler, "-O2", "-o", binary, C_SOURCE], check=True)
    return binary


@pytest.fixture(params=["python", "c"])
def oracle(request, tmp_path):
    """Both servers: what is true of one is true of the other."""
    command = [str(request.getfixturevalue("c_oracle"))] if request.param == "c" else None
    with running_oracle(tmp_path / "ledger.jsonl", ttft_s=0.01, itl_s=0.002, command=command) as running:
        yield running


@pytest.fixture
def python_oracle(tmp_path):
    with running_oracle(tmp_path / "ledger.jsonl", ttft_s=0.01, itl_s=0.002) as running:
        yield running


def ask(oracle, body, *, path="/v1/completions", headers=None, connection=None):
    client = connection or http.client.HTTPConnection("127.0.0.1", oracle.port, timeout=10)
    client.request("POST", path, json.dumps(body), headers or {})
    answer = client.getresponse()
    status, text = answer.status, answer.read().decode()
    if connection is None:
        client.close()
    return status, text


def get(oracle, path):
    client = http.client.HTTPConnection("127.0.0.1", oracle.port, timeout=10)
    client.request("GET", path)
    answer = client.getresponse()
    status, text = answer.status, answer.read().decode()
    client.close()
    return status, text


def ledger_rows(oracle):
    """All rows; who has answered one more question has written the rows of all that ended before."""
    get(oracle, "/health")
    return read_ledger(oracle.ledger).to_dict("records")


def events(text):
    return [line.removeprefix("data: ") for line in text.split("\n\n") if line]


def streamed(**more):
    return {"model": "oracle", "prompt": "a wonderful day", "max_tokens": 3, "stream": True, **more}


def test_a_stream_sends_each_token_in_an_event_of_its_own_and_done_at_the_end(oracle):
    status, text = ask(oracle, streamed())

    *tokens, done = events(text)
    choices = [json.loads(event)["choices"][0] for event in tokens]
    assert status == 200
    assert [choice["text"] for choice in choices] == [" 000", " 001", " 002"]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "length"]
    assert done == "[DONE]"


def test_usage_comes_in_an_event_without_choices_when_it_is_asked_for(oracle):
    _, text = ask(oracle, streamed(stream_options={"include_usage": True}))

    usage = json.loads(events(text)[-2])
    assert usage["choices"] == []
    # a| wonderfu|l| day
    assert usage["usage"] == {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}


def test_a_chat_stream_begins_with_a_role_that_is_no_token(oracle):
    messages = [{"role": "user", "content": "a wonderful day"}]
    body = {"messages": messages, "max_tokens": 2, "stream": True}
    _, text = ask(oracle, body, path="/v1/chat/completions")

    deltas = [json.loads(event)["choices"][0]["delta"] for event in events(text)[:-1]]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": " 000"}, {"content": " 001"}]


def test_an_answer_that_is_not_streamed_comes_whole_with_its_usage(oracle):
    status, text = ask(oracle, {"prompt": [1, 2, 3], "max_tokens": 2})

    answer = json.loads(text)
    assert status == 200
    assert answer["choices"][0]["text"] == " 000 001"
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_the_ledger_holds_every_token_no_earlier_than_planned_and_never_late_by_a_sum(oracle):
    ask(oracle, streamed(max_tokens=50), headers={"x-request-id": "a"})
    (row,) = ledger_rows(oracle)

    assert row["request_id"] == "a"
    assert (row["finished"], row["prompt_tokens"], row["tokens_sent"]) == (True, 4, 50)
    planned = [stamp - row["received_monotonic_ns"] for stamp in row["planned_monotonic_ns"]]
    # first token 10 ms after the last byte of the request, then one each 2 ms
    assert planned[:3] == [10_000_000, 12_000_000, 14_000_000]
    assert planned[49] == 108_000_000
    assert all(0 <= late < LATENESS_ALLOWED_S * 1e9 for late in row["lateness_ns"])
    assert row["sent_monotonic_ns"] == sorted(row["sent_monotonic_ns"])


def test_headers_of_a_request_override_its_schedule(oracle):
    ask(oracle, streamed(), headers={"x-oracle-ttft-s": "0.001", "x-oracle-itl-s": "0.0005"})
    (row,) = ledger_rows(oracle)

    planned = [stamp - row["received_monotonic_ns"] for stamp in row["planned_monotonic_ns"]]
    assert planned == [1_000_000, 1_500_000, 2_000_000]


def test_one_connection_serves_many_requests(oracle):
    client = http.client.HTTPConnection("127.0.0.1", oracle.port, timeout=10)
    client.connect()
    port = client.sock.getsockname()[1]
    for name in ("a", "b", "c"):
        ask(oracle, streamed(), headers={"x-request-id": name}, connection=client)

    assert client.sock.getsockname()[1] == port
    client.close()
    assert [row["request_id"] for row in ledger_rows(oracle)] == ["a", "b", "c"]


def test_a_client_that_goes_away_leaves_a_row_with_the_tokens_sent_until_then(oracle):
    client = http.client.HTTPConnection("127.0.0.1", oracle.port, timeout=10)
    client.request("POST", "/v1/completions", json.dumps(streamed(max_tokens=100_000)))
    client.getresponse().readline()
    client.close()
    ask(oracle, streamed(), headers={"x-request-id": "after"})  # the server has seen the end by now

    rows = {row["request_id"]: row for row in ledger_rows(oracle)}
    assert rows["after"]["finished"]
    assert not rows["oracle-1"]["finished"]
    assert 0 < rows["oracle-1"]["tokens_sent"] < 100_000


def test_metrics_count_the_tokens_really_sent(oracle):
    ask(oracle, streamed(max_tokens=5))
    ask(oracle, {"prompt": "one two", "max_tokens": 7})
    _, text = get(oracle, "/metrics")

    assert 'vllm:generation_tokens_total{engine="0",model_name="oracle"} 12.0' in text  # 5 + 7
    assert 'vllm:prompt_tokens_total{engine="0",model_name="oracle"} 6.0' in text  # a| wonderfu|l| day, one| two
    assert 'vllm:request_success_total{engine="0",finished_reason="length",model_name="oracle"} 2.0' in text


def test_the_probes_of_a_load_tool_are_answered(oracle):
    assert json.loads(get(oracle, "/v1/models")[1])["data"][0]["id"] == "oracle"
    assert get(oracle, "/health")[0] == 200
    assert json.loads(get(oracle, "/version")[1])["version"].startswith("oracle-")
    assert get(oracle, "/nowhere")[0] == 404


def test_tokenize_counts_as_the_usage_does(oracle):
    _, text = ask(oracle, {"prompt": "a wonderful day"}, path="/tokenize")

    assert json.loads(text)["count"] == 4


def pieces(text):
    """The rule as it is told: at most eight characters of a word, with the whitespace before them."""
    return re.findall(r"\s*\S{1,8}", text)


@pytest.mark.parametrize(
    "text", ["", " ", "a wonderful day", "  a\n\twonderfully  ", "12345678", "123456789", "é€😀" * 5]
)
def test_counting_tokens_is_cutting_into_pieces_and_counting(text):
    assert count_tokens(text) == len(pieces(text))


def test_generated_text_has_one_token_for_each_token_generated():
    text = "".join(token_text(k) for k in range(1234))

    assert len(pieces(text)) == count_tokens(text) == 1234


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        ({"max_tokens": 3}, {}, "prompt"),
        ({"prompt": "a", "max_tokens": 0}, {}, "max_tokens must be a whole number above 0, got 0"),
        ({"prompt": "a"}, {"x-oracle-itl-s": "soon"}, "x-oracle-itl-s must be seconds, 0 or more, got 'soon'"),
    ],
    ids=["no prompt", "no tokens", "bad header"],
)
def test_a_request_that_cannot_be_served_is_answered_400_and_says_why(python_oracle, body, headers, message):
    status, text = ask(python_oracle, body, headers=headers)

    assert status == 400
    assert message in json.loads(text)["error"]["message"]


def test_a_request_is_taken_only_when_its_last_byte_is_there():
    inbox = bytearray(b"POST /a?b=1 HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc")
    assert wire_http.take_request(inbox) is None

    inbox += b"dGET /"
    request = wire_http.take_request(inbox)
    assert request is not None
    assert (request.method, request.path, request.body) == ("POST", "/a", b"abcd")
    assert inbox == b"GET /"


@pytest.mark.timeout(60)
def test_the_server_ends_with_the_process_that_started_it(tmp_path):
    script = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'harness.calibration.oracle.server', '--with-parent']\n"
        "server = subprocess.Popen(command)\n"
        "sys.stdin.read()\n"
    )
    root = Path(__file__).parent.parent.parent
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert "port" in json.loads(parent.stdout.readline())

    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert parent.stdout.read() == b""  # the pipe ends when the server, its last writer, is gone
    parent.stdin.close()
    parent.stdout.close()
