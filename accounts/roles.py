"""Roles: whom an outside account belongs to, whatever provider this server has for it. All other code knows roles only.

`ROLES` is what a role is everywhere. What it is mapped to here (a provider, its issuer, the claim that names a person,
how freshness is shown) is a `Way`; the setting WAYS holds them, read from the environment by `authweb/providers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

MICROSOFT_HOST = "login.microsoftonline.com"
PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"  # Where every personal account lives: `consumers`.
APPLE_ISSUER = "https://appleid.apple.com"
TENANT = "{tid}"  # In an issuer: the tenant that a token names, each of which is an issuer of its own.


class Role(StrEnum):
    """Whom an account belongs to."""

    MICROSOFT = "microsoft"  # Personal accounts.
    APPLE = "apple"
    ENTRA = "entra"  # Work or school.


class Freshness(StrEnum):
    """How a provider shows that somebody has just signed in."""

    PROVED = "proved"  # By `auth_time`, a claim that is checked.
    ASKED = "asked"  # It was asked for, and nothing more: a browser that is signed in, not a person who just signed in.


@dataclass(frozen=True, slots=True)
class RoleRow:
    """What a role is, whatever it is mapped to.

    `server` is where its provider describes itself; empty where allauth knows it. `subject` is the claim that names a
    person for good: chosen by role and never by what a token holds, or one person would have two names.
    """

    label: str | Promise
    keeps_backups: bool
    provider: str  # What the built-in provider is called.
    server: str
    issuer: str
    subject: str


ROLES: Mapping[Role, RoleRow] = {
    Role.MICROSOFT: RoleRow(
        label=_("Microsoft"),
        keeps_backups=True,
        provider="Microsoft",
        server=f"https://{MICROSOFT_HOST}/consumers/v2.0",
        issuer=f"https://{MICROSOFT_HOST}/{PERSONAL_TENANT}/v2.0",
        subject="oid",
    ),
    Role.APPLE: RoleRow(
        label=_("iCloud"),
        keeps_backups=True,
        provider="Apple",
        server="",
        issuer=APPLE_ISSUER,
        subject="sub",
    ),
    Role.ENTRA: RoleRow(
        label=_("Work or school"),
        keeps_backups=False,
        provider="Microsoft",
        server=f"https://{MICROSOFT_HOST}/organizations/v2.0",
        issuer=f"https://{MICROSOFT_HOST}/{TENANT}/v2.0",
        subject="oid",
    ),
}


NAMES = frozenset(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class Way:
    """How a proof is asked for at one provider, and what its answer is held to.

    `provider` is the id of allauth's app, `name` what people call the provider, `issuer` exact or with `{tid}`,
    `subject` the claim that names a person, `asks` what goes out beside nonce, state and PKCE; `hints` whether the
    provider takes a `login_hint`. `former` are issuers that the same provider had before, as the operator says.
    """

    provider: str
    name: str
    client_id: str
    issuer: str
    subject: str
    freshness: Freshness = Freshness.PROVED
    asks: Mapping[str, str] = field(default_factory=dict)
    hints: bool = True
    former: tuple[str, ...] = ()


class NotConfigured(LookupError):
    """This server has no provider for it."""


# -- What this server has ---------------------------------------------------------------------------------------------


def way(name: str) -> Way:
    """The way of a role, or of the sign-in app of this id. Raises NotConfigured."""
    ways: Mapping[str, Way] = settings.WAYS
    try:
        return ways[name]
    except KeyError:
        raise NotConfigured(name) from None


def is_way(provider: str) -> bool:
    """Whether proofs can be asked for at the app of this id, under that name."""
    return provider in settings.WAYS and way(provider).provider == provider


def configured(role: Role) -> bool:
    """Whether this server has a provider for a role; one without is offered nowhere."""
    return role in settings.WAYS


def setting(role: Role) -> str:
    """The setting by which the operator names a provider for a role."""
    return f"ROLE_{role.value.upper()}_CLIENT_ID"


def any_configured() -> bool:
    """Whether this server has a provider for any role that keeps backups."""
    return any(row.keeps_backups and configured(role) for role, row in ROLES.items())


def name_of(name: str) -> str:
    """What people call the provider of a role or of a sign-in app, also where there is none any more."""
    try:
        return way(name).name
    except NotConfigured:
        return ROLES[Role(name)].provider if name in NAMES else name


# -- Whose backups a role keeps, and since when -----------------------------------------------------------------------


def fitting(device_type: str, at: datetime) -> tuple[Role, ...]:
    """The roles that hold a recovery account of a device of this type at this time, whether configured or not.

    Android: Microsoft, at every date. iOS: Microsoft before ICLOUD_FROM, iCloud since. A computer: any but work.
    """
    if device_type == "android":
        return (Role.MICROSOFT,)
    if device_type == "ios":
        return (Role.APPLE,) if at >= settings.ICLOUD_FROM else (Role.MICROSOFT,)
    return tuple(role for role, row in ROLES.items() if row.keeps_backups)


def fits(role: Role, device_type: str, at: datetime) -> bool:
    """Whether a recovery account of this role serves a device of this type at this time."""
    return role in fitting(device_type, at)


def recovery_roles(device_type: str, at: datetime) -> tuple[Role, ...]:
    """Of the roles that fit, those this server has, in order."""
    return tuple(role for role in fitting(device_type, at) if configured(role))


def restore_roles(device_type: str, at: datetime) -> tuple[Role, ...]:
    """Under which roles backups of this type may lie: those that fit now, then those that did before."""
    before = (Role.MICROSOFT,) if device_type == "ios" else ()
    return tuple(role for role in dict.fromkeys([*fitting(device_type, at), *before]) if configured(role))


def role_of(device_type: str, at: datetime) -> Role | None:
    """The role that fits by type and date; for a computer the first this server has, if it has one."""
    fits = fitting(device_type, at)
    return fits[0] if len(fits) == 1 else next((role for role in fits if configured(role)), None)


# -- Whom an issuer stands for ----------------------------------------------------------------------------------------


def issuer_of(template: str, claims: Mapping[str, object]) -> str | None:
    """The issuer that a token with these claims must name; None where the claims fit no tenant's.

    An exact issuer is the answer whatever the claims say. With `{tid}` the token's tenant is filled in: a UUID as
    Microsoft writes it, and not the one where personal accounts live.
    """
    if TENANT not in template:
        return template
    tenant = claims.get("tid")
    if not isinstance(tenant, str) or not _is_tenant(tenant) or tenant == PERSONAL_TENANT:
        return None
    return template.replace(TENANT, tenant)


def issuers(way: Way, issuer: str) -> tuple[str, ...]:
    """Under which issuers somebody may have been noted who comes from this verified one: it, then the former ones.

    Those are for whoever the way's own issuer vouches for, and for nobody else; with `{tid}` of the same tenant.
    """
    tenant = _tenant_of(way.issuer, issuer)
    if tenant is None:
        return (issuer,)
    return (issuer, *(former.replace(TENANT, tenant) for former in way.former))


def issuers_of(role: Role | str, issuer: str) -> tuple[str, ...]:
    """The same for a proven account of a role, or of a sign-in app."""
    return issuers(way(role), issuer) if role in settings.WAYS else (issuer,)


def is_of_work(issuer: object) -> bool:
    """Whether an issuer is one of work or school accounts: Microsoft's for a tenant, or the one mapped to `entra`."""
    templates = {ROLES[Role.ENTRA].issuer, *([way(Role.ENTRA).issuer] if configured(Role.ENTRA) else [])}
    return isinstance(issuer, str) and any(_stands_for(template, issuer) for template in templates)


def _stands_for(template: str, issuer: str) -> bool:
    return _tenant_of(template, issuer) is not None


def _tenant_of(template: str, issuer: str) -> str | None:
    """The tenant by which a template is this issuer; empty for an exact one, None where it is another."""
    before, holds_tenant, after = template.partition(TENANT)
    if not holds_tenant:
        return "" if issuer == template else None
    tenant = issuer[len(before) : len(issuer) - len(after)]
    fits = issuer == f"{before}{tenant}{after}" and _is_tenant(tenant) and tenant != PERSONAL_TENANT
    return tenant if fits else None


def _is_tenant(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
