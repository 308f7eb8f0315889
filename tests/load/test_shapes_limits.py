import subprocess
import sys

import gevent
import pytest

from harness.base.errors import UsageError
from harness.load import limits
from harness.load.wire.pools import Addresses

URLS = ["http://127.0.0.1:8000", "http://127.0.0.1:8001/prefix"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 1,024 files a process and 28,232 ports, as many are."""
    monkeypatch.setattr(limits, "hard_file_limit", lambda: 1024)
    monkeypatch.setattr(limits, "local_ports", lambda: 28_232)


def test_each_process_needs_its_share_and_some_spare() -> None:
    assert limits.files_needed(5000, 1) == 5064
    assert limits.files_needed(5000, 3) == 1731  # 1666.7 and 64


@pytest.mark.usefixtures("small")
def test_a_load_that_fits_is_let_through() -> None:
    limits.check_limits(960, 1, URLS)
    limits.check_limits(5000, 6, URLS)  # 834 + 64


@pytest.mark.usefixtures("small")
def test_too_many_streams_for_the_file_limit_are_refused_with_a_way_out() -> None:
    with pytest.raises(UsageError) as caught:
        limits.check_limits(5000, 1, URLS)

    assert "5000 requests at once need 5064 open files" in str(caught.value)
    assert "the limit is 1024" in str(caught.value)
    assert "--workers 6" in (caught.value.hint or "")  # 5000 / (1024 - 64) = 5.2


@pytest.mark.usefixtures("small")
def test_too_many_streams_to_one_address_are_refused() -> None:
    limits.check_limits(50_000, 100, URLS)  # 25,000 each
    with pytest.raises(UsageError, match="50000 requests at once to one address need as many local ports"):
        limits.check_limits(50_000, 100, URLS[:1])


def test_this_machines_limits_are_known() -> None:
    assert limits.hard_file_limit() >= 256
    ports = limits.local_ports()
    assert ports is None or 0 < ports <= 65_536


def test_the_table_of_open_files_has_its_size_before_the_load() -> None:
    code = (
        "from pathlib import Path\n"
        "from harness.load.limits import allow_open_files\n"
        "allow_open_files(900)\n"
        "print(len(list(Path('/proc/self/fd').iterdir())))\n"
        "print([x for x in Path('/proc/self/status').read_text().splitlines() if x.startswith('FDSize')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    opened, size = done.stdout.splitlines()
    assert size == "['FDSize:\\t1024']"  # the power of two above 900
    assert int(opened) < 10  # nothing stays open for it


def test_addresses_are_looked_up_once_for_all_connections_that_open_together() -> None:
    asked = []
    addresses = Addresses()

    def look_up() -> list[str]:
        asked.append(1)
        gevent.sleep(0.001)  # others come meanwhile
        return ["127.0.0.1"]

    jobs = [gevent.spawn(addresses.get, look_up) for _ in range(50)]
    gevent.joinall(jobs)

    assert [job.value for job in jobs] == [["127.0.0.1"]] * 50
    assert len(asked) == 1


def test_a_look_up_that_fails_is_tried_again_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("harness.load.wire.pools.time.monotonic", lambda: now[0])
    addresses = Addresses()
    asked = []

    def unknown() -> list[str]:
        asked.append(now[0])
        raise OSError("unknown host")

    for now[0] in (100.0, 100.5, 101.0):
        with pytest.raises(OSError, match="unknown host"):
            addresses.get(unknown)
    assert asked == [100.0, 101.0]
    now[0] = 102.0
    assert addresses.get(lambda: ["10.0.0.1"]) == ["10.0.0.1"]
    now[0] = 120.0  # what was known is better than nothing
    assert addresses.get(unknown) == ["10.0.0.1"]
