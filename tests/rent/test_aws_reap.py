"""Reaping on AWS: real botocore against moto on loopback; what AWS refuses is refused in its own XML."""

import ast
import functools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from aws_double import HERE, LATE, THERE, YOUNG, Account, AwsDouble, a_box, refusing, tagged
from moto.ec2.models import ec2_backends

from harness.cli import invoke
from harness.rent.aws import asked
from harness.rent.aws import reap as reaping
from harness.rent.aws.asked import AwsError
from harness.rent.aws.box import end_on_shutdown, still_there
from harness.rent.tags import OURS

LOADER = functools.cache(botocore.loaders.create_loader)
ROOT = Path(__file__).parents[2]
OUR_REGIONS = ["--region", HERE, "--region", THERE]


@pytest.fixture(scope="module")
def double() -> Iterator[AwsDouble]:
    server = AwsDouble()
    yield server
    server.close()


@pytest.fixture(scope="module")
def tools(double: AwsDouble) -> Iterator[Account]:
    one = Account(double.url)
    yield one
    one.close()


@pytest.fixture
def account(double: AwsDouble, tools: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account of this test alone, its credentials in the environment; nothing asks for anything beyond loopback."""
    for name, value in {
        "AWS_ENDPOINT_URL": double.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    monkeypatch.setattr(reaping, "POLL_S", 0.01)
    monkeypatch.setattr(reaping, "WAIT_S", 0.1)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: True)
    monkeypatch.setattr("botocore.session.create_loader", LOADER)  # 1 s a session
    double.forget()
    return tools


def reap(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = invoke(["rent", "reap", "--json", *(more or OUR_REGIONS)])
    return code, json.loads(capsys.readouterr().out)


def places(things: list[dict[str, Any]]) -> list[str]:
    return sorted(thing["where"] for thing in things)


def test_what_is_past_its_expiry_is_terminated_in_every_region_and_nothing_else_is_touched(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    stopped = account.launch(a_box("stopped", expires_in_s=LATE), THERE)
    account.ec2(THERE).stop_instances(InstanceIds=[stopped])
    young = account.launch(a_box("young", expires_in_s=YOUNG))
    others = account.launch(None)

    code, said = reap(capsys, "--cloud", "aws")

    assert code == 0
    assert places(said["gone"]) == sorted([f"aws {HERE} {late}", f"aws {THERE} {stopped}"])
    assert {one["id"] for one in said["gone"]} == {"late", "stopped"}
    assert [account.state(id_) for id_ in (late, young, others)] == ["terminated", "running", "running"]
    assert account.state(stopped, THERE) == "terminated"
    assert reap(capsys)[1]["gone"] == []


def test_a_dry_run_lists_and_ends_nothing(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    account.launch(a_box("young", expires_in_s=YOUNG))

    assert invoke(["rent", "reap", *OUR_REGIONS, "--dry-run"]) == 1

    assert f"would be ended: late (aws {HERE} {late}), expired" in capsys.readouterr().out
    assert account.state(late) == "running"


def test_no_page_hides_the_next_one(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asked, "PAGE", 5)  # AWS takes no fewer
    launched = [account.launch(a_box(f"late-{n}", expires_in_s=LATE)) for n in range(11)]

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["gone"])) == (0, sorted(f"aws {HERE} {one}" for one in launched))


def test_an_empty_page_is_not_the_last(account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    empty = ["<DescribeInstancesResponse><reservationSet/><nextToken>more</nextToken></DescribeInstancesResponse>"]
    double.rules["DescribeInstances", HERE] = lambda: empty.pop() if empty else None

    assert places(reap(capsys, "--region", HERE)[1]["gone"]) == [f"aws {HERE} {late}"]


def test_what_the_pages_before_a_refused_one_had_is_ended(
    account: Account, double: AwsDouble, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asked, "PAGE", 5)
    for n in range(6):
        account.launch(a_box(f"late-{n}", expires_in_s=LATE))
    answers = iter([None, refusing("InternalFailure")()])
    double.rules["DescribeInstances", HERE] = lambda: next(answers, None)

    code, said = reap(capsys, "--region", HERE)

    assert (code, len(said["gone"]), places(said["unseen"])) == (1, 5, [f"aws {HERE}"])


def test_termination_protection_is_turned_off_and_said(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    account.ec2().modify_instance_attribute(InstanceId=late, DisableApiTermination={"Value": True})

    assert invoke(["rent", "reap", "--region", HERE]) == 0

    assert f"aws {HERE} {late}: its termination protection is turned off" in capsys.readouterr().err
    assert account.state(late) == "terminated"


def test_stop_protection_which_hinders_its_end_too_is_turned_off_and_said(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    words = (
        f"The instance '{late}' may not be terminated. Modify its 'disableApiStop' instance attribute and try again."
    )
    double.rules["TerminateInstances", HERE] = refusing("OperationNotPermitted", words, times=1)

    assert invoke(["rent", "reap", "--region", HERE]) == 0

    assert f"aws {HERE} {late}: its stop protection is turned off" in capsys.readouterr().err
    assert double.asked["ModifyInstanceAttribute", HERE] == 1
    assert account.state(late) == "terminated"


def test_a_protection_that_cannot_be_turned_off_does_not_turn_for_ever(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    double.rules["TerminateInstances", HERE] = refusing("OperationNotPermitted", "Modify its 'disableApiTermination'.")

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["remaining"])) == (1, [f"aws {HERE} {late}"])
    assert double.asked["TerminateInstances", HERE] == 3


def test_a_volume_that_outlives_its_box_is_named_until_it_is_gone(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    box = a_box("late", expires_in_s=LATE)
    disk = [{"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": False, "VolumeSize": 10}}]
    account.launch(box, BlockDeviceMappings=disk)
    (volume,) = account.ec2().describe_volumes()["Volumes"]
    account.ec2().create_tags(Resources=[volume["VolumeId"]], Tags=tagged(box, "volume")[0]["Tags"])

    first, second = reap(capsys, "--region", HERE), reap(capsys, "--region", HERE)

    for code, said in (first, second):
        assert (code, places(said["remaining"])) == (1, [f"aws {HERE} {volume['VolumeId']}"])
        assert f"delete-volume --region {HERE} --volume-id {volume['VolumeId']}" in said["remaining"][0]["why"]
    account.ec2().delete_volume(VolumeId=volume["VolumeId"])
    assert reap(capsys, "--region", HERE)[0] == 0


def spot(account: Account, specifications: list[dict[str, Any]]) -> dict[str, Any]:
    made = account.ec2().request_spot_instances(
        InstanceCount=1,
        Type="persistent",
        LaunchSpecification={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"},
        TagSpecifications=specifications,
    )
    return dict(made["SpotInstanceRequests"][0])


def test_a_spot_request_of_ours_is_cancelled_and_an_instance_of_it_without_tags_is_named_not_ended(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    request = spot(account, tagged(a_box("late", expires_in_s=LATE), "spot-instances-request"))
    others = spot(account, [])

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["gone"])) == (1, [f"aws {HERE} {request['SpotInstanceRequestId']}"])
    assert places(said["unreadable"]) == [f"aws {HERE} {request['InstanceId']}"]
    assert account.state(request["InstanceId"]) == "running"
    states = {one["SpotInstanceRequestId"]: one["State"] for one in _requests(account)}
    assert states[others["SpotInstanceRequestId"]] == "active"


def _requests(account: Account) -> list[dict[str, Any]]:
    return list(account.ec2().describe_spot_instance_requests()["SpotInstanceRequests"])


def a_spot_instance(account: Account) -> dict[str, Any]:
    """As SkyPilot leaves it: the instance has our tags, its request has none."""
    request = spot(account, [])
    tags = tagged(a_box("late", expires_in_s=LATE), "instance")[0]["Tags"]
    account.ec2().create_tags(Resources=[request["InstanceId"]], Tags=tags)
    instance = ec2_backends["123456789012"][HERE].get_instance(request["InstanceId"])
    instance.spot_instance_request_id = request["SpotInstanceRequestId"]
    return request


def test_of_a_persistent_spot_instance_the_request_goes_first_although_it_has_no_tags(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    request = a_spot_instance(account)

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["gone"])) == (0, [f"aws {HERE} {request['InstanceId']}"])
    assert [one["State"] for one in _requests(account)] in ([], ["cancelled"])


@pytest.mark.parametrize(
    "answer",
    [
        refusing("UnauthorizedOperation"),
        lambda: "<html>log in, please</html>",
        lambda: "<CancelSpotInstanceRequestsResponse><spotInstanceRequestSet/></CancelSpotInstanceRequestsResponse>",
    ],
)
def test_a_spot_request_that_is_not_cancelled_remains_where_it_may_launch_another_instance(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str], answer: Any
) -> None:
    request = a_spot_instance(account)
    double.rules["CancelSpotInstanceRequests", HERE] = answer

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["gone"])) == (1, [f"aws {HERE} {request['InstanceId']}"])
    assert places(said["remaining"]) == [f"aws {HERE} {request['SpotInstanceRequestId']}"]


def test_a_tagged_spot_request_that_is_not_cancelled_remains(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    request = spot(account, tagged(a_box("late", expires_in_s=LATE), "spot-instances-request"))
    double.rules["CancelSpotInstanceRequests", HERE] = lambda: "<html>log in, please</html>"

    code, said = reap(capsys, "--region", HERE)

    assert (code, said["gone"], places(said["remaining"])) == (
        1,
        [],
        [f"aws {HERE} {request['SpotInstanceRequestId']}"],
    )


def test_what_aws_throttles_is_asked_again(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    account.launch(a_box("late", expires_in_s=LATE))
    double.rules["DescribeInstances", HERE] = refusing("RequestLimitExceeded", "Request limit exceeded.", times=2)

    code, said = reap(capsys, "--region", HERE)

    assert (code, len(said["gone"])) == (0, 1)


def test_what_aws_throttles_for_good_ends_and_is_never_nothing_to_end(
    account: Account, double: AwsDouble, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asked, "ATTEMPTS", 2)
    double.rules["DescribeInstances", HERE] = refusing("RequestLimitExceeded", "Request limit exceeded.")

    assert invoke(["rent", "reap", "--region", HERE]) == 1

    said = capsys.readouterr().out
    assert f"could not look: aws {HERE}: AWS {HERE}: DescribeInstances: throttled (RequestLimitExceeded)" in said
    assert "nothing to end" not in said
    assert double.asked["DescribeInstances", HERE] == 2


@pytest.mark.parametrize("action", ["DescribeInstances", "DescribeSpotInstanceRequests", "DescribeVolumes"])
def test_a_region_that_it_may_not_look_into_is_named_and_the_others_are_reaped(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    double.rules[action, THERE] = refusing("UnauthorizedOperation", "You are not authorized. Encoded: aaaa")

    code, said = reap(capsys)

    assert (code, places(said["gone"]), places(said["unseen"])) == (1, [f"aws {HERE} {late}"], [f"aws {THERE}"])
    assert f"may not ec2:{action}" in said["unseen"][0]["why"]


@pytest.mark.parametrize("action", ["TerminateInstances", "ModifyInstanceAttribute"])
def test_what_it_may_not_end_remains_by_name(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    account.ec2().modify_instance_attribute(InstanceId=late, DisableApiTermination={"Value": True})
    second = account.launch(a_box("late-too", expires_in_s=LATE), THERE)
    double.rules[action, HERE] = refusing("UnauthorizedOperation")

    code, said = reap(capsys)

    assert (code, places(said["gone"]), places(said["remaining"])) == (
        1,
        [f"aws {THERE} {second}"],
        [f"aws {HERE} {late}"],
    )
    assert f"may not ec2:{action}" in said["remaining"][0]["why"]


def test_without_leave_to_list_regions_those_asked_for_are_looked_into_and_else_none_is_taken_for_clean(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    double.rules["DescribeRegions", "*"] = refusing("UnauthorizedOperation")

    code, said = reap(capsys, "--cloud", "aws")
    assert (code, places(said["unseen"]), places(said["gone"])) == (1, ["aws"], [])
    assert "may not ec2:DescribeRegions" in said["unseen"][0]["why"]

    code, said = reap(capsys, "--region", HERE)
    assert (code, places(said["gone"])) == (0, [f"aws {HERE} {late}"])


@pytest.mark.parametrize(
    ("region", "line"),
    [
        ("eu-centrl-1", "--region eu-centrl-1: AWS has no such region"),
        ("Frankfurt", "--region Frankfurt: AWS has no such region"),
        ("ap-east-1", "--region ap-east-1: not enabled for this account"),
    ],
)
def test_a_region_that_is_none_ends_before_anything_is_looked_at(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str], region: str, line: str
) -> None:
    assert invoke(["rent", "reap", "--region", HERE, "--region", region]) == 2

    assert line in capsys.readouterr().err
    assert {action for action, _ in double.asked} == {"DescribeRegions"}


def test_without_credentials_aws_is_passed_over_with_a_word_and_an_error_where_it_was_asked_for(
    account: Account, double: AwsDouble, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert invoke(["rent", "reap"]) == 0
    assert capsys.readouterr().err == "not looked at: aws: no credentials\n"

    assert invoke(["rent", "reap", "--cloud", "aws"]) == 2
    assert "AWS: no credentials" in capsys.readouterr().err
    assert not double.asked


@pytest.mark.parametrize("given", [["--cloud", "aws"], ["--region", HERE]])
def test_without_boto3_aws_is_passed_over_with_a_word_and_an_error_where_it_was_asked_for(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    assert invoke(["rent", "reap"]) == 0
    assert capsys.readouterr().err == "not looked at: aws: boto3 is not installed\n"

    assert invoke(["rent", "reap", *given]) == 2
    assert "pip install 'breakeven[aws]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "minutes", "line"),
    [
        ("RequestExpired", 0, "the credentials have expired (RequestExpired)"),
        ("ExpiredToken", 0, "the credentials have expired (ExpiredToken)"),
        ("RequestExpired", 17, "this machine's clock is 17 min behind AWS's"),
        ("AuthFailure", -30, "this machine's clock is 30 min ahead of AWS's"),
        ("AuthFailure", 0, "the credentials are not taken (AuthFailure)"),
    ],
)
def test_credentials_that_are_not_taken_are_one_line_that_says_why(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str], code: str, minutes: int, line: str
) -> None:
    double.rules["DescribeRegions", "*"] = refusing(code, "Request has expired.")
    double.dated(datetime.now(UTC) + timedelta(minutes=minutes, seconds=5))

    exit_code, said = reap(capsys, "--cloud", "aws")

    assert (exit_code, places(said["unseen"])) == (1, ["aws"])
    assert line in said["unseen"][0]["why"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_PROFILE", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL", "somewhere"),
        ("AWS_DEFAULT_REGION", "EU West"),
    ],
)
def test_settings_that_cannot_be_used_are_one_line_and_never_nothing_to_end(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setattr(asked, "ATTEMPTS", 2)
    monkeypatch.setenv(name, value)

    code = invoke(["rent", "reap"])

    said = capsys.readouterr()
    assert (code, said.out.count("could not look: aws: AWS"), said.out.count("\n")) == (1, 1, 1)
    assert "Traceback" not in said.err


@pytest.mark.parametrize("status", [200, 302, 403, 502])
@pytest.mark.parametrize("action", ["DescribeRegions", "DescribeInstances", "DescribeVolumes"])
def test_what_a_proxy_answers_is_not_taken_for_aws(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str], action: str, status: int
) -> None:
    double.rules[action, "*"] = lambda: (status, "<html>log in, please</html>")

    code, said = reap(capsys)

    assert (code, len(said["unseen"])) == (1, 1 if action == "DescribeRegions" else 2)
    assert action in said["unseen"][0]["why"]


def test_an_end_that_a_proxy_answers_for_is_not_taken_for_one(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    for action in ("TerminateInstances", "CancelSpotInstanceRequests"):
        double.rules[action, HERE] = lambda: "<html>log in, please</html>"

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["remaining"]), account.state(late)) == (1, [f"aws {HERE} {late}"], "running")


@pytest.mark.parametrize("expires", ["tomorrow", "", "2026-11-28T23:00:00Z", "99991231t235959z"])
def test_an_expiry_that_nobody_can_read_is_listed_and_ended_only_with_all(
    account: Account, capsys: pytest.CaptureFixture[str], expires: str
) -> None:
    broken = account.launch(a_box("late", expires_in_s=LATE), expires=expires)

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["unreadable"]), said["gone"]) == (1, [f"aws {HERE} {broken}"], [])
    assert "breakeven-expires" in said["unreadable"][0]["why"]
    assert account.state(broken) == "running"

    code, said = reap(capsys, "--region", HERE, "--all")

    assert (code, places(said["gone"]), account.state(broken)) == (0, [f"aws {HERE} {broken}"], "terminated")


def test_a_box_by_its_id_is_ended_before_its_time_and_no_other(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = account.launch(a_box("ours", expires_in_s=YOUNG), THERE)
    another = account.launch(a_box("another", expires_in_s=YOUNG))
    late = account.launch(a_box("late", expires_in_s=LATE))

    code, said = reap(capsys, *OUR_REGIONS, "--box", "ours")

    assert (code, places(said["gone"])) == (0, [f"aws {THERE} {ours}"])
    assert [account.state(one) for one in (another, late)] == ["running", "running"]
    assert invoke(["rent", "reap", "--all", "--box", "ours"]) == 2


def test_what_aws_does_not_end_in_time_remains(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    double.rules["TerminateInstances", HERE] = lambda: "<TerminateInstancesResponse/>"

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["remaining"])) == (1, [f"aws {HERE} {late}"])
    assert "is still running after" in said["remaining"][0]["why"]


def test_one_that_shuts_down_already_is_waited_for_and_not_asked_again(
    account: Account, double: AwsDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    late = account.launch(a_box("late", expires_in_s=LATE))
    state = ec2_backends["123456789012"][HERE].get_instance(late)._state
    state.name, state.code = "shutting-down", 32

    def look() -> None:
        if double.asked["DescribeInstances", HERE] > 3:
            state.name, state.code = "terminated", 48

    double.rules["DescribeInstances", HERE] = look

    code, said = reap(capsys, "--region", HERE)

    assert (code, places(said["gone"])) == (0, [f"aws {HERE} {late}"])
    assert double.asked["DescribeInstances", HERE] > 3
    assert double.asked["TerminateInstances", HERE] == 0


def test_a_box_that_shuts_down_is_terminated_by_it_and_is_there_until_then(account: Account) -> None:
    box = a_box("ours", expires_in_s=YOUNG)
    ours = account.launch(box)
    assert still_there(box, [HERE]) == (f"aws {HERE} {ours} (running)",)

    assert end_on_shutdown(box, [HERE]) == (ours,)

    attribute = "instanceInitiatedShutdownBehavior"
    answer = account.ec2().describe_instance_attribute(InstanceId=ours, Attribute=attribute)
    assert answer["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    account.ec2().terminate_instances(InstanceIds=[ours])
    assert still_there(box, [HERE]) == ()
    with pytest.raises(AwsError, match="no instance carries the tags of box ours"):
        end_on_shutdown(box, [HERE])


def test_a_box_is_not_taken_for_gone_where_it_could_not_be_looked(account: Account, double: AwsDouble) -> None:
    double.rules["DescribeInstances", THERE] = refusing("UnauthorizedOperation")

    with pytest.raises(AwsError, match=f"{THERE}: .* may not ec2:DescribeInstances"):
        still_there(a_box("ours", expires_in_s=YOUNG), [HERE, THERE])


def test_boto3_is_imported_only_where_aws_is_asked() -> None:
    early = [
        path
        for path in (ROOT / "harness").rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and re.search(r"\b(boto3|botocore|harness\.rent\.aws\.)", ast.unparse(node))
        and path.parent.name != "aws"
    ]

    assert early == []


def test_the_policy_allows_what_is_asked_and_nothing_else() -> None:
    policy = json.loads((ROOT / "infra" / "aws" / "reap-policy.json").read_text())
    allowed = {action for one in policy["Statement"] for action in one["Action"]}
    sources = " ".join(path.read_text() for path in (ROOT / "harness" / "rent" / "aws").glob("*.py"))

    asked_for = set(re.findall(r'(?:ask|each)\([a-z.]+, "([A-Za-z]+)"', sources))

    assert allowed == {f"ec2:{action}" for action in asked_for}
    changing = [one for one in policy["Statement"] if any("Describe" not in action for action in one["Action"])]
    assert all(one["Condition"]["Null"] == {"aws:ResourceTag/breakeven-box": "false"} for one in changing)


def test_a_cloud_that_cannot_say_what_is_there_does_not_keep_anothers_boxes_alive(
    account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = tmp_path / "state" / "breakeven" / "rent" / "boxes"
    boxes.mkdir(parents=True)
    (boxes / "broken.json").write_text("{")
    late = account.launch(a_box("late", expires_in_s=LATE))

    code, said = reap(capsys, "--all")

    assert (code, places(said["gone"]), places(said["unseen"])) == (1, [f"aws {HERE} {late}"], ["local"])


def test_the_launch_template_carries_the_tags_that_are_looked_for_and_ends_with_its_own_shutdown() -> None:
    text = (ROOT / "infra" / "aws" / "launch-template.yaml").read_text()

    keys = re.findall(r"Key: (breakeven-[a-z-]+)", text)

    assert Counter(keys) == dict.fromkeys(OURS, 2)  # of the instance and of its disk
    assert "InstanceInitiatedShutdownBehavior: terminate" in text
