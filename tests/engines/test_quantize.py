"""Weights made by llama.cpp's own quantiser, and what a file of them is called."""

import struct
from pathlib import Path

import pytest
from tiny_gguf import model_bytes

from harness.cli import invoke
from harness.engines.kinds import quantize as quantizing
from harness.engines.kinds.quantize import name_of, quantize
from harness.engines.weights.gguf import GgufModel, read_gguf

MIXED = (("Q4_1", 79), ("Q8_0", 21))


def model(name: str, *weights: tuple[str, int]) -> GgufModel:
    return GgufModel(Path("/models") / name, None, 1, weights)


def test_the_header_gives_how_many_weights_are_of_which_type(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(model_bytes())

    assert read_gguf(path).weights == (("F32", 12),)  # a matrix of 3 x 4; the vector of 5 is none


def test_a_tensor_of_an_unknown_type_is_known_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    matrix = struct.pack("<I2Q", 2, 3, 4)
    path.write_bytes(model_bytes().replace(matrix + struct.pack("<I", 0), matrix + struct.pack("<I", 99)))

    assert read_gguf(path).weights == (("type 99", 12),)


@pytest.mark.parametrize(
    ("source", "held", "name"),
    [
        (model("tiny.Q4_1.gguf", *MIXED), (("Q8_0", 100),), "tiny.Q8_0-from-Q4_1.gguf"),
        (model("tiny.Q4_1.gguf", *MIXED), (("Q4_0", 79), ("Q8_0", 21)), "tiny.Q4_0+Q8_0-from-Q4_1.gguf"),
        (model("big-7B-f16.gguf", ("F16", 9)), (("Q5_0", 9),), "big-7B.Q5_0.gguf"),
        (model("big-BF16.gguf", ("BF16", 9)), (("Q4_K", 8), ("Q6_K", 1)), "big.Q4_K+Q6_K.gguf"),
        (model("m.Q4_K_M.gguf", ("Q4_K", 9)), (("F16", 9),), "m.F16-from-Q4_K.gguf"),
        (model("Qwen3-8B.gguf", ("F32", 9)), (("Q8_0", 9),), "Qwen3-8B.Q8_0.gguf"),
    ],
)
def test_a_file_is_named_after_what_it_holds_and_what_it_was_made_from(
    source: GgufModel, held: tuple[tuple[str, int], ...], name: str
) -> None:
    assert name_of(source, held) == name


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["Q9"], "'Q9' is not one of"),
        (["Q8_0", "--model", "nowhere.gguf"], "cannot read the model file nowhere.gguf: No such file or directory"),
        (["Q8_0", "--model", "text.gguf"], "text.gguf is not a whole GGUF model file"),
        (["Q8_0", "--model", "tiny.gguf", "--out", "mine.gguf"], "mine.gguf is a file's name, expected a directory"),
        (["Q8_0", "--model", "tiny.gguf", "--out", "text"], "cannot write text: text is no directory"),
    ],
    ids=["type", "missing", "no model", "a file's name", "a file"],
)
def test_bad_input_is_one_line_before_anything_is_built(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quantizing, "install_quantizer", lambda progress: pytest.fail("was built"))
    (tmp_path / "tiny.gguf").write_bytes(model_bytes())
    (tmp_path / "text.gguf").write_text("no model")
    (tmp_path / "text").write_text("no directory")

    assert invoke(["engine", "quantize", *arguments]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    (line,) = [line for line in told.err.splitlines() if line.startswith("error: ")]
    assert complaint in line


@pytest.mark.engine
def test_weights_from_q4_1_are_named_by_their_tensors_and_said_to_be_made_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["engine", "quantize", "q8_0", "Q4_0", "--out", str(tmp_path)]) == 0

    told = capsys.readouterr()
    eight, four = (read_gguf(Path(line)) for line in told.out.splitlines())
    assert eight.path == tmp_path / "SmolLM2-135M-Instruct.Q8_0-from-Q4_1.gguf"
    assert four.path == tmp_path / "SmolLM2-135M-Instruct.Q4_0+Q8_0-from-Q4_1.gguf"
    # 30 layers of 3,538,944 weights; the embedding is 49,152 x 576, and its rows of 576 fit no Q6_K
    assert dict(eight.weights) == {"Q8_0": 30 * 3_538_944 + 49_152 * 576}
    assert dict(four.weights) == {"Q4_0": 30 * 3_538_944, "Q8_0": 49_152 * 576}
    assert told.err.count("requantised from Q4_1: what that had lost stays lost") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([eight.path.name, four.path.name])


@pytest.mark.engine
def test_the_source_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, _ = quantize(None, "F16", tmp_path, print)
    plain = whole.path.rename(tmp_path / "plain.F16.gguf")
    before = plain.read_bytes()

    assert invoke(["engine", "quantize", "F16", "--model", str(plain), "--out", str(tmp_path)]) == 2

    assert "is the source itself: it is F16 already" in capsys.readouterr().err
    assert plain.read_bytes() == before
