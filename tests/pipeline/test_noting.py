"""What run.json keeps of who answers."""

import json
from pathlib import Path

import pytest
from cost_cases import manifest

from harness.cost.box.weights import weights_of
from harness.load.protocol import Identified
from harness.pipeline.noting import note_event
from harness.rundir.identity import Identity, SaidCount, SaidText


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:8000", SaidCount(value=163_840, said_by="config.json")), ("http://10.0.0.7:8000", None)],
)
def test_weights_that_lie_here_tell_their_shape_where_the_endpoint_is_here_too(
    url: str, said: SaidCount | None, tmp_path: Path
) -> None:
    shape = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    run = manifest("bench")
    run.urls = [url]

    identity = Identity(engine="vllm", weights=SaidText(value=str(tmp_path), said_by="/v1/models"))
    note_event(run, Identified(identity, ["bench"], "bench"))

    assert run.identity is not None
    assert run.identity.kv_values == said
    weights = weights_of(run)
    assert weights is not None
    assert weights.kv_values == (163_840 if said is not None else None)
