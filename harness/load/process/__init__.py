"""Inside one load process: the loop's life, samples of it, scrapes, the endpoint's tokenizer."""
