"""A quota, or a key that ran out, is a limit of the account: no verdict on the box follows from it, in no words."""

import json
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from faulty_exchange import Exchange
from faulty_server import good
from one_fault import OneFault

from harness.cli import invoke

Refuse = Callable[[Exchange], None]
LADDER = "load: {users: [1, 2], step_s: 1, warmup_s: 0}"
SEARCH = "load: {kind: search, low: 2, high: 8, step_s: 1, max_step_s: 3, warmup_s: 0.1}"


def too_many(x: Exchange, **headers: object) -> None:
    x.whole(429, b'{"error": {"message": "Rate limit reached for requests per minute"}}', **headers)


REFUSALS: dict[str, Refuse] = {
    "date": lambda x: too_many(x, retry_after=formatdate(usegmt=True), x_ratelimit_limit_requests=4),
    "ms": lambda x: too_many(x, retry_after_ms="100"),
    "gateway": lambda x: x.whole(503, b'{"error": {"message": "upstream is rate limited"}}'),
    "key": lambda x: x.whole(401, b'{"error": {"message": "the key has expired"}}'),
}


def run(out_dir: Path, load: str, post: Refuse, *more: str) -> int:
    path = out_dir / "s.yaml"
    path.write_text(f"name: s\n{load}\nprompts: {{input_tokens: 20, output_tokens: 5}}\nrequest: {{timeout_s: 2}}\n")
    arguments = ["--usd-per-hour", "1", "--out", str(out_dir / "out"), *more]
    with OneFault(post) as server:
        return invoke(["run", str(path), "--url", server.base, *arguments])


@pytest.mark.parametrize("how", REFUSALS)
def test_a_run_that_is_mostly_refused_decides_nothing_and_says_who_refused(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def post(x: Exchange) -> None:
        if x.count < 3 or x.count % 3 == 0:
            good(x)
        else:
            REFUSALS[how](x)

    code = run(tmp_path, LADDER, post)

    out, err = capsys.readouterr()
    (report,) = (tmp_path / "out").glob("*/report.md")
    said = " ".join((out + err).split())
    assert code == 3
    who = "he endpoint's check of the key" if how == "key" else "he endpoint's quota"
    for text in (said, " ".join(report.read_text().split())):
        assert f"{who} refused" in text
        assert "% of the requests: not judged, no capacity measured" in text
        assert "Not decided: no load step could be judged" in text
        for wrong in ("infeasible", "never wins", "no load step met", "no load step kept"):
            assert wrong not in text
    assert ("its limit: x-ratelimit-limit-requests 4" in said) == (how == "date")
    assert ("--api-key-env" in said) == (how == "key")


def test_a_search_does_not_narrow_on_a_quota(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        good(x) if x.count < 3 or x.count % 3 == 0 else too_many(x, retry_after_ms="50")

    code = run(tmp_path, SEARCH, post)

    (found,) = (tmp_path / "out").glob("*/search.json")
    search = json.loads(found.read_text())
    assert code == 3
    assert [probe["load"] for probe in search["probes"]] == [2]
    assert search["stop"]["reason"] == "refused"
    assert search["bracket"] == {"passes": None, "fails": None}
    assert search["stop"]["text"].startswith("2 users: the endpoint's quota refused ")
