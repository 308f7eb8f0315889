"""Whatever a user's file holds, what is wrong is one line of words."""

from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.base.yamlfile import parse_yaml, read_yaml, validate
from harness.cost import decide
from harness.scenario import Scenario


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("price: 5\nother: 1\nprice: 7", "f:3:1: not YAML: the key `price` is given twice"),
        ("a: {usd: 5, usd: 7}", "f:1:13: not YAML: the key `usd` is given twice"),
        ('{"a": {"usd": 5, "usd": 7}}', "f: the key `usd` is given twice"),
        ("day: 2024-13-45", "f: a value that cannot be read: month must be in 1..12"),
        ("n: " + "9" * 5000, "f:1:4: not YAML: a number of 5,000 characters"),
        ('{"n": ' + "9" * 5000 + "}", "f: a value that cannot be read: Exceeds the limit"),
        ("[" * 3000, "f: nested too deeply"),
        ('{"a":' * 100_000, "f: nested too deeply"),
        ("a: &a {b: *a}", "f: nested deeper than 50 levels, or inside itself"),
        ("42", "f holds a number, expected a mapping of keys to values"),
    ],
    ids=["key twice", "key twice inside", "JSON key twice", "no such day", "endless integer", "endless JSON integer",
         "deep YAML", "deep JSON", "inside itself", "a number"],
)  # fmt: skip
def test_a_file_that_cannot_be_taken_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, where="f")

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_merged_key_may_be_given_again() -> None:
    assert parse_yaml("base: &b {x: 1}\nown: {<<: *b, x: 2}", where="f")["own"] == {"x": 2}


def aliases_of_aliases(levels: int) -> str:
    """Each level nine times the one before."""
    return "\n".join(["l0: &l0 [1]", *(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, levels))])


def test_aliases_used_many_times_are_no_nesting() -> None:
    assert len(parse_yaml(aliases_of_aliases(6), where="f")) == 6


def test_a_few_lines_that_write_out_to_billions_of_values_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^f: more than 1,000,000 values once its aliases are written out$"):
        parse_yaml(aliases_of_aliases(30), where="f")


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^cannot read price file /dev/zero: larger than 16 MiB$"):
        read_yaml(Path("/dev/zero"), what="price")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "bom.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')

    assert read_yaml(path, what="price") == {"a": 1}


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wide.json"
    path.write_bytes('{"a": 1}'.encode("utf-16"))

    with pytest.raises(UsageError, match=r"not UTF-8 text \(byte 0xff at 0\)$") as caught:
        read_yaml(path, what="price")

    assert caught.value.hint == "it is UTF-16: save it as UTF-8"


@pytest.mark.parametrize(
    ("key", "shown"),
    [("a\nb", "`api.a\\nb`"), ("\x1b[31mred", "`api.\\x1b[31mred`"), ("x" * 5000, "`api." + "x" * 116 + "...`")],
    ids=["line break", "colour", "endless"],
)
def test_a_key_from_a_file_is_printed_on_one_line(key: str, shown: str) -> None:
    message = str(refused("api", key, 5))

    assert message == f"decide input: unknown key {shown}"


def test_a_file_that_is_no_text_says_which_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: caf\u00e9".encode("latin-1"))

    with pytest.raises(UsageError, match=r"latin\.yaml: not UTF-8 text \(byte 0xe9 at 9\)$"):
        read_yaml(path, what="scenario")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r": Is a directory$"):
        read_yaml(tmp_path, what="scenario")


WHOLE = {"name": "t", "load": {"kind": "closed", "users": [1]}, "prompts": {"kind": "synthetic"}}


def refused(part: str, key: str, value: object) -> UsageError:
    """What `decide` says of its smallest input with one key more."""
    inputs: dict[str, dict[str, object]] = {
        "workload": {"classes": [{"input_tokens": 800, "output_tokens": 250}]},
        "self_host": {"usd_per_hour": 5.672, "goodput_requests_per_s": 0.6},
        "api": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15},
    }
    inputs[part][key] = value
    with pytest.raises(UsageError) as caught:
        decide(inputs)
    return caught.value


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("8%", "8% is written 0.08"),
        ("0.08", "it is text: leave the quotes out; and YAML takes 1e3 for text, write 1.0e+3"),
        ("eight", None),
    ],
)
def test_a_number_written_as_something_else_is_answered_with_how_to_write_it(value: object, hint: str | None) -> None:
    assert refused("workload", "retry_failure_rate", value).hint == hint


def test_a_number_of_hundreds_of_digits_is_refused_and_not_repeated_whole() -> None:
    message = str(refused("workload", "retry_failure_rate", 10**400))

    assert "must be a share, at least 0 and below 1, got 1000" in message
    assert message.endswith("0...")
    assert len(message) < 200


def test_a_currency_is_answered_with_the_one_there_is() -> None:
    error = refused("api", "currency", "EUR")

    assert str(error) == "decide input: unknown key `api.currency`"
    assert error.hint == "every price is in USD: convert it, and leave the key out"


def test_a_key_that_is_known_elsewhere_is_not_offered_for_itself() -> None:
    assert "`usd_per_hour`" not in (refused("api", "usd_per_hour", 5).hint or "")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("load: {kind: closed, users: [1], step_s: true}", "load.step_s"),
        ("load: {kind: open, requests_per_s: [1, yes]}", "load.requests_per_s"),
        ("load: {kind: closed, users: [on]}", "load.users"),
        ("prompts: {kind: synthetic, input_tokens: {mean: true}}", "prompts.input_tokens.mean"),
        ("slo: {ttft_p95_s: true}", "slo.ttft_p95_s"),
        ("seed: true", "seed"),
    ],
)
def test_true_is_no_number_in_a_scenario(text: str, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        validate(Scenario, {**WHOLE, **parse_yaml(text, where="f")}, where="f")

    assert str(caught.value).startswith(f"f: `{key}`: must not be true or false, got ")


def test_true_is_an_answer_where_a_question_is_asked() -> None:
    asked = parse_yaml("request: {stream: yes}", where="f")

    assert validate(Scenario, {**WHOLE, **asked}, where="f").request.stream
