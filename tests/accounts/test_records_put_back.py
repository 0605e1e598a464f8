"""After an old copy of the database was put back: nobody is signed in any more, and everybody is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from accounts.models import Event, User
from accounts.services import activity, deletion
from tests.factories import Visitor


def test_everybody_is_signed_out_and_told_of_which_day_the_records_are(
    alice_phone: Visitor, bob: Visitor, django_capture_on_commit_callbacks: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    Event.objects.all()._raw_delete("default")
    activity.record(activity.Tag.DEVICE_RENAMED, user=alice_phone.user, at=datetime(2026, 5, 3, 12, tzinfo=UTC))
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            call_command("records_put_back")

    sentence = "The records of this server are those of 3 May 2026. Look at your devices and keys."
    answers = [visitor.client.get(reverse("accounts:list")).headers["Location"] for visitor in (alice_phone, bob)]
    assert [address.startswith(reverse("account_login")) for address in answers] == [True, True]
    assert [activity.sentence(event) for event in Event.objects.filter(user=bob.user)] == [sentence] * 2
    assert sorted(message.to[0] for message in mail.outbox) == ["alice@example.org"] * 2 + ["bob@example.org"] * 2
    assert {message.subject for message in mail.outbox} == {"This Authweb was put back to an earlier day"}
    assert "People told: 2." in capsys.readouterr().out


def test_empty_database_has_nobody_to_tell(db: None) -> None:
    with pytest.raises(CommandError):
        call_command("records_put_back")


def test_who_had_asked_to_be_deleted_has_the_time_of_undo_again(alice: Visitor, bob: Visitor) -> None:
    """They may have undone it since, in records that are no more."""
    User.objects.filter(pk=alice.user.pk).update(deletes_at=timezone.now() - timedelta(days=3))

    call_command("records_put_back")
    early = deletion.expire(timezone.now() + timedelta(hours=23, minutes=59))

    assert early == 0
    assert deletion.expire(timezone.now() + timedelta(hours=24)) == 1
    assert list(User.objects.all()) == [bob.user]
