"""Sign-in with an outside account: what the environment configures, as allauth's settings.

Issuers are pinned here and not learnt from discovery: whoever answers there may not choose who it speaks for.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from authweb import env

MICROSOFT_SIGN_IN, OPENID_SIGN_IN = "microsoft-sign-in", "oidc-sign-in"

_MICROSOFT = "https://login.microsoftonline.com"
_PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"  # Where every personal account lives: `consumers`.


def providers() -> dict[str, Any]:
    """SOCIALACCOUNT_PROVIDERS: the apps people may sign in with.

    Raises ImproperlyConfigured, naming the line that is missing or wrong, where one is half configured.
    """
    found: dict[str, Any] = {"openid_connect": {"APPS": [*_microsoft(), *_openid()]}}
    apple = _apple()
    if apple:
        found["apple"] = {"APPS": [apple], "SCOPE": ["email"]}
    return found


def _microsoft() -> list[dict[str, Any]]:
    client_id, secret = env.text("SIGN_IN_MICROSOFT_CLIENT_ID"), env.secret("SIGN_IN_MICROSOFT_CLIENT_SECRET")
    asked = env.text("SIGN_IN_MICROSOFT_TENANT")
    if not _complete(
        "Microsoft",
        {"SIGN_IN_MICROSOFT_CLIENT_ID": client_id, "SIGN_IN_MICROSOFT_CLIENT_SECRET": secret},
        optional=asked,
    ):
        return []
    tenant = asked or "consumers"
    number = _PERSONAL_TENANT if tenant == "consumers" else _tenant(tenant)
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
    if not _complete("OpenID Connect", wanted, optional=name):
        return []
    address = urlsplit(issuer)
    on_this_machine = env.flag("DEBUG", False) and address.hostname in ("localhost", "127.0.0.1")
    if not address.hostname or address.query or address.fragment:
        raise ImproperlyConfigured(f"SIGN_IN_OIDC_ISSUER={issuer!r}: write the issuer's address.")
    if address.scheme != "https" and not (address.scheme == "http" and on_this_machine):
        raise ImproperlyConfigured(f"SIGN_IN_OIDC_ISSUER={issuer!r}: https is required.")
    return [_app(OPENID_SIGN_IN, name or address.hostname, client_id, secret, server=issuer.rstrip("/"), issuer=issuer)]


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
    if not _complete("Apple", wanted):
        return {}
    return {
        "client_id": wanted["APPLE_SERVICES_ID"],
        "secret": wanted["APPLE_KEY_ID"],
        "key": wanted["APPLE_TEAM_ID"],
        "settings": {"certificate_key": wanted["APPLE_KEY"]},
    }


def _complete(name: str, wanted: dict[str, str], *, optional: str = "") -> bool:
    missing = [variable for variable, value in wanted.items() if not value]
    if len(missing) == len(wanted) and not optional:
        return False
    if missing:
        raise ImproperlyConfigured(f"Sign-in with {name} is half configured: set {', '.join(missing)}.")
    return True


PROVIDERS = providers()
APPLE = "apple" in PROVIDERS
