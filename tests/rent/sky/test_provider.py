"""Boxes through SkyPilot: a stand-in for its program, whose every call the real one parses, and a machine over SSH."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rent_cases import box_for, host_with_engine, left_on, write_plan
from sky_home import cloud_plan
from sshd import Host

from harness.cli import invoke
from harness.engines import engine_kind
from harness.engines.weights.models import bundled_model_path
from harness.rent.box import RentError
from harness.rent.ledger import read_ledger
from harness.rent.sky import provider as providing
from harness.rent.sky.install import environment
from harness.rent.sky.provider import SkyProvider

STAND_IN = Path(__file__).parents[2] / "support" / "stand_in_sky.py"
REAL = environment()
PARSE = """\
import json, sys
from sky.client.cli import command
for words in json.load(sys.stdin):
    found, rest = getattr(command, words[0]), list(words[1:])
    if words[0] == "api":
        found = found.commands[rest.pop(0)]
    found.make_context(words[0], rest)
"""


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the stand-in stands in."""
    place = tmp_path / "sky" / "bin"
    place.mkdir(parents=True)
    (place / "sky").write_text(f"#!{sys.executable}\n" + STAND_IN.read_text())
    (place / "sky").chmod(0o755)
    monkeypatch.setattr(providing, "environment", lambda: tmp_path / "sky")
    monkeypatch.setattr(providing, "is_installed", lambda _: True)
    monkeypatch.setattr(providing, "_NEEDED", ("sh",))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return place


def clusters(sky: Path) -> list[str]:
    return sorted(path.name for path in (sky / "clusters").glob("*"))


def gcp_plan() -> SkyProvider:
    return SkyProvider(cloud_plan(provider="gcp", instance="g2-standard-4", usd_per_hour=1))


def test_a_box_is_launched_found_and_deleted_with_words_that_skypilot_knows(sky: Path) -> None:
    box, provider = box_for(seconds=600), gcp_plan()

    provider.launch(box)
    assert [one.id for one in provider.boxes()] == [box.id]
    assert clusters(sky) == [f"breakeven-{box.id}"]
    provider.terminate(box)

    assert (provider.boxes(), clusters(sky)) == ((), [])
    calls = [json.loads(line) for line in (sky / "calls.jsonl").read_text().splitlines()]
    looked = ["api", "status"]
    assert [words[0] for words in calls] == ["launch", *looked, *looked, "down", *looked]
    asked = subprocess.run(
        [str(REAL / "bin" / "python"), "-I", "-c", PARSE],
        input=json.dumps(calls),
        text=True,
        capture_output=True,
        env={**os.environ, "HOME": str(sky), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"},
    )
    assert asked.returncode == 0, asked.stderr


def test_a_launch_that_fails_is_its_own_last_word_and_what_it_left_is_deleted(sky: Path) -> None:
    (sky / "fails").write_text("  trying us-central1-a\nsky.exceptions.ResourcesUnavailableError: no capacity left")
    box, provider = box_for(seconds=600), gcp_plan()

    with pytest.raises(RentError, match=r"^sky launch: sky\.exceptions\.ResourcesUnavailableError: no capacity left$"):
        provider.launch(box)

    assert clusters(sky) == [f"breakeven-{box.id}"]
    provider.terminate(box)
    assert clusters(sky) == []


def test_a_launch_that_hangs_ends(sky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sky / "hangs").touch()
    monkeypatch.setattr(providing, "LAUNCH_S", 1.0)
    box, provider = box_for(seconds=600), gcp_plan()

    with pytest.raises(RentError, match="nothing within 1 s"):
        provider.launch(box)

    provider.terminate(box)
    assert clusters(sky) == []


def test_a_launch_that_the_server_has_not_begun_is_cancelled_before_nothing_is_taken_for_gone(
    sky: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sky / "waits").touch()
    monkeypatch.setattr(providing, "LAUNCH_S", 1.0)
    box, provider = box_for(seconds=600), gcp_plan()
    with pytest.raises(RentError, match="nothing within 1 s"):
        provider.launch(box)
    assert (clusters(sky), [one.id for one in provider.boxes()]) == ([], [box.id])

    (sky / "clusters" / f"breakeven-{box.id}").rename(sky / "requests" / f"breakeven-{box.id}")
    provider.terminate(box)

    assert (provider.boxes(), clusters(sky), list((sky / "requests").iterdir())) == ((), [], [])


def test_of_a_failed_launch_the_error_is_said_and_not_the_table_below_it(sky: Path) -> None:
    """As 0.14.1 says it, tried against an EC2 without the image."""
    (sky / "fails").write_text(
        "sky.exceptions.ResourcesUnavailableError: Failed to acquire resources in all zones in us-east-1.\n"
        "Trying other potential resources.\n\nProvision failures (tried 1 infra):\n\n✗ AWS (us-east-1) — (g5)\n  No\n"
    )

    with pytest.raises(RentError, match=r"^sky launch: sky\.exceptions\.ResourcesUnavailableError: Failed"):
        gcp_plan().launch(box_for(seconds=600))


def test_without_rsync_nothing_is_rented(sky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providing, "_NEEDED", ("sh", "rsync-that-is-not-here"))

    with pytest.raises(RentError, match="SkyPilot needs rsync-that-is-not-here, which is not on this machine"):
        gcp_plan().launch(box_for(seconds=600))

    assert not (sky / "calls.jsonl").exists()


def test_a_cluster_of_an_earlier_day_is_reaped_and_anothers_is_not_touched(
    sky: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = box_for(seconds=600, expired=True)
    gcp_plan().launch(late)
    (sky / "clusters" / "somebody-elses").write_text("UP")

    assert invoke(["rent", "reap", "--cloud", "sky", "--json"]) == 0

    assert [thing["id"] for thing in json.loads(capsys.readouterr().out)["gone"]] == [late.id]
    assert clusters(sky) == ["somebody-elses"]


def test_skypilot_that_does_not_say_what_is_there_is_not_taken_for_nothing(
    sky: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gcp_plan().launch(box_for(seconds=600, expired=True))
    (sky / "sky").write_text("#!/bin/sh\necho 'no api server' >&2\nexit 1\n")

    assert invoke(["rent", "reap", "--cloud", "sky"]) == 1
    assert "could not look: sky" in capsys.readouterr().out


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Host]:
    """What the cloud would have given: reached by the cluster's name, with the program's environment in its cache."""
    engine_kind("llama_server").install(lambda _: None)
    host = host_with_engine(tmp_path / "machine", {})
    host.start()
    yield host
    host.stop()


@pytest.mark.engine
@pytest.mark.rented
def test_from_a_plan_of_a_cloud_to_results_at_home_and_no_box(
    sky: Path, machine: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{machine.path}:{os.environ['PATH']}")
    plan = write_plan(tmp_path / "plan") / "plan.yaml"
    cloud = f"provider: gcp\nregion: us-central1\nmodels: [{bundled_model_path()}]\n"
    plan.write_text(plan.read_text().replace("c7i.large", "g2-standard-4") + cloud)

    assert invoke(["rent", "run", str(plan), "--yes", "--out", str(tmp_path / "out")]) == 0

    (folder,) = (tmp_path / "out").iterdir()
    ledger = read_ledger(folder)
    assert ([cell.status for cell in ledger.cells], ledger.phase) == (["measured"], "gone")
    assert clusters(sky) == []
    SkyProvider().line(read_ledger(folder).box.box()).end()  # the stand-in deletes no machine
    assert left_on(machine) == []
