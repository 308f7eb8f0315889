"""Files that cannot be imported: one line that names the file and the tool, and nothing half-written."""

import json
from pathlib import Path

import pytest

from harness.cli import invoke

SAMPLES = Path(__file__).parents[1] / "data" / "imports"
VLLM = SAMPLES / "vllm-bench-0.32.json"


def complaint(capsys: pytest.CaptureFixture[str], out: Path, *arguments: str) -> str:
    """What is said of arguments that cannot be imported; nothing is left behind."""
    assert invoke(["import", *arguments, "--out", str(out)]) == 2
    assert not out.exists() or not any(out.iterdir())
    said = capsys.readouterr().err
    first, *hint = said.strip().splitlines()
    assert first.startswith("error: ")
    assert len([line for line in hint if line.strip()]) <= 1
    return first


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_is_named_with_its_tool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    data = VLLM.read_bytes()
    (tmp_path / "cut.json").write_bytes(data[: int(len(data) * share)])

    said = complaint(capsys, tmp_path / "out", str(tmp_path / "cut.json"))

    assert "cut.json (vllm bench serve): it ends within" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"time,tokens\n1,2\n", "is no result of"),
        (b'{"a": 1}', "is no result of"),
        (b"[1, 2]", "is no result of"),
        (b"\x00\x01\x02", "is no result of"),
    ],
)
def test_an_alien_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str) -> None:
    (tmp_path / "alien.json").write_bytes(content)

    assert words in complaint(capsys, tmp_path / "out", str(tmp_path / "alien.json"))


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file" in complaint(capsys, tmp_path / "out", str(tmp_path / "none.json"))
    assert "is a directory" in complaint(capsys, tmp_path / "out", str(tmp_path))


def test_a_file_that_is_named_twice_is_not_counted_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is given twice" in complaint(capsys, tmp_path / "out", str(VLLM), str(VLLM))


@pytest.mark.parametrize(
    "option",
    [
        ("--instance", "no-such-box"),
        ("--api", "nobody:nothing"),
        ("--demand", "no-such-file.yaml"),
        ("--slo", "no-such-preset"),
        ("--slo", "ttft_p99=0.5"),
        ("--slo", "ttft_p99_s=soon"),
        ("--usd-per-hour", "nan"),
    ],
)
def test_what_is_said_beside_the_file_is_checked_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    complaint(capsys, tmp_path / "out", str(VLLM), *option)


def test_a_summary_without_what_is_needed_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = json.loads(VLLM.read_text())
    del said["duration"]
    (tmp_path / "no-duration.json").write_text(json.dumps(said))

    assert "`duration` is missing" in complaint(capsys, tmp_path / "out", str(tmp_path / "no-duration.json"))


def test_lists_that_are_not_equally_long_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(VLLM.read_text())
    said["ttfts"].pop()
    (tmp_path / "short.json").write_text(json.dumps(said))

    assert "ttfts 47" in complaint(capsys, tmp_path / "out", str(tmp_path / "short.json"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vllm-bench-0.32.json", {"itls": [[0.1, "x"]] * 48}),
        ("vllm-bench-0.32.json", {"ttfts": {"a": 1}}),
        ("vllm-bench-0.32.json", {"model_id": 5}),
        ("vllm-bench-0.32.json", {"max_concurrency": 1e300}),
        ("guidellm-0.8.1.json", {"benchmarks": [5]}),
        ("inference-perf-0.7-summary.json", {"successes": {"count": "many"}}),
        ("aiperf-0.13-profile_export_aiperf.json", {"request_throughput": None, "request_count": []}),
    ],
)
def test_a_value_of_another_kind_is_one_line_that_names_the_tool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, change: dict[str, object]
) -> None:
    said = json.loads((SAMPLES / name).read_text()) | change
    (tmp_path / name).write_text(json.dumps(said))

    line = complaint(capsys, tmp_path / "out", str(tmp_path / name))

    assert name in line
    assert "unexpected" not in line


@pytest.mark.parametrize("tool", ["vllm", "sglang", "guidellm", "aiperf", "inference-perf", "llmperf", "genai-perf"])
@pytest.mark.parametrize("content", ["time,tokens\n1,2\n", '{"a": 1}', "[1, 2]", '"text"'])
def test_an_alien_file_that_is_said_to_be_a_tools_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tool: str, content: str
) -> None:
    (tmp_path / "alien.json").write_text(content)

    assert "alien.json" in complaint(capsys, tmp_path / "out", str(tmp_path / "alien.json"), "--from", tool)


def test_a_real_file_of_another_tool_than_was_said_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, tmp_path / "out", str(VLLM), "--from", "guidellm")

    assert "is a file of vllm bench serve, not of GuideLLM" in said
