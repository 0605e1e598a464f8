"""What a rule keeps out of backups: new ones lack it, old ones do not bring it back, and no list looks lost by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.models import BlockedDomain, Draft
from accounts.services import policy, vaults
from accounts.services.activity import Tag
from accounts.services.policy import Act
from accounts.vault import merging
from accounts.vault.entry import Kind
from accounts.vault.list import AccountList
from backups.contents import Contents
from backups.models import Backup
from backups.services import fates, keeping
from backups.services.fates import Fate
from backups.storage import Cause
from tests import factories
from tests.backups.support import FaultyStore, contents, newest
from tests.factories import Visitor, an_entry, create_entry
from tests.pages import text

pytestmark = pytest.mark.django_db(transaction=True)

STATUS, LIST = reverse("backups:status"), reverse("accounts:list")
DAY = timedelta(days=1)


def names(backup: Backup) -> list[str]:
    return [entry.name for entry in contents(newest(backup)).entries]


def noted(visitor: Visitor, note: str) -> None:
    """Any change: a new saved state is made of it."""
    first = visitor.entries[0].id
    vaults.change(visitor.vault, lambda all_: all_.note(first, note), tag=Tag.ENTRY_NOTED, at=timezone.now())


@pytest.fixture
def backed_up(alice_phone: Visitor) -> Backup:
    """Alice's list with two accounts of contoso.com among four."""
    for name in ("alice", "alice@contoso.com", "bob@contoso.com", "alice@it.contoso.com"):
        create_entry(on=alice_phone, issuer="VPN", name=name)
    return factories.backed_up(alice_phone)


@pytest.mark.article("S-61")
def test_new_saved_states_lack_a_blocked_account_from_the_day_on(alice_phone: Visitor, backed_up: Backup) -> None:
    today = timezone.now().date()
    factories.block("contoso.com", today + DAY)

    noted(alice_phone, "the day before")
    before = names(backed_up)
    with time_machine.travel(timezone.now() + DAY):
        noted(alice_phone, "from the day on")
        card, chip = text(alice_phone.client.get(STATUS)), alice_phone.client.get(LIST).content.decode()
    after = names(backed_up)

    assert before == ["alice", "alice@contoso.com", "bob@contoso.com", "alice@it.contoso.com"]
    assert after == ["alice", "alice@it.contoso.com"]
    backed_up.refresh_from_db()
    assert (backed_up.count, backed_up.left_out, backed_up.shrunk_from) == (2, 2, None)
    assert "2 of 4 accounts 2 accounts are no longer backed up: blocked for contoso.com since " in card
    assert "2 of 4, " in chip
    assert [entry.name for entry in alice_phone.entries] == before


def test_rule_that_leaves_nearly_nothing_does_not_look_like_a_lost_list(
    alice_phone: Visitor, backed_up: Backup
) -> None:
    factories.block("contoso.com")
    factories.block("it.contoso.com")

    noted(alice_phone, "one of four is left")

    backed_up.refresh_from_db()
    assert (backed_up.count, backed_up.left_out, backed_up.shrunk_from) == (1, 3, None)
    gone, at = [entry.id for entry in alice_phone.entries[1:]], timezone.now()

    def without(accounts: AccountList) -> AccountList:
        for one in gone:
            accounts = accounts.trash_entry(one, vaults.seconds(at))
        return accounts

    vaults.change(alice_phone.vault, without, tag=Tag.ENTRY_TRASHED, at=at)
    backed_up.refresh_from_db()
    assert (backed_up.count, backed_up.left_out, backed_up.shrunk_from) == (1, 0, 4)


def test_card_says_what_the_newest_saved_state_still_holds_and_what_it_lacks(
    alice_phone: Visitor, backed_up: Backup
) -> None:
    factories.block("contoso.com")
    still = text(alice_phone.client.get(STATUS))
    noted(alice_phone, "made without them")
    BlockedDomain.objects.all().delete()
    lacking = text(alice_phone.client.get(STATUS))

    alice_phone.client.post(reverse("backups:back-up"))

    assert "still holds them. A restore does not bring them back." in still
    assert "2 accounts are blocked no longer and are in no saved state yet." in lacking
    backed_up.refresh_from_db()
    assert (backed_up.count, backed_up.left_out) == (4, 0)
    assert "4 of 4 accounts" in text(alice_phone.client.get(STATUS))


def test_card_and_back_up_see_that_others_are_blocked_though_as_many(alice_phone: Visitor, backed_up: Backup) -> None:
    factories.block("it.contoso.com")
    create_entry(on=alice_phone, issuer="VPN", name="alice@fabrikam.com")
    before = names(backed_up)
    BlockedDomain.objects.all().delete()
    factories.block("fabrikam.com")

    card = text(alice_phone.client.get(STATUS))
    alice_phone.client.post(reverse("backups:back-up"))
    again = backed_up.generations.count()
    alice_phone.client.post(reverse("backups:back-up"))

    assert before == ["alice", "alice@contoso.com", "bob@contoso.com", "alice@fabrikam.com"]
    assert "1 account is blocked no longer and is in no saved state yet." in card
    assert "still holds it. A restore does not bring it back." in card
    assert names(backed_up) == ["alice", "alice@contoso.com", "bob@contoso.com", "alice@it.contoso.com"]
    assert backed_up.generations.count() == again


@pytest.mark.parametrize(("began", "is_end"), [("made", False), ("its day", False), ("before", True)])
@pytest.mark.parametrize("is_sent", [True, False], ids=["sent by itself", "asked for"])
def test_what_waited_while_a_rule_began_is_kept_and_is_not_the_last_word(
    faulty: type[FaultyStore], alice_phone: Visitor, backed_up: Backup, began: str, is_end: bool, is_sent: bool
) -> None:
    today = timezone.now().date()
    if began == "before":
        factories.block("contoso.com", today)
    faulty.faults["create"] = Cause.UNREACHABLE
    noted(alice_phone, "while the store is away")
    faulty.faults.clear()
    if began != "before":
        factories.block("contoso.com", today + DAY if began == "its day" else today)

    with time_machine.travel(timezone.now() + DAY):
        sent = keeping.retry(timezone.now()) if is_sent else None
        by_then = names(backed_up)
        alice_phone.client.post(reverse("backups:back-up"))

    backed_up.refresh_from_db()
    without, whole = ["alice", "alice@it.contoso.com"], [entry.name for entry in alice_phone.entries]
    assert sent == (int(is_end) if is_sent else None)
    assert by_then == (without if is_sent and is_end else whole)
    assert (names(backed_up), backed_up.behind_since, backed_up.left_out) == (without, None, 2)
    assert newest(backed_up).sequence == backed_up.high_water == (2 if is_end else 3)


def test_page_before_the_backup_names_what_is_not_carried() -> None:
    android = factories.enrolled("anna@example.org", name="Phone", type="android")
    factories.block("contoso.com")
    create_entry(on=android, issuer="VPN", name="alice@contoso.com")
    create_entry(on=android, issuer="GitHub", name="alice")

    page = text(android.client.get(reverse("backups:on")))

    assert "1 account is not carried: its domain is blocked." in page
    assert "VPN alice@contoso.com Blocked for contoso.com" in page


# -- An old backup ----------------------------------------------------------------------------------------------------


def held(visitor: Visitor, *entries: object) -> Draft:
    """A saved state that was opened and waits for the yes."""
    now = vaults.seconds(timezone.now())
    old = Contents("ios", "Old phone", "1", now, entries)  # type: ignore[arg-type]
    document = {
        "contents": {
            "v": 1,
            "at": old.at,
            "app": old.app,
            "device_name": old.device_name,
            "device_type": old.device_type,
            "entries": [entry.to_document() for entry in old.entries],
        },
        "trial": False,
    }
    return vaults.hold(visitor.vault, document, kind=Draft.Kind.RESTORE, at=timezone.now())


@pytest.mark.article("S-61", "refused")
def test_old_backup_does_not_bring_a_blocked_account_back(alice_phone: Visitor) -> None:
    factories.block("contoso.com", timezone.now().date() + DAY)
    blocked = an_entry(issuer="VPN", name="ALICE@Contoso.com")
    by_sign_in = an_entry(issuer="Microsoft", name="alice@contoso.com", kind=Kind.PERSONAL_CODE)
    draft = held(alice_phone, blocked, by_sign_in, an_entry(issuer="VPN", name="alice@it.contoso.com"))

    def found(at_day: timedelta) -> list[Fate]:
        contents_ = fates.contents_of(alice_phone.vault, fates.held(alice_phone.vault, draft.pk, at=timezone.now()))
        met = merging.meet(vaults.read(alice_phone.vault), contents_.entries)
        return [row.fate for row in fates.rows_of(alice_phone.vault, met, at=timezone.now() + at_day)]

    assert found(timedelta()) == [Fate.CODE, Fate.CODE, Fate.CODE]
    assert found(DAY) == [Fate.BLOCKED, Fate.CODE, Fate.CODE]


def test_thousand_accounts_are_asked_about_at_once(
    alice_phone: Visitor, queries: Callable[[Callable[[], object]], int]
) -> None:
    factories.block("contoso.com")
    many = [an_entry(issuer="VPN", name=f"a{number}@contoso.com") for number in range(1000)]
    refused: list[int] = []

    asked = queries(lambda: refused.append(len(policy.refused(alice_phone.user, Act.RESTORE, many, at=timezone.now()))))

    assert (asked, refused) == (1, [1000])
