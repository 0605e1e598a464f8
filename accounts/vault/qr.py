"""QR codes: out of a picture into texts, and of a text into a picture.

Pictures come from anywhere, and decoders are written in C. So the header is judged first (`picture`), and the decoding
is done by another process (`qr_child`) with bounded time and memory, without environment, files or dumps.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import qrcode
from qrcode.exceptions import DataOverflowError

from accounts.vault import picture
from accounts.vault.errors import ParseError, Reason

WALL_SECONDS: Final = 10
QUIET: Final = 4
LONGEST_TEXT: Final = 2_331  # bytes in version 40 at level M
_CHILD: Final = Path(__file__).with_name("qr_child.py")


def read(data: bytes) -> tuple[str, ...]:
    """The texts of all QR codes in a picture (PNG, JPEG, WebP, GIF; bytes of the file), each once.

    Raises ParseError: PICTURE_TOO_LARGE with figures (8 MiB, 4096 × 4096, 16 megapixels), PICTURE_NOT,
    PICTURE_ANIMATED, PICTURE_NONE when there is no code in it, PICTURE_TOO_COSTLY beyond 2 s of processor time or
    256 MiB.
    """
    picture.check(data)
    # -I: neither environment nor working directory decide what is imported. The server's own environment holds its
    # secrets: the child gets none.
    command = [sys.executable, "-I", str(_CHILD)]
    try:
        child = subprocess.run(  # noqa: S603 - no part of the command comes from outside
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, timeout=WALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        child = None
    if child is None or child.returncode:
        raise ParseError(Reason.PICTURE_TOO_COSTLY)
    answer = json.loads(child.stdout)
    if "refused" in answer:
        raise ParseError(Reason(answer["refused"]))
    return tuple(answer["texts"])


def svg(text: str) -> str:
    """A text as a QR code, error correction M: an SVG of its own, one unit a module, four units of quiet around.

    No style and no script in it, so that a strict content security policy takes it inline or as data. Raises ParseError
    for more than fits (2,331 bytes).
    """
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=QUIET)
    code.add_data(text.encode("utf-8"))
    rows = None
    with suppress(DataOverflowError, ValueError):
        rows = code.get_matrix()
    if rows is None:
        raise ParseError(Reason.TEXT_TOO_LONG, found=len(text.encode("utf-8")), allowed=LONGEST_TEXT)
    side = len(rows)
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/><path fill="#000" d="{path}"/></svg>'
    )
