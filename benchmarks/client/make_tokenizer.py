"""Writes a little tokenizer into a folder, in a peer's environment: peers want one and would download it.

One token a word, 1000 words: enough to make random prompts from. Without a decoder, words are joined by spaces.
"""

from __future__ import annotations

import sys

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

WORDS = 1000


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
    fast.save_pretrained(sys.argv[1])


if __name__ == "__main__":
    main()
