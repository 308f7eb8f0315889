"""Who makes the boxes of a plan, and who may have some left."""

from collections.abc import Callable
from functools import partial

from harness.rent.box import Provider
from harness.rent.host import HostProvider, remembered_hosts
from harness.rent.plan import RentPlan


def provider_of(plan: RentPlan) -> Provider:
    """Who makes the boxes of a plan."""
    return HostProvider(plan.host, switches_off=plan.power_off)


def providers_known(hosts: tuple[str, ...] = ()) -> list[tuple[str, Callable[[], Provider]]]:
    """Everybody who may have a box of ours, by kind: this machine, the hosts that were used from here, and `hosts`."""
    used = dict.fromkeys((None, *remembered_hosts(), *hosts))
    return [("ssh" if host else "local", partial(HostProvider, host)) for host in used]
