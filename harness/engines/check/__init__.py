"""One real question to an engine: an answer, its tokens, a normal end or not."""
