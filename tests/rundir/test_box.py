"""What a rented box said of itself, as run.json keeps it."""

from pathlib import Path

import pytest
from load_helpers import run_load

from harness.calibration.oracle.process import running_oracle
from harness.rundir.box import BoxFacts
from harness.rundir.files import read_manifest

GPUS = [{"index": n, "name": "NVIDIA A10G", "driver": "580.65.06", "numa_node": n // 2} for n in range(4)]
NODES = [{"node": 0}, {"node": 1}]


def test_a_run_keeps_it_from_the_start(tmp_path: Path) -> None:
    facts = BoxFacts.model_validate({"gpus": GPUS, "images": [{"name": "vllm", "digests": ["vllm@sha256:9a21"]}]})
    with running_oracle(tmp_path / "ledger", ttft_s=0.01, itl_s=0.001) as oracle:
        run_dir = run_load(tmp_path / "out", oracle.url, box_facts=facts).run_dir

    assert read_manifest(run_dir).box == facts


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "GPUs not seen"),
        ({"gpus": []}, "no GPU"),
        ({"gpus": [], "instance": {"cloud": "gcp"}}, "gcp instance; no GPU"),
        ({"gpus": GPUS, "numa": NODES[:1]}, "4 x NVIDIA A10G; driver 580.65.06; 1 NUMA node"),
        (
            {"gpus": GPUS, "numa": NODES},
            "4 x NVIDIA A10G; driver 580.65.06; 2 NUMA nodes (GPU 0, 1 on 0; GPU 2, 3 on 1)",
        ),
        ({"gpus": [{"name": "A"}, {"name": "B"}]}, "1 x A, 1 x B; driver unknown"),
    ],
)
def test_it_is_said_in_a_line(told: dict[str, object], words: str) -> None:
    assert BoxFacts.model_validate(told).words() == words
