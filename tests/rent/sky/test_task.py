"""What SkyPilot is given for a plan and a box: as YAML reads it, and as a person does."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from sky_home import cloud_plan

from harness.cli import invoke
from harness.rent.box import Box
from harness.rent.plan import RentPlan, read_plan
from harness.rent.sky.clouds import CLOUDS
from harness.rent.sky.task import cluster_name, task_of
from harness.rent.tags import tags_of

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
BOX = Box(
    id="20260801T120000Z-rent-try-0a1b2c3d",
    run_id="20260801T120000Z-rent-try",
    provider="aws",
    launched_at=NOW.isoformat(),
    expires_at=(NOW + timedelta(minutes=90, seconds=10)).isoformat(),
    usd_per_hour=5.672,
)


def test_a_box_is_given_its_machine_its_end_and_its_labels() -> None:
    """90 minutes and 10 seconds are left: 91 whole ones; the box's own timer comes 10 later."""
    task = yaml.safe_load(task_of(cloud_plan(disk_gb=200), BOX, NOW))

    assert task == {
        "name": "try",
        "resources": {
            "infra": "aws/us-east-1",
            "instance_type": "g5.12xlarge",
            "use_spot": False,
            "disk_size": 200,
            "autostop": {"idle_minutes": 91, "wait_for": "none", "down": True},
            "labels": tags_of(BOX),
        },
        "setup": "sudo shutdown -P +101\n",
    }


def test_without_a_box_it_lasts_as_long_as_the_budget_lets_it_and_the_teardown() -> None:
    """2 hours by the clock, but 4 USD at 8 USD an hour are half an hour: 30 minutes, and 3 for the teardown."""
    by_hours = yaml.safe_load(task_of(cloud_plan(usd_per_hour=8)))
    by_money = yaml.safe_load(task_of(cloud_plan(usd_per_hour=8, budget={"usd": 4, "hours": 2})))

    assert by_hours["resources"]["autostop"]["idle_minutes"] == 123
    assert by_money["resources"]["autostop"]["idle_minutes"] == 33
    assert "labels" not in by_money["resources"]


@pytest.mark.parametrize(
    ("changes", "resources"),
    [
        ({"purchase": "spot"}, {"use_spot": True}),
        ({"purchase": "reserved_1y"}, {"use_spot": False}),
        ({"region": "us-east-1", "zone": "us-east-1b"}, {"infra": "aws/us-east-1/us-east-1b"}),
        ({"instance": "g5.12xlarge@us-east-1"}, {"infra": "aws/us-east-1", "instance_type": "g5.12xlarge"}),
        ({"region": "eu-west-1", "usd_per_hour": 6.2}, {"infra": "aws/eu-west-1"}),
        ({"instance": "nobodys.large", "usd_per_hour": 1}, {"infra": "aws", "instance_type": "nobodys.large"}),
        ({"image": "ami-0123456789abcdef0"}, {"image_id": "ami-0123456789abcdef0"}),
        (
            {"provider": "lambda", "instance": "lambda-1x-gh200", "instance_type": "gpu_1x_gh200"},
            {"instance_type": "gpu_1x_gh200"},
        ),
        ({"provider": "oci", "instance": "BM.GPU.H100.8", "usd_per_hour": 80}, {"instance_type": "BM.GPU.H100.8"}),
    ],
)
def test_what_a_plan_says_of_its_machine_is_what_skypilot_is_asked_for(
    changes: dict[str, object], resources: dict[str, object]
) -> None:
    told = yaml.safe_load(task_of(cloud_plan(**changes)))["resources"]

    assert {key: told[key] for key in resources} == resources


def test_a_name_that_yaml_would_read_as_something_else_stays_a_name() -> None:
    for name in ("yes", "007", "1e3", "null", "2026-08-01"):
        assert yaml.safe_load(task_of(cloud_plan(name=name)))["name"] == name


def test_a_container_has_no_timer_of_its_own() -> None:
    task = yaml.safe_load(task_of(cloud_plan(provider="runpod", usd_per_hour=2)))

    assert task["setup"] == "true"
    assert task["resources"]["autostop"]["down"] is True


def test_no_variable_of_the_plan_is_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")

    said = task_of(cloud_plan(env=["HF_TOKEN"]), BOX, NOW)

    assert "HF_TOKEN" not in said
    assert "hf_secret" not in said


def test_a_commitment_is_priced_but_rented_by_the_hour() -> None:
    """3.57336 USD is an hour of a year's commitment; the box itself costs 5.672."""
    plan = cloud_plan(purchase="reserved_1y")

    assert (plan.rented_as, plan.hourly_usd()) == ("on_demand", 5.672)


def test_a_box_has_a_name_that_begins_with_a_letter_and_tells_boxes_apart() -> None:
    assert cluster_name(BOX) == "breakeven-20260801t120000z-rent-try-0a1b2c3d"


@pytest.mark.parametrize("path", sorted((ROOT / "infra" / "sky").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_kept_examples_are_what_their_plans_give(path: Path) -> None:
    """`breakeven rent plan examples/NAME.yaml --sky infra/sky/NAME.yaml` writes them anew."""
    assert path.read_text() == task_of(read_plan(ROOT / "examples" / path.name))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("provider: awss", "no provider `awss`; known: local, ssh, aws, "),
        ("provider: hyperbolic", "no provider `hyperbolic`"),
        ("provider: local\nzone: a", "`zone` is a cloud's, and the provider is `local`"),
        ("provider: ssh\nhost: me@gpu-1\ndisk_gb: 100", "`disk_gb` is a cloud's, and the provider is `ssh`"),
        ("provider: aws\nzone: us-east-1a", "`zone` without a `region`"),
        ("provider: aws\ndisk_gb: 4", "disk_gb"),
        ("provider: aws\npurchase: owned", "what is `owned` cannot be rented from aws"),
        ("provider: lambda\npurchase: spot", "lambda has no spot boxes that SkyPilot can rent"),
        ("provider: lambda\nimage: x", "lambda has no images that SkyPilot can choose"),
        ("provider: gcp", "`g5.12xlarge` is aws's, and the plan's provider is gcp"),
        ("provider: aws\nregion: mars-1", "no price for `g5.12xlarge` in region `mars-1`"),
        ('provider: aws\nregion: "us-east-1; rm"', "region"),
    ],
)
def test_what_cannot_be_rented_so_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: str, said: str
) -> None:
    plan = tmp_path / "plan.yaml"
    rest = "name: try\ninstance: g5.12xlarge\nengines: [vllm]\nscenarios: [chat]\nbudget: {usd: 9, hours: 1}\n"
    plan.write_text(f"{rest}{changes}\n")

    assert invoke(["rent", "plan", str(plan)]) == 2

    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error


def test_an_instance_and_a_region_that_disagree_are_one_line() -> None:
    with pytest.raises(ValueError, match="`instance` is in us-east-1, `region` says eu-west-1"):
        cloud_plan(instance="g5.12xlarge@us-east-1", region="eu-west-1")


def test_the_task_is_written_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = ROOT / "examples" / "rent-g5.yaml"

    assert invoke(["rent", "plan", str(example), "--sky", "-"]) == 0
    assert capsys.readouterr().out == task_of(read_plan(example))
    assert invoke(["rent", "plan", str(ROOT / "examples" / "rent-local.yaml"), "--sky", "-"]) == 2
    assert invoke(["rent", "plan", str(example), "--sky", str(tmp_path / "no" / "where.yaml")]) == 2


def test_without_skypilot_a_plan_is_said_not_to_be_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert invoke(["rent", "plan", str(ROOT / "examples" / "rent-g5.yaml")]) == 0

    said = capsys.readouterr().out
    assert "rented         g5.12xlarge on demand at aws in us-east-1" in said
    assert "SkyPilot is not installed for aws (`breakeven rent install --cloud aws`)" in said


def test_a_cloud_that_no_plan_may_name_is_not_installed_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["rent", "install", "--cloud", "hyperbolic"]) == 2
    assert "no cloud `hyperbolic`; known: aws, " in capsys.readouterr().err


def test_every_cloud_s_task_is_yaml() -> None:
    for cloud in CLOUDS:
        plan = cloud_plan(provider=cloud, usd_per_hour=2)
        assert isinstance(plan, RentPlan)
        assert yaml.safe_load(task_of(plan))["resources"]["infra"].split("/")[0] == cloud


def test_a_quote_in_a_label_stays_one_text() -> None:
    odd = Box(**{**BOX.to_dict(), "run_id": 'a"b: #c'})

    labels = yaml.safe_load(task_of(cloud_plan(), odd, NOW))["resources"]["labels"]

    assert labels == tags_of(odd)
    assert all(json.dumps(value) for value in labels.values())
