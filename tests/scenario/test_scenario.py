from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.scenario import Scenario, bundled_scenarios_dir, find_scenario, load_scenario


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("name: a\nload: {usrs: [1]}", "unknown key `load.usrs`", "did you mean `users`?"),
        ("name: a\nload: {users: [1, -2]}", "`load.users[1]`: must be greater than or equal to 1, got -2", None),
        ("name: a\nload: {users: [1.5]}", "`load.users[0]`: must be a valid integer, got 1.5", None),
        ("name: a\nload: {users: many}", "`load.users`: must be a valid list, got 'many'", None),
        ("name: a\nload: {step_s: -3}", "`load.step_s`: must be greater than 0, got -3", None),
        ("name: a\nload: {step_s: 4}", "warmup_s (5) must be below step_s (4)", None),
        ("name: a\nload: {kind: opn}", "`load.kind`", None),
        ("name: a\nprompts: {kind: synth}", "`prompts.kind` must be one of", None),
        ("name: a\nslo: {preset: chatty}", "`slo.preset`", None),
        ("name: a/b", "`name`", None),
        ("name: " + "a" * 101, "`name`: string should have at most 100 characters", None),
        ("name: a\nload: {users: [1000000000000]}", "`load.users[0]`: must be less than or equal to 100000", None),
        ("name: a\nload: {step_s: 1.0e+308}", "`load.step_s`: must be less than or equal to 31536000", None),
        (
            f"name: a\nprompts: {{input_tokens: 1{'0' * 400}}}",
            "`prompts.input_tokens`: must be less than or equal to 100000000",
            None,
        ),
        (
            "name: a\nprompts: {input_tokens: {mean: 5, min: 10, max: 1}}",
            "`prompts.input_tokens`: max (1) must not be below min (10)",
            None,
        ),
        ("name: a\nprompts: {input_tokens: {mean: -5}}", "`prompts.input_tokens.mean`: must be greater", None),
        (
            "name: a\nprompts: {input_tokens: 80, shared_prefix_tokens: 100}",
            "`prompts`: shared_prefix_tokens (100) must not be above input_tokens (80)",
            None,
        ),
        ("load: {users: [1]}", "`name` is missing", None),
        ("name: a\nseed: -1", "`seed`: must be greater than or equal to 0, got -1", None),
        ("name: a\nrequest: {timeout_s: .nan}", "`request.timeout_s`", None),
        ("- a\n- b", "holds a list", None),
        ("", "is empty", None),
    ],
)
def test_bad_scenarios_are_refused_in_one_line(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    path = write(tmp_path, text)

    with pytest.raises(UsageError) as caught:
        load_scenario(path)

    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    if hint is not None:
        assert caught.value.hint == hint


def test_yaml_syntax_errors_name_line_and_column(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\nload: {users: [1, 2\n")

    with pytest.raises(UsageError, match=r"s\.yaml:3:1: not YAML"):
        load_scenario(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such scenario file"):
        load_scenario(tmp_path / "none.yaml")


def test_an_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(UsageError) as caught:
        find_scenario("nosuch")

    assert "quickstart" in (caught.value.hint or "")


def test_the_digest_names_the_work_and_not_the_name() -> None:
    one = Scenario.model_validate({"name": "a", "load": {"users": [1]}})
    same = Scenario.model_validate({"name": "b", "load": {"kind": "closed", "users": 1}})
    other = Scenario.model_validate({"name": "a", "load": {"users": [2]}})

    assert one.digest() == same.digest()
    assert one.digest() != other.digest()


def test_the_default_slo_is_the_chat_preset() -> None:
    assert Scenario.model_validate({"name": "a"}).slo.limits() == (("ttft", "p99", 2.0), ("tpot", "p99", 0.2))


def test_own_limits_stand_alone_and_override_a_named_preset() -> None:
    own = Scenario.model_validate({"name": "a", "slo": {"ttft_p95_s": 3}}).slo
    both = Scenario.model_validate({"name": "a", "slo": {"preset": "chat", "ttft_p99_s": 1}}).slo

    assert own.limits() == (("ttft", "p95", 3.0),)
    assert both.limits() == (("ttft", "p99", 1.0), ("tpot", "p99", 0.2))


@pytest.mark.parametrize("path", sorted(bundled_scenarios_dir().glob("*.yaml")), ids=lambda p: p.stem)
def test_every_bundled_scenario_is_valid(path: Path) -> None:
    load_scenario(path)
