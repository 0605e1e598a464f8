"""Restore from backup, step by step: the walk, its refusals each with a sentence, and everybody who may not."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.models import Attempt, DeviceType, Draft, Event, IdentityProof, User
from accounts.roles import Role
from accounts.services import attempts, devices, policy, vaults
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from accounts.services.identity import Identity, Purpose
from accounts.vault import keys
from accounts.vault.encoding import b64url
from accounts.vault.entry import Entry, Kind, Needs, Type
from accounts.vault.errors import TooLarge
from accounts.vault.keys import Secret
from accounts.vault.list import BackupKey, Protection
from backups import storage
from backups.models import Backup, Generation
from backups.services import ending, objects, opening, restoring, searching, switching
from backups.storage import Cause, StoreFailed
from tests import factories, proving
from tests.backups import support
from tests.backups.support import FaultyStore
from tests.factories import Visitor
from tests.pages import buttons, main, text
from tests.proving import Roles

pytestmark = pytest.mark.django_db(transaction=True)

START, SIGN_IN, CHOOSE, PASSKEY = (
    reverse(f"backups:{name}") for name in ("restore", "restore-sign-in", "restore-choose", "restore-passkey")
)
LIST, STATUS, AGAIN = reverse("accounts:list"), reverse("backups:status"), reverse("accounts:again")
WORDS = "correct horse battery staple dolphin anvil"
ALICE = "alice@outlook.example"


@pytest.fixture
def old(db: None) -> Visitor:
    """Alice's lost phone, with three accounts."""
    visitor = factories.enrolled("alice@example.org", name="Pixel 8", type="android")
    factories.create_entry(on=visitor, issuer="GitHub", name="alice")
    factories.create_entry(on=visitor, issuer="Nordbank", name="Giro")
    factories.create_entry(on=visitor, issuer="Contoso", name="alice@contoso.example", kind=Kind.WORK)
    return visitor


@pytest.fixture
def new(db: None) -> Visitor:
    """The same person, signed up anew on a new phone."""
    return factories.enrolled("alice.new@example.org", name="Pixel 9", type="android")


def proof_of(visitor: Visitor, **fields: Any) -> str:
    return factories.proven(visitor, purpose=Purpose.RESTORE, **fields)


def chosen_in(page: HttpResponse) -> str:
    """The saved state that is preselected."""
    (key,) = re.findall(r'name="choice" value="([^"]+)"[^>]* checked', page.content.decode())
    return str(key)


def opened(visitor: Visitor, *, proof: str = "", **fields: str) -> HttpResponse:
    """ "Continue" on the page of the choice, with what is preselected there; what comes in its place where it is
    skipped.
    """
    proof = proof or proof_of(visitor)
    if "choice" not in fields:
        page = visitor.client.get(CHOOSE, {"proof": proof, "try": fields.get("try", "")})
        if page.status_code == 302:
            return page
        fields["choice"] = chosen_in(page)
    return visitor.client.post(CHOOSE, {"proof": proof, **fields})


def beside(who: Identity | None = None) -> None:
    """A backup of another type under the same account: the page of the choice has something to tell."""
    computer = factories.enrolled("alice.there@example.org", name="Firefox", type="computer")
    factories.backed_up(computer, who=who or factories.person())


def preview_of(visitor: Visitor, **fields: str) -> str:
    """The address of the preview."""
    return str(opened(visitor, **fields).headers["Location"])


def ticked(page: HttpResponse) -> list[str]:
    return re.findall(r'name="chosen" value="([0-9a-f]+)" checked', page.content.decode())


def restored(visitor: Visitor, address: str = "", **fields: str) -> HttpResponse:
    """ "Restore", with the ticks as they stand."""
    address = address or preview_of(visitor)
    return past_checklist(visitor.client.post(address, {"chosen": ticked(visitor.client.get(address)), **fields}))


def without(visitor: Visitor, entry: Entry) -> None:
    """This account is deleted for good."""
    at = timezone.now()
    gone = vaults.seconds(at)
    vaults.change(
        visitor.vault, lambda all_: all_.trash_entry(entry.id, gone).delete(entry.id), tag=Tag.ENTRY_DELETED, at=at
    )


def past_checklist(answer: HttpResponse) -> HttpResponse:
    """Where accounts wait for a sign-in their checklist comes before the report: the answer as it goes on from it."""
    address, _, onward = answer.headers["Location"].partition("?next=")
    if address == AGAIN:
        answer.headers["Location"] = unquote(onward)
    return answer


# -- The walk ---------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-04")
@pytest.mark.article("S-07")
@pytest.mark.article("G-08")
@pytest.mark.article("G-21")
def test_whole_walk_from_the_start_to_the_report(old: Visitor, new: Visitor, roles: Roles) -> None:
    alice = Identity(Role.MICROSOFT, roles.microsoft.iss, "0000-alice", ALICE, timezone.now())
    factories.backed_up(old, who=alice)
    beside(alice)
    factories.create_entry(on=new, issuer="Mine", name="already there")

    start = new.client.get(START)
    there = proving.hand_off(new.client, SIGN_IN, {"role": "microsoft"})
    landing = new.client.get(proving.way_back(there)).headers["Location"]
    choose = new.client.get(landing).headers["Location"]
    page = new.client.get(choose)
    proof = choose.partition("proof=")[2]
    answer = new.client.post(CHOOSE, {"proof": proof, "choice": chosen_in(page)})
    preview = new.client.get(answer.headers["Location"])
    before = [entry.issuer for entry in new.entries]
    report = new.client.get(restored(new, answer.headers["Location"]).headers["Location"])

    assert "Important. On this Android device only backups of Android devices can be restored." in text(start)
    assert [f"Step {number} of 5" in text(step) for number, step in ((1, start), (3, page), (4, preview))] == [True] * 3
    assert "1 backup is kept with a…@outlook.example for Android devices." in text(page)
    assert re.search(r"Pixel 8 Today, [\d:]+( UTC)? \(.*\) 3 accounts, checked .* Opens with sign-in only", text(page))
    assert "2 of 3 will have codes" in text(preview)
    assert "Name only: scan QR code 1 Contoso alice@contoso.example" in text(preview)
    assert "Code comes back 2 GitHub alice Nordbank Giro" in text(preview)
    assert before == ["Mine"]
    assert "Restored 2 of 3." in text(report)
    assert "already here" not in text(report)
    assert "Still to do 1" in text(report)
    assert [entry.issuer for entry in new.entries] == ["Mine", "GitHub", "Nordbank", "Contoso"]
    assert IdentityProof.objects.get(pk=proof).state == IdentityProof.State.SPENT


def test_pages_of_the_walk_show_no_key_and_no_full_address(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    beside()
    proof = proof_of(new)
    address = preview_of(new, proof=proof)
    pages = [new.client.get(START), new.client.get(f"{CHOOSE}?proof={proof_of(new)}"), new.client.get(address)]
    pages.append(new.client.get(restored(new, address).headers["Location"]))

    assert [page.status_code for page in pages] == [200] * 4
    whole = "".join(page.content.decode() for page in pages)
    assert [page.headers["Cache-Control"] for page in pages] == ["no-store"] * 4
    assert "GEZDGNBVGY3TQOJQ" not in whole
    assert ALICE not in whole


def test_looking_changes_nothing(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    beside()
    proof = proof_of(new)
    address = preview_of(new)
    before = (Event.objects.count(), Attempt.objects.count(), Draft.objects.count(), new.entries)
    for page in (START, f"{START}?try=1", f"{CHOOSE}?proof={proof}", address):
        new.client.get(page)

    assert (Event.objects.count(), Attempt.objects.count(), Draft.objects.count(), new.entries) == before
    assert opened(new, proof=proof).status_code == 303  # The proof was only looked at.


def test_fates_that_need_words_have_them(old: Visitor, new: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.create_entry(on=old, issuer="Gmbh", name="blocked")
    factories.backed_up(old)
    with time_machine.travel(datetime(2026, 3, 2, 12, tzinfo=UTC), tick=False):
        mine = factories.an_entry(issuer="GitHub", name="alice", secret=Secret(b"another key"), added=1_772_452_800)
    vaults.change(new.vault, lambda accounts: accounts.add(mine), tag=Tag.ENTRY_ADDED, at=timezone.now())

    @factories.rule
    def rule(_user: Any, _act: Any, entry: Any) -> None:
        if entry.issuer == "Gmbh":
            raise policy.Refused("Codes for Gmbh may not be kept here.")

    monkeypatch.setattr(policy, "RULES", [rule])
    address = preview_of(new)
    preview = new.client.get(address)
    answer = restored(new, address)
    report = new.client.get(answer.headers["Location"])

    assert "Same name, different key: keep both 1 GitHub alice" in text(preview)
    assert "Cannot be restored here 1 Gmbh blocked Codes for Gmbh may not be kept here." in text(preview)
    assert "Two keys have this name" in text(report)
    assert "Not restored 1 G Gmbh blocked Codes for Gmbh may not be kept here." in text(report)
    assert [entry.issuer for entry in new.entries] == ["GitHub", "GitHub", "Nordbank", "Contoso"]


@pytest.mark.parametrize(
    ("keep", "listed"),
    [("both", [b"mine", b"12345678901234567890"]), ("list", [b"mine"]), ("backup", [b"12345678901234567890"])]
    + [("nonsense", [b"mine", b"12345678901234567890"])],
)
def test_which_of_two_keys_is_kept_is_the_person_s_choice(
    old: Visitor, new: Visitor, keep: str, listed: list[bytes]
) -> None:
    factories.backed_up(old)
    factories.create_entry(on=new, issuer="GitHub", name="alice", secret=Secret(b"mine"))
    address = preview_of(new)
    (clash,) = re.findall(r'name="keep-([0-9a-f]+)"', new.client.get(address).content.decode())

    restored(new, address, **{f"keep-{clash}": keep})

    github = [entry.secret for entry in new.entries if entry.issuer == "GitHub"]
    assert github == [Secret(key) for key in listed]


def test_cancel_drops_what_was_opened(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    address = preview_of(new)

    answer = new.client.post(address, {"cancel": "1"})

    assert (answer.headers["Location"], Draft.objects.count(), new.entries) == (LIST, 0, ())
    gone = new.client.get(address)
    assert (gone.status_code, "This waits no longer" in text(gone)) == (404, True)


def test_nothing_ticked_says_so_and_still_waits(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    address = preview_of(new)

    answer = new.client.post(address, {"chosen": []})

    assert "No account has a tick. Tick one, or cancel." in answer.content.decode()
    assert [len(ticked(page)) for page in (answer, new.client.get(address))] == [0, 3]
    assert new.entries == ()


def test_too_many_ticked_keep_their_ticks_and_the_key_that_was_chosen(
    old: Visitor, new: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.backed_up(old)
    factories.create_entry(on=new, issuer="GitHub", name="alice", secret=Secret(b"mine"))
    address = preview_of(new)
    (clash,) = re.findall(r'name="keep-([0-9a-f]+)"', new.client.get(address).content.decode())

    def too_large(*_args: Any, **_more: Any) -> None:
        raise TooLarge(found=2001, allowed=2000, unit="entries")

    monkeypatch.setattr(vaults, "change", too_large)
    page = new.client.post(address, {"chosen": [clash], f"keep-{clash}": "backup"})

    assert "Your list holds 1 of 2,000 accounts" in page.content.decode()
    assert ticked(page) == [clash]
    assert re.findall(r'value="(\w+)" selected', main(page)) == ["backup"]


@pytest.mark.article("G-30")
@pytest.mark.parametrize(
    ("accounts", "note", "said"),
    [
        (1998, "", "Your list holds 1,998 of 2,000 accounts, Trash included; 3 more would come back."),
        (945, "n" * 800, "Your list would have 1,000,… bytes; 1,000,000 are allowed, Trash included."),
    ],
    ids=["entries", "bytes"],
)
def test_restore_that_does_not_fit_names_the_figures(
    old: Visitor, new: Visitor, accounts: int, note: str, said: str
) -> None:
    factories.backed_up(old)
    many = [factories.an_entry(name=f"{number:04}", note=note) for number in range(accounts)]
    vaults.change(new.vault, lambda a: a.add_many(many), tag=Tag.ENTRY_ADDED, at=timezone.now())
    address = preview_of(new)

    page = new.client.post(address, {"chosen": ticked(new.client.get(address))})

    (told,) = re.findall(r"Your list (?:holds|would)[^<]*?Trash included[^.]*\.", page.content.decode())
    assert re.sub(r"1,000,\d{3} bytes", "1,000,… bytes", told) == said
    assert len(new.entries) == accounts


@pytest.mark.article("G-12")
def test_one_account_of_an_earlier_state_comes_back(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    factories.create_entry(on=old, issuer="Etsy", name="later")
    proof = proof_of(new)
    page = new.client.get(f"{CHOOSE}?proof={proof}")
    _newest, earlier = re.findall(r'name="choice" value="([^"]+)"', page.content.decode())
    address = preview_of(new, proof=proof, choice=earlier)

    first = ticked(new.client.get(address))[0]
    new.client.post(address, {"chosen": [first]})

    assert "Older" in text(page)
    assert [entry.issuer for entry in new.entries] == ["Contoso"]


@pytest.mark.article("G-09")
@pytest.mark.article("S-61")
def test_blocked_account_stays_out_and_is_told_with_its_reason_and_contact(old: Visitor, new: Visitor) -> None:
    factories.create_entry(on=old, issuer="VPN", name="alice@contoso.com")
    factories.backed_up(old)
    address = preview_of(new)
    before = text(new.client.get(address))
    factories.block("contoso.com", reason="<b>Ours</b>.")

    page = text(new.client.get(address))
    report = text(new.client.get(restored(new, address).headers["Location"]))

    sentence = "Codes for contoso.com may not be kept here: <b>Ours</b>. Ask it@contoso.com."
    assert ("3 of 4 will have codes" in before, "2 of 4 will have codes" in page) == (True, True)
    assert f"VPN alice@contoso.com Blocked for contoso.com {sentence}" in page
    assert f"VPN alice@contoso.com {sentence}" in report
    assert [entry.issuer for entry in new.entries] == ["GitHub", "Nordbank", "Contoso"]


def test_undo_stands_on_the_report_and_takes_all_of_it_back(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    address = restored(new).headers["Location"]
    report = new.client.get(address)
    (undo,) = re.findall(r'action="(/accounts/undo/\d+/)"', main(report)) or re.findall(
        r'action="([^"]*undo[^"]*)"', main(report)
    )

    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=False):
        new.client.post(undo)
        undone = new.client.get(address)
        at = timezone.now()

    assert new.entries == ()
    assert re.findall(r"<h1>(.*?)</h1>", main(undone)) == [f"Undone at {at:%H:%M} UTC."]
    assert "What it brought was taken back." in text(undone)
    assert "/undo/" not in main(undone)
    assert not any(said in text(undone) for said in ("Restored", "Still to do", "Look at your codes"))
    assert "are back with their codes" not in text(new.client.get(AGAIN, {"next": address}))


# -- One choice alone -------------------------------------------------------------------------------------------------


def test_one_choice_without_a_key_skips_the_step(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    events = Event.objects.filter(user=new.user).exclude(tag__startswith="proofs:").count()
    proof = proof_of(new)

    skipped = new.client.get(f"{CHOOSE}?proof={proof}")
    preview = new.client.get(skipped.headers["Location"])
    back = new.client.get(f"{CHOOSE}?proof={proof}")

    assert skipped.headers["Location"] == reverse("backups:restore-preview", args=[proof])
    assert "Step 4 of 5 2 of 3 will have codes From Pixel 8," in text(preview)
    assert Event.objects.filter(user=new.user).exclude(tag__startswith="proofs:").count() == events
    assert (Draft.objects.count(), Attempt.objects.count(), new.entries) == (1, 0, ())
    # Nobody is sent forth again from where they came back to, and what was opened is found from there.
    assert (back.status_code, "What you opened waits for you" in text(back)) == (200, True)
    assert skipped.headers["Location"] in main(back)


@pytest.mark.parametrize(
    "case",
    [
        *("a key", "an older one", "a missing one", "another type", "a try", "no record", "soon deleted"),
        *("three today", "another was chosen"),
    ],
)
def test_step_stays_where_there_is_something_to_choose_to_type_or_to_learn(
    old: Visitor, new: Visitor, case: str
) -> None:
    factories.create_words(on=old, words=WORDS)
    backup = factories.backed_up(old, protection=Protection.KEY if case == "a key" else Protection.SIGN_IN)
    if case == "an older one" or case == "a missing one":
        factories.create_entry(on=old, issuer="Etsy", name="later")
    if case == "a missing one":
        storage.backups().remove(objects.path(Generation.objects.stored().newest_first()[0]))
    if case == "another type":
        beside()
    if case == "no record":
        support.without_records()
    if case == "soon deleted":
        ending.off(backup, device=None, at=timezone.now())
    for _ in range(3 if case == "three today" else 0):
        Attempt.objects.create(subject=opening.subject(factories.person()), act="restore", at=timezone.now())

    more = {"a try": "&try=1", "another was chosen": f"&chosen={'0' * 16}-{7:016x}"}.get(case, "")

    page = new.client.get(f"{CHOOSE}?proof={proof_of(new)}{more}")

    absent = "The saved state that you chose is not kept with this account. Choose one that is."
    is_told, is_one_chosen = absent in text(page), bool(re.search(r'name="choice"[^>]* checked', main(page)))
    assert (is_told, is_one_chosen) == (case == "another was chosen", case != "another was chosen")
    assert (page.status_code, "Step 3 of 5 Choose the backup" in text(page), Draft.objects.count()) == (200, True, 0)


def test_one_choice_that_does_not_open_shows_its_step_and_says_why(
    old: Visitor, new: Visitor, faulty: type[FaultyStore]
) -> None:
    factories.backed_up(old)
    proof = proof_of(new)

    faulty.next("fetch", Cause.UNREACHABLE)
    away = new.client.get(f"{CHOOSE}?proof={proof}")
    damaged(Generation.objects.get())
    spoilt = new.client.get(f"{CHOOSE}?proof={proof}")

    assert "The store of backups does not answer." in text(away)
    assert chosen_in(away) == key_of(Generation.objects.get())
    assert "This saved state is damaged, and there is no other one here." in text(spoilt)
    assert Draft.objects.count() == 0


# -- A try ------------------------------------------------------------------------------------------------------------


def test_try_walks_up_to_the_preview_and_writes_nothing(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    status = old.client.get(STATUS).content.decode()
    new.client.post(SIGN_IN, {"role": "microsoft", "try": "1"})
    back = factories.begun().back
    proof = proof_of(new)
    page = new.client.get(f"{back}&proof={proof}")
    events = Event.objects.filter(user=new.user).exclude(tag__startswith="proofs:").count()

    answer = new.client.post(CHOOSE, {"proof": proof, "choice": chosen_in(page), "try": "1"})
    preview = new.client.get(answer.headers["Location"])
    forced = new.client.post(answer.headers["Location"], {"chosen": [entry.id for entry in old.entries]})
    done = new.client.post(answer.headers["Location"], {"cancel": "1"})

    assert f'href="{START}?try=1"' in status
    assert f'href="{START}"' in status
    assert "Try a restore" in text(new.client.get(f"{START}?try=1"))
    assert "Nothing is written by a try." in text(new.client.get(f"{START}?try=1"))
    assert "before you choose Restore" not in text(new.client.get(f"{START}?try=1"))
    assert 'type="checkbox"' not in main(preview)
    assert back == f"{CHOOSE}?try=1"
    assert 'name="try" value="1"' in page.content.decode()
    assert "This was a try: nothing is written." in text(preview)
    assert buttons(preview) == ["Done"]
    assert forced.headers["Location"] == answer.headers["Location"]
    assert (done.headers["Location"], new.entries) == (STATUS, ())
    assert Event.objects.filter(user=new.user).exclude(tag__startswith="proofs:").count() == events
    assert Attempt.objects.count() == 0


def tried(visitor: Visitor, **fields: str) -> HttpResponse:
    """A try of what is preselected, up to the preview."""
    return visitor.client.get(opened(visitor, **{"try": "1", **fields}).headers["Location"])


def test_card_remembers_the_day_of_a_try_of_its_own_backup(old: Visitor) -> None:
    factories.create_words(on=old, words=WORDS)
    backup = factories.backed_up(old, protection=Protection.KEY)
    before, events = text(old.client.get(STATUS)), Event.objects.filter(tag__startswith="backups:").count()

    refused = text(opened(old, **{"try": "1"}))
    with_wrong = text(opened(old, **{"try": "1"}, words="six words that are not the ones"))
    opened(old, words=WORDS)  # Of a restore up to the preview, which is no try.
    backup.refresh_from_db()
    untried = backup.restore_tried_at
    with time_machine.travel(datetime(2026, 5, 3, 12, 2, tzinfo=UTC)):
        preview = tried(old, words=WORDS)
    with time_machine.travel(datetime(2026, 5, 5, 12, 2, tzinfo=UTC)):
        after = text(old.client.get(STATUS))

    assert "Restore tried" not in before
    assert "This backup needs your six words. Type them." in refused
    assert "Those are not the words of this backup." in with_wrong
    assert untried is None
    assert "This was a try: nothing is written." in text(preview)
    assert "read back and compared Restore tried 3 May Holds" in after
    assert not Attempt.objects.filter(act=Attempt.Act.RESTORE).exists()
    assert Event.objects.filter(tag__startswith="backups:").count() == events


def test_try_of_another_backup_or_before_another_account_is_not_that_of_this_one(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    mine = factories.backed_up(new, who=factories.person("other@outlook.example"))

    tried(new)  # The lost phone's, under an account of its own.
    mine.refresh_from_db()
    elsewhere = mine.restore_tried_at
    tried(new, proof=proof_of(new, who=factories.person("other@outlook.example")))
    mine.refresh_from_db()
    own, theirs = mine.restore_tried_at, Backup.objects.get(vault=old.vault.row).restore_tried_at
    moved = switching.change_account(new.vault, factories.person(), Protection.SIGN_IN, at=timezone.now())

    assert [elsewhere, own is None, theirs, moved.restore_tried_at] == [None, False, None, None]


# -- What is refused, each with its sentence --------------------------------------------------------------------------


@pytest.mark.row("T22")
def test_wrong_account_is_named_and_which_it_could_be_of_one_s_own_alone(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    wrong = factories.person("b@outlook.example")
    mine = factories.enrolled("carol@example.org", name="Pixel", type="android")
    factories.backed_up(mine, who=factories.person("carol@outlook.example"))

    pages = [visitor.client.get(f"{CHOOSE}?proof={proof_of(visitor, who=wrong)}") for visitor in (new, mine)]

    for page in pages:
        assert "Unable to recover." in text(page)
        assert "No backup is stored with b@outlook.example for Android devices." in text(page)
        assert buttons(page) == ["Sign in to another account", "Back to the list"]
    assert ["is kept under c…@outlook.example." in text(page) for page in pages] == [False, True]
    assert "a…@outlook.example" not in "".join(text(page) for page in pages)


TYPES = {"ios": ("iOS devices", "an iOS device"), "android": ("Android devices", "an Android device")}
TYPES["computer"] = ("computers", "a computer")


def of_type(type: str, new_type: str) -> tuple[Visitor, str, str]:
    """Somebody at a device of the new type; a proof, and the saved state of another type that lies there."""
    lost = factories.enrolled("alice@example.org", name="Old", type=type)
    who = factories.person(role=factories.role_of_device(lost))
    factories.create_entry(on=lost, issuer="GitHub", name="alice")
    factories.backed_up(lost, who=who)
    visitor = factories.enrolled("alice.new@example.org", name="New", type=new_type)
    return visitor, proof_of(visitor, who=who), searching.find(who, type).newest[0].key


@pytest.mark.article("S-08", "refused")
@pytest.mark.row("T22")
@pytest.mark.parametrize(("type", "new_type"), [(one, other) for one in TYPES for other in TYPES if one != other])
def test_wrong_type_of_device_is_named_with_its_number_and_no_forged_name_opens_it(type: str, new_type: str) -> None:
    visitor, proof, key = of_type(type, new_type)

    page = visitor.client.get(f"{CHOOSE}?proof={proof}")
    forged = visitor.client.post(CHOOSE, {"proof": proof, "choice": key, "type": type})
    by_passkey = visitor.client.post(PASSKEY, {"proof": proof, "choice": key, "output": b64url(bytes(32))})

    devices, one = TYPES[type]
    assert f"1 backup exists for {devices}. It can be restored on {one} only." in text(page)
    assert "If this browser was set up as another type of device than it is, remove it under Devices" in text(page)
    assert "Unable to recover." in text(forged)
    assert by_passkey.json() == {"sentence": "This saved state is no longer there. Choose another one."}
    assert (visitor.entries, Draft.objects.count()) == ((), 0)


@pytest.mark.article("S-08", "allowed")
@pytest.mark.parametrize("type", TYPES)
def test_backup_is_restored_on_another_device_of_its_own_type(type: str) -> None:
    visitor, proof, key = of_type(type, type)

    restored(visitor, preview_of(visitor, proof=proof, choice=key))

    assert [entry.issuer for entry in visitor.entries] == ["GitHub"]


def test_backups_of_another_type_beside_one_that_fits_are_shown_closed_with_their_number(
    old: Visitor, new: Visitor
) -> None:
    factories.backed_up(old)
    for name in ("Firefox", "Chrome"):
        computer = factories.enrolled(f"{name}@example.org", name=name, type="computer")
        factories.backed_up(computer, who=factories.person())

    page = new.client.get(f"{CHOOSE}?proof={proof_of(new)}")

    assert "2 backups exist for computers. They can be restored on a computer only." in text(page)
    assert page.content.decode().count('name="choice"') == 1


@pytest.mark.row("T21")
def test_wrong_words_say_how_many_tries_are_left_and_the_right_ones_open(old: Visitor, new: Visitor) -> None:
    factories.create_words(on=old, words=WORDS)
    factories.backed_up(old, protection=Protection.KEY)
    proof = proof_of(new)
    page = new.client.get(f"{CHOOSE}?proof={proof}")

    none = opened(new, proof=proof)
    short = opened(new, proof=proof, words="too short")
    wrong = opened(new, proof=proof, words="six words that are not the ones")
    right = opened(new, proof=proof, words=f"  {WORDS.upper().replace(' ', '-')} ")

    assert "Opens with your six words" in text(page)
    assert "left" not in text(page)
    assert "This backup needs your six words. Type them." in text(none)
    assert "This cost no try." in text(short)
    assert re.search(r"Those are not the words of this backup\. 9 tries left until \w+ at [\d:]+", text(wrong))
    assert "not the ones" in wrong.content.decode()  # What was typed stands there to be corrected.
    assert "2 of 3 will have codes" in text(new.client.get(right.headers["Location"]))
    assert Attempt.objects.count() == 2  # Of the one wrong: over the recovery account, and over the network.


def test_refusal_comes_in_the_place_of_the_cards_and_all_else_leads_on(old: Visitor, new: Visitor) -> None:
    factories.create_words(on=old, words=WORDS)
    backup = factories.backed_up(old, protection=Protection.KEY)
    fields, asked = {"proof": proof_of(new), "choice": key_of(Generation.objects.get())}, {"HX-Request": "true"}

    wrong = new.client.post(CHOOSE, {**fields, "words": "six words that are not the ones"}, headers=asked)
    right = new.client.post(CHOOSE, {**fields, "words": WORDS}, headers=asked)
    ending.off(backup, device=None, at=timezone.now())
    ending.delete_now(backup, device=None, at=timezone.now())
    proof = proof_of(new)
    gone = new.client.post(CHOOSE, {**fields, "proof": proof}, headers=asked)

    assert wrong.content.decode().strip().startswith('<div id="choosing"')
    assert "Those are not the words of this backup. 9 tries left" in text(wrong)
    assert right.headers["HX-Redirect"] == reverse("backups:restore-preview", args=[fields["proof"]])
    assert gone.headers["HX-Redirect"] == f"{CHOOSE}?chosen={fields['choice']}&proof={proof}"


@pytest.mark.parametrize(("seconds", "opens"), [(299, True), (301, False)])
def test_sign_in_allows_words_again_after_wrong_ones_for_five_minutes(
    old: Visitor, new: Visitor, seconds: int, opens: bool
) -> None:
    factories.create_words(on=old, words=WORDS)
    factories.backed_up(old, protection=Protection.KEY)
    signed_in_at = timezone.now()
    proof = proof_of(new, at=signed_in_at)
    key = chosen_in(new.client.get(f"{CHOOSE}?proof={proof}"))

    wrong = opened(new, proof=proof, choice=key, words="six words that are not the ones")
    with time_machine.travel(signed_in_at + timedelta(seconds=seconds)):
        right = opened(new, proof=proof, choice=key, words=WORDS)

    assert "Those are not the words of this backup. 9 tries left" in text(wrong)
    preview = reverse("backups:restore-preview", args=[proof])
    assert right.headers["Location"] == (preview if opens else f"{START}?chosen={key}")


def test_last_wrong_words_and_those_after_them_name_the_time(old: Visitor, new: Visitor) -> None:
    factories.create_words(on=old, words=WORDS)
    factories.backed_up(old, protection=Protection.KEY)
    subject = opening.subject(factories.person())
    for _ in range(9):
        Attempt.objects.create(subject=subject, act=Attempt.Act.WORDS, at=timezone.now())
    proof = proof_of(new)

    before = new.client.get(f"{CHOOSE}?proof={proof}")
    tenth = opened(new, proof=proof, words="six words that are not the ones")
    eleventh = opened(new, proof=proof, words=WORDS)

    assert re.search(r"1 try left until \w+ at [\d:]+", text(before))
    assert re.search(r"Those are not the words of this backup\. No try is left until \w+ at", text(tenth))
    assert "Too many wrong words were typed. These were not tried. The next try is possible on" in text(eleventh)
    assert Draft.objects.count() == 0


def test_passkey_opens_and_a_wrong_one_says_so(old: Visitor, new: Visitor) -> None:
    output = Secret(bytes(range(32)))
    with_passkey(old, output)
    factories.backed_up(old, protection=Protection.KEY)
    proof = proof_of(new)
    page = new.client.get(f"{CHOOSE}?proof={proof}")
    fields = {"proof": proof, "choice": chosen_in(page)}

    typed = new.client.post(CHOOSE, fields)
    none = new.client.post(PASSKEY, {**fields, "output": "nonsense"})
    wrong = new.client.post(PASSKEY, {**fields, "output": b64url(bytes(32))})
    right = new.client.post(PASSKEY, {**fields, "output": b64url(bytes(range(32)))})
    again = new.client.post(PASSKEY, {**fields, "output": b64url(bytes(range(32)))})

    assert "Use your passkey" in text(page)
    assert "This backup needs your passkey. Choose “Use your passkey”." in text(typed)
    assert "This passkey gave no key." in none.json()["sentence"]
    assert "This passkey does not open this backup." in wrong.json()["sentence"]
    assert right.json() == again.json() == {"location": reverse("backups:restore-preview", args=[proof])}
    assert "2 of 3 will have codes" in text(new.client.get(right.json()["location"]))


def test_backup_that_a_passkey_alone_opens_asks_for_no_words_while_passkeys_are_off(old: Visitor, new: Visitor) -> None:
    with_passkey(old, Secret(bytes(range(32))))
    factories.backed_up(old, protection=Protection.KEY)
    User.objects.update(passkeys_off=True)
    proof = proof_of(new)

    page = new.client.get(f"{CHOOSE}?proof={proof}")
    refused = new.client.post(CHOOSE, {"proof": proof, "choice": chosen_in(page)})

    fields = ["Six words" in text(answer) or "<textarea" in main(answer) for answer in (page, refused)]
    assert "Your passkeys are not accepted here. Accept passkeys again" in text(page)
    assert ("Use your passkey" in text(page), fields) == (False, [False, False])
    assert "Accept them again under Passkeys and sign-in." in text(refused)


def with_passkey(visitor: Visitor, output: Secret) -> None:
    """A passkey that gives this opens the list's backups from now on."""
    slot = factories.create_key(on=visitor, kind="passkey", name="Key", backed_up=False)
    key = BackupKey(slot.id.hex, "passkey", Secret(bytes(16)), keys.backup_key_of_passkey(output))
    vaults.change(
        visitor.vault, lambda accounts: accounts.with_backup_key(key), tag=Tag.PASSKEY_ADDED, at=timezone.now()
    )


def damaged(one: Generation) -> None:
    """Other bytes lie in its place."""
    data = storage.backups().fetch(objects.path(one))
    support.spoil(one, data[:-1] + bytes([data[-1] ^ 1]))


def key_of(one: Generation) -> str:
    """What a form calls it."""
    return f"{one.stream}-{one.sequence:016x}"


def three_days(visitor: Visitor, **fields: Any) -> list[Generation]:
    """Backed up on 1, 2 and 3 May: with three accounts, with four, with five. The newest first."""
    factories.backed_up(visitor, **fields)
    for issuer in ("Etsy", "Ebay"):
        factories.create_entry(on=visitor, issuer=issuer, name="later")
    states = list(Generation.objects.stored().newest_first())
    for number, one in enumerate(states):
        Generation.objects.filter(pk=one.pk).update(made_at=datetime(2026, 5, 3 - number, 12, tzinfo=UTC))
    return states


@pytest.mark.parametrize(
    ("count", "says", "restores"),
    [
        (1, "This saved state is damaged. The one before it, 2 May, is fine.", "3 of 4 will have codes"),
        (2, "This saved state is damaged. An earlier one, 1 May, is fine.", "2 of 3 will have codes"),
    ],
)
def test_damaged_newest_one_offers_the_one_before_it_which_was_read(
    old: Visitor, new: Visitor, count: int, says: str, restores: str
) -> None:
    states = three_days(old)
    for one in states[:count]:
        damaged(one)
    with time_machine.travel(datetime(2026, 5, 4, 12, tzinfo=UTC)):
        proof = proof_of(new)

        refused = opened(new, proof=proof)
        again = new.client.get(f"{CHOOSE}?proof={proof}")
        address = opened(new, proof=proof, choice=chosen_in(refused)).headers["Location"]
        preview, card = text(new.client.get(address)), text(old.client.get(STATUS))

    assert [text(page).count(says) for page in (refused, again)] == [1, 1]
    assert [re.findall(r'<details class="older"( open)?>', main(page)) for page in (refused, again)] == [[" open"]] * 2
    assert chosen_in(refused) == chosen_in(again) == key_of(states[count])
    assert restores in preview
    assert "The copy in the store is not what was written." in card


def test_damaged_one_that_is_not_the_newest_no_longer_counts_and_the_newest_is_left_as_it_is(
    old: Visitor, new: Visitor
) -> None:
    newest, middle, _oldest = three_days(old)
    damaged(middle)
    checked_at = Backup.objects.get().checked_at

    refused = opened(new, choice=key_of(middle))

    assert "This saved state is damaged. The one before it," in text(refused)
    assert [one.state for one in Generation.objects.order_by("-sequence")] == ["proven", "damaged", "proven"]
    assert (Backup.objects.get().checked_at, Backup.objects.get().failure) == (checked_at, "")
    assert Generation.objects.get(pk=newest.pk).checked_at == newest.checked_at


def test_passkey_for_a_damaged_one_leads_to_the_one_before_it(old: Visitor, new: Visitor) -> None:
    with_passkey(old, Secret(bytes(range(32))))
    factories.backed_up(old, protection=Protection.KEY)
    factories.create_entry(on=old, issuer="Etsy", name="later")
    newest, earlier, *_others = Generation.objects.stored().newest_first()
    damaged(newest)
    proof = proof_of(new)
    fields = {"proof": proof, "output": b64url(bytes(range(32)))}
    key = chosen_in(new.client.get(f"{CHOOSE}?proof={proof}"))

    answer = new.client.post(PASSKEY, {**fields, "choice": key}).json()
    page = new.client.get(answer["location"])
    right = new.client.post(PASSKEY, {**fields, "choice": chosen_in(page)}).json()

    assert chosen_in(page) == key_of(earlier)
    assert page.content.decode().count("The one before it,") == 1
    assert "2 of 3 will have codes" in text(new.client.get(right["location"]))


def test_wrong_passkey_names_the_day_before_which_another_one_opened_it(old: Visitor, new: Visitor) -> None:
    with_passkey(old, Secret(bytes(range(32))))
    states = three_days(old, protection=Protection.KEY)
    Generation.objects.filter(pk=states[2].pk).update(slots=[["passkey", "another"]])
    with time_machine.travel(datetime(2026, 5, 4, 12, tzinfo=UTC)):
        proof = proof_of(new)
        wrong = {"proof": proof, "output": b64url(bytes(32))}

        said = [new.client.post(PASSKEY, {**wrong, "choice": key_of(one)}).json()["sentence"] for one in states]

    dated = "This passkey does not open this backup; one made before 2 May may."
    assert said == [dated, dated, "This passkey does not open this backup."]


def test_one_of_a_newer_authweb_says_so(old: Visitor, new: Visitor) -> None:
    backup = factories.backed_up(old)
    one = backup.generations.get()
    data = storage.backups().fetch(objects.path(one))
    support.spoil(one, data[:4] + b"\x02" + data[5:])

    assert "This backup was made by a newer Authweb." in text(opened(new))


def test_server_without_the_key_says_so(old: Visitor, new: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.backed_up(old)
    support.without_records()
    monkeypatch.setattr(objects, "server_key", lambda _kid: None)

    assert "The server lacks the key of this backup. Its operator has it on the printed sheet." in text(opened(new))


def test_store_that_is_away_says_so_and_the_same_sign_in_serves_on(
    old: Visitor, new: Visitor, faulty: type[FaultyStore]
) -> None:
    factories.backed_up(old)
    beside()
    proof = proof_of(new)
    key = chosen_in(new.client.get(f"{CHOOSE}?proof={proof}"))

    faulty.next("fetch", Cause.UNREACHABLE)
    away = new.client.post(CHOOSE, {"proof": proof, "choice": key})

    assert "The store of backups does not answer." in text(away)
    assert opened(new, proof=proof).headers["Location"].startswith("/backups/restore/")


@pytest.mark.parametrize("step", ["find", "open"])
def test_store_that_kept_a_person_waiting_is_not_waited_for_again(
    old: Visitor, new: Visitor, faulty: type[FaultyStore], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    factories.backed_up(old)
    beside()
    proof = proof_of(new)
    address = f"{CHOOSE}?proof={proof}"
    choice = {"proof": proof, "choice": chosen_in(new.client.get(address))}
    asked: list[str] = []

    def silent(_store: FaultyStore, name: str = "") -> Any:
        asked.append(name)
        time.sleep(1.05)
        raise StoreFailed(Cause.UNREACHABLE)

    with monkeypatch.context() as away:
        away.setattr(FaultyStore, "names" if step == "find" else "fetch", silent)
        pages = [new.client.get(address) if step == "find" else new.client.post(CHOOSE, choice)]
        pages += [new.client.get(address), new.client.post(CHOOSE, choice)]
    began = timezone.now()
    with time_machine.travel(began + timedelta(seconds=9)):
        pages.append(new.client.get(address))
    with time_machine.travel(began + timedelta(seconds=21)):
        back = new.client.post(CHOOSE, choice)

    assert len(asked) == 1
    assert ["The store of backups does not answer." in text(page) for page in pages] == [True] * 4
    assert back.headers["Location"].startswith("/backups/restore/")


def test_number_that_is_missing_is_named(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    factories.create_entry(on=old, issuer="Etsy", name="later")
    newest = Generation.objects.stored().newest_first()[0]
    storage.backups().remove(objects.path(newest))

    page = new.client.get(f"{CHOOSE}?proof={proof_of(new)}")

    assert f"Number {newest.sequence} is missing; {newest.sequence - 1} was found." in text(page)


def test_fourth_restore_of_a_day_is_refused_with_its_time(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    subject, address = opening.subject(factories.person()), preview_of(new)
    preview = new.client.get(address)
    for _ in range(3):
        Attempt.objects.create(subject=subject, act=Attempt.Act.RESTORE, at=timezone.now())

    answer, later = restored(new), new.client.get(address)
    page = new.client.get(answer.headers["Location"]).content.decode()

    says = r"With a…@outlook.example backups were restored three times within a day\. "
    says += r"The next is possible on \w+ at [\d:]+"
    assert re.search(says, page)
    assert re.search(says, text(new.client.get(f"{CHOOSE}?proof={proof_of(new)}")))
    assert not re.search(says, text(new.client.get(f"{CHOOSE}?try=1&proof={proof_of(new)}")))
    assert "2 of 3 will have codes" in page
    assert (buttons(preview), buttons(later)) == (["Cancel", "Restore"], ["Cancel"])
    assert re.search(says, text(later))
    assert new.entries == ()


def test_without_any_record_the_person_recognises_their_backup(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    support.without_records()
    old.user.delete()

    page = new.client.get(f"{CHOOSE}?proof={proof_of(new)}")
    report = new.client.get(restored(new).headers["Location"])

    assert "The server's records are new. Choose the backup you recognise." in text(page)
    assert "Restored 2 of 3." in text(report)


def test_backup_that_nobody_looked_into_says_so_and_opens_by_its_words(old: Visitor, new: Visitor) -> None:
    factories.create_words(on=old, words=WORDS)
    factories.backed_up(old, protection=Protection.KEY)
    support.without_records()
    (good,) = support.stored()
    support.plant(good, streams=40)
    proof = proof_of(new)
    page = new.client.get(f"{CHOOSE}?proof={proof}")

    none = opened(new, proof=proof)
    right = opened(new, proof=proof, words=WORDS)

    assert "Whether it needs a key shows when it is opened" in text(page)
    assert "Use your passkey" in text(page)
    assert "Opens with sign-in only" not in text(page)
    assert "This backup needs a key that you hold: your six words, or your passkey." in text(none)
    assert "2 of 3 will have codes" in text(new.client.get(right.headers["Location"]))


def test_one_that_is_being_deleted_says_until_when_it_can_be_restored(old: Visitor, new: Visitor) -> None:
    backup = factories.backed_up(old)
    ending.off(backup, device=None, at=timezone.now())

    page = new.client.get(f"{CHOOSE}?proof={proof_of(new)}")

    assert re.search(r"It will be deleted on \w+ at [\d:]+", text(page))
    assert restored(new).headers["Location"].startswith("/backups/restore/report/")


# -- None there: why --------------------------------------------------------------------------------------------------


def unable(visitor: Visitor, **fields: Any) -> str:
    """ "Unable to recover.", as it is read after a proof."""
    page = text(visitor.client.get(f"{CHOOSE}?proof={proof_of(visitor, **fields)}"))
    assert "Unable to recover." in page
    return page


DELETED = "The backup under a…@outlook.example was deleted on 3 May 2026."
DELETING = "The backup under a…@outlook.example is being deleted."


def test_backup_that_was_deleted_is_told_with_its_day_to_whoever_proves_the_account(old: Visitor, new: Visitor) -> None:
    backup, at = factories.backed_up(old), datetime(2026, 5, 3, 12, 2, tzinfo=UTC)
    ending.off(backup, device=None, at=at - timedelta(hours=24))
    ending.expire(at)
    wrong = factories.person("anna@outlook.example")  # Masked they are the same.
    computer = factories.enrolled("c@example.org", name="Firefox", type="computer")
    both = [unable(visitor) for visitor in (old, new)]

    none = "No backup is stored with alice@outlook.example for Android devices. "
    assert [none + DELETED in page for page in both] == [True, True]
    assert "It may lie with another provider: “Sign in with iCloud”." in unable(computer)
    for page in (unable(old, who=wrong), unable(new, who=wrong), unable(computer)):
        assert "deleted" not in page
    factories.backed_up(new)
    assert "deleted" not in text(old.client.get(f"{CHOOSE}?proof={proof_of(old)}"))


def test_backup_that_was_never_saved_was_not_deleted_either(old: Visitor, faulty: type[FaultyStore]) -> None:
    backup = factories.backed_up(old)
    Backup.objects.filter(pk=backup.pk).update(saved_at=None)
    ending.off(backup, device=None, at=timezone.now())
    ending.expire(timezone.now() + timedelta(hours=24))

    assert "deleted" not in unable(old)


def test_backup_that_the_store_has_yet_to_let_go_is_being_deleted(
    old: Visitor, new: Visitor, faulty: type[FaultyStore]
) -> None:
    backup = factories.backed_up(old)
    ending.off(backup, device=None, at=timezone.now())
    faulty.next("remove", *[Cause.FULL] * 9)
    with pytest.raises(StoreFailed):
        ending.delete_now(backup, device=None, at=timezone.now())

    pages = [unable(visitor) for visitor in (old, new)]
    FaultyStore.faults.clear()
    ending.expire(timezone.now())

    assert [DELETING in page for page in pages] == [True, True]
    assert "is being deleted" not in unable(new)
    assert "The backup under a…@outlook.example was deleted on" in unable(new)


def test_iphone_is_told_which_provider_kept_its_backups_before_the_day_and_since(settings: Any) -> None:
    settings.TIME_ZONE = "America/Lima"  # Where that day begins in the evening before.
    iphone, wrong = (
        factories.enrolled("ina@example.org", name="iPhone", type="ios"),
        factories.person("i@outlook.example"),
    )
    settings.ICLOUD_FROM = timezone.now() + timedelta(days=1)
    before = factories.backed_up(iphone, who=factories.person("ina@outlook.example"))
    beside(factories.person("ina@outlook.example"))
    then = unable(iphone, who=wrong)
    settings.ICLOUD_FROM = datetime(2025, 9, 1, tzinfo=UTC)

    icloud, microsoft = unable(iphone), unable(iphone, who=wrong)
    choose = text(iphone.client.get(f"{CHOOSE}?proof={proof_of(iphone, who=factories.person('ina@outlook.example'))}"))

    of_before = "1 September 2025 backups for iOS devices were kept with another provider: “Sign in with Microsoft”."
    assert before.recovery_account is not None
    assert "another provider" not in then
    assert f"Before {of_before}" in icloud
    assert "A backup of yours for iOS devices is kept under i…@outlook.example." in icloud
    assert "Since 1 September 2025 backups for iOS devices are kept with another provider: “Sign in with iCloud”." in (
        microsoft
    )
    assert "1 backup is kept with i…@outlook.example for iOS devices." in choose


# -- Proofs, clicks, tabs ---------------------------------------------------------------------------------------------


@pytest.mark.row("T22")
@pytest.mark.parametrize(
    "case", ["too old", "another person's", "for another list", "to turn on", "to delete", "none of any", "no number"]
)
def test_proof_that_is_none_leads_to_the_start_and_the_choice_stays(old: Visitor, new: Visitor, case: str) -> None:
    factories.backed_up(old)
    key = searching.find(factories.person(), "android").newest[0].key
    proof = {
        "too old": lambda: proof_of(new, at=timezone.now() - timedelta(minutes=5, seconds=2)),
        "another person's": lambda: proof_of(old),
        "for another list": lambda: proof_of(new, target=str(old.vault.row.pk)),
        "to turn on": lambda: factories.proven(new),
        "to delete": lambda: factories.proven(new, purpose=Purpose.RECOVERY_DELETE),
        "none of any": lambda: str(uuid4()),
        "no number": lambda: "nonsense",
    }[case]()

    get = new.client.get(f"{CHOOSE}?proof={proof}")
    by_passkey = new.client.post(PASSKEY, {"proof": proof, "choice": key, "output": b64url(bytes(32))})
    post = new.client.post(CHOOSE, {"proof": proof, "choice": key})
    page = new.client.get(post.headers["Location"])

    assert get.headers["Location"] == START
    assert by_passkey.json() == {"location": f"{START}?chosen={key}"}
    assert post.headers["Location"] == f"{START}?chosen={key}"
    assert "Sign in once more." in page.content.decode()
    new.client.post(SIGN_IN, {"role": "microsoft", "chosen": key})
    assert factories.begun().back == f"{CHOOSE}?chosen={key}"
    assert Draft.objects.count() == 0


def test_choice_that_stayed_is_preselected_and_nothing_else_is_carried(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    factories.create_entry(on=old, issuer="Etsy", name="later")
    earlier = searching.find(factories.person(), "android").older[0].key

    page = new.client.get(f"{CHOOSE}?chosen={earlier}&proof={proof_of(new)}")
    start = new.client.get(START, {"chosen": '"><script>alert(1)</script>', "try": "2"})

    assert chosen_in(page) == earlier
    assert "alert(1)" not in start.content.decode()
    assert 'name="chosen"' not in start.content.decode()


def test_cancelled_sign_in_says_so_and_offers_the_same_again(old: Visitor, new: Visitor, roles: Roles) -> None:
    address = proving.hand_off(new.client, SIGN_IN, {"role": "microsoft", "try": "1"})
    roles.microsoft.next("authorize", query={"error": "access_denied"})
    landing = new.client.get(proving.way_back(address)).headers["Location"]

    page = new.client.get(landing)

    assert "You cancelled at" in text(page)
    assert buttons(page) == ["Try again", "Change account", "Back"]
    assert "Nothing was changed." in text(page)
    proving.hand_off(new.client, landing)
    assert factories.begun().back == f"{CHOOSE}?try=1"


def test_second_click_on_continue_goes_where_the_first_led_to(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    beside()
    proof = proof_of(new)
    key = chosen_in(new.client.get(f"{CHOOSE}?proof={proof}"))

    answers = [new.client.post(CHOOSE, {"proof": proof, "choice": key}) for _ in range(2)]

    assert [answer.headers["Location"] for answer in answers] == [reverse("backups:restore-preview", args=[proof])] * 2
    assert Draft.objects.count() == 1


def test_second_click_on_restore_goes_to_the_same_report(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    address = preview_of(new)
    data = {"chosen": ticked(new.client.get(address))}

    answers = [new.client.post(address, data) for _ in range(2)]
    Draft.objects.all().delete()
    late = new.client.post(address, data, follow=True)

    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert len(new.entries) == 3
    assert "Restored already." in late.content.decode()
    assert Event.objects.filter(tag=Tag.RESTORED).count() == 1


def test_second_click_at_the_last_of_a_day_goes_to_the_report_too(
    old: Visitor, new: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.backed_up(old)
    address = preview_of(new)
    data = {"chosen": ticked(new.client.get(address))}
    for _ in range(2):
        Attempt.objects.create(subject=opening.subject(factories.person()), act=Attempt.Act.RESTORE, at=timezone.now())
    first, tab, count = [], factories.tab(new), attempts.count

    def counted(*given: Any, **named: Any) -> attempts.Tried:
        if not first:  # The first click is done while the second is about to be counted.
            first.append(None)
            first.append(tab.post(address, data))
        return count(*given, **named)

    monkeypatch.setattr(attempts, "count", counted)

    second = new.client.post(address, data)

    assert past_checklist(second).headers["Location"] == past_checklist(first[1]).headers["Location"] != address
    assert "three times" not in new.client.get(second.headers["Location"]).content.decode()
    assert len(new.entries) == 3


def test_session_goes_on_under_another_id_after_a_restore(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    address = preview_of(new)
    before = new.client.session.session_key

    answer = restored(new, address)

    assert new.client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()
    assert new.client.get(answer.headers["Location"]).status_code == 200


def test_clicks_at_once_restore_once(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    address = preview_of(new)
    data = {"chosen": ticked(new.client.get(address))}
    ready = Barrier(4)

    def click(_: int) -> str:
        client = factories.tab(new)
        ready.wait(10)
        try:
            return past_checklist(client.post(address, data)).headers["Location"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        led_to = set(threads.map(click, range(4)))

    report = reverse("backups:restore-report", args=[restoring.report_of(uuid_in(address))])
    assert report in led_to
    assert led_to <= {report, address}
    assert len(new.entries) == 3
    assert Attempt.objects.filter(act=Attempt.Act.RESTORE).count() == 1


def uuid_in(address: str) -> Any:
    return UUID(address.rstrip("/").rpartition("/")[2])


def test_two_tabs_keep_two_previews(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    first, second = preview_of(new), preview_of(new)

    restored(new, second)
    again = new.client.get(first)
    answer = restored(new, first)

    assert "Nothing to restore From Pixel 8" in text(again)
    assert "All of it is in your list already." in text(again)
    assert buttons(again) == ["Look at your codes"]
    assert 'type="checkbox"' not in main(again)  # There is no choice.
    assert "Still to do 1 C Contoso" in text(new.client.get(answer.headers["Location"]))
    assert "nothing was changed" in text(new.client.get(answer.headers["Location"]))
    assert len(new.entries) == 3


def test_counter_that_is_further_in_the_backup_is_something_to_restore(old: Visitor, new: Visitor) -> None:
    entry = factories.create_entry(on=old, issuer="Counter", type=Type.HOTP, counter=7)
    factories.backed_up(old)
    restored(new)
    all_here = new.client.get(preview_of(new))
    behind = tuple(replace(one, counter=5) if one.id == entry.id else one for one in new.entries)
    vaults.change(new.vault, lambda all_: replace(all_, entries=behind), tag=Tag.ENTRY_ADDED, at=timezone.now())

    address = preview_of(new)
    preview = new.client.get(address)
    restored(new, address)

    assert (buttons(all_here), buttons(preview)) == (["Look at your codes"], ["Cancel", "Restore"])
    assert [one.counter for one in new.entries if one.id == entry.id] == [7]


def test_try_of_what_is_all_here_promises_nothing(old: Visitor) -> None:
    factories.backed_up(old)

    preview = tried(old)

    assert "This was a try: nothing is written. All of it is in your list already." in text(preview)


# -- What follows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "says"), [(1, "One came back by name, without a code."), (3, "Three came back by name, without a code.")]
)
def test_checklist_after_a_restore_says_first_what_is_back(old: Visitor, new: Visitor, work: int, says: str) -> None:
    for number in range(1, work):
        factories.create_entry(on=old, issuer="Contoso", name=f"bob {number}", kind=Kind.WORK)
    factories.backed_up(old)
    address = preview_of(new)
    checklist = new.client.post(address, {"chosen": ticked(new.client.get(address))}).headers["Location"]

    page, elsewhere = new.client.get(checklist), new.client.get(AGAIN)
    for entry in new.entries:
        if entry.needs is not None:
            new.client.post(reverse("accounts:again-keep", args=[entry.id]))
    done = new.client.get(checklist)

    assert f"Sign in to restore your account 2 accounts are back with their codes. {says}" in text(page)
    assert f"All done 2 accounts are back with their codes. {says}" in text(done)
    assert ["Step 5 of 5" in text(shown) for shown in (page, done, elsewhere)] == [True, True, False]
    assert "are back with their codes" not in text(elsewhere)


def test_report_leads_back_to_the_checklist_and_to_what_was_left_out(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    address = preview_of(new)
    html = new.client.get(address).content.decode()
    waits = [key for key in ticked(new.client.get(address)) if key in html.partition("Code comes back")[0]]
    checklist = new.client.post(address, {"chosen": waits}).headers["Location"]

    report = new.client.get(unquote(checklist.partition("?next=")[2]))

    assert f'href="{checklist}">Go on with the checklist' in main(report)
    assert buttons(report)[:2] == ["Go on with the checklist", "Restore the rest"]
    assert f'href="{START}"' in main(report)


def test_report_counts_apart_what_came_back_and_what_was_here(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    restored(new)
    without(new, new.entries[1])

    report = new.client.get(restored(new).headers["Location"])

    assert "1 came back, 2 were already here." in text(report)


def test_lost_device_is_spoken_of_where_it_was_another_one(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    elsewhere = new.client.get(restored(new).headers["Location"])
    address = restored(old).headers["Location"]
    here = old.client.get(address)
    of_two = factories.with_another_device(old, name=old.device.name, type="android")
    also_here = old.client.get(address)

    sites = "Remove the lost device at your sites too"
    assert [sites in text(page) for page in (elsewhere, here, also_here)] == [True, False, True]
    assert "If it still opens a list of yours, it stands among your devices." in text(elsewhere)
    assert "still opens this list. Remove it." in text(also_here)
    assert f'href="{reverse("accounts:device-remove", args=[of_two.device.pk])}"' in main(also_here)


@pytest.mark.parametrize("own_words", [False, True])
def test_report_says_first_what_is_still_open_and_what_does_not_open_the_new_list(
    old: Visitor, db: None, own_words: bool
) -> None:
    factories.create_words(on=old, words=WORDS)
    factories.backed_up(old, protection=Protection.KEY)
    pixel_9 = NewDevice(uuid4(), "Pixel 9", DeviceType.ANDROID)
    made = devices.set_up(old.user, pixel_9, at=timezone.now(), separate=True)
    new = factories.with_key(factories.at_another_browser(old), made.device, made.cookie)
    if own_words:
        factories.create_words(on=new, words="other words for the list that is new")

    preview = preview_of(new, proof=proof_of(new, target=str(new.vault.row.pk)), words=WORDS)
    report = new.client.get(restored(new, preview).headers["Location"])

    next_steps = [re.sub(r"<.*?>", "", line) for line in re.findall(r'cell-title">(.*?)</span>', main(report))]
    assert next_steps[: 5 - own_words] == [
        "'Pixel 8' still opens your former list. Remove it.",
        "Remove the lost device at your sites too",
        "Turn on Cloud Backup here",
        *([] if own_words else ["The words that opened the backup do not open this list"]),
        "Look at your codes",
    ]
    assert f'href="{reverse("accounts:device-remove", args=[old.device.pk])}"' in main(report)


@pytest.mark.row("T22")
def test_what_was_opened_is_nobody_else_s(old: Visitor, new: Visitor, bob: Visitor) -> None:
    factories.backed_up(old)
    address = preview_of(new)
    report = restored(new).headers["Location"]
    other = factories.with_another_device(new, name="Tablet", type="android")

    for stranger in (bob, other):
        answers = [stranger.client.get(address), stranger.client.get(report)]
        answers += [stranger.client.post(address, data) for data in ({"chosen": ["a"]}, {"cancel": "1"})]
        assert [answer.status_code for answer in answers] == [404] * 4
    assert "Already here 3" in text(new.client.get(address))


@pytest.mark.parametrize(("name", "leads_to"), [("restore", "lost"), ("restore-choose", "open")])
def test_without_the_open_list_there_is_no_way_in(
    name: str, leads_to: str, alice_elsewhere: Visitor, mallory_removed: Visitor
) -> None:
    answers = [who.client.get(reverse(f"backups:{name}")) for who in (alice_elsewhere, mallory_removed)]

    assert [answer.headers["Location"].partition("?")[0] for answer in answers] == [reverse(f"accounts:{leads_to}")] * 2


def test_person_who_leaves_restores_nothing(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    address = preview_of(new)
    data = {"chosen": ticked(new.client.get(address))}
    type(new.user).objects.filter(pk=new.user.pk).update(deletes_at=timezone.now() + timedelta(hours=1))

    answer = new.client.post(address, data)

    assert answer.headers["Location"] == LIST
    assert new.entries == ()


def test_role_that_keeps_no_backup_leads_nowhere(new: Visitor) -> None:
    for role in ("entra", "apple", "", "nonsense"):
        assert new.client.post(SIGN_IN, {"role": role}).headers["Location"] == START


def test_iphone_is_offered_the_provider_of_before_too() -> None:
    iphone = factories.enrolled("ina@example.org", name="iPhone", type="ios")

    page = iphone.client.get(START)
    none = iphone.client.get(f"{CHOOSE}?proof={proof_of(iphone)}")

    assert buttons(page) == ["Sign in with iCloud", "Sign in with Microsoft"]
    assert "were kept with another provider: “Sign in with Microsoft”." in text(none)


def test_nearly_a_thousand_accounts_come_back_by_the_form(old: Visitor, new: Visitor) -> None:
    """The form sends a tick for each, and for each of two keys which is kept."""
    many = [factories.an_entry(issuer="Site", name=f"{number}") for number in range(990)]
    vaults.change(old.vault, lambda accounts: accounts.add_many(many), tag=Tag.ENTRY_ADDED, at=timezone.now())
    factories.backed_up(old)
    mine = [factories.an_entry(issuer="Site", name=f"{n}", secret=Secret(b"another")) for n in range(990)]
    vaults.change(new.vault, lambda accounts: accounts.add_many(mine), tag=Tag.ENTRY_ADDED, at=timezone.now())
    address = preview_of(new)
    html = new.client.get(address).content.decode()
    keeps = dict.fromkeys(re.findall(r'name="(keep-[0-9a-f]+)"', html), "both")

    restored(new, address, **keeps)

    assert (len(keeps), len(new.entries)) == (990, 1983)


# -- There is a backup already ----------------------------------------------------------------------------------------


@pytest.mark.article("G-10")
def test_existing_backup_is_offered_for_restore_first(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)
    on, proof = reverse("backups:on"), factories.proven(new)

    page = new.client.get(f"{on}?proof={proof}")
    restore = new.client.get(f"{on}?proof={proof}&keep=restore")

    assert re.findall(r'name="keep" value="(\w+)"( checked)?', page.content.decode()) == [
        ("restore", " checked"),
        ("1", ""),
    ]
    assert restore.headers["Location"] == START


@pytest.mark.article("S-37")
def test_name_only_waits_and_gives_no_code(old: Visitor, new: Visitor) -> None:
    factories.backed_up(old)

    report = new.client.get(restored(new).headers["Location"])

    (contoso,) = [entry for entry in new.entries if entry.issuer == "Contoso"]
    assert (contoso.secret, contoso.needs) == (None, Needs.SCAN)
    assert "Contoso alice@contoso.example Action required: scan the QR code" in text(report)
