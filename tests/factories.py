"""The cast, made by the services themselves: people, their browsers, their accounts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from http.cookies import SimpleCookie
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import update_last_login
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.utils import timezone

from accounts import arrivals
from accounts.models import BlockedDomain, Device, DeviceType, IdentityProof, KeySlot, SlotKind, User, Vault
from accounts.roles import Role
from accounts.services import approvals, attempts, devices, keyring, vaults
from accounts.services import words as typed
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from accounts.services.identity import Identity, Purpose, sealed
from accounts.services.policy import Act, Refused, Rule
from accounts.services.vaults import OpenVault
from accounts.vault import domains, keys
from accounts.vault.entry import Entry, Type
from accounts.vault.keys import DeviceCookie, Secret
from accounts.vault.list import BackupKey, Protection
from backups.models import Backup
from backups.services import switching

PASSWORD = "correct horse battery staple"
# RFC 4226, Appendix D: every code of it is known.
SECRET = b"12345678901234567890"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person at one browser: its cookies are in `client`; with a device, the key to the list is among them."""

    user: User
    client: Client
    device: Device | None = None
    cookie: DeviceCookie | None = None

    @property
    def vault(self) -> OpenVault:
        """The list as the database has it now, opened by this browser's key."""
        assert self.device is not None
        assert self.cookie is not None
        slot = KeySlot.objects.select_related("vault").get(device=self.device)
        row = slot.vault
        inner = keys.browser_key(self.cookie.key, bytes(slot.share), row.id.bytes, slot.id.bytes)
        _, pepper = keyring.pepper(slot.kid)
        key = keys.open_slot(bytes(slot.wrapped), inner, pepper, row.id.bytes, slot.id.bytes)
        return OpenVault(row=row, key=key, device=Device.objects.get(pk=self.device.pk), user=self.user)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The accounts of the list, in order."""
        return tuple(vaults.read(self.vault).entries)


def create_user(email: str, **fields: Any) -> User:
    """A person with this verified address and PASSWORD."""
    user = User.objects.create_user(email, PASSWORD, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def visitor(email: str, **fields: Any) -> Visitor:
    """A new person, signed in a moment ago, without a list."""
    return _signed_in(create_user(email, **fields))


def enrolled(email: str, *, name: str, type: str, **fields: Any) -> Visitor:
    """A new person whose list is open in this browser."""
    user = create_user(email, **fields)
    made = devices.set_up(user, NewDevice(uuid4(), name, DeviceType(type)), at=timezone.now())
    return with_key(_signed_in(user), made.device, made.cookie)


def at_another_browser(visitor: Visitor) -> Visitor:
    """The same person signed in elsewhere, without the key."""
    return _signed_in(visitor.user)


def asking(visitor: Visitor, *, name: str = "Laptop", type: str = "computer", at: datetime | None = None) -> Visitor:
    """The same person at another browser, which asks the one that has the list to let it in."""
    elsewhere, new = at_another_browser(visitor), NewDevice(uuid4(), name, DeviceType(type))
    network = attempts.network("127.0.0.1")
    asked = approvals.ask(visitor.user, vault_of(visitor), new, network=network, at=at or timezone.now())
    return with_key(elsewhere, asked.device, asked.cookie)


def removed(visitor: Visitor) -> Visitor:
    """The same browser after its removal, signed in again."""
    assert visitor.device is not None
    assert visitor.cookie is not None
    devices.remove(visitor.device, at=timezone.now(), by=None)
    return with_key(_signed_in(visitor.user), visitor.device, visitor.cookie)


def grown_stale(visitor: Visitor) -> Visitor:
    """The same browser an hour after the sign-in."""
    _record_sign_in(visitor.client, visitor.user, at=time.time() - 3600)
    return visitor


def grown_fresh(visitor: Visitor) -> Visitor:
    """The same browser just after a sign-in."""
    _record_sign_in(visitor.client, visitor.user, at=time.time())
    return visitor


def create_entry(*, on: Visitor, issuer: str = "Example", name: str = "alice@example.org", **fields: Any) -> Entry:
    """Add an account to the list that is open on this browser."""
    entry = an_entry(issuer=issuer, name=name, **fields)
    now = timezone.now()
    vaults.change(on.vault, lambda accounts: accounts.add(entry), tag=Tag.ENTRY_ADDED, at=now, facts={"count": 1})
    return entry


def an_entry(*, issuer: str = "Example", name: str = "alice@example.org", **fields: Any) -> Entry:
    """An account, in no list."""
    fields = {"id": keys.new_id(), "secret": Secret(SECRET), "type": Type.TOTP, **fields}
    return Entry.new(issuer=issuer, name=name, **fields)


def create_key(
    *, on: Visitor, kind: SlotKind, name: str = "", backed_up: bool = True, at: datetime | None = None
) -> KeySlot:
    """Words or a passkey that open the list of this browser, whose secret nobody holds; made without Argon2id."""
    vault, at = on.vault, at or timezone.now()
    slot = KeySlot(vault=vault.row, kind=kind, name=name, made_at=at)
    secret, ids = Secret(keys.random_bytes(32)), (vault.row.id.bytes, slot.id.bytes)
    if kind == SlotKind.WORDS:
        inner, made, tag = keys.words_key(secret, *ids), keys.backup_key_of_words(secret), Tag.WORDS_MADE
        slot.salt, (slot.kib, slot.passes, slot.lanes) = keys.random_bytes(16), (65536, 3, 1)
        hint = slot.salt + (65536).to_bytes(4, "big") + bytes([3, 1])
    else:
        inner, made, tag = keys.passkey_key(secret, *ids), keys.backup_key_of_passkey(secret), Tag.PASSKEY_ADDED
        slot.credential = keys.random_bytes(16)
        hint = hashlib.sha256(slot.credential).digest()[:16]
    slot.kid, pepper = keyring.pepper()
    slot.wrapped = keys.make_slot(vault.key, inner, pepper, *ids)
    slot.save(force_insert=True)
    if backed_up:
        backup = BackupKey(slot.id.hex, kind.value, Secret(hint), made)
        vaults.change(vault, lambda accounts: accounts.with_backup_key(backup), tag=tag, at=at, facts={"name": name})
    return slot


def create_words(*, on: Visitor, words: str = PASSWORD, at: datetime | None = None) -> KeySlot:
    """Words that the person holds, made as they are made, at the least that Argon2id may cost."""
    return typed.make(on.vault, words, at=at or timezone.now(), costs=keys.Costs(8 * 1024, 1, 1))


def with_another_device(visitor: Visitor, *, name: str, type: str) -> Visitor:
    """The same person at another browser, where the same list is open."""
    vault = visitor.vault
    made = devices.enrol(
        visitor.user, vault.row, vault.key, NewDevice(uuid4(), name, DeviceType(type)), at=timezone.now()
    )
    return with_key(_signed_in(visitor.user), made.device, made.cookie)


def rule(check: Callable[[User, Act, Entry], None]) -> Rule:
    """A rule that looks at one account after another, and raises where it refuses one."""

    def rule(user: User, act: Act, entries: Sequence[Entry], at: datetime) -> dict[str, Refused]:
        found = {}
        for entry in entries:
            try:
                check(user, act, entry)
            except Refused as refused:
                found[entry.id] = refused
        return found

    return rule


def block(
    domain: str,
    from_date: date | None = None,
    *,
    reason: str = "They stay on the phone",
    contact: str = "it@contoso.com",
) -> BlockedDomain:
    """A rule about a domain, from today on where no day is given."""
    now = timezone.now()
    return BlockedDomain.objects.create(
        domain=domains.canonical(domain),
        from_date=from_date or now.date(),
        reason=reason,
        contact=contact,
        dated_at=now,
    )


def vault_of(visitor: Visitor) -> Vault:
    """The row that owns the visitor's list."""
    return Vault.objects.get(user=visitor.user, put_aside_at=None)


def with_key(visitor: Visitor, device: Device, cookie: DeviceCookie) -> Visitor:
    """The visitor at the browser that holds this key to a list."""
    visitor.client.cookies[arrivals.cookie_name(visitor.user.pk)] = cookie.to_text()
    return replace(visitor, device=device, cookie=cookie)


def tab(visitor: Visitor) -> Client:
    """Another tab of the visitor's browser, with its cookies as they are now."""
    client = Client()
    client.cookies = SimpleCookie({name: morsel.value for name, morsel in visitor.client.cookies.items()})
    return client


def _signed_in(user: User) -> Visitor:
    """What a sign-in leaves, written once: `Client.force_login` writes a session four times, in nearly every test."""
    client, session = Client(), SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.update(_noted_sign_in(user, at=time.time()))
    session.save()
    update_last_login(User, user)
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    UserSession.objects.create(user=user, session_key=session.session_key, ip="127.0.0.1", user_agent="Tests", data={})
    return Visitor(user, client)


def _record_sign_in(client: Client, user: User, *, at: float) -> None:
    session = client.session
    session.update(_noted_sign_in(user, at=at))
    session.save()


def _noted_sign_in(user: User, *, at: float) -> dict[str, Any]:
    """As allauth notes it, so that a fresh sign-in is fresh and a stale one stale."""
    method = {"method": "password", "at": at, "email": user.email, "reauthenticated": True}
    return {"account_authentication_methods": [method], "account_authentication_methods_user": str(user.pk)}


# -- Recovery accounts, backups ---------------------------------------------------------------------------------------


def person(label: str = "alice@outlook.example", role: Role = Role.MICROSOFT) -> Identity:
    """Somebody at a provider, who signed in there just now."""
    return Identity(role, f"https://{role}.example/v2.0", f"uid-of-{label}", label, timezone.now())


def proven(
    visitor: Visitor,
    *,
    purpose: Purpose = Purpose.RECOVERY_CHOOSE,
    target: str = "",
    who: Identity | None = None,
    at: datetime | None = None,
) -> str:
    """The id of a proof as the ceremony at a provider leaves it; without a target of theirs it is for their list."""
    made = who or person(role=role_of_device(visitor))
    made = replace(made, signed_in_at=at or timezone.now())
    proof = IdentityProof(
        user=visitor.user,
        role=made.role,
        purpose=purpose,
        target=target or str(vault_of(visitor).pk),
        nonce=bytes(32),
        state=IdentityProof.State.PROVEN,
        signed_in_at=made.signed_in_at,
        made_at=made.signed_in_at,
    )
    said = {"issuer": made.issuer, "uid": made.uid, "label": made.label}
    proof.sealed_identity = sealed(proof, made.signed_in_at, said)
    proof.save(force_insert=True)
    return str(proof.pk)


def begun() -> IdentityProof:
    """The proof that was begun last."""
    return IdentityProof.objects.latest("made_at")


def role_of_device(visitor: Visitor) -> Role:
    """The role whose account a device of this type takes today."""
    return Role.APPLE if visitor.device is not None and visitor.device.type == DeviceType.IOS else Role.MICROSOFT


def backed_up(visitor: Visitor, *, protection: Protection = Protection.SIGN_IN, who: Identity | None = None) -> Backup:
    """The visitor's list with Cloud Backup on, its first saved state kept. For tests whose transactions are real."""
    made = who or person(role=role_of_device(visitor))
    return switching.turn_on(visitor.vault, made, protection, at=timezone.now())
