"""What a picture says of itself before anything is decoded: its kind and its size, from the first bytes.

A picture of 13,000 × 13,000 pixels may be 200 kB as a file and half a gigabyte once decoded, so the header is read here
and judged first. Sources: PNG (ISO/IEC 15948), GIF89a, JPEG (ITU-T T.81, annex B), WebP (RFC 9649).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from accounts.vault.errors import ParseError, Reason

LARGEST_FILE: Final = 8 * 2**20
LONGEST_SIDE: Final = 4096
MOST_PIXELS: Final = 16_000_000
MOST_CHUNKS: Final = 10_000
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_GIF: Final = (b"GIF87a", b"GIF89a")
_JPEG: Final = b"\xff\xd8\xff"
# Start of frame, in all its kinds; C4, C8 and CC share the range and mean something else.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, as the header claims."""

    width: int
    height: int


def is_picture(data: bytes) -> bool:
    """Whether these bytes begin as a picture of a kind that is read: PNG, JPEG, WebP, GIF."""
    return data.startswith((_PNG, _JPEG, *_GIF)) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def check(data: bytes) -> Size:
    """The size of a picture that may be decoded: 8 MiB, 4096 on a side, 16 megapixels at most.

    Raises ParseError: PICTURE_TOO_LARGE with the figures, PICTURE_NOT for no picture of a kind that is read.
    """
    if len(data) > LARGEST_FILE:
        raise ParseError(Reason.PICTURE_TOO_LARGE, found=len(data), allowed=LARGEST_FILE, unit="bytes")
    size = measure(data)
    width, height = size.width, size.height
    if max(width, height) > LONGEST_SIDE:
        raise ParseError(
            Reason.PICTURE_TOO_LARGE,
            width=width,
            height=height,
            found=max(width, height),
            allowed=LONGEST_SIDE,
            unit="side",
        )
    if width * height > MOST_PIXELS:
        raise ParseError(
            Reason.PICTURE_TOO_LARGE,
            width=width,
            height=height,
            found=width * height,
            allowed=MOST_PIXELS,
            unit="pixels",
        )
    return size


def measure(data: bytes) -> Size:
    """The size in the header. Raises ParseError (PICTURE_NOT) when there is none, or nothing is that size."""
    size = None
    if data.startswith(_PNG):
        size = _png(data)
    elif data.startswith(_GIF):
        size = Size(int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"))
    elif data.startswith(_JPEG):
        size = _jpeg(data)
    elif is_picture(data):
        size = _webp(data)
    if size is None or not size.width or not size.height:
        raise ParseError(Reason.PICTURE_NOT)
    return size


def _png(data: bytes) -> Size | None:
    if data[12:16] != b"IHDR" or not _few_chunks(data):
        return None
    return Size(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))


def _few_chunks(data: bytes) -> bool:
    """Whether a PNG has no more chunks than a picture needs: each costs time to pass over, and only 12 bytes."""
    at, chunks = len(_PNG), 0
    while at < len(data) and chunks <= MOST_CHUNKS:
        if data[at + 4 : at + 8] == b"IEND":  # What stands behind the picture is not looked at.
            break
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        chunks += 1
    return chunks <= MOST_CHUNKS


def _jpeg(data: bytes) -> Size | None:
    """The frame header is behind any number of segments, each of which tells how long it is."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # Fill bytes may precede a marker.
            at += 1
        elif marker in _FRAMES:
            return Size(int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big"))
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _webp(data: bytes) -> Size | None:
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return Size(int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1)
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return Size(int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF)
    return None
