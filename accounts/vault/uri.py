"""otpauth links, in and out, and keys typed by hand.

There is no standard, only a habit (the "Key URI Format" of Google Authenticator's wiki) and what sites make of it, so
the parser is our own: no fragment exists, a label ends at the first `?`, and each part has its own rule for `+`. It
takes at most 4 KiB, never looks anything up, and raises ParseError alone.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from accounts.vault.entry import (
    DEFAULT_DIGITS,
    DEFAULT_PERIOD,
    DIGITS,
    LARGEST_COUNTER,
    PERIODS,
    SECRET_BYTES,
    STEAM_DIGITS,
    Algorithm,
    Entry,
    Kind,
    Type,
    folded,
)
from accounts.vault.errors import Note, ParseError, Reason
from accounts.vault.secret import Secret

LONGEST: Final = 4096
SHORT_SECRET: Final = 10
_SCHEME: Final = "otpauth://"
_STEAM: Final = "steam://"
_PHONEFACTOR: Final = "phonefactor:"
_KNOWN: Final = frozenset({"secret", "issuer", "algorithm", "digits", "period", "counter", "encoder"})
_TYPES: Final = {"totp": Type.TOTP, "hotp": Type.HOTP, "steam": Type.STEAM, "steamtotp": Type.STEAM}
_ALPHABET: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_SHOWN: Final = 20
_NO_ID: Final = "0" * 32
# What people and programs put between the letters of a key: dashes of all lengths, and marks that nobody sees.
_BETWEEN: Final = str.maketrans("", "", "-\u2010\u2011\u2012\u2013\u2014\u200b\ufeff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """An account as a text gave it, checked but without an id, and what a person should know about it (`notes`)."""

    issuer: str
    name: str
    secret: Secret
    type: Type = Type.TOTP
    algorithm: Algorithm = Algorithm.SHA1
    digits: int = DEFAULT_DIGITS
    period: int = DEFAULT_PERIOD
    counter: int = 0
    note: str = ""
    notes: tuple[Note, ...] = ()

    def entry(self, *, id: str, added: int = 0, kind: Kind = Kind.THIRD_PARTY) -> Entry:
        """The account as an entry with this id (32 hexadecimal letters), added at an instant. Raises ParseError."""
        return Entry.new(
            id=id,
            kind=kind,
            issuer=self.issuer,
            name=self.name,
            secret=self.secret,
            type=self.type,
            algorithm=self.algorithm,
            digits=self.digits,
            period=self.period,
            counter=self.counter,
            note=self.note,
            added=added,
        )

    def checked(self) -> Parsed:
        """This account, if an entry can be made of it. Raises ParseError."""
        self.entry(id=_NO_ID)
        return self


def parse(text: str) -> Parsed:
    """The account in an `otpauth://` or `steam://` link. Raises ParseError, whatever the text is."""
    text = text.strip()
    size = len(text) if len(text) > LONGEST else _size(text)
    if size > LONGEST:
        raise ParseError(Reason.TEXT_TOO_LONG, found=size, allowed=LONGEST)
    start = text[: len(_PHONEFACTOR)].lower()
    if start.startswith(_STEAM):
        secret, notes = secret_from_text(_decoded(text[len(_STEAM) :]))
        return _steam(issuer="Steam", name="", secret=secret, notes=notes).checked()
    if start == _PHONEFACTOR:
        raise ParseError(Reason.PHONEFACTOR)
    if not start.startswith(_SCHEME):
        raise ParseError(Reason.NOT_OTPAUTH)
    path, _, query = text[len(_SCHEME) :].partition("?")
    kind, _, label = path.partition("/")
    return _account(_type(kind), _decoded(label), _parameters(query)).checked()


def format(entry: Entry) -> str:  # noqa: A001 - called as uri.format, beside uri.parse
    """The otpauth link of an account: `parse` gives the same account back.

    One case has no link: a name with a colon in it under no issuer, which every reader takes apart. Raises ParseError
    for an account without a key.
    """
    if entry.secret is None:
        raise ParseError(Reason.NO_SECRET)
    label = f"{entry.issuer}:{entry.name}" if entry.issuer else entry.name
    secret = base64.b32encode(entry.secret.reveal()).decode("ascii").rstrip("=")
    parameters = [("secret", secret), ("issuer", entry.issuer), ("algorithm", entry.algorithm.value)]
    parameters.append(("digits", str(entry.digits)))
    if entry.type is Type.HOTP:
        parameters.append(("counter", str(entry.counter)))
    else:
        parameters.append(("period", str(entry.period)))
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters if value)
    return f"{_SCHEME}{entry.type.value}/{quote(label, safe='')}?{query}"


def secret_from_text(text: str) -> tuple[Secret, tuple[Note, ...]]:
    """The key that a base32 text means, with notes on an unusual length and a short key.

    Case, white space, dashes and trailing `=` do not count. Any length is decoded and left-over bits are dropped, since
    sites give keys of 1, 3 or 6 letters modulo 8. Raises ParseError: no key, too long, or a letter that cannot be there
    (`0`, `1`, `8`, `9` are refused, not guessed).
    """
    letters = "".join(text.split()).translate(_BETWEEN).rstrip("=")
    longest = SECRET_BYTES * 8 // 5
    if len(letters) > longest:
        raise ParseError(Reason.SECRET_TOO_LONG, found=len(letters) * 5 // 8, allowed=SECRET_BYTES)
    for letter in letters:
        # ASCII first: upper() turns some letters of other scripts into ours.
        if not letter.isascii() or letter.upper() not in _ALPHABET:
            raise ParseError(Reason.SECRET_LETTER, letter=letter)
    size = len(letters) * 5 // 8
    if not size:
        raise ParseError(Reason.NO_SECRET)
    value = base64.b32decode(letters.upper() + "A" * (-len(letters) % 8))[:size]
    notes = []
    if len(letters) % 8 in (1, 3, 6):
        notes.append(Note.UNUSUAL_LENGTH)
    if size < SHORT_SECRET:
        notes.append(Note.SHORT_SECRET)
    return Secret(value), tuple(notes)


def algorithm_from_text(text: str) -> Algorithm:
    """The hash that a text names, in any spelling (`sha256`, `SHA-256`, `HmacSHA256`); nothing is SHA-1.

    Raises ParseError that names a hash which is not taken (MD5, SHA-224, SHA-384, GOST).
    """
    plain = text.upper().translate(str.maketrans("", "", "-_ /")).removeprefix("HMAC")
    for algorithm in Algorithm:
        if plain == algorithm.value:
            return algorithm
    if not plain:
        return Algorithm.SHA1
    raise ParseError(Reason.ALGORITHM_REFUSED, algorithm=shown(text))


def names_from_label(issuer: str, label: str) -> tuple[str, str, str]:
    """Issuer, name and left-over prefix of a label such as "GitHub:bob" under an issuer that may be empty.

    The issuer repeated in front of the name goes; a prefix serves where there is no issuer; another prefix than the
    issuer is left over. A colon at the start is part of the name.
    """
    issuer, label = issuer.strip(), label.strip()
    if issuer and label[len(issuer) : len(issuer) + 1] == ":" and folded(label[: len(issuer)]) == folded(issuer):
        return issuer, label[len(issuer) + 1 :].strip(), ""
    prefix, colon, name = label.partition(":")
    prefix = prefix.strip()
    if not colon or not prefix:
        return issuer, label, ""
    if not issuer:
        return prefix, name.strip(), ""
    return issuer, name.strip(), "" if folded(prefix) == folded(issuer) else prefix


def shown(text: str) -> str:
    """The beginning of a hostile text, fit to be shown."""
    return "".join(letter for letter in text[:_SHOWN] if letter.isprintable())


def _account(kind: Type, label: str, given: dict[str, str]) -> Parsed:
    secret, noted = secret_from_text(given.get("secret", ""))
    issuer, name, prefix = names_from_label(given.get("issuer", ""), label)
    notes = [*noted, *([Note.ISSUER_PREFIX] if prefix else [])]
    digits = given.get("digits", "")
    encoder = given.get("encoder", "").casefold()
    if kind is Type.TOTP and (encoder == "steam" or (issuer == "Steam" and digits == str(STEAM_DIGITS))):
        kind = Type.STEAM
    if kind is Type.STEAM:
        if digits not in ("", str(STEAM_DIGITS)):
            notes.append(Note.SETTINGS_IGNORED)
        return _steam(issuer=issuer, name=name, secret=secret, note=prefix, notes=tuple(notes))
    period, counter = DEFAULT_PERIOD, 0
    if kind is Type.TOTP:  # The other's parameter does no harm, whatever it says.
        period = _number(given.get("period", ""), DEFAULT_PERIOD, PERIODS, Reason.PERIOD)
    else:
        counter = _number(given.get("counter", ""), 0, range(LARGEST_COUNTER + 1), Reason.COUNTER)
        if not given.get("counter"):
            notes.append(Note.COUNTER_ASSUMED)
    return Parsed(
        issuer=issuer,
        name=name,
        secret=secret,
        type=kind,
        algorithm=algorithm_from_text(given.get("algorithm", "")),
        digits=_number(digits, DEFAULT_DIGITS, DIGITS, Reason.DIGITS),
        period=period,
        counter=counter,
        note=prefix,
        notes=tuple(notes),
    )


def _steam(*, issuer: str, name: str, secret: Secret, notes: tuple[Note, ...], note: str = "") -> Parsed:
    return Parsed(issuer=issuer, name=name, secret=secret, type=Type.STEAM, digits=STEAM_DIGITS, note=note, notes=notes)


def _type(text: str) -> Type:
    found = _TYPES.get(_decoded(text).strip().lower())
    if found is None:
        raise ParseError(Reason.TYPE_UNKNOWN, type=shown(text))
    return found


def _parameters(query: str) -> dict[str, str]:
    """The parameters that mean something, each once, decoded by its own rule for `+`."""
    given: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        name = unquote_to_bytes(name).decode("utf-8", "replace").strip().lower()
        if name not in _KNOWN:  # `image` and `icon` among them: nothing is ever fetched.
            continue
        if name == "issuer":
            value = value.replace("+", " ")
        elif name == "secret":
            value = value.replace("+", "")
        value = _decoded(value).strip()
        if given.get(name, value) != value:
            raise ParseError(Reason.PARAMETER_TWICE, name=name)
        given[name] = value
    return given


def _size(text: str) -> int:
    """Bytes in UTF-8. Raises ParseError for a lone surrogate, which has none."""
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError:
        pass
    raise ParseError(Reason.NOT_UTF8)


def _decoded(text: str) -> str:
    """Percent-decoded UTF-8; a `%` that begins no escape stays."""
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise ParseError(Reason.NOT_UTF8)


def _number(text: str, default: int, allowed: range, reason: Reason) -> int:
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) <= _SHOWN and int(text) in allowed:
        return int(text)
    raise ParseError(reason, found=shown(text))
