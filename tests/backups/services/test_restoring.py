"""A saved state comes back: found by its owner alone, opened, merged, told; and nothing is half done."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import Attempt, Draft, Event
from accounts.roles import Role
from accounts.services import attempts, codes, vaults
from accounts.services.activity import Tag
from accounts.services.attempts import TooManyTries
from accounts.services.identity import Identity, NotProven, Purpose
from accounts.services.vaults import DraftGone
from accounts.vault import keys
from accounts.vault.encoding import canonical
from accounts.vault.entry import Kind, Needs, Type
from accounts.vault.errors import Damaged, KeyMissing, TooLarge, WrongKey
from accounts.vault.list import MAX_BYTES, Protection
from accounts.vault.merging import Keep
from accounts.vault.secret import Secret
from backups import storage
from backups.models import Backup
from backups.names import Name
from backups.services import adopting, ending, fates, objects, opening, restoring, searching
from backups.services.fates import Fate
from backups.services.opening import KeyNeeded, Opener, WrongWords
from backups.services.restoring import Chosen
from backups.services.searching import NotThere
from tests import factories
from tests.backups import support
from tests.backups.support import FaultyStore
from tests.factories import Visitor
from tests.pages import main

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "correct horse battery staple dolphin anvil"
NOT_ME = reverse("accounts:not-me")


def lost_and_new(
    *, protection: Protection = Protection.SIGN_IN, type: str = "android", accounts: int = 3
) -> tuple[Visitor, Visitor, Backup]:
    """Somebody whose backed up phone is lost, and a stranger's new phone on which the same person signs up anew."""
    old = factories.enrolled("alice@example.org", name="Pixel 8", type=type)
    if protection is Protection.KEY:
        factories.create_words(on=old, words=WORDS)
    for number in range(accounts):
        factories.create_entry(on=old, issuer="Site", name=f"account {number}")
    backup = factories.backed_up(old, protection=protection)
    new = factories.enrolled("alice.new@example.org", name="Pixel 9", type=type)
    return old, new, backup


def proof_of(visitor: Visitor, **fields: Any) -> str:
    return factories.proven(visitor, purpose=Purpose.RESTORE, **fields)


def held(
    visitor: Visitor, *, words: str = "", proof: str = "", index: int = 0, who: Identity | None = None, **fields: Any
) -> Any:
    person = who or factories.person(role=factories.role_of_device(visitor))
    choice = searching.find(person, visitor.device.type).every[index]
    return opening.hold(
        visitor.vault, proof or proof_of(visitor, who=who), choice.key, Opener(words=words), at=timezone.now(), **fields
    )


def all_of(visitor: Visitor, draft: Any, **keeps: Any) -> Chosen:
    rows = fates.preview(visitor.vault, draft, at=timezone.now()).rows
    return Chosen(frozenset(row.id for row in rows), keeps)


def restored(visitor: Visitor, **fields: Any) -> restoring.Report:
    draft = held(visitor, **fields)
    report = restoring.accept(visitor.vault, draft, all_of(visitor, draft), at=timezone.now())
    return restoring.report(visitor.vault, report, at=timezone.now())


# -- The main path ----------------------------------------------------------------------------------------------------


@pytest.mark.article("S-04")
@pytest.mark.article("S-05")
@pytest.mark.article("G-08")
@pytest.mark.parametrize(("protection", "words"), [(Protection.SIGN_IN, ""), (Protection.KEY, WORDS.upper())])
def test_accounts_come_back_with_their_codes_and_in_their_order(protection: Protection, words: str) -> None:
    old, new, _ = lost_and_new(protection=protection)

    report = restored(new, words=words)

    assert [row.fate for row in report.rows] == [Fate.CODE] * 3
    assert (report.of, report.device_name, len(report.restored), report.to_do) == (3, "Pixel 8", 3, ())
    assert new.entries == old.entries
    at = timezone.now()
    made = [[code.digits for code in codes.ahead(one.entries, at=at).values()] for one in (old, new)]
    assert made[0] == made[1] != []


@pytest.mark.article("G-21")
def test_order_that_a_person_made_is_kept_and_comes_back() -> None:
    old, new, _ = lost_and_new()
    ids = [entry.id for entry in old.entries]
    order = [ids[2], ids[0], ids[1]]
    vaults.change(old.vault, lambda accounts: accounts.reorder(order), tag=Tag.LIST_ORDERED, at=timezone.now())

    restored(new)

    assert [entry.id for entry in old.entries] == [entry.id for entry in new.entries] == order


@pytest.mark.article("S-33")
@pytest.mark.article("S-35")
@pytest.mark.article("S-37")
@pytest.mark.article("S-39")
def test_each_kind_of_account_comes_back_as_its_portion_says() -> None:
    old, new, _ = lost_and_new(accounts=0)
    kinds = {
        Kind.THIRD_PARTY: Fate.CODE,
        Kind.PERSONAL_CODE: Fate.CODE,
        Kind.PERSONAL_PASSWORDLESS: Fate.SIGN_IN,
        Kind.WORK: Fate.SIGN_IN,
    }
    for kind in kinds:
        named = kind in (Kind.PERSONAL_PASSWORDLESS, Kind.WORK)
        needs = {"secret": None, "needs": Needs.SIGN_IN} if named else {}
        factories.create_entry(on=old, issuer=kind.value, name="name", kind=kind, **needs)

    report = restored(new)

    assert {row.issuer: row.fate for row in report.rows} == {kind.value: fate for kind, fate in kinds.items()}
    found = {entry.kind: entry for entry in new.entries}
    assert {kind: entry.secret is None for kind, entry in found.items()} == {
        kind: fate is Fate.SIGN_IN for kind, fate in kinds.items()
    }
    assert [row.issuer for row in report.to_do] == ["personal_passwordless", "work"]
    assert found[Kind.WORK].needs is Needs.SIGN_IN


@pytest.mark.article("S-05")
@pytest.mark.article("S-33")
@pytest.mark.article("S-39")
def test_codes_after_a_restore_are_those_of_an_independent_implementation() -> None:
    old, new, _ = lost_and_new(accounts=0)
    secrets = {Kind.THIRD_PARTY: b"of somebody's own shop", Kind.PERSONAL_CODE: b"of a personal account"}
    for kind, secret in secrets.items():
        factories.create_entry(on=old, issuer=kind.value, name="name", kind=kind, secret=Secret(secret))
    names = {entry.id: entry.kind for entry in old.entries}

    restored(new)
    with time_machine.travel(timezone.now(), tick=False):
        second = int(timezone.now().timestamp())
        shown = new.client.get(reverse("accounts:codes"), {"from": second}).json()["codes"]

    assert {names[id]: (step, digits[:6]) for id, (step, digits) in shown.items()} == {
        kind: (second // 30, TOTP(secret, 6, SHA1(), 30).generate(second).decode())  # noqa: S303
        for kind, secret in secrets.items()
    }


@pytest.mark.article("G-03")
def test_what_an_iphone_saved_under_microsoft_comes_back_after_the_change_too() -> None:
    microsoft = factories.person(role=Role.MICROSOFT)
    with time_machine.travel(settings.ICLOUD_FROM - timedelta(seconds=1), tick=False):
        old = factories.enrolled("alice@example.org", name="iPhone", type="ios")
        for number in range(3):
            factories.create_entry(on=old, name=f"account {number}")
        factories.backed_up(old, who=microsoft)

    with time_machine.travel(settings.ICLOUD_FROM + timedelta(days=400), tick=False):
        new = factories.enrolled("alice.new@example.org", name="iPhone 17", type="ios")
        offered = new.client.get(reverse("backups:restore")).content.decode()
        report = restored(new, who=microsoft)

    assert re.findall(r'name="role" value="(\w+)"', offered) == ["apple", "microsoft"]
    assert (report.of, report.device_name, len(report.restored)) == (3, "iPhone", 3)
    assert new.entries == old.entries


@pytest.mark.article("G-09")
def test_twice_changes_nothing_and_counts_as_none() -> None:
    _, new, _ = lost_and_new()
    restored(new)
    before = (new.entries, new.vault.row.version)

    for _again in range(4):
        report = restored(new)

    assert (new.entries, new.vault.row.version) == before
    assert (report.state, [row.fate for row in report.rows]) == (0, [Fate.HERE] * 3)
    assert Event.objects.filter(tag=Tag.RESTORED).count() == 1


@pytest.mark.article("G-09")
def test_what_is_there_stays_and_the_restore_can_be_undone() -> None:
    old, new, _ = lost_and_new()
    mine = factories.create_entry(on=new, issuer="Site", name="account 0", secret=Secret(b"another key entirely"))
    before = new.entries

    report = restored(new)

    assert [row.fate for row in report.rows] == [Fate.CLASH, Fate.CODE, Fate.CODE]
    assert new.entries[0].id == mine.id
    assert len(new.entries) == 4
    vaults.undo(new.vault, report.state, at=timezone.now())
    assert new.entries == before


def test_only_what_has_a_tick_comes_back() -> None:
    old, new, _ = lost_and_new()
    draft = held(new)

    restoring.accept(new.vault, draft, Chosen(frozenset({old.entries[1].id})), at=timezone.now())

    assert [entry.name for entry in new.entries] == ["account 1"]


def test_nothing_chosen_keeps_the_draft() -> None:
    _, new, _ = lost_and_new()
    draft = held(new)

    with pytest.raises(restoring.NothingChosen):
        restoring.accept(new.vault, draft, Chosen(frozenset()), at=timezone.now())

    assert len(fates.preview(new.vault, draft, at=timezone.now()).rows) == 3


@pytest.mark.row("T46")
def test_no_counter_falls_and_its_time_is_told() -> None:
    old, new, _ = lost_and_new(accounts=0)
    secret = Secret(b"counted twelve times")
    factories.create_entry(on=old, issuer="Counter", type=Type.HOTP, counter=12, secret=secret)

    restored(new)

    (entry,) = new.entries
    assert entry.counter == 12
    assert entry.as_of is not None


@pytest.mark.row("T46")
@pytest.mark.parametrize("way", ["undone", "deleted for good"])
def test_no_counter_falls_where_only_older_states_of_the_list_know_it(way: str) -> None:
    old, new, _ = lost_and_new(accounts=0)
    factories.create_entry(on=old, issuer="Counter", type=Type.HOTP, counter=12, secret=Secret(b"counted"))
    state, at = restored(new).state, timezone.now()
    (entry,) = new.entries
    for _time in range(3):
        codes.next_code(new.vault, entry.id, at=at)
    if way == "undone":
        vaults.undo(new.vault, state, at=at)
    else:
        vaults.change(new.vault, lambda a: a.trash_entry(entry.id, 1).delete(entry.id), tag=Tag.ENTRY_DELETED, at=at)
    assert (new.entries, vaults.read(new.vault).trash) == ((), ())

    restored(new)

    assert [one.counter for one in new.entries] == [15]


def test_older_states_are_opened_for_a_counter_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    _, new, _ = lost_and_new()
    monkeypatch.setattr(vaults, "kept", lambda _vault: pytest.fail("no account of the backup counts"))

    restored(new)

    assert len(new.entries) == 3


def test_trash_that_became_too_old_meanwhile_makes_no_restore_of_nothing() -> None:
    _, new, _ = lost_and_new()
    restored(new)
    gone, at = factories.create_entry(on=new, name="gone"), timezone.now() - settings.TRASH_KEPT + timedelta(seconds=1)
    vaults.change(
        new.vault, lambda a: a.trash_entry(gone.id, vaults.seconds(at)), tag=Tag.ENTRY_TRASHED, at=timezone.now()
    )
    draft = held(new)
    mail.outbox.clear()

    report_id = restoring.accept(new.vault, draft, all_of(new, draft), at=timezone.now() + timedelta(seconds=3))

    report = restoring.report(new.vault, report_id, at=timezone.now())
    assert (report.state, mail.outbox) == (0, [])
    assert Attempt.objects.filter(act=Attempt.Act.RESTORE).count() == 1  # That of the first.


def test_a_try_writes_nothing_tells_nobody_and_counts_as_none() -> None:
    _, new, _ = lost_and_new()
    mail.outbox.clear()

    for _time in range(4):
        draft = held(new, is_trial=True)
        assert len(fates.preview(new.vault, draft, at=timezone.now()).rows) == 3
        with pytest.raises(restoring.Trial):
            restoring.accept(new.vault, draft, all_of(new, draft), at=timezone.now())

    assert (new.entries, mail.outbox) == ((), [])
    assert not Event.objects.filter(tag=Tag.RESTORED).exists()


# -- Total loss -------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-18")
@pytest.mark.row("T18")
@pytest.mark.row("A14")
@pytest.mark.parametrize(("protection", "words"), [(Protection.SIGN_IN, ""), (Protection.KEY, WORDS)])
def test_without_any_record_all_is_found_by_the_proof_and_the_keys(
    protection: Protection, words: str, settings: Any
) -> None:
    old, new, _ = lost_and_new(protection=protection)
    entries = old.entries
    support.without_records()
    old.user.delete()
    settings.SECRET_KEY = "another one, as after a new installation"  # noqa: S105 - nobody's
    new = factories.enrolled("alice.anew@example.org", name="Pixel 10", type="android")

    found = searching.find(factories.person(), "android")
    report = restored(new, words=words)

    assert found.is_unrecorded
    assert (found.newest[0].device_name, found.newest[0].count) == (("Pixel 8", 3) if not words else ("", 0))
    assert found.newest[0].kinds == (frozenset({"words"}) if words else frozenset())
    assert (len(report.restored), new.entries) == (3, entries)


# -- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.article("S-08")
@pytest.mark.row("T22")
@pytest.mark.parametrize("type", ["ios", "android", "computer"])
@pytest.mark.parametrize("new_type", ["ios", "android", "computer"])
def test_backup_is_found_on_its_own_type_of_device_alone(type: str, new_type: str) -> None:
    old = factories.enrolled("alice@example.org", name="Old", type=type)
    who = factories.person(role=factories.role_of_device(old))
    factories.create_entry(on=old)
    factories.backed_up(old, who=who)

    found = searching.find(who, new_type)

    if type == new_type:
        assert (len(found.newest), found.elsewhere) == (1, {})
    else:
        assert (found.newest, found.elsewhere) == ((), {type: 1})
        new = factories.enrolled("new@example.org", name="New", type=new_type)
        key = searching.find(who, type).newest[0].key
        with pytest.raises(NotThere):
            opening.hold(new.vault, proof_of(new, who=who), key, Opener(), at=timezone.now())


@pytest.mark.row("T22")
def test_somebody_else_s_and_none_at_all_are_the_same(bob: Visitor) -> None:
    _, new, _ = lost_and_new()
    key = searching.find(factories.person(), "android").newest[0].key
    mallory = factories.enrolled("mallory@example.org", name="Phone", type="android")
    stranger = factories.person("mallory@outlook.example")

    assert searching.find(stranger, "android").every == ()
    for asked in (key, key[:-1] + "f", "", "nonsense"):
        with pytest.raises(NotThere):
            opening.hold(mallory.vault, proof_of(mallory, who=stranger), asked, Opener(), at=timezone.now())


@pytest.mark.article("G-22", "refused")
@pytest.mark.row("T22")
@pytest.mark.parametrize("case", ["expired", "used", "of another list", "for another purpose", "none"])
def test_proof_serves_once_for_this_list_and_five_minutes(case: str, bob: Visitor) -> None:
    _, new, _ = lost_and_new()
    key, at = searching.find(factories.person(), "android").newest[0].key, timezone.now()
    made = {
        "expired": lambda: proof_of(new, at=at - timedelta(minutes=5, seconds=2)),
        "used": lambda: proof_of(new),
        "of another list": lambda: proof_of(new, target=str(bob.vault.row.pk)),
        "for another purpose": lambda: factories.proven(new),
        "none": lambda: "",
    }[case]()
    if case == "used":
        opening.hold(new.vault, made, key, Opener(), at=at)

    with pytest.raises(NotProven):
        opening.hold(new.vault, made, key, Opener(), at=at)


@pytest.mark.row("T21")
def test_wrong_words_are_counted_over_the_recovery_account_and_the_proof_serves_on() -> None:
    _, new, _ = lost_and_new(protection=Protection.KEY)
    proof = proof_of(new)
    left = []
    for _time in range(10):
        with pytest.raises(WrongWords) as caught:
            held(new, words="six words that are not the ones", proof=proof)
        left.append(caught.value.left)

    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    other = factories.enrolled("mallory@example.org", name="Phone", type="android")
    for visitor in (new, other):
        with pytest.raises(TooManyTries):
            held(visitor, words=WORDS)


def test_key_is_asked_for_where_one_is_needed() -> None:
    _, new, _ = lost_and_new(protection=Protection.KEY)

    with pytest.raises(KeyNeeded):
        held(new)
    with pytest.raises(WrongKey):
        opening.hold(
            new.vault,
            proof_of(new),
            searching.find(factories.person(), "android").newest[0].key,
            Opener(output=Secret(bytes(32))),
            at=timezone.now(),
        )
    assert not Draft.objects.exists()


def test_damaged_newest_offers_the_one_before_it() -> None:
    old, new, backup = lost_and_new()
    factories.create_entry(on=old, name="newest")
    one = support.newest(backup)
    data = storage.backups().fetch(objects.path(one))
    support.spoil(one, data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises(Damaged):
        held(new)
    report = restored(new, index=1)

    assert (len(report.restored), [entry.name for entry in new.entries][-1]) == (3, "account 2")


@pytest.mark.article("G-35")
def test_number_that_is_missing_is_named() -> None:
    old, new, backup = lost_and_new()
    factories.create_entry(on=old, name="newest")
    one = support.newest(backup)
    storage.backups().remove(objects.path(one))

    found = searching.find(factories.person(), "android")

    assert found.missing == ((one.sequence, one.sequence - 1),)
    assert restored(new).of == 3


def test_server_without_the_key_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    _, new, _ = lost_and_new()
    proof = proof_of(new)
    monkeypatch.setattr(objects, "server_key", lambda _kid: None)

    with pytest.raises(KeyMissing):
        held(new, proof=proof)


def test_one_that_is_being_deleted_is_said_to_be_and_one_that_is_gone_is_not_there() -> None:
    old, new, backup = lost_and_new()
    at = timezone.now()
    ending.off(backup, device=None, at=at)

    assert searching.find(factories.person(), "android").newest[0].deletes_at == at + timedelta(hours=24)

    key = searching.find(factories.person(), "android").newest[0].key
    Backup.objects.update(left_at=at)  # As the deletion leaves it while the store does not let go.
    assert searching.find(factories.person(), "android").every == ()
    with pytest.raises(NotThere):
        opening.hold(new.vault, proof_of(new), key, Opener(), at=at)
    ending.delete_now(backup, device=None, at=at)
    assert searching.find(factories.person(), "android").every == ()


# -- Guards -----------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-28", "refused")
@pytest.mark.row("A31")
def test_everybody_who_holds_the_account_is_told_and_three_a_day_are_counted_over_it() -> None:
    old, new, _ = lost_and_new()
    mail.outbox.clear()

    restored(new)

    told = {message.to[0]: message.body for message in mail.outbox}
    assert set(told) == {"alice@example.org", "alice.new@example.org"}
    assert "A backup under a…@outlook.example was restored on 'Pixel 9'" in told["alice@example.org"]
    assert "The backup was made on 'Pixel 8'." in told["alice@example.org"]
    assert "Your backup under a…@outlook.example was restored on 'Pixel 9'" in told["alice.new@example.org"]
    assert [NOT_ME in body for body in told.values()] == [True, True]
    assert {message.to[0]: message.subject for message in mail.outbox} == {
        "alice@example.org": "A backup under a…@outlook.example was restored",
        "alice.new@example.org": "Accounts were restored from your backup",
    }
    for number in range(2):
        other = factories.enrolled(f"other{number}@example.org", name="Phone", type="android")
        restored(other)
    last = factories.enrolled("last@example.org", name="Phone", type="android")
    draft = held(last)
    with pytest.raises(TooManyTries):
        restoring.accept(last.vault, draft, all_of(last, draft), at=timezone.now())
    assert last.entries == ()
    assert len(fates.preview(last.vault, draft, at=timezone.now()).rows) == 3


@pytest.mark.article("G-28", "allowed")
def test_lists_of_every_holder_and_other_device_name_device_and_time_and_ask_whether_it_was_them() -> None:
    old, new, _ = lost_and_new()
    tablet = factories.with_another_device(new, name="Tablet", type="android")

    restored(new)
    pages = [visitor.client.get(reverse("accounts:list")).content.decode() for visitor in (old, tablet, new)]

    at = Event.objects.get(tag=Tag.RESTORED).at
    said = f"backup under a…@outlook.example was restored on 'Pixel 9', {at:%-d %B %Y, %H:%M}."
    by = " Whoever did that is signed in to Authweb as another person, and to a…@outlook.example."
    told = [[unescape(one) for one in re.findall(r"<strong data-told>([^<]*)</strong>", page)] for page in pages]
    assert told == [[f"A {said}{by}"], [f"Your {said}"], []]
    assert [page.count(f'href="{NOT_ME}">This was not me</a>') for page in pages] == [1, 1, 0]


@pytest.mark.article("G-28", "allowed")
def test_who_it_was_not_reads_what_to_do_without_the_open_list() -> None:
    _, new, _ = lost_and_new()

    page = factories.at_another_browser(new).client.get(NOT_ME)

    ways = ["accounts:settings-sign-in", "accounts:devices", "accounts:keys", "backups:status"]
    assert re.findall(r'<li>.*?href="([^"]+)"', main(page), re.DOTALL) == [reverse(way) for way in ways]


@pytest.mark.article("G-28", "allowed")
def test_restore_stands_and_counts_and_the_others_are_told_though_a_mail_cannot_be_written() -> None:
    _, new, _ = lost_and_new()
    draft, vault = held(new), new.vault
    vault.user.email = "alice\n@example.org"
    mail.outbox.clear()

    restoring.accept(vault, draft, all_of(new, draft), at=timezone.now())

    assert len(new.entries) == 3
    assert Attempt.objects.filter(act=Attempt.Act.RESTORE).count() == 1
    assert [message.to for message in mail.outbox] == [["alice@example.org"]]


def test_what_fails_after_the_restore_was_committed_takes_its_count_not_back(monkeypatch: pytest.MonkeyPatch) -> None:
    _, new, _ = lost_and_new()
    draft = held(new)
    adopt = adopting.adopt

    def failing(*given: Any, **named: Any) -> None:
        adopt(*given, **named)
        transaction.on_commit(lambda: int("not a number"))

    monkeypatch.setattr(adopting, "adopt", failing)

    with pytest.raises(ValueError, match="not a number"):
        restoring.accept(new.vault, draft, all_of(new, draft), at=timezone.now())

    assert len(new.entries) == 3
    assert Attempt.objects.filter(act=Attempt.Act.RESTORE).count() == 1


def test_one_too_many_asks_nothing_of_the_store(faulty: type[FaultyStore]) -> None:
    _, new, _ = lost_and_new()
    support.without_records()
    draft, at = held(new), timezone.now()
    for _time in range(3):
        attempts.count([(restoring.RESTORES, opening.subject(factories.person()))], at=at)
    faulty.on_call = lambda: pytest.fail("the store was asked")

    with pytest.raises(TooManyTries):
        restoring.accept(new.vault, draft, all_of(new, draft), at=at)


def test_second_click_finds_that_it_was_done() -> None:
    _, new, _ = lost_and_new()
    draft = held(new)
    chosen = all_of(new, draft)
    restoring.accept(new.vault, draft, chosen, at=timezone.now())

    with pytest.raises(DraftGone):
        restoring.accept(new.vault, draft, chosen, at=timezone.now())

    assert restoring.was_accepted(new.vault, draft, at=timezone.now())
    assert len(new.entries) == 3


def test_draft_opens_for_its_own_list_and_device_alone(bob: Visitor) -> None:
    _, new, _ = lost_and_new()
    draft = held(new)

    for other in (bob, factories.with_another_device(new, name="Tablet", type="android")):
        with pytest.raises(DraftGone):
            fates.preview(other.vault, draft, at=timezone.now())
    with pytest.raises(DraftGone):
        fates.preview(new.vault, draft, at=timezone.now() + timedelta(minutes=15, seconds=1))


def test_account_by_name_that_was_signed_in_to_again_is_here_already() -> None:
    old, new, _ = lost_and_new(accounts=0)
    factories.create_entry(on=old, issuer="Contoso", name="bob", kind=Kind.WORK, secret=None, needs=Needs.SIGN_IN)
    restored(new)

    def signed_in(accounts: Any) -> Any:
        return replace(accounts, entries=tuple(replace(entry, needs=None) for entry in accounts.entries))

    vaults.change(new.vault, signed_in, tag=Tag.ENTRY_RENAMED, at=timezone.now())

    assert [row.fate for row in restored(new).rows] == [Fate.HERE]
    assert len(new.entries) == 1


def test_report_tells_of_each_account_what_became_of_it_and_opens_as_nothing_else() -> None:
    old, new, _ = lost_and_new(accounts=4)
    another = Secret(b"another key entirely")
    for number in (0, 1):
        factories.create_entry(on=new, issuer="Site", name=f"account {number}", secret=another)
    draft = held(new)
    ids = [row.id for row in fates.preview(new.vault, draft, at=timezone.now()).rows]
    chosen = Chosen(frozenset(ids[:3]), {ids[0]: Keep.LIST, ids[1]: Keep.BACKUP})

    held_report = restoring.accept(new.vault, draft, chosen, at=timezone.now())
    report = restoring.report(new.vault, held_report, at=timezone.now())

    assert [row.fate for row in report.rows] == [Fate.LEFT, Fate.CLASH, Fate.CODE, Fate.LEFT]
    assert (report.of, len(report.restored), len(report.left)) == (4, 2, 2)
    assert [entry.name for entry in new.entries] == ["account 0", "account 1", "account 2"]
    assert [entry.secret == another for entry in new.entries] == [True, False, False]
    assert [trashed.entry.secret for trashed in vaults.read(new.vault).trash] == [another]
    for act in (fates.preview, lambda *args, at: restoring.accept(*args, chosen, at=at)):
        with pytest.raises(DraftGone):
            act(new.vault, held_report, at=timezone.now())


def test_report_ticks_what_was_signed_in_to_since() -> None:
    old, new, _ = lost_and_new(accounts=0)
    for name in ("bob", "carol", "dave"):
        factories.create_entry(on=old, issuer="Contoso", name=name, kind=Kind.WORK, secret=None, needs=Needs.SCAN)
    draft = held(new)
    held_report = restoring.accept(new.vault, draft, all_of(new, draft), at=timezone.now())
    before = restoring.report(new.vault, held_report, at=timezone.now())
    signed_in = vaults.seconds(timezone.now())

    def done(accounts: Any) -> Any:
        bob, carol, dave = accounts.entries
        entries = (replace(bob, needs=None, signed_in=signed_in), replace(carol, needs=Needs.KEPT), dave)
        return replace(accounts, entries=entries)

    vaults.change(new.vault, done, tag=Tag.ENTRY_RENAMED, at=timezone.now())
    report = restoring.report(new.vault, held_report, at=timezone.now())

    assert (len(before.restored), [row.fate for row in before.to_do]) == (0, [Fate.SCAN] * 3)
    assert [row.fate for row in report.rows] == [Fate.SIGNED_IN, Fate.NAME, Fate.SCAN]
    assert report.rows[0].signed_in is not None


def test_what_another_browser_did_meanwhile_is_not_taken_for_the_restore() -> None:
    _, new, _ = lost_and_new()
    restored(new)
    draft = held(new)
    vault = new.vault  # As it stood when the request came.
    factories.create_entry(on=new, name="of another browser")

    report = restoring.accept(vault, draft, all_of(new, draft), at=timezone.now())

    assert restoring.report(new.vault, report, at=timezone.now()).state == 0
    assert Event.objects.filter(tag=Tag.RESTORED).count() == 1


def test_largest_list_there_can_be_comes_back() -> None:
    old, new, _ = lost_and_new(accounts=0)
    one = factories.an_entry(issuer="I" * 256, name="n" * 200, note="note " * 100)
    count = MAX_BYTES // (len(canonical(one.to_document())) + 8)
    many = [replace(one, id=keys.new_id(), name=f"{number:0200}") for number in range(count)]
    vaults.change(old.vault, lambda accounts: accounts.add_many(many), tag=Tag.ENTRY_ADDED, at=timezone.now())
    assert len(vaults.read(old.vault).to_bytes()) > MAX_BYTES * 0.98

    report = restored(new)

    assert (len(report.restored), len(new.entries)) == (count, count)


def test_restore_that_does_not_fit_changes_nothing_and_counts_as_none() -> None:
    old, new, _ = lost_and_new(accounts=0)
    for visitor, word in ((old, "old"), (new, "new")):
        many = [factories.an_entry(name=f"{word} {number}") for number in range(1001)]
        vaults.change(
            visitor.vault, lambda accounts, many=many: accounts.add_many(many), tag=Tag.ENTRY_ADDED, at=timezone.now()
        )
    draft = held(new)

    for _time in range(4):
        with pytest.raises(TooLarge):
            restoring.accept(new.vault, draft, all_of(new, draft), at=timezone.now())

    assert len(new.entries) == 1001
    assert len(fates.preview(new.vault, draft, at=timezone.now()).rows) == 1001


def test_without_the_server_key_nothing_is_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    _, new, _ = lost_and_new()
    support.without_records()
    monkeypatch.setattr(objects, "server_key", lambda _kid: None)

    assert [choice.is_damaged for choice in searching.find(factories.person(), "android").every] == [False]
    with pytest.raises(KeyMissing):
        held(new)


def test_newest_of_each_backup_is_looked_into_however_many_lie_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_LOOKED_INTO", 2)
    for number, accounts in enumerate((4, 1)):
        old = factories.enrolled(f"person{number}@example.org", name=f"Phone {number}", type="android")
        factories.backed_up(old)
        for account in range(accounts):
            factories.create_entry(on=old, name=f"account {account}")
    support.without_records()

    found = searching.find(factories.person(), "android")

    assert {choice.device_name: choice.count for choice in found.newest} == {"Phone 0": 4, "Phone 1": 1}
    assert {choice.made_at for choice in found.older} == {None}


def test_restore_looks_into_no_more_than_the_choice_does(faulty: type[FaultyStore]) -> None:
    _, new, _ = lost_and_new()
    support.without_records()
    (good,) = support.stored()
    support.plant(good, streams=30, numbers=10)
    choices = searching.find(factories.person(), "android").every
    draft = held(new, index=[choice.name.path for choice in choices].index(good))
    asked: list[int] = []
    faulty.on_call = lambda: asked.append(1)

    restoring.accept(new.vault, draft, all_of(new, draft), at=timezone.now())

    assert len(asked) == 40


def test_backup_that_is_restored_is_looked_for_before_those_that_others_planted() -> None:
    lost_and_new()
    support.without_records()
    (good,) = support.stored()
    support.plant(good, streams=40)
    stream = Name.parse(good).stream.hex()

    found = [list(searching.unrecorded(factories.person(), "android", first)) for first in ("", stream)]

    assert [[one.name.path for one in each] for each in found] == [[], [good]]


def test_rubbish_in_one_backup_keeps_nobody_from_looking_into_another() -> None:
    lost_and_new()
    support.without_records()
    (good,) = support.stored()
    support.plant(good, numbers=60)

    newest = searching.find(factories.person(), "android").newest

    assert [(one.device_name, one.is_damaged) for one in newest] == [("Pixel 8", False), ("", True)]
    assert [one.name.path for one in searching.unrecorded(factories.person(), "android")] == [good]


def test_one_that_nobody_looked_into_is_said_to_be_unknown_and_takes_each_kind_of_key() -> None:
    lost_and_new()
    support.without_records()
    (good,) = support.stored()
    support.plant(good, streams=40)

    (one,) = [choice for choice in searching.find(factories.person(), "android").every if choice.name.path == good]

    assert (one.is_unknown, one.is_damaged, one.kinds, one.openers) == (True, False, frozenset(), {"words", "passkey"})


def test_however_many_names_lie_there_what_the_records_know_is_among_those_that_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searching, "_LISTED", 5)
    _, new, backup = lost_and_new()
    recorded = support.stored()
    behind = support.put_there(backup, backup.high_water + 9)  # The records were put back.
    support.plant(recorded[0], streams=4, numbers=4)
    storage.backups().create(replace(Name.parse(recorded[0]), kid=2**32 - 1).path, b"under another key")

    every = searching.find(factories.person(), "android").every

    assert {*recorded, behind} <= {choice.name.path for choice in every}
    assert len(every) == 4  # Of five names, two of which have one number.
    assert len(restored(new, index=[choice.name.path for choice in every].index(recorded[-1])).restored) == 3


def test_earlier_backup_is_looked_into_before_what_others_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_LISTED", 40)
    _, new, _ = lost_and_new()
    support.without_records()
    (good,) = support.stored()
    restored(new)
    support.plant(good, streams=40)

    every = searching.find(factories.person(), "android").every

    assert [choice.device_name for choice in every if choice.name.path == good] == ["Pixel 8"]


def test_backup_of_which_nothing_is_left_in_the_store_is_named() -> None:
    _, new, backup = lost_and_new()
    one = support.newest(backup)
    objects.clear(bytes(one.recovery_account.name), one.stream)

    found = searching.find(factories.person(), "android")

    assert (found.newest, found.missing) == ((), ((one.sequence, 0),))
