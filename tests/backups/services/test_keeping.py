"""Saved states on their way: what fails is tried again, and what was not read back does not count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import Event
from accounts.services import vaults
from accounts.services.activity import Tag
from backups import storage
from backups.management.commands import tidy
from backups.models import Backup, Cause, Generation, Status
from backups.names import Name
from backups.services import ending, keeping, making, objects, retaining, rotation, switching
from backups.storage import StoreFailed
from tests import factories
from tests.backups import support
from tests.backups.support import FaultyStore, contents, newest, turn_on
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

FAILURES = [storage.Cause.UNREACHABLE, storage.Cause.FULL, storage.Cause.READ_ONLY, storage.Cause.REFUSED]


def add(visitor: Visitor, name: str = "new") -> None:
    factories.create_entry(on=visitor, name=name)


@pytest.mark.parametrize("cause", FAILURES)
@pytest.mark.parametrize("act", ["create", "fetch"])
def test_change_is_kept_and_goes_out_by_itself_when_the_store_answers_again(
    act: str, cause: storage.Cause, alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    backup = turn_on(alice_phone)
    faulty.next(act, cause)

    add(alice_phone)

    backup.refresh_from_db()
    now = timezone.now()
    assert len(vaults.read(alice_phone.vault)) == 1
    assert (backup.failure, backup.status(now), backup.behind_changes) == (Cause.STORE, Status.FAILING, 1)
    assert contents(newest(backup)).entries == ()
    assert tidy.tidy(now + timedelta(seconds=31)) == []
    backup.refresh_from_db()
    assert (backup.failure, backup.status(timezone.now()), backup.behind_changes) == ("", Status.PROTECTED, 0)
    assert [entry.name for entry in contents(newest(backup)).entries] == ["new"]


def test_first_saved_state_waits_too_and_the_status_says_so(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    add(alice_phone)
    faulty.next("create", storage.Cause.FULL)

    backup = turn_on(alice_phone)

    assert (backup.status(timezone.now()), backup.saved_at, support.stored()) == (Status.FAILING, None, [])
    keeping.retry(timezone.now() + timedelta(seconds=31))
    backup.refresh_from_db()
    assert (backup.status(timezone.now()), backup.whole) == (Status.PROTECTED, 1)


def test_what_waits_is_tried_again_at_its_time_and_not_before(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup = turn_on(alice_phone)
    faulty.next("create", storage.Cause.FULL)
    add(alice_phone)
    backup.refresh_from_db()

    before = keeping.retry(backup.retry_at - timedelta(seconds=1))
    after = keeping.retry(backup.retry_at)

    assert (before, after) == (0, 1)


def test_only_the_newest_of_what_waits_is_sent(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup = turn_on(alice_phone)
    faulty.next("create", *[storage.Cause.UNREACHABLE] * 3)
    for name in ("one", "two", "three"):
        add(alice_phone, name)

    keeping.retry(timezone.now() + timedelta(minutes=1))

    assert [one.sequence for one in backup.generations.stored().order_by("sequence")] == [1, 4]
    assert [entry.name for entry in contents(newest(backup)).entries] == ["one", "two", "three"]
    assert len(support.stored()) == 2


def test_store_that_keeps_one_waiting_is_waited_for_once(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    """Of several who change their lists meanwhile only the first waits; the rest goes out by itself, or when asked."""
    backup, asked = turn_on(alice_phone), []
    faulty.on_call = lambda: time.sleep(1.1)
    faulty.next("create", storage.Cause.UNREACHABLE)
    add(alice_phone, "one")
    faulty.on_call = lambda: asked.append(1)

    add(alice_phone, "two")

    backup.refresh_from_db()
    assert (asked, backup.status(timezone.now()), backup.failure) == ([], Status.FAILING, Cause.STORE)
    assert keeping.retry(timezone.now() + timedelta(seconds=15)) == 0
    assert asked == []
    assert keeping.retry(timezone.now() + timedelta(seconds=25)) == 1
    assert [entry.name for entry in contents(newest(backup)).entries] == ["one", "two"]


def test_who_asks_for_it_waits_for_the_store_once_more(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    turn_on(alice_phone)
    faulty.on_call = lambda: time.sleep(1.1)
    faulty.next("create", storage.Cause.UNREACHABLE)
    add(alice_phone, "one")
    faulty.on_call = None

    assert switching.back_up(alice_phone.vault, at=timezone.now()).status(timezone.now()) is Status.PROTECTED


def test_store_that_does_not_answer_costs_tidy_one_wait(
    alice_phone: Visitor, bob: Visitor, faulty: type[FaultyStore]
) -> None:
    """However many backups wait; the next time it begins with another one."""
    at = timezone.now()
    for one in (alice_phone, factories.enrolled("carol@example.org", name="Carol's", type="ios")):
        turn_on(one)
        faulty.next("create", storage.Cause.FULL)
        add(one, "waits")
    asked: list[int] = []
    faulty.on_call = lambda: (asked.append(1), time.sleep(1.1))
    faulty.next("create", *[storage.Cause.UNREACHABLE] * 2)

    assert keeping.retry(at + timedelta(minutes=1)) == 0

    assert asked == [1]
    first = Backup.objects.order_by("-retry_at").first()
    assert keeping.retry(at + timedelta(minutes=2)) == 0
    assert first != Backup.objects.order_by("-retry_at").first()


def test_killed_between_commit_and_sending_the_next_run_sends(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)
    add(alice_phone)
    one = newest(backup)
    data = storage.backups().fetch(objects.path(one))
    storage.backups().remove(objects.path(one))
    backup.generations.filter(pk=one.pk).update(state=Generation.State.WAITING, waiting=data, checked_at=None)
    Backup.objects.filter(pk=backup.pk).update(behind_since=timezone.now(), behind_changes=1)

    sent = keeping.retry(timezone.now())

    backup.refresh_from_db()
    assert (sent, backup.behind_since, len(contents(newest(backup)).entries)) == (1, None, 1)


def test_killed_after_writing_the_next_run_finds_its_own_bytes(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup = turn_on(alice_phone)
    faulty.next("fetch", storage.Cause.UNREACHABLE)
    add(alice_phone)
    written = support.stored()

    keeping.retry(timezone.now() + timedelta(minutes=1))

    assert support.stored() == written
    assert len(contents(newest(backup)).entries) == 1


@pytest.mark.article("G-13")
def test_wrong_bytes_read_back_do_not_count_and_are_written_anew(
    alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    backup = turn_on(alice_phone)
    faulty.next("create", "short")

    add(alice_phone)

    backup.refresh_from_db()
    assert (backup.failure, backup.status(timezone.now())) == (Cause.UNEQUAL, Status.FAILING)
    assert contents(newest(backup)).entries == ()
    keeping.retry(timezone.now() + timedelta(minutes=1))
    assert len(contents(newest(backup)).entries) == 1


def test_foreign_object_under_the_next_name_stays_and_is_passed_over(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)
    there = {
        name: storage.backups().fetch(name) for name in (support.put_there(backup, 2), support.put_there(backup, 7))
    }

    add(alice_phone, "one")
    backup.refresh_from_db()
    taken = backup.failure
    add(alice_phone, "two")

    backup.refresh_from_db()
    assert (taken, backup.failure, newest(backup).sequence) == (Cause.TAKEN, "", 8)
    assert [entry.name for entry in contents(newest(backup)).entries] == ["one", "two"]
    assert {name: storage.backups().fetch(name) for name in there} == there


@pytest.mark.parametrize("sequence", [3, 2**63 - 1, 2**64 - 1])
def test_name_that_anybody_gave_moves_no_number_and_holds_nobody_up(sequence: int, alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)
    name = replace(Name.parse(objects.path(newest(backup))), sequence=sequence).path
    storage.backups().create(name, b"planted")

    add(alice_phone, "one")
    backup.refresh_from_db()
    after = (backup.failure, backup.high_water, newest(backup).sequence)
    ending.off(backup, device=None, at=timezone.now())

    assert after == ("", 2, 2)
    assert ending.expire(timezone.now() + timedelta(hours=25)) == 1
    assert support.stored() == []


@pytest.mark.row("T46")
def test_number_below_what_lies_there_is_passed_over_though_its_name_is_free(alice_phone: Visitor) -> None:
    """Records were put back whose numbers are long pruned: a restore without them takes the newest number."""
    backup = turn_on(alice_phone)
    support.put_there(backup, 40)

    add(alice_phone, "one")
    backup.refresh_from_db()
    taken = (backup.failure, newest(backup).sequence, backup.status(timezone.now()))
    add(alice_phone, "two")

    backup.refresh_from_db()
    assert taken == (Cause.TAKEN, 1, Status.FAILING)
    assert (backup.failure, newest(backup).sequence, len(contents(newest(backup)).entries)) == ("", 41, 2)


def test_late_failure_of_an_older_one_is_none_of_a_backup_that_is_up_to_date(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)
    add(alice_phone)

    keeping.failed(backup, Cause.STORE, at=timezone.now())

    backup.refresh_from_db()
    assert (backup.failure, backup.status(timezone.now())) == ("", Status.PROTECTED)


def test_failure_is_told_once_with_a_reference_that_activity_knows(
    alice_phone: Visitor, faulty: type[FaultyStore], caplog: pytest.LogCaptureFixture
) -> None:
    backup = turn_on(alice_phone)
    faulty.next("create", *[storage.Cause.FULL] * 4)
    with caplog.at_level(logging.ERROR):
        add(alice_phone)
        for minute in (1, 2, 3):
            keeping.retry(timezone.now() + timedelta(minutes=minute))

    backup.refresh_from_db()
    lines = Event.objects.filter(tag=Tag.BACKUP_FAILED)
    assert [(line.reference, line.facts) for line in lines] == [(backup.reference, {"cause": "store"})]
    assert caplog.text.count(backup.reference) == 1


def test_deleted_while_it_is_under_way_leaves_nothing_in_the_store(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)
    one = newest(backup)
    backup.generations.all().delete()

    keeping.proven(one, at=timezone.now())

    assert support.stored() == []


@pytest.mark.article("G-13")
def test_newest_is_read_again_each_week(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)
    soon, due = backup.checked_at + timedelta(days=6), backup.checked_at + timedelta(days=7)

    assert (keeping.read_again(soon), keeping.read_again(due)) == (0, 1)

    backup.refresh_from_db()
    assert backup.checked_at == newest(backup).checked_at == due


@pytest.mark.parametrize(("done", "cause"), [("gone", Cause.MISSING), ("altered", Cause.UNEQUAL)])
def test_one_that_is_no_longer_what_it_was_counts_no_more(
    done: str, cause: Cause, alice_phone: Visitor, folder: Path
) -> None:
    backup = turn_on(alice_phone)
    add(alice_phone)
    before, last = backup.generations.order_by("sequence")
    file = folder / objects.path(last)
    if done == "altered":
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    else:
        file.unlink()

    whole = keeping.check(backup, at=timezone.now())

    assert (whole, backup.failure, backup.saved_at) == (False, cause, before.made_at)
    assert (backup.status(timezone.now()), backup.behind_since) == (Status.FAILING, last.made_at)
    add(alice_phone, "another")
    backup.refresh_from_db()
    assert (backup.status(timezone.now()), newest(backup).sequence) == (Status.PROTECTED, 3)


@pytest.mark.parametrize("beside", ["it passes under another key", "it is let go"])
def test_saved_state_that_goes_while_it_is_read_again_is_no_damage(
    beside: str, alice_phone: Visitor, faulty: type[FaultyStore], rotate: Callable[[], None]
) -> None:
    backup = turn_on(alice_phone)
    add(alice_phone)
    one = newest(backup)

    def goes() -> None:
        faulty.on_call = None
        if beside == "it is let go":
            add(alice_phone, "newer")
            retaining.delete([one], at=timezone.now())
            return
        rotate()
        assert rotation.rewrap().passed == 2

    faulty.on_call = goes
    whole = keeping.check(backup, at=timezone.now())

    assert (whole, faulty.on_call) == (True, None)
    assert not Generation.objects.filter(state=Generation.State.DAMAGED).exists()
    assert not Event.objects.filter(tag=Tag.BACKUP_FAILED).exists()


def test_store_that_does_not_answer_changes_nothing(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup = turn_on(alice_phone)
    faulty.next("fetch", storage.Cause.UNREACHABLE)

    with pytest.raises(StoreFailed):
        keeping.check(backup, at=timezone.now())

    backup.refresh_from_db()
    assert backup.status(timezone.now()) is Status.PROTECTED


def test_who_is_behind_for_a_week_is_told_by_mail_once(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup = turn_on(alice_phone)
    faulty.next("create", *[storage.Cause.FULL] * 9)
    add(alice_phone)
    backup.refresh_from_db()
    mail.outbox.clear()

    told = [keeping.tell_who_is_behind(backup.behind_since + timedelta(days=days)) for days in (6, 7, 8)]

    assert told == [0, 1, 0]
    assert [message.subject for message in mail.outbox] == ["Your list is not backed up"]


def test_older_one_that_comes_through_late_does_not_count_for_a_change_that_was_not_made(
    alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    backup = turn_on(alice_phone)
    faulty.next("create", storage.Cause.UNREACHABLE)
    add(alice_phone, "one")
    backup.refresh_from_db()
    making.fell_behind(backup, Cause.UNKNOWN, at=timezone.now())  # As where the next one cannot be made.

    keeping.retry(timezone.now() + timedelta(minutes=1))

    backup.refresh_from_db()
    assert [entry.name for entry in contents(newest(backup)).entries] == ["one"]
    assert (backup.failure, backup.status(timezone.now())) == (Cause.UNKNOWN, Status.FAILING)


def test_change_made_while_it_was_off_is_not_counted_by_what_waited_before(
    alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    backup = turn_on(alice_phone)
    faulty.next("create", storage.Cause.UNREACHABLE)
    add(alice_phone, "waits")
    backup.refresh_from_db()
    ending.off(backup, device=None, at=timezone.now())
    add(alice_phone, "meanwhile")
    ending.undo(backup, device=None, at=timezone.now())

    keeping.retry(timezone.now() + timedelta(minutes=1))

    backup.refresh_from_db()
    assert backup.behind_since is not None
    switching.back_up(alice_phone.vault, at=timezone.now())
    backup.refresh_from_db()
    assert [entry.name for entry in contents(newest(backup)).entries] == ["waits", "meanwhile"]
    assert backup.behind_since is None
