"""A list and what a backup brings back beside it: what each account is to the list, and the list with them.

Nothing that is in the list is overwritten or moved, and no counter falls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from types import MappingProxyType

from accounts.vault.entry import Entry, Type
from accounts.vault.list import AccountList, Comparison, Relation


class Keep(StrEnum):
    """Which of two accounts of one name and different keys is kept; the one of the list that is not goes to Trash."""

    BOTH = "both"
    LIST = "list"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True, repr=False)
class Met:
    """An account of a backup and what it is to the list; `there` is the one that is the same or has its name."""

    entry: Entry
    relation: Relation
    there: Entry | None = None


def meet(accounts: AccountList, entries: Sequence[Entry]) -> tuple[Met, ...]:
    """What each account of a backup is to a list. The Trash does not count.

    The same: issuer, name, key and settings, or its id with them, since names change. One by name only is the same as
    an account of its id, or of its kind and name: whatever brought the code of that one back. Two of one name in the
    backup are no clash: both were in one list before.
    """
    by_id = {entry.id: entry for entry in accounts.entries}
    pairs = [(entry, by_id.get(entry.id)) for entry in entries]
    if all(there is not None and (entry.secret is None or there.same_code_as(entry)) for entry, there in pairs):
        return tuple(Met(entry, Relation.SAME, there) for entry, there in pairs)  # Restored once more.
    of_names = any(entry.secret is None for entry in entries)
    by_name = {_by_name(entry): entry for entry in reversed(accounts.entries)} if of_names else {}
    found: list[Met] = []
    for entry, compared in zip(entries, accounts.compare_many(entries), strict=True):
        of_id = by_id.get(entry.id)
        if entry.secret is None:
            there = of_id or by_name.setdefault(_by_name(entry), entry)
            found.append(Met(entry, Relation.NEW) if there is entry else Met(entry, Relation.SAME, there))
        elif of_id is not None and (_is_found(compared, of_id) or of_id.same_code_as(entry)):
            found.append(Met(entry, Relation.SAME, of_id))
        elif compared.relation is Relation.CLASH and (compared.entry is None or compared.entry.id not in by_id):
            found.append(Met(entry, Relation.NEW))
        else:
            found.append(Met(entry, compared.relation, compared.entry))
    return tuple(found)


def merge(
    accounts: AccountList,
    entries: Sequence[Entry],
    *,
    made_at: int,
    at: int,
    new_id: Callable[[], str],
    keeps: Mapping[str, Keep] = MappingProxyType({}),
    met: Sequence[Met] | None = None,
    former: Iterable[AccountList] = (),
) -> AccountList:
    """The list with these accounts of a backup at its end, in their order; this very list where all are there already.

    `made_at` is when the backup was made, `at` is now (seconds), `keeps` what was chosen where a name has two keys, by
    the id of the backup's account, `met` what `meet` said of them and this very list, `former` older states of it, in
    which an account that is gone gave codes. Raises TooLarge.
    """
    counters = _counters(accounts, *former)
    ids = {entry.id for entry in accounts.entries} | {trashed.entry.id for trashed in accounts.trash}
    kept, added = accounts, []
    for one in meet(accounts, entries) if met is None else met:
        entry = _counted(one.entry, counters, made_at)
        if one.relation is Relation.SAME:
            if entry.type is Type.HOTP and one.there is not None:
                kept = kept.counted_to(one.there.id, entry.counter)
            continue
        keep = keeps.get(entry.id, Keep.BOTH) if one.there is not None else Keep.BOTH
        if keep is Keep.LIST:
            continue
        if keep is Keep.BACKUP and one.there is not None:
            kept = kept.trash_entry(one.there.id, at)
        added.append(replace(entry, id=new_id()) if entry.id in ids else entry)
    return kept.add_many(added) if added else kept


def _is_found(compared: Comparison, entry: Entry) -> bool:
    return compared.relation is Relation.SAME and compared.entry is entry


def _by_name(entry: Entry) -> tuple[str, ...]:
    return entry.kind, *entry.called


def _counters(*states: AccountList) -> dict[bytes, int]:
    """How far the counters of each key are, in these states of the list and their Trash, under whatever name."""
    found: dict[bytes, int] = {}
    for entry in chain.from_iterable(state.everything() for state in states):
        if entry.type is Type.HOTP and entry.secret is not None:
            key = entry.secret.reveal()
            found[key] = max(entry.counter, found.get(key, 0))
    return found


def _counted(entry: Entry, counters: Mapping[bytes, int], made_at: int) -> Entry:
    """A counter account no lower than another of its key, and with the time of which its counter is."""
    if entry.type is not Type.HOTP or entry.secret is None:
        return entry
    return replace(entry, counter=max(entry.counter, counters.get(entry.secret.reveal(), 0)), as_of=made_at)
