"""A scenario held against what the server says it takes, before the load."""

from pathlib import Path
from typing import Any

import pytest
from load_helpers import scenario

from harness.load.process.fits import Misfit, lengths_of, misfits
from harness.rundir.identity import Identity, SaidCount


def limits(**values: int) -> Identity:
    return Identity(engine="tgi", **{key: SaidCount(value=n, said_by="/info") for key, n in values.items()})


def held_against(identity: Identity, replicas: int = 1, base_dir: Path = Path(), **work: Any) -> list[Misfit]:
    return list(misfits(identity, scenario(**work), base_dir, "http://h", replicas))


def synthetic(input_tokens: Any, output_tokens: Any) -> dict[str, Any]:
    return {"kind": "synthetic", "input_tokens": input_tokens, "output_tokens": output_tokens}


@pytest.mark.parametrize(
    ("identity", "prompts", "said"),
    [
        (
            limits(max_input_tokens=1024),
            synthetic(1500, 10),
            "prompts of 1,500 tokens do not fit: http://h takes 1,024",
        ),
        (limits(context=2048), synthetic(50, 3000), "prompts of 50 and answers of 3,000 tokens do not fit"),
        (limits(context=512), synthetic(500, 13), "takes 512 together (so says its /info)"),
        (
            limits(context=1000),
            {"kind": "sessions", "turns": 4, "base_tokens": 300, "growth_tokens": 300, "output_tokens": 50},
            "25.0% of the requests with prompts of 1,200 and answers of 50 tokens",  # the last turn of four
        ),
        (limits(context=100), {"kind": "file", "path": "p", "output_tokens": 200}, "answers of 200 tokens"),
    ],
)
def test_what_is_too_long_is_said_with_both_numbers(identity: Identity, prompts: dict[str, Any], said: str) -> None:
    (misfit,) = held_against(identity, prompts=prompts)

    assert said in misfit.text
    assert misfit.is_hopeless
    assert "--max-" in misfit.hint


def test_what_just_fits_is_not_mentioned() -> None:
    exact = limits(max_input_tokens=1024, context=2048, max_concurrent_requests=1)

    assert held_against(exact, prompts=synthetic(1024, 1024)) == []
    assert held_against(Identity(), prompts=synthetic(100_000, 100_000)) == []


def test_sglang_cuts_an_answer_before_its_context_is_full_or_where_its_cache_is() -> None:
    of_context = limits(max_input_tokens=8186, context=8192).model_copy(update={"engine": "sglang"})
    of_cache = limits(max_input_tokens=5000, context=8192).model_copy(update={"engine": "sglang"})

    assert held_against(of_context, prompts=synthetic(8000, 190)) == []
    (cut,) = held_against(of_context, prompts=synthetic(8000, 191))
    (full,) = held_against(of_cache, prompts=synthetic(4900, 200))
    assert "takes 8,190 together (so says its /info)" in cut.text
    assert "takes 5,004 together" in full.text


def test_a_few_requests_that_do_not_fit_are_no_reason_to_end(tmp_path: Path) -> None:
    rows = ["arrival_s,input_tokens,output_tokens", *(f"{n},100,10" for n in range(199)), "199,5000,10"]
    (tmp_path / "log.csv").write_text("\n".join(rows))
    load = {"kind": "trace", "file": "log.csv"}

    (one,) = held_against(limits(context=1024), base_dir=tmp_path, load=load)
    (many,) = held_against(limits(context=1024), base_dir=tmp_path, load=load, slo={"error_rate": 0.001})

    assert "0.5% of the requests" in one.text  # 1 of 200, and 1 in 100 may fail
    assert (one.is_hopeless, many.is_hopeless) == (False, True)


def test_lengths_that_vary_are_held_by_how_many_of_them_are_too_long() -> None:
    spread = synthetic({"mean": 500, "stdev": 100}, 10)

    (rare,) = held_against(limits(max_input_tokens=740), prompts=spread)  # 2.4 deviations: 0.8 %
    (common,) = held_against(limits(max_input_tokens=500), prompts=spread)  # a half

    assert (rare.is_hopeless, common.is_hopeless) == (False, True)
    assert len(lengths_of(scenario(prompts=spread), Path())) == 1000


@pytest.mark.parametrize(
    ("users", "replicas", "said"),
    [([4, 8], 1, [True]), ([2, 8], 1, [False]), ([2, 3], 1, []), ([4, 6], 2, []), ([4, 8], 2, [False])],
)
def test_more_at_once_than_it_takes_ends_the_run_where_every_step_has_them(
    users: list[int], replicas: int, said: list[bool]
) -> None:
    load = {"kind": "closed", "users": users, "step_s": 5, "warmup_s": 0}

    found = held_against(limits(max_concurrent_requests=3), replicas, load=load)

    assert [misfit.is_hopeless for misfit in found] == said
