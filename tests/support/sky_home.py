"""A home for SkyPilot with a catalogue of a few boxes; and the plans that go with it.

`make sky` installs SkyPilot (`make test` does first). Where it is missing, a test fails, it does not skip.
"""

from pathlib import Path

import pytest

from harness.engines.weights.cache import cache_dir
from harness.rent.plan import RentPlan
from harness.rent.sky.install import environment, is_installed

GPU = (
    "\"{{'Gpus': [{{'Name': 'A10G', 'Manufacturer': 'NVIDIA', 'Count': {n}, 'MemoryInfo': {{'SizeInMiB': 22888}}}}]}}\""
)
VMS = f"""\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone
g5.12xlarge,A10G,4.0,48.0,192.0,{GPU.format(n=4.0)},5.672,2.1,us-east-1,us-east-1a
g5.12xlarge,A10G,4.0,48.0,192.0,{GPU.format(n=4.0)},5.672,2.1,us-east-1,us-east-1b
g5.12xlarge,A10G,4.0,48.0,192.0,{GPU.format(n=4.0)},6.2,2.9,eu-west-1,eu-west-1a
g5.xlarge,A10G,1.0,4.0,16.0,{GPU.format(n=1.0)},1.006,0.41,us-east-1,us-east-1a
"""
ACCELERATORS = "AcceleratorName,Clouds\nA10G,\"['AWS']\"\n"


def make_sky_home(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME is `place` from here on, with catalogues that SkyPilot takes for a user's own and never fetches."""
    if not is_installed():
        pytest.fail("no SkyPilot of these pins on this machine: make sky", pytrace=False)
    cache = environment().parents[2]
    catalogues = place / ".sky" / "catalogs" / "v8"
    for name, text in (("aws/vms.csv", VMS), ("common/accelerators.csv", ACCELERATORS)):
        path = catalogues / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    assert cache_dir("sky") == environment().parent
    return place


def cloud_plan(**changes: object) -> RentPlan:
    """A plan of four A10G on AWS, but for these keys."""
    keys = {
        "name": "try",
        "provider": "aws",
        "instance": "g5.12xlarge",
        "engines": ["vllm"],
        "scenarios": ["chat"],
        "budget": {"usd": 25, "hours": 2},
    }
    return RentPlan.model_validate({**keys, **changes})
