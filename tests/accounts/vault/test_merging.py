"""What a backup brings back, beside what is in the list: nothing is overwritten, moved or lost, and twice is once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.vault.entry import Entry, Identity, Kind, Needs, Type
from accounts.vault.errors import TooLarge
from accounts.vault.list import MAX_ENTRIES, AccountList, Relation
from accounts.vault.merging import Keep, meet, merge
from accounts.vault.secret import Secret
from tests.accounts.vault.support import id_of, ids, new_entry, new_list

MADE, NOW = 1_700_000_000, 1_800_000_000
WORK = Entry(id=id_of(50), kind=Kind.WORK, issuer="Contoso", name="bob@contoso.example", needs=Needs.SIGN_IN)


def merged(accounts: AccountList, entries: Sequence[Entry], **others: Any) -> AccountList:
    numbers = count(900)
    return merge(accounts, entries, made_at=MADE, at=NOW, new_id=lambda: id_of(next(numbers)), **others)


def relations(accounts: AccountList, *entries: Entry) -> list[Relation]:
    return [met.relation for met in meet(accounts, entries)]


# -- What it is to the list -------------------------------------------------------------------------------------------


def test_an_account_is_new_the_same_or_of_one_name_with_another_key() -> None:
    listed = new_list(1, 2)
    other_key = replace(new_entry(2), id=id_of(7), secret=Secret(b"another key"))

    assert relations(listed, new_entry(3), new_entry(1), other_key) == [Relation.NEW, Relation.SAME, Relation.CLASH]
    assert [met.there for met in meet(listed, [new_entry(1), other_key])] == list(listed.entries)


def test_an_account_that_was_renamed_meanwhile_is_the_same() -> None:
    listed = new_list(1).rename(id_of(1), issuer="GitHub", name="work")

    assert [met.there for met in meet(listed, [new_entry(1)])] == [listed.get(id_of(1))]


def test_an_account_by_name_is_the_same_as_one_that_has_its_code_or_sign_in_again() -> None:
    signed_in = replace(WORK, id=id_of(51), needs=None, identity=Identity("entra", "https://x.example", "1"))
    with_code = replace(WORK, id=id_of(52), needs=None, secret=Secret(b"key"))
    renamed = replace(WORK, name="another")

    assert relations(AccountList((signed_in,)), WORK) == [Relation.SAME]
    assert relations(AccountList((with_code,)), WORK) == [Relation.SAME]
    assert relations(AccountList((renamed,)), WORK) == [Relation.SAME]
    assert relations(AccountList((replace(WORK, id=id_of(53), kind=Kind.THIRD_PARTY),)), WORK) == [Relation.NEW]


def test_two_of_one_name_in_the_backup_are_no_clash() -> None:
    both = [new_entry(1), replace(new_entry(1), id=id_of(2), secret=Secret(b"another key"))]

    assert relations(AccountList(), *both) == [Relation.NEW, Relation.NEW]
    assert ids(merged(AccountList(), both)) == [1, 2]
    assert relations(AccountList(), WORK, replace(WORK, id=id_of(60))) == [Relation.NEW, Relation.SAME]
    assert ids(merged(AccountList(), [WORK, replace(WORK, id=id_of(60))])) == [50]


# -- The list with them -----------------------------------------------------------------------------------------------


@pytest.mark.article("G-21")
def test_into_an_empty_list_all_come_back_in_their_order() -> None:
    entries = (new_entry(3), WORK, new_entry(1, pinned=True, note="mine", tags=("a",)))

    assert merged(AccountList(), entries).entries == entries


@pytest.mark.article("G-09")
def test_what_is_there_stays_where_it_is_and_the_others_follow() -> None:
    listed = new_list(5, 1, 4)

    after = merged(listed, [new_entry(2), new_entry(4, note="older"), new_entry(3)])

    assert after.entries[:3] == listed.entries
    assert ids(after) == [5, 1, 4, 2, 3]


@pytest.mark.article("G-09")
@pytest.mark.parametrize(
    ("keep", "left", "trash"),
    [(None, [1, 2, 7], []), (Keep.BOTH, [1, 2, 7], []), (Keep.LIST, [1, 2], []), (Keep.BACKUP, [1, 7], [2])],
)
def test_of_two_keys_both_are_kept_unless_one_is_chosen(keep: Keep | None, left: list[int], trash: list[int]) -> None:
    other_key = replace(new_entry(2), id=id_of(7), secret=Secret(b"another key"))

    after = merged(new_list(1, 2), [other_key], keeps={id_of(7): keep} if keep else {})

    assert ids(after) == left
    assert [int(one.entry.id, 16) for one in after.trash] == trash


def test_of_two_that_clash_with_one_each_may_be_chosen() -> None:
    others = [replace(new_entry(1), id=id_of(n), secret=Secret(b"key %d" % n)) for n in (7, 8)]

    after = merged(new_list(1), others, keeps=dict.fromkeys((id_of(7), id_of(8)), Keep.BACKUP))

    assert (ids(after), len(after.trash)) == ([7, 8], 1)


def test_what_was_met_before_is_merged_as_what_is_met_now() -> None:
    listed, other_key = new_list(1, 2), replace(new_entry(2), id=id_of(7), secret=Secret(b"another key"))
    back = (new_entry(1), other_key, new_entry(3), WORK)

    known = merged(listed, back, met=meet(listed, back))

    assert known == merged(listed, back)
    assert ids(known) == [1, 2, 7, 3, 50]
    once_more = tuple(replace(entry) for entry in back)  # Another reading gives others that are equal.
    assert merged(known, once_more, met=meet(known, once_more)) is known


def test_an_id_that_is_taken_by_another_account_is_given_anew() -> None:
    other = new_entry(1, issuer="Other", secret=Secret(b"another key"))
    in_trash = new_list(1).trash_entry(id_of(1), NOW)

    assert ids(merged(new_list(1), [other])) == [1, 900]
    assert (ids(merged(in_trash, [new_entry(1)])), len(in_trash.trash)) == ([900], 1)


@pytest.mark.row("T46")
def test_no_counter_falls_whoever_holds_the_key() -> None:
    def counter(number: int, value: int, key: bytes = b"counted") -> Entry:
        return new_entry(number, type=Type.HOTP, counter=value, secret=Secret(key))

    listed = AccountList((counter(1, 9), counter(2, 3, b"other"))).trash_entry(id_of(2), NOW)

    assert merged(listed, [counter(1, 4)]) == listed
    raised = merged(listed, [counter(1, 12)])
    assert [entry.counter for entry in raised.entries] == [12]
    renamed = replace(counter(7, 1), name="another name")
    assert [entry.counter for entry in merged(listed, [renamed]).entries] == [9, 9]
    assert [(entry.counter, entry.as_of) for entry in merged(listed, [counter(8, 1, b"other")]).entries[1:]] == [
        (3, MADE)
    ]
    assert listed.counted_to(id_of(1), 9) is listed
    assert new_list(1).counted_to(id_of(1), 9) == new_list(1)


@pytest.mark.row("T46")
def test_no_counter_falls_behind_an_older_state_of_the_list() -> None:
    counter = new_entry(1, type=Type.HOTP, counter=4)
    former = [AccountList((replace(counter, counter=9),)), AccountList((replace(counter, counter=7),))]
    in_trash = former[0].trash_entry(counter.id, NOW)

    back = merged(AccountList(), [counter], former=former)
    beside = merged(AccountList((counter,)), [counter], former=[in_trash])

    assert [entry.counter for entry in (*back.entries, *beside.entries)] == [9, 9]


def test_list_that_would_be_too_long_takes_none_of_it() -> None:
    with pytest.raises(TooLarge):
        merged(new_list(*range(MAX_ENTRIES)), [new_entry(MAX_ENTRIES + 1)])


_SOME = st.lists(st.integers(0, 12), unique=True, max_size=8)


@given(_SOME, _SOME, st.data())
@pytest.mark.article("G-09")
def test_twice_changes_nothing_and_nothing_is_lost(there: list[int], back: list[int], data: st.DataObject) -> None:
    def one(number: int, key: int) -> Entry:
        return new_entry(number, name=f"name {number % 5}", secret=Secret(b"key %d" % key))

    listed = AccountList(tuple(one(number, data.draw(st.integers(0, 3))) for number in there if number < 5))
    entries = [one(number, number) for number in back]

    once = merged(listed, entries)
    again = merge(once, entries, made_at=MADE, at=NOW, new_id=lambda: pytest.fail("nothing is new"))

    assert once.entries[: len(listed)] == listed.entries
    keys = {(entry.name, entry.secret.reveal()) for entry in once.entries if entry.secret is not None}
    assert keys >= {(entry.name, entry.secret.reveal()) for entry in entries if entry.secret is not None}
    assert again is once
