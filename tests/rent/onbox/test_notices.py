"""What says that a box will be taken away, and what does not."""

import json
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from metadata_server import HTML_404, PORTAL, Aws, Azure, Cloud, Everything, Gcp, MetadataServer

from harness.rent.onbox.metadata import Metadata
from harness.rent.onbox.notices import Asker, Notice, asked, shutdown, signalled, watch

AT = datetime(2026, 11, 28, 8, 22, tzinfo=UTC)
ACTION, TERMINATION = "/latest/meta-data/spot/instance-action", "/latest/meta-data/spot/termination-time"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
NOWHERE = Path("/nowhere/scheduled")


def aws(**paths: str) -> Aws:
    cloud = Aws()
    cloud.paths |= {
        "/latest/meta-data/" + key.replace("__", "/").replace("_", "-"): said for key, said in paths.items()
    }
    return cloud


def gcp(**said: str) -> Gcp:
    cloud = Gcp()
    cloud.paths |= {key.replace("_", "-"): text for key, text in said.items()}
    return cloud


def event(
    kind: str, not_before: str = "Sat, 28 Nov 2026 08:22:00 GMT", resources: tuple[str, ...] = ("box-3",)
) -> Azure:
    told = {"EventId": "C7061BAC", "EventType": kind, "ResourceType": "VirtualMachine", "Resources": list(resources)}
    return Azure(events=[told | {"EventStatus": "Scheduled", "NotBefore": not_before, "DurationInSeconds": -1}])


def action(what: str) -> str:
    return json.dumps({"action": what, "time": "2026-11-28T08:22:00Z"})


@pytest.mark.parametrize(
    ("cloud", "notice"),
    [
        (aws(spot__instance_action=action("terminate")), Notice("aws", "spot terminate", AT)),
        (aws(spot__instance_action=action("stop")), Notice("aws", "spot stop", AT)),
        (aws(spot__termination_time="2026-11-28T08:22:00Z"), Notice("aws", "spot terminate", AT)),
        (gcp(preempted="TRUE"), Notice("gcp", "preempted", None)),
        (gcp(maintenance_event="TERMINATE_ON_HOST_MAINTENANCE"), Notice("gcp", "TERMINATE_ON_HOST_MAINTENANCE", None)),
        (event("Preempt"), Notice("azure", "Preempt", AT)),
        (event("Terminate"), Notice("azure", "Terminate", AT)),
        (event("Redeploy"), Notice("azure", "Redeploy", AT)),
        (event("Preempt", not_before=""), Notice("azure", "Preempt", None)),  # it has begun
    ],
)  # fmt: skip
def test_each_clouds_notice_is_read_with_its_time(cloud: Cloud, notice: Notice) -> None:
    with MetadataServer(cloud) as server:
        assert asked(server.url) == notice


@pytest.mark.parametrize(
    "cloud",
    [
        aws(),
        aws(spot__instance_action="{"),
        aws(spot__instance_action=PORTAL, spot__termination_time=PORTAL),
        aws(spot__instance_action=action("none")),
        aws(spot__instance_action=json.dumps({"action": "terminate", "time": "soon"})),
        aws(spot__instance_action=json.dumps(["terminate"]), spot__termination_time="no longer"),
        aws(events__recommendations__rebalance=json.dumps({"noticeTime": "2026-11-28T08:22:00Z"})),
        gcp(),
        gcp(preempted="true?", maintenance_event="MIGRATE_ON_HOST_MAINTENANCE"),
        Azure(),
        event("Freeze"),
        event("Preempt", resources=("box-1", "box-2")),
        Azure(events=[{}, {"EventType": ["Preempt"], "Resources": None}, 7]),  # type: ignore[list-item]
        aws(spot__instance_action=json.dumps({"action": "stop", "time": "0001-01-01T00:00:00+23:00"})),
        aws(spot__instance_action="[" * 60_000),
        Everything(404, HTML_404),
        Everything(200, PORTAL),
        Everything(200, "TRUE"),
        Everything(200, "{{{ \x00"),
        Everything(302, "", {"Location": "http://127.0.0.1:9/"}),
        Everything(200, "5512345678901234567"),  # no word of Google's in its headers
        Everything(500, json.dumps({"action": "terminate", "time": "2026-11-28T08:22:00Z"})),
    ],
)
def test_anything_else_is_no_notice(cloud: Cloud) -> None:
    with MetadataServer(cloud) as server:
        assert asked(server.url) is None


def test_a_token_that_is_no_longer_taken_is_replaced() -> None:
    cloud = aws()
    with MetadataServer(cloud) as server:
        asker = Asker(server.url)
        assert asker.asked() is None
        cloud.expire()
        cloud.paths[ACTION] = action("terminate")

        assert asker.asked() == Notice("aws", "spot terminate", AT)

    assert server.asked.count("PUT /latest/api/token") == 2


def test_which_cloud_it_is_is_asked_once() -> None:
    with MetadataServer(gcp()) as server:
        asker = Asker(server.url)
        for _ in range(4):
            asker.asked()

    assert server.asked.count("GET /computeMetadata/v1/instance/id") == 1
    assert server.asked.count("GET /computeMetadata/v1/instance/preempted") == 4


def test_where_no_cloud_answers_three_tries_are_all() -> None:
    with MetadataServer(Everything(404, HTML_404)) as server:
        asker = Asker(server.url)
        for _ in range(9):
            assert asker.asked() is None

    assert server.asked.count("GET /computeMetadata/v1/instance/id") == 3


def test_nobody_at_the_address_is_no_notice() -> None:
    with MetadataServer(gcp()) as server:
        url = server.url

    assert asked(url) is None


def test_the_address_can_come_from_the_environment_and_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with MetadataServer(gcp(preempted="TRUE")) as server, MetadataServer(Everything(200, PORTAL)) as proxy:
        monkeypatch.setenv("BREAKEVEN_METADATA_URL", server.url)
        monkeypatch.setenv("http_proxy", proxy.url)

        assert asked() == Notice("gcp", "preempted", None)

    assert proxy.asked == []


def test_a_service_that_drips_is_cut_off() -> None:
    with MetadataServer(gcp(), drips=True) as server:
        assert Metadata(server.url, timeout_s=0.1).find() is None


SHUTDOWN = "USEC=1795854120000000\nWARN_WALL=1\nMODE={}\n"  # 2026-11-28T08:22:00Z


@pytest.mark.parametrize("mode", ["poweroff", "reboot", "halt"])
def test_a_shutdown_that_the_system_has_scheduled_is_a_notice(tmp_path: Path, mode: str) -> None:
    scheduled = tmp_path / "scheduled"
    scheduled.write_text(SHUTDOWN.format(mode))

    assert shutdown(scheduled) == Notice("os", f"shutdown, {mode}", AT)


@pytest.mark.parametrize(
    "text",
    [None, "", SHUTDOWN.format("dry-poweroff"), "USEC=soon\nMODE=halt\n", f"USEC={10**30}\nMODE=halt\n", "MODE=halt\n"],
)
def test_a_rehearsed_or_unreadable_shutdown_is_none(tmp_path: Path, text: str | None) -> None:
    scheduled = tmp_path / "scheduled"
    if text is not None:
        scheduled.write_text(text)

    assert shutdown(scheduled) is None


def test_a_signal_is_a_notice_for_now() -> None:
    assert signalled(signal.SIGTERM) == Notice("os", "SIGTERM", None)


def test_the_watch_tells_once_and_ends_after_a_hint() -> None:
    cloud, told, hints = aws(events__recommendations__rebalance='{"noticeTime": "2026-11-28T08:20:00Z"}'), [], []

    def hinted(hint: str) -> None:
        hints.append(hint)
        cloud.paths[ACTION] = action("terminate")

    with MetadataServer(cloud) as server:
        watch(threading.Event(), told.append, base_url=server.url, hinted=hinted, every_s=0.01, scheduled=NOWHERE)

    assert told == [Notice("aws", "spot terminate", AT)]
    assert hints == ["rebalance recommendation of 2026-11-28T08:20:00Z"]


def scheduled_in(place: Path, minutes: float) -> datetime:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    (place / "scheduled").write_text(f"USEC={int(at.timestamp() * 1e6)}\nMODE=poweroff\n")
    return at


@pytest.mark.parametrize(("minutes", "is_ours", "is_told"), [(2, False, True), (2, True, False), (60, False, False)])
def test_the_watch_tells_of_a_shutdown_that_is_near_and_not_ours(
    tmp_path: Path, minutes: float, is_ours: bool, is_told: bool
) -> None:
    at = scheduled_in(tmp_path, minutes)
    own_end = at - timedelta(seconds=30) if is_ours else None
    told: list[Notice] = []
    stop = threading.Event()
    with MetadataServer(Everything(404, HTML_404)) as server:
        options = {"base_url": server.url, "own_end": own_end, "every_s": 0.01, "scheduled": tmp_path / "scheduled"}
        watching = threading.Thread(target=watch, args=(stop, told.append), kwargs=options)
        watching.start()
        while watching.is_alive() and len(server.asked) < 9:  # three tries of three questions
            watching.join(0.01)
        stop.set()
        watching.join()

    assert [notice.what for notice in told] == (["shutdown, poweroff"] if is_told else [])


def test_a_notice_is_written_down_as_words() -> None:
    assert Notice("aws", "spot stop", AT).to_dict() == {
        "provider": "aws",
        "what": "spot stop",
        "at": "2026-11-28T08:22:00+00:00",
    }
