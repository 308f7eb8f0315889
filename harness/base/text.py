"""Words for one line of a terminal."""


def printable(text: str, longest: int = 120) -> str:
    """Text from a file or a peer on one line of a terminal: control characters as escapes, cut where it is endless."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:longest])
    return shown if len(text) <= longest and len(shown) <= longest else f"{shown[:longest]}..."
