"""The header reader on files made here byte by byte, and on the model that comes with a package."""

import struct
from pathlib import Path

import pytest
from tiny_gguf import model_bytes

from harness.base.errors import UsageError
from harness.engines.weights.gguf import read_gguf
from harness.engines.weights.models import bundled_model_path


def test_the_header_gives_the_quantization_and_the_file_its_size(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(model_bytes())

    model = read_gguf(path)

    assert model.quantization == "Q4_K_M"  # 15 in llama.h
    assert model.size_bytes == len(model_bytes())


@pytest.mark.engine
def test_the_packaged_model_is_smollm2_135m_in_q4_1() -> None:
    model = read_gguf(bundled_model_path())

    assert (model.path.name, model.quantization) == ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"not a model at all", "does not begin with the letters GGUF"),
        (b"", "ends after 0 bytes"),
        (b"GGUF" + struct.pack("<I", 1), "format version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 1), "a count of"),
        (model_bytes()[:100], "in the middle of its header"),
        (model_bytes()[:-25], "its own table of contents needs more than"),
    ],
    ids=["text", "empty", "old", "corrupt", "cut header", "cut weights"],
)
def test_a_file_that_is_no_whole_model_is_refused_in_one_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)

    with pytest.raises(UsageError) as caught:
        read_gguf(path)

    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.gguf: No such file"):
        read_gguf(tmp_path / "nowhere.gguf")


def test_a_directory_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        read_gguf(tmp_path)
