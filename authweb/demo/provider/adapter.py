"""allauth's hooks: who may sign in at which issuer, and what its tokens say of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.idp.oidc.models import Client
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from authweb.demo.provider import people
from authweb.demo.provider.middleware import IssuerRequest

_CODE_KEPT = 120.0  # Seconds; allauth's codes are good for half of that.


def keep_auth_time(code: str, at: int) -> None:
    """Remember when the person signed in whom this code stands for, in whole seconds."""
    cache.set(f"auth_time:{code}", at, timeout=_CODE_KEPT)


class PeopleOfThisIssuer(AuthenticationBackend):
    """A password counts at its own issuer alone."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """The person, if the issuer that is asked knows them."""
        user: User | None = super().authenticate(request, **credentials)
        if user is None or not isinstance(request, HttpRequest):
            return None
        return user if people.find(_issuer_of(request), email=user.email) is not None else None


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up, and a sign-in that failed says so plainly."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": gettext_lazy("No account here has this address and password."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """The people are those of the table."""
        return False


class OIDCAdapter(DefaultOIDCAdapter):
    """The names, numbers and times that tokens carry."""

    request: IssuerRequest

    def get_issuer(self) -> str:
        """The issuer of the port that is asked."""
        return self.request.issuer.named(settings.PORT)

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        """Discovery without a tenant has a place for it in the issuer's name, as Microsoft's has."""
        tenant = self.request.resolver_match.kwargs.get("tenant") if self.request.resolver_match else None
        if tenant != self.request.issuer.tenant:
            data["issuer"] = self.request.issuer.named(settings.PORT, "{tenantid}")
        data["claims_supported"] = ["auth_time", "email", "name", "oid", "preferred_username", "sub", "tid"]
        data["prompt_values_supported"] = ["none", "login", "select_account"]

    def get_user_sub(self, client: Client, user: User) -> str:
        """Their number for this application."""
        person = people.find(self.request.issuer, email=user.email)
        return person.sub if person is not None else ""

    def get_user_by_sub(self, client: Client, sub: str) -> User | None:
        """Who that is; nobody where the code comes from another issuer."""
        person = people.find(self.request.issuer, sub=sub)
        return User.objects.filter(email=person.email).first() if person is not None else None

    def get_claims(
        self, purpose: str, user: User, client: Client, scopes: Iterable[str], email: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """What was asked for of the person: `oid` comes with `profile`, as at Microsoft, and with it the tenant."""
        person = people.find(self.request.issuer, email=user.email)
        if person is None:
            return {}
        claims: dict[str, Any] = {"sub": person.sub}
        if "email" in scopes:
            claims |= {"email": person.email, "email_verified": True}
        if "profile" in scopes:
            claims |= {"name": person.first_name, "preferred_username": person.email, "oid": person.oid}
            if person.issuer.tenant:
                claims["tid"] = person.issuer.tenant
        return claims

    def populate_id_token(self, id_token: dict[str, Any], client: Client, scopes: Iterable[str], **kwargs: Any) -> None:
        """When they signed in."""
        at = cache.get(f"auth_time:{self.request.POST.get('code')}")
        if at is not None:
            id_token["auth_time"] = at


def _issuer_of(request: HttpRequest) -> Any:
    return request.issuer  # type: ignore[attr-defined]
