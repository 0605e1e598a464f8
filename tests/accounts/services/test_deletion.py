"""A person leaves: a day to undo, then nothing of them is left, and nobody else lacks anything."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.db.models.signals import pre_delete
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Attempt, Device, DeviceType, Draft, Event, KeySlot, SlotKind, User, Vault
from accounts.services import activity, attempts, deletion, devices, vaults
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from backups.services import retaining
from tests import factories
from tests.attacks import crawler
from tests.factories import Visitor

DAY = timedelta(hours=24)
# Tables that speak of no person.
OF_NOBODY = {
    "accounts.BlockedDomain",
    "accounts.KeyCheck",
    "auth.Group",
    "auth.Group_permissions",
    "auth.Permission",
    "contenttypes.ContentType",
    "socialaccount.SocialApp",
}


def furnish(visitor: Visitor) -> set[str]:
    """Give a person a row in every table there is. Returns the marks by which such rows are found."""
    user, at = visitor.user, timezone.now()
    name = user.email.partition("@")[0]
    factories.create_entry(on=visitor, name=f"account of {name}")
    vaults.hold(visitor.vault, {"entries": []}, kind=Draft.Kind.ADD, at=at)
    factories.proven(visitor)
    backup = factories.backed_up(visitor)
    separate = devices.set_up(user, NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), at=at, separate=True)
    slots = [factories.create_key(on=visitor, kind=kind) for kind in (SlotKind.WORDS, SlotKind.PASSKEY)]
    asks = devices.add_row(user, NewDevice(uuid4(), "Tablet", DeviceType.ANDROID), at=at)[0]
    slots.append(
        KeySlot.objects.create(
            vault=visitor.vault.row,
            kind=SlotKind.APPROVAL,
            kid=1,
            device=asks,
            share=bytes(32),
            public_key=bytes(32),
            expires_at=at + timedelta(minutes=10),
            made_at=at,
        )
    )
    lists = list(Vault.objects.filter(user=user))
    for row in lists:
        attempts.count([(attempts.WORDS_OF_LIST, attempts.of_list(row.pk))], at=at)
    other = EmailAddress.objects.create(user=user, email=f"{name}@elsewhere.example", verified=False)
    EmailConfirmation.objects.create(email_address=other, key=f"confirmation-of-{name}", sent=at)
    outside = SocialAccount.objects.create(user=user, provider="openid_connect", uid=f"outside-of-{name}")
    SocialToken.objects.create(account=outside, token=f"token-of-{name}")
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": f"seed-of-{name}"})
    user.groups.add(Group.objects.get_or_create(name="Helpers")[0])
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    people = ContentType.objects.get_for_model(User)
    for who, about in ((user, "somebody"), (factories.create_user(f"staff-{name}@example.com"), user.email)):
        LogEntry.objects.create(
            user=who, content_type=people, object_id=user.pk, object_repr=about, action_flag=CHANGE, action_time=at
        )
    unnoted = Client()
    unnoted.force_login(user)  # A session that allauth never noted.
    waiting = SessionStore()
    waiting["account_login"] = {"email": other.email, "user_pk": str(user.pk)}
    waiting.save()
    ids = [
        user.pk,
        backup.pk,
        backup.recovery_account_id,
        asks.pk,
        separate.device.pk,
        visitor.device.pk,
        *(row.pk for row in lists),
        *(s.pk for s in slots),
    ]
    subjects = [attempts.of_list(row.pk).hex() for row in lists]
    things = ("confirmation", "token", "outside", "seed")
    texts = [user.email, other.email, *(f"{thing}-of-{name}" for thing in things)]
    return {*map(str, ids), *(one.hex for one in ids), *subjects, *texts}


def mentions(marks: set[str]) -> Counter[str]:
    """In each table, how many rows speak of a person."""
    found: Counter[str] = Counter()
    for model in apps.get_models(include_auto_created=True):
        for row in model._base_manager.values_list():
            text = json.dumps(row, default=_text, ensure_ascii=False)
            if any(mark in text for mark in marks):
                found[model._meta.label] += 1
    for session in Session.objects.all():
        if any(mark in json.dumps(session.get_decoded(), default=str) for mark in marks):
            found["sessions.Session"] += 1
    return found


def _text(value: object) -> str:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)


def at_of(user: User) -> datetime:
    """When a person is deleted, as the database has it."""
    found = User.objects.get(pk=user.pk).deletes_at
    assert found is not None
    return found


@pytest.mark.article("G-29")
@pytest.mark.row("T47")
def test_nothing_of_a_person_is_left_in_any_table_and_others_stay_whole(alice_phone: Visitor, bob: Visitor) -> None:
    alices, bobs = furnish(alice_phone), furnish(bob)
    tables = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    before, bobs_before = mentions(alices), mentions(bobs)
    deletion.ask(alice_phone.user, at=timezone.now())

    retaining.expire_people(at_of(alice_phone.user))  # Saved states go first, as `tidy` has it.
    left = deletion.expire(at_of(alice_phone.user))

    assert left == 1
    assert set(before) == set(bobs_before) == tables - OF_NOBODY  # The walk finds them in every table.
    assert mentions(alices) == {}
    assert mentions(bobs) == bobs_before
    assert [entry.name for entry in bob.entries] == ["account of bob"]


@pytest.mark.row("T47")
def test_tries_counted_under_an_older_pepper_go_too(alice_phone: Visitor, newer_pepper: Any) -> None:
    row = factories.vault_of(alice_phone)
    attempts.count([(attempts.WORDS_OF_LIST, attempts.of_list(row.pk))], at=timezone.now())
    newer_pepper()
    attempts.count([(attempts.WORDS_OF_LIST, attempts.of_list(row.pk))], at=timezone.now())
    attempts.count([(attempts.WORDS_OF_LIST, attempts.of_list(uuid4()))], at=timezone.now())
    deletion.ask(alice_phone.user, at=timezone.now())

    deletion.expire(at_of(alice_phone.user))

    assert Attempt.objects.count() == 1  # Of the list of somebody else.


def test_waiting_sign_in_of_somebody_with_a_longer_address_goes_on(db: None) -> None:
    leaver = factories.create_user("n@example.org")
    waiting = {}
    for address in ("ann@example.org", "N@example.org"):
        waiting[address] = SessionStore()
        waiting[address]["account_login"] = {"email": address, "tries": [1, {"to": address}]}
        waiting[address].save()
    deletion.ask(leaver, at=timezone.now())

    deletion.expire(at_of(leaver))

    assert {name: session.exists(session.session_key) for name, session in waiting.items()} == {
        "ann@example.org": True,
        "N@example.org": False,
    }


@pytest.mark.article("G-29")
@pytest.mark.row("T47")
def test_nothing_goes_before_the_second_and_on_it_all_does(alice_phone: Visitor, bob: Visitor) -> None:
    marks = furnish(alice_phone)
    now = timezone.now()
    deletion.ask(alice_phone.user, at=now)
    before = mentions(marks)

    early = [deletion.expire(at) for at in (now, now + DAY - timedelta(seconds=1))]
    whole = mentions(marks)
    retaining.expire_people(now + DAY)
    ended = deletion.expire(now + DAY)

    assert [early, ended] == [[0, 0], 1]
    assert whole == before
    assert list(User.objects.filter(email__endswith="@example.org")) == [bob.user]


@pytest.mark.article("G-29")
@pytest.mark.row("T47")
def test_undo_within_the_day_leaves_everything_as_it_was(alice_phone: Visitor) -> None:
    furnish(alice_phone)
    now = timezone.now()
    before = crawler.rows()

    deletion.ask(alice_phone.user, at=now)
    deletion.undo(alice_phone.user, at=now + DAY - timedelta(seconds=1))
    deletion.expire(now + DAY)

    assert crawler.changed(before, crawler.rows()) == ["accounts_event"]
    assert list(Event.objects.order_by("pk").values_list("tag", flat=True))[-2:] == [
        Tag.PERSON_LEAVES,
        Tag.PERSON_STAYS,
    ]
    factories.create_entry(on=alice_phone, name="written again")
    assert [entry.name for entry in alice_phone.entries] == ["account of alice", "written again"]


def test_asking_twice_keeps_the_first_time(alice: Visitor) -> None:
    now = timezone.now()

    deletion.ask(alice.user, at=now)
    deletion.ask(User.objects.get(pk=alice.user.pk), at=now + timedelta(hours=5))

    assert at_of(alice.user) == now + DAY
    assert Event.objects.filter(tag=Tag.PERSON_LEAVES).count() == 1


def test_undo_comes_too_late_on_the_second(alice: Visitor) -> None:
    now = timezone.now()
    deletion.ask(alice.user, at=now)

    with pytest.raises(deletion.TimeOver):
        deletion.undo(alice.user, at=now + DAY)

    assert at_of(alice.user) == now + DAY
    assert not Event.objects.filter(tag=Tag.PERSON_STAYS).exists()


def test_undo_of_who_does_not_leave_says_nothing_and_of_who_is_gone_that_it_is_late(alice: Visitor) -> None:
    now = timezone.now()

    deletion.undo(alice.user, at=now)
    events = Event.objects.count()
    deletion.ask(alice.user, at=now)
    copy = User.objects.get(pk=alice.user.pk)
    deletion.expire(now + DAY)

    assert events == 0
    with pytest.raises(deletion.TimeOver):
        deletion.undo(copy, at=now)


def test_each_step_is_mailed_in_the_persons_time(db: None, django_capture_on_commit_callbacks: Any) -> None:
    user = factories.create_user("alice@example.org", time_zone="Europe/Berlin", language="en")
    asked = datetime(2026, 5, 4, 12, 2, tzinfo=UTC)
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        deletion.ask(user, at=asked)
        deletion.undo(user, at=asked)
        deletion.ask(user, at=asked)
    with django_capture_on_commit_callbacks(execute=True):
        deletion.expire(asked + DAY)

    assert {tuple(message.to) for message in mail.outbox} == {("alice@example.org",)}
    assert [message.subject for message in mail.outbox] == [
        "Your Authweb account will be deleted",
        "Your Authweb account is kept",
        "Your Authweb account will be deleted",
        "Your Authweb account was deleted",
    ]
    assert "It will be deleted on Tuesday, 5 May 2026, 14:02 CEST." in mail.outbox[0].body
    assert "you asked to delete" in mail.outbox[0].body
    assert f"press Undo. If this was not you, change your password too:\nhttp://localhost:8000{SETTINGS}" in (
        mail.outbox[0].body
    )


SETTINGS = reverse("accounts:settings")


def test_mail_says_when_staff_asked(alice: Visitor, bob: Visitor, django_capture_on_commit_callbacks: Any) -> None:
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        deletion.ask(alice.user, at=timezone.now(), by=bob.user)

    assert "the administration of this server asked to delete" in mail.outbox[0].body


@contextmanager
def undeletable(user: User) -> Iterator[None]:
    """Something in the way of one person's deletion."""

    def refuse(instance: User, **_: object) -> None:
        if instance.pk == user.pk:
            raise DatabaseError("in the way")

    pre_delete.connect(refuse, sender=User)
    try:
        yield
    finally:
        pre_delete.disconnect(refuse, sender=User)


def test_one_who_cannot_be_deleted_holds_back_no_other_and_is_tried_again(
    alice_phone: Visitor, bob: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    now = timezone.now()
    deletion.ask(alice_phone.user, at=now - timedelta(hours=1))
    deletion.ask(bob.user, at=now)
    marks = {str(alice_phone.user.pk), alice_phone.user.pk.hex, "alice@example.org"}
    before = mentions(marks)

    with undeletable(alice_phone.user), pytest.raises(deletion.NotAllLeft):
        deletion.expire(now + DAY)

    assert list(User.objects.all()) == [alice_phone.user]
    assert mentions(marks) == before  # Nothing half done.
    assert [record.args for record in caplog.records if record.levelno == logging.ERROR] == [(alice_phone.user.pk,)]
    assert "alice@example.org" not in caplog.text
    assert [deletion.expire(now + DAY), User.objects.count()] == [1, 0]


def test_last_superuser_stays_and_of_two_one_may_leave(db: None) -> None:
    chief = factories.create_user("chief@example.org", is_staff=True, is_superuser=True)
    now = timezone.now()
    with pytest.raises(deletion.LastSuperuser):
        deletion.ask(chief, at=now)
    assert User.objects.get().deletes_at is None
    other = factories.create_user("other@example.org", is_staff=True, is_superuser=True)
    factories.create_user("off@example.org", is_superuser=True, is_active=False)

    deletion.ask(other, at=now)

    with pytest.raises(deletion.LastSuperuser):
        deletion.ask(chief, at=now)
    deletion.undo(other, at=now)
    deletion.ask(chief, at=now)
    assert at_of(chief) == now + DAY


def test_copy_of_a_person_read_earlier_neither_undoes_nor_revives_a_deletion(alice: Visitor) -> None:
    """Settings are saved by forms that write the whole row as they read it, perhaps before."""
    now = timezone.now()
    before = User.objects.get(pk=alice.user.pk)
    deletion.ask(alice.user, at=now)
    meanwhile = User.objects.get(pk=alice.user.pk)

    before.theme = User.Theme.DARK
    before.save()
    asked = at_of(alice.user)
    deletion.undo(alice.user, at=now)
    meanwhile.hide_codes = True
    meanwhile.save()

    row = User.objects.get(pk=alice.user.pk)
    assert [asked, row.deletes_at] == [now + DAY, None]
    assert [row.theme, row.hide_codes] == ["system", True]  # All else is written as ever.


def test_copy_of_a_person_who_is_gone_is_not_written_back(alice: Visitor) -> None:
    copy = User.objects.get(pk=alice.user.pk)
    deletion.ask(alice.user, at=timezone.now())
    deletion.expire(at_of(alice.user))

    with pytest.raises(DatabaseError), transaction.atomic():
        copy.save()

    assert not User.objects.exists()


def test_nothing_is_begun_in_a_list_that_goes(alice_phone: Visitor) -> None:
    deletion.ask(alice_phone.user, at=timezone.now())

    with pytest.raises(vaults.BeingDeleted):
        vaults.hold(alice_phone.vault, {}, kind=Draft.Kind.ADD, at=timezone.now())
    with pytest.raises(vaults.BeingDeleted):
        devices.set_up(alice_phone.user, NewDevice(uuid4(), "Other", DeviceType.IOS), at=timezone.now(), separate=True)

    assert [Draft.objects.count(), Device.objects.count(), Vault.objects.count()] == [0, 1, 1]


def test_sentence_of_both_acts_stands_in_activity(alice: Visitor) -> None:
    deletion.ask(alice.user, at=timezone.now())
    deletion.undo(alice.user, at=timezone.now())

    assert [activity.sentence(event) for event in Event.objects.order_by("pk")] == [
        "Deleting your Authweb account was asked for.",
        "Your Authweb account is kept: deleting it was undone.",
    ]


def together(*acts: Callable[[], object]) -> list[object]:
    """Do them at once, each in a thread with a connection of its own; what each returned or raised."""
    at_once = Barrier(len(acts))

    def done(act: Callable[[], object]) -> object:
        at_once.wait()
        try:
            return act()
        except Exception as error:
            return type(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return [future.result() for future in [threads.submit(done, act) for act in acts]]


@pytest.mark.row("T47")
@pytest.mark.django_db(transaction=True)
def test_undo_and_the_end_at_once_keep_the_person_whole_or_leave_nothing(amount: Callable[..., int]) -> None:
    now, outcomes = timezone.now(), set()
    for number in range(amount(short=8, long=200)):
        one = factories.enrolled(f"person-{number}@example.org", name="Phone", type="ios")
        deletion.ask(one.user, at=now)
        copy = User.objects.get(pk=one.user.pk)
        last_moment = now + DAY - timedelta(seconds=1)

        said, left = together(partial(deletion.undo, copy, at=last_moment), partial(deletion.expire, now + DAY))

        there = User.objects.filter(pk=copy.pk).first()
        outcomes.add((said, left, there is None or there.deletes_at is None, there is None))
        assert Device.objects.count() == Vault.objects.count() == (there is not None)
        User.objects.all().delete()

    assert outcomes <= {(None, 0, True, False), (deletion.TimeOver, 1, True, True)}
    assert outcomes


@pytest.mark.django_db(transaction=True)
def test_of_the_last_two_superusers_who_leave_at_once_one_stays(amount: Callable[..., int]) -> None:
    for number in range(amount(short=5, long=100)):
        chiefs = [factories.create_user(f"{number}-{n}@example.org", is_superuser=True) for n in range(2)]

        said = together(*(partial(deletion.ask, chief, at=timezone.now()) for chief in chiefs))

        assert sorted(map(str, said)) == sorted(map(str, [None, deletion.LastSuperuser]))
        assert User.objects.exclude(deletes_at=None).count() == 1
        User.objects.all().delete()
