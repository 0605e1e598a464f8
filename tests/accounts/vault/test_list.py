from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import permutations

import pytest

from accounts.vault.entry import Algorithm, Entry, Identity, Kind, Needs, Type
from accounts.vault.errors import AlreadyListed, Damaged, NotListed, ParseError, Reason, TooLarge, Unsupported
from accounts.vault.list import (
    MAX_BYTES,
    MAX_ENTRIES,
    AccountList,
    BackupKey,
    Comparison,
    Protection,
    Relation,
    Trashed,
    _most_bytes,
    higher_counter,
)
from accounts.vault.secret import Secret
from tests.accounts.vault.support import id_of, ids, new_entry, new_list

KEYS = (BackupKey(slot=id_of(9), kind="words", hint=Secret(b"hint"), key=Secret(bytes(32))),)


BOB = Identity("entra", "https://login.example/v2.0", "0000-bob")


def by_name(number: int, **fields: object) -> Entry:
    """A work account as a restore brings it back."""
    given = {"kind": Kind.WORK, "needs": Needs.SIGN_IN, "secret": None, **fields}
    return new_entry(number, issuer="Contoso", name=f"bob{number}", **given)


def counter_entry(number: int = 1, counter: int = 0) -> Entry:
    return new_entry(number, type=Type.HOTP, counter=counter)


def test_a_list_is_protected_another_way_and_is_itself_where_it_is_already() -> None:
    accounts = new_list(1)

    by_key = accounts.protected_by(Protection.KEY)

    assert (by_key.backup_protection, by_key.entries) == (Protection.KEY, accounts.entries)
    assert by_key.protected_by(Protection.KEY) is by_key
    assert AccountList.from_bytes(by_key.to_bytes()) == by_key
    assert by_key.protected_by(Protection.SIGN_IN) == accounts


def test_a_backup_key_joins_takes_the_place_of_its_own_slots_and_goes_with_it() -> None:
    first, second = (BackupKey(id_of(n), "words", Secret(b"hint"), Secret(bytes(32))) for n in (8, 9))
    newer = replace(first, key=Secret(bytes(31) + b"x"))

    both = new_list(1).with_backup_key(first).with_backup_key(second)
    changed = both.with_backup_key(newer)

    assert both.backup_keys == (first, second)
    assert changed.backup_keys == (second, newer)
    assert changed.without_backup_keys([id_of(9), id_of(1)]).backup_keys == (newer,)
    assert changed.without_backup_keys([id_of(1)]) is changed


def test_counters_go_on_by_as_many_codes_as_were_lost() -> None:
    accounts = AccountList().add(counter_entry(1, counter=7)).add(new_entry(2)).add(counter_entry(3, counter=2**63 - 2))
    accounts = accounts.trash_entry(id_of(1), 50)

    further = accounts.counted_on(2)

    assert further.in_trash(id_of(1)).entry.counter == 9
    assert [further.get(id_of(2)), further.get(id_of(3)).counter] == [new_entry(2), 2**63 - 1]
    assert accounts.counted_on(0) is accounts


def test_an_added_account_stands_at_the_end_and_the_old_list_is_as_it_was() -> None:
    before = new_list(1, 2)

    after = before.add(new_entry(3))

    assert (ids(before), ids(after)) == ([1, 2], [1, 2, 3])
    assert (id_of(3) in after, id_of(3) in before, 3 in after) == (True, False, False)
    assert after.get(id_of(3)) == new_entry(3)
    assert (len(after), list(after)) == (3, [new_entry(1), new_entry(2), new_entry(3)])


def test_the_same_account_is_not_added_again() -> None:
    accounts = new_list(1, 2)

    with pytest.raises(AlreadyListed) as caught:
        accounts.add(replace(new_entry(2), id=id_of(7), note="again"))

    assert (caught.value.entry, caught.value.in_trash) == (new_entry(2), False)


def test_an_id_is_never_used_twice() -> None:
    accounts = new_list(1, 2).trash_entry(id_of(2), 50)

    for number, in_trash in ((1, False), (2, True)):
        with pytest.raises(AlreadyListed) as caught:
            accounts.add(new_entry(number, name="other"))
        assert (caught.value.entry, caught.value.in_trash) == (new_entry(number), in_trash)


def test_a_second_account_of_one_name_overwrites_nothing() -> None:
    one, two = new_entry(1, name="bob", secret=Secret(b"one")), new_entry(2, name="bob", secret=Secret(b"two"))

    accounts = AccountList().add(one).add(two)

    assert accounts.entries == (one, two)


def test_many_are_added_all_or_none_and_compared_with_one_another_too() -> None:
    accounts = new_list(1)
    twin = replace(new_entry(2), id=id_of(5))

    assert ids(accounts.add_many([new_entry(2), new_entry(3)])) == [1, 2, 3]
    with pytest.raises(AlreadyListed) as caught:
        accounts.add_many([new_entry(2), new_entry(3), twin])
    assert caught.value.entry == new_entry(2)
    assert ids(accounts) == [1]


def test_compare_tells_new_same_and_clash() -> None:
    listed = new_entry(1, name="bob", secret=Secret(b"one"))
    accounts = AccountList((listed,))
    same = replace(listed, id=id_of(2), name="BOB ")

    assert accounts.compare(new_entry(2)) == Comparison(Relation.NEW, None)
    assert accounts.compare(same) == Comparison(Relation.SAME, listed)
    assert accounts.compare(replace(same, digits=8)) == Comparison(Relation.CLASH, listed)
    assert accounts.trash_entry(listed.id, 1).compare(same) == Comparison(Relation.NEW, None)


def test_compare_finds_the_same_among_several_of_one_name() -> None:
    several = tuple(new_entry(n, name="bob", secret=Secret(bytes([n]))) for n in range(1, 5))

    found = AccountList(several).compare(replace(several[2], id=id_of(9)))

    assert found == Comparison(Relation.SAME, several[2])


def test_accounts_of_two_people_kept_by_one_name_stand_beside_each_other() -> None:
    named: dict[str, object] = {"name": "bob", "secret": None, "kind": Kind.WORK}
    one, two = (new_entry(n, **named, identity=Identity("entra", "https://issuer.example", f"uid {n}")) for n in (1, 2))
    again = replace(two, id=id_of(3))

    accounts = AccountList((one,)).add(two)

    assert accounts.entries == (one, two)
    assert accounts.compare(again) == Comparison(Relation.SAME, two)
    with pytest.raises(AlreadyListed) as caught:
        accounts.add(again)
    assert caught.value.entry == two


def test_a_rename_changes_one_account_alone() -> None:
    accounts = new_list(1, 2, 3).rename(id_of(2), issuer="GitLab", name=" bob ")

    assert accounts.entries == (new_entry(1), replace(new_entry(2), issuer="GitLab", name="bob"), new_entry(3))
    assert accounts.rename(id_of(2), issuer="GitLab", name="bob") == accounts


def test_a_rename_never_makes_two_of_one_account() -> None:
    one, two = (new_entry(n, name=f"bob{n}", secret=Secret(b"one key")) for n in (1, 2))
    accounts = AccountList((one, two))

    with pytest.raises(AlreadyListed) as caught:
        accounts.rename(two.id, issuer="GITHUB", name="bob1")

    assert caught.value.entry == one


def test_note_and_pin_change_one_account_alone() -> None:
    accounts = new_list(1, 2).note(id_of(1), "a\r\nb ").pin(id_of(2), True)

    assert accounts.entries == (replace(new_entry(1), note="a\nb"), replace(new_entry(2), pinned=True))
    assert accounts.pin(id_of(2), False).get(id_of(2)) == new_entry(2)
    with pytest.raises(ParseError):
        accounts.note(id_of(1), "x" * 2001)
    with pytest.raises(ParseError):
        accounts.rename(id_of(1), issuer="", name="")


def test_pinned_accounts_are_shown_first_in_the_order_of_the_list() -> None:
    accounts = new_list(1, 2, 3, 4).pin(id_of(3), True).pin(id_of(4), True)

    assert [int(entry.id, 16) for entry in accounts.ordered()] == [3, 4, 1, 2]
    assert ids(accounts) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("number", "place", "order"),
    [
        (1, 0, [1, 2, 3]),
        (1, 1, [2, 1, 3]),
        (1, 2, [2, 3, 1]),
        (3, 0, [3, 1, 2]),
        (3, -5, [3, 1, 2]),
        (1, 99, [2, 3, 1]),
    ],
)
def test_a_moved_account_stands_at_its_new_place(number: int, place: int, order: list[int]) -> None:
    assert ids(new_list(1, 2, 3).move(id_of(number), place)) == order


def test_every_order_can_be_asked_for() -> None:
    for order in permutations([1, 2, 3, 4]):
        assert ids(new_list(1, 2, 3, 4).reorder([id_of(n) for n in order])) == list(order)


def test_sorting_what_one_browser_knew_loses_nothing_of_what_another_did() -> None:
    meanwhile = new_list(1, 2, 3).add(new_entry(4)).trash_entry(id_of(2), 5)

    sorted_ = meanwhile.reorder([id_of(3), id_of(2), id_of(1), id_of(3), "nonsense"])

    assert ids(sorted_) == [3, 1, 4]
    assert [trashed.entry.id for trashed in sorted_.trash] == [id_of(2)]


def test_a_trashed_account_comes_back_to_its_place() -> None:
    accounts = new_list(1, 2, 3)

    trashed = accounts.trash_entry(id_of(2), 500)

    assert ids(trashed) == [1, 3]
    assert trashed.in_trash(id_of(2)) == Trashed(new_entry(2), at=500, place=1)
    assert trashed.put_back(id_of(2)) == accounts
    assert accounts.put_back(id_of(2)) is accounts  # Twice, it is there already.
    assert id_of(2) not in trashed


def test_an_account_comes_back_to_the_end_of_a_shorter_list() -> None:
    accounts = new_list(1, 2, 3).trash_entry(id_of(3), 1).trash_entry(id_of(1), 2).trash_entry(id_of(2), 3)

    assert ids(accounts.put_back(id_of(3))) == [3]


def test_an_account_that_was_added_again_meanwhile_does_not_come_back_twice() -> None:
    again = replace(new_entry(1), id=id_of(7))
    accounts = new_list(1).trash_entry(id_of(1), 1).add(again)

    with pytest.raises(AlreadyListed) as caught:
        accounts.put_back(id_of(1))

    assert caught.value.entry == again


def test_an_account_that_was_signed_in_to_again_meanwhile_does_not_come_back_beside_it() -> None:
    who = Identity("microsoft", "https://issuer.example", "uid 1")
    first = new_entry(1, kind=Kind.PERSONAL_CODE, identity=who)
    again = new_entry(
        2, kind=Kind.PERSONAL_PASSWORDLESS, secret=None, name="mine", identity=replace(who, role="another")
    )
    other = new_entry(3, kind=Kind.WORK, secret=None, identity=replace(who, uid="uid 3"))
    accounts = AccountList((first, other)).trash_entry(id_of(1), 1)
    both = accounts.add(again)

    with pytest.raises(AlreadyListed) as caught:
        both.put_back(id_of(1))

    assert caught.value.entry == again
    assert ids(accounts.put_back(id_of(1))) == [1, 3]  # People of one issuer do not stand in each other's way.
    assert ids(both.trash_entry(id_of(2), 2).put_back(id_of(1))) == [1, 3]


def test_the_account_that_stands_for_one_elsewhere_is_found_by_issuer_and_id() -> None:
    who = Identity("entra", "https://issuer.example", "uid 1")
    entry = new_entry(2, kind=Kind.WORK, secret=None, identity=who)
    accounts = AccountList((new_entry(1), entry))

    assert accounts.standing_for("https://issuer.example", "uid 1") == entry
    assert accounts.standing_for("https://another.example", "uid 1") is None
    assert accounts.standing_for("https://issuer.example", "uid 2") is None
    assert accounts.trash_entry(id_of(2), 1).standing_for("https://issuer.example", "uid 1") is None


def test_only_what_is_in_the_trash_is_deleted() -> None:
    accounts = new_list(1, 2).trash_entry(id_of(2), 1)

    assert accounts.delete(id_of(2)) == new_list(1)
    with pytest.raises(NotListed):
        accounts.delete(id_of(1))


def test_old_trash_goes_and_young_trash_stays() -> None:
    accounts = new_list(1, 2, 3).trash_entry(id_of(1), 100).trash_entry(id_of(2), 200)

    assert [row.at for row in accounts.without_trash_before(200).trash] == [200]
    assert accounts.without_trash_before(100) is accounts
    assert accounts.without_trash_before(201).trash == ()


@pytest.mark.parametrize(
    "operation",
    [
        lambda accounts, id: accounts.get(id),
        lambda accounts, id: accounts.in_trash(id),
        lambda accounts, id: accounts.rename(id, issuer="a", name="b"),
        lambda accounts, id: accounts.note(id, ""),
        lambda accounts, id: accounts.pin(id, True),
        lambda accounts, id: accounts.move(id, 0),
        lambda accounts, id: accounts.trash_entry(id, 1),
        lambda accounts, id: accounts.put_back(id),
        lambda accounts, id: accounts.delete(id),
        lambda accounts, id: accounts.next_counter(id),
        lambda accounts, id: accounts.signed_in(id, BOB, 1),
        lambda accounts, id: accounts.with_code(id, new_entry(1)),
        lambda accounts, id: accounts.by_name_only(id),
    ],
)
def test_an_unknown_account_is_not_listed(operation) -> None:
    with pytest.raises(NotListed):
        operation(new_list(1, 2).trash_entry(id_of(2), 1), id_of(3))


def test_a_counter_goes_up_by_one() -> None:
    accounts = AccountList((counter_entry(1, 7), new_entry(2)))

    assert accounts.next_counter(id_of(1)).entries == (counter_entry(1, 8), new_entry(2))


def test_a_counter_of_a_backup_is_of_now_once_its_code_was_taken() -> None:
    accounts = AccountList((replace(counter_entry(1, 7), as_of=1_700_000_000), new_entry(2)))

    assert accounts.next_counter(id_of(1)).entries == (counter_entry(1, 8), new_entry(2))


def test_of_when_a_counter_is_comes_with_it() -> None:
    restored, here = replace(counter_entry(1, 7), as_of=1_700_000_000), counter_entry(1, 5)

    assert higher_counter(here, restored) == restored
    assert higher_counter(replace(here, as_of=9), counter_entry(1, 8)) == counter_entry(1, 8)
    assert higher_counter(restored, here) == restored


def test_an_account_that_was_signed_in_to_waits_no_more_and_has_no_code_by_that() -> None:
    accounts = AccountList((new_entry(1), by_name(2, note="kept"), by_name(3, needs=Needs.KEPT)))

    after = accounts.signed_in(id_of(2), BOB, 77)

    signed_in = by_name(2, note="kept", needs=None, identity=BOB, signed_in=77)
    assert after.entries == (new_entry(1), signed_in, by_name(3, needs=Needs.KEPT))
    assert after.signed_in(id_of(2), replace(BOB, uid="another"), 78) is after
    assert after.signed_in(id_of(3), replace(BOB, uid="another"), 78).get(id_of(3)).needs is None


def test_of_two_accounts_one_stands_for_an_outside_account() -> None:
    there = by_name(1, needs=None, identity=BOB, signed_in=5)
    accounts = AccountList((there, by_name(2), by_name(3, identity=BOB)))

    for number in (2, 3):
        with pytest.raises(AlreadyListed) as caught:
            accounts.signed_in(id_of(number), replace(BOB, role="microsoft"), 77)
        assert caught.value.entry == there
    assert AccountList((by_name(3, identity=BOB),)).signed_in(id_of(3), BOB, 77).get(id_of(3)).signed_in == 77


def test_a_code_comes_to_the_account_whose_it_is_and_changes_nothing_else_of_it() -> None:
    back = by_name(2, needs=Needs.SCAN, pinned=True, note="kept", added=3)
    code = new_entry(9, type=Type.HOTP, algorithm=Algorithm.SHA256, digits=8, counter=4, note="of the code")
    accounts = AccountList((new_entry(1), back, new_entry(3)))

    after = accounts.with_code(id_of(2), code)

    made = {"type": Type.HOTP, "algorithm": Algorithm.SHA256, "digits": 8, "counter": 4}
    coded = replace(back, secret=code.secret, needs=None, **made)
    assert after.entries == (new_entry(1), coded, new_entry(3))
    with pytest.raises(AlreadyListed) as twice:
        after.with_code(id_of(2), new_entry(8))
    assert twice.value.entry == coded


def test_a_code_that_would_make_one_account_twice_is_refused() -> None:
    there = new_entry(1, issuer="Contoso", name="bob2")
    accounts = AccountList((there, by_name(2)))

    with pytest.raises(AlreadyListed) as caught:
        accounts.with_code(id_of(2), there)

    assert caught.value.entry == there


def test_a_name_is_kept_of_what_waits_alone() -> None:
    accounts = AccountList((new_entry(1), by_name(2), by_name(3, needs=Needs.SCAN)))

    after = accounts.by_name_only(id_of(2)).by_name_only(id_of(3))

    assert [entry.needs for entry in after.entries] == [None, Needs.KEPT, Needs.KEPT]
    assert after.by_name_only(id_of(1)) is after
    assert after.by_name_only(id_of(2)) is after


def test_only_a_counter_account_has_a_next_counter() -> None:
    name_only = Entry.new(id=id_of(3), kind=Kind.WORK, issuer="A", name="b", secret=None, type=Type.HOTP)
    accounts = AccountList((new_entry(1), counter_entry(2, 2**63 - 1), name_only))

    for number, reason in ((1, Reason.NOT_A_COUNTER), (2, Reason.COUNTER), (3, Reason.NOT_A_COUNTER)):
        with pytest.raises(ParseError) as caught:
            accounts.next_counter(id_of(number))
        assert caught.value.reason is reason


def test_undo_takes_accounts_and_trash_of_the_older_state_and_nothing_else() -> None:
    older = new_list(1, 2, 3).trash_entry(id_of(3), 9)
    now = AccountList((new_entry(2, note="new"), new_entry(4)), (), Protection.KEY, KEYS)

    undone = now.undone_to(older)

    assert (undone.entries, undone.trash) == (older.entries, older.trash)
    assert (undone.backup_protection, undone.backup_keys) == (Protection.KEY, KEYS)


def test_no_counter_falls_by_undo() -> None:
    older = AccountList((counter_entry(1, 3), counter_entry(2, 3))).trash_entry(id_of(2), 9)
    now = AccountList((counter_entry(1, 8), counter_entry(2, 5)))
    trashed = now.trash_entry(id_of(1), 10)

    for state in (now, trashed):
        undone = state.undone_to(older)
        assert (undone.entries[0].counter, undone.trash[0].entry.counter) == (8, 5)
    assert older.undone_to(now).entries[0].counter == 8


def test_of_two_counters_the_higher_one_counts() -> None:
    assert higher_counter(counter_entry(1, 3), counter_entry(1, 5)).counter == 5
    assert higher_counter(counter_entry(1, 5), counter_entry(1, 3)).counter == 5
    assert higher_counter(counter_entry(1, 5), None).counter == 5
    assert higher_counter(new_entry(1), counter_entry(1, 5)) == new_entry(1)


def test_the_list_holds_2000_accounts_the_trash_included() -> None:
    full = AccountList(tuple(new_entry(n) for n in range(MAX_ENTRIES))).trash_entry(id_of(0), 1)

    assert full.checked() is full
    with pytest.raises(TooLarge) as caught:
        full.add(new_entry(MAX_ENTRIES))
    assert dict(caught.value.facts) == {"found": 2001, "allowed": 2000, "unit": "entries"}


def test_a_list_of_two_million_bytes_is_refused_with_its_figure() -> None:
    accounts = AccountList(tuple(new_entry(n, note="x" * 2000) for n in range(860)))

    with pytest.raises(TooLarge) as caught:
        accounts.checked()

    size = len(json.dumps([entry.to_document() for entry in accounts], separators=(",", ":")))
    frame = len('{"backup_keys":[],"backup_protection":"sign_in","entries":,"trash":[],"v":1}')
    assert dict(caught.value.facts) == {"found": size + frame, "allowed": MAX_BYTES, "unit": "bytes"}


def test_a_byte_over_a_million_is_refused_by_every_way_in() -> None:
    accounts = AccountList(tuple(new_entry(n, note="x" * 2000) for n in range(430)))
    number = 430
    while MAX_BYTES - len(accounts.to_bytes()) > 2400:
        accounts = accounts.add(new_entry(number, note="x" * 1500))
        number += 1
    accounts = accounts.add(new_entry(number, note="-"))
    exact = accounts.note(id_of(number), "x" * (1 + MAX_BYTES - len(accounts.to_bytes())))

    assert len(exact.to_bytes()) == MAX_BYTES
    with pytest.raises(TooLarge) as caught:
        exact.rename(id_of(0), issuer="GitHub", name="alice0@example.org" + "x")
    assert caught.value.found == MAX_BYTES + 1
    with pytest.raises(TooLarge):
        exact.add(new_entry(5000))
    with pytest.raises(TooLarge):
        exact.trash_entry(id_of(0), 1)


def test_the_quick_bound_is_never_below_the_real_size() -> None:
    wide = "\U0001f468" * 256
    entry = new_entry(
        issuer=wide,
        name='"' * 256,
        secret=Secret(b"\xff" * 640),
        kind=Kind.PERSONAL_PASSWORDLESS,
        type=Type.HOTP,
        algorithm=Algorithm.SHA512,
        digits=10,
        counter=2**63 - 1,
        note="\n" * 1000 + "x\\" * 500,
        tags=("t", wide[:64]) * 10,
        icon="i" * 64,
        added=2**63 - 1,
        needs=Needs.SIGN_IN,
        identity=Identity("r" * 100, wide, wide * 2),
        signed_in=2**63 - 1,
        as_of=2**63 - 1,
    )
    row = {"entry": entry.to_document(), "at": 2**63 - 1, "place": 1999}

    for tried in (entry, replace(entry, secret=Secret(b"x")), replace(entry, secret=None, identity=None, tags=())):
        assert _most_bytes(tried) > len(json.dumps(tried.to_document(), ensure_ascii=False).encode())
    assert _most_bytes(entry) > len(json.dumps(row, ensure_ascii=False).encode())


def test_a_list_comes_back_from_its_bytes() -> None:
    accounts = AccountList(new_list(1, 2).entries, (), Protection.KEY, KEYS).trash_entry(id_of(1), 77)

    data = accounts.to_bytes()

    assert AccountList.from_bytes(data) == accounts
    assert AccountList.from_bytes(data).to_bytes() == data
    assert list(json.loads(data)) == ["backup_keys", "backup_protection", "entries", "trash", "v"]


def test_an_empty_document_is_an_empty_list() -> None:
    assert AccountList.from_bytes(b'{"v":1}') == AccountList()
    assert repr(AccountList()) == "AccountList(0 entries, 0 in the Trash)"


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b'{"v":true}',
        b'{"v":"1"}',
        b'{"v":1,"entries":5}',
        b'{"v":1,"entries":[{}]}',
        b'{"v":1,"trash":[{"at":1}]}',
        b'{"v":1,"trash":["a"]}',
        b'{"v":1,"backup_protection":"none"}',
        b'{"v":1,"backup_keys":[{}]}',
        b'{"v":1,"entries":{"a":1}}',
        b'{"v":1.0}',
    ],
)
def test_a_document_of_another_shape_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        AccountList.from_bytes(data)


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_document_of_a_version_to_come_is_told_apart(version: int) -> None:
    with pytest.raises(Unsupported) as caught:
        AccountList.from_bytes(b'{"v":%d}' % version)

    assert dict(caught.value.facts) == {"found": version}


def test_no_account_is_ever_lost_or_doubled_whatever_is_done_in_whatever_order() -> None:
    chance = random.Random(20)
    for _ in range(30):
        accounts, numbers, states = AccountList(), 0, [AccountList()]
        counters: dict[str, int] = {}
        for _ in range(60):
            listed = [entry.id for entry in accounts.entries]
            trashed = [row.entry.id for row in accounts.trash]
            act = chance.choice(["add", "add", "move", "reorder", "trash", "back", "next", "undo", "pin"])
            if act == "add":
                numbers += 1
                accounts = accounts.add(counter_entry(numbers))
            elif act == "move" and listed:
                accounts = accounts.move(chance.choice(listed), chance.randrange(-1, 9))
            elif act == "reorder":
                accounts = accounts.reorder(chance.sample(listed + trashed, len(listed + trashed) // 2))
            elif act == "trash" and listed:
                accounts = accounts.trash_entry(chance.choice(listed), 5)
            elif act == "back" and trashed:
                accounts = accounts.put_back(chance.choice(trashed))
            elif act == "next" and listed:
                accounts = accounts.next_counter(chance.choice(listed))
            elif act == "pin" and listed:
                accounts = accounts.pin(chance.choice(listed), True)
            elif act == "undo":
                accounts = accounts.undone_to(chance.choice(states))
            everything = [*accounts.entries, *(row.entry for row in accounts.trash)]
            assert len({entry.id for entry in everything}) == len(everything)
            if act != "undo":
                assert {entry.id for entry in everything} >= {*listed, *trashed}
            for entry in everything:
                if act != "undo" or entry.id in listed or entry.id in trashed:
                    assert entry.counter >= counters.get(entry.id, 0)
                counters[entry.id] = entry.counter
            states.append(accounts)
