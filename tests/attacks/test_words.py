"""Guessing words: the eleventh is not computed, after a restart and at once too; nothing stored tells right words."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Attempt, Device, DeviceType, Draft, Event, KeySlot, SlotKind
from accounts.services import attempts, devices, keyring, vaults, words
from accounts.services.activity import Tag
from accounts.services.attempts import TooManyTries
from accounts.services.devices import NewDevice
from accounts.services.words import WrongWords
from accounts.vault import derivation, keys
from accounts.vault.errors import VaultError
from accounts.vault.keys import Costs, Secret
from tests import factories, stored
from tests.attacks.test_canaries import dump
from tests.environment import ROOT
from tests.factories import Visitor
from tests.place import Place

SIX = "granite ladle marigold hexagon kettle lantern"
OTHERS = "abacus zoology kettle ladle granite lantern"
CHEAP = Costs(8 * 1024, 1, 1)
BEGUN = datetime(2026, 5, 3, 12, tzinfo=UTC)
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"}


def try_words(visitor: Visitor, typed: str) -> None:
    """Typed in a browser of this person's; what is wrong raises."""
    new = NewDevice(factories.uuid4(), "Laptop", DeviceType.COMPUTER)
    list_id = factories.vault_of(visitor).pk
    words.open_list(visitor.user, list_id, typed, new, network=b"n" * 32, at=timezone.now())


# -- Ten tries --------------------------------------------------------------------------------------------------------


@pytest.mark.row("T21")
@pytest.mark.row("A18")
def test_eleventh_try_is_not_computed_be_it_right(alice_phone: Visitor) -> None:
    """What is computed costs a processor a tenth of a second here: the tenth try does, the eleventh does not."""
    words.make(alice_phone.vault, SIX, at=timezone.now())
    costs = []
    for number, typed in enumerate([OTHERS] * 10 + [SIX, OTHERS], 1):
        begun = time.process_time()
        with pytest.raises(WrongWords if number <= 10 else TooManyTries):
            try_words(alice_phone, typed)
        costs.append(time.process_time() - begun)

    assert min(costs[:10]) > 0.05
    assert max(costs[10:]) < 0.02
    assert [Event.objects.filter(tag=Tag.WORDS_FAILED).count(), Device.objects.count()] == [10, 1]


_PREPARED = """
import django; django.setup()
from django.utils import timezone
from tests import factories
from tests.attacks import test_words
alice = factories.enrolled("alice@example.net", name="Phone", type="ios")
test_words.words.make(alice.vault, test_words.SIX, at=timezone.now(), costs=test_words.CHEAP)
"""
_TRIED = """
import django; django.setup()
from accounts.models import Device, User
from tests.attacks import test_words
alice = test_words.Visitor(User.objects.get(email="alice@example.net"), None)
said = []
for typed in TYPED:
    try:
        test_words.try_words(alice, typed)
    except Exception as error:
        said.append(type(error).__name__)
    else:
        said.append("opened")
print(*said)
"""


@pytest.mark.row("T21")
@pytest.mark.row("A18")
def test_tries_are_counted_over_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path, DEBUG="1", SITE_URL="http://localhost:8000")
    place.run(_PREPARED)

    before = place.run(_TRIED.replace("TYPED", repr([OTHERS] * 9)))
    after = place.run(_TRIED.replace("TYPED", repr([OTHERS, SIX, OTHERS])))

    assert before.split() == ["WrongWords"] * 9
    assert after.split() == ["WrongWords", "TooManyTries", "TooManyTries"]


@pytest.mark.row("T21")
@pytest.mark.row("A18")
@pytest.mark.django_db(transaction=True)
def test_of_twenty_requests_at_once_no_more_than_ten_are_computed(alice_phone: Visitor) -> None:
    """The twenty-first, with the right words, is refused as well."""
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=CHEAP)
    elsewhere = factories.at_another_browser(alice_phone)
    address = reverse("accounts:open-words")

    def one(typed: str) -> int:
        client = Client()
        client.cookies = elsewhere.client.cookies
        try:
            data = {"device_id": factories.uuid4(), "words": typed}
            return client.post(address, data, headers=FIREFOX).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(one, [OTHERS] * 20))
    computed = Event.objects.filter(tag=Tag.WORDS_FAILED).count()
    rest = [one(OTHERS) for _ in range(10 - computed)]
    last = one(SIX)

    assert set(statuses) | set(rest) | {last} == {200}
    assert computed <= 10
    assert [Event.objects.filter(tag=Tag.WORDS_FAILED).count(), Device.objects.count()] == [10, 1]
    assert Attempt.objects.filter(subject=attempts.of_list(factories.vault_of(alice_phone).pk)).count() == 10


@pytest.mark.row("T21")
def test_list_without_words_and_list_of_another_are_answered_alike(alice_phone: Visitor, bob: Visitor) -> None:
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=CHEAP)
    carol = factories.at_another_browser(factories.enrolled("carol@example.org", name="Phone", type="ios"))
    his, address = factories.at_another_browser(bob), reverse("accounts:open-words")
    lists = [factories.vault_of(visitor).pk for visitor in (alice_phone, carol)] + [factories.uuid4(), "x"]

    answers = [
        (answer.status_code, answer.headers["Location"], answer.content)
        for list_id in lists
        for answer in [his.client.post(f"{address}?list={list_id}", {"device_id": factories.uuid4(), "words": SIX})]
    ]

    assert len(set(answers)) == 1
    assert Attempt.objects.count() == 0


# -- Two at a time ----------------------------------------------------------------------------------------------------

_STRETCHES = """
import contextlib, sys, time
import django; django.setup()
from django.utils import timezone
from accounts.services import words
from accounts.vault import keys
turn = words._turn if sys.argv[1] == "in turn" else lambda at: contextlib.nullcontext()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(3):
    with turn(timezone.now()):
        begun = time.monotonic()
        keys.stretch("some words", bytes(16))
        print(begun, time.monotonic(), flush=True)
"""


def most_at_once(directory: Path, manner: str) -> int:
    """How many derivations of four processes overlap."""
    place = Place(directory, DEBUG="1", SITE_URL="http://localhost:8000")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _STRETCHES, manner],
            cwd=ROOT,
            env=place.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        assert [process.stdout.readline() for process in started] == ["ready\n"] * 4
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = "".join(process.communicate(timeout=60)[0] for process in started)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.communicate()
    spans = [tuple(map(float, line.split())) for line in said.splitlines()]
    assert len(spans) == 12
    return max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans)


@pytest.mark.row("A17")
def test_two_are_stretched_at_a_time_however_many_processes_there_are(tmp_path: Path) -> None:
    assert most_at_once(tmp_path / "one", "in turn") == 2


@pytest.mark.row("A17")
def test_without_turns_more_would_be(tmp_path: Path) -> None:
    """The control."""
    assert most_at_once(tmp_path / "two", "at once") > 2


# -- Nothing stored tells right words from wrong ----------------------------------------------------------------------


def derived(typed: str, slot: KeySlot) -> list[Secret]:
    """All that somebody who has the database, and no key of the server, can make of words."""
    place = (slot.vault_id.bytes, slot.id.bytes)
    stretched = keys.stretch(typed, bytes(slot.salt or b""), Costs(slot.kib or 0, slot.passes or 0, slot.lanes or 0))
    found = [stretched, keys.normalised(typed)]
    for label in derivation.Label:
        for bound in ((), place, place[:1], place[1:]):
            found.append(keys.derive(stretched, label, *bound))
            found.append(keys.derive(stretched, label, *bound, salt=bytes(slot.salt or b"")))
    return found


def tells(typed: str, slot: KeySlot) -> list[str]:
    """Where in the database these words show that they are the right ones."""
    secrets = derived(typed, slot)
    needles: set[bytes] = set()
    for secret in secrets:
        raw = secret.reveal()
        for value in (raw, hashlib.sha256(raw).digest(), hashlib.sha512(raw).digest()[:32]):
            needles |= {value[:16], value.hex()[:32].encode(), base64.urlsafe_b64encode(value)[:20]}
    found = []
    for place, value in dump():
        if any(needle in value for needle in needles if len(needle) >= 16):
            found.append(f"{place} holds what they give")
        if 24 <= len(value) <= 128 and len(value) % 8 == 0 and any(_unwraps(secret, value) for secret in secrets):
            found.append(f"{place} is wrapped by what they give")
        if value[:1] == b"\x01" and any(_unboxes(secret, value, slot) for secret in secrets):
            found.append(f"{place} is sealed by what they give")
    return found


def _unwraps(secret: Secret, value: bytes) -> bool:
    try:
        derivation.unwrap(secret, value)
    except (VaultError, ValueError):
        return False
    return True


def _unboxes(secret: Secret, value: bytes, slot: KeySlot) -> bool:
    for label in derivation.Label:
        for bound in ((), (slot.vault_id.bytes,), (slot.vault_id.bytes, slot.id.bytes)):
            try:
                keys.unbox(secret, label, bound, value)
            except VaultError:
                continue
            return True
    return False


@pytest.fixture
def words_slot(alice_phone: Visitor) -> KeySlot:
    """The slot of SIX, made as people make it but for its costs, after one wrong try; they wait in a draft as well."""
    factories.create_entry(on=alice_phone, name="a")
    slot = words.make(alice_phone.vault, SIX, at=timezone.now(), costs=CHEAP)
    with pytest.raises(WrongWords):
        try_words(alice_phone, OTHERS)
    try_words(alice_phone, SIX)
    waiting = {"words": SIX.split(), "asked": [1, 2]}
    vaults.hold(alice_phone.vault, waiting, kind=Draft.Kind.WORDS, at=timezone.now())
    return slot


@pytest.mark.row("T42")
@pytest.mark.row("A42")
def test_database_alone_is_no_test_of_words(words_slot: KeySlot) -> None:
    assert {typed: tells(typed, words_slot) for typed in (SIX, OTHERS)} == {SIX: [], OTHERS: []}


@pytest.mark.row("T42")
@pytest.mark.row("A42")
def test_database_with_the_pepper_would_be(words_slot: KeySlot) -> None:
    """The control: with the outer layer gone, the right words and they alone open the slot."""
    place, (_, pepper) = (words_slot.vault_id.bytes, words_slot.id.bytes), keyring.pepper()
    outer = keys.derive(pepper, derivation.Label.SLOT_PEPPER, *place)
    inner = derivation.unwrap(outer, bytes(words_slot.wrapped))
    KeySlot.objects.filter(pk=words_slot.pk).update(wrapped=inner)

    assert {typed: tells(typed, words_slot) for typed in (SIX, OTHERS)} == {
        SIX: ["accounts_keyslot.wrapped is wrapped by what they give"],
        OTHERS: [],
    }


@pytest.mark.row("T42")
@pytest.mark.parametrize("planted", ["digest", "box", "key"])
def test_planted_test_of_words_is_found(words_slot: KeySlot, planted: str) -> None:
    stretched = keys.stretch(SIX, bytes(words_slot.salt), CHEAP)
    place = (words_slot.vault_id.bytes, words_slot.id.bytes)
    value = {
        "digest": hashlib.sha256(stretched.reveal()).digest(),
        "box": keys.box(keys.backup_key_of_words(stretched), derivation.Label.LIST, place[:1], b"x" * 40),
        "key": keys.words_key(stretched, *place).reveal(),
    }[planted]
    KeySlot.objects.filter(pk=words_slot.pk).update(sealed=None, credential=None, network=value[:200])

    assert len(tells(SIX, words_slot)) == 1
    assert tells(OTHERS, words_slot) == []


# -- Nothing stored tells anything of words, not even how long they are ------------------------------------------------

SHORT, LONG = "acid acorn acre acts afar affix", "unbuckled undecided undercoat underwire unfailing unpinned"


def kept_of(typed: str, *, plant: bool = False) -> list[tuple[str, object]]:
    """What the database has after these words were drawn, made, mistyped and used: whatever is no chance or number.

    Of bytes that is their length; ids are one like the other. Nothing of it stays.
    """
    with time_machine.travel(BEGUN, tick=False):
        user, new = factories.create_user("alice@example.org"), NewDevice(factories.uuid4(), "Phone", DeviceType.IOS)
        made = devices.set_up(user, new, at=timezone.now())
        alice = Visitor(user, Client(), made.device, made.cookie)
        factories.create_entry(on=alice, name="a")
        words.make(alice.vault, typed, at=timezone.now(), costs=CHEAP)
        waiting = {"words": typed.split(), "asked": [1, 2]}
        vaults.hold(alice.vault, waiting, kind=Draft.Kind.WORDS, at=timezone.now())
        with pytest.raises(WrongWords):
            try_words(alice, f"{typed} {typed}")
        try_words(alice, typed)
        if plant:
            KeySlot.objects.filter(kind=SlotKind.WORDS).update(name=f"{len(typed)} letters")
        found = [(place, _told(value)) for place, value in dump() if not place.endswith((".id", "_id", ".password"))]
    user.delete()
    Attempt.objects.all().delete()
    return sorted(found, key=str)


def _told(value: bytes) -> object:
    try:
        return re.sub(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", "an id", value.decode("ascii"))
    except UnicodeDecodeError:
        return len(value)


@pytest.mark.row("T42")
@pytest.mark.row("A42")
def test_rows_are_alike_for_any_words(db: None) -> None:
    """List, draft, tries, activity, slots: short words and long ones leave the same behind."""
    short, long = kept_of(SHORT), kept_of(LONG)

    tables = {place.partition(".")[0] for place, _ in short}
    assert short == long
    assert {f"accounts_{name}" for name in ("attempt", "draft", "event", "keyslot", "vaultstate")} <= tables


@pytest.mark.row("T42")
def test_length_that_was_written_down_is_noticed(db: None) -> None:
    """The control."""
    short, long = kept_of(SHORT, plant=True), kept_of(LONG, plant=True)

    assert [place for place, value in short if (place, value) not in long] == ["accounts_keyslot.name"]


# -- Words are written nowhere ----------------------------------------------------------------------------------------


def kept(phrases: Iterable[str], log: str) -> list[str]:
    """Each phrase, or two neighbours of it, in whatever way it was typed: in the database, sessions, log and mails."""
    raw = b"\x00".join(value for _, value in dump())
    texts = {
        "the database": raw.decode("utf-8", "replace") + stored.everything(),
        "the log": log,
        "a mail": "".join(sent.message().as_string() + str(sent.body) for sent in mail.outbox),
        "activity": "".join(str(event.facts) for event in Event.objects.all()),
    }
    found = []
    for phrase in phrases:
        pairs = zip(phrase.split(), phrase.split()[1:], strict=False)
        ways = {re.escape(one) + r"[\W_]{0,8}" + re.escape(other) for one, other in pairs}
        pattern = re.compile("|".join(ways), re.IGNORECASE)
        found += [f"{phrase} in {place}" for place, text in texts.items() if pattern.search(text)]
    return found


@pytest.mark.row("T26")
@pytest.mark.django_db(transaction=True)  # Mails leave once all is written.
def test_words_are_in_no_row_session_log_or_mail(alice_phone: Visitor, written: io.StringIO) -> None:
    """Made, mistyped, typed back, typed in another browser wrongly and rightly; then somebody's own."""
    own, wrong = "Walnuss Kanarienvogel Mitternacht", "granite ladle marigold hexagon kettle abacus"
    page = alice_phone.client.post(reverse("accounts:words-new")).headers["Location"]
    drawn = re.findall(r'translate="no">([a-z-]+)<', alice_phone.client.get(page).content.decode())[:6]
    asked = words.look(alice_phone.vault, alice_phone.device.drafts.get().pk, at=timezone.now()).asked
    right = [drawn[place - 1] for place in asked]
    waiting = kept([" ".join(drawn)], written.getvalue())
    alice_phone.client.post(page, {"one": wrong, "other": right[1]})
    alice_phone.client.post(page, {"one": right[0], "other": right[1]})
    elsewhere = factories.at_another_browser(alice_phone).client
    for typed in (wrong, "granite ladle marigld", " ".join(drawn)):
        data = {"device_id": factories.uuid4(), "words": typed}
        answer = elsewhere.post(reverse("accounts:open-words"), data, headers=FIREFOX)
    alice_phone.client.post(reverse("accounts:words-own"), {"words": own, "again": own})

    phrases = [" ".join(drawn), wrong, own]
    assert [answer.status_code, waiting, kept(phrases, written.getvalue())] == [303, [], []]
    assert [Event.objects.filter(tag=Tag.WORDS_MADE).count(), KeySlot.objects.filter(kind=SlotKind.WORDS).count()] == [
        2,
        1,
    ]
    assert len(mail.outbox) >= 3


@pytest.mark.row("T26")
def test_planted_words_are_found_in_each_of_them(alice_phone: Visitor, written: io.StringIO) -> None:
    """The control."""
    nothing = kept([SIX], written.getvalue())
    logging.getLogger("accounts").info("typed: %s", SIX.replace(" ", "-").upper())
    mail.send_mail("Words", f"They are\n{SIX}", "a@b.example", ["c@d.example"])
    Event.objects.create(user=alice_phone.user, tag="x", at=timezone.now(), facts={"words": SIX.split()})
    session = alice_phone.client.session
    session["typed"] = SIX.replace(" ", "")
    session.save()

    assert nothing == []
    assert kept([SIX], written.getvalue()) == [
        f"{SIX} in {place}" for place in ("the database", "the log", "a mail", "activity")
    ]
