"""Backups without a list pass to the one that was restored from their account, are thinned out and deleted with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import DeviceType, Event, Vault
from accounts.services import aside, deletion
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from accounts.vault.keys import Role as KeyRole
from accounts.vault.keys import Secret
from accounts.vault.list import Protection
from backups import storage
from backups.contents import Contents
from backups.models import Backup, Generation, RecoveryAccount
from backups.names import Name
from backups.services import adopting, ending, finding, keeping, making, recovery, retaining, searching
from backups.services.searching import Choice, NotThere
from backups.storage import Cause
from tests import factories
from tests.backups import support
from tests.backups.services.test_restoring import WORDS, lost_and_new, proof_of, restored
from tests.backups.support import FaultyStore
from tests.factories import Visitor
from tests.pages import text

pytestmark = pytest.mark.django_db(transaction=True)

GRACE = settings.BACKUP_GRACE


def earlier(visitor: Visitor) -> list[Backup]:
    return finding.earlier(visitor.vault.row)


def begun_instead(visitor: Visitor, *, at: datetime) -> Visitor:
    """The same person on a new phone, with a list in place of the one that they cannot open any more."""
    former = factories.vault_of(visitor)
    new = NewDevice(uuid4(), "Pixel 9", DeviceType.ANDROID)
    made = aside.begin_instead(visitor.user, former.pk, new, restores=True, at=at)
    return factories.with_key(factories.at_another_browser(visitor), made.device, made.cookie)


# -- The records are gone ---------------------------------------------------------------------------------------------


@pytest.mark.article("G-18")
@pytest.mark.parametrize(("protection", "words"), [(Protection.SIGN_IN, ""), (Protection.KEY, WORDS)])
def test_stream_that_no_record_knows_is_adopted_with_what_it_told(protection: Protection, words: str) -> None:
    _, new, backup = lost_and_new(protection=protection)
    newest, saved_at = support.newest(backup), backup.saved_at
    support.without_records()

    restored(new, words=words)

    (one,) = earlier(new)
    assert (one.user, one.stream, one.high_water) == (new.user, backup.stream, newest.sequence)
    assert (one.device_name, one.count, one.protection) == ("Pixel 8", 3, protection.value)
    assert one.saved_at == saved_at.replace(microsecond=0)
    assert (one.is_earlier, one.is_kept, one.is_on, one.unopened) == (True, True, False, False)
    assert one.recovery_account.label == "a…@outlook.example"


def test_one_that_stays_shut_is_adopted_by_its_number_alone() -> None:
    """Two backups lie there; the words open the one, and the other's are not known."""
    _, new, backup = lost_and_new()
    other = factories.enrolled("alice.other@example.org", name="Fold", type="android")
    factories.create_key(on=other, kind=factories.SlotKind.PASSKEY)
    shut = factories.backed_up(other, protection=Protection.KEY)
    support.without_records()
    choices = [one.name.stream.hex() for one in searching.find(factories.person(), "android").every]

    restored(new, index=choices.index(backup.stream))

    found = {one.stream: one for one in earlier(new)}
    assert set(found) == {backup.stream, shut.stream}
    assert (found[shut.stream].device_name, found[shut.stream].saved_at, found[shut.stream].count) == ("", None, 0)
    assert found[shut.stream].protection == Protection.KEY
    assert (found[backup.stream].unopened, found[shut.stream].unopened) == (False, True)


def test_older_state_tells_of_which_device_the_shut_newest_is() -> None:
    old, new, backup = lost_and_new(protection=Protection.KEY)
    factories.create_entry(on=old, name="later")
    support.without_records()

    restored(new, words=WORDS, index=1)

    (one,) = earlier(new)
    assert (one.device_name, one.saved_at, one.count, one.high_water) == ("Pixel 8", None, 0, backup.high_water + 1)


def test_second_restore_adopts_nothing_twice() -> None:
    _, new, _ = lost_and_new()
    support.without_records()
    restored(new)
    rows = list(Backup.objects.values())

    restored(new)

    assert list(Backup.objects.values()) == rows
    assert list(searching.unrecorded(factories.person(), "android")) == []


def test_what_this_server_did_not_make_is_adopted_by_nobody() -> None:
    _, new, backup = lost_and_new()
    data = storage.backups().fetch(support.stored()[0])
    support.without_records()
    (name,) = support.stored()
    storage.backups().create(name.replace(backup.stream, "ab" * 8), data)  # A true one at a place that is not its own.
    storage.backups().create(name.replace(backup.stream, "cd" * 8), b"nothing")

    restored(new)

    assert [one.stream for one in earlier(new)] == [backup.stream]


def test_one_of_which_the_server_lacks_the_key_is_adopted_by_nobody() -> None:
    """It may be anybody's: whoever writes to the store makes such ones with a key of their own."""
    _, new, backup = lost_and_new()
    (name,) = [Name.parse(one) for one in support.stored()]
    support.without_records()
    foreign = replace(name, stream=bytes([0xEF]) * 8, kid=9)
    text = Contents("android", "Mallory's phone", "0.1", 1_800_000_000, ())
    storage.backups().create(foreign.path, making.prove(text, foreign.place, kid=9, key=Secret(b"m" * 32)))

    choices = [one.name.stream for one in searching.find(factories.person(), "android").every]
    restored(new, index=choices.index(name.stream))

    assert [one.stream for one in earlier(new)] == [backup.stream]


def test_store_that_fails_then_keeps_nobody_from_the_restore_and_the_next_one_adopts(
    faulty: type[FaultyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, new, backup = lost_and_new()
    support.without_records()
    with monkeypatch.context() as patched:
        patched.setattr(adopting.searching, "unrecorded", _silent)
        restored(new)
    before = earlier(new)

    restored(new)

    assert before == []
    assert len(new.entries) == 3
    assert [one.stream for one in earlier(new)] == [backup.stream]


def _silent(*_: object) -> None:
    raise storage.StoreFailed(Cause.UNREACHABLE)


def test_one_under_an_older_server_key_is_adopted_and_deleted_where_it_lies(newer_key: object) -> None:
    _, new, backup = lost_and_new()
    support.without_records()
    newer_key(KeyRole.NAME)  # type: ignore[operator]

    restored(new)
    factories.backed_up(new)
    ending.off(finding.of(new.vault.row), device=None, at=timezone.now())
    ending.expire(timezone.now() + GRACE + timedelta(seconds=1))

    assert list(RecoveryAccount.objects.values_list("user", "kid")) == [(new.user.pk, 1)]
    assert support.stored() == []


# -- The list is gone -------------------------------------------------------------------------------------------------


@pytest.mark.article("G-32")
def test_backup_passes_on_once_its_list_is_gone_and_not_before() -> None:
    old, _, backup = lost_and_new()
    at = timezone.now()
    new = begun_instead(old, at=at)

    restored(new, proof=proof_of(new, target=str(new.vault.row.pk)))
    before = earlier(new)
    aside.expire(at + settings.LISTS_PUT_ASIDE_FOR + timedelta(minutes=1))

    assert before == []
    (one,) = earlier(new)
    assert (one.pk, one.is_earlier, one.count) == (backup.pk, True, 3)
    assert one.generations.stored().count() == backup.generations.count()
    assert finding.every(old.user) == [one]


def test_list_that_a_key_kept_keeps_its_backup() -> None:
    old, _, backup = lost_and_new()
    new = begun_instead(old, at=timezone.now())
    restored(new, proof=proof_of(new, target=str(new.vault.row.pk)))

    aside.keep(old.vault, at=timezone.now())
    factories.create_entry(on=old, name="goes on")

    assert earlier(new) == []
    assert finding.of(old.vault.row).count == backup.count + 1


def test_backup_whose_list_was_gone_before_passes_on_at_once() -> None:
    old, new, _ = lost_and_new()
    backup = factories.backed_up(new)
    factories.create_entry(on=new, name="mine")
    Vault.objects.filter(pk=new.vault.row.pk).update(user=old.user)
    Backup.objects.filter(pk=backup.pk).update(user=old.user)
    at = timezone.now()
    Vault.objects.filter(pk=new.vault.row.pk).delete()

    restored(old)

    assert [one.pk for one in earlier(old)] == [backup.pk]
    assert finding.of(old.vault.row).on_at < at


def test_another_person_s_backup_stays_theirs() -> None:
    """Two people of this server hold the same recovery account."""
    old, new, backup = lost_and_new()

    restored(new)

    backup.refresh_from_db()
    assert (earlier(new), backup.passes_to, backup.vault_id) == ([], None, old.vault.row.pk)


def test_nobody_is_mailed_that_a_list_that_is_gone_is_behind() -> None:
    old, _, backup = lost_and_new()
    Backup.objects.filter(pk=backup.pk).update(behind_since=timezone.now())
    Vault.objects.filter(pk=old.vault.row.pk).delete()
    mail.outbox.clear()

    assert keeping.tell_who_is_behind(timezone.now() + timedelta(days=8)) == 0
    assert mail.outbox == []


# -- Then -------------------------------------------------------------------------------------------------------------


def adopted() -> tuple[Visitor, Backup]:
    """A list that was restored after the records were lost, with Cloud Backup on anew, and its earlier backup."""
    _, new, _ = lost_and_new()
    support.without_records()
    restored(new)
    factories.backed_up(new)
    (one,) = earlier(new)
    return new, one


def test_turning_on_does_not_ask_about_what_was_just_restored() -> None:
    _, new, _ = lost_and_new()
    support.without_records()
    before = recovery.found(factories.person(), "android", besides=new.vault.row, at=timezone.now())

    restored(new)

    assert len(before) == 1
    assert recovery.found(factories.person(), "android", besides=new.vault.row, at=timezone.now()) == []


@pytest.mark.article("G-18")
def test_it_goes_when_cloud_backup_is_turned_off_and_comes_back_with_undo() -> None:
    new, one = adopted()
    at = timezone.now()

    off = ending.off(finding.of(new.vault.row), device=None, at=at)
    going = earlier(new)
    ending.undo(off, device=None, at=at, vault=new.vault)
    kept = earlier(new)
    ending.off(finding.of(new.vault.row), device=None, at=at)
    ending.expire(at + GRACE + timedelta(seconds=1))

    assert [(found.pk, found.deletes_at) for found in going] == [(one.pk, at + GRACE)]
    assert [(found.pk, found.deletes_at) for found in kept] == [(one.pk, None)]
    assert support.stored() == []
    assert Event.objects.filter(tag=Tag.BACKUP_DELETED).count() == 2


def test_one_that_was_deleted_by_itself_does_not_come_back_with_the_others() -> None:
    new, one = adopted()
    at = timezone.now()

    ending.off(one, device=None, at=at)
    off = ending.off(finding.of(new.vault.row), device=None, at=at + timedelta(hours=1))
    ending.undo(off, device=None, at=at + timedelta(hours=2), vault=new.vault)

    assert [found.deletes_at for found in earlier(new)] == [at + GRACE]
    assert list(Event.objects.filter(tag=Tag.BACKUP_EARLIER_OFF).values_list("user", flat=True)) == [new.user.pk]


def test_its_undo_takes_no_place_of_another() -> None:
    new, one = adopted()
    now = finding.of(new.vault.row)
    at = timezone.now()

    ending.off(one, device=None, at=at)
    ending.undo(one, device=None, at=at, vault=new.vault)

    assert [found.deletes_at for found in earlier(new)] == [None]
    assert finding.of(new.vault.row) == now
    assert now.is_on


def test_records_put_back_give_what_goes_along_its_time_anew_too() -> None:
    new, one = adopted()
    at = timezone.now()
    off = ending.off(finding.of(new.vault.row), device=None, at=at)
    support.put_there(off, off.high_water + 3)  # There was an Undo since then, of which these records know nothing.
    over = at + GRACE + timedelta(seconds=1)

    ending.expire(over)

    assert {off.stream, one.stream} == support.streams()
    assert finding.of(new.vault.row).deletes_at == earlier(new)[0].deletes_at == over + GRACE


def test_what_goes_along_waits_until_the_store_tells_of_the_backup_of_the_list(faulty: type[FaultyStore]) -> None:
    new, one = adopted()
    at = timezone.now()
    ending.off(finding.of(new.vault.row), device=None, at=at)
    over = at + GRACE + timedelta(seconds=1)
    faulty.next("names", Cause.UNREACHABLE)

    with pytest.raises(retaining.NotAllDone):
        ending.expire(over)
    before = support.streams()
    ending.expire(over + timedelta(minutes=1))

    assert one.stream in before
    assert support.stored() == []


def test_what_is_deleted_at_the_end_of_its_time_is_gone_at_once() -> None:
    """Its newest number is known: nothing newer lies there than the records say, which would begin its time anew."""
    new, one = adopted()
    at = timezone.now()

    ending.off(one, device=None, at=at)
    ended = ending.expire(at + GRACE + timedelta(seconds=1))

    assert (ended, one.stream in support.streams(), earlier(new)) == (1, False, [])


def test_person_who_leaves_takes_it_along() -> None:
    new, _ = adopted()
    at = timezone.now()

    deletion.ask(new.user, at=at)
    retaining.expire_people(at + settings.ACCOUNT_DELETED_AFTER + timedelta(seconds=1))

    assert support.stored() == []


def test_one_without_records_stays_as_it_is() -> None:
    """Names say nothing of what opens: the three newest may be anybody's, or damaged."""
    _, new, backup = lost_and_new()
    for number in range(7):
        support.put_there(backup, 20 + number)
    support.without_records()
    restored(new, index=-1)

    gone = adopting.tidy(timezone.now() + timedelta(days=30))

    assert (gone, len(support.stored())) == (0, 8)


def test_list_is_not_called_closed_while_an_earlier_backup_opens_with_the_sign_in_alone() -> None:
    new, one = adopted()
    Backup.objects.filter(vault=new.vault.row).delete()
    factories.grown_fresh(new)

    before = ending.is_open_to_operator(new.vault.row), text(new.client.get(reverse("accounts:keys")))
    Backup.objects.filter(pk=one.pk).update(protection=Protection.KEY)
    after = ending.is_open_to_operator(new.vault.row), text(new.client.get(reverse("accounts:keys")))

    closed = "Nothing stored on this server opens your list."
    assert (before[0], closed in before[1]) == (True, False)
    assert (after[0], closed in after[1]) == (False, True)


def test_list_is_not_called_closed_while_what_it_was_restored_from_opens_with_the_sign_in_alone() -> None:
    """Also while its own list still is, put aside: the accounts are the same."""
    old, _, backup = lost_and_new()
    at = timezone.now()
    new = begun_instead(old, at=at)
    before = ending.is_open_to_operator(new.vault.row)
    restored(new, proof=proof_of(new, target=str(new.vault.row.pk)))

    Backup.objects.filter(pk=backup.pk).update(protection=Protection.KEY)  # From now on; the states before are kept.
    after = ending.is_open_to_operator(new.vault.row)
    aside.expire(at + settings.LISTS_PUT_ASIDE_FOR + timedelta(minutes=1))
    alone = ending.is_open_to_operator(new.vault.row)
    backup.generations.update(slots=[["words", "0" * 32]])

    assert (before, after, alone) == (False, True, True)
    assert not ending.is_open_to_operator(new.vault.row)


def test_recorded_one_is_thinned_out_a_week_after_its_last_state() -> None:
    old, _, backup = lost_and_new()
    account = backup.recovery_account
    for day in range(6):
        at = timezone.now() - timedelta(days=6 - day)
        one = support.newest(backup)
        Generation.objects.filter(pk=one.pk).update(made_at=at)
        factories.create_entry(on=old, name=f"day {day}")
    Generation.objects.filter(backup=backup, sequence=1).update(pinned=True)
    Vault.objects.filter(pk=old.vault.row.pk).delete()
    at = timezone.now()

    before = adopting.tidy(at + timedelta(days=6))
    adopting.tidy(at + timedelta(days=8))

    stay = list(
        Generation.objects.filter(recovery_account=account).order_by("sequence").values_list("sequence", flat=True)
    )
    assert before == 0
    assert len(support.stored()) == len(stay) == retaining.NEWEST_KEPT + 1
    assert stay[0] == 1


def test_what_lies_under_another_account_is_not_adopted() -> None:
    _, new, _ = lost_and_new()
    other = factories.enrolled("alice.x@example.org", name="Fold", type="android")
    elsewhere = factories.backed_up(other, who=factories.person("x@outlook.example"))
    support.without_records()

    restored(new)

    assert elsewhere.stream not in {one.stream for one in earlier(new)}


# -- One account, two people ------------------------------------------------------------------------------------------


def shared() -> tuple[Visitor, Visitor, str, str]:
    """Alice and bob keep their backups under one account, and the records are lost. Both, and each one's stream."""
    _, alice, hers = lost_and_new()
    before = factories.enrolled("bob.before@example.org", name="Bob's phone", type="android")
    factories.create_entry(on=before, name="bob's")
    his = factories.backed_up(before)
    support.without_records()
    return alice, factories.enrolled("bob.new@example.org", name="Fold", type="android"), hers.stream, his.stream


def restored_from(visitor: Visitor, stream: str) -> Backup:
    """Restored from this stream, of those that lie there. Its row."""
    choices = searching.find(factories.person(), "android").every
    restored(visitor, index=[choice.name.stream.hex() for choice in choices].index(stream))
    return Backup.objects.get(stream=stream)


def test_what_was_only_found_goes_with_nothing_and_at_once_never() -> None:
    _, bob, hers, his = shared()
    restored_from(bob, his)
    factories.backed_up(bob)
    at = timezone.now()

    ending.off(finding.of(bob.vault.row), device=None, at=at)
    ending.expire(at + GRACE + timedelta(seconds=1))
    found = Backup.objects.get(stream=hers)
    ending.off(found, device=None, at=at)
    with pytest.raises(finding.NotOn):
        ending.delete_now(found, device=None, at=at)

    assert support.streams() == {hers}


def test_what_was_only_found_passes_to_whoever_opens_it_and_its_end_was_never_theirs_to_say() -> None:
    alice, bob, hers, his = shared()
    restored_from(bob, his)
    ending.off(Backup.objects.get(stream=hers), device=None, at=timezone.now())

    row = restored_from(alice, hers)

    assert (row.user, row.passes_to, row.unopened, row.deletes_at) == (alice.user, alice.vault.row, False, None)
    assert row.recovery_account.user == alice.user
    assert [one.stream for one in earlier(bob)] == [his]
    assert Backup.objects.get(stream=his).user == bob.user


def test_what_one_of_them_has_opened_stays_theirs() -> None:
    alice, bob, hers, his = shared()
    restored_from(bob, his)
    restored_from(alice, his)

    assert Backup.objects.get(stream=his).user == bob.user
    assert {one.stream for one in earlier(alice)} == set()


def test_who_opens_later_what_they_found_has_it_go_along() -> None:
    alice, _, hers, his = shared()
    restored_from(alice, hers)
    before = Backup.objects.get(stream=his).unopened

    row = restored_from(alice, his)

    assert (before, row.unopened, row.user) == (True, False, alice.user)


@pytest.mark.parametrize("is_shared", [True, False])
def test_person_who_leaves_leaves_what_was_only_found_to_whoever_else_holds_the_account(*, is_shared: bool) -> None:
    alice, bob, hers, his = shared()
    restored_from(bob, his)
    if is_shared:
        factories.backed_up(alice)
    at = timezone.now()

    deletion.ask(bob.user, at=at)
    retaining.expire_people(at + settings.ACCOUNT_DELETED_AFTER + timedelta(seconds=1))

    left = support.streams() - set(Backup.objects.exclude(stream="").values_list("stream", flat=True))
    assert left == ({hers} if is_shared else set())
    assert not Backup.objects.filter(user=bob.user).exists()


def test_two_who_restore_at_once_make_one_row_of_a_stream() -> None:
    alice, bob, hers, _ = shared()
    found, at = list(searching.unrecorded(factories.person(), "android")), timezone.now()

    for who in (alice, bob):
        with transaction.atomic():
            adopting.adopt(who.vault, factories.person(), found, hers, at=at)

    assert Backup.objects.get(stream=hers).user == alice.user
    assert Backup.objects.exclude(stream="").count() == 2


# -- Its end ----------------------------------------------------------------------------------------------------------


def shut() -> tuple[Visitor, Backup]:
    """A list restored from an older state, and its earlier backup, of which nobody knows when it was saved."""
    old, new, _ = lost_and_new(protection=Protection.KEY)
    factories.create_entry(on=old, name="later")
    support.without_records()
    restored(new, words=WORDS, index=1)
    (one,) = earlier(new)
    assert one.saved_at is None
    return new, one


def test_one_on_its_way_out_says_so_where_it_is_chosen_and_one_that_left_is_not_offered(
    faulty: type[FaultyStore],
) -> None:
    _, one = adopted()
    at = timezone.now()

    def offered() -> list[Choice]:
        every = searching.find(factories.person(), "android").every
        return [choice for choice in every if choice.name.stream.hex() == one.stream]

    ending.off(one, device=None, at=at)
    (going,) = offered()
    faulty.next("remove", Cause.UNREACHABLE)
    with pytest.raises(storage.StoreFailed):
        ending.delete_now(one, device=None, at=at)

    assert going.deletes_at == at + GRACE
    assert one.stream in support.streams()
    assert offered() == []
    with pytest.raises(NotThere):
        searching.choice(factories.person(), "android", going.key)


def test_deleted_one_that_stayed_shut_is_remembered_with_its_day() -> None:
    _, one = shut()
    at = timezone.now()

    ending.off(one, device=None, at=at)
    ending.delete_now(one, device=None, at=at)

    assert recovery.gone(factories.person(), "android").deleted_at == at


def test_one_on_its_way_out_whose_list_went_too_is_shown_with_its_undo() -> None:
    new, one = shut()

    ending.off(one, device=None, at=timezone.now())
    Vault.objects.filter(pk=new.vault.row.pk).delete()

    assert finding.every(new.user) == [one]
