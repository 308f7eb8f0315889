"""A GGUF file as a directory of bfloat16 safetensors: the same weights for engines that read no GGUF.

Run as a script by the Python of an environment that has transformers, torch, gguf and accelerate:

    python -I convert_gguf.py MODEL.gguf DIRECTORY
"""

import sys
from pathlib import Path
from typing import Any


def main(gguf: Path, directory: Path) -> None:
    """Dequantise the weights to bfloat16 and write them with their tokenizer."""
    import torch  # type: ignore[import-not-found]
    import transformers  # type: ignore[import-not-found]

    source: dict[str, Any] = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(
        **source, quantization_config=transformers.GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    model.save_pretrained(directory)
    transformers.AutoTokenizer.from_pretrained(**source).save_pretrained(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
