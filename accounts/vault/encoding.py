"""Exact bytes: length prefixes, canonical JSON out, strict JSON in, padding that hides a size.

Everything that is sealed, wrapped or compared goes through here, so that one text has one encoding.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Collection
from typing import Final, NoReturn

from accounts.vault.errors import Damaged, Reason

SMALLEST: Final = 4096
LARGEST: Final = 2**20
DEPTH: Final = 20
_LENGTH: Final = 4
_NUMBER_LETTERS: Final = 20


def lp(*parts: bytes) -> bytes:
    """The parts one after another, each preceded by its length as u32, big-endian.

    No two different tuples of parts give the same bytes.
    """
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def canonical(value: object) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8, whole numbers.

    Raises Damaged for a number that is not whole or a text that is no UTF-8 (a lone surrogate).
    """
    try:
        text = _ENCODER.encode(value)
        _no_floats([value])
        return text.encode("utf-8")
    except (ValueError, TypeError, RecursionError):
        pass
    raise Damaged(Reason.DAMAGED_DOCUMENT)


def strict(data: bytes) -> object:
    """JSON from an unknown hand, in UTF-8 (a byte-order mark is allowed).

    Raises Damaged where lists and objects lie more than 20 deep, an object has a key twice, or a number is not whole or
    has more than 20 letters.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None:  # Raised out here, so that no error carries the text as its context.
        raise Damaged(Reason.NOT_UTF8)
    reason = Reason.DAMAGED_JSON
    try:
        value = _STRICT.decode(text)
    except _Refused as refused:
        reason = refused.reason
    except (ValueError, RecursionError):
        pass
    else:
        if _depth(value) > DEPTH:
            raise Damaged(Reason.DAMAGED_JSON_DEEP, allowed=DEPTH)
        return value
    raise Damaged(reason)


def trusted(data: bytes) -> object:
    """JSON of our own making that was sealed and has just been authenticated: whole numbers, at full speed.

    Keys are not looked through for doubles and the depth is not counted, since only `canonical` can have written it.
    Raises Damaged.
    """
    try:
        return _TRUSTED.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):  # _Refused and UnicodeDecodeError are ValueErrors
        pass
    raise Damaged(Reason.DAMAGED_JSON)


def pad(data: bytes) -> bytes:
    """u32 length ‖ data ‖ zeros, to the smallest power of two from 4,096 to 2^20. Raises Damaged beyond."""
    size = _padded_size(len(data))
    if size > LARGEST:
        raise Damaged(Reason.DAMAGED_LENGTH, found=len(data))
    return (len(data).to_bytes(_LENGTH, "big") + data).ljust(size, b"\0")


def unpad(padded: bytes) -> bytes:
    """The data inside. Raises Damaged unless these are exactly the bytes that `pad` gives."""
    length = int.from_bytes(padded[:_LENGTH], "big")
    end = _LENGTH + length
    # One comparison: a loop over the zeros takes a millisecond for a large list.
    if len(padded) != _padded_size(length) or padded[end:] != bytes(len(padded) - end) or len(padded) > LARGEST:
        raise Damaged(Reason.DAMAGED_PADDING)
    return padded[_LENGTH:end]


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648, section 5)."""
    text = binascii.b2a_base64(data, newline=False).rstrip(b"=").decode("ascii")
    return text.replace("+", "-").replace("/", "_")


def from_b64url(text: str) -> bytes:
    """The bytes of base64url without padding. Raises Damaged for padding, other letters, or bits left over.

    One text for one value: whatever does not encode back to itself is refused.
    """
    try:
        standard = text.encode("ascii").translate(_TO_STANDARD)
        data = binascii.a2b_base64(standard + b"=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        data = None
    if data is None or b64url(data) != text:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    return data


class _Refused(ValueError):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def _padded_size(length: int) -> int:
    return max(SMALLEST, 1 << (length + _LENGTH - 1).bit_length())


def _refuse_number(_: str) -> NoReturn:
    raise _Refused(Reason.DAMAGED_JSON_NUMBER)


def _whole(text: str) -> int:
    if len(text) > _NUMBER_LETTERS:
        raise _Refused(Reason.DAMAGED_JSON_NUMBER)
    return int(text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused(Reason.DAMAGED_JSON_TWICE)
    return value


def _depth(value: object) -> int:
    """How deep lists and objects lie in one another. Level by level, so that no depth exhausts the stack."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > DEPTH:
            break
        level = [part for item in level for part in (item.values() if isinstance(item, dict) else item)]
    return depth


def _no_floats(value: object) -> None:
    """Raise ValueError for a number that is not whole. The encoder has run before, so there is no circle to follow."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        parts: Collection[object] = item.values() if isinstance(item, dict) else item  # type: ignore[assignment]
        kinds = set(map(type, parts))  # A list of hundreds is saved at each change: types are compared all at once.
        if float in kinds:
            raise ValueError
        if kinds & _CONTAINERS:
            waiting.extend(part for part in parts if type(part) in _CONTAINERS)


_CONTAINERS: Final = frozenset({dict, list, tuple})
_TO_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/..")
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_TRUSTED: Final = json.JSONDecoder(parse_float=_refuse_number, parse_constant=_refuse_number)
_STRICT: Final = json.JSONDecoder(
    parse_float=_refuse_number, parse_constant=_refuse_number, parse_int=_whole, object_pairs_hook=_once
)
