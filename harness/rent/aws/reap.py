"""Ends what is past its expiry on AWS, and looks until AWS says that it is gone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from harness.base.errors import UsageError
from harness.rent.aws.asked import LOG_IN, Aws, AwsError, member_of
from harness.rent.aws.found import OPEN, THERE, Found, look
from harness.rent.sweep import Sweep, Thing, Wanted

WAIT_S = 300.0  # for instances to be terminated; those with many GPUs take minutes
POLL_S = 5.0
_LOOKS = 3
_AT_ONCE = 200  # values of one filter
_PROTECTIONS = {"disableApiTermination": "termination protection", "disableApiStop": "stop protection"}

Say = Callable[[str], None]


def reap(regions: Sequence[str], wanted: Wanted, *, dry_run: bool, is_asked: bool, say: Say) -> Sweep:
    """End what has to go in these regions, or all that the account has enabled.

    Raises:
        UsageError: a region that is none; no credentials, where AWS was asked for.
    """
    try:
        with Aws() as aws:
            if not aws.has_credentials():
                if is_asked:
                    raise UsageError("AWS: no credentials", hint=LOG_IN)
                return Sweep(passed_over=[Thing("aws", why="no credentials")])
            return _sweep(aws, aws.regions(regions), wanted, dry_run=dry_run, say=say)
    except AwsError as error:
        return Sweep(unseen=[Thing("aws", why=_words(error))])


def _words(error: AwsError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


def _sweep(aws: Aws, regions: Sequence[str], wanted: Wanted, *, dry_run: bool, say: Say) -> Sweep:
    found, unseen = look(aws, regions)
    done, due = Sweep(unseen=unseen), []
    for one in found:
        if wanted.has(one.box):
            due.append(one)
        elif one.box is None and one.state != "shutting-down":
            done.unreadable.append(one.thing(f"{one.kind}: {one.unreadable}"))
    if dry_run:
        done.remaining = [one.thing(f"{one.kind}, {one.state}") for one in due if one.state != "shutting-down"]
        return done
    _cancel(aws, due, {one.id for one in found}, done, say)
    _terminate(aws, [one for one in due if one.kind == "instance"], done, say)
    done.remaining += [one.thing(_left(one.region, one.id)) for one in due if one.kind == "volume"]
    return done


def _left(region: str, volume: str) -> str:
    return f"a volume that is billed on; `aws ec2 delete-volume --region {region} --volume-id {volume}`"


def _cancel(aws: Aws, due: Sequence[Found], known: set[str], done: Sweep, say: Say) -> None:
    """Spot requests before their instances: a persistent one launches the next."""
    for one in due:
        if one.kind != "spot request":
            continue
        try:
            _cancel_one(aws, one.region, one.id)
        except AwsError as error:
            done.remaining.append(one.thing(_words(error)))
            continue
        say(f"{one.where}: cancelled")
        done.gone.append(one.thing("spot request"))
        if one.launched is not None and one.launched not in known:
            why = f"launched by {one.id}, and carries no tag of ours: look whose it is"
            done.unreadable.append(Thing(f"aws {one.region} {one.launched}", why=why))


def _cancel_one(aws: Aws, region: str, request: str) -> None:
    answer = aws.ask(region, "CancelSpotInstanceRequests", SpotInstanceRequestIds=[request])
    said = member_of(answer, "CancelledSpotInstanceRequests", region, "CancelSpotInstanceRequests")
    states = {one["SpotInstanceRequestId"]: one["State"] for one in said}
    if states.get(request, OPEN[0]) in OPEN:
        raise AwsError(f"AWS {region}: {request} is still {states.get(request, 'there')}, although it was cancelled")


def _terminate(aws: Aws, due: Sequence[Found], done: Sweep, say: Say) -> None:
    ending, uncancelled = [], set()
    for one in due:
        if one.spot_request is not None:
            try:
                _cancel_one(aws, one.region, one.spot_request)
            except AwsError as error:  # whether that matters is looked at afterwards
                say(f"{one.where}: {error}")
                uncancelled.add(one.spot_request)
        try:
            _end(aws, one, say)
            ending.append(one)
        except AwsError as error:
            done.remaining.append(one.thing(_words(error)))
    left = _wait(aws, ending)
    for one in ending:
        if one.id in left:
            done.remaining.append(one.thing(left[one.id]))
            continue
        done.gone.append(one.thing())
        done.remaining += [Thing(f"aws {one.region} {kept}", one.box, _left(one.region, kept)) for kept in one.kept]
        if one.spot_request in uncancelled:
            _look_after(aws, one, done)


def _end(aws: Aws, one: Found, say: Say) -> None:
    """Ask for its end, whatever protects it."""
    if one.state == "shutting-down":
        return
    for _ in range(len(_PROTECTIONS) + 1):
        try:
            aws.ask(one.region, "TerminateInstances", InstanceIds=[one.id])
            return
        except AwsError as error:
            if error.code == "InvalidInstanceID.NotFound":
                return
            named = re.search("|".join(_PROTECTIONS), error.said) if error.code == "OperationNotPermitted" else None
            if named is None:
                raise
            attribute = named.group()
        say(f"{one.where}: its {_PROTECTIONS[attribute]} is turned off")
        name = attribute[0].upper() + attribute[1:]
        aws.ask(one.region, "ModifyInstanceAttribute", InstanceId=one.id, **{name: {"Value": False}})
    raise AwsError(f"AWS {one.region}: {one.id} stays protected against its termination")


def _wait(aws: Aws, ending: Sequence[Found]) -> dict[str, str]:
    """Until AWS has terminated them all, at most `WAIT_S`; those that it has not, and what they are."""
    until_s = time.monotonic() + WAIT_S
    left = {one.id: one.state for one in ending}
    while left:
        for region in {one.region for one in ending if one.id in left}:
            ids = [one.id for one in ending if one.region == region and one.id in left]
            states = _states(aws, region, ids)
            for id_ in ids:
                if id_ in states:
                    left[id_] = states[id_]
                else:
                    del left[id_]
        if not left or time.monotonic() >= until_s:
            break
        time.sleep(POLL_S)
    return left


def _states(aws: Aws, region: str, ids: Sequence[str]) -> dict[str, str]:
    """What those of them are that are not terminated."""
    states = {}
    for first in range(0, len(ids), _AT_ONCE):
        some = list(ids[first : first + _AT_ONCE])
        filters = [{"Name": "instance-id", "Values": some}, {"Name": "instance-state-name", "Values": THERE}]
        try:
            for reservation in aws.each(region, "DescribeInstances", "Reservations", Filters=filters):
                for one in reservation["Instances"]:
                    states[one["InstanceId"]] = f"is still {one['State']['Name']} after {WAIT_S:.0f} s"
        except AwsError as error:
            states |= dict.fromkeys(some, f"not known whether it is gone: {error}")
    return states


def _look_after(aws: Aws, one: Found, done: Sweep) -> None:
    """A request that could not be cancelled may launch the next instance; a one-time one closes with its instance."""
    filters = [{"Name": "spot-instance-request-id", "Values": [one.spot_request]}, {"Name": "state", "Values": OPEN}]
    where = f"aws {one.region} {one.spot_request}"
    try:
        for _ in range(_LOOKS):
            left = list(aws.each(one.region, "DescribeSpotInstanceRequests", "SpotInstanceRequests", Filters=filters))
            if not left:
                return
            time.sleep(POLL_S)
        why = f"a spot request that is still {left[0]['State']}: it may launch another instance"
        done.remaining.append(Thing(where, one.box, why))
    except AwsError as error:
        done.unseen.append(Thing(where, one.box, _words(error)))
