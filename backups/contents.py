"""What a backup holds, as a value and as canonical JSON: the accounts by their portions, and where they come from.

Reading is strict: only the fields that docs/backup-format.md lists, each of its type and within the bounds of
`accounts.vault.entry`. A backup that is made is read by the same way before it counts, a thousand accounts at each
change, so a field is judged in all accounts at once; a test holds this equal to making each account anew.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from json.encoder import encode_basestring as _text
from operator import itemgetter
from typing import Any, Final, Self

from accounts.vault.encoding import strict
from accounts.vault.entry import (
    ALGORITHMS,
    LARGEST_COUNTER,
    NAME_LENGTH,
    NOTE_LENGTH,
    SECRET_BYTES,
    TAG_LENGTH,
    TAGS,
    TYPES,
    Entry,
    Kind,
    Needs,
    check_text,
)
from accounts.vault.errors import Damaged, ParseError, Reason, Unsupported, WrongDeviceType
from accounts.vault.list import MAX_ENTRIES, AccountList
from accounts.vault.secret import Secret
from backups.names import DEVICE_TYPES
from backups.portions import PORTIONS, Portion, carried

VERSION: Final = 1


@dataclass(frozen=True, slots=True, repr=False)
class Contents:
    """The contents of one backup: `at` is when it was made, in whole seconds since 1970, `app` the version of Authweb.

    The entries are portions, in the order of the list: those with a secret key are whole, the others a name only.
    """

    device_type: str
    device_name: str
    app: str
    at: int
    entries: tuple[Entry, ...]

    @classmethod
    def of_list(cls, accounts: AccountList, *, device_type: str, device_name: str, app: str, at: int) -> Self:
        """What a backup of this list carries, by the table of portions; nothing of its Trash, and none of its keys."""
        return cls(device_type, device_name, app, at, tuple([carried(entry) for entry in accounts.entries]))

    @property
    def whole(self) -> int:
        """How many accounts have their secret key in it."""
        return sum([entry.secret is not None for entry in self.entries])

    @property
    def named(self) -> int:
        """How many accounts are in it by name only."""
        return len(self.entries) - self.whole

    def to_bytes(self) -> bytes:
        """The contents as canonical JSON. Raises Damaged for a text that is no UTF-8."""
        frame = (
            f'{{"app":{_text(self.app)},"at":{self.at},"device_name":{_text(self.device_name)},'
            f'"device_type":{_text(self.device_type)},"entries":['
        )
        try:
            return f'{frame}{",".join(map(_written, self.entries))}],"v":{VERSION}}}'.encode()
        except UnicodeEncodeError:
            pass
        raise Damaged(Reason.NOT_UTF8)

    @classmethod
    def from_bytes(cls, data: bytes, *, device_type: str) -> Self:
        """The contents that an envelope held.

        Raises Unsupported for a version to come, WrongDeviceType for a backup of another type of device than the one
        asked for, and Damaged for anything that the format does not allow, down to a single field.
        """
        return cls.from_document(strict(data), device_type=device_type)

    @classmethod
    def from_document(cls, value: object, *, device_type: str) -> Self:
        """The same, of JSON that was read already: the contents that a draft held."""
        document = _checked(value, device_type)
        of = Entry.from_document
        frame = {name: document[name] for name in _FRAME}
        return cls(**frame, entries=tuple([of(row) for row in document["entries"]]))

    def __repr__(self) -> str:
        return f"Contents({len(self.entries)} entries)"


def checked(data: bytes, *, device_type: str) -> bytes:
    """What an envelope held, as the text that it is, every part of it checked; no account is made. As `from_bytes`."""
    _checked(strict(data), device_type)
    return data.removeprefix(BOM_UTF8)


def prove(made: bytes, opened: bytes, *, device_type: str) -> None:
    """See that what was opened is what was made, and that a restore would take it: every check of `from_bytes`.

    Raises Damaged, and as `from_bytes`.
    """
    if opened != made:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    _checked(strict(opened), device_type)


# -- The writer -------------------------------------------------------------------------------------------------------


def _written(entry: Entry) -> str:
    """A portion as canonical JSON: the text `encoding.canonical` gives, at a quarter of what it costs for hundreds."""
    pinned = "true" if entry.pinned else "false"
    if entry.secret is None:
        return (
            f'{{"id":"{entry.id}","issuer":{_text(entry.issuer)},"kind":"{entry.kind.value}",'
            f'"name":{_text(entry.name)},"needs":"{entry.needs}","pinned":{pinned}}}'
        )
    return (
        f'{{"added":{entry.added},"algorithm":"{entry.algorithm.value}","counter":{entry.counter},'
        f'"digits":{entry.digits},"icon":{_text(entry.icon)},"id":"{entry.id}","issuer":{_text(entry.issuer)},'
        f'"kind":"{entry.kind.value}","name":{_text(entry.name)},"note":{_text(entry.note)},"period":{entry.period},'
        f'"pinned":{pinned},"secret":"{entry.secret.reveal_text()}","tags":[{",".join(map(_text, entry.tags))}],'
        f'"type":"{entry.type.value}"}}'
    )


# -- The strict reader ------------------------------------------------------------------------------------------------

_FRAME: Final = ("device_type", "device_name", "app", "at")
_FIELDS: Final = {*_FRAME, "v", "entries"}
_WHOLE: Final[Mapping[str, type]] = {
    "id": str,
    "kind": str,
    "issuer": str,
    "name": str,
    "secret": str,
    "type": str,
    "algorithm": str,
    "digits": int,
    "period": int,
    "counter": int,
    "note": str,
    "tags": list,
    "icon": str,
    "pinned": bool,
    "added": int,
}
_NAMED: Final[Mapping[str, type]] = {"id": str, "kind": str, "issuer": str, "name": str, "needs": str, "pinned": bool}
_KINDS: Final = frozenset(kind.value for kind in Kind)
_WHOLE_KINDS: Final = frozenset(kind.value for kind, portion in PORTIONS.items() if portion is Portion.WHOLE)
_NEEDS: Final = frozenset(needs.value for needs in Needs)
_IDS: Final = re.compile(r"[0-9a-f]*")
_ICONS: Final = re.compile(r"[a-z0-9-]*")
_ID_LETTERS: Final = 32
_ICON_LETTERS: Final = 64
_APP_LETTERS: Final = 64
# Base64url without padding, no bits left over: one text for one key.
_SECRET: Final = re.compile(r"(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?", re.ASCII)
_SECRET_LETTERS: Final = range(1, (SECRET_BYTES * 4 + 2) // 3 + 1)

Column = Sequence[Any]
Columns = Mapping[str, Column]


def _checked(document: object, device_type: str) -> dict[str, Any]:
    """The document, every part of it checked. Raises as `Contents.from_bytes`."""
    if not isinstance(document, dict) or type(document.get("v")) is not int:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    if document["v"] != VERSION:
        raise Unsupported(Reason.VERSION, found=document["v"])
    if document.keys() != _FIELDS or not _is_frame(*itemgetter(*_FRAME)(document)):
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    if document["device_type"] != device_type:
        raise WrongDeviceType(document["device_type"])
    if not _are_entries(document["entries"]):
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    return document


def _is_frame(device_type: object, device_name: object, app: object, at: object) -> bool:
    return (
        device_type in DEVICE_TYPES
        and type(device_name) is type(app) is str
        and _are_texts([device_name], NAME_LENGTH)
        and _are_texts([app], _APP_LETTERS)
        and type(at) is int
        and 0 <= at <= LARGEST_COUNTER
    )


def _are_entries(rows: object) -> bool:
    if type(rows) is not list or len(rows) > MAX_ENTRIES or set(map(type, rows)) - {dict}:
        return False
    whole = [row for row in rows if "secret" in row]
    named = [row for row in rows if "secret" not in row]
    return (
        _are(whole, _WHOLE, _are_whole)
        and _are(named, _NAMED, _are_named)
        and len({row["id"] for row in rows}) == len(rows)
    )


def _are(rows: list[dict[str, Any]], fields: Mapping[str, type], check: Callable[[Columns], bool]) -> bool:
    """Whether each row has exactly these fields, each of its type, and their values pass: judged field by field."""
    if not rows:
        return True
    names = fields.keys()
    if not all(row.keys() == names for row in rows):
        return False
    columns = dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
    return (
        all(set(map(type, columns[name])) == {expected} for name, expected in fields.items())
        and set(map(len, columns["id"])) == {_ID_LETTERS}
        and _IDS.fullmatch("".join(columns["id"])) is not None
        and _are_texts(columns["issuer"], NAME_LENGTH)
        and _are_texts(columns["name"], NAME_LENGTH)
        and all(map(_either, columns["issuer"], columns["name"]))
        and check(columns)
    )


def _are_whole(columns: Columns) -> bool:
    tags = list(chain.from_iterable(columns["tags"]))
    return (
        _WHOLE_KINDS.issuperset(columns["kind"])
        and _are_texts(columns["note"], NOTE_LENGTH, lines=True)
        and max(map(len, columns["tags"])) <= TAGS
        and not set(map(type, tags)) - {str}
        and _are_texts(tags, TAG_LENGTH)
        and max(map(len, columns["icon"])) <= _ICON_LETTERS
        and _ICONS.fullmatch("".join(columns["icon"])) is not None
        and min(columns["added"]) >= 0
        and max(columns["added"]) <= LARGEST_COUNTER
        and min(map(len, columns["secret"])) in _SECRET_LETTERS
        and max(map(len, columns["secret"])) in _SECRET_LETTERS
        and all(map(_SECRET.fullmatch, columns["secret"]))
        and all(_makes_codes(*way) for way in set(zip(*itemgetter(*_WAY)(columns), strict=True)))
    )


def _are_named(columns: Columns) -> bool:
    return _KINDS.issuperset(columns["kind"]) and _NEEDS.issuperset(columns["needs"])


def _are_texts(texts: Column, allowed: int, *, lines: bool = False) -> bool:
    """Whether texts are short enough and hold no control character: what `check_text` asks of each, asked once."""
    if max(map(len, texts), default=0) > allowed:
        return False
    together = "".join(texts)
    try:
        check_text("", together, len(together), Reason.TEXT_TOO_LONG, lines=lines)
    except ParseError:
        return False
    return True


_WAY: Final = ("type", "algorithm", "digits", "period", "counter")


def _makes_codes(type_: str, algorithm: str, digits: int, period: int, counter: int) -> bool:
    """Whether codes can be made this way; most accounts of a list share one, so an account is made of each to see."""
    if type_ not in TYPES or algorithm not in ALGORITHMS:
        return False
    try:
        Entry(
            id=_AN_ID,
            issuer="-",
            name="",
            secret=_A_KEY,
            type=TYPES[type_],
            algorithm=ALGORITHMS[algorithm],
            digits=digits,
            period=period,
            counter=counter,
        )
    except ParseError:
        return False
    return True


def _either(one: str, other: str) -> bool:
    return bool(one or other)


_AN_ID: Final = "0" * _ID_LETTERS
_A_KEY: Final = Secret(b"-")
