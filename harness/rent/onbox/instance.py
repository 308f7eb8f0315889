"""Which instance of which cloud this is, in one shape for the three; no account, name, address or user data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Optional

from .commands import NotSeen
from .machine import ROOT, read_text
from .metadata import AWS, AZURE_INSTANCE, GCP, Metadata, parsed

_NOTHING: Dict[str, Any] = dict.fromkeys(("cloud", "id", "type", "region", "zone", "image", "lifecycle"))
_NO_CLOUD = {"none", "unknown", "nocloud"}  # cloud-init's words for a machine of one's own
LONGEST = 500  # characters of a name that is believed
ON_DEMAND, SPOT = "on_demand", "spot"


def instance(metadata: Metadata, root: Path = ROOT) -> Optional[Dict[str, Any]]:
    """None: no cloud answers as one does, and nobody has written down which it is.

    Raises:
        NotSeen: it does, and then says nothing of the instance.
    """
    cloud = metadata.find()
    if cloud is None:
        return _runpod() or _cloud_init(root)
    said = _aws(metadata) if cloud == AWS else _gcp(metadata) if cloud == GCP else _azure(metadata)
    return {"cloud": cloud, **{key: value[:LONGEST] if value else None for key, value in said.items()}}


def _aws(metadata: Metadata) -> Dict[str, Optional[str]]:
    document = _object(parsed(metadata.text("/latest/dynamic/instance-identity/document")))
    life = metadata.text("/latest/meta-data/instance-life-cycle")
    return {
        "id": _word(document.get("instanceId")),
        "type": _word(document.get("instanceType")),
        "region": _word(document.get("region")),
        "zone": _word(document.get("availabilityZone")),
        "image": _word(document.get("imageId")),
        "lifecycle": life.replace("-", "_") if life else None,
    }


def _gcp(metadata: Metadata) -> Dict[str, Optional[str]]:
    def said(key: str) -> Optional[str]:
        return metadata.text("/computeMetadata/v1/instance/" + key)

    zone = _last(said("zone"))
    preemptible = said("scheduling/preemptible")
    return {
        "id": said("id"),
        "type": _last(said("machine-type")),
        "region": zone.rsplit("-", 1)[0] if zone else None,
        "zone": zone,
        "image": said("image"),
        "lifecycle": {"TRUE": SPOT, "FALSE": ON_DEMAND}.get(preemptible or ""),
    }


def _azure(metadata: Metadata) -> Dict[str, Optional[str]]:
    compute = _object(_object(parsed(metadata.text(AZURE_INSTANCE))).get("compute"))
    if not compute:
        raise NotSeen("the metadata service stopped answering")
    of = _object(_object(compute.get("storageProfile")).get("imageReference"))
    named = [_word(of.get(key)) for key in ("publisher", "offer", "sku", "version")]
    priority = {"Spot": SPOT, "Low": SPOT, "Regular": ON_DEMAND, "": ON_DEMAND}
    return {
        "id": _word(compute.get("vmId")),
        "type": _word(compute.get("vmSize")),
        "region": _word(compute.get("location")),
        "zone": _word(compute.get("zone")),
        "image": ":".join(part for part in named if part) or _last(_word(of.get("id"))),  # an id names a subscription
        "lifecycle": priority.get(str(compute.get("priority", "?"))),
    }


def _runpod() -> Optional[Dict[str, Any]]:
    """A container of RunPod has it in its environment."""
    pod = os.environ.get("RUNPOD_POD_ID")
    if not pod:
        return None
    return dict(_NOTHING, cloud="runpod", id=pod, zone=os.environ.get("RUNPOD_DC_ID") or None)


def _cloud_init(root: Path) -> Optional[Dict[str, Any]]:
    """What the first boot wrote down, for all to read: of the smaller clouds (Lambda, Nebius, OCI ...)."""
    said = _object(_object(parsed(read_text(root / "run/cloud-init/instance-data.json"))).get("v1"))
    cloud = _word(said.get("cloud_name"))
    if cloud is None or cloud in _NO_CLOUD:
        return None
    found = {"id": "instance_id", "region": "region", "zone": "availability_zone"}
    return dict(_NOTHING, cloud=cloud, **{key: _word(said.get(theirs)) for key, theirs in found.items()})


def _object(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> Optional[str]:
    return value if isinstance(value, str) and value else None


def _last(path: Optional[str]) -> Optional[str]:
    """`a2-highgpu-1g` of `projects/123/machineTypes/a2-highgpu-1g`."""
    return path.rsplit("/", 1)[-1] if path else None
