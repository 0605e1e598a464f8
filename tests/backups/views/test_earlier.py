"""Earlier backups on the page of Cloud Backup: shown, deleted by themselves or with the rest, and back by Undo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.urls import reverse

from accounts.services.identity import Purpose
from accounts.vault.list import Protection
from backups.models import Backup
from backups.services import ending, finding
from tests import factories
from tests.backups import support
from tests.backups.services.test_restoring import WORDS, lost_and_new, restored
from tests.factories import Visitor
from tests.pages import buttons, text

pytestmark = pytest.mark.django_db(transaction=True)

OFF, STATUS, UNDO, DELETE = (reverse(f"backups:{name}") for name in ("off", "status", "undo", "delete"))
AT = datetime(2026, 5, 3, 14, 2, tzinfo=UTC)


@pytest.fixture
def new(db: None) -> Visitor:
    """A new phone on which everything came back after the records were lost; its list is backed up anew."""
    with time_machine.travel(AT, tick=False):
        _, new, _ = lost_and_new()
        support.without_records()
        restored(new)
        factories.backed_up(new)
    return new


@pytest.fixture
def earlier(new: Visitor) -> Backup:
    """The backup that it came back from."""
    (one,) = finding.earlier(new.vault.row)
    return one


@pytest.mark.article("G-18")
@time_machine.travel(AT, tick=False)
def test_it_is_shown_with_device_moment_and_account(new: Visitor, earlier: Backup) -> None:
    page = new.client.get(STATUS)

    assert "Earlier backups Pixel 8 Today, 14:02 UTC, 3 accounts a…@outlook.example Delete" in text(page)
    assert f'href="{OFF}?backup={earlier.pk}"' in page.content.decode()
    assert text(page).count("Earlier backups") == 1


def test_what_stays_shut_says_so() -> None:
    old, new, _ = lost_and_new(protection=Protection.KEY)
    factories.create_entry(on=old, name="later")
    support.without_records()
    restored(new, words=WORDS, index=1)
    Backup.objects.exclude(passes_to=None).update(device_name="")

    page, dialog = (
        new.client.get(STATUS),
        new.client.get(f"{OFF}?backup={Backup.objects.get(passes_to=new.vault.row).pk}"),
    )

    assert "Opens with a key that you hold What is in it shows when it is opened." in text(page)
    assert text(dialog).startswith("Delete this backup? Holds What is in it shows when it is opened. Kept under a…@")


@time_machine.travel(AT, tick=False)
def test_it_is_deleted_by_itself_with_undo(new: Visitor, earlier: Backup) -> None:
    dialog = new.client.get(f"{OFF}?backup={earlier.pk}")
    answer = new.client.post(f"{OFF}?backup={earlier.pk}", follow=True)
    told = mail.outbox[-1]
    undone = new.client.post(UNDO, {"backup": str(earlier.pk)}, follow=True)

    assert "After that, if your list is lost" not in text(dialog)
    assert "This backup will be deleted on Monday at 14:02 UTC." in text(answer)
    assert "Earlier backups" not in text(answer)
    assert told.subject == "An earlier backup will be deleted"
    assert "kept under a…@outlook.example and will be deleted on 4 May 2026, 14:02 UTC" in told.body
    assert "Earlier backups Pixel 8" in text(undone)
    assert finding.of(new.vault.row).is_on


@time_machine.travel(AT, tick=False)
def test_dialog_of_off_names_what_goes_along(new: Visitor, earlier: Backup) -> None:
    before = text(new.client.get(OFF))
    Backup.objects.filter(pk=earlier.pk).update(device_name="")
    after = text(new.client.get(OFF))
    new.client.post(OFF)

    assert "The earlier backup made on Pixel 8 goes with it." in before
    assert "An earlier backup, which opens with a key that you hold, goes with it." in after
    assert "1 earlier backup goes with it." in mail.outbox[-1].body
    assert len(set(Backup.objects.exclude(stream="").values_list("deletes_at", flat=True)) - {None}) == 1


@time_machine.travel(AT, tick=False)
def test_delete_now_asks_for_the_recovery_account_though_the_list_is_open(new: Visitor, earlier: Backup) -> None:
    """It may be all that somebody else has of a list."""
    ending.off(earlier, device=None, at=AT)
    address, who = f"{DELETE}?backup={earlier.pk}", factories.person()
    proof = factories.proven(new, purpose=Purpose.RECOVERY_DELETE, target=str(earlier.pk), who=who)

    page, without = new.client.get(address), new.client.post(address)
    before = support.streams()
    new.client.post(address, {"proof": proof})

    assert "An earlier backup may be all that is left of a list. Sign in to a…@outlook.example" in text(page)
    assert buttons(page) == ["Cancel", "Sign in"]
    assert without.headers["Location"] == address
    assert earlier.stream in before
    assert support.streams() == before - {earlier.stream}


@time_machine.travel(AT, tick=False)
def test_what_was_only_found_has_its_time_in_any_case(new: Visitor, earlier: Backup) -> None:
    Backup.objects.filter(pk=earlier.pk).update(unopened=True)
    new.client.post(f"{OFF}?backup={earlier.pk}")
    proof = factories.proven(new, purpose=Purpose.RECOVERY_DELETE, target=str(earlier.pk), who=factories.person())

    page = new.client.get(STATUS)
    answers = [
        new.client.post(f"{DELETE}?backup={earlier.pk}", {"proof": proof}),
        new.client.post(reverse("backups:delete-sign-in"), {"backup": str(earlier.pk)}),
    ]

    assert "This backup will be deleted on Monday at 14:02 UTC." in text(page)
    assert ("Undo" in buttons(page), "Delete now" in text(page)) == (True, False)
    assert [answer.headers["Location"] for answer in answers] == [STATUS] * 2
    assert earlier.stream in support.streams()


@time_machine.travel(AT, tick=False)
def test_nobody_else_sees_or_deletes_it(new: Visitor, earlier: Backup, bob: Visitor) -> None:
    answers = [bob.client.get(f"{OFF}?backup={earlier.pk}"), bob.client.post(f"{OFF}?backup={earlier.pk}")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "Earlier backups" not in text(bob.client.get(STATUS))
    earlier.refresh_from_db()
    assert earlier.is_kept


@time_machine.travel(AT, tick=False)
def test_where_the_list_is_not_open_it_stands_below_and_is_never_the_one_that_is_meant(
    new: Visitor, earlier: Backup
) -> None:
    elsewhere = factories.at_another_browser(new)
    before = text(elsewhere.client.get(STATUS))
    Backup.objects.filter(vault=new.vault.row).update(
        deletes_at=AT + timedelta(hours=24), left_at=AT, vault=None, former_of=new.vault.row
    )

    alone = elsewhere.client.get(STATUS)
    answer = elsewhere.client.post(OFF)

    assert "Earlier backups Pixel 8" in before
    assert "Earlier backups Pixel 8" in text(alone)
    assert "Turn on" in buttons(alone)
    assert answer.headers["Location"] == STATUS
    earlier.refresh_from_db()
    assert earlier.is_kept


@time_machine.travel(AT, tick=False)
def test_who_is_being_deleted_has_no_button_for_it(new: Visitor) -> None:
    type(new.user).objects.filter(pk=new.user.pk).update(deletes_at=AT + timedelta(hours=1))

    page = new.client.get(STATUS)

    assert "Earlier backups Pixel 8" in text(page)
    assert "Delete" not in buttons(page)
