"""Planted secrets and labels, and the search for them: in 24 encodings, through what packs or wraps them."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import html
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import brotli

SECRETS: Mapping[str, bytes] = {f"secret {n}": hashlib.sha1(b"canary %d" % n).digest() for n in range(8)}  # noqa: S324
ISSUERS: Mapping[str, bytes] = {
    f"issuer {n}": text.encode()
    for n, text in enumerate(
        ("Quokkaharbour", "Wombatledger", "Zürichsee Kanarienbank", "Numbatforge Ltd", "Банк Канарейка", "Bilbymail")
    )
}
NAMES: Mapping[str, bytes] = {
    f"name {n}": text.encode()
    for n, text in enumerate(
        (
            "petra.quokka@example.org",
            "wombat-ledger-0417",
            "kanarie@zurich.example",
            "numbat+forge@example.net",
            "канарейка@пример.example",
            "bilby.of.the.desert",
        )
    )
}
# The twenty, and what a person writes beside them.
TWENTY: Mapping[str, bytes] = {**SECRETS, **ISSUERS, **NAMES}
NOTES: Mapping[str, bytes] = {"note 0": b"spare phone of the numbat", "note 1": b"cupboard beside the wombat"}


def base32(secret: bytes) -> str:
    """As a site writes a key."""
    return base64.b32encode(secret).decode().rstrip("=")


def _each(form: str) -> Callable[[bytes], bytes]:
    return lambda value: "".join(form.format(byte) for byte in value).encode()


def _letters(form: str) -> Callable[[bytes], bytes]:
    return lambda value: "".join(form.format(ord(letter)) for letter in _text(value)).encode()


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _base64(before: int, encode: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The letters that are the same whatever stands around it, where so many bytes stand before it."""

    def encoded(value: bytes) -> bytes:
        whole = encode(bytes(before) + value)
        first = -(-before * 8 // 6)
        last = (before + len(value)) * 8 // 6
        return whole[first:last]

    return encoded


ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "as it is": lambda value: value,
    "hex": binascii.hexlify,
    "HEX": lambda value: binascii.hexlify(value).upper(),
    "hex with colons": lambda value: binascii.hexlify(value, ":"),
    "\\x": _each("\\x{:02x}"),
    "base32": lambda value: base64.b32encode(value).rstrip(b"=")[: len(value) * 8 // 5],
    "base32 in lower case": lambda value: base64.b32encode(value).lower().rstrip(b"=")[: len(value) * 8 // 5],
    "base32 in fours": lambda value: b" ".join(re.findall(rb".{4}", base64.b32encode(value).rstrip(b"="))),
    "base64": _base64(0, base64.b64encode),
    "base64, one before": _base64(1, base64.b64encode),
    "base64, two before": _base64(2, base64.b64encode),
    "base64url": _base64(0, base64.urlsafe_b64encode),
    "base64url, one before": _base64(1, base64.urlsafe_b64encode),
    "base64url, two before": _base64(2, base64.urlsafe_b64encode),
    "base85": base64.b85encode,
    "percent": lambda value: quote(value).encode(),
    "percent twice": lambda value: quote(quote(value)).encode(),
    "entities": _letters("&#{};"),
    "HTML": lambda value: html.escape(_text(value)).encode(),
    "JSON": lambda value: "".join(
        f"\\u{ord(letter):04x}" if ord(letter) > 126 else letter for letter in _text(value)
    ).encode(),
    "UTF-16": lambda value: _text(value).encode("utf-16-le"),
    "UTF-16, big end first": lambda value: _text(value).encode("utf-16-be"),
    "numbers": lambda value: ", ".join(str(byte) for byte in value).encode(),
    "backwards": lambda value: value[::-1],
}

_WRAPPED = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
_DEEPEST = 4


def layers(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes, and what is inside where they are packed (gzip, zlib, brotli) or wrapped (base64), in each other."""
    yield data
    if depth == _DEEPEST:
        return
    for unpack in (_gunzip, _inflate, _unbrotli):
        inner = unpack(data)
        if inner:
            yield from layers(inner, depth + 1)
    if len(data) < 100_000:
        for found in _WRAPPED.findall(data):
            inner = _unwrap(found)
            if inner and inner != data:
                yield from layers(inner, depth + 1)


def _gunzip(data: bytes) -> bytes:
    try:
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b""
    except (OSError, EOFError, zlib.error):
        return b""


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompress(data) if data[:1] == b"x" else b""
    except zlib.error:
        return b""


def _unbrotli(data: bytes) -> bytes:
    try:
        return bytes(brotli.decompress(data)) if 4 < len(data) < 1_000_000 else b""
    except brotli.error:
        return b""


def _unwrap(text: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.replace(b"+", b"-").replace(b"/", b"_").rstrip(b"=") + b"===")
    except binascii.Error:
        return b""


@dataclass(frozen=True)
class Searched:
    """What was looked for, in every encoding."""

    needles: tuple[tuple[str, str, bytes], ...]

    @classmethod
    def of(cls, canaries: Mapping[str, bytes]) -> Searched:
        """Prepare the search. An encoding that leaves too little to be sure of it is left out."""
        return cls(
            tuple(
                (name, encoding, needle)
                for name, value in canaries.items()
                for encoding, encode in ENCODINGS.items()
                if len(needle := encode(value)) >= min(8, len(value))
            )
        )

    def hits(self, places: Iterable[tuple[str, bytes]]) -> list[str]:
        """Each canary found: which one, where, in which encoding."""
        found = []
        for place, data in places:
            whole = b"\x00\x00".join(layers(data))
            found += [f"{name} in {place}, {encoding}" for name, encoding, needle in self.needles if needle in whole]
        return found
