"""Pictures as people send them: of QR codes, of none, and of what only looks like one."""

from __future__ import annotations

import io
import struct
import zlib

import qrcode
from PIL import Image


def of(*texts: str) -> bytes:
    """A PNG with a QR code for each text, side by side."""
    codes = [_code(text) for text in texts]
    sheet = Image.new("RGB", (sum(code.width for code in codes), max(code.height for code in codes)), "white")
    left = 0
    for code in codes:
        sheet.paste(code, (left, 0))
        left += code.width
    return encoded(sheet)


def without_code() -> bytes:
    """A PNG in which there is nothing."""
    return encoded(Image.new("RGB", (200, 200), "white"))


def animated(text: str) -> bytes:
    """A GIF of two frames."""
    out = io.BytesIO()
    first = _code(text)
    first.save(out, "GIF", save_all=True, append_images=[Image.new("RGB", first.size, "white")], duration=100)
    return out.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A small PNG that is huge once it is decoded."""
    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def encoded(image: Image.Image) -> bytes:
    """The bytes of a picture as PNG."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _code(text: str) -> Image.Image:
    made = qrcode.QRCode(box_size=6, border=4)
    made.add_data(text)
    return made.make_image().get_image().convert("RGB")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
