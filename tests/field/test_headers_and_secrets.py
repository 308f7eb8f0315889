"""What `--header` takes, what every request carries, and that no part of a value is ever written down."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from faulty_exchange import Exchange
from faulty_server import probe
from load_helpers import records_of, run_load, scenario
from one_fault import OneFault

from harness import cli
from harness.cli.headers import parse_headers
from harness.load.wire.headers import head_lines
from harness.load.wire.redact import Secrets
from harness.pipeline.analyse import analyse_run

SECRET = "sk-Zq7/Kw+2mPx9=="


@pytest.mark.parametrize(
    ("pair", "name", "value"),
    [
        ("Authorization: Bearer c2VjcmV0==", "Authorization", "Bearer c2VjcmV0=="),
        ("Authorization=Bearer c2VjcmV0==", "Authorization", "Bearer c2VjcmV0=="),
        ("X-Team=search", "X-Team", "search"),
        ("api-key:abc", "api-key", "abc"),
        ("X-Back: http://a/b?c=d", "X-Back", "http://a/b?c=d"),
        ("X-Back=http://a/b?c=d:e", "X-Back", "http://a/b?c=d:e"),
        ("Cookie: a=1; b=2", "Cookie", "a=1; b=2"),
    ],
)
def test_the_first_colon_or_equals_sign_parts_name_and_value(pair: str, name: str, value: str) -> None:
    assert parse_headers([pair], has_key=False) == {name: value}


@pytest.mark.parametrize(
    "pairs",
    [
        ["s3cret-token"],  # no name
        ["s3cret-token=="],  # a key alone: what looks like its name is the secret
        ["Bearer s3cret-token"],
        [": s3cret-token"],
        ["X Y: s3cret-token"],
        ["X-Ä: s3cret-token"],
        ["X-Key: s3cret-token\r\nX-Other: 1"],
        ["X-Key: s3cret-tokenä"],
        ["X-Key: s3cret-token\x7f"],
        ["Content-Length: s3cret-token"],
        ["host=s3cret-token"],
        ["Transfer-Encoding: s3cret-token"],
        ["X-Request-Id: s3cret-token"],
        ["X-Key: s3cret-token", "x-key: s3cret-token"],
        ["X-Key:", "X-Other: s3cret-token"],
    ],
)
def test_what_no_header_can_be_is_one_line_that_quotes_no_value(
    pairs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [part for pair in pairs for part in ("--header", pair)]

    code = cli.invoke(["run", "--url", "http://127.0.0.1:9", *given, "--out", str(tmp_path / "out")])

    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("error: ")
    assert "--header" in said.splitlines()[0]
    assert "s3cret" not in said
    assert not (tmp_path / "out").exists()


def test_the_key_is_given_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("K", "abc")
    given = ["--api-key-env", "K", "--header", "authorization: Bearer abc"]

    assert cli.invoke(["run", "--url", "http://127.0.0.1:9", *given]) == 2
    assert "--api-key-env" in capsys.readouterr().err


def test_the_users_own_header_stands_in_place_of_ours() -> None:
    ours = head_lines("h:1", {})
    own = head_lines("h:1", {"accept": "text/plain", "USER-AGENT": "me", "X-Team": "t"})

    names = [line.split(":")[0].lower() for line in own.split("\r\n") if line]
    assert sorted(names) == ["accept", "accept-encoding", "content-type", "host", "user-agent", "x-team"]
    assert "accept: text/plain\r\n" in own
    assert "USER-AGENT: me\r\n" in own
    assert "Accept-Encoding: identity\r\n" in ours


def masked(secret: str) -> str:
    return f"{secret[:5]}********{secret[-4:]}"


QUOTES: dict[str, Callable[[str], str]] = {
    "as it is": lambda s: f"no such key: Bearer {s}",
    "upper case": lambda s: f"no such key: {s.upper()}",
    "lower case": lambda s: f"no such key: {s.lower()}",
    "base64": lambda s: "no such key: " + base64.b64encode(s.encode()).decode(),
    "base64 within more": lambda s: "got " + base64.b64encode(f'{{"auth": "Bearer {s}"}}'.encode()).decode(),
    "base64 for URLs": lambda s: "got " + base64.urlsafe_b64encode(f"Bearer {s}".encode()).decode().rstrip("="),
    "percent": lambda s: f"GET /?key={quote(s, safe='')}",
    "hexadecimal": lambda s: s.encode().hex(),
    "JSON": lambda s: s.replace("/", "\\/").replace("=", "\\u003d").replace("+", "\\u002b"),
    "masked": lambda s: f"Incorrect API key provided: {masked(s)}. You can find yours elsewhere",
    "cut at its end": lambda s: "x" * 290 + s,
    "cut at its beginning": lambda s: f"...{s[4:]} is not known",
}


@pytest.mark.parametrize("quotes", QUOTES.values(), ids=QUOTES.keys())
def test_no_part_of_a_value_is_left_however_it_is_quoted(quotes: Callable[[str], str]) -> None:
    words = quotes(SECRET)[:300]

    struck = Secrets({"Authorization": f"Bearer {SECRET}"}).strike(words) or ""

    assert "***" in struck
    for begin in range(len(SECRET) - 3):
        assert SECRET[begin : begin + 4].lower() not in struck.lower()
    assert base64.b64encode(SECRET.encode()).decode()[4:10] not in struck


def test_what_basic_packs_is_a_secret_too() -> None:
    packed = base64.b64encode(b"user:hunter-22").decode()

    assert (
        Secrets({"Authorization": f"Basic {packed}"}).strike("password hunter-22 is wrong") == "password *** is wrong"
    )


@pytest.mark.parametrize("words", ["Missing Bearer token", "stream must be true", "the model `m` does not exist", ""])
def test_other_words_are_left_as_they_are(words: str) -> None:
    secrets = Secrets({"Authorization": f"Bearer {SECRET}", "X-Try": "1", "Accept": "application/json", "X-On": "no"})

    assert secrets.strike(words) == words
    assert secrets.struck_out_of(words.encode()) == words.encode()


def test_a_server_that_quotes_the_key_everywhere_gets_it_into_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = list(QUOTES.values())

    def post(x: Exchange) -> None:
        words = forms[x.count % len(forms)](SECRET)
        x.whole(500, json.dumps({"error": {"message": words}}).encode(), retry_after=0)

    def get(x: Exchange) -> None:
        if x.path == "/metrics":
            page = f'# TYPE vllm:x gauge\nvllm:x{{key="{x.headers["authorization"]}"}} 1\n'
            x.whole(200, page.encode(), "text/plain")
        elif x.path == "/version":
            x.whole(200, json.dumps({"version": f"1.0 for {SECRET}"}).encode())
        else:
            probe(x)

    monkeypatch.setenv("OUR_KEY", SECRET)
    with OneFault(post, get) as server:
        work = scenario(load={"kind": "closed", "users": [6], "step_s": 0.8, "warmup_s": 0})
        run_dir = run_load(
            tmp_path, server.base, work=work, api_key_env="OUR_KEY", headers={"X-Team": "a-b-c-d-1"}
        ).run_dir
        assert {x.headers["x-team"] for x in server.generations()} == {"a-b-c-d-1"}
    analyse_run(run_dir)

    written = b"".join(path.read_bytes() for path in sorted(run_dir.rglob("*")) if path.is_file()).lower()
    for begin in range(len(SECRET) - 5):
        assert SECRET[begin : begin + 6].lower().encode() not in written
    assert b"a-b-c-d-1" not in written


def test_a_header_that_is_a_colon_pair_reaches_the_server_and_its_name_alone_the_run(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        if x.headers.get("authorization") != "Bearer c2VjcmV0==":
            x.whole(401, b'{"error": {"message": "no valid key"}}')
        else:
            x.stream(x.good_events())
            x.end()

    with OneFault(post) as server:
        headers = parse_headers(["Authorization: Bearer c2VjcmV0=="], has_key=False)
        measured = run_load(tmp_path, server.base, headers=headers)

    assert records_of(measured)["error"].isna().any()
    told = json.loads((measured.run_dir / "run.json").read_text())
    assert told["client"]["header_names"] == ["Authorization"]
    assert "c2VjcmV0" not in json.dumps(told)
