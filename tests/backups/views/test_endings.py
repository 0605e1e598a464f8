"""Off is delete, with its dialog; "Delete now"; another protection; older saved states."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.models import SlotKind
from accounts.services import held_keys
from accounts.services.identity import Purpose
from accounts.vault.entry import Kind
from accounts.vault.list import Protection
from backups import storage
from backups.models import Backup, Generation
from backups.services import ending, switching
from tests import factories
from tests.factories import Visitor
from tests.pages import buttons, main, text

pytestmark = pytest.mark.django_db(transaction=True)

OFF, DELETE, STATUS, OLDER = (reverse(f"backups:{name}") for name in ("off", "delete", "status", "older"))
PROTECTION = reverse("backups:protection")


@pytest.fixture
def android(db: None) -> Visitor:
    """Alice at an Android phone, with two accounts in her list."""
    visitor = factories.enrolled("alice@example.org", name="Pixel 9", type="android")
    for name in ("one", "two"):
        factories.create_entry(on=visitor, name=name)
    return visitor


@pytest.fixture
def backup(android: Visitor) -> Backup:
    """Her backup, its first state kept."""
    return factories.backed_up(android, who=factories.person("a@outlook.example"))


# -- Off --------------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-46")
@pytest.mark.article("S-64")
@pytest.mark.article("G-17")
@time_machine.travel(datetime(2026, 5, 3, 14, 2, tzinfo=UTC), tick=False)
def test_dialog_names_what_goes_and_cancel_has_the_focus(android: Visitor) -> None:
    factories.backed_up(android, who=factories.person("a@outlook.example"))

    page = android.client.get(OFF)

    said = text(page)
    assert said.startswith("Delete this backup? Holds 2 accounts Last saved 3 May 2026 at 14:02 UTC Kept under a…@")
    assert "Made on Pixel 9 (Android)" in said
    assert "Your list stays, and so do lists restored from it. It will be deleted after 24 hours; until" in said
    assert "It will be deleted after 24 hours; until then you can undo." in said
    assert "After that, if your list is lost, 2 accounts are lost with it." in said
    assert buttons(page) == ["Cancel", "OK"]
    assert re.search(r'href="/backups/" autofocus>Cancel<', main(page))
    assert Backup.objects.get().deletes_at is None


@pytest.mark.article("S-47")
@pytest.mark.article("G-01")
def test_ok_deletes_after_the_time_and_nothing_is_left(android: Visitor, backup: Backup) -> None:
    at = timezone.now()

    answers = [android.client.post(OFF), android.client.post(OFF)]
    factories.create_entry(on=android, name="not saved any more")
    saved = Generation.objects.count()
    ending.expire(at + timedelta(hours=23, minutes=59))
    kept = list(storage.backups().names(""))
    ending.expire(at + timedelta(hours=24, minutes=1))

    assert [answer.headers["Location"] for answer in answers] == [STATUS, STATUS]
    assert (saved, len(kept)) == (1, 1)
    assert (Generation.objects.count(), list(storage.backups().names(""))) == (0, [])
    assert "Not backed up." in text(android.client.get(STATUS))
    assert android.user.events.filter(tag="backups:backup:off").count() == 1


@pytest.mark.article("S-64")
def test_both_meanings_of_ok_stand_on_pages_of_their_own(android: Visitor, backup: Backup) -> None:
    other = factories.enrolled("zoe@example.org", name="Tablet", type="android")
    turning_on = other.client.get(f"{reverse('backups:on')}?proof={factories.proven(other)}")
    turning_off = android.client.get(OFF)

    assert [buttons(page)[-1] for page in (turning_on, turning_off)] == ["OK", "OK"]
    assert ["Delete this backup?" in text(page) for page in (turning_on, turning_off)] == [False, True]
    assert ["button-danger" in main(page) for page in (turning_on, turning_off)] == [False, True]


def test_off_needs_no_open_list_and_a_fresh_sign_in(android: Visitor, backup: Backup) -> None:
    elsewhere = factories.at_another_browser(android)

    asked = elsewhere.client.get(OFF)
    elsewhere.client.post(OFF, {"backup": str(backup.pk)})

    assert "Delete this backup?" in text(asked)
    assert Backup.objects.get().deletes_at is not None


@pytest.mark.parametrize("address", [OFF, DELETE, PROTECTION, OLDER])
def test_stale_sign_in_asks_again_and_changes_nothing(android: Visitor, backup: Backup, address: str) -> None:
    factories.create_key(on=android, kind=SlotKind.WORDS)
    switching.protect(android.vault, Protection.KEY, at=timezone.now())
    if address == DELETE:
        ending.off(backup, device=None, at=timezone.now())
    before = list(Backup.objects.values()), Generation.objects.count()
    factories.grown_stale(android)

    get = android.client.get(address)
    post = android.client.post(address, {"protection": "sign_in", "which": "operator"})

    assert "/sign-in/reauthenticate/" in get.headers["Location"]
    assert (post.status_code, post.headers["Location"]) == (303, address)
    assert (list(Backup.objects.values()), Generation.objects.count()) == before


# -- Delete now -------------------------------------------------------------------------------------------------------


def test_delete_now_asks_once_more_and_deletes_everything_at_once(android: Visitor, backup: Backup) -> None:
    before = android.client.get(DELETE)
    ending.off(backup, device=None, at=timezone.now())
    page = android.client.get(DELETE)
    stored = list(storage.backups().names(""))

    answers = [android.client.post(DELETE), android.client.post(DELETE)]

    assert before.headers["Location"] == STATUS
    assert text(page).startswith("Delete this backup now? There is no Undo")
    assert buttons(page) == ["Cancel", "Delete now"]
    assert len(stored) == 1
    assert [answer.headers["Location"] for answer in answers] == [STATUS, STATUS]
    assert list(storage.backups().names("")) == []


def test_delete_now_without_the_open_list_takes_a_proof_of_the_recovery_account(
    android: Visitor, backup: Backup, bob: Visitor
) -> None:
    ending.off(backup, device=None, at=timezone.now())
    elsewhere, asked = factories.at_another_browser(android), {"backup": str(backup.pk)}

    page = elsewhere.client.get(DELETE)
    without = elsewhere.client.post(DELETE)
    wrong = [
        factories.proven(android, purpose=Purpose.RECOVERY_CHOOSE, target=str(backup.pk)),
        factories.proven(android, purpose=Purpose.RECOVERY_DELETE),
        factories.proven(bob, purpose=Purpose.RECOVERY_DELETE, target=str(backup.pk)),
        factories.proven(android, purpose=Purpose.RECOVERY_DELETE, target=str(backup.pk)),  # Of another account.
    ]
    for proof in wrong:
        elsewhere.client.post(DELETE, asked | {"proof": proof})
    stays = Generation.objects.count()
    elsewhere.client.post(reverse("backups:delete-sign-in"), asked)
    begun = factories.begun()
    who = factories.person("a@outlook.example")
    right = factories.proven(android, purpose=Purpose.RECOVERY_DELETE, target=str(backup.pk), who=who)
    shown = elsewhere.client.get(f"{begun.back}&proof={right}")
    elsewhere.client.post(DELETE, asked | {"proof": right})

    assert buttons(page) == ["Cancel", "Sign in"]
    assert without.headers["Location"] == f"{DELETE}?backup={backup.pk}"
    assert stays == 1
    assert (begun.purpose, begun.target) == (Purpose.RECOVERY_DELETE, str(backup.pk))
    assert bytes(begun.expected or b"") == bytes(backup.recovery_account.tag)  # type: ignore[union-attr]
    assert buttons(shown) == ["Cancel", "Delete now"]
    assert Generation.objects.count() == 0


# -- Who can open it --------------------------------------------------------------------------------------------------


def test_protection_is_changed_and_older_states_are_offered_for_deletion(android: Visitor, backup: Backup) -> None:
    factories.create_key(on=android, kind=SlotKind.WORDS)
    page = android.client.get(PROTECTION)

    changed = android.client.post(PROTECTION, {"protection": "key"})
    older = android.client.get(changed.headers["Location"])
    android.client.post(OLDER, {"which": "operator"})

    assert re.findall(r'value="(\w+)"( checked)?>', main(page))[-2:] == [("sign_in", " checked"), ("key", "")]
    assert changed.headers["Location"] == OLDER
    assert "2 saved states from before are still open to the operator of this server." in text(older)
    assert buttons(older) == ["Keep them", "Delete them"]
    assert [one.opens_with_sign_in for one in Generation.objects.all()] == [False]


def test_protection_without_a_key_offers_ways_to_one(android: Visitor, backup: Backup) -> None:
    page, refused = android.client.get(PROTECTION), android.client.post(PROTECTION, {"protection": "key"})

    assert f"{reverse('accounts:words-new')}?next=backup-protection" in main(page)
    assert "You hold no key yet." in text(refused)
    assert Backup.objects.get().protection == Protection.SIGN_IN


# -- Keys that are no more --------------------------------------------------------------------------------------------


@pytest.mark.article("G-27")
def test_changed_words_leave_states_that_are_named_and_can_go(android: Visitor) -> None:
    factories.create_key(on=android, kind=SlotKind.WORDS)
    factories.backed_up(android, protection=Protection.KEY)
    factories.create_entry(on=android, name="three")
    words = {"words": "another long phrase of hers", "again": "another long phrase of hers"}

    changed = android.client.post(reverse("accounts:words-own"), words)
    page = android.client.get(changed.headers["Location"])
    former = Generation.objects.count()
    android.client.post(OLDER, {"which": "former"})

    assert changed.headers["Location"] == OLDER
    assert "2 saved states from" in text(page)
    assert "still open with former words or a former passkey." in text(page)
    assert (former, Generation.objects.count()) == (3, 1)


@pytest.mark.article("G-27")
def test_last_key_of_a_protected_backup_stays(android: Visitor) -> None:
    key = factories.create_key(on=android, kind=SlotKind.WORDS)
    factories.backed_up(android, protection=Protection.KEY)
    address = reverse("accounts:key-remove", args=[key.pk])

    page, refused = android.client.get(address), android.client.post(address)
    stays = held_keys.of(android.vault.row).words
    android.client.post(PROTECTION, {"protection": "sign_in"})
    removed = android.client.post(address)

    sentence = "The last key of a protected backup stays. Make another first, or change the backup to sign-in only."
    assert sentence in text(page)
    assert buttons(page) == ["Add a passkey", "Change protection", "Cancel"]
    assert refused.headers["Location"] == address
    assert stays == key
    assert held_keys.of(android.vault.row).words is None
    assert removed.headers["Location"] == OLDER


@pytest.mark.article("G-27")
def test_first_key_offers_to_protect_the_backup_with_it(android: Visitor, backup: Backup) -> None:
    words = {"words": "a long phrase of hers", "again": "a long phrase of hers"}

    made = android.client.post(reverse("accounts:words-own"), words)

    assert made.headers["Location"] == f"{PROTECTION}?protection=key"
    assert 'value="key" checked' in main(android.client.get(made.headers["Location"]))


# -- What pages of accounts say ---------------------------------------------------------------------------------------

NOTHING_STORED = (
    "Nothing stored on this server opens your list. The server can read it only while your browser is using"
)


@pytest.mark.row("A40")
@pytest.mark.article("G-15")
def test_sentence_of_the_list_stands_only_while_no_state_is_open_to_the_operator(android: Visitor) -> None:
    keys = reverse("accounts:keys")
    never = text(android.client.get(keys))
    factories.create_key(on=android, kind=SlotKind.WORDS)
    factories.backed_up(android)
    open_ = text(android.client.get(keys))
    switching.protect(android.vault, Protection.KEY, at=timezone.now())
    still = text(android.client.get(keys))
    android.client.post(OLDER, {"which": "operator"})
    closed = text(android.client.get(keys))

    assert [NOTHING_STORED in said for said in (never, open_, still, closed)] == [True, False, False, True]


@pytest.mark.article("G-27")
@time_machine.travel(datetime(2026, 5, 3, 14, 2, tzinfo=UTC), tick=False)
def test_keys_say_what_each_opens_of_the_backup(android: Visitor) -> None:
    factories.create_key(on=android, kind=SlotKind.WORDS)
    factories.backed_up(android, protection=Protection.KEY, who=factories.person("a@outlook.example"))

    said = text(android.client.get(reverse("accounts:keys")))

    assert "With a…@outlook.example: backups saved since 3 May 2026" in said
    assert "a…@outlook.example alone opens no state that is saved now" in said


def test_account_says_what_a_backup_carries_of_it(android: Visitor, backup: Backup) -> None:
    work = factories.create_entry(on=android, name="work", kind=Kind.WORK)
    pages = [android.client.get(reverse("accounts:account", args=[id])) for id in (android.entries[0].id, work.id)]

    assert "In the backup: name and code." in text(pages[0])
    assert "In the backup: name only. After a restore you sign in again." in text(pages[1])


@pytest.mark.article("G-31")
@time_machine.travel(datetime(2026, 5, 3, 14, 2, tzinfo=UTC), tick=False)
def test_removal_of_the_last_way_names_the_backup_that_brings_the_list_back(android: Visitor) -> None:
    factories.backed_up(android, who=factories.person("a@outlook.example"))
    assert android.device is not None

    page = android.client.get(reverse("accounts:device-remove", args=[android.device.pk]))

    said = text(page)
    assert (
        "After Monday at 14:02 UTC only the backup of 14:02 UTC (2 accounts, a…@outlook.example) brings it back."
        in said
    )
    assert "I can sign in to a…@outlook.example." in said


@pytest.mark.article("G-29")
def test_deletion_of_the_person_names_the_backup(android: Visitor, backup: Backup) -> None:
    said = text(android.client.get(reverse("accounts:delete-account")))

    assert "Backup 1 saved state under a…@outlook.example" in said


def test_way_back_offers_cloud_backup_first_and_ticks_it(android: Visitor) -> None:
    address = reverse("accounts:way-back")
    before = main(android.client.get(address))
    factories.backed_up(android)
    after = main(android.client.get(address))

    assert re.findall(r'choice-title">([^<]*)<', before) == ["Turn on Cloud Backup", "Add a passkey", "Make six words"]
    assert [html.count('class="done"') for html in (before, after)] == [0, 1]
