"""What a decision says of a number, and who said it."""

from typing import Any

import pytest
from report_cases import SUPPORT

from harness.cost.provenance import _demand
from harness.demand.demand import demand_from_dict


@pytest.mark.parametrize(
    ("given", "value", "source"),
    [
        ({}, 1, "default"),
        ({"peak_to_mean": 2.5}, 2.5, "demand support-agent"),
        ({"hourly_profile": [1] * 12 + [3] * 12}, 1.5, "demand support-agent"),  # mean 2, busiest hour 3
    ],
    ids=["nobody", "a factor", "hour by hour"],
)
def test_the_peak_is_the_one_that_was_priced_and_names_who_said_it(
    given: dict[str, Any], value: float, source: str
) -> None:
    (peak,) = [fact for fact in _demand(demand_from_dict(SUPPORT | given)) if fact.what == "peak_to_mean"]

    assert (peak.value, peak.source) == (value, source)
