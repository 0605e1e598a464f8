"""All accounts of a person as one value: every change gives a new list, and the old one stays what it was.

A service hands over an operation, never a list it read earlier, so two browsers lose nothing to one another. The
document is sealed whole by `accounts.vault.sealing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from accounts.vault.encoding import canonical, trusted
from accounts.vault.entry import LARGEST_COUNTER, Entry, Identity, Needs, Type, tidy_note
from accounts.vault.errors import (
    AlreadyListed,
    Damaged,
    NotListed,
    ParseError,
    Reason,
    TooLarge,
    Unsupported,
)
from accounts.vault.secret import Secret

VERSION: Final = 1
MAX_ENTRIES: Final = 2_000
MAX_BYTES: Final = 1_000_000


class Protection(StrEnum):
    """What opens a backup of this list beside the recovery account: nothing, or a key the person holds."""

    SIGN_IN = "sign_in"
    KEY = "key"


class Relation(StrEnum):
    """What an account is to a list: not in it, in it, or of one name with another."""

    NEW = "new"
    SAME = "same"
    CLASH = "clash"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found: the relation, and the listed account it is a relation to (none for a new one)."""

    relation: Relation
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Trashed:
    """An account in the Trash: since when (seconds), and how many stood before it in the list."""

    entry: Entry
    at: int
    place: int


@dataclass(frozen=True, slots=True)
class BackupKey:
    """A key under which backups are wrapped: of which slot (32 hexadecimal letters) and kind, and the slot's hint."""

    slot: str
    kind: str
    hint: Secret
    key: Secret


@dataclass(frozen=True, slots=True, repr=False)
class AccountList:
    """Accounts in their order, the Trash (latest last), and what protects backups. Immutable."""

    entries: tuple[Entry, ...] = ()
    trash: tuple[Trashed, ...] = ()
    backup_protection: Protection = Protection.SIGN_IN
    backup_keys: tuple[BackupKey, ...] = ()

    def __repr__(self) -> str:
        return f"AccountList({len(self.entries)} entries, {len(self.trash)} in the Trash)"

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __contains__(self, id: object) -> bool:
        return any(entry.id == id for entry in self.entries)

    @property
    def size(self) -> int:
        """How many accounts count against MAX_ENTRIES: those in Trash do too."""
        return len(self.entries) + len(self.trash)

    def get(self, id: str) -> Entry:
        """The account of this id. Raises NotListed, for one in the Trash too."""
        return self.entries[self._place(id)]

    def in_trash(self, id: str) -> Trashed:
        """The account of this id in the Trash. Raises NotListed."""
        return self.trash[self._trash_place(id)]

    def standing_for(self, issuer: str, uid: str) -> Entry | None:
        """The account that stands for the one of this issuer and id, if one does. The Trash does not count."""
        return next((entry for entry in self.entries if entry.stands_for(issuer, uid)), None)

    def ordered(self) -> tuple[Entry, ...]:
        """As it is shown: pinned accounts first, both in the order of the list."""
        return tuple(sorted(self.entries, key=lambda entry: not entry.pinned))

    def compare(self, entry: Entry) -> Comparison:
        """What an account is to the list: new, the same as one in it, or a clash with one. The Trash does not count."""
        return self.compare_many((entry,))[0]

    def compare_many(self, entries: Iterable[Entry]) -> tuple[Comparison, ...]:
        """What each account is to the list and to those before it: one that comes twice is the same as the first."""
        names = _Names(self.entries)
        return tuple([names.compare(entry) for entry in entries])

    def add(self, entry: Entry) -> AccountList:
        """The list with this account at its end. A clash of names is no obstacle: nothing is overwritten.

        Raises AlreadyListed (the same account, or this id), TooLarge.
        """
        return self.add_many((entry,))

    def add_many(self, entries: Iterable[Entry]) -> AccountList:
        """The list with these accounts at its end, all or none. Raises AlreadyListed, TooLarge."""
        names = _Names(self.entries)
        ids = {entry.id: entry for entry in self.everything()}
        added: list[Entry] = []
        for entry in entries:
            found = names.compare(entry)
            if found.relation is Relation.SAME:
                raise AlreadyListed(found.entry)
            if entry.id in ids:
                raise AlreadyListed(ids[entry.id], in_trash=entry.id not in self)
            ids[entry.id] = entry
            added.append(entry)
        return replace(self, entries=(*self.entries, *added)).checked()

    def rename(self, id: str, *, issuer: str, name: str) -> AccountList:
        """The list with an account under another issuer and name.

        Raises NotListed, ParseError, TooLarge, and AlreadyListed when it would become the same as another one.
        """
        renamed = self.get(id).renamed(issuer=issuer, name=name)
        return self._with(self._unlike_others(renamed)).checked()

    def note(self, id: str, text: str) -> AccountList:
        """The list with another note on an account. Raises NotListed, ParseError, TooLarge."""
        return self._with(replace(self.get(id), note=tidy_note(text))).checked()

    def pin(self, id: str, pinned: bool) -> AccountList:
        """The list with an account pinned or not. Its place stays. Raises NotListed, TooLarge."""
        return self._with(replace(self.get(id), pinned=pinned)).checked()

    def signed_in(self, id: str, identity: Identity, at: int) -> AccountList:
        """The list with an account that came back by name, signed in to at an instant: it waits no more.

        This very list where it waits no more already. Raises NotListed, TooLarge, and AlreadyListed where another one
        stands for the same at its provider.
        """
        entry = self.get(id)
        if entry.needs is None:
            return self
        there = self.standing_for(identity.issuer, identity.uid)
        if there is not None and there.id != id:
            raise AlreadyListed(there)
        return self._with(replace(entry, identity=identity, signed_in=at, needs=None)).checked()

    def with_code(self, id: str, code: Entry) -> AccountList:
        """The list with the key and the code settings of `code` on an account that came back by name: all else stays.

        Raises NotListed, TooLarge, and AlreadyListed where it has a code, or would become the same as another one.
        """
        entry = self.get(id)
        if not entry.scans:
            raise AlreadyListed(entry)
        coded = replace(
            entry,
            secret=code.secret,
            type=code.type,
            algorithm=code.algorithm,
            digits=code.digits,
            period=code.period,
            counter=code.counter,
            needs=None,
        )
        return self._with(self._unlike_others(coded)).checked()

    def by_name_only(self, id: str) -> AccountList:
        """The list with an account that waits for nothing any more: its name is kept. Raises NotListed."""
        entry = self.get(id)
        return self._with(replace(entry, needs=Needs.KEPT)) if entry.waits else self

    def move(self, id: str, place: int) -> AccountList:
        """The list with an account at another place, counted from 0; beyond the ends is the end. Raises NotListed."""
        entry = self.get(id)
        others = [other for other in self.entries if other.id != id]
        others.insert(max(0, place), entry)
        return replace(self, entries=tuple(others))

    def reorder(self, ids: Sequence[str]) -> AccountList:
        """The list with the accounts of these ids in this order, on the places that they hold together.

        Whoever sorts may know less than the list holds: accounts not named keep their places, ids that are gone or come
        twice are passed over. So an account added meanwhile is never lost.
        """
        known = {entry.id: entry for entry in self.entries}
        named = [known[id] for id in dict.fromkeys(ids) if id in known]
        moved = {entry.id for entry in named}
        in_order = iter(named)
        return replace(self, entries=tuple(next(in_order) if entry.id in moved else entry for entry in self.entries))

    def trash_entry(self, id: str, at: int) -> AccountList:
        """The list with an account moved to the Trash at an instant; this very list where it is there already.

        Raises NotListed.
        """
        if any(trashed.entry.id == id for trashed in self.trash):
            return self
        place = self._place(id)
        trashed = Trashed(self.entries[place], at=at, place=place)
        return replace(
            self, entries=self.entries[:place] + self.entries[place + 1 :], trash=(*self.trash, trashed)
        ).checked()

    def put_back(self, id: str) -> AccountList:
        """The list with an account out of the Trash, at its former place or at the end of a shorter list;
        this very list where it is in it already.

        Raises NotListed, and AlreadyListed when the same account was added again meanwhile: with its key, or by another
        sign-in to it, whatever it is called now. Both stay where they are, since each may hold what the other lacks.
        """
        if id in self:
            return self
        at = self._trash_place(id)
        back = self.trash[at]
        found = self.compare(back.entry)
        if found.relation is Relation.SAME:
            raise AlreadyListed(found.entry)
        who = back.entry.identity
        there = None if who is None else self.standing_for(who.issuer, who.uid)
        if there is not None:
            raise AlreadyListed(there)
        entries = (*self.entries[: back.place], back.entry, *self.entries[back.place :])
        return replace(self, entries=entries, trash=self.trash[:at] + self.trash[at + 1 :])

    def delete(self, id: str) -> AccountList:
        """The list without an account that is in the Trash: for good. Raises NotListed."""
        at = self._trash_place(id)
        return replace(self, trash=self.trash[:at] + self.trash[at + 1 :])

    def without_trash_before(self, at: int) -> AccountList:
        """The list without what came into the Trash before an instant; this very list when nothing did."""
        kept = tuple(trashed for trashed in self.trash if trashed.at >= at)
        return self if len(kept) == len(self.trash) else replace(self, trash=kept)

    def next_counter(self, id: str) -> AccountList:
        """The list with a counter account one further, once its code was taken: from then on it is of now.

        Raises NotListed, and ParseError for an account without a counter or at the last one (2^63 − 1).
        """
        entry = self.get(id)
        if entry.type is not Type.HOTP or entry.secret is None:
            raise ParseError(Reason.NOT_A_COUNTER)
        return self._with(replace(entry, counter=entry.counter + 1, as_of=None)).checked()

    def counted_to(self, id: str, counter: int) -> AccountList:
        """The list with the counter of an account no lower than this; the very list where it is so.

        Raises NotListed.
        """
        entry = self.get(id)
        if entry.type is not Type.HOTP or entry.secret is None or entry.counter >= counter:
            return self
        return self._with(replace(entry, counter=counter))

    def counted_on(self, by: int) -> AccountList:
        """The list with every counter so much further, Trash included: where states were lost that gave codes."""
        if not by:
            return self
        entries = tuple(_further(entry, by) for entry in self.entries)
        return replace(
            self,
            entries=entries,
            trash=tuple(replace(trashed, entry=_further(trashed.entry, by)) for trashed in self.trash),
        )

    def undone_to(self, older: AccountList, between: Iterable[AccountList] = ()) -> AccountList:
        """The list with accounts and Trash of an older state, and with nothing else of it.

        What protects backups stays as it is now, and no counter falls: a code that was handed out is never handed out
        again, not even by an account that was deleted in a state `between` the two. Raises TooLarge.
        """
        counters: dict[str, Entry] = {}
        for accounts in (*between, self):
            for entry in accounts.everything():
                counters[entry.id] = higher_counter(entry, counters.get(entry.id))
        entries = tuple(higher_counter(entry, counters.get(entry.id)) for entry in older.entries)
        trash = tuple(
            replace(trashed, entry=higher_counter(trashed.entry, counters.get(trashed.entry.id)))
            for trashed in older.trash
        )
        return replace(self, entries=entries, trash=trash).checked()

    def with_backup_key(self, key: BackupKey) -> AccountList:
        """The list with a key under which backups are wrapped; one of the same slot is replaced. Raises TooLarge."""
        others = tuple(other for other in self.backup_keys if other.slot != key.slot)
        return replace(self, backup_keys=(*others, key)).checked()

    def without_backup_keys(self, slots: Iterable[str]) -> AccountList:
        """The list without the keys of these slots; this very list when it has none of them."""
        gone = frozenset(slots)
        kept = tuple(key for key in self.backup_keys if key.slot not in gone)
        return self if len(kept) == len(self.backup_keys) else replace(self, backup_keys=kept)

    def protected_by(self, protection: Protection) -> AccountList:
        """The list whose backups are opened this way from now on; this very list when they are already."""
        return self if protection is self.backup_protection else replace(self, backup_protection=protection)

    def checked(self) -> AccountList:
        """This list, if it may be kept: 2,000 accounts, the Trash included, and 1,000,000 bytes. Raises TooLarge."""
        count = self.size
        if count > MAX_ENTRIES:
            raise TooLarge(found=count, allowed=MAX_ENTRIES, unit="entries")
        most = sum(map(_most_bytes, self.everything())) + _KEY_BYTES * len(self.backup_keys) + _FRAME_BYTES
        if most > MAX_BYTES:  # Otherwise the bound cannot be reached, and nothing is written to see it.
            self.to_bytes()
        return self

    def to_bytes(self) -> bytes:
        """The document as canonical JSON. Raises TooLarge beyond 1,000,000 bytes."""
        data = canonical(
            {
                "v": VERSION,
                "entries": [entry.to_document() for entry in self.entries],
                "trash": [
                    {"entry": trashed.entry.to_document(), "at": trashed.at, "place": trashed.place}
                    for trashed in self.trash
                ],
                "backup_protection": self.backup_protection.value,
                "backup_keys": [
                    {
                        "slot": key.slot,
                        "kind": key.kind,
                        "hint": key.hint.reveal_text(),
                        "key": key.key.reveal_text(),
                    }
                    for key in self.backup_keys
                ],
            }
        )
        if len(data) > MAX_BYTES:
            raise TooLarge(found=len(data), allowed=MAX_BYTES, unit="bytes")
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> AccountList:
        """The list of a document of any version, once it has been authenticated. Raises Damaged, Unsupported."""
        version, document = opened(data)
        try:
            return _READERS[version](document)
        except (KeyError, TypeError, ValueError, AttributeError):
            pass
        raise Damaged(Reason.DAMAGED_DOCUMENT)

    def everything(self) -> Iterator[Entry]:
        """Every account, those in Trash last."""
        yield from self.entries
        for trashed in self.trash:
            yield trashed.entry

    def _place(self, id: str) -> int:
        for place, entry in enumerate(self.entries):
            if entry.id == id:
                return place
        raise NotListed

    def _trash_place(self, id: str) -> int:
        for place, trashed in enumerate(self.trash):
            if trashed.entry.id == id:
                return place
        raise NotListed

    def _unlike_others(self, changed: Entry) -> Entry:
        """This account, if no other one is the same. Raises AlreadyListed."""
        for other in self.entries:
            if other.id != changed.id and other.same_as(changed):
                raise AlreadyListed(other)
        return changed

    def _with(self, changed: Entry) -> AccountList:
        return replace(self, entries=tuple(changed if entry.id == changed.id else entry for entry in self.entries))


def opened(data: bytes) -> tuple[int, dict[str, Any]]:
    """The version of a list's document and what it holds, unread, once authenticated. Raises Damaged, Unsupported."""
    document = trusted(data)
    if not isinstance(document, dict):
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    version = document.get("v")
    if type(version) is not int:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    if version not in _READERS:
        raise Unsupported(Reason.VERSION, found=version)
    return version, document


def _further(entry: Entry, by: int) -> Entry:
    if entry.type is not Type.HOTP:
        return entry
    return replace(entry, counter=min(entry.counter + by, LARGEST_COUNTER))


def higher_counter(entry: Entry, other: Entry | None) -> Entry:
    """The entry, its counter no lower than that of another state of it: so undo chooses.

    Of when a counter is, comes with it.
    """
    if other is None or entry.type is not Type.HOTP or other.counter <= entry.counter:
        return entry
    return replace(entry, counter=other.counter, as_of=other.as_of)


class _Names:
    """Accounts by what they are called, so that many are compared at once without looking at each pair."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._called: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            self._called.setdefault(entry.called, []).append(entry)

    def compare(self, entry: Entry) -> Comparison:
        """What an account is to those before it, and from now on it is one of them."""
        of_one_name = self._called.setdefault(entry.called, [])
        found = Comparison(Relation.CLASH, of_one_name[0]) if of_one_name else _NEW
        for other in of_one_name:
            if other.same_code_as(entry):
                found = Comparison(Relation.SAME, other)
                break
        of_one_name.append(entry)
        return found


_NEW: Final = Comparison(Relation.NEW)


def _read_1(document: dict[str, Any]) -> AccountList:
    of = Entry.from_document
    return AccountList(
        entries=tuple([of(entry) for entry in document.get("entries", ())]),
        trash=tuple([Trashed(of(row["entry"]), row["at"], row["place"]) for row in document.get("trash", ())]),
        backup_protection=Protection(document.get("backup_protection", Protection.SIGN_IN)),
        backup_keys=tuple(
            BackupKey(row["slot"], row["kind"], Secret.of_text(row["hint"]), Secret.of_text(row["key"]))
            for row in document.get("backup_keys", ())
        ),
    )


_READERS: Final = {1: _read_1}
# Upper bounds of what stands in the document beside texts, tags and keys; a test holds them against the real thing.
_ENTRY_BYTES: Final = 700
_KEY_BYTES: Final = 300
_FRAME_BYTES: Final = 100


def _most_bytes(entry: Entry) -> int:
    letters = len(entry.issuer) + len(entry.name) + len(entry.note)
    if entry.tags:
        letters += sum(map(len, entry.tags)) + len(entry.tags)
    if entry.identity is not None:
        letters += len(entry.identity.role) + len(entry.identity.issuer) + len(entry.identity.uid)
    return _ENTRY_BYTES + 4 * letters + (0 if entry.secret is None else 2 * len(entry.secret))
