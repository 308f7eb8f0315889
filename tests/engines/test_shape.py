"""The attention's shape by the config.json of weights that lie here."""

import json
from pathlib import Path

import pytest

from harness.engines.weights.shape import kv_values_here

LLAMA_70B = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}


def written(folder: Path, config: object) -> str:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(
    ("config", "values"),
    [
        (LLAMA_70B, 2 * 80 * 8 * 128),
        ({**LLAMA_70B, "head_dim": 64, "vocab_size": "odd"}, 2 * 80 * 8 * 64),
        ({"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 4096}, 2 * 32 * 32 * 128),
        ({"architectures": ["X"], "text_config": LLAMA_70B}, 2 * 80 * 8 * 128),
        ({**LLAMA_70B, "num_hidden_layers": "80"}, None),
        ({**LLAMA_70B, "num_key_value_heads": -8}, None),
        ({"num_hidden_layers": 80}, None),
        ([], None),
        ("{", None),
    ],
)
def test_a_directory_of_weights_tells_its_shape_or_nobody_does(tmp_path: Path, config: object, values: int) -> None:
    assert kv_values_here(written(tmp_path / "model", config)) == values


def test_a_hubs_id_is_looked_up_in_this_machines_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    written(tmp_path / "hub" / "models--org--model-70b" / "snapshots" / "abc", LLAMA_70B)

    assert kv_values_here("org/model-70b") == 2 * 80 * 8 * 128
    assert kv_values_here("org/another") is None
    assert kv_values_here("../model-70b") is None


@pytest.mark.parametrize("weights", ["bench", "/nonexistent", "/dev", "", "a\0b/c"])
def test_what_does_not_lie_here_is_unknown(weights: str) -> None:
    assert kv_values_here(weights) is None
