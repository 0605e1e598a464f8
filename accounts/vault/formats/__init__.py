"""Files of other authenticators: one entrance, `read`, whatever the format. All of it pure, one module a format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from accounts.vault import keys, picture, qr
from accounts.vault.errors import Reason, TooCostly, TooLarge, Unsupported
from accounts.vault.formats import otpauth
from accounts.vault.formats.base import Format, Found, Result
from accounts.vault.list import MAX_ENTRIES
from accounts.vault.secret import Secret

__all__ = ["Format", "Found", "Result", "read", "read_texts"]

LARGEST_FILE: Final = 5 * 2**20


def read(
    data: bytes | str,
    *,
    filename: str = "",
    password: Secret | None = None,
    new_id: Callable[[], str] = keys.new_id,
) -> Result:
    """The accounts in a file, a pasted text or a picture, and what could not be taken.

    Recognised by its contents; `filename` breaks ties of formats to come, `password` opens encrypted ones to come.
    Raises Unsupported (empty, or of no kind that is read), TooCostly (more than 5 MiB), TooLarge (more than 2,000
    lines), and for pictures what `qr.read` raises. An account that cannot be taken is a problem, not an error.
    """
    if isinstance(data, bytes) and picture.is_picture(data):
        return read_texts(qr.read(data), new_id=new_id)
    if len(data) > LARGEST_FILE:
        raise TooCostly(Reason.FILE_TOO_LARGE, found=len(data), allowed=LARGEST_FILE)
    if not data.strip():
        raise Unsupported(Reason.FILE_EMPTY)
    lines = _lines(_text(data))
    if not any(otpauth.is_link(line) for _, line in lines):
        raise Unsupported(Reason.NOT_RECOGNISED)
    return _read_lines(lines, new_id)


def read_texts(texts: Sequence[str], *, new_id: Callable[[], str] = keys.new_id) -> Result:
    """The accounts in the texts of QR codes, each at its number (from 1). A text of another kind is a problem.

    Raises TooLarge (more than 2,000 lines).
    """
    lines = [(number, line) for number, text in enumerate(texts, 1) for _, line in _lines(text)]
    return _read_lines(lines, new_id)


def _read_lines(lines: list[tuple[int, str]], new_id: Callable[[], str]) -> Result:
    if len(lines) > MAX_ENTRIES:
        raise TooLarge(found=len(lines), allowed=MAX_ENTRIES, unit="entries")
    return otpauth.read(lines, new_id=new_id)


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise Unsupported(Reason.NOT_RECOGNISED)


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers. Only line ends divide: a name may hold other separators."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
