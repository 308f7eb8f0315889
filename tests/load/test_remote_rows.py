"""What a worker elsewhere sends is taken for what it is: rows, numbers, and words for a terminal."""

import socket
import threading
from dataclasses import asdict
from pathlib import Path

import gevent
import msgpack
import orjson
import pytest
from load_helpers import A_LIVE
from remote_helpers import TOKEN

from harness.base.errors import EndpointError
from harness.cli import complain
from harness.cli.progress import RunDisplay
from harness.load.lines import Malformed
from harness.load.protocol import Doing, Warned, event_of
from harness.load.remote.channel import connect_to, message_in
from harness.load.remote.messages import Got, Part
from harness.load.remote.rows import RowFile
from harness.rundir.records import COLUMNS, RequestRecord

ESCAPE = "\x1b]0;owned\x07"


def row(request_id: str) -> bytes:
    return orjson.dumps(RequestRecord(request_id, 0, scheduled_s=1.5).to_dict(), option=orjson.OPT_APPEND_NEWLINE)


def ids(path: Path) -> list[str]:
    return [orjson.loads(line)["request_id"] for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize(
    "damaged",
    [
        b"not JSON\n", b"[]\n", b"\n", b'{"request_id": "x"}\n', b'{"request_id": 5, "step": 0}\n', b"\xff\xfe\n",
        row("x").replace(b"1.5", b"NaN"), row("x").replace(b"1.5", b"1e400"), row("x").replace(b"1.5", b'"soon"'),
        b"[" * 5000 + b"\n",
    ],
)  # fmt: skip
def test_a_line_that_is_no_row_costs_only_itself(damaged: bytes, tmp_path: Path) -> None:
    file = RowFile(tmp_path / "records-w1-7.jsonl", "records")

    file.take(Part("records-7.jsonl", 0, row("a") + damaged + row("b")))

    assert ids(tmp_path / "records-w1-7.jsonl") == ["a", "b"]
    assert file.damaged is not None


def test_a_row_comes_in_pieces_and_pieces_come_twice(tmp_path: Path) -> None:
    file, data = RowFile(tmp_path / "records-w1-7.jsonl", "records"), row("a") + row("b")
    cut = len(row("a")) + 10

    assert file.take(Part("r", 0, data[:cut])) == Got("r", cut)
    assert file.take(Part("r", 0, data[:cut])) == Got("r", cut)
    assert file.take(Part("r", cut + 1, data[cut + 1 :])) == Got("r", cut)
    assert file.take(Part("r", cut, data[cut:])) == Got("r", len(data))

    assert ids(tmp_path / "records-w1-7.jsonl") == ["a", "b"]
    assert file.damaged is None


def test_of_a_row_only_the_columns_that_there_are_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "records-w1-7.jsonl"

    RowFile(path, "records").take(Part("r", 0, row("a").replace(b"{", b'{"more": {"a": [1]}, ')))

    assert tuple(orjson.loads(path.read_bytes())) == COLUMNS


def test_a_piece_that_finds_no_room_can_be_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "records-w1-7.jsonl"
    file = RowFile(path, "records")
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        file.take(Part("r", 0, row("a")))
    path.rmdir()

    assert file.take(Part("r", 0, row("a"))) == Got("r", len(row("a")))
    assert ids(path) == ["a"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e400", "1e30", "1" + "0" * 30, "18446744073709551616"])
@pytest.mark.parametrize("key", ["t_s", "sent", "ttft_max_s"])
def test_a_number_that_is_none_makes_no_event(key: str, number: str) -> None:
    values = asdict(A_LIVE) | {key: "HERE"}
    line = b"live " + orjson.dumps(values).replace(b'"HERE"', number.encode())

    with pytest.raises(Malformed):
        event_of(line)


@pytest.mark.parametrize("number", [2**63, -(2**63), float("nan"), float("inf")])
def test_a_number_that_is_none_makes_no_message(number: float) -> None:
    with pytest.raises(Malformed):
        message_in(msgpack.packb(["pong", {"sent_ns": 1, "seen_ns": number}]))
    who = {"version": "1", "host": "x", "cores": 1, "python": "3", "calibration": {"a": [{"b": number}]}}
    with pytest.raises(Malformed):
        message_in(msgpack.packb(["hello", {"who": who}]))


def test_what_a_terminal_would_obey_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with RunDisplay(1.0, None) as display:
        display.on_event(Doing(f"worker 2 is here: {ESCAPE}"))
        display.on_event(Warned(f"odd: {ESCAPE}"))
    complain(EndpointError(f"no: {ESCAPE}", hint=f"try {ESCAPE}", detail=f"line\twith a tab\n{ESCAPE}"))

    said = capsys.readouterr().err
    assert said.count("\\x1b]0;owned\\x07") == 5
    assert not {"\x1b", "\x07"} & set(said)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(range(1, 200)), b""])
def test_who_speaks_another_protocol_is_a_stranger_to_a_worker(answer: bytes) -> None:
    is_stranger = threading.Event()

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        channel = connect_to("127.0.0.1", listener.getsockname()[1], TOKEN, is_stranger.set)
        with gevent.Timeout(10):
            while not is_stranger.is_set():
                gevent.sleep(0.01)
        thread.join()
    channel.close()
