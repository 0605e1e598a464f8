"""Where a saved state is: all that lies under a proven account, told by the records or by itself.

What a person has not proven is told nobody: a choice that does not exist and one of somebody else are the same.
"""

from __future__ import annotations

import heapq
import logging
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, islice, zip_longest
from types import MappingProxyType

from django.views.decorators.debug import sensitive_variables

from accounts.models import DeviceType
from accounts.services.identity import Identity
from accounts.vault.errors import KeyMissing, Unsupported, VaultError
from backups import envelope
from backups.contents import Contents
from backups.models import Backup, Generation
from backups.names import Name
from backups.services import objects, recovery
from backups.storage import NotStored

logger = logging.getLogger(__name__)

_LOOKED_INTO = 40  # Saved states without a record, of which so many are opened to see whose they are.
_LISTED = 900  # Names under an account; SQLite may be asked for no more than 999 values at once.
_KEY = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Choice:
    """A saved state that can be chosen, as far as records or itself tell. `kinds` are the keys of which it needs one.

    Without a record and without the key that opens it nothing but its number is known: `made_at` is None. Where nobody
    looked into it, or could, not even the kinds are: `is_unknown`. `passkeys` are those that a record knows.
    """

    name: Name
    made_at: datetime | None = None
    device_name: str = ""
    whole: int = 0
    named: int = 0
    checked_at: datetime | None = None
    kinds: frozenset[str] = frozenset()
    passkeys: frozenset[str] = field(default=frozenset(), repr=False)
    is_recorded: bool = False
    is_damaged: bool = False
    is_unknown: bool = False
    deletes_at: datetime | None = None
    sha256: bytes | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """What a form calls it."""
        return _key(self.name.stream.hex(), self.name.sequence)

    def told_by(self, contents: Contents) -> Choice:
        """With what its contents say of themselves."""
        return replace(
            self,
            made_at=datetime.fromtimestamp(contents.at, UTC),
            device_name=contents.device_name,
            whole=contents.whole,
            named=contents.named,
        )

    @property
    def openers(self) -> frozenset[str]:
        """The kinds of keys that are offered for it: where none is known, each."""
        return frozenset({envelope.WORDS, envelope.PASSKEY}) if self.is_unknown else self.kinds

    @property
    def count(self) -> int:
        """Accounts in it."""
        return self.whole + self.named


@dataclass(frozen=True, slots=True)
class Found:
    """The backups under a proven account: the newest of each, then the earlier ones.

    `missing` are newest numbers that the records know and the store lacks, each with the number before it that is
    there, 0 where none is. `elsewhere` counts the backups of other types of devices, which are closed here.
    """

    newest: tuple[Choice, ...] = ()
    older: tuple[Choice, ...] = ()
    missing: tuple[tuple[int, int], ...] = ()
    elsewhere: Mapping[str, int] = field(default_factory=dict)

    @property
    def every(self) -> tuple[Choice, ...]:
        """All of them."""
        return (*self.newest, *self.older)

    def before(self, key: str) -> tuple[Choice, ...]:
        """Those before a saved state, of its backup, the newest first."""
        return tuple(sorted((one for one in self.older if _is_before(one, key)), key=lambda one: one.key, reverse=True))

    def other_passkeys(self, key: str) -> tuple[Choice, Choice] | None:
        """Of its backup the newest that may open with a passkey that it has not, and the first after that one; None
        where no record tells of any.
        """
        after = next((one for one in self.every if one.key == key), None)
        passkeys = after.passkeys if after is not None else frozenset()
        for one in self.before(key):
            if after is None or not (one.is_recorded and after.is_recorded):
                break
            if not one.is_damaged and (one.passkeys - passkeys or not one.kinds):
                return one, after
            after = one
        return None

    @property
    def is_unrecorded(self) -> bool:
        """Whether the records of this server are newer than all that was found."""
        return bool(self.newest) and not any(choice.is_recorded for choice in self.every)


def key_of(one: Generation) -> str:
    """What a form calls a saved state that the records know."""
    return _key(one.stream, one.sequence)


def _key(stream: str, number: int) -> str:
    return f"{stream}-{number:016x}"  # Of one stream the later is the greater.


def _is_before(choice: Choice, key: str) -> bool:
    return choice.key.partition("-")[0] == key.partition("-")[0] and choice.key < key


def is_key(text: str) -> bool:
    """Whether a form could call a saved state so."""
    return _KEY.fullmatch(text) is not None


class NotThere(Exception):
    """No such saved state under this account: it never was, it is gone, or it is somebody else's."""


def find(person: Identity, device_type: str) -> Found:
    """The backups of this type of device under a proven account. Raises StoreFailed."""
    rows, backups = _rows(person, device_type), _backups(person, device_type)
    streams = _streams(person, device_type, rows, backups)
    found: dict[bytes, list[Choice]] = {}
    looked_into = 0
    for name in _in_turn(streams.values()):
        row = rows.get((name.stream, name.sequence))
        backup = backups.get(name.stream)
        if _is_gone(row) or (backup is not None and backup.is_gone):
            continue
        if row is not None:
            choice = _recorded(name, row)
        else:
            looked_into += 1
            is_looked_into = looked_into <= _LOOKED_INTO
            choice = _looked_into(name, device_type) if is_looked_into else Choice(name, is_unknown=True)
            choice = replace(choice, deletes_at=backup.deletes_at) if backup is not None else choice
        found.setdefault(name.stream, []).append(choice)
    newest = sorted((choices[0] for choices in found.values()), key=_when, reverse=True)
    older = sorted((choice for choices in found.values() for choice in choices[1:]), key=_when, reverse=True)
    elsewhere = {type: len(_streams(person, type)) for type in DeviceType.values if type != device_type}
    return Found(
        tuple(newest),
        tuple(older),
        tuple(_missing(rows, streams)),
        {type: count for type, count in elsewhere.items() if count},
    )


def choice(person: Identity, device_type: str, key: str) -> Choice:
    """The saved state that a form calls by this key. Raises NotThere, StoreFailed."""
    rows, backups = _rows(person, device_type), _backups(person, device_type)
    for name in chain.from_iterable(_streams(person, device_type, rows, backups).values()):
        if Choice(name).key == key:
            row, backup = rows.get((name.stream, name.sequence)), backups.get(name.stream)
            if _is_gone(row) or (backup is not None and backup.is_gone):
                break
            return _recorded(name, row) if row is not None else Choice(name)
    raise NotThere


def unrecorded(person: Identity, device_type: str, first: str = "") -> Iterator[Choice]:
    """The newest saved state that this server made of each backup no row tells of, whoever's. Raises StoreFailed.

    As many are looked into as by `find`: those of the stream `first`, which is being restored, before all others.
    """
    streams = _streams(person, device_type)
    known = set(Backup.objects.filter(stream__in=[one.hex() for one in streams]).values_list("stream", flat=True))
    others = {stream: names for stream, names in streams.items() if stream.hex() not in known}
    own = others.pop(bytes.fromhex(first), [])
    told: set[bytes] = set()
    waiting = (name for name in chain(own, _in_turn(others.values())) if name.stream not in told)
    for name in islice(waiting, _LOOKED_INTO):
        one = _looked_into(name, device_type)
        # One whose server key is missing may be anybody's: a name alone proves nothing.
        if one.made_at is not None or one.kinds:
            told.add(name.stream)
            yield one


def _in_turn(streams: Iterable[Sequence[Name]]) -> Iterator[Name]:
    """The newest of each stream, then the one after it of each: no stream, however long, stands before another."""
    return (name for names in zip_longest(*streams) for name in names if name is not None)


def _is_gone(row: Generation | None) -> bool:
    """Whether it was deleted, but for what the store has yet to let go."""
    return row is not None and row.backup is not None and row.backup.is_gone


def _streams(
    person: Identity,
    device_type: str,
    rows: Mapping[tuple[bytes, int], Generation] = MappingProxyType({}),
    backups: Container[bytes] = (),
) -> dict[bytes, list[Name]]:
    """What lies there, by streams, in each the newest first: each number once, as its row knows it, else of two server
    keys the newer.

    Whoever writes to the store gives any names: streams that the records know come first. Of too many names those of
    `rows` stay, then others of such streams, then the highest numbers.
    """
    recorded = {stream for stream, _ in rows}

    def is_known(name: Name) -> bool:
        return name.stream in recorded or name.stream in backups

    def is_recorded(name: Name) -> bool:
        row = rows.get((name.stream, name.sequence))
        return row is not None and row.kid == name.kid

    def worth(name: Name) -> tuple[bool, bool, int, int]:
        return is_recorded(name), is_known(name), name.sequence, name.kid

    def place(name: Name) -> tuple[bool, int, bool, int]:
        return is_known(name), name.sequence, is_recorded(name), name.kid

    listed = chain.from_iterable(objects.named(ctx) for ctx in recovery.ctxs(person, device_type))
    streams: dict[bytes, list[Name]] = {}
    for name in sorted(heapq.nlargest(_LISTED, listed, key=worth), key=place, reverse=True):
        names = streams.setdefault(name.stream, [])
        if not names or names[-1].sequence != name.sequence:
            names.append(name)
    return streams


def _backups(person: Identity, device_type: str) -> dict[bytes, Backup]:
    """What the records know of this person's backups, by their streams."""
    rows = Backup.objects.filter(recovery_account__name__in=recovery.ctxs(person, device_type)).exclude(stream="")
    return {bytes.fromhex(row.stream): row for row in rows}


def _rows(person: Identity, device_type: str) -> dict[tuple[bytes, int], Generation]:
    """What the records know of this person's saved states: of no other's, whatever stream and number those have."""
    states = (Generation.State.PROVEN, Generation.State.DAMAGED)
    rows = Generation.objects.filter(
        recovery_account__name__in=recovery.ctxs(person, device_type), state__in=states
    ).select_related("recovery_account", "backup")
    return {(bytes.fromhex(row.stream), row.sequence): row for row in rows.defer("waiting")}


def _recorded(name: Name, row: Generation) -> Choice:
    return Choice(
        name,
        made_at=row.made_at,
        device_name=row.device_name,
        whole=row.whole,
        named=row.named,
        checked_at=row.checked_at,
        kinds=frozenset(kind for kind, _slot in row.slots),
        passkeys=frozenset(slot for kind, slot in row.slots if kind == envelope.PASSKEY),
        is_recorded=True,
        is_damaged=row.state == Generation.State.DAMAGED,
        deletes_at=row.backup.deletes_at if row.backup is not None else None,
        sha256=bytes(row.sha256) if row.kid == name.kid else None,
    )


@sensitive_variables()
def _looked_into(name: Name, device_type: str) -> Choice:
    """What a saved state without a record says of itself; where it needs a key, which kinds of key.

    One that only this server cannot open can be chosen all the same: then it is said why.
    """
    try:
        data = objects.fetched(name)
        slots = envelope.slots(data, name.place, objects.server_key)
        if slots:
            return Choice(name, kinds=frozenset(slot.kind for slot in slots))
        contents = Contents.from_bytes(envelope.read(data, name.place, objects.server_key), device_type=device_type)
    except (NotStored, VaultError) as error:
        logger.warning("A saved state without a record does not open: %s", type(error).__name__)
        is_unknown = isinstance(error, KeyMissing | Unsupported)
        return Choice(name, is_damaged=not is_unknown, is_unknown=is_unknown)
    return Choice(name).told_by(contents)


def _when(choice: Choice) -> tuple[float, int]:
    return (choice.made_at.timestamp() if choice.made_at else 0.0, choice.name.sequence)


def _missing(
    rows: Mapping[tuple[bytes, int], Generation], streams: Mapping[bytes, Sequence[Name]]
) -> Iterator[tuple[int, int]]:
    """Of each stream the newest number that is known, where a store behind its records lacks it."""
    known: dict[bytes, int] = {}
    for (stream, sequence), row in rows.items():
        if not _is_gone(row):
            known[stream] = max(sequence, known.get(stream, 0))
    for stream, sequence in known.items():
        there = max((name.sequence for name in streams.get(stream, ())), default=0)
        if sequence > there:
            yield sequence, there
