"""Plans as the real SkyPilot takes them, with a catalogue of a few boxes; no cloud is asked."""

from pathlib import Path

import pytest
from sky_home import cloud_plan, make_sky_home

from harness.base.errors import UsageError
from harness.rent.sky import check as checking
from harness.rent.sky.check import check

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_sky_home(tmp_path / "home", monkeypatch)


def test_a_plan_is_checked_and_another_price_of_its_hour_is_said() -> None:
    assert check(cloud_plan()) == "checked by SkyPilot 0.14.1"
    assert check(cloud_plan(usd_per_hour=5)) == (
        "checked by SkyPilot 0.14.1, whose catalogue has USD 5.672/h for it, where this plan counts 5"
    )
    assert check(cloud_plan(purchase="spot", usd_per_hour=2.1)) == "checked by SkyPilot 0.14.1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instance": "g5.13xlarge", "usd_per_hour": 5}, "Invalid instance type 'g5.13xlarge' for cloud AWS."),
        (
            {"region": "us-east-2", "usd_per_hour": 5},
            "Invalid region 'us-east-2' Did you mean one of these: 'us-east-1'",
        ),
        ({"region": "us-east-1", "zone": "us-east-1q"}, "Invalid zone 'us-east-1q' for region 'us-east-1'"),
    ],
)
def test_what_skypilot_refuses_is_its_own_words_in_one_line(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=r"^SkyPilot 0\.14\.1 refuses the plan: ") as refused:
        check(cloud_plan(**changes))

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_that_skypilot_does_not_know_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    write = checking.task_of
    monkeypatch.setattr(checking, "task_of", lambda plan: write(plan).replace("use_spot:", "use_spott:"))

    with pytest.raises(UsageError, match="Instead of 'use_spott', did you mean 'use_spot'"):
        check(cloud_plan())
