"""Who has the whole disk, the server keys included, but no browser, no words and no passkey: opens no list."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.signing import get_cookie_signer
from django.utils import timezone

from accounts.models import DeviceType, KeySlot, SlotKind, VaultState
from accounts.services import approvals, devices, keyring, passkeys, words
from accounts.services.approvals import Asked
from accounts.services.devices import NewDevice
from accounts.vault import keys, sealing
from accounts.vault.errors import VaultError
from accounts.vault.keys import Secret, VaultKey
from tests import factories
from tests.attacks import crawler
from tests.attacks.test_canaries import dump
from tests.factories import Visitor

WORDS = "correct horse battery staple dolphin anvil"
PRF, CREDENTIAL = bytes(range(100, 132)), b"credential id"

pytestmark = pytest.mark.row("A2")


@pytest.fixture
def doors(alice_phone: Visitor, bob: Visitor, mallory_removed: Visitor) -> list[Visitor]:
    """Three people with lists; alice's opens by words and by a passkey too, and a browser has just been approved."""
    for visitor in (alice_phone, bob):
        crawler.furnish(visitor)
    words.make(alice_phone.vault, WORDS, at=timezone.now())
    passkeys.add(alice_phone.vault, CREDENTIAL, (Secret(PRF), Secret(PRF)), "Passkey", at=timezone.now())
    approved(alice_phone)
    return [alice_phone, bob, mallory_removed]


def approved(visitor: Visitor) -> Asked:
    """A browser whose letters were typed on this one, before it fetches what was sealed to it."""
    new = NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER)
    row, at = factories.vault_of(visitor), timezone.now()
    asked = approvals.ask(visitor.user, row, new, network=b"n" * 32, at=at)
    approvals.approve(visitor.vault, asked.slot.pk, approvals.letters(asked), at=at)
    return asked


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
    if slot.kind == SlotKind.APPROVAL:
        return _fetched(slot, secret)
    inner = {
        SlotKind.BROWSER: lambda: keys.browser_key(secret, bytes(slot.share or b""), vault, own),
        SlotKind.WORDS: lambda: keys.words_key(secret, vault, own),
        SlotKind.PASSKEY: lambda: keys.passkey_key(secret, vault, own),
    }[SlotKind(slot.kind)]()
    try:
        return keys.open_slot(bytes(slot.wrapped or b""), inner, keyring.pepper(slot.kid)[1], vault, own)
    except VaultError:
        return None


def _fetched(slot: KeySlot, secret: Secret) -> VaultKey | None:
    """What a thief of a request finds: 32 bytes may be the new browser's key, or the private half itself."""
    if slot.sealed is None:
        return None
    vault, own, (_, pepper) = slot.vault_id.bytes, slot.id.bytes, keyring.pepper(slot.kid)
    private = keys.private_half(secret, pepper, bytes(slot.share or b""), vault, own)
    for half in (private, secret):
        try:
            return keys.open_key(
                bytes(slot.sealed or b""), half, vault, own, slot.by_device_id.bytes, slot.device_id.bytes
            )
        except VaultError:
            continue
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
    salt = bytes(KeySlot.objects.get(kind=SlotKind.WORDS).salt)
    candidates = {
        "cookie": bob.cookie.key.reveal(),
        "words": keys.stretch(WORDS, salt).reveal(),
        "passkey": PRF,
        "cookie of the approved browser": approved(bob).cookie.key.reveal(),
        "key of the list itself": alice.vault.key.reveal(),
        "words of another": keys.stretch("correct horse battery staple", salt).reveal(),
    }
    opened = {}
    for name, candidate in candidates.items():
        thief = Thief()
        thief.rob([candidate])
        opened[name] = thief.opened

    assert opened == {**dict.fromkeys(candidates, 1), "words of another": 0}


@dataclass
class Parts:
    """All that opens one door: what the person has, and what database, disk and server keys have."""

    kind: SlotKind
    secret: Secret
    slot: KeySlot
    pepper: Secret
    sealed: bytes

    def opens(self) -> bool:
        """Whether these parts together open the list."""
        slot, vault, own = self.slot, self.slot.vault_id.bytes, self.slot.id.bytes
        share, wrapped = bytes(slot.share or b""), bytes(slot.wrapped or b"")
        try:
            if self.kind is SlotKind.APPROVAL:
                half = keys.private_half(self.secret, self.pepper, share, vault, own)
                places = (slot.by_device_id.bytes, slot.device_id.bytes)
                key = keys.open_key(bytes(slot.sealed), half, vault, own, *places)
            else:
                inner = {
                    SlotKind.BROWSER: lambda: keys.browser_key(self.secret, share, vault, own),
                    SlotKind.WORDS: lambda: keys.words_key(self.secret, vault, own),
                    SlotKind.PASSKEY: lambda: keys.passkey_key(self.secret, vault, own),
                }[self.kind]()
                key = keys.open_slot(wrapped, inner, self.pepper, vault, own)
            sealing.unseal(self.sealed, key, vault, slot.vault.version)
        except VaultError:
            return False
        return True


def parts_of(visitor: Visitor, kind: SlotKind) -> Parts:
    """Everything that opens alice's list through one of her doors."""
    asked = approved(visitor) if kind is SlotKind.APPROVAL else None
    which = {
        SlotKind.BROWSER: {"device": visitor.device},
        SlotKind.PASSKEY: {"credential": CREDENTIAL},
        SlotKind.APPROVAL: {"pk": asked.slot.pk if asked else None},
    }.get(kind, {})
    slot = KeySlot.objects.select_related("vault").get(vault__user=visitor.user, kind=kind, **which)
    secret = {
        SlotKind.BROWSER: lambda: visitor.cookie.key,
        SlotKind.WORDS: lambda: keys.stretch(WORDS, bytes(slot.salt)),
        SlotKind.PASSKEY: lambda: Secret(PRF),
        SlotKind.APPROVAL: lambda: asked.cookie.key,
    }[kind]()
    state = slot.vault.states.get(version=slot.vault.version)
    return Parts(kind, secret, slot, keyring.pepper(slot.kid)[1], bytes(state.sealed))


def missing(parts: Parts) -> dict[str, Parts]:
    """The same with each single part missing: other bytes of its length stand in its place."""

    def column(name: str) -> Parts:
        slot = KeySlot.objects.select_related("vault").get(pk=parts.slot.pk)
        setattr(slot, name, keys.random_bytes(len(getattr(slot, name))))
        return replace(parts, slot=slot)

    other = Secret(keys.random_bytes(32))
    columns = {
        SlotKind.BROWSER: ("share", "wrapped"),
        SlotKind.WORDS: ("wrapped",),
        SlotKind.PASSKEY: ("wrapped",),
        SlotKind.APPROVAL: ("share", "sealed"),
    }[parts.kind]
    return {
        "what the person has": replace(parts, secret=other),
        "the server's key": replace(parts, pepper=other),
        "the list": replace(parts, sealed=keys.random_bytes(len(parts.sealed))),
        **{f"the row's {name}": column(name) for name in columns},
    }


@pytest.mark.row("T41")
@pytest.mark.parametrize("kind", list(SlotKind))
def test_each_single_part_missing_opens_nothing(doors: list[Visitor], kind: SlotKind) -> None:
    parts = parts_of(doors[0], kind)

    opened = {name: without.opens() for name, without in missing(parts).items()}

    assert parts.opens()
    assert opened == dict.fromkeys(opened, False)
    assert len(opened) >= 4


def test_database_alone_is_no_test_of_words(doors: list[Visitor]) -> None:
    """Without the server's pepper right words and wrong ones look alike: the outer layer opens for neither."""
    slot = KeySlot.objects.get(kind=SlotKind.WORDS)
    vault, own = slot.vault_id.bytes, slot.id.bytes
    told = []
    for typed in (WORDS, "some other words"):
        inner = keys.words_key(keys.stretch(typed, bytes(slot.salt)), vault, own)
        with pytest.raises(VaultError) as refused:
            keys.open_slot(bytes(slot.wrapped), inner, Secret(bytes(32)), vault, own)
        told.append(refused.value.reason)

    assert told[0] == told[1]


def test_every_removed_device_and_its_key_are_gone_after_the_time_of_undo(doors: list[Visitor]) -> None:
    """The cookie that the removed browser still has opens nothing any more, whoever finds it."""
    mallory = doors[2]
    cookie = mallory.cookie.key.reveal()
    before, after = Thief(), Thief()

    before.rob([cookie])
    devices.expire(timezone.now() + settings.REMOVED_DEVICE_KEPT)
    after.rob([cookie])

    assert [before.opened, after.opened] == [1, 0]
    assert not KeySlot.objects.filter(vault__user=mallory.user).exists()


def test_slots_copied_between_lists_and_devices_open_nothing(doors: list[Visitor]) -> None:
    """Who writes the database moves slots about: bound to list and slot, none opens elsewhere."""
    alice, bob, _ = doors
    slots = list(KeySlot.objects.filter(vault__user__in=(alice.user, bob.user), wrapped__isnull=False))
    wrapped = {slot.pk: bytes(slot.wrapped) for slot in slots}
    cookies = [visitor.cookie.key.reveal() for visitor in (alice, bob)]
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
