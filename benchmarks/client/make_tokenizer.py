"""Writes a little tokenizer into a folder laid out as Hugging Face's cache, in a peer's environment.

    python make_tokenizer.py HF_HOME       then HF_HOME=... HF_HUB_OFFLINE=1 finds `breakeven/characters`

Peers want a tokenizer and would download one. One token a character, printable ASCII: whatever text a peer makes
up can be encoded, and any ids can be decoded into text that is as many tokens again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

REVISION = "0" * 40


def main() -> None:
    characters = ["Ġ", *map(chr, range(33, 127))]  # byte-level BPE writes a space as Ġ
    vocabulary = {c: k for k, c in enumerate(["<unk>", "<s>", "</s>", *characters])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", model_max_length=131072
    )
    model = Path(sys.argv[1]) / "hub" / "models--breakeven--characters"
    fast.save_pretrained(model / "snapshots" / REVISION)
    (model / "refs").mkdir(exist_ok=True)
    (model / "refs" / "main").write_text(REVISION)


if __name__ == "__main__":
    main()
