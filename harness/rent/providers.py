"""Who makes the boxes of a plan, and who may have some left."""

from harness.rent.box import Provider
from harness.rent.host import HostProvider, remembered_hosts
from harness.rent.plan import RentPlan


def provider_of(plan: RentPlan) -> Provider:
    """Who makes the boxes of a plan."""
    return HostProvider(plan.host, switches_off=plan.power_off)


def providers_known(hosts: tuple[str, ...] = ()) -> tuple[Provider, ...]:
    """Everybody who may have a box of ours: this machine, the hosts that were used from here, and `hosts`."""
    return tuple(HostProvider(host) for host in dict.fromkeys((None, *remembered_hosts(), *hosts)))
