"""An answer that comes compressed though identity was asked for: unpacked as it arrives, within bounds. No I/O."""

import zlib

MOST_TIMES = 64  # of a piece's own size: text packs 3 to 20 fold, and a read is at most 64 KiB
LEAST_ROOM_BYTES = 1 << 20
_GZIP, _ZLIB, _RAW = 31, 15, -15  # window bits


class Packed(Exception):
    """The body is packed in a way that is not read here; says how."""


class Unpacker:
    """Of one answer's body, by its Content-Encoding: gzip, or deflate with zlib's header or without."""

    def __init__(self, coding: str) -> None:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise Packed(f"content-encoding `{coding[:40]}`, which nobody asked for")
        self._coding = coding
        self._engine = zlib.decompressobj(_ZLIB if coding == "deflate" else _GZIP)
        self._is_begun = False

    def feed(self, piece: bytes) -> bytes:
        """What the next bytes unpack to.

        Raises:
            Packed: they are no such thing, or unpack to more than any text does.
        """
        if self._engine.eof:
            return b""  # what follows the end is no part of it
        most = max(MOST_TIMES * len(piece), LEAST_ROOM_BYTES)
        try:
            plain = self._unpack(piece, most)
        except zlib.error as error:
            raise Packed(f"content-encoding {self._coding}, but it cannot be unpacked: {error}") from None
        self._is_begun = True
        if self._engine.unconsumed_tail:
            raise Packed(f"content-encoding {self._coding}: {len(piece)} bytes unpack to more than {most}")
        return plain

    def _unpack(self, piece: bytes, most: int) -> bytes:
        try:
            return self._engine.decompress(piece, most)
        except zlib.error:
            if self._is_begun or self._coding != "deflate":
                raise
            self._engine = zlib.decompressobj(_RAW)
            return self._engine.decompress(piece, most)


def unpacker_of(coding: str) -> Unpacker | None:
    """For an answer's Content-Encoding; None where it came as it was asked for.

    Raises:
        Packed: a coding that is not read here.
    """
    coding = coding.strip().lower()
    return None if coding in ("", "identity", "none") else Unpacker(coding)
