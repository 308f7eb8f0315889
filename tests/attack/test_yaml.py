"""A YAML file of somebody else: one line, soon, whatever is in it."""

from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.base.yamlfile import parse_yaml, validate
from harness.cli import invoke
from harness.scenario import Scenario


def refused(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, where="f")
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('!!int ""', "'' is no int"),
        ("!!int x", "'x' is no int"),
        ('!!int "_"', "'_' is no int"),
        ('!!float ""', "'' is no float"),
        ("!!float x", "'x' is no float"),
        ("!!bool x", "'x' is no bool"),
        ("!!timestamp x", "'x' is no timestamp"),
        ("59:" * 3000 + "59", "a number of 9,002 characters"),
        ("59:" * 3000 + "59.5", "a number of 9,004 characters"),
        ("9" * 501, "a number of 501 characters"),
        ("0x" + "f" * 499, "a number of 501 characters"),
    ],
)
def test_a_tag_is_no_way_around_what_a_value_looks_like(value: str, message: str) -> None:
    assert refused(f"a: {value}") == f"f:1:4: not YAML: {message}"


def test_a_number_in_base_sixty_that_no_float_holds_is_refused() -> None:
    assert refused("a: " + "1:" * 240 + "1.5") == "f: a value that cannot be read: int too large to convert to float"


def test_a_tag_that_fits_is_taken() -> None:
    assert parse_yaml('a: !!float 3\nb: !!int "7"\nc: !!str 5', where="f") == {"a": 3.0, "b": 7, "c": "5"}


@pytest.mark.parametrize("text", ["a: !!" + "x" * 900_000, "a: *" + "x" * 900_000, "a: !!bool '" + "x" * 900_000 + "'"])
def test_a_message_is_short_however_long_what_it_is_about(text: str) -> None:
    assert len(refused(text)) < 200


def test_yaml_has_at_most_a_mebibyte_and_json_may_have_more() -> None:
    assert refused("a: " + "x" * 2**20) == "f: YAML of 1,048,579 characters, more than 1 MiB"
    assert refused("{a: " + "x" * 2**20 + "}") == "f: YAML of 1,048,581 characters, more than 1 MiB"
    assert len(parse_yaml('{"a": "' + "x" * 2**20 + '"}', where="f")["a"]) == 2**20


def test_yaml_has_at_most_a_hundred_thousand_values() -> None:
    assert refused("a: [" + "1," * 100_001 + "]").endswith(": not YAML: more than 100,000 values")


@pytest.mark.parametrize("text", ['a: "\\ud800"', '{"a": "\\ud800"}', '{"\\udfff": 1}', '{"a": [{"b": "x\\ud800"}]}'])
def test_half_a_character_is_refused_at_the_door(text: str) -> None:
    assert refused(text).startswith("f: half of a surrogate pair in ")


@pytest.mark.parametrize(
    ("name", "load"), [("x" * 100_000, "closed"), ("t", "x" * 100_000)], ids=["a name", "the tag of a union"]
)
def test_a_value_is_repeated_in_short(name: str, load: str) -> None:
    data = {"name": name, "load": {"kind": load, "users": [1]}, "prompts": {"kind": "synthetic"}}

    with pytest.raises(UsageError) as caught:
        validate(Scenario, data, where="f")

    assert len(str(caught.value)) < 300


def test_the_command_line_ends_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "d.yaml"
    path.write_text("!!timestamp x: 3\n")

    assert invoke(["decide", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
