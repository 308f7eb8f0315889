"""One box, by its tag: what is there of it, and that its own shutdown ends it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.rent.aws.asked import Aws, AwsError
from harness.rent.aws.found import Found, look
from harness.rent.box import Box

_BEHAVIOUR = "instanceInitiatedShutdownBehavior"


def still_there(box: Box, regions: Sequence[str] = ()) -> tuple[str, ...]:
    """What of a box is not terminated: `aws eu-central-1 i-0abc (running)`.

    Raises:
        AwsError: it could not be looked in every region.
    """
    with Aws() as aws:
        return tuple(f"{one.where} ({one.state})" for one in _of(aws, box, regions))


def end_on_shutdown(box: Box, regions: Sequence[str] = ()) -> tuple[str, ...]:
    """Let a shutdown from inside terminate its instances, not stop them: a stopped one's disk is billed. Their ids.

    Raises:
        AwsError: there is none, or AWS did not do it.
    """
    with Aws() as aws:
        instances = [one for one in _of(aws, box, regions) if one.kind == "instance"]
        if not instances:
            raise AwsError(f"AWS: no instance carries the tags of box {box.id}")
        for one in instances:
            aws.ask(one.region, "ModifyInstanceAttribute", InstanceId=one.id, Attribute=_BEHAVIOUR, Value="terminate")
            answer = aws.ask(one.region, "DescribeInstanceAttribute", InstanceId=one.id, Attribute=_BEHAVIOUR)
            is_now = answer["InstanceInitiatedShutdownBehavior"]["Value"]
            if is_now != "terminate":
                raise AwsError(f"AWS {one.region}: a shutdown of {one.id} would {is_now} it, still")
        return tuple(one.id for one in instances)


def _of(aws: Aws, box: Box, regions: Sequence[str]) -> list[Found]:
    found, unseen = look(aws, aws.regions(regions))
    if unseen:
        raise AwsError(f"{unseen[0].where}: {unseen[0].why}")
    return [one for one in found if one.box is not None and one.box.id == box.id and one.state != "shutting-down"]
