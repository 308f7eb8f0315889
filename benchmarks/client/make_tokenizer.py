"""Writes a little tokenizer into a folder laid out as Hugging Face's cache, in a peer's environment.

    python make_tokenizer.py HF_HOME       then HF_HOME=... HF_HUB_OFFLINE=1 finds `breakeven/words`

Peers want a tokenizer and would download one. One token a word, 1000 words: enough to make random prompts from.
Without a decoder, words are joined by spaces.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

WORDS = 1000
REVISION = "0" * 40


def main() -> None:
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"w{k:03d}": k + 3 for k in range(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=131072,
    )
    model = Path(sys.argv[1]) / "hub" / "models--breakeven--words"
    fast.save_pretrained(model / "snapshots" / REVISION)
    (model / "refs").mkdir(exist_ok=True)
    (model / "refs" / "main").write_text(REVISION)


if __name__ == "__main__":
    main()
