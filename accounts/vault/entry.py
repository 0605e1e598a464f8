"""One account of the list, as a value: checked when it is made, never changed afterwards.

Version 1 of the format. An account with a code has a secret and code settings; an account kept by name only
(one that a sign-in or a scan brings back) has neither, and its settings read as the defaults.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

from accounts.vault.errors import Damaged, ParseError, Reason
from accounts.vault.secret import Secret

DIGITS: Final = range(5, 11)
PERIODS: Final = range(1, 86_401)
LARGEST_COUNTER: Final = 2**63 - 1
SECRET_BYTES: Final = 640
NAME_LENGTH: Final = 256
NOTE_LENGTH: Final = 2000
IDENTITY_LENGTH: Final = 1024
TAGS: Final = 20
TAG_LENGTH: Final = 64
DEFAULT_DIGITS: Final = 6
DEFAULT_PERIOD: Final = 30
STEAM_DIGITS: Final = 5


class Kind(StrEnum):
    """What an account is to the person who holds it."""

    THIRD_PARTY = "third_party"
    PERSONAL_CODE = "personal_code"
    PERSONAL_PASSWORDLESS = "personal_passwordless"
    WORK = "work"


class Needs(StrEnum):
    """What brings the code of an account back that is kept by name only."""

    SIGN_IN = "sign_in"
    SCAN = "scan"
    KEPT = "kept"


class Type(StrEnum):
    """How a code is made: of the time (RFC 6238), of a counter (RFC 4226), or Steam's way."""

    TOTP = "totp"
    HOTP = "hotp"
    STEAM = "steam"


class Algorithm(StrEnum):
    """The hash under the code."""

    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"


@dataclass(frozen=True, slots=True)
class Identity:
    """The outside account that an entry stands for: role, verified issuer, stable id."""

    role: str
    issuer: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Entry:
    """One account. Raises ParseError when made of what it cannot hold.

    `id` 32 hexadecimal letters · issuer and name 256 characters at most, one of them not empty, no control characters ·
    `secret` 1 to 640 bytes, required of `third_party` unless it `needs` something · digits 5–10 · period 1–86,400 s ·
    counter 0 to 2^63 − 1, the next one to use · `added`, `signed_in`, `as_of` whole seconds since 1970.

    Steam is always 5 characters, SHA-1, 30 s; a counter account has the default period, a clock account counter 0: made
    otherwise, an entry is refused, and `Entry.new` sets them right.
    """

    id: str
    kind: Kind = Kind.THIRD_PARTY
    issuer: str
    name: str
    secret: Secret | None = None
    type: Type = Type.TOTP
    algorithm: Algorithm = Algorithm.SHA1
    digits: int = DEFAULT_DIGITS
    period: int = DEFAULT_PERIOD
    counter: int = 0
    note: str = ""
    tags: tuple[str, ...] = ()
    icon: str = ""
    pinned: bool = False
    added: int = 0
    needs: Needs | None = None
    identity: Identity | None = None
    signed_in: int | None = None
    as_of: int | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ParseError(Reason.ID)
        _check_texts(self)
        _check_code(self)
        if self.identity is not None:
            for text in (self.identity.role, self.identity.issuer, self.identity.uid):
                check_text("identity", text, IDENTITY_LENGTH, Reason.NAME_TOO_LONG)
        for moment in (self.added, self.signed_in, self.as_of):
            if moment is not None and not 0 <= moment <= LARGEST_COUNTER:
                raise ParseError(Reason.TIME)

    @classmethod
    def new(cls, *, id: str, issuer: str, name: str, secret: Secret | None, **fields: Any) -> Self:
        """An entry of what a person or another program wrote: texts trimmed, code settings made consistent.

        `fields` are those of the class. Raises ParseError.
        """
        kind = fields.get("type", Type.TOTP)
        if kind is Type.STEAM:
            fields.update(algorithm=Algorithm.SHA1, digits=STEAM_DIGITS, period=DEFAULT_PERIOD, counter=0)
        elif kind is Type.HOTP:
            fields.update(period=DEFAULT_PERIOD)
        else:
            fields.update(counter=0)
        if "note" in fields:
            fields["note"] = tidy_note(fields["note"])
        return cls(id=id, issuer=issuer.strip(), name=name.strip(), secret=secret, **fields)

    def renamed(self, *, issuer: str, name: str) -> Entry:
        """The entry under another issuer and name, trimmed. Raises ParseError."""
        return replace(self, issuer=issuer.strip(), name=name.strip())

    @property
    def waits(self) -> bool:
        """Whether it came back by its name only, and waits for its person: to sign in, or to scan."""
        return self.needs is Needs.SIGN_IN or self.needs is Needs.SCAN

    @property
    def signs_in(self) -> bool:
        """Whether it is one that a sign-in at its provider brings back."""
        return self.needs is not None and self.kind is not Kind.THIRD_PARTY

    @property
    def scans(self) -> bool:
        """Whether it takes a code: it has none, and is one that has, or once had, its code by a scan.

        A personal account with a code may: the sign-in to it brought back whom it stands for, and no code.
        """
        if self.secret is not None:
            return False
        if self.kind is Kind.PERSONAL_CODE or self.needs is Needs.SCAN:
            return True
        return self.needs is not None and self.kind is not Kind.PERSONAL_PASSWORDLESS

    @property
    def called(self) -> tuple[str, str]:
        """Issuer and name as they are compared: NFC, trimmed, case-folded."""
        return folded(self.issuer), folded(self.name)

    @property
    def settings(self) -> tuple[Type, Algorithm, int, int]:
        """What makes the code beside the key: type, hash, digits, period."""
        return self.type, self.algorithm, self.digits, self.period

    def same_as(self, other: Entry) -> bool:
        """Whether this is the same account: issuer, name, key, and code settings (a counter may differ).

        Of two without a key: issuer, name, and whom they stand for.
        """
        return self.called == other.called and self.same_code_as(other)

    def clashes_with(self, other: Entry) -> bool:
        """Whether issuer and name are the same, but the key or the code settings are others."""
        return self.called == other.called and not self.same_code_as(other)

    def same_code_as(self, other: Entry) -> bool:
        """Whether both have one key and one way to make the code of it; without keys, whether both stand for one."""
        if self.secret is None and other.secret is None:
            return self.identity == other.identity
        return self.secret == other.secret and self.settings == other.settings

    def stands_for(self, issuer: str, uid: str) -> bool:
        """Whether this is the account of this verified issuer and stable id, whatever its role and name."""
        return self.identity is not None and (self.identity.issuer, self.identity.uid) == (issuer, uid)

    def to_document(self) -> dict[str, object]:
        """The entry for canonical JSON, its secret in base64url; what it does not have is absent."""
        document: dict[str, object] = {
            "id": self.id,
            "kind": self.kind.value,
            "issuer": self.issuer,
            "name": self.name,
            "note": self.note,
            "tags": list(self.tags),
            "icon": self.icon,
            "pinned": self.pinned,
            "added": self.added,
        }
        if self.secret is not None:
            document["secret"] = self.secret.reveal_text()
            document["type"] = self.type.value
            document["algorithm"] = self.algorithm.value
            document["digits"] = self.digits
            document["period"] = self.period
            document["counter"] = self.counter
        if self.needs is not None:
            document["needs"] = self.needs.value
        if self.identity is not None:
            identity = self.identity
            document["identity"] = {"role": identity.role, "issuer": identity.issuer, "uid": identity.uid}
        if self.signed_in is not None:
            document["signed_in"] = self.signed_in
        if self.as_of is not None:
            document["as_of"] = self.as_of
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Entry:
        """The entry of a document that was sealed by us and has just been authenticated.

        Nothing is validated again, since a list of hundreds is opened at every request. Raises Damaged where a required
        part is missing or of a shape that cannot be read. For documents from elsewhere use `Entry.new`.
        """
        try:
            return _from_document(document)
        except (KeyError, TypeError, AttributeError):
            pass
        raise Damaged(Reason.DAMAGED_DOCUMENT)

    def __repr__(self) -> str:
        return f"Entry({self.id})"  # Names of accounts do not belong in a log either.


def tidy_note(text: str) -> str:
    """A note as it is kept: trimmed, lines ended by a newline alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def folded(text: str) -> str:
    """An issuer or name as it is compared: NFC, trimmed, case-folded."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


def check_text(field: str, text: str, allowed: int, reason: Reason, *, lines: bool = False) -> None:
    """Raise ParseError for a text that is too long (`reason`) or holds a control character.

    Refused are control characters, line separators, lone surrogates, and the characters that turn the direction of what
    follows them (U+202A–202E, U+2066–2069). The marks U+200E, U+200F, U+061C stay: right-to-left names need them, and
    they turn nothing but themselves. With `lines`, newlines and tabs stay too.
    """
    if len(text) > allowed:  # Before the search: a text of a megabyte is not looked through.
        raise ParseError(reason, found=len(text), allowed=allowed)
    if (_CONTROL_IN_LINES if lines else _CONTROL).search(text):
        raise ParseError(Reason.CONTROL_CHARACTER, field=field)


_ID: Final = re.compile(r"[0-9a-f]{32}")
_TURNING: Final = "\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROL: Final = re.compile(f"[\x00-\x1f\x7f-\x9f{_TURNING}]")
_CONTROL_IN_LINES: Final = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_TURNING}]")
_ICON: Final = re.compile(r"[a-z0-9-]{0,64}")


def _check_texts(entry: Entry) -> None:
    check_text("issuer", entry.issuer, NAME_LENGTH, Reason.ISSUER_TOO_LONG)
    check_text("name", entry.name, NAME_LENGTH, Reason.NAME_TOO_LONG)
    check_text("note", entry.note, NOTE_LENGTH, Reason.NOTE_TOO_LONG, lines=True)
    if not entry.issuer and not entry.name:
        raise ParseError(Reason.NO_NAME)
    if len(entry.tags) > TAGS:
        raise ParseError(Reason.TOO_MANY_TAGS, found=len(entry.tags), allowed=TAGS)
    for tag in entry.tags:
        check_text("tag", tag, TAG_LENGTH, Reason.TAG_TOO_LONG)
    if not _ICON.fullmatch(entry.icon):
        raise ParseError(Reason.ICON_UNKNOWN)


def _check_code(entry: Entry) -> None:
    if entry.secret is None:
        if entry.kind is Kind.THIRD_PARTY and entry.needs is None:
            raise ParseError(Reason.NO_SECRET)
    elif not len(entry.secret):
        raise ParseError(Reason.NO_SECRET)
    elif len(entry.secret) > SECRET_BYTES:
        raise ParseError(Reason.SECRET_TOO_LONG, found=len(entry.secret), allowed=SECRET_BYTES)
    if entry.digits not in DIGITS:
        raise ParseError(Reason.DIGITS, found=entry.digits)
    if entry.period not in PERIODS or (entry.type is not Type.TOTP and entry.period != DEFAULT_PERIOD):
        raise ParseError(Reason.PERIOD, found=entry.period)
    if not 0 <= entry.counter <= LARGEST_COUNTER or (entry.type is not Type.HOTP and entry.counter):
        raise ParseError(Reason.COUNTER, found=entry.counter)
    if entry.type is Type.STEAM and (entry.digits, entry.algorithm) != (STEAM_DIGITS, Algorithm.SHA1):
        raise ParseError(Reason.DIGITS, found=entry.digits)


# Opening a list makes an entry of every document in it: slots are set directly and names looked up in plain tables,
# which costs a fifth of the validating constructor.
_new: Final = object.__new__
_set: Final = {name: Entry.__dict__[name].__set__ for name in Entry.__slots__}
_set_id, _set_kind, _set_issuer, _set_name = _set["id"], _set["kind"], _set["issuer"], _set["name"]
_set_secret, _set_type, _set_algorithm = _set["secret"], _set["type"], _set["algorithm"]
_set_digits, _set_period, _set_counter = _set["digits"], _set["period"], _set["counter"]
_set_note, _set_tags, _set_icon, _set_pinned = _set["note"], _set["tags"], _set["icon"], _set["pinned"]
_set_added, _set_needs, _set_identity = _set["added"], _set["needs"], _set["identity"]
_set_signed_in, _set_as_of = _set["signed_in"], _set["as_of"]
_KINDS: Final = {kind.value: kind for kind in Kind}
_NEEDS: Final = {needs.value: needs for needs in Needs}
TYPES: Final = {type_.value: type_ for type_ in Type}
ALGORITHMS: Final = {algorithm.value: algorithm for algorithm in Algorithm}
_secret_of_text: Final = Secret.of_text


def _from_document(document: Mapping[str, Any]) -> Entry:
    entry = _new(Entry)
    get = document.get
    _set_id(entry, document["id"])
    _set_kind(entry, _KINDS[document["kind"]])
    _set_issuer(entry, document["issuer"])
    _set_name(entry, document["name"])
    _set_note(entry, get("note", ""))
    tags = get("tags")
    _set_tags(entry, tuple(tags) if tags else ())
    _set_icon(entry, get("icon", ""))
    _set_pinned(entry, document["pinned"])
    _set_added(entry, get("added", 0))
    if "secret" in document:
        _set_secret(entry, _secret_of_text(document["secret"]))
        _set_type(entry, TYPES[document["type"]])
        _set_algorithm(entry, ALGORITHMS[document["algorithm"]])
        _set_digits(entry, document["digits"])
        _set_period(entry, document["period"])
        _set_counter(entry, document["counter"])
    else:
        _set_secret(entry, None)
        _set_type(entry, Type.TOTP)
        _set_algorithm(entry, Algorithm.SHA1)
        _set_digits(entry, DEFAULT_DIGITS)
        _set_period(entry, DEFAULT_PERIOD)
        _set_counter(entry, 0)
    needs, identity = get("needs"), get("identity")
    _set_needs(entry, None if needs is None else _NEEDS[needs])
    _set_identity(entry, None if identity is None else Identity(**identity))
    _set_signed_in(entry, get("signed_in"))
    _set_as_of(entry, get("as_of"))
    return entry
