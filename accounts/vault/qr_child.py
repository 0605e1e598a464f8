"""The other process of `accounts.vault.qr`: decodes one picture from standard input and writes what it found as JSON.

Run by its path and alone: it imports nothing of Authweb, gets no environment, and has bounds set before it reads a
byte. A decoder that is led astray by a hostile picture dies here, with nothing in its memory but that picture.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import zxingcpp
from PIL import GifImagePlugin, Image, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

CPU_SECONDS = 2
MEMORY = 256 * 2**20
LONGEST_SIDE = 4096
MOST_PIXELS = 16_000_000
MOST_TEXT = 8 * 2**20  # of remarks in a PNG, once unpacked
MOST_CODES = 64
# Codes are found best where a module is a few pixels wide: large photographs are also looked at in these sizes.
SIDES = (1600, 1000, 600)
# Of many pictures in one file, JPEG's (a phone's depth map, a preview) are no animation: the first one is the picture.
ANIMATED = ("GIF", "PNG", "WEBP")
# Imported now: else the first picture would import one of them inside its bounds.
PLUGINS = (GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)


def bound() -> None:
    """Bound processor time, memory, files and dumps of this process, for good."""
    PngImagePlugin.MAX_TEXT_MEMORY = MOST_TEXT
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    pages = Path("/proc/self/statm")  # Where there is none, processor time and wall time bound the work alone.
    if pages.exists():
        most = int(pages.read_text("ascii").split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def read(data: bytes) -> dict[str, object]:
    """The texts of all QR codes in a picture as `{"texts": […]}`, or `{"refused": reason}`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # A phone's broken remark about how it was held is no reason to refuse what it saw.
            warnings.filterwarnings("ignore", "Corrupt EXIF data", UserWarning)
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF"))
            # Again, and not for the header's sake: a frame of a GIF may be larger than its screen.
            if max(image.size) > LONGEST_SIDE or image.width * image.height > MOST_PIXELS:
                return {"refused": "picture_too_large"}
            if image.format in ANIMATED and getattr(image, "is_animated", False):
                return {"refused": "picture_animated"}
            image.load()
    except MemoryError:
        return {"refused": "picture_too_costly"}
    except Exception:  # noqa: BLE001 - decoders raise all sorts of errors; whatever it is, it is not our picture
        return {"refused": "picture_not"}
    try:
        texts = next(filter(None, map(_codes, _views(image))), [])
    except MemoryError:
        return {"refused": "picture_too_costly"}
    return {"texts": texts} if texts else {"refused": "picture_none"}


def main() -> None:
    """Read standard input, write the answer to standard output."""
    bound()
    sys.stdout.write(json.dumps(read(sys.stdin.buffer.read())))


def _codes(image: Image.Image) -> list[str]:
    found = zxingcpp.read_barcodes(
        image, formats=zxingcpp.barcode_formats_from_str("QRCode"), text_mode=zxingcpp.TextMode.Plain
    )
    return list(dict.fromkeys(code.text for code in found if code.text))[:MOST_CODES]


def _views(image: Image.Image) -> Iterator[Image.Image]:
    """The picture in the ways in which a code may be found in it, the likeliest first."""
    with contextlib.suppress(Exception):  # A broken orientation tag: the picture stays as it lies.
        image = ImageOps.exif_transpose(image)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    grey = image.convert("L")
    yield grey
    # A code up to the very edge has no quiet zone, which finders need.
    yield ImageOps.expand(grey, border=max(8, max(grey.size) // 50), fill=255)
    for side in SIDES:
        if max(grey.size) > side * 1.2:
            small = grey.copy()
            small.thumbnail((side, side))
            yield small
            yield ImageOps.autocontrast(small, cutoff=2)
    yield ImageOps.autocontrast(grey, cutoff=2)
    if max(grey.size) < SIDES[-1]:
        yield grey.resize((grey.width * 3, grey.height * 3))
    if alpha is not None:  # Light modules on nothing.
        yield alpha


if __name__ == "__main__":  # pragma: no cover - only as a process of its own
    main()
