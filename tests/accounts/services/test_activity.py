"""Activity: a line for each act, added and never changed; who is mailed follows from the tag."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.utils import timezone, translation

from accounts.models import AppendOnly, Event
from accounts.services import activity, devices
from accounts.services.activity import TAGS, Tag
from tests.factories import Visitor, create_entry


def test_every_tag_has_its_line_and_the_mailed_ones_their_mail() -> None:
    mailed = {"_".join(tag.split(":")[1:]) for tag, line in TAGS.items() if line.mailed}
    mailed.add("person_left")  # Who has left has no activity any more.
    mails = {path.stem for path in (Path(settings.BASE_DIR) / "templates" / "mail").glob("*.txt")}

    assert set(TAGS) == set(Tag)
    assert mails == mailed | {f"{name}_subject" for name in mailed}


def test_tags_have_three_parts() -> None:
    assert {tag.count(":") for tag in Tag} == {2}


def test_line_of_another_release_is_shown_as_it_stands(alice: Visitor) -> None:
    event = Event(user=alice.user, tag="later:thing:done", at=timezone.now())

    assert activity.sentence(event) == "later:thing:done"


@pytest.mark.parametrize(("count", "sentence"), [(1, "1 account was added."), (12, "12 accounts were added.")])
def test_sentence_counts(count: int, sentence: str) -> None:
    with translation.override("en"):
        assert activity.sentence_of(Tag.ENTRY_ADDED, {"count": count}) == sentence


# Words of ours, numbers, and names of devices.
FOR_STAFF = {"all", "device", "former", "asked", "day", "role", "reason", "count", "domain", "fault"}


def test_every_fact_of_a_line_is_shown_to_staff_or_withheld() -> None:
    assert set(activity._NO_FACTS) == FOR_STAFF | set(activity.WITHHELD)


@pytest.mark.parametrize(
    ("tag", "device_name", "facts", "told"),
    [
        (Tag.WORDS_MADE, "Phone", {}, "Phone"),
        (Tag.WORDS_MADE, "our", {}, "our"),  # Letters of the sentence, chosen as a name.
        (Tag.RESTORED, "Phone", {}, ""),
        (Tag.DEVICE_REMOVED, "", {"device": "Phone", "by": "Laptop"}, "Laptop"),
        (Tag.DEVICE_REMOVED, "", {"device": "Phone", "by": "Phone"}, ""),
        ("later:thing:done", "Phone", {}, "Phone"),
    ],
)
def test_device_is_named_beside_a_line_unless_the_sentence_names_it(
    alice: Visitor, tag: str, device_name: str, facts: dict[str, str], told: str
) -> None:
    event = Event(user=alice.user, tag=tag, at=timezone.now(), device_name=device_name, facts=facts)

    assert activity.done_on(event) == told


@pytest.mark.parametrize("tag", Tag)
def test_owner_reads_the_whole_line_and_staff_no_name_of_what_is_elsewhere(alice: Visitor, tag: Tag) -> None:
    facts = {"account": "a…@outlook.example", "name": "Keychain of hers", "asked": "Firefox", "day": "2026-05-03"}
    event = Event(user=alice.user, tag=tag, at=timezone.now(), device_name="Phone", facts={**facts, "count": 1})

    with translation.override("en"):
        owner, staff = activity.sentence(event), activity.sentence(event, to_staff=True)

    expected = owner.replace("a…@outlook.example", "an outside account")
    assert staff == expected.replace("Keychain of hers", "its name is not shown here")


def test_lines_are_added_and_never_changed(alice_phone: Visitor) -> None:
    event = Event.objects.first()
    assert event is not None

    for act in (event.save, event.delete, Event.objects.all().delete, lambda: Event.objects.update(tag="x")):
        with pytest.raises(AppendOnly):
            act()

    alice_phone.user.delete()
    assert Event.objects.count() == 0


def test_line_keeps_the_name_of_a_device_that_is_gone(alice_phone: Visitor) -> None:
    assert alice_phone.device is not None
    alice_phone.device.delete()

    event = Event.objects.get(tag=Tag.DEVICE_SET_UP)

    assert [event.device, activity.sentence(event)] == [None, "This device was set up: Alice's phone."]


@pytest.mark.django_db(transaction=True)
def test_new_device_removal_and_return_are_mailed(alice_phone: Visitor) -> None:
    at = timezone.now()
    assert alice_phone.device is not None
    devices.remove(alice_phone.device, at=at, by=None)
    devices.put_back(alice_phone.device, at=at, by=None)

    assert [(message.to, message.subject) for message in mail.outbox] == [
        (["alice@example.org"], "Your Authweb list opens on a new device: Alice's phone"),
        (["alice@example.org"], "A device was removed from Authweb: Alice's phone"),
        (["alice@example.org"], "A removed device opens your list again: Alice's phone"),
    ]
    assert "/devices/" in str(mail.outbox[0].body)
    assert "Alice's phone" in str(mail.outbox[0].body)


@pytest.mark.django_db(transaction=True)
def test_ordinary_changes_are_not_mailed(alice_phone: Visitor) -> None:
    mail.outbox.clear()

    create_entry(on=alice_phone)

    assert mail.outbox == []


@pytest.mark.django_db(transaction=True)
def test_mail_server_that_is_away_undoes_nothing(alice_phone: Visitor, settings: object) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # type: ignore[attr-defined]
    assert alice_phone.device is not None

    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    alice_phone.device.refresh_from_db()
    assert alice_phone.device.removed_at is not None
    assert not connection.in_atomic_block
