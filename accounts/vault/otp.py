"""Codes: HOTP (RFC 4226), TOTP (RFC 6238) and Steam's, with SHA-1, SHA-256, SHA-512.

pyotp is what the codes stand on: `Hotp`, `Totp` and `Steam` are its classes, given the key as bytes and without its
constructors, which refuse keys under 14 bytes, 5 digits, and periods over 120 s that real sites use. `run` is the
faster way to many codes of one key; a test holds it equal to them.

Times are whole seconds since 1970; a step is a number of periods since then, or the counter of a counter account.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import Any, Final

import pyotp
from pyotp.contrib.steam import STEAM_CHARS
from pyotp.contrib.steam import Steam as PyotpSteam

from accounts.vault.coder import MakesCodes
from accounts.vault.entry import DEFAULT_PERIOD, STEAM_DIGITS, Algorithm, Type
from accounts.vault.errors import ParseError, Reason
from accounts.vault.secret import Secret

_HASHES: Final[dict[Algorithm, Any]] = {
    Algorithm.SHA1: hashlib.sha1,
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA512: hashlib.sha512,
}


class _RawKey:
    """The part that lets pyotp's classes take a key of any length, as bytes."""

    digits: int
    digest: Any
    _key: bytes

    def _take(self, key: Secret, algorithm: Algorithm, digits: int) -> None:
        self._key, self.digest, self.digits = key.reveal(), _HASHES[algorithm], digits

    def byte_secret(self) -> bytes:
        """What pyotp asks for at each code."""
        return self._key


class Hotp(_RawKey, pyotp.HOTP):
    """pyotp's HOTP for any key of one byte or more, 5 to 10 digits."""

    def __init__(self, key: Secret, *, algorithm: Algorithm = Algorithm.SHA1, digits: int = 6) -> None:
        self._take(key, algorithm, digits)
        self.initial_count = 0


class Totp(_RawKey, pyotp.TOTP):
    """pyotp's TOTP for any key of one byte or more, 5 to 10 digits, any period in seconds."""

    def __init__(
        self,
        key: Secret,
        *,
        algorithm: Algorithm = Algorithm.SHA1,
        digits: int = 6,
        period: int = DEFAULT_PERIOD,
    ) -> None:
        self._take(key, algorithm, digits)
        self.interval = period


class Steam(_RawKey, PyotpSteam):
    """pyotp's Steam for any key of one byte or more: five letters, SHA-1, 30 s."""

    def __init__(self, key: Secret) -> None:
        self._take(key, Algorithm.SHA1, 10)  # It takes its letters from the whole number, so no digit may be cut off.
        self.interval = DEFAULT_PERIOD


def run(
    key: Secret,
    first: int,
    count: int,
    *,
    algorithm: Algorithm = Algorithm.SHA1,
    digits: int = 6,
    steam: bool = False,
) -> str:
    """`count` codes of one key from step `first` on as one text, each as wide as the account's digits.

    Takes any key of one byte or more. The HMAC is begun once (RFC 2104), and its two states are copied for each code.
    """
    block, new = _BLOCKS[algorithm]
    raw = key.reveal()
    if len(raw) > block:
        raw = new(raw).digest()
    padded = raw.ljust(block, b"\0")
    inner, outer = new(padded.translate(_INNER)).copy, new(padded.translate(_OUTER)).copy
    modulus = _WHOLE if steam else 10**digits
    unpack = _unpack
    numbers: list[int] = []
    append = numbers.append
    for message in _messages(first, count):
        state = inner()
        state.update(message)
        digest = state.digest()
        state = outer()
        state.update(digest)
        digest = state.digest()
        append((unpack(digest, digest[-1] & 15)[0] & 0x7FFFFFFF) % modulus)
    if steam:
        return "".join(map(_steam_letters, numbers))
    return _shape(digits, count) % tuple(numbers)


def period_of(entry: MakesCodes) -> int:
    """Seconds that a code of this account lasts; for a counter account the default, which says nothing."""
    return entry.period


def step(entry: MakesCodes, at: int) -> int:
    """The step of an account at an instant: periods since 1970, or the next counter to use."""
    return entry.counter if entry.type is Type.HOTP else at // entry.period


def codes(entry: MakesCodes, first_step: int, count: int) -> str:
    """`count` codes of an account from a step on, as one text: `entry.digits` letters each. Raises ParseError."""
    return run(
        _key(entry),
        first_step,
        count,
        algorithm=entry.algorithm,
        digits=entry.digits,
        steam=entry.type is Type.STEAM,
    )


def code_at(entry: MakesCodes, at: int) -> str:
    """The code of an account at an instant; of a counter account, the code of its next counter. Raises ParseError."""
    return codes(entry, step(entry, at), 1)


def hotp(entry: MakesCodes, counter: int) -> str:
    """The code of an account at a counter. Raises ParseError."""
    return codes(entry, counter, 1)


def _key(entry: MakesCodes) -> Secret:
    if entry.secret is None:
        raise ParseError(Reason.NO_SECRET)
    return entry.secret


@lru_cache(maxsize=64)
def _messages(first: int, count: int) -> tuple[bytes, ...]:
    """Counters as HMAC takes them. Shared by all accounts of one period, since a page asks the same steps of each."""
    return tuple([step.to_bytes(8, "big") for step in range(first, first + count)])


@lru_cache(maxsize=64)
def _shape(digits: int, count: int) -> str:
    return f"%0{digits}d" * count


def _steam_letters(number: int) -> str:
    letters = ""
    for _ in range(STEAM_DIGITS):
        number, letter = divmod(number, len(STEAM_CHARS))
        letters += STEAM_CHARS[letter]
    return letters


_unpack: Final = struct.Struct(">I").unpack_from
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_WHOLE: Final = 2**31  # What cuts nothing off: Steam takes its letters from the whole number.
_BLOCKS: Final[dict[Algorithm, tuple[int, Any]]] = {
    algorithm: (new().block_size, new) for algorithm, new in _HASHES.items()
}
