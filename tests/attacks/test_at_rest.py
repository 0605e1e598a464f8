"""Who has the whole disk, the server keys included, but no browser, no words and no passkey: opens no list."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.core.signing import get_cookie_signer
from django.utils import timezone

from accounts.models import KeySlot, SlotKind, VaultState
from accounts.services import devices, keyring
from accounts.vault import keys, sealing
from accounts.vault.errors import VaultError
from accounts.vault.keys import Secret, VaultKey
from tests import factories
from tests.attacks import crawler
from tests.attacks.test_canaries import dump
from tests.factories import Visitor

WORDS = "correct horse battery staple dolphin anvil"
PRF = bytes(range(100, 132))

pytestmark = pytest.mark.row("A2")


@pytest.fixture
def doors(alice_phone: Visitor, bob: Visitor, mallory_removed: Visitor) -> list[Visitor]:
    """Three people with lists; alice's opens by words and by a passkey too, made as the next release makes them."""
    for visitor in (alice_phone, bob):
        crawler.furnish(visitor)
    vault = alice_phone.vault
    kid, pepper = keyring.pepper()
    for kind, secret, columns in (
        (SlotKind.WORDS, keys.stretch(WORDS, b"0123456789abcdef"), {"salt": b"0123456789abcdef"}),
        (SlotKind.PASSKEY, Secret(PRF), {"credential": b"credential id"}),
    ):
        slot = KeySlot(vault=vault.row, kind=kind, kid=kid, made_at=timezone.now(), **columns)
        if kind is SlotKind.WORDS:
            slot.kib, slot.passes, slot.lanes = 64 * 1024, 3, 1
        derive = keys.words_key if kind is SlotKind.WORDS else keys.passkey_key
        inner = derive(secret, vault.row.id.bytes, slot.id.bytes)
        slot.wrapped = keys.make_slot(vault.key, inner, pepper, vault.row.id.bytes, slot.id.bytes)
        slot.save(force_insert=True)
    return [alice_phone, bob, mallory_removed]


@dataclass
class Thief:
    """Tries everything that 32 bytes can be: a vault's key, a browser's, what words or a passkey give."""

    opened: int = 0
    tried: int = 0

    def rob(self, candidates: Iterable[bytes]) -> None:
        """Try each at every door of every list."""
        newest = {
            state.vault_id: state for state in VaultState.objects.order_by("version").select_related("vault")
        }.values()
        slots = list(KeySlot.objects.select_related("vault"))
        for candidate in candidates:
            self.tried += 1
            secret = Secret(candidate)
            for state in newest:
                self._try(VaultKey(candidate), state)
            for slot in slots:
                key = _opened(slot, secret)
                if key is not None:
                    for state in newest:
                        if state.vault_id == slot.vault_id:
                            self._try(key, state)

    def _try(self, key: VaultKey, state: VaultState) -> None:
        try:
            sealing.unseal(bytes(state.sealed), key, state.vault_id.bytes, state.version)
        except VaultError:
            return
        self.opened += 1


def _opened(slot: KeySlot, secret: Secret) -> VaultKey | None:
    vault, own = slot.vault_id.bytes, slot.id.bytes
    inner = {
        SlotKind.BROWSER: lambda: keys.browser_key(secret, bytes(slot.share or b""), vault, own),
        SlotKind.WORDS: lambda: keys.words_key(secret, vault, own),
        SlotKind.PASSKEY: lambda: keys.passkey_key(secret, vault, own),
    }[SlotKind(slot.kind)]()
    try:
        return keys.open_slot(bytes(slot.wrapped or b""), inner, keyring.pepper(slot.kid)[1], vault, own)
    except VaultError:
        return None


def on_disk() -> set[bytes]:
    """Every 32 bytes that stand in the database and the server's files: as bytes, hex, base64; hashed and unhashed."""
    found: set[bytes] = set()
    for place, value in dump():
        if place == "accounts_vaultstate.sealed" or place == "accounts_draft.sealed":
            value = value[:256]  # What is sealed looks random: its salt and its first blocks stand for it.
        if len(value) <= 256:
            found |= {value[start : start + 32] for start in range(len(value) - 31)}
        found |= {base64.urlsafe_b64decode(text + b"=")[:32] for text in re.findall(rb"[A-Za-z0-9_-]{43}", value)}
        found |= {bytes.fromhex(text.decode()) for text in re.findall(rb"[0-9a-f]{64}", value)}
    for key in keyring.read(Path(settings.SERVER_KEYS_FILE)):
        found.add(key.key.reveal())
    found.add(settings.SECRET_KEY.encode()[:32])
    found.add(hashlib.sha256(settings.SECRET_KEY.encode()).digest())
    found.add(base64.urlsafe_b64decode(get_cookie_signer().signature("device") + "=")[:32])
    found |= {hashlib.sha256(value).digest() for value in list(found)[:2000]}
    return {value for value in found if len(value) == 32}


@pytest.mark.usefixtures("doors")
def test_disk_with_all_server_keys_opens_no_list() -> None:
    thief = Thief()

    thief.rob(on_disk())

    assert thief.opened == 0
    assert thief.tried > 2000


def test_thief_who_has_a_cookie_words_or_a_passkey_opens_that_list(doors: list[Visitor]) -> None:
    """The control: the same search opens the lists as soon as one of the three is among what it tries."""
    alice, bob, _ = doors
    cookie = base64.urlsafe_b64decode(bob.cookie.to_text() + "==")[17:]
    opened = {}
    for name, candidate in (
        ("cookie", cookie),
        ("words", keys.stretch(WORDS, b"0123456789abcdef").reveal()),
        ("passkey", PRF),
        ("key of the list itself", alice.vault.key.reveal()),
        ("words of another", keys.stretch("correct horse battery staple", b"0123456789abcdef").reveal()),
    ):
        thief = Thief()
        thief.rob([candidate])
        opened[name] = thief.opened

    assert opened == {"cookie": 1, "words": 1, "passkey": 1, "key of the list itself": 1, "words of another": 0}


def test_database_alone_is_no_test_of_words(doors: list[Visitor]) -> None:
    """Without the server's pepper right words and wrong ones look alike: the outer layer opens for neither."""
    slot = KeySlot.objects.get(kind=SlotKind.WORDS)
    vault, own = slot.vault_id.bytes, slot.id.bytes
    told = []
    for words in (WORDS, "some other words"):
        inner = keys.words_key(keys.stretch(words, bytes(slot.salt)), vault, own)
        with pytest.raises(VaultError) as refused:
            keys.open_slot(bytes(slot.wrapped), inner, Secret(bytes(32)), vault, own)
        told.append(refused.value.reason)

    assert told[0] == told[1]


def test_every_removed_device_and_its_key_are_gone_after_the_time_of_undo(doors: list[Visitor]) -> None:
    """The cookie that the removed browser still has opens nothing any more, whoever finds it."""
    mallory = doors[2]
    cookie = base64.urlsafe_b64decode(mallory.cookie.to_text() + "==")[17:]
    before, after = Thief(), Thief()

    before.rob([cookie])
    devices.expire(timezone.now() + settings.REMOVED_DEVICE_KEPT)
    after.rob([cookie])

    assert [before.opened, after.opened] == [1, 0]
    assert not KeySlot.objects.filter(vault__user=mallory.user).exists()


def test_slots_copied_between_lists_and_devices_open_nothing(doors: list[Visitor]) -> None:
    """Who writes the database moves slots about: bound to list and slot, none opens elsewhere."""
    alice, bob, _ = doors
    slots = list(KeySlot.objects.filter(vault__user__in=(alice.user, bob.user)))
    wrapped = {slot.pk: bytes(slot.wrapped) for slot in slots}
    cookies = [base64.urlsafe_b64decode(visitor.cookie.to_text() + "==")[17:] for visitor in (alice, bob)]
    thief = Thief()
    for target in slots:
        for source in slots:
            if source.pk != target.pk:
                KeySlot.objects.filter(pk=target.pk).update(wrapped=wrapped[source.pk])
                moved = KeySlot.objects.select_related("vault").get(pk=target.pk)
                thief.tried += 1
                thief.opened += any(_opened(moved, Secret(cookie)) is not None for cookie in (*cookies, PRF))
        KeySlot.objects.filter(pk=target.pk).update(wrapped=wrapped[target.pk])

    assert [thief.opened, thief.tried] == [0, len(slots) * (len(slots) - 1)]
    assert factories.vault_of(alice).version > 1
