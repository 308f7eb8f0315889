"""The figures of a well-known cost article, worked again."""
