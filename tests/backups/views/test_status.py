"""The page of Cloud Backup in each of its states, what is done there at once, and "Something went wrong"."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts import roles
from accounts.models import Event, IdentityProof, SlotKind, User
from accounts.roles import Role
from accounts.services import activity, deletion, identity, vaults
from accounts.services.activity import Tag
from accounts.services.identity import Purpose
from accounts.vault.list import AccountList, Protection
from authweb import help_pages
from backups import storage
from backups.models import Backup, Cause, Generation
from backups.services import ending, finding, keeping, objects, switching
from backups.storage import StoreFailed
from tests import factories, proving
from tests.attacks import crawler
from tests.factories import Visitor
from tests.pages import buttons, main, plain, text

pytestmark = pytest.mark.django_db(transaction=True)

STATUS, CHECK, BACK_UP, ACCEPT, UNDO = (
    reverse(f"backups:{name}") for name in ("status", "check", "back-up", "accept", "undo")
)
ON, OFF, ACCOUNT = reverse("backups:on"), reverse("backups:off"), reverse("backups:account")
AT = datetime(2026, 5, 5, 14, 2, tzinfo=UTC)


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


def stands(backup: Backup, **fields: Any) -> None:
    """Put the backup into a state."""
    Backup.objects.filter(pk=backup.pk).update(**fields)


# -- The page ---------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-03")
@pytest.mark.article("S-65")
@pytest.mark.parametrize("type", ["ios", "android", "computer"])
def test_page_says_why_first_and_calls_it_cloud_backup_everywhere(db: None, type: str) -> None:
    visitor = factories.enrolled("dora@example.org", name="Hers", type=type)

    page, settings = visitor.client.get(STATUS), visitor.client.get(reverse("accounts:settings"))

    assert text(page).startswith(
        "Backup With Cloud Backup a lost phone or a new device does not cost you your accounts"
    )
    assert '<span class="cell-title">Cloud Backup</span>' in main(page)
    assert '<span class="cell-title">Cloud Backup</span>' in main(settings)


@pytest.mark.article("S-44")
@pytest.mark.article("S-45")
@pytest.mark.article("S-19")
def test_settings_have_the_switch_in_a_group_headed_backup(android: Visitor) -> None:
    def group() -> str:
        html = main(android.client.get(reverse("accounts:settings")))
        return html.partition('id="backup">Backup</h2>')[2].partition("<h2")[0]

    off = group()
    factories.backed_up(android)
    on = group()

    assert [f'action="{address}"' in html for html in (off, on) for address in (ON, OFF)] == [True, False, False, True]
    assert re.findall(r'aria-checked="(\w+)"', off + on) == ["false", "true"]
    assert reverse("accounts:settings") in android.client.get(reverse("accounts:list")).content.decode()


@pytest.mark.article("S-07")
@pytest.mark.article("G-14")
@time_machine.travel(AT, tick=False)
def test_card_of_a_protected_backup_tells_everything(android: Visitor) -> None:
    factories.create_key(on=android, kind=SlotKind.WORDS)
    backup = factories.backed_up(android, who=factories.person("a@outlook.example"), protection=Protection.KEY)

    page = android.client.get(STATUS)

    said = text(page)
    assert "Backed up. 2 of 2 accounts Saved 14:02 UTC (now) Checked 14:02 UTC, read back and compared" in said
    assert "Holds 2 with code Kept under a…@outlook.example Restores on Android devices only" in said
    assert "Opens with sign-in and your six words Check now" in said
    assert "Important. This backup can be restored on Android devices only." in said
    assert "Saved states Today, 14:02 UTC 2 accounts, checked Newest" in said
    assert backup.recovery_account is not None


@pytest.mark.article("G-15")
def test_card_of_a_sign_in_only_backup_names_the_operator(android: Visitor, backup: Backup) -> None:
    assert "Opens with sign-in only: the operator of this server can open it" in text(android.client.get(STATUS))


def test_list_without_a_backup_says_what_would_be_lost(android: Visitor) -> None:
    page = android.client.get(STATUS)
    factories.create_key(on=android, kind=SlotKind.WORDS)

    assert "Not backed up. 2 accounts If this list is lost, 2 accounts are lost with it. Turn on" in text(page)
    assert "Important. A backup made on this Android device can be restored on Android devices only." in text(page)
    assert "Your six words open this list while this server keeps it." in text(android.client.get(STATUS))


@pytest.mark.article("G-33")
def test_server_without_a_provider_says_so_with_the_setting(android: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "configured", lambda role: False)
    monkeypatch.setattr(roles, "any_configured", lambda: False)
    monkeypatch.setattr(roles, "recovery_roles", lambda type, at: ())

    page, turning_on = android.client.get(STATUS), android.client.get(ON)

    said = text(page)
    assert "This server has no recovery provider." in said
    assert "Its operator names one in the setting ROLE_MICROSOFT_CLIENT_ID." in said
    assert buttons(page) == ["Make six words"]
    assert 'aria-checked="false" aria-label="Cloud Backup" disabled' in main(page)
    assert turning_on.headers["Location"] == STATUS


@pytest.mark.article("G-33")
def test_backup_whose_provider_is_gone_is_kept_and_says_so(
    android: Visitor, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "configured", lambda role: False)

    said = text(android.client.get(STATUS))

    assert "This server has no recovery provider." in said
    assert "is kept, but nobody could restore it now." in said


@time_machine.travel(AT, tick=False)
@pytest.mark.parametrize(
    ("fields", "sentence", "has"),
    [
        ({"behind_since": AT, "behind_changes": 1}, "Saving … 1 change waits.", []),
        (
            {"behind_since": AT - timedelta(minutes=3), "behind_changes": 2},
            "Not backed up since 13:59 UTC. 2 changes wait. The backup of 14:02 UTC is kept. Back up",
            ["Back up"],
        ),
        (
            {"checked_at": AT - timedelta(days=12)},
            "Backed up. 2 of 2 accounts Checked 12 days ago.",
            ["Check now"],
        ),
        (
            {"checked_at": AT - timedelta(days=42)},
            "Checked 42 days ago. It was not read again for over 30 days. Check it now.",
            ["Check now"],
        ),
        (
            {"shrunk_from": 14},
            "Needs you Your list went from 14 to 2 accounts. The backup of 14 accounts is kept. "
            "Restore them This is right",
            ["Restore them", "This is right"],
        ),
        (
            {"deletes_at": AT + timedelta(hours=24)},
            "This backup will be deleted on Wednesday at 14:02 UTC. 2 accounts",
            ["Undo", "Delete now"],
        ),
        (
            {"failure": Cause.NO_KEY, "reference": "AW-7Q3K-2F", "behind_since": AT - timedelta(minutes=3)},
            "Needs you The backup is protected by a key that you hold, and your list has none.",
            ["Make six words", "Change protection"],
        ),
    ],
)
def test_card_says_each_state_and_its_way_out(
    android: Visitor, fields: dict[str, Any], sentence: str, has: list[str]
) -> None:
    backup = factories.backed_up(android)
    stands(backup, **fields)

    page = android.client.get(STATUS)

    assert sentence in text(page)
    assert buttons(page) == has


@pytest.mark.article("G-03")
def test_backup_whose_provider_no_longer_fits_is_kept_and_asks_for_another_account(db: None) -> None:
    with time_machine.travel(datetime(2025, 8, 31, 12, tzinfo=UTC), tick=False):
        visitor = factories.enrolled("ina@example.org", name="iPhone", type="ios")
        factories.create_entry(on=visitor)
        factories.backed_up(visitor, who=factories.person("i@outlook.example"))
        before = text(visitor.client.get(STATUS))
    with time_machine.travel(datetime(2025, 9, 1, 12, tzinfo=UTC), tick=False):
        factories.grown_fresh(visitor)
        page = visitor.client.get(STATUS)

    assert "Backed up." in before
    assert "Sign in with iCloud to go on backing up. The backup of 31 August is kept." in text(page)
    assert buttons(page) == ["Change account"]


@pytest.mark.parametrize("kinds", [["passkey"], ["passkey", "words"]], ids=["passkey alone", "words too"])
def test_backup_that_nothing_in_use_opens_says_so_with_the_two_ways_on(android: Visitor, kinds: list[str]) -> None:
    for kind in kinds:
        factories.create_key(on=android, kind=SlotKind(kind), name="Keychain")
    factories.backed_up(android, protection=Protection.KEY)
    before = text(android.client.get(STATUS))
    User.objects.update(passkeys_off=True)

    page = android.client.get(STATUS)

    said = "Needs you 2 of 2 accounts Nothing you use now opens this backup."
    chip = re.findall(r'<a class="(chip[^"]*)".*?<strong>(.*?)</strong>', page.content.decode(), re.DOTALL)[0]
    alone = kinds == ["passkey"]
    assert (said in before, said in text(page), "your passkey" in text(page)) == (False, alone, not alone)
    assert chip == (("chip chip-wait chip-asks", "Needs you") if alone else ("chip", "Backed up"))
    ways = ["Make six words", "Accept passkeys again"]
    assert [said for said in buttons(page) if said in (*ways, "Check now")] == (ways if alone else ["Check now"])


@pytest.mark.article("G-16")
def test_change_on_another_device_is_saved_to_the_one_backup(android: Visitor, backup: Backup) -> None:
    laptop = factories.with_another_device(android, name="Laptop", type="computer")
    factories.create_entry(on=laptop, name="three")

    pages = [text(who.client.get(STATUS)) for who in (android, laptop)]

    assert ["3 of 3 accounts" in said for said in pages] == [True, True]
    assert ["Restores on Android devices only" in said for said in pages] == [True, True]
    assert Backup.objects.count() == 1


def test_looking_at_the_page_changes_nothing(android: Visitor, backup: Backup) -> None:
    before = list(Backup.objects.values()), list(Generation.objects.values())
    android.client.get(STATUS)

    for address in (CHECK, BACK_UP, ACCEPT):
        assert android.client.get(address).status_code == 405
    assert android.client.get(UNDO).headers["Location"] == STATUS
    assert (list(Backup.objects.values()), list(Generation.objects.values())) == before


def test_part_of_the_page_for_htmx_is_the_card_with_its_plain_form(android: Visitor, backup: Backup) -> None:
    part = android.client.post(CHECK, headers={"HX-Request": "true"})
    whole = android.client.post(CHECK)

    assert part.content.decode().strip().startswith('<section id="backup-status"')
    assert "Read back and found whole." in text(part)
    assert f'action="{CHECK}" hx-post="{CHECK}"' in part.content.decode()
    assert whole.headers["Location"] == STATUS


# -- At once ----------------------------------------------------------------------------------------------------------


def test_check_reads_again_and_what_is_gone_no_longer_counts(android: Visitor, backup: Backup) -> None:
    stands(backup, checked_at=timezone.now() - timedelta(days=40))
    android.client.post(CHECK)
    whole = text(android.client.get(STATUS))
    storage.backups().remove(objects.path(Generation.objects.get()))

    android.client.post(CHECK)

    assert "Backed up. 2 of 2 accounts" in whole
    assert "The copy is no longer in the store. It does not count." in text(android.client.get(STATUS))


def test_back_up_sends_what_waits_twice_with_one_outcome(android: Visitor, backup: Backup) -> None:
    stands(backup, behind_since=timezone.now() - timedelta(minutes=5), behind_changes=1)

    answers = [android.client.post(BACK_UP), android.client.post(BACK_UP)]

    assert [answer.headers["Location"] for answer in answers] == [STATUS, STATUS]
    assert "Backed up. 2 of 2 accounts" in text(android.client.get(STATUS))


@pytest.mark.article("G-11")
def test_restore_them_leads_to_the_fuller_state_already_chosen(android: Visitor) -> None:
    for name in ("three", "four", "five"):
        factories.create_entry(on=android, name=name)
    factories.backed_up(android)
    full = Generation.objects.get()
    vaults.change(
        android.vault, lambda accounts: AccountList(accounts.entries[:1]), tag=Tag.ENTRY_TRASHED, at=timezone.now()
    )

    way = re.findall(r'href="([^"]*)">Restore them<', main(android.client.get(STATUS)))
    start = main(android.client.get(way[0]))
    carried = re.findall(r'name="chosen" value="([^"]+)"', start)
    proof = factories.proven(android, purpose=Purpose.RESTORE)
    page = main(android.client.get(reverse("backups:restore-choose"), {"proof": proof, "chosen": carried[0]}))

    assert re.findall(r'name="choice" value="([^"]+)"[^>]* checked', page) == [f"{full.stream}-{full.sequence:016x}"]


@pytest.mark.article("G-11")
def test_this_is_right_lets_the_fuller_state_go(android: Visitor, backup: Backup) -> None:
    stands(backup, shrunk_from=14)

    answers = [android.client.post(ACCEPT), android.client.post(ACCEPT)]

    assert [answer.headers["Location"] for answer in answers] == [STATUS, STATUS]
    assert Backup.objects.get().shrunk_from is None
    assert android.user.events.filter(tag="backups:backup:accepted").count() == 1


@pytest.mark.article("G-01")
def test_undo_holds_until_the_last_minute_and_not_after(android: Visitor, backup: Backup) -> None:
    at = timezone.now()
    stands(backup, deletes_at=at + timedelta(minutes=1))
    android.client.post(UNDO)
    kept = Backup.objects.get().deletes_at
    stands(backup, deletes_at=at - timedelta(seconds=1))

    late = android.client.post(UNDO, follow=True)

    assert kept is None
    assert "The time is over: this backup was deleted." in late.content.decode()
    assert Backup.objects.get().deletes_at == at - timedelta(seconds=1)


# -- Others -----------------------------------------------------------------------------------------------------------


def test_another_persons_backup_is_not_found(android: Visitor, backup: Backup, bob: Visitor) -> None:
    tried = {"backup": str(backup.pk)}
    stands(backup, deletes_at=timezone.now() + timedelta(hours=1))

    answers = [bob.client.post(address, tried).status_code for address in (CHECK, ACCEPT, UNDO)]
    answers += [
        bob.client.get(reverse(f"backups:{name}"), tried).status_code for name in ("off", "delete", "delete-sign-in")
    ]
    answers += [bob.client.post(reverse(f"backups:{name}"), tried).status_code for name in ("off", "delete")]

    assert answers == [404, 404, 404, 404, 404, 405, 404, 404]
    assert "a…@outlook.example" not in text(bob.client.get(STATUS))
    assert Backup.objects.get(pk=backup.pk).deletes_at is not None


def test_without_the_open_list_its_backup_is_seen_kept_and_not_changed(android: Visitor, backup: Backup) -> None:
    elsewhere = factories.at_another_browser(android)

    page = elsewhere.client.get(STATUS)
    back_up = elsewhere.client.post(BACK_UP)
    stands(backup, deletes_at=timezone.now() + timedelta(hours=1))
    undone = elsewhere.client.post(UNDO)

    assert "Your list is not open in this browser." in text(page)
    assert "a…@outlook.example" in text(page)
    assert [reverse("backups:protection") in main(page), ACCOUNT in main(page)] == [False, False]
    assert back_up.headers["Location"] == reverse("accounts:open")
    assert undone.headers["Location"] == STATUS
    assert Backup.objects.get().deletes_at is None


def test_removed_device_does_nothing_by_its_key(mallory_removed: Visitor) -> None:
    page = mallory_removed.client.get(STATUS)

    assert "Your list is not open in this browser." in text(page)
    assert mallory_removed.client.post(BACK_UP).headers["Location"] == reverse("accounts:open")


def test_person_who_leaves_sees_the_card_without_buttons(android: Visitor, backup: Backup) -> None:
    deletion.ask(android.user, at=timezone.now())

    page = android.client.get(STATUS)

    assert "Backed up." in text(page)
    assert [button for button in buttons(page) if button != "Undo"] == []


# -- "Something went wrong" -------------------------------------------------------------------------------------------


def why(page: HttpResponse) -> str:
    """The cause, as the page of a failure says it."""
    return plain(main(page).partition('<p class="lead">')[2].partition("</p>")[0])


UNFINISHED = "The sign-in was not finished. "
SAID = {
    Cause.NO_SIGN_IN: "You are not signed in to the recovery account.",
    Cause.CANCELLED: UNFINISHED + "You cancelled it at the provider.",
    Cause.UNREACHABLE: UNFINISHED + "The provider did not answer.",
    Cause.UNTRUSTED: UNFINISHED + "The provider's answer could not be trusted.",
    Cause.STALE: UNFINISHED + "It was not a new sign-in.",
    Cause.LOST: UNFINISHED + "It was too long ago, was used before, or was begun in another browser.",
    Cause.OTHER_IDENTITY: "You signed in as another person than the one of the recovery account.",
    Cause.WORK_ACCOUNT: "A work or school account cannot hold the backup.",
    Cause.PROVIDER: "On 5 May 2026 backups for Android devices are kept under a Microsoft personal account. "
    "The recovery account is of another kind.",
    Cause.NO_KEY: "The backup is protected by a key that you hold, and your list has none.",
    Cause.NOT_OPENED: "The backup that was made did not open, so it was not kept.",
    Cause.STORE: "The copy could not be stored.",
    Cause.TAKEN: "The place of the copy is taken: the records of this server are older than its store.",
    Cause.UNEQUAL: "The copy in the store is not what was written. It does not count.",
    Cause.MISSING: "The copy is no longer in the store. It does not count.",
    Cause.KEYS: "The server is not set up for backups.",
    Cause.TOO_LARGE: "The list is larger than a backup can be.",
    Cause.UNKNOWN: "An unexpected error.",
}


@pytest.mark.article("S-50")
@pytest.mark.article("S-52")
@pytest.mark.article("G-20")
@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_its_page_with_what_is_safe_and_a_reference(
    android: Visitor, backup: Backup, cause: Cause
) -> None:
    reference = switching.not_kept(android.vault, cause, at=AT).reference

    page = android.client.get(reverse("backups:problem", args=[reference]))

    said = text(page)
    assert why(page) == SAID[cause]
    assert said.startswith(f"Something went wrong {SAID[cause]} Your list is unchanged.")
    assert "Your list is unchanged." in said
    assert re.search(r"The backup of [\d:]+ UTC is kept: 2 accounts\.", said)
    assert f"Reference {reference}." in said
    assert f'href="{reverse("accounts:settings")}#backup"' in main(page)
    assert buttons(page) or "Tell the operator of this server, and name the reference." in said
    assert reference in text(android.client.get(reverse("accounts:activity")))


@pytest.mark.article("S-51")
@pytest.mark.article("G-20")
@pytest.mark.parametrize("kept", [True, False], ids=["its row is there", "its row is gone"])
@pytest.mark.parametrize(
    ("reason", "said", "later"),
    [
        ("cancelled", UNFINISHED + "You cancelled at Microsoft.", None),
        ("unreachable", UNFINISHED + "Microsoft did not answer.", None),
        ("untrusted", UNFINISHED + "Its answer could not be trusted.", None),
        ("stale", UNFINISHED + "It was not a new sign-in.", None),
        ("other_identity", "You signed in as b…@x.example, not a…@x.example.", SAID[Cause.OTHER_IDENTITY]),
        ("work_account", SAID[Cause.WORK_ACCOUNT], None),
    ],
)
def test_sign_in_that_came_to_nothing_names_who_and_where(
    android: Visitor, reason: str, said: str, later: str | None, *, kept: bool
) -> None:
    who = {"came": "b…@x.example", "wanted": "a…@x.example"} if reason == "other_identity" else {}
    proof = proving.seed(android.user, Role.MICROSOFT, Purpose.RECOVERY_CONTINUE, reason=reason, **who)
    IdentityProof.objects.filter(pk=proof.pk).update(reference="AW-7Q3K-2F")
    facts = {"role": proof.role, "purpose": proof.purpose, "reason": reason}
    activity.record(Tag.PROOF_FAILED, user=android.user, at=AT, facts=facts, reference="AW-7Q3K-2F")
    if not kept:
        identity.expire(timezone.now() + timedelta(days=2))

    page = android.client.get(reverse("backups:problem", args=["AW-7Q3K-2F"]))

    assert IdentityProof.objects.filter(pk=proof.pk).exists() == kept
    assert why(page) == (said if kept else later or said)


@pytest.mark.article("G-20")
@pytest.mark.parametrize(
    ("type", "at", "said"),
    [
        ("ios", datetime(2025, 8, 31, 12, tzinfo=UTC), "On 31 August 2025 backups for iOS devices are kept under a Mi"),
        ("ios", datetime(2025, 9, 1, 12, tzinfo=UTC), "On 1 September 2025 backups for iOS devices are kept under an"),
        ("computer", AT, "On 5 May 2026 backups for computers are kept under a Microsoft personal account or an iClou"),
    ],
)
def test_provider_that_does_not_fit_is_told_with_type_date_and_the_one_that_does(
    db: None, type: str, at: datetime, said: str
) -> None:
    visitor = factories.enrolled("ina@example.org", name="Hers", type=type)
    reference = switching.not_kept(visitor.vault, Cause.PROVIDER, at=at).reference

    page = visitor.client.get(reverse("backups:problem", args=[reference]))

    assert why(page)[: len(said)] == said


@pytest.mark.article("S-43")
@pytest.mark.parametrize(
    ("cause", "slug"),
    [
        (Cause.OTHER_IDENTITY, "delete-or-change"),
        (Cause.WORK_ACCOUNT, "delete-or-change"),
        (Cause.NO_SIGN_IN, "something-went-wrong"),
    ],
)
def test_refusal_of_a_wrong_account_leads_to_the_help_on_changing_it(android: Visitor, cause: Cause, slug: str) -> None:
    reference = switching.not_kept(android.vault, cause, at=timezone.now()).reference

    page = android.client.get(reverse("backups:problem", args=[reference]))

    assert re.findall(r'href="/help/([\w-]+)/"', main(page)) == [slug]


@pytest.mark.article("S-51")
@pytest.mark.article("S-53")
@pytest.mark.parametrize(
    "cause", [Cause.NO_SIGN_IN, Cause.CANCELLED, Cause.UNREACHABLE, Cause.UNTRUSTED, Cause.STALE, Cause.LOST]
)
def test_missing_sign_in_offers_both_remedies_and_four_actions_lead_to_a_backup(android: Visitor, cause: Cause) -> None:
    who = factories.person("a@outlook.example")
    off = factories.backed_up(android, who=who)
    ending.off(off, device=None, at=timezone.now())
    ending.expire(timezone.now() + timedelta(hours=25))
    reference = switching.not_kept(android.vault, cause, at=timezone.now()).reference

    page = android.client.get(reverse("backups:problem", args=[reference]))
    handed_off = android.client.post(reverse("backups:sign-in"), {"for": "backup", "continue": "1"})  # One: "Continue".
    proof = factories.proven(android, who=who)  # Two: the sign-in there.
    done = android.client.post(ON, {"proof": proof, "protection": "sign_in", "keep": "1"})  # Three: "OK".

    assert buttons(page) == ["Continue", "Change account"]
    assert 'http-equiv="refresh"' in handed_off.content.decode()
    assert done.headers["Location"] == reverse("backups:done")
    assert "2 of 2 accounts" in text(android.client.get(reverse("backups:done")))


@pytest.mark.article("S-50")
def test_words_of_the_article_stand_on_no_other_page_but_their_help(android: Visitor, backup: Backup) -> None:
    values = crawler.furnish(android)
    pages = [page for page in crawler.pages() if not page.name.startswith(("admin:", "demo:"))]

    addresses = [(page.name, page.address(values)) for page in pages if page.name != "help-page"]
    addresses += [(f"help: {topic.slug}", reverse("help-page", args=[topic.slug])) for topic in help_pages.TOPICS]
    found = set()
    for name, address in addresses:
        answer = android.client.get(address)
        if "text/html" in answer.headers.get("Content-Type", "") and b"Something went wrong" in answer.content:
            found.add(name)

    assert found == {"backups:problem", "help", "help: something-went-wrong"}


@pytest.mark.article("S-50")
def test_failure_of_back_up_leads_to_its_page_and_the_card_says_it_too(android: Visitor, backup: Backup) -> None:
    stands(backup, behind_since=timezone.now() - timedelta(minutes=5), behind_changes=1)
    backup.refresh_from_db()
    keeping.failed(backup, Cause.UNEQUAL, at=timezone.now())
    card = android.client.get(STATUS)

    assert "Something went wrong Not backed up since" in text(card)
    assert "The copy in the store is not what was written. It does not count." in text(card)
    assert f"Reference {backup.reference}. What this means" in text(card)


@pytest.mark.article("S-50")
def test_store_that_fails_is_told_on_the_page_of_the_failure(
    android: Visitor, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = storage.backups()
    failing = StoreFailed(storage.Cause("unreachable"))

    def create(name: str, data: bytes) -> None:
        raise failing

    monkeypatch.setattr(type(store), "create", lambda self, name, data: create(name, data))
    factories.create_entry(on=android, name="three")

    answer = android.client.post(BACK_UP)
    page = android.client.get(answer.headers["Location"])

    assert answer.headers["Location"].startswith("/backups/problem/AW-")
    assert "The copy could not be stored. Authweb tries again at" in text(page)
    assert "1 change waits to be backed up." in text(page)
    assert buttons(page) == ["Back up"]


def test_reference_of_another_person_or_of_nothing_is_not_found(android: Visitor, bob: Visitor) -> None:
    reference = switching.not_kept(android.vault, Cause.STORE, at=timezone.now()).reference

    answers = [
        bob.client.get(reverse("backups:problem", args=[reference])),
        android.client.get(reverse("backups:problem", args=["AW-2222-22"])),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


# -- What a stolen session does not do --------------------------------------------------------------------------------


def moved(android: Visitor) -> tuple[Backup, Backup]:
    """A backup that was moved to another account a moment ago: the former one and the present one."""
    old = factories.backed_up(android, who=factories.person("a@outlook.example"))
    new = switching.change_account(
        android.vault, factories.person("b@outlook.example"), Protection.SIGN_IN, at=timezone.now()
    )
    return old, new


@pytest.mark.parametrize("who", ["elsewhere", "stale", "fresh"])
def test_going_back_to_the_former_account_takes_the_open_list_and_a_fresh_sign_in(android: Visitor, who: str) -> None:
    old, new = moved(android)
    asks = {
        "elsewhere": factories.at_another_browser,
        "stale": factories.grown_stale,
        "fresh": lambda visitor: visitor,
    }[who](android)

    answer = asks.client.post(UNDO, {"backup": str(old.pk)})

    present = finding.of(android.vault.row)
    assert present is not None
    assert present.pk == (old.pk if who == "fresh" else new.pk)
    assert answer.status_code == 303
    assert Event.objects.filter(tag=Tag.BACKUP_REPLACED).count() == (1 if who == "fresh" else 0)


def test_smaller_list_is_confirmed_where_the_list_is_open(android: Visitor, backup: Backup) -> None:
    stands(backup, shrunk_from=5)
    elsewhere = factories.at_another_browser(android)

    answers = [who.client.post(ACCEPT).headers["Location"] for who in (elsewhere, android)]
    backup.refresh_from_db()

    assert answers == [reverse("accounts:open"), STATUS]
    assert backup.shrunk_from is None
