"""Whoever has not the token takes no part, and a run or a worker that a stranger speaks to goes on as if alone."""

import contextlib
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gevent
import msgpack
import pytest
from faulty_server import FaultyServer
from load_helpers import records_of, run_load, scenario
from remote_helpers import TOKEN, free_address, worker

from harness.base.errors import UsageError
from harness.base.token import given_token
from harness.load.lines import Malformed, encode
from harness.load.plan import LoadPlan
from harness.load.protocol import Begin, Who
from harness.load.remote import messages
from harness.load.remote.agent import Agent
from harness.load.remote.channel import connect_to, listen_at, message_in
from harness.load.remote.muster import for_elsewhere

OTHER = "another-token-of-somebody"
WHO = Who("0.1.0", "here", 1, "3.11", None)
DAMAGED: list[bytes] = [
    b"", b"\xff", b"\xc1" * 40, msgpack.packb(5), msgpack.packb(["hello"]), msgpack.packb(["hello", 5]),
    msgpack.packb(["nothing", {}]), msgpack.packb([["hello"], {}]), msgpack.packb(["welcome", {"worker": "x/../.."}]),
    msgpack.packb(["got", {"name": "a", "size": "many"}]), msgpack.packb(["part", {"name": 5, "at": 0, "data": b""}]),
    msgpack.packb(["pong", {"sent_ns": 1e400, "seen_ns": 0}]), b"\x92" * 100,
]  # fmt: skip


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        yield running


def port_of(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    return host, int(port)


@contextlib.contextmanager
def strangers(address: str) -> Iterator[None]:
    """Knocks at a port with bytes, with Locust's words, with our own words in the clear, and with another token."""
    script = f"""
import random, socket, time
import gevent, msgpack
import zmq.green as zmq
from harness.load.protocol import Who
from harness.load.remote import messages
from harness.load.remote.channel import connect_to
host, port = {port_of(address)!r}
rng = random.Random(1)
def plain(kind):
    sock = zmq.Context.instance().socket(kind)
    sock.connect(f"tcp://{{host}}:{{port}}")
    return sock
dealers = [plain(zmq.DEALER) for _ in range(3)]
other = connect_to(host, port, {OTHER!r}, lambda: None)
until = time.monotonic() + 60
while time.monotonic() < until:
    for dealer in dealers:
        for words in (["client_ready", None, "w"], ["hello", {{}}]):
            dealer.send(msgpack.packb(words), zmq.NOBLOCK)
        for data in (b"", rng.randbytes(50)):
            dealer.send(data, zmq.NOBLOCK)
    other.send(messages.Hello(Who("0.1.0", "x", 1, "3", None)))
    try:
        with socket.create_connection((host, port), 1) as raw:
            raw.sendall(rng.choice([rng.randbytes(300), b"GET / HTTP/1.1\\r\\n\\r\\n", bytes([255] + [0] * 8 + [127])]))
    except OSError:
        pass
    gevent.sleep(0.05)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        try:
            yield
        finally:
            process.kill()


@pytest.mark.slow
def test_a_run_and_its_worker_do_not_notice_strangers_at_the_port(server: FaultyServer, tmp_path: Path) -> None:
    master = free_address()
    with strangers(master), worker(master, tmp_path / "there", "--once") as lent:
        measured = run_load(
            tmp_path / "here", server.url(), workers=1, remote_workers=1, listen=master, token=TOKEN,
            headers={"x-secret": "nobody-else-reads-this"},
        )  # fmt: skip
        assert lent.wait(20) == 0

    rows = records_of(measured)
    assert rows["error"].isna().all()
    assert (rows["process"] >= 10_000_000).all()
    assert TOKEN not in "".join(path.read_text(errors="replace") for path in measured.run_dir.iterdir())


@pytest.mark.slow
def test_a_worker_with_another_token_is_told_so_and_never_taken(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.load.conduct.crew.PATIENCE_S", 6)
    master = free_address()

    with worker(master, tmp_path / "there", "--once", BREAKEVEN_TOKEN=OTHER) as lent:
        with pytest.raises(Exception, match="1 of 1 workers did not come"):
            run_load(tmp_path / "here", server.url(), workers=1, remote_workers=1, listen=master, token=TOKEN)
        assert lent.wait(20) == 2
        assert "has another token than this worker" in lent.stderr.read()

    assert server.generations() == []


def test_a_damaged_message_costs_only_itself() -> None:
    host, port = port_of(free_address())
    seen: list[messages.Message] = []

    def take(_: bytes, message: messages.Message) -> None:
        if isinstance(message, messages.Kill):
            raise RuntimeError("a handler that trips")
        seen.append(message)

    here, there = listen_at(host, port, TOKEN), connect_to(host, port, TOKEN, lambda: None)
    try:
        here.listen(take)
        for data in [*DAMAGED, *(random.Random(2).randbytes(30) for _ in range(30))]:
            there._socket.send(data)
        there.send(messages.Kill())
        there.send(messages.Pong(1, 2))
        with gevent.Timeout(5):
            while not seen:
                gevent.sleep(0.01)
    finally:
        here.close()
        there.close()
    assert seen == [messages.Pong(1, 2)]


@pytest.mark.parametrize("data", DAMAGED)
def test_what_is_no_message_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        message_in(data)


def test_every_message_comes_out_as_it_went_in() -> None:
    for message in (messages.Hello(WHO), messages.Part("0-a", 3, b"\x00\xff"), messages.Say(b"x"), messages.Kill()):
        assert message_in(msgpack.packb([type(message).__name__.lower(), asdict(message)])) == message


class Wicked:
    """A master that has the token and wants more: what an agent on `tmp_path` answers to it, and what it leaves."""

    def __init__(self, tmp_path: Path, allow_env: list[str] | None = None) -> None:
        self.answers: list[messages.Message] = []
        self._agent_id = b""
        host, port = port_of(free_address())
        self.channel = listen_at(host, port, TOKEN)
        self.channel.listen(self._take)
        orders = messages.AgentOrders(
            host, port, TOKEN, str(tmp_path / "out"), is_out_dir_ours=True, allow_env=allow_env or [],
            says_nobody=False, who=WHO,
        )  # fmt: skip
        read, self._parent = os.pipe()
        self._stdin = os.dup(0)
        os.dup2(read, 0)
        os.close(read)
        self.agent = Agent(orders)
        self._running = gevent.spawn(self.agent.run)
        self.wait(messages.Hello)

    def _take(self, agent: bytes, message: messages.Message) -> None:
        self._agent_id = agent
        self.answers.append(message)

    def wait(self, kind: type[Any]) -> Any:
        with gevent.Timeout(5):
            while not (found := [one for one in self.answers if isinstance(one, kind)]):
                gevent.sleep(0.01)
        return found[-1]

    def say(self, *said: messages.Message) -> None:
        for message in said:
            self.channel.send(message, self._agent_id)
        gevent.sleep(0.2)

    def end(self) -> None:
        self.say(messages.Bye(), messages.Kill())
        with gevent.Timeout(10):
            self._running.join()
        self.channel.close()
        os.dup2(self._stdin, 0)
        os.close(self._stdin)
        os.close(self._parent)


@contextlib.contextmanager
def wicked(tmp_path: Path, **more: Any) -> Iterator[Wicked]:
    master = Wicked(tmp_path, **more)
    try:
        yield master
    finally:
        master.end()


def plan(**more: Any) -> LoadPlan:
    work = scenario(**more.pop("work", {})).model_dump(mode="json")
    base: dict[str, Any] = {
        "run_dir": "/tmp/elsewhere", "run_id": "i", "salt": "s", "scenario": work, "base_dir": "/", "urls": [],
        "backend": "openai", "model": None, "started_monotonic_ns": 0,
    }  # fmt: skip
    return LoadPlan(**base | more)


def complaint(master: Wicked, order: LoadPlan) -> str:
    """What the agent says to a plan that it does not take."""
    master.say(messages.Welcome(0, "run"), messages.Say(encode(Begin(order)).rstrip(b"\n")))
    return str(master.wait(messages.Say).line)


@pytest.mark.parametrize("run", ["../../precious", "/precious", "..", "a/../../precious", "\x1b[2J\n"])
def test_a_worker_makes_and_removes_only_its_own_directory(tmp_path: Path, run: str) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")

    with wicked(tmp_path) as master:
        master.say(messages.Welcome(0, run))
        made = list((tmp_path / "out").iterdir())
        assert len(made) == 1
        assert made[0].parent == tmp_path / "out"

    assert (precious / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["precious"]


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "0-../x", "..", "", "0-a\x00b", "0-" + "a" * 300, "records-1.jsonl"]
)
def test_a_file_has_a_bare_name_or_is_not_taken(tmp_path: Path, name: str) -> None:
    with wicked(tmp_path) as master:
        master.say(messages.Welcome(0, "run"), messages.Part(name, 0, b"x"))
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

        master.say(messages.Part("0-prompts.csv", 0, b"x"))
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["0-prompts.csv"]


@pytest.mark.parametrize(
    "order",
    [
        plan(work={"prompts": {"kind": "file", "path": "/etc/passwd", "format": "csv", "output_tokens": 3}}),
        plan(work={"prompts": {"kind": "file", "path": "../../secret", "format": "csv", "output_tokens": 3}}),
        plan(work={"load": {"kind": "trace", "file": "/etc/hosts"}}),
        plan(ca_file="/etc/passwd"),
        plan(ca_file="0-not-sent.pem"),
    ],
)
def test_a_plan_reads_no_file_that_did_not_come_with_it(tmp_path: Path, order: LoadPlan) -> None:
    with wicked(tmp_path) as master:
        assert "names a file that did not come with it" in complaint(master, order)
        assert master.agent._child is None


def test_a_plan_reads_no_variable_that_the_worker_does_not_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "precious")

    with wicked(tmp_path, allow_env=["ANOTHER"]) as master:
        assert "this worker may not read that variable" in complaint(master, plan(api_key_env="AWS_SECRET_ACCESS_KEY"))
        assert master.agent._child is None


def test_names_on_the_way_are_plain_whatever_the_users_files_are_called(tmp_path: Path) -> None:
    work = {"prompts": {"kind": "file", "path": "mein täglicher $log.csv", "format": "csv", "output_tokens": 3}}

    order = for_elsewhere(replace(plan(work=work), base_dir=str(tmp_path)))

    assert order.attached == {"0-mein_t_glicher__log.csv": str(tmp_path / "mein täglicher $log.csv")}


def test_a_token_is_long_and_its_file_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREAKEVEN_TOKEN", raising=False)
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)

    assert given_token(None, None) is None
    assert given_token(None, file) == TOKEN
    monkeypatch.setenv("MINE", TOKEN)
    assert given_token("MINE", None) == TOKEN

    file.chmod(0o640)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    for variable, path, text in [
        ("MINE", file, "exclude each other"), (None, file, "others may read it"), ("NOT_THERE", None, "no such"),
        (None, tmp_path / "none", "No such file"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=text):
            given_token(variable, path)
    monkeypatch.setenv("MINE", "short-secret")
    with pytest.raises(UsageError, match="20 or more") as caught:
        given_token("MINE", None)
    assert "short-secret" not in f"{caught.value} {caught.value.hint}"
