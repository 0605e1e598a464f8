"""The list under its lock: nothing acknowledged is lost, nothing foreign opens, undo never lowers a counter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Draft, Event, User, Vault, VaultState
from accounts.services import codes, devices, vaults
from accounts.services.activity import Tag
from accounts.vault import keys
from accounts.vault.entry import Type
from accounts.vault.errors import Damaged, NotListed, TooLarge
from accounts.vault.list import MAX_ENTRIES, BackupKey
from accounts.vault.secret import Secret
from tests.factories import Visitor, an_entry, create_entry, vault_of


def test_change_works_on_the_list_as_it_stands_not_as_it_was_read(alice_phone: Visitor) -> None:
    early = alice_phone.vault
    assert vaults.read(early).entries == ()
    first = create_entry(on=alice_phone, name="first")
    second = an_entry(name="second")

    vaults.change(early, lambda accounts: accounts.add(second), tag=Tag.ENTRY_ADDED, at=timezone.now())

    assert alice_phone.entries == (first, second)


def test_change_that_changes_nothing_makes_no_state_and_no_line(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    before = (vault_of(alice_phone).version, Event.objects.count())

    vaults.change(alice_phone.vault, lambda a: a.pin(entry.id, False), tag=Tag.ENTRY_PINNED, at=timezone.now())

    assert (vault_of(alice_phone).version, Event.objects.count()) == before


def test_change_that_raises_leaves_everything_as_it_was(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    before = (vault_of(alice_phone).version, VaultState.objects.count(), Event.objects.count())

    with pytest.raises(NotListed):
        vaults.change(alice_phone.vault, lambda a: a.pin("0" * 32, True), tag=Tag.ENTRY_PINNED, at=timezone.now())

    assert (vault_of(alice_phone).version, VaultState.objects.count(), Event.objects.count()) == before


def test_signal_is_sent_inside_the_transaction_with_both_lists_and_no_key(alice_phone: Visitor) -> None:
    heard: list[dict[str, object]] = []

    def listen(**news: object) -> None:
        heard.append(news)

    vaults.changed.connect(listen)
    try:
        entry = create_entry(on=alice_phone)
    finally:
        vaults.changed.disconnect(listen)

    (news,) = heard
    assert set(news) == {"signal", "sender", "vault", "before", "after", "at"}
    assert [len(news["before"]), len(news["after"])] == [0, 1]  # type: ignore[arg-type]
    assert news["after"].entries == (entry,)  # type: ignore[attr-defined]


def test_listener_that_raises_undoes_the_change(alice_phone: Visitor) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError

    vaults.changed.connect(refuse)
    try:
        with pytest.raises(RuntimeError):
            create_entry(on=alice_phone)
    finally:
        vaults.changed.disconnect(refuse)

    assert alice_phone.entries == ()


def test_ten_states_are_kept(alice_phone: Visitor) -> None:
    for number in range(14):
        create_entry(on=alice_phone, name=f"account {number}")

    kept = sorted(VaultState.objects.values_list("version", flat=True))

    assert kept == list(range(6, 16))


def test_old_states_expire_but_the_newest_never(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)

    vaults.expire(timezone.now() + timedelta(days=29))
    after_29 = VaultState.objects.count()
    vaults.expire(timezone.now() + timedelta(days=31))

    assert after_29 == 2
    assert list(VaultState.objects.values_list("version", flat=True)) == [2]


def test_state_of_another_list_does_not_open(alice_phone: Visitor, bob: Visitor) -> None:
    create_entry(on=bob)
    create_entry(on=alice_phone)
    foreign = VaultState.objects.get(vault=vault_of(bob), version=2)
    VaultState.objects.filter(vault=vault_of(alice_phone), version=2).update(sealed=bytes(foreign.sealed))

    with pytest.raises(Damaged):
        vaults.read(alice_phone.vault)
    assert len(vaults.read(bob.vault)) == 1


def test_state_put_under_another_number_does_not_open(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="first")
    create_entry(on=alice_phone, name="second")
    older = VaultState.objects.get(vault=vault_of(alice_phone), version=2)
    VaultState.objects.filter(version=3).update(sealed=bytes(older.sealed))

    with pytest.raises(Damaged):
        vaults.read(alice_phone.vault)


def test_list_that_was_read_counts_under_its_own_number_alone(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    vault, row = alice_phone.vault, vault_of(alice_phone)
    before = vaults.read(vault)
    newest = row.states.get(version=row.version)
    VaultState.objects.create(
        vault=row, version=row.version + 1, sealed=newest.sealed, act=newest.act, made_at=newest.made_at
    )
    Vault.objects.filter(pk=row.pk).update(version=row.version + 1)

    with pytest.raises(Damaged):
        vaults.change(vault, lambda accounts: accounts.add(an_entry()), tag=Tag.ENTRY_ADDED, at=timezone.now())

    assert vault.opened is before


def test_states_that_are_kept_are_read_but_for_those_that_do_not_open(alice_phone: Visitor) -> None:
    for name in ("first", "second"):
        create_entry(on=alice_phone, name=name)
    VaultState.objects.filter(version=2).update(sealed=b"\x01" * 4200)

    assert sorted(len(accounts) for accounts in vaults.kept(alice_phone.vault)) == [0, 2]


def test_mend_goes_on_from_the_last_state_that_opens(alice_phone: Visitor) -> None:
    first = create_entry(on=alice_phone, name="first")
    create_entry(on=alice_phone, name="second")
    VaultState.objects.filter(version=3).update(sealed=b"\x01" * 4200)

    vaults.mend(alice_phone.vault, at=timezone.now())

    assert alice_phone.entries == (first,)
    assert vault_of(alice_phone).version == 4


def test_mend_gives_no_counter_code_twice(alice_phone: Visitor) -> None:
    """The state that is damaged was the one which kept the counter of the last code."""
    counter = create_entry(on=alice_phone, name="counter", type=Type.HOTP)
    given = [codes.next_code(alice_phone.vault, counter.id, at=timezone.now()).first for _ in range(2)]
    VaultState.objects.filter(version=vault_of(alice_phone).version).update(sealed=b"\x01" + bytes(4200))

    vaults.mend(alice_phone.vault, at=timezone.now())
    after = codes.next_code(alice_phone.vault, counter.id, at=timezone.now()).first

    assert len({*given, after}) == 3


def a_key(slot: str) -> BackupKey:
    return BackupKey(slot, "words", Secret(b"hint"), Secret(bytes(32)))


def test_key_that_was_removed_does_not_come_back_by_mending_or_by_undo(alice_phone: Visitor) -> None:
    """Whose slot is gone is gone from the list too, though an older state still has it."""
    kept = alice_phone.device.slots.get().pk.hex
    for slot in (kept, "0" * 32):
        vaults.change(
            alice_phone.vault,
            lambda accounts, slot=slot: accounts.with_backup_key(a_key(slot)),
            tag=Tag.WORDS_MADE,
            at=timezone.now(),
        )
    create_entry(on=alice_phone, name="a")
    VaultState.objects.filter(version=vault_of(alice_phone).version).update(sealed=b"\x01" + bytes(4200))

    mended = vaults.mend(alice_phone.vault, at=timezone.now())

    assert [key.slot for key in mended.backup_keys] == [kept]


def test_undo_is_not_held_up_by_keys_and_leaves_them(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")
    version = vault_of(alice_phone).version
    vaults.change(
        alice_phone.vault,
        lambda accounts: accounts.with_backup_key(a_key("1" * 32)),
        tag=Tag.WORDS_MADE,
        at=timezone.now(),
    )

    undone = vaults.undo(alice_phone.vault, version, at=timezone.now())

    assert [len(undone), [key.slot for key in undone.backup_keys]] == [0, ["1" * 32]]


def test_list_of_somebody_who_leaves_can_only_be_read(alice_phone: Visitor) -> None:
    counter = create_entry(on=alice_phone, name="counter", type=Type.HOTP)
    User.objects.update(deletes_at=timezone.now() + timedelta(hours=24))

    with pytest.raises(vaults.BeingDeleted):
        create_entry(on=alice_phone, name="a")
    codes.next_code(alice_phone.vault, counter.id, at=timezone.now())

    assert [(entry.name, entry.counter) for entry in alice_phone.entries] == [("counter", 1)]


def test_key_opens_its_own_list_alone(alice_phone: Visitor, bob: Visitor) -> None:
    hers, his = vault_of(alice_phone), vault_of(bob)
    key = alice_phone.vault.key

    opened = [vaults.opens(row, one) for row, one in ((hers, key), (his, key), (hers, keys.new_vault_key()))]

    assert opened == [True, False, False]


def test_mend_of_a_list_that_opens_changes_nothing(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)

    vaults.mend(alice_phone.vault, at=timezone.now())

    assert vault_of(alice_phone).version == 2


# -- Undo -------------------------------------------------------------------------------------------------------------


def test_undo_puts_back_entries_and_trash(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    vaults.change(
        alice_phone.vault, lambda a: a.trash_entry(entry.id, 1_800_000_000), tag=Tag.ENTRY_TRASHED, at=timezone.now()
    )

    vaults.undo(alice_phone.vault, 3, at=timezone.now())

    assert alice_phone.entries == (entry,)
    assert vaults.read(alice_phone.vault).trash == ()


@pytest.mark.row("T46")
def test_undo_never_lowers_a_counter(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, type=Type.HOTP, counter=5)
    create_entry(on=alice_phone, name="another")
    for _ in range(3):
        vaults.change(alice_phone.vault, lambda a: a.next_counter(entry.id), tag=Tag.ENTRY_COUNTED, at=timezone.now())

    vaults.undo(alice_phone.vault, 3, at=timezone.now())

    assert alice_phone.entries == (replace(entry, counter=8),)


def test_what_was_undone_is_known_with_its_time_until_that_is_undone_too(alice_phone: Visitor) -> None:
    known, at = [], timezone.now()
    for name in ("first", "second"):  # States 2 and 3.
        create_entry(on=alice_phone, name=name)
    for number, version in enumerate((3, 4, 2)):
        known.append([vaults.undone_at(alice_phone.vault, state) for state in (2, 3)])
        vaults.undo(alice_phone.vault, version, at=at + timedelta(minutes=number), all_since=True)
    known.append([vaults.undone_at(alice_phone.vault, state) for state in (2, 3)])

    last = at + timedelta(minutes=2)
    assert known == [[None, None], [None, at], [None, None], [last, last]]


def test_undo_after_later_changes_names_them_first(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="first")
    create_entry(on=alice_phone, name="second")
    create_entry(on=alice_phone, name="third")

    with pytest.raises(vaults.ChangedSince) as since:
        vaults.undo(alice_phone.vault, 3, at=timezone.now())
    asked = [state.act for state in since.value.states]
    vaults.undo(alice_phone.vault, 3, at=timezone.now(), all_since=True)

    assert asked == [Tag.ENTRY_ADDED]
    assert [entry.name for entry in alice_phone.entries] == ["first"]


def test_undo_of_a_state_no_longer_kept_is_refused(alice_phone: Visitor) -> None:
    for number in range(12):
        create_entry(on=alice_phone, name=f"account {number}")

    with pytest.raises(vaults.NothingToUndo):
        vaults.undo(alice_phone.vault, 3, at=timezone.now())
    with pytest.raises(vaults.NothingToUndo):
        vaults.undo(alice_phone.vault, 99, at=timezone.now())


# -- The cap ----------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-30", "allowed")
def test_list_takes_2000_accounts_trash_included_and_not_one_more(alice_phone: Visitor) -> None:
    entries = tuple(an_entry(name=f"{number}") for number in range(MAX_ENTRIES))
    vaults.change(alice_phone.vault, lambda a: a.add_many(entries), tag=Tag.ENTRY_ADDED, at=timezone.now())
    vaults.change(
        alice_phone.vault,
        lambda a: a.trash_entry(entries[0].id, vaults.seconds(timezone.now())),
        tag=Tag.ENTRY_TRASHED,
        at=timezone.now(),
    )

    with pytest.raises(TooLarge) as refused:
        create_entry(on=alice_phone, name="one more")

    assert (refused.value.found, refused.value.allowed, refused.value.unit) == (2001, 2000, "entries")
    assert len(alice_phone.entries) == 1999


def test_trash_older_than_30_days_goes_with_the_next_change(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    at = timezone.now()
    vaults.change(
        alice_phone.vault, lambda a: a.trash_entry(entry.id, vaults.seconds(at)), tag=Tag.ENTRY_TRASHED, at=at
    )

    kept = an_entry(name="day 29")
    vaults.change(alice_phone.vault, lambda a: a.add(kept), tag=Tag.ENTRY_ADDED, at=at + timedelta(days=29))
    on_day_29 = len(vaults.read(alice_phone.vault).trash)
    vaults.change(alice_phone.vault, lambda a: a.pin(kept.id, True), tag=Tag.ENTRY_PINNED, at=at + timedelta(days=31))

    assert [on_day_29, len(vaults.read(alice_phone.vault).trash)] == [1, 0]


def test_trash_older_than_30_days_is_no_change_by_itself(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    at = timezone.now()
    vaults.change(
        alice_phone.vault, lambda a: a.trash_entry(entry.id, vaults.seconds(at)), tag=Tag.ENTRY_TRASHED, at=at
    )
    version = vault_of(alice_phone).version

    vaults.change(alice_phone.vault, lambda a: a, tag=Tag.RESTORED, at=at + timedelta(days=31))

    assert (vault_of(alice_phone).version, len(vaults.read(alice_phone.vault).trash)) == (version, 1)


# -- Drafts -----------------------------------------------------------------------------------------------------------


def test_draft_is_sealed_and_taken_once(alice_phone: Visitor) -> None:
    at = timezone.now()
    draft = vaults.hold(alice_phone.vault, {"of": "alice"}, kind=Draft.Kind.ADD, at=at)

    seen = vaults.look(alice_phone.vault, draft.pk, kind=Draft.Kind.ADD, at=at)
    taken = vaults.take(alice_phone.vault, draft.pk, kind=Draft.Kind.ADD, at=at)

    assert [seen, taken] == [{"of": "alice"}, {"of": "alice"}]
    assert b"alice" not in bytes(draft.sealed)
    with pytest.raises(vaults.DraftGone):
        vaults.take(alice_phone.vault, draft.pk, kind=Draft.Kind.ADD, at=at)


def test_draft_runs_out_after_15_minutes(alice_phone: Visitor) -> None:
    at = timezone.now()
    draft = vaults.hold(alice_phone.vault, {}, kind=Draft.Kind.ADD, at=at)

    seen = vaults.look(alice_phone.vault, draft.pk, kind=Draft.Kind.ADD, at=at + timedelta(minutes=14, seconds=59))
    with pytest.raises(vaults.DraftGone):
        vaults.look(alice_phone.vault, draft.pk, kind=Draft.Kind.ADD, at=at + timedelta(minutes=15))
    vaults.expire(at + timedelta(minutes=15))

    assert seen == {}
    assert not Draft.objects.exists()


def test_draft_of_another_list_device_or_kind_is_not_found(alice_phone: Visitor, bob: Visitor) -> None:
    at = timezone.now()
    draft = vaults.hold(alice_phone.vault, {}, kind=Draft.Kind.ADD, at=at)

    for vault, kind in ((bob.vault, Draft.Kind.ADD), (alice_phone.vault, Draft.Kind.RESTORE)):
        with pytest.raises(vaults.DraftGone):
            vaults.look(vault, draft.pk, kind=kind, at=at)
    Draft.objects.filter(pk=draft.pk).update(device=bob.device)
    with pytest.raises(vaults.DraftGone):
        vaults.look(alice_phone.vault, draft.pk, kind=Draft.Kind.ADD, at=at)


def test_open_vault_prints_no_key(alice_phone: Visitor) -> None:
    vault = alice_phone.vault
    vaults.read(vault)

    assert "key" not in repr(vault)
    assert "sealed" not in repr(vault)


def test_vault_begins_with_the_list_of_its_device(alice_phone: Visitor) -> None:
    assert Vault.objects.get().name == "Alice's phone"
    assert devices.has_list(alice_phone.user)


def test_coders_of_a_list_are_its_accounts_with_codes_read_or_not(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="first")
    create_entry(on=alice_phone, name="second", type=Type.HOTP, counter=3)

    unread, read = alice_phone.vault, alice_phone.vault
    accounts = vaults.read(read)

    assert unread.opened is None
    assert [(one.id, one.secret, one.counter) for one in vaults.coders(unread)] == [
        (entry.id, entry.secret, entry.counter) for entry in accounts
    ]
    assert vaults.coders(read) == accounts.entries


def test_coders_of_a_damaged_list_are_refused(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    VaultState.objects.update(sealed=b"\x01" * 5000)

    with pytest.raises(Damaged):
        vaults.coders(alice_phone.vault)
