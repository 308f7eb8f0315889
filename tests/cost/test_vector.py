"""Many cases at once give what `decide` gives one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from cost_cases import comparisons
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cost import decide
from harness.cost.breakeven.decision import parse
from harness.cost.breakeven.vector import VERDICTS, case_of, evaluate, first_wins


@given(comparisons(), st.lists(st.integers(0, 10**7), min_size=1, max_size=5), st.sampled_from([None, 0, 1, 3]))
@settings(max_examples=200, deadline=None)
def test_an_array_of_volumes_is_decided_as_each_alone(
    inputs: dict[str, Any], volumes: list[int], retries: int | None
) -> None:
    inputs["workload"] |= {"retry_failure_rate": 0.08, "max_retries": retries, "response_cache_hit_rate": 0.1}

    out = evaluate(case_of(parse(inputs), 0.0).but(tasks_per_month=np.array(volumes, float)))

    for i, volume in enumerate(volumes):
        inputs["workload"]["tasks_per_month"] = volume
        alone = decide(inputs)
        assert VERDICTS[out.verdict[i]] == alone["verdict"]
        assert out.instances[i] == alone["at_volume"]["instances"]
        assert np.isclose(out.self_usd[i], alone["at_volume"]["self_usd"], rtol=1e-12)
        assert np.isclose(out.api_usd[i], alone["at_volume"]["api_usd"], rtol=1e-12)
        assert bool(out.self_host_wins[i]) == (alone["at_volume"]["winner"] == "self_host")


@given(comparisons(), st.lists(st.floats(0.001, 20), min_size=1, max_size=5), st.booleans())
@settings(max_examples=100, deadline=None)
def test_an_array_of_goodputs_first_wins_where_each_alone_does(
    inputs: dict[str, Any], goodputs: list[float], is_metered: bool
) -> None:
    inputs["self_host"] |= {"billing": "per_second"} if is_metered else {}

    first = first_wins(case_of(parse(inputs), 0.0).but(goodput_requests_per_s=np.array(goodputs)))

    for i, goodput in enumerate(goodputs):
        inputs["self_host"]["goodput_requests_per_s"] = goodput
        alone = decide(inputs)["first_win_tasks_per_month"]
        assert np.isclose(first[i], np.inf if alone is None else alone, rtol=1e-9)


def test_without_goodput_nothing_can_be_won() -> None:
    inputs = {
        "workload": {"classes": [{"input_tokens": 800, "output_tokens": 250}]},
        "self_host": {"usd_per_hour": 5.672, "goodput_requests_per_s": None},
        "api": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15},
    }

    out = evaluate(case_of(parse(inputs), 1000.0))

    assert VERDICTS[int(out.verdict)] == "never"
    assert not bool(out.self_host_wins)
    assert np.isnan(out.saving_usd)
    assert first_wins(case_of(parse(inputs), 1000.0)).tolist() == [np.inf]
