"""As much of the protobuf wire format as an export of accounts needs: numbers, and runs of bytes by length.

Source: "Encoding", protobuf.dev. Strict where the original is lenient: a message that ends early, a number of more than
ten bytes, a field 0 or a group is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from accounts.vault.errors import ParseError, Reason

_FIXED: Final = {1: 8, 5: 4}
_RUN: Final = 2


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and value, as they come: an int of a number, bytes of a run. Others are passed over.

    Raises ParseError (MIGRATION_PAYLOAD), possibly after some fields.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        field, wire = tag >> 3, tag & 7
        if not field:
            raise ParseError(Reason.MIGRATION_PAYLOAD)
        if wire == 0:
            value, at = _varint(message, at)
            yield field, value
            continue
        if wire == _RUN:
            size, at = _varint(message, at)
        elif wire in _FIXED:
            size = _FIXED[wire]
        else:
            raise ParseError(Reason.MIGRATION_PAYLOAD)
        end = at + size
        if end > len(message):
            raise ParseError(Reason.MIGRATION_PAYLOAD)
        if wire == _RUN:
            yield field, message[at:end]
        at = end


def number(value: int | bytes) -> int:
    """A number as a signed one of 64 bits, as int32 and int64 are sent. Raises ParseError for a run of bytes."""
    if isinstance(value, bytes):
        raise ParseError(Reason.MIGRATION_PAYLOAD)
    return value - 2**64 if value >= 2**63 else value


def text(value: int | bytes) -> bytes:
    """A run of bytes. Raises ParseError for a number."""
    if isinstance(value, int):
        raise ParseError(Reason.MIGRATION_PAYLOAD)
    return value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if value >= 2**64:
                break
            return value, at + index + 1
    raise ParseError(Reason.MIGRATION_PAYLOAD)
