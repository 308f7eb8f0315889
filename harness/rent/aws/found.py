"""What of ours is on AWS: instances, open spot requests, and volumes that no instance holds any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from harness.base.text import printable
from harness.rent.aws.asked import Aws, AwsError
from harness.rent.box import Box
from harness.rent.sweep import Thing
from harness.rent.tags import OURS, TagsError, box_of

AT_ONCE = 8  # regions that are asked at the same time
_OURS = {"Name": "tag-key", "Values": list(OURS)}
THERE = ["pending", "running", "stopping", "stopped", "shutting-down"]
OPEN = ["open", "active", "disabled"]  # of a spot request that may launch something still
Kind = Literal["instance", "spot request", "volume"]


@dataclass(frozen=True, slots=True)
class Found:
    """Something that carries a tag of ours."""

    kind: Kind
    id: str
    region: str
    state: str
    box: Box | None
    unreadable: str | None  # what its tags do not say
    spot_request: str | None = None  # that an instance is of: may launch the next
    kept: tuple[str, ...] = ()  # volumes of an instance that outlive it
    launched: str | None = None  # an instance, by a spot request

    @property
    def where(self) -> str:
        """`aws eu-central-1 i-0abc`."""
        return f"aws {self.region} {self.id}"

    def thing(self, why: str | None = None) -> Thing:
        """To be told of."""
        return Thing(self.where, self.box, why)


def look(aws: Aws, regions: Sequence[str]) -> tuple[list[Found], list[Thing]]:
    """Everything of ours in these regions, and where it could not be looked."""
    found: list[Found] = []
    unseen: list[Thing] = []
    opened = []
    for region in regions:
        try:
            aws.open(region)
        except AwsError as error:
            unseen.append(Thing(f"aws {region}", why=str(error)))
            continue
        opened.append(region)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for there, not_seen in pool.map(lambda region: _look_in(aws, region), opened):
            found += there
            unseen += not_seen
    return found, unseen


def _look_in(aws: Aws, region: str) -> tuple[list[Found], list[Thing]]:
    found: list[Found] = []
    unseen: list[Thing] = []
    for ask in (_instances, _spot_requests, _volumes):
        try:
            for one in ask(aws, region):  # what the pages before a broken one had is kept
                found.append(one)
        except AwsError as error:
            unseen.append(Thing(f"aws {region}", why=f"{error}" + (f" ({error.hint})" if error.hint else "")))
            if not error.is_denied:
                break  # the others would wait for the same answer
    return found, unseen


def _instances(aws: Aws, region: str) -> Iterator[Found]:
    filters = [_OURS, {"Name": "instance-state-name", "Values": THERE}]
    for reservation in aws.each(region, "DescribeInstances", "Reservations", Filters=filters):
        for one in reservation["Instances"]:
            state, spot, kept = one["State"]["Name"], one.get("SpotInstanceRequestId"), tuple(_kept(one))
            yield Found("instance", one["InstanceId"], region, state, *_read(one), spot_request=spot, kept=kept)


def _kept(instance: Mapping[str, Any]) -> list[str]:
    volumes = [one["Ebs"] for one in instance.get("BlockDeviceMappings", []) if "Ebs" in one]
    return [one["VolumeId"] for one in volumes if not one.get("DeleteOnTermination", True)]


def _spot_requests(aws: Aws, region: str) -> Iterator[Found]:
    filters = [_OURS, {"Name": "state", "Values": OPEN}]
    for one in aws.each(region, "DescribeSpotInstanceRequests", "SpotInstanceRequests", Filters=filters):
        id_, made = one["SpotInstanceRequestId"], one.get("InstanceId")
        yield Found("spot request", id_, region, one["State"], *_read(one), launched=made)


def _volumes(aws: Aws, region: str) -> Iterator[Found]:
    filters = [_OURS, {"Name": "status", "Values": ["available"]}]
    for one in aws.each(region, "DescribeVolumes", "Volumes", Filters=filters):
        yield Found("volume", one["VolumeId"], region, one["State"], *_read(one))


def _read(one: Mapping[str, Any]) -> tuple[Box | None, str | None]:
    tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
    try:
        return box_of(tags), None
    except TagsError as error:
        return None, printable(str(error), 200)
