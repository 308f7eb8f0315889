"""Task runs whose answers the server is told to give in one form alone."""

from pathlib import Path

import pytest
from endpoint import Endpoint
from task_answers import answering
from task_runs import driven, of_tasks

from harness.rundir.files import read_manifest

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
ASKED = [
    {"id": f"n{n}", "prompt": f"Give {n} as n.", "checker": {"kind": "json_schema", "schema": SCHEMA}}
    for n in range(4)
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "note"),
    [
        ('{"n": 3}', None),
        ('{"n": "3"}', "4 of 4 whole answers do not fit it"),
        ("The number is 3.", "4 of 4 whole answers do not fit it"),
    ],
)
def test_a_server_that_takes_the_schema_and_ignores_it_is_told_of(tmp_path: Path, said: str, note: str | None) -> None:
    with Endpoint(post=answering(lambda call: said)) as server:
        measured = driven(tmp_path, server, of_tasks(tmp_path, ASKED, constrained="json_schema"))
        asked = [call.body for call in server.generations()]

    assert all(body["response_format"]["json_schema"]["schema"] == SCHEMA for body in asked)
    notes = [one for one in read_manifest(measured.run_dir).notes if "schema" in one]
    assert [note in one for one in notes] == ([] if note is None else [True])


def test_what_was_not_asked_for_is_not_missed(tmp_path: Path) -> None:
    with Endpoint(post=answering(lambda call: "no JSON")) as server:
        measured = driven(tmp_path, server, of_tasks(tmp_path, ASKED))
        bodies = [call.body for call in server.generations()]

    assert not any("response_format" in body for body in bodies)
    assert not any("schema" in one for one in read_manifest(measured.run_dir).notes)
