"""The ways in of a person, and invitations: who may sign up while sign-up is closed."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from accounts.models import Device, KeySlot, SlotKind, User
from accounts.services import activity, vaults
from accounts.services.activity import Tag
from accounts.services.vaults import OpenVault
from accounts.vault import encoding, uri
from accounts.vault.errors import VaultError
from accounts.vault.keys import Secret

_INVITATION = "accounts.invitation"


class InvitationOver(Exception):
    """The link is too old, was cut on the way, or is none of ours."""


class LastWayIn(Exception):
    """Nothing but passkeys signs this person in: they stay accepted."""


# -- Ways in ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WaysIn:
    """What a person can sign in with by itself. Mailed codes are not among them: the mailbox may be lost too."""

    password: bool
    passkeys: tuple[Authenticator, ...]
    outside: tuple[SocialAccount, ...]

    def __bool__(self) -> bool:
        return self.password or bool(self.passkeys) or bool(self.outside)


def ways_in(user: User, *, without: Authenticator | SocialAccount | None = None) -> WaysIn:
    """The ways in of a person as this server is set up now; `without` one that is about to be removed."""
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    outside = SocialAccount.objects.filter(user=user, provider__in=outside_providers())
    return WaysIn(
        password=user.has_usable_password(),
        passkeys=tuple(
            key
            for key in passkeys
            if key != without
            and mfa_settings.PASSKEY_LOGIN_ENABLED
            and not user.passkeys_off
            and key.wrap().is_passwordless
        ),
        outside=tuple(account for account in outside if account != without),
    )


def last_is_a_passkey(user: User) -> bool:
    """Whether nothing else signs a person in than what stops once their passkeys are not accepted."""
    ways = ways_in(user)
    return not ways.password and not ways.outside


def outside_providers() -> Collection[str]:
    """The ids of the outside sign-ins this server offers, as `SocialAccount.provider` holds them."""
    return [
        app.get("provider_id", provider)
        for provider, configured in settings.SOCIALACCOUNT_PROVIDERS.items()
        for app in configured.get("APPS", ())
        if not app.get("settings", {}).get("proof_only")
    ]


def label(claims: dict[str, Any]) -> str:
    """What an outside account is called, from the claims of its provider; empty where nothing can be shown."""
    said = (claims.get(name) for name in ("preferred_username", "email", "upn", "name"))
    return next((text[:254] for text in said if isinstance(text, str) and text and text.isprintable()), "")


def take_off_second_factor(user: User, *, at: datetime) -> int:
    """Remove one-time codes and recovery codes of a person who cannot show them any more. Returns how many.

    An act of the operator: the person still needs the password, and the list stays shut without its key.
    """
    with transaction.atomic():
        lost = Authenticator.objects.filter(
            user=user, type__in=(Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
        )
        count = int(lost.delete()[0])
        if count:
            activity.record(Tag.FACTOR_TAKEN_OFF, user=user, at=at)
    return count


# -- Passkeys, accepted or not ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passkeys:
    """What the passkeys of a person do: sign in by themselves, come after the password, open a list."""

    alone: tuple[Authenticator, ...]
    after_password: tuple[Authenticator, ...]
    keys: tuple[KeySlot, ...]
    is_only_factor: bool  # Without them a password alone signs in.
    has_words: bool  # Words open a list as well.

    def key_of(self, passkey: Authenticator) -> KeySlot | None:
        """What a passkey that signs in opens besides; None where it opens no list."""
        credential = passkey.data.get("credential", {}).get("id")
        return next((key for key in self.keys if encoding.b64url(bytes(key.credential or b"")) == credential), None)

    def signs_in_by(self, key: KeySlot) -> bool:
        """Whether a passkey that opens a list signs in besides."""
        return any(self.key_of(passkey) == key for passkey in (*self.alone, *self.after_password))


def passkeys_of(user: User, *, without: Authenticator | None = None) -> Passkeys:
    """What the passkeys of a person do; `is_only_factor` of this one alone, if one is about to be removed."""
    factors = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    passkeys = [factor for factor in factors if factor.type == Authenticator.Type.WEBAUTHN]
    goes = [without] if without is not None else passkeys
    asked = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    others = [factor for factor in factors if factor.type in asked and factor not in goes]
    slots = (
        KeySlot.objects.of_person(user).filter(kind__in=(SlotKind.PASSKEY, SlotKind.WORDS)).order_by("made_at", "pk")
    )
    return Passkeys(
        alone=tuple(key for key in passkeys if key.wrap().is_passwordless),
        after_password=tuple(key for key in passkeys if not key.wrap().is_passwordless),
        keys=tuple(slot for slot in slots if slot.kind == SlotKind.PASSKEY),
        is_only_factor=bool(goes) and not others and user.has_usable_password(),
        has_words=any(slot.kind == SlotKind.WORDS for slot in slots),
    )


@transaction.atomic
def refuse_passkeys(user: User, *, device: Device | None, at: datetime) -> None:
    """From now on no passkey of this person does anything here; each stays, for when they are accepted again.

    Raises LastWayIn.
    """
    locked = User.objects.select_for_update().get(pk=user.pk)
    if locked.passkeys_off:
        return
    if last_is_a_passkey(locked):
        raise LastWayIn
    _switch_passkeys(locked, off=True)
    activity.record(Tag.PASSKEYS_REFUSED, user=user, device=device, at=at)


@transaction.atomic
def accept_passkeys(user: User, *, device: Device | None, at: datetime) -> None:
    """The passkeys of this person do again what each did before."""
    locked = User.objects.select_for_update().get(pk=user.pk)
    if locked.passkeys_off:
        _switch_passkeys(locked, off=False)
        activity.record(Tag.PASSKEYS_ACCEPTED, user=user, device=device, at=at)


def _switch_passkeys(user: User, *, off: bool) -> None:
    user.passkeys_off = off
    user.save(update_fields=["passkeys_off"])


# -- The second factor ------------------------------------------------------------------------------------------------


@sensitive_variables()
def seeds(user: User, *, being_set_up: str = "") -> tuple[Secret, ...]:
    """The secret keys of a person's own one-time codes: of those in use, and of those `being_set_up` (base32).

    What does not open or cannot be read is left out: it is no key of anybody's.
    """
    texts = [being_set_up] if being_set_up else []
    for factor in Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP):
        try:
            texts.append(decrypt(factor.data["secret"]))
        except (ImmediateHttpResponse, KeyError):
            continue
    found = []
    for text in texts:
        try:
            found.append(uri.secret_from_text(text)[0])
        except VaultError:
            continue
    return tuple(found)


@sensitive_variables()
def factor_is_in(vault: OpenVault) -> bool:
    """Whether the list gives the codes by which its person signs in to Authweb. Raises Damaged."""
    own = seeds(vault.user)
    return bool(own) and any(entry.secret == seed for entry in vaults.read(vault) for seed in own)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What stands in for a second factor: the recovery codes left, and whether the factor is in use already."""

    codes: tuple[str, ...] = field(repr=False)
    in_use: bool


@sensitive_variables()
def recovery(user: User) -> Recovery:
    """The unused recovery codes of a person; none where there are none, or where they do not open."""
    factors = {factor.type: factor for factor in Authenticator.objects.filter(user=user)}
    codes: tuple[str, ...] = ()
    kept = factors.get(Authenticator.Type.RECOVERY_CODES)
    if kept is not None:
        with suppress(ImmediateHttpResponse, KeyError):
            codes = tuple(kept.wrap().get_unused_codes())
    return Recovery(codes, in_use=Authenticator.Type.TOTP in factors)


# -- Invitations ------------------------------------------------------------------------------------------------------


def invitation(email: str) -> str:
    """The link by which this address, and no other, may sign up. Nothing is stored: the link says it all, signed."""
    token = signing.dumps(email.lower(), salt=_INVITATION)
    return f"{settings.SITE_URL}{reverse('invitation', kwargs={'token': token})}"


def invited(token: str) -> str:
    """The address an invitation is for. Raises InvitationOver."""
    try:
        email = signing.loads(token, salt=_INVITATION, max_age=settings.INVITATION_MAX_AGE)
    except signing.BadSignature:
        raise InvitationOver from None
    return str(email)


def is_known(email: str) -> bool:
    """Whether somebody signs in by this address already: an invitation makes one person only."""
    return (
        EmailAddress.objects.filter(email__iexact=email).exists() or User.objects.filter(email__iexact=email).exists()
    )
