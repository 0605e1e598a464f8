"""Outside accounts: what the environment configures, as allauth's settings and as the ways of proofs.

Issuers are pinned here and not learnt from discovery: whoever answers there may not choose who it speaks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from accounts.roles import APPLE_ISSUER, MICROSOFT_HOST, PERSONAL_TENANT, ROLES, TENANT, Freshness, Role, Way
from authweb import env

MICROSOFT_SIGN_IN, OPENID_SIGN_IN = "microsoft-sign-in", "oidc-sign-in"

_MICROSOFT = f"https://{MICROSOFT_HOST}"
_MOST_FORMER = 4
_OF_OTHERS = (MICROSOFT_HOST, urlsplit(APPLE_ISSUER).hostname)
# Sent to an issuer of one's own and not to Microsoft: it knows no `max_age`, and a token for 0 would be over at once.
_ASKS, _ASKS_ITS_OWN = {"prompt": "login"}, {"prompt": "login", "max_age": "0"}


def providers() -> dict[str, Any]:
    """SOCIALACCOUNT_PROVIDERS: the apps people may sign in with, and those for proofs alone.

    Raises ImproperlyConfigured, naming the line that is missing or wrong, where one is half configured.
    """
    found: dict[str, Any] = {"openid_connect": {"APPS": [*_microsoft(), *_openid(), *_proof_apps()]}}
    apple = _apple()
    if apple:
        found["apple"] = {"APPS": [apple], "SCOPE": ["email"]}
    return found


def ways() -> dict[str, Way]:
    """WAYS: how proofs are asked for, by role, and by sign-in app for a fresh sign-in of the person.

    Raises ImproperlyConfigured, naming the line that is missing or wrong, where a role is half configured.
    """
    found = {role.value: mapped.way for role in Role if (mapped := _mapped(role)) is not None}
    return found | {app["provider_id"]: _sign_in_way(app, found) for app in (*_microsoft(), *_openid())}


# -- Sign-in ----------------------------------------------------------------------------------------------------------


def _microsoft() -> list[dict[str, Any]]:
    client_id, secret = env.text("SIGN_IN_MICROSOFT_CLIENT_ID"), env.secret("SIGN_IN_MICROSOFT_CLIENT_SECRET")
    asked = env.text("SIGN_IN_MICROSOFT_TENANT")
    if not _complete(
        "Sign-in with Microsoft",
        {"SIGN_IN_MICROSOFT_CLIENT_ID": client_id, "SIGN_IN_MICROSOFT_CLIENT_SECRET": secret},
        optional=asked,
    ):
        return []
    tenant = asked or "consumers"
    number = PERSONAL_TENANT if tenant == "consumers" else _tenant(tenant)
    return [
        _app(
            MICROSOFT_SIGN_IN,
            "Microsoft",
            client_id,
            secret,
            server=f"{_MICROSOFT}/{tenant}/v2.0",
            issuer=f"{_MICROSOFT}/{number}/v2.0",
        )
    ]


def _tenant(tenant: str) -> str:
    # `common` and `organizations` answer with an issuer for each tenant, a template that nothing can be held to.
    try:
        return str(UUID(tenant))
    except ValueError:
        raise ImproperlyConfigured(
            f"SIGN_IN_MICROSOFT_TENANT={tenant!r}: write consumers (personal accounts) or a tenant's number (a UUID)."
        ) from None


def _openid() -> list[dict[str, Any]]:
    issuer, name = env.text("SIGN_IN_OIDC_ISSUER"), env.text("SIGN_IN_OIDC_NAME")
    client_id, secret = env.text("SIGN_IN_OIDC_CLIENT_ID"), env.secret("SIGN_IN_OIDC_CLIENT_SECRET")
    wanted = {
        "SIGN_IN_OIDC_ISSUER": issuer,
        "SIGN_IN_OIDC_CLIENT_ID": client_id,
        "SIGN_IN_OIDC_CLIENT_SECRET": secret,
    }
    if not _complete("Sign-in with OpenID Connect", wanted, optional=name):
        return []
    host = _host("SIGN_IN_OIDC_ISSUER", issuer)
    return [_app(OPENID_SIGN_IN, name or host, client_id, secret, server=issuer.rstrip("/"), issuer=issuer)]


def _host(variable: str, issuer: str) -> str:
    """The host of an issuer's address. Raises ImproperlyConfigured: https, but on one's own machine with DEBUG."""
    address = urlsplit(issuer)
    on_this_machine = env.flag("DEBUG", False) and address.hostname in ("localhost", "127.0.0.1")
    if not address.hostname or address.query or address.fragment:
        raise ImproperlyConfigured(f"{variable}={issuer!r}: write the issuer's address.")
    if address.scheme != "https" and not (address.scheme == "http" and on_this_machine):
        raise ImproperlyConfigured(f"{variable}={issuer!r}: https is required.")
    return address.hostname


def _sign_in_way(app: dict[str, Any], roles: dict[str, Way]) -> Way:
    """How who signs in with an app shows once more that it is them; Microsoft's freshness is that of its role."""
    built_in = app["provider_id"] == MICROSOFT_SIGN_IN
    role = roles.get(Role.MICROSOFT)
    shared = built_in and role is not None and role.issuer == ROLES[Role.MICROSOFT].issuer
    return Way(
        provider=app["provider_id"],
        name=app["name"],
        client_id=app["client_id"],
        issuer=app["settings"]["openid_configuration_overrides"]["issuer"],
        subject="sub",
        freshness=role.freshness if role is not None and shared else Freshness.PROVED,
        asks=_asks(app["settings"]["server_url"]),
    )


def _asks(server: str) -> dict[str, str]:
    return _ASKS if urlsplit(server).hostname == MICROSOFT_HOST else _ASKS_ITS_OWN


def _app(provider_id: str, name: str, client_id: str, secret: str, *, server: str, issuer: str) -> dict[str, Any]:
    return {
        "provider_id": provider_id,
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {
            "server_url": server,
            "oauth_pkce_enabled": True,
            "token_auth_method": "client_secret_post",
            "fetch_userinfo": False,  # What the ID token says is checked; a second answer is not.
            "openid_configuration_overrides": {"issuer": issuer},
        },
    }


def _apple() -> dict[str, Any]:
    wanted = {
        "APPLE_SERVICES_ID": env.text("APPLE_SERVICES_ID"),
        "APPLE_TEAM_ID": env.text("APPLE_TEAM_ID"),
        "APPLE_KEY_ID": env.text("APPLE_KEY_ID"),
        "APPLE_KEY": env.secret("APPLE_KEY"),
    }
    if not _complete("Sign-in with Apple", wanted):
        return {}
    return {
        "client_id": wanted["APPLE_SERVICES_ID"],
        "secret": wanted["APPLE_KEY_ID"],
        "key": wanted["APPLE_TEAM_ID"],
        "settings": {"certificate_key": wanted["APPLE_KEY"]},
    }


# -- Proofs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mapped:
    """A role as the environment maps it; without a `server` it is allauth's own Apple, which sign-in shares."""

    way: Way
    server: str = ""
    secret: str = ""


def _mapped(role: Role) -> _Mapped | None:
    """A role that is set up, or None where nothing of it is set. Raises ImproperlyConfigured for half of one."""
    row, prefix = ROLES[role], f"ROLE_{role.name}"
    issuer, subject = env.text(f"ROLE_{role.name}_ISSUER"), env.text(f"ROLE_{role.name}_SUBJECT")
    client_id, secret = env.text(f"ROLE_{role.name}_CLIENT_ID"), env.secret(f"ROLE_{role.name}_CLIENT_SECRET")
    name, shows = env.text(f"ROLE_{role.name}_NAME"), env.text(f"ROLE_{role.name}_FRESHNESS")
    former = tuple(env.words(f"ROLE_{role.name}_FORMER_ISSUERS"))
    freshness = Freshness(env.one_of(f"ROLE_{role.name}_FRESHNESS", Freshness.PROVED, list(Freshness)))
    if former and not issuer:
        raise ImproperlyConfigured(f"{prefix}_FORMER_ISSUERS is for an issuer of your own: set {prefix}_ISSUER too.")
    native = {} if row.server else _apple()
    if native and not (issuer or subject or client_id or secret):
        own = native["client_id"].split(",")[0]
        return _Mapped(Way("apple", name or row.provider, own, row.issuer, row.subject, freshness, hints=False))
    wanted = {f"{prefix}_CLIENT_ID": client_id, f"{prefix}_CLIENT_SECRET": secret}
    if not row.server:  # Apple, and none of APPLE_… is set.
        wanted = {f"{prefix}_ISSUER": issuer, **wanted}
    if not _complete(prefix, wanted, optional=issuer or subject or name or shows):
        return None
    app_id = f"{role}-proof"
    if not issuer:
        if subject:
            raise ImproperlyConfigured(f"{prefix}_SUBJECT is for an issuer of your own: set {prefix}_ISSUER too.")
        way = Way(app_id, name or row.provider, client_id, row.issuer, row.subject, freshness, _ASKS)
        return _Mapped(way, row.server, secret)
    if TENANT in issuer and role is not Role.ENTRA:
        raise ImproperlyConfigured(f"{prefix}_ISSUER={issuer!r}: write one issuer, without {TENANT}.")
    host = _host(f"{prefix}_ISSUER", issuer)
    _check_former(f"{prefix}_FORMER_ISSUERS", former, issuer)
    way = Way(app_id, name or host, client_id, issuer, subject or "sub", freshness, _asks(issuer), former=former)
    return _Mapped(way, issuer.rstrip("/").replace(TENANT, "organizations"), secret)


def _check_former(variable: str, former: tuple[str, ...], issuer: str) -> None:
    """Raise ImproperlyConfigured where one of these cannot be where the same people were known by the same ids."""
    if len(former) > _MOST_FORMER:
        raise ImproperlyConfigured(f"{variable}: at most {_MOST_FORMER}, since each of them is searched each time.")
    for one in former:
        if _host(variable, one) in _OF_OTHERS:
            raise ImproperlyConfigured(f"{variable}={one!r}: people have other ids there than at an issuer of yours.")
        if one == issuer or former.count(one) > 1:
            raise ImproperlyConfigured(f"{variable}={one!r}: that is the issuer of now, or it stands there twice.")
        if (TENANT in one) is not (TENANT in issuer):
            raise ImproperlyConfigured(f"{variable}={one!r}: {TENANT} stands in both issuers or in none.")


def _proof_apps() -> list[dict[str, Any]]:
    """Apps for proofs alone: on no sign-in page, with ids that no built-in provider has."""
    apps = []
    for role in Role:
        mapped = _mapped(role)
        if mapped is None or not mapped.server:
            continue
        way = mapped.way
        app = _app(way.provider, way.name, way.client_id, mapped.secret, server=mapped.server, issuer=way.issuer)
        app["settings"] |= {"proof_only": True, "hidden": True, "openid_configuration_overrides": {}}
        if role is not Role.APPLE:
            # The issuer is for the proof to check. A template names none; and a work account at `microsoft` would end
            # at allauth as an answer that cannot be trusted, and nobody would be told what it was.
            app["settings"]["openid_configuration_overrides"] = {"issuer": None}
        apps.append(app)
    return apps


# -- Both -------------------------------------------------------------------------------------------------------------


def _complete(name: str, wanted: dict[str, str], *, optional: str = "") -> bool:
    missing = [variable for variable, value in wanted.items() if not value]
    if len(missing) == len(wanted) and not optional:
        return False
    if missing:
        raise ImproperlyConfigured(f"{name} is half configured: set {', '.join(missing)}.")
    return True


PROVIDERS: dict[str, Any] = providers()
WAYS: dict[str, Way] = ways()
ICLOUD_FROM: datetime = env.day("ICLOUD_FROM", "2025-09-01")
APPLE: bool = "apple" in PROVIDERS
