"""A box as tags, and back: any cloud takes them, and what others wrote into them is not taken for ours."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.rent.box import Box, RentError
from harness.rent.tags import EXPIRES, OURS, PRICE, RUN, TagsError, box_of, tags_of

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
BOX = Box(
    "20260801T120000Z-rent-llama-3.1_8b-0a1b2c3d",
    "20260801T120000Z-rent-llama-3.1_8b",
    "aws",
    "2026-08-01T12:00:00.700000+00:00",
    "2026-08-01T15:02:59.000001+00:00",
    5.672,
)
WRITTEN = {
    "breakeven-box": "20260801_t120000_z-rent-llama-3_2e1__8b-0a1b2c3d",
    "breakeven-run": "20260801_t120000_z-rent-llama-3_2e1__8b",
    "breakeven-provider": "aws",
    "breakeven-launched": "20260801t120000z",
    "breakeven-expires": "20260801t150300z",  # never before its time
    "breakeven-microusd-per-hour": "5672000",
}


def test_a_box_is_written_in_letters_that_every_cloud_takes() -> None:
    assert tags_of(BOX) == WRITTEN


def test_tags_of_ours_among_those_of_others_are_a_box() -> None:
    read = box_of({"Name": "somebody's", **WRITTEN, "aws:ec2:fleet-id": "fleet-1"}, NOW)

    assert (read.id, read.run_id, read.provider, read.usd_per_hour) == (BOX.id, BOX.run_id, "aws", 5.672)
    assert (read.launched_at, read.expires_at) == ("2026-08-01T12:00:00+00:00", "2026-08-01T15:03:00+00:00")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=21))
def test_any_id_comes_back_as_it_was(name: str) -> None:
    box = Box(name, name, "aws", BOX.launched_at, BOX.expires_at, 1.0)

    tags = tags_of(box)

    assert all(re.fullmatch("[a-z][a-z0-9_-]{0,62}", key) for key in tags)
    assert all(re.fullmatch("[a-z0-9_-]{1,63}", value) for value in tags.values())
    assert box_of(tags, NOW).id == box_of(tags, NOW).run_id == name


@pytest.mark.parametrize("lead", range(3))
def test_a_long_run_id_is_cut_between_two_letters_of_it(lead: int) -> None:
    run_id = "a" * (60 + lead) + "..."

    kept = box_of(tags_of(Box("one", run_id, "aws", BOX.launched_at, BOX.expires_at, 1.0)), NOW).run_id

    assert kept == run_id[: {0: 61, 1: 61, 2: 62}[lead]]


@pytest.mark.parametrize("name", ["a" * 64, "", "Bär", "two\nlines"])
def test_a_box_whose_id_does_not_fit_is_not_launched(name: str) -> None:
    with pytest.raises(RentError, match="box id"):
        tags_of(Box(name, "run", "aws", BOX.launched_at, BOX.expires_at, 1.0))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (EXPIRES, ""),
        (EXPIRES, "tomorrow"),
        (EXPIRES, "2026-08-01T15:03:00Z"),
        (EXPIRES, "20261301t150300z"),
        (EXPIRES, "20260801t246000z"),
        (EXPIRES, "２０２６0801t150300z"),
        (EXPIRES, "20260801t150300z "),
        (EXPIRES, "20260801t115959z"),  # before it was launched
        (EXPIRES, "99991231t235959z"),  # no plan lasts that long
        (PRICE, "1e9"),
        (PRICE, "-1"),
        (RUN, "20260801T120000Z"),
        (RUN, "a_"),
        (RUN, "_9f"),
        (RUN, "a" * 64),
    ],
)
def test_what_somebody_else_wrote_into_a_tag_is_named_and_never_guessed_at(name: str, value: str) -> None:
    with pytest.raises(TagsError, match=name):
        box_of({**WRITTEN, name: value}, NOW)


@pytest.mark.parametrize("name", OURS)
def test_a_tag_that_is_gone_is_named(name: str) -> None:
    with pytest.raises(TagsError, match=f"{name}: the tag is not there"):
        box_of({key: value for key, value in WRITTEN.items() if key != name}, NOW)
