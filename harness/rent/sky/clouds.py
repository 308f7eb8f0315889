"""The clouds that a plan may name, as SkyPilot spells them, and what its code says of each (0.14.1).

Left out are those whose boxes SkyPilot cannot end by themselves (hyperbolic, primeintellect, verda, yotta): without a
driver nobody would.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cloud:
    """What of it matters to a box that has to go."""

    has_spot: bool = True
    has_images: bool = True
    is_container: bool = False  # a box without an init system: nothing in it can shut it down


CLOUDS = {
    "aws": Cloud(),
    "azure": Cloud(),
    "do": Cloud(has_spot=False),
    "gcp": Cloud(),
    "lambda": Cloud(has_spot=False, has_images=False),
    "nebius": Cloud(),
    "oci": Cloud(),
    "paperspace": Cloud(has_spot=False, has_images=False),
    "runpod": Cloud(is_container=True),
    "vast": Cloud(is_container=True),
}
