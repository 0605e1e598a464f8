"""Cloud Backup on, elsewhere, off: one act each, with its way back; and nothing that was good goes by mistake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import Event, SlotKind, VaultState
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.entry import Identity as EntryIdentity
from accounts.vault.list import Protection
from backups import storage
from backups.models import Backup, Cause, Generation, RecoveryAccount, Status
from backups.services import keeping, switching
from backups.services.switching import AlreadyOn, Answer, KeyNeeded, NotKept, NotOn, Question, TimeOver
from backups.storage import StoreFailed
from tests import factories
from tests.backups import support
from tests.backups.support import FaultyStore, contents, newest, person, turn_on
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

GRACE = timedelta(hours=24)
OTHER = "alice.other@icloud.example"


def streams() -> set[str]:
    """What lies in the store, by stream."""
    return {name.split("/")[3] for name in support.stored()}


# -- On ---------------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-22")
@pytest.mark.article("G-16")
def test_list_is_saved_read_back_and_counted_when_it_is_turned_on(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    at = timezone.now()
    before = support.stored()

    backup = turn_on(alice_phone, at=at)

    assert (before, backup.status(at), backup.count, backup.saved_at, backup.checked_at) == (
        [],
        Status.PROTECTED,
        1,
        at,
        at,
    )
    assert backup.recovery_account.device_type == alice_phone.device.type == "ios"
    assert backup.recovery_account.label == "a…@icloud.example"
    laptop = factories.with_another_device(alice_phone, name="Laptop", type="computer")
    factories.create_entry(on=laptop, name="from the laptop")
    assert [entry.name for entry in contents(newest(backup)).entries] == ["alice@example.org", "from the laptop"]
    assert Backup.objects.count() == 1


def test_turned_on_twice_is_turned_on_once(alice_phone: Visitor) -> None:
    first = turn_on(alice_phone)

    with pytest.raises(AlreadyOn):
        turn_on(alice_phone)

    assert (Backup.objects.get().stream, len(support.stored())) == (first.stream, 1)


def test_nothing_is_on_where_the_first_saved_state_cannot_be_made(alice_phone: Visitor) -> None:
    microsoft = person("alice@outlook.example", role=support.Role.MICROSOFT)  # An iPhone's is iCloud by now.

    with pytest.raises(NotKept) as caught:
        switching.turn_on(alice_phone.vault, microsoft, Protection.SIGN_IN, at=timezone.now())

    assert caught.value.cause is Cause.PROVIDER
    assert [event.reference for event in Event.objects.filter(tag=Tag.BACKUP_FAILED)] == [caught.value.reference]
    assert (Backup.objects.exclude(stream="").exists(), support.stored()) == (False, [])
    assert not Event.objects.filter(tag=Tag.BACKUP_ON).exists()


def test_key_that_nobody_holds_protects_nothing(alice_phone: Visitor) -> None:
    with pytest.raises(KeyNeeded):
        turn_on(alice_phone, protection=Protection.KEY)

    assert not Backup.objects.exists()


def test_removed_device_turns_nothing_on(alice_phone: Visitor) -> None:
    vault = alice_phone.vault
    factories.devices.remove(alice_phone.device, at=timezone.now(), by=None)

    with pytest.raises(vaults.DeviceRemoved):
        switching.turn_on(vault, person(), Protection.SIGN_IN, at=timezone.now())

    assert (Backup.objects.exists(), support.stored()) == (False, [])


@pytest.mark.article("G-10")
def test_backup_that_exists_is_found_and_left_as_it_is(alice_phone: Visitor) -> None:
    other = factories.enrolled("alice.before@example.org", name="Pixel 8", type="ios")
    factories.create_entry(on=other)
    theirs = turn_on(other)
    before = {name: storage.backups().fetch(name) for name in support.stored()}

    (found,) = switching.found(person(), "ios")
    mine = turn_on(alice_phone)

    assert (found.stream, found.generation.count, found.generation.device_name) == (theirs.stream, 1, "Pixel 8")
    assert {name: storage.backups().fetch(name) for name in before} == before
    assert streams() == {theirs.stream, mine.stream}
    assert [one.stream for one in switching.found(person(), "ios", besides=mine)] == [theirs.stream]
    assert switching.found(person(), "android") == switching.found(person(OTHER), "ios") == []


# -- Off --------------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-01")
@pytest.mark.article("S-47")
def test_off_deletes_all_of_it_after_a_day_and_not_before(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    backup, at = turn_on(alice_phone), timezone.now()

    switching.off(backup, device=alice_phone.device, at=at)
    factories.create_entry(on=alice_phone, name="made meanwhile")

    assert Backup.objects.get().status(at) is Status.DELETING
    assert (switching.expire(at + GRACE - timedelta(minutes=1)), len(support.stored())) == (0, 1)
    assert (switching.expire(at + GRACE), support.stored(), Generation.objects.count()) == (1, [], 0)
    after = Backup.objects.get()
    assert (after.status(at), after.vault, after.recovery_account) == (Status.OFF, alice_phone.vault.row, None)
    assert len(vaults.read(alice_phone.vault)) == 2


def test_waiting_bytes_go_too(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    faulty.next("create", storage.Cause.FULL)
    factories.create_entry(on=alice_phone)
    switching.off(backup, device=alice_phone.device, at=at)

    sent = keeping.retry(at + timedelta(minutes=1))
    switching.expire(at + GRACE)

    assert (sent, Generation.objects.count(), support.stored()) == (0, 0, [])


@pytest.mark.article("G-01")
def test_undo_within_the_day_goes_on_with_what_changed_meanwhile(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    switching.off(backup, device=alice_phone.device, at=at)
    factories.create_entry(on=alice_phone, name="made meanwhile")

    switching.undo(backup, device=alice_phone.device, at=at + GRACE - timedelta(minutes=1), vault=alice_phone.vault)

    backup.refresh_from_db()
    assert backup.status(timezone.now()) in (Status.PROTECTED, Status.SAVING)
    assert [entry.name for entry in contents(newest(backup)).entries] == ["made meanwhile"]
    assert switching.expire(at + GRACE) == 0


def test_undo_by_a_browser_without_the_list_says_that_a_change_waits(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    switching.off(backup, device=None, at=at)
    factories.create_entry(on=alice_phone, name="made meanwhile")

    undone = switching.undo(backup, device=None, at=timezone.now())

    assert undone.behind_changes == 1
    switching.back_up(alice_phone.vault, at=timezone.now())
    assert [entry.name for entry in contents(newest(backup)).entries] == ["made meanwhile"]


def test_after_the_day_there_is_no_undo(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    switching.off(backup, device=None, at=at)

    with pytest.raises(TimeOver):
        switching.undo(backup, device=None, at=at + GRACE)

    switching.expire(at + GRACE)
    with pytest.raises(TimeOver):
        switching.undo(backup, device=None, at=at)


def test_off_twice_ends_at_the_first_time(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()

    first = switching.off(backup, device=None, at=at).deletes_at
    second = switching.off(backup, device=None, at=at + timedelta(hours=5)).deletes_at

    assert first == second == at + GRACE
    assert Event.objects.filter(tag=Tag.BACKUP_OFF).count() == 1


def test_delete_now_is_for_what_is_on_its_way_out_alone(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()

    with pytest.raises(NotOn):
        switching.delete_now(backup, device=None, at=at)
    kept = len(support.stored())
    switching.off(backup, device=None, at=at)
    switching.delete_now(backup, device=None, at=at)

    assert (kept, support.stored(), Backup.objects.get().status(at)) == (1, [], Status.OFF)


def test_store_that_does_not_answer_keeps_it_on_its_way_out(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    switching.off(backup, device=None, at=at)
    faulty.next("remove", storage.Cause.UNREACHABLE)

    with pytest.raises(keeping.NotAllDone):
        switching.expire(at + GRACE)

    assert Backup.objects.get().status(at) is Status.DELETING
    assert (switching.expire(at + GRACE), support.stored()) == (1, [])


@pytest.mark.article("S-48")
def test_turned_on_again_after_the_day_is_a_fresh_backup(alice_phone: Visitor) -> None:
    first, at = turn_on(alice_phone), timezone.now()
    switching.off(first, device=None, at=at)
    switching.expire(at + GRACE)

    second = turn_on(alice_phone, at=at + GRACE)

    assert (second.stream != first.stream, streams(), second.high_water) == (True, {second.stream}, 1)


@pytest.mark.article("S-48")
def test_turned_on_again_within_the_day_is_an_undo(alice_phone: Visitor) -> None:
    first, at = turn_on(alice_phone), timezone.now()
    switching.off(first, device=None, at=at)

    second = turn_on(alice_phone, at=at + timedelta(hours=1))

    assert (second.stream, second.deletes_at, streams()) == (first.stream, None, {first.stream})


# -- Another account --------------------------------------------------------------------------------------------------


@pytest.mark.article("S-63")
@pytest.mark.article("S-21")
def test_new_account_is_proven_first_then_the_old_one_waits_out_its_day(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    old, at = turn_on(alice_phone), timezone.now()

    new = switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)
    factories.create_entry(on=alice_phone, name="afterwards")

    new.refresh_from_db()
    assert (new.vault, new.deletes_at, new.count) == (alice_phone.vault.row, None, 2)
    (former,) = switching.former(alice_phone.vault.row, at=at)
    assert (former.pk, former.deletes_at, former.count) == (old.pk, at + GRACE, 1)
    assert (switching.expire(at + GRACE), streams()) == (1, {new.stream})
    assert [backup.pk for backup in Backup.objects.all()] == [new.pk]


def test_old_account_comes_back_by_undo_and_the_new_one_waits_out_its_day(alice_phone: Visitor) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    new = switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)
    factories.create_entry(on=alice_phone, name="afterwards")

    switching.undo(old, device=None, at=at + timedelta(hours=1), vault=alice_phone.vault)

    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.vault, old.deletes_at) == (alice_phone.vault.row, None)
    assert (new.vault, new.former_of, new.deletes_at) == (None, alice_phone.vault.row, at + timedelta(hours=25))
    assert [entry.name for entry in contents(newest(old)).entries] == ["afterwards"]


@pytest.mark.article("G-36")
@pytest.mark.parametrize("act", ["create", "fetch"])
def test_new_account_that_fails_half_way_leaves_the_old_one_on(
    act: str, alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    before = support.stored()
    faulty.next(act, storage.Cause.UNREACHABLE)

    with pytest.raises(NotKept) as caught:
        switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)

    assert caught.value.cause is Cause.STORE
    old.refresh_from_db()
    assert (old.is_on, old.status(at)) == (True, Status.PROTECTED)
    assert Event.objects.filter(reference=caught.value.reference).count() == 1
    assert switching.former(alice_phone.vault.row, at=at) == []
    switching.expire(at)
    assert (support.stored(), Backup.objects.count()) == (before, 1)


def test_same_account_again_is_proven_anew_and_nothing_moves(alice_phone: Visitor) -> None:
    old, at = turn_on(alice_phone), timezone.now() + timedelta(minutes=1)

    again = switching.change_account(alice_phone.vault, person(), Protection.SIGN_IN, at=at)

    assert (again.pk, Backup.objects.count(), len(support.stored())) == (old.pk, 1, 1)
    assert RecoveryAccount.objects.get().proven_at == at


def test_off_and_another_account_in_one_act(alice_phone: Visitor) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    switching.off(old, device=None, at=at)

    new = switching.turn_on(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at + timedelta(hours=1))

    old.refresh_from_db()
    assert (new.vault, old.former_of, old.deletes_at) == (
        alice_phone.vault.row,
        alice_phone.vault.row,
        at + timedelta(hours=25),
    )


# -- Protection -------------------------------------------------------------------------------------------------------


def test_another_protection_makes_a_saved_state_and_names_the_older_ones(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    backup = turn_on(alice_phone)
    older = newest(backup)
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)

    switching.protect(alice_phone.vault, Protection.KEY, at=timezone.now())

    backup.refresh_from_db()
    (key,) = vaults.read(alice_phone.vault).backup_keys
    assert (backup.protection, len(contents(newest(backup), key).entries)) == (Protection.KEY, 1)
    open_ones = switching.open_to_operator(backup)
    assert older in open_ones
    assert switching.delete_older(backup, open_ones, device=None, at=timezone.now()) == len(open_ones)
    assert (switching.open_to_operator(backup), len(support.stored())) == ([], 1)


def test_older_ones_that_the_store_kept_are_not_said_to_be_gone(
    alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    backup = turn_on(alice_phone)
    factories.create_entry(on=alice_phone)
    older = backup.generations.order_by("sequence")[:1]
    faulty.next("remove", storage.Cause.UNREACHABLE)

    with pytest.raises(StoreFailed):
        switching.delete_older(backup, older, device=None, at=timezone.now())

    assert len(support.stored()) == 2
    assert not Event.objects.filter(tag=Tag.BACKUP_OLDER_DELETED).exists()


def test_backup_whose_list_is_gone_still_goes_at_its_time(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    switching.off(backup, device=None, at=at)
    alice_phone.vault.row.delete()

    assert (switching.expire(at + GRACE), support.stored(), Backup.objects.count()) == (1, [], 0)


def test_keys_changed_while_it_moves_are_in_the_next_saved_state(
    alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    turn_on(alice_phone, protection=Protection.KEY)
    sent = keeping.send

    def meanwhile(backup: Backup, **at: Any) -> bool:
        monkeypatch.setattr(keeping, "send", sent)
        factories.create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="new")  # In another browser.
        return sent(backup, **at)

    monkeypatch.setattr(keeping, "send", meanwhile)
    new = switching.change_account(alice_phone.vault, person(OTHER), Protection.KEY, at=timezone.now())

    kept = {slot for _, slot in newest(new).slots}
    assert kept == {key.slot for key in vaults.read(alice_phone.vault).backup_keys}
    assert len(kept) == 2


def test_newest_saved_state_is_never_deleted_with_the_older_ones(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)

    deleted = switching.delete_older(backup, backup.generations.all(), device=None, at=timezone.now())

    assert (deleted, len(support.stored())) == (0, 1)


def test_protection_is_not_taken_back_by_undo(alice_phone: Visitor) -> None:
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    entry = factories.create_entry(on=alice_phone)
    vaults.change(
        alice_phone.vault,
        lambda accounts: accounts.trash_entry(entry.id, vaults.seconds(timezone.now())),
        tag=Tag.ENTRY_TRASHED,
        at=timezone.now(),
    )
    trashed = VaultState.objects.latest("version").version
    turn_on(alice_phone, protection=Protection.KEY)

    after = vaults.undo(alice_phone.vault, trashed, at=timezone.now())

    assert ([one.id for one in after], after.backup_protection) == ([entry.id], Protection.KEY)


# -- A circle ---------------------------------------------------------------------------------------------------------


def test_codes_of_the_recovery_account_itself_make_a_circle(alice_phone: Visitor) -> None:
    who = person()
    by_name = factories.create_entry(on=alice_phone, issuer="Apple", name="Alice@iCloud.example")
    by_identity = factories.create_entry(
        on=alice_phone, name="renamed", identity=EntryIdentity("apple", who.issuer, who.uid)
    )
    factories.create_entry(on=alice_phone, name="bob@icloud.example")

    found = switching.circle(vaults.read(alice_phone.vault), who)

    assert [entry.id for entry in found] == [by_name.id, by_identity.id]


# -- Rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-05")
def test_answers_of_an_iphone_are_kept_with_their_date(alice_phone: Visitor) -> None:
    at = timezone.now()

    switching.answer(alice_phone.vault, {Question.KEYCHAIN: Answer.ON}, at=at)
    switching.answer(alice_phone.vault, {Question.ICLOUD_BACKUP: Answer.UNSEEN}, at=at)
    backup = turn_on(alice_phone)

    assert backup.switches == {"keychain": ["on", at.isoformat()], "icloud_backup": ["unseen", at.isoformat()]}


def test_known_account_is_the_one_proven_last_that_fits(alice_phone: Visitor) -> None:
    at = timezone.now()
    turn_on(alice_phone, at=at)
    switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at + timedelta(minutes=1))

    known = switching.known(alice_phone.user, "ios", at)

    assert known is not None
    assert (known.label, bytes(known.name)) == ("a…@icloud.example", switching.ctxs(person(OTHER), "ios")[0])
    assert switching.known(alice_phone.user, "android", at) is None


def test_grace_is_a_setting(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()

    assert switching.off(backup, device=None, at=at).deletes_at == at + settings.BACKUP_GRACE
