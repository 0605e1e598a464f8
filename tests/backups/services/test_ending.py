"""Cloud Backup off, and its way back; saved states that go before the others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import Event, SlotKind, VaultState
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.list import Protection
from backups import storage
from backups.models import Backup, Generation, Status
from backups.services import ending, finding, keeping, objects, retaining, switching
from backups.services.finding import NotOn, TimeOver
from backups.storage import StoreFailed
from tests import factories
from tests.backups import support
from tests.backups.support import FaultyStore, contents, newest, person, turn_on
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

GRACE = timedelta(hours=24)
OTHER = "alice.other@icloud.example"


@pytest.mark.article("G-01", "refused")
@pytest.mark.article("S-47")
def test_off_deletes_all_of_it_after_a_day_and_not_before(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    backup, at = turn_on(alice_phone), timezone.now()

    ending.off(backup, device=alice_phone.device, at=at)
    factories.create_entry(on=alice_phone, name="made meanwhile")

    assert Backup.objects.get().status(at) is Status.DELETING
    assert (ending.expire(at + GRACE - timedelta(minutes=1)), len(support.stored())) == (0, 1)
    assert (ending.expire(at + GRACE), support.stored(), Generation.objects.count()) == (1, [], 0)
    after = Backup.objects.get(left_at=None)
    assert (after.status(at), after.vault, after.recovery_account) == (Status.OFF, alice_phone.vault.row, None)
    assert len(vaults.read(alice_phone.vault)) == 2


@pytest.mark.article("S-47")
def test_waiting_bytes_go_too(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    faulty.next("create", storage.Cause.FULL)
    factories.create_entry(on=alice_phone)
    ending.off(backup, device=alice_phone.device, at=at)

    sent = keeping.retry(at + timedelta(minutes=1))
    ending.expire(at + GRACE)

    assert (sent, Generation.objects.count(), support.stored()) == (0, 0, [])


@pytest.mark.article("G-01", "allowed")
def test_undo_within_the_day_goes_on_with_what_changed_meanwhile(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    ending.off(backup, device=alice_phone.device, at=at)
    factories.create_entry(on=alice_phone, name="made meanwhile")

    ending.undo(backup, device=alice_phone.device, at=at + GRACE - timedelta(minutes=1), vault=alice_phone.vault)

    backup.refresh_from_db()
    assert backup.status(timezone.now()) is Status.PROTECTED
    assert [entry.name for entry in contents(newest(backup)).entries] == ["made meanwhile"]
    assert ending.expire(at + GRACE) == 0


def test_undo_by_a_browser_without_the_list_says_that_a_change_waits(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    ending.off(backup, device=None, at=at)
    factories.create_entry(on=alice_phone, name="made meanwhile")

    undone = ending.undo(backup, device=None, at=timezone.now())

    assert undone.behind_changes == 1
    switching.back_up(alice_phone.vault, at=timezone.now())
    assert [entry.name for entry in contents(newest(backup)).entries] == ["made meanwhile"]


def test_after_the_day_there_is_no_undo(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    ending.off(backup, device=None, at=at)

    with pytest.raises(TimeOver):
        ending.undo(backup, device=None, at=at + GRACE)

    ending.expire(at + GRACE)
    with pytest.raises(TimeOver):
        ending.undo(backup, device=None, at=at)


def test_off_twice_ends_at_the_first_time(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()

    first = ending.off(backup, device=None, at=at).deletes_at
    second = ending.off(backup, device=None, at=at + timedelta(hours=5)).deletes_at

    assert first == second == at + GRACE
    assert Event.objects.filter(tag=Tag.BACKUP_OFF).count() == 1


def test_delete_now_is_for_what_is_on_its_way_out_alone(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()

    with pytest.raises(NotOn):
        ending.delete_now(backup, device=None, at=at)
    kept = len(support.stored())
    ending.off(backup, device=None, at=at)
    ending.delete_now(backup, device=None, at=at)

    assert (kept, support.stored(), Backup.objects.get(left_at=None).status(at)) == (1, [], Status.OFF)


def test_store_that_does_not_answer_is_asked_again_and_there_is_no_way_back_from_half(
    alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    ending.off(backup, device=None, at=at)
    faulty.next("remove", *[storage.Cause.UNREACHABLE] * 2)

    with pytest.raises(StoreFailed):
        ending.delete_now(backup, device=None, at=at)
    with pytest.raises(TimeOver):
        ending.undo(backup, device=None, at=at - timedelta(minutes=1), vault=alice_phone.vault)
    with pytest.raises(retaining.NotAllDone):
        ending.expire(at)

    of_list = Backup.objects.get(vault=alice_phone.vault.row)
    assert (of_list.status(at), len(support.stored()), finding.every(alice_phone.user)) == (Status.OFF, 1, [])
    assert not Event.objects.filter(tag=Tag.BACKUP_DELETED).exists()
    assert (ending.expire(at), support.stored(), Generation.objects.count()) == (1, [], 0)
    assert (ending.expire(at), Event.objects.filter(tag=Tag.BACKUP_DELETED).count()) == (0, 1)


def test_store_is_asked_outside_of_every_transaction(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    """A slow store holds no lock: whoever changes a list meanwhile is not kept waiting."""
    backup, at = turn_on(alice_phone), timezone.now()
    ending.off(backup, device=None, at=at)
    asked: list[bool] = []
    faulty.on_call = lambda: asked.append(connection.in_atomic_block)

    moved = switching.turn_on(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)
    ending.expire(at + GRACE)
    ending.off(moved, device=None, at=at)
    ending.delete_now(moved, device=None, at=at)

    assert (support.stored(), set(asked)) == ([], {False})


def test_list_begins_another_one_while_the_store_keeps_the_old_one(
    alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    Backup.objects.update(switches={"icloud": ["on", "2026-01-01"]})
    ending.off(old, device=None, at=at)
    faulty.next("remove", storage.Cause.FULL)
    with pytest.raises(StoreFailed):
        ending.delete_now(old, device=None, at=at)

    new = turn_on(alice_phone, at=at)

    assert (new.status(at), new.switches, support.streams()) == (
        Status.PROTECTED,
        {"icloud": ["on", "2026-01-01"]},
        {old.stream, new.stream},
    )
    assert (ending.expire(at), support.streams(), Backup.objects.get(left_at=None).pk) == (1, {new.stream}, new.pk)


def test_turned_on_after_its_time_and_before_it_was_cleared_away_begins_another(alice_phone: Visitor) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    ending.off(old, device=None, at=at)

    new = turn_on(alice_phone, at=at + GRACE)

    assert (new.stream != old.stream, support.streams()) == (True, {old.stream, new.stream})
    assert (ending.expire(at + GRACE), support.streams()) == (1, {new.stream})


def test_saved_state_under_way_while_all_is_deleted_removes_itself(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    one = Generation.objects.select_related("recovery_account").get()
    data = storage.backups().fetch(objects.path(one))
    Generation.objects.update(state=Generation.State.WAITING, waiting=data)
    ending.off(backup, device=None, at=at)
    ending.delete_now(backup, device=None, at=at)

    storage.backups().create(objects.path(one), data)  # By a request that had begun before.
    keeping.proven(one, at=at)

    assert (support.stored(), Generation.objects.count()) == ([], 0)


@pytest.mark.article("S-48")
def test_turned_on_again_after_the_day_is_a_fresh_backup(alice_phone: Visitor) -> None:
    first, at = turn_on(alice_phone), timezone.now()
    ending.off(first, device=None, at=at)
    ending.expire(at + GRACE)

    second = turn_on(alice_phone, at=at + GRACE)

    assert (second.stream != first.stream, support.streams(), second.high_water) == (True, {second.stream}, 1)


@pytest.mark.article("S-48")
def test_turned_on_again_within_the_day_is_an_undo(alice_phone: Visitor) -> None:
    first, at = turn_on(alice_phone), timezone.now()
    ending.off(first, device=None, at=at)

    second = turn_on(alice_phone, at=at + timedelta(hours=1))

    assert (second.stream, second.deletes_at, support.streams()) == (first.stream, None, {first.stream})


def test_old_account_comes_back_by_undo_and_the_new_one_waits_out_its_day(alice_phone: Visitor) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    new = switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)
    factories.create_entry(on=alice_phone, name="afterwards")

    ending.undo(old, device=None, at=at + timedelta(hours=1), vault=alice_phone.vault)

    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.vault, old.deletes_at) == (alice_phone.vault.row, None)
    assert (new.vault, new.former_of, new.deletes_at) == (None, alice_phone.vault.row, at + timedelta(hours=25))
    assert [entry.name for entry in contents(newest(old)).entries] == ["afterwards"]


def test_off_and_another_account_in_one_act(alice_phone: Visitor) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    ending.off(old, device=None, at=at)

    new = switching.turn_on(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at + timedelta(hours=1))

    old.refresh_from_db()
    assert (new.vault, old.former_of, old.deletes_at) == (
        alice_phone.vault.row,
        alice_phone.vault.row,
        at + timedelta(hours=25),
    )


def test_older_ones_that_the_store_kept_are_not_said_to_be_gone(
    alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    backup = turn_on(alice_phone)
    factories.create_entry(on=alice_phone)
    older = backup.generations.order_by("sequence")[:1]
    faulty.next("remove", storage.Cause.UNREACHABLE)

    with pytest.raises(StoreFailed):
        ending.delete_older(backup, older, device=None, at=timezone.now())

    assert len(support.stored()) == 2
    assert not Event.objects.filter(tag=Tag.BACKUP_OLDER_DELETED).exists()


def test_backup_whose_list_is_gone_still_goes_at_its_time(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()
    ending.off(backup, device=None, at=at)
    alice_phone.vault.row.delete()

    assert (ending.expire(at + GRACE), support.stored(), Backup.objects.filter(left_at=None).count()) == (1, [], 0)


def test_newest_saved_state_is_never_deleted_with_the_older_ones(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)

    deleted = ending.delete_older(backup, backup.generations.all(), device=None, at=timezone.now())

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


def test_grace_is_a_setting(alice_phone: Visitor) -> None:
    backup, at = turn_on(alice_phone), timezone.now()

    assert ending.off(backup, device=None, at=at).deletes_at == at + settings.BACKUP_GRACE
