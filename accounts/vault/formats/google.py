"""Google Authenticator's export: one or several QR codes, each a link around a protobuf message.

`otpauth-migration://offline?data=` and percent-encoded base64 of: 1 repeated account, 2 version, 3 number of parts, 4
index of this part, 5 id of the export; an account: 1 key, 2 name, 3 issuer, 4 hash, 5 digits, 6 type, 7 counter, 8 id.
The format is not published; its fields are known from what the app writes.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from accounts.vault.entry import Algorithm, Type
from accounts.vault.errors import Fact, Note, ParseError, Problem, Reason
from accounts.vault.formats import protobuf
from accounts.vault.formats.base import Format, Found, Result
from accounts.vault.secret import Secret
from accounts.vault.uri import LONGEST, SHORT_SECRET, Parsed, names_from_label

SCHEME: Final = "otpauth-migration:"
MOST_PARTS: Final = 2_000
_START: Final = "otpauth-migration://offline"
_ALGORITHMS: Final = {0: Algorithm.SHA1, 1: Algorithm.SHA1, 2: Algorithm.SHA256, 3: Algorithm.SHA512}
_MD5: Final = 4
_DIGITS: Final = {0: 6, 1: 6, 2: 8}
_TYPES: Final = {0: Type.TOTP, 1: Type.HOTP, 2: Type.TOTP}


@dataclass(frozen=True, slots=True)
class Part:
    """One picture of an export: the accounts in it, undecoded, and its place among the others (counted from 0)."""

    accounts: tuple[bytes, ...]
    size: int
    index: int
    batch: int


def is_part(line: str) -> bool:
    """Whether a line is such a link."""
    return line[: len(SCHEME)].lower() == SCHEME


def read(lines: Iterable[tuple[int, str]], *, new_id: Callable[[], str]) -> Result:
    """The accounts of all parts, in the order of the export; the same part twice counts once.

    Places are positions among all accounts of the parts. A part that is missing is a problem with the numbers that were
    read, the total, and the missing numbers; what was read may still be taken. Nothing is raised.
    """
    problems: list[Problem] = []
    exports: dict[tuple[int, int], dict[Part, int]] = {}
    for number, line in lines:
        try:
            part = parse(line)
        except ParseError as error:
            problems.append(Problem.of(number, error))
        else:
            exports.setdefault((part.size, part.batch), {}).setdefault(part, number)
    entries: list[Found] = []
    place = 0
    for (size, _), parts in exports.items():
        for part in sorted(parts, key=lambda part: part.index):
            for data in part.accounts:
                place += 1
                try:
                    parsed = _account(data)
                except ParseError as error:
                    problems.append(Problem.of(place, error))
                else:
                    entries.append(Found(parsed.entry(id=new_id()), parsed.notes, place))
        indices = {part.index for part in parts}
        if len(indices) < size:
            missing = tuple(index + 1 for index in range(size) if index not in indices)
            facts: dict[str, Fact] = {"found": len(indices), "total": size, "missing": missing}
            problems.append(Problem(min(parts.values()), Reason.PARTS_MISSING, facts))
    return Result(tuple(entries), tuple(problems), Format.GOOGLE)


def parse(line: str) -> Part:
    """One link. Raises ParseError: too long, no such link, base64 or message damaged."""
    line = line.strip()
    if len(line) > LONGEST:
        raise ParseError(Reason.TEXT_TOO_LONG, found=len(line), allowed=LONGEST)
    start, _, query = line.partition("?")
    if start.lower().rstrip("/") != _START:
        raise ParseError(Reason.NOT_OTPAUTH)
    data = next((part[len("data=") :] for part in query.split("&") if part.lower().startswith("data=")), "")
    return _part(_base64(data))


def _base64(data: str) -> bytes:
    # A plus is a plus, even where a careless reader has made a space of it. Padding may lack.
    plain = unquote(data).replace(" ", "+").rstrip("=")
    if plain:
        try:
            return binascii.a2b_base64((plain + "=" * (-len(plain) % 4)).encode("ascii"), strict_mode=True)
        except ValueError:
            pass
    raise ParseError(Reason.MIGRATION_BASE64)


def _part(message: bytes) -> Part:
    accounts: list[bytes] = []
    numbers = {3: 1, 4: 0, 5: 0}
    for field, value in protobuf.fields(message):
        if field == 1:
            accounts.append(protobuf.text(value))
        elif field in numbers:
            numbers[field] = protobuf.number(value)
    size, index = max(numbers[3], 1), numbers[4]
    if size > MOST_PARTS or not 0 <= index < size:
        raise ParseError(Reason.MIGRATION_PAYLOAD)
    return Part(tuple(accounts), size=size, index=index, batch=numbers[5])


def _account(data: bytes) -> Parsed:
    texts = {1: b"", 2: b"", 3: b""}
    numbers = {4: 0, 5: 0, 6: 0, 7: -1}
    for field, value in protobuf.fields(data):
        if field in texts:
            texts[field] = protobuf.text(value)
        elif field in numbers:
            numbers[field] = protobuf.number(value)
    name, issuer = _utf8(texts[2]), _utf8(texts[3])
    if numbers[4] not in _ALGORITHMS:
        raise ParseError(Reason.ALGORITHM_REFUSED, algorithm="MD5" if numbers[4] == _MD5 else str(numbers[4]))
    if numbers[5] not in _DIGITS:
        raise ParseError(Reason.DIGITS, found=numbers[5])
    if numbers[6] not in _TYPES:
        raise ParseError(Reason.TYPE_UNKNOWN, type=str(numbers[6]))
    issuer, name, prefix = names_from_label(issuer, name)
    type_, counter = _TYPES[numbers[6]], numbers[7]
    return Parsed(
        issuer=issuer,
        name=name,
        secret=Secret(texts[1]),
        type=type_,
        algorithm=_ALGORITHMS[numbers[4]],
        digits=_DIGITS[numbers[5]],
        counter=max(counter, 0) if counter == -1 or type_ is not Type.HOTP else counter,
        note=prefix,
        notes=tuple(_notes(texts[1], type_, numbers, prefix)),
    ).checked()


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise ParseError(Reason.NOT_UTF8)


def _notes(key: bytes, type_: Type, numbers: dict[int, int], prefix: str) -> Iterable[Note]:
    if len(key) < SHORT_SECRET:
        yield Note.SHORT_SECRET
    if not numbers[6]:
        yield Note.TYPE_ASSUMED
    if type_ is Type.TOTP:
        yield Note.PERIOD_UNKNOWN
    elif numbers[7] == -1:
        yield Note.COUNTER_ASSUMED
    if prefix:
        yield Note.ISSUER_PREFIX
