"""allauth's hooks: who may sign up, what a refusal says, how a proof ends, seeds sealed, the last way in kept.

allauth makes an adapter for each use and finds the request by itself; nothing here keeps state.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import math
import time
from smtplib import SMTPException
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.http import page
from accounts.services import activity, identity, keyring, sign_in
from accounts.services.activity import Tag
from accounts.services.answers import Reason, claims_of
from accounts.vault.errors import VaultError

logger = logging.getLogger(__name__)

INVITATION_IN_SESSION = "invitation"
_SEEDS = "mfa"
_NO_ADDRESS = "0.0.0.0"  # noqa: S104 - no network is listened on: who comes without an address shares one limit
_CONFIRM_A_CODE = (
    "account_email_verification_sent",
    "account_confirm_login_code",
    "account_confirm_password_reset_code",
)
_SIGN_UP = ("account_signup", "account_signup_by_passkey", "socialaccount_signup")


# -- People and their sign-in -----------------------------------------------------------------------------------------


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up, sign-in and their limits."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": gettext_lazy("This Authweb account is switched off. Ask the operator of this server."),
        "cannot_remove_primary_email": gettext_lazy("Make another address the main one first."),
        "duplicate_email": gettext_lazy("This address is already yours."),
        "email_password_mismatch": gettext_lazy("That is not the right address and password."),
        "email_taken": gettext_lazy("Somebody signs in by this address already. Use another one, or sign in."),
        "enter_current_password": gettext_lazy("That is not your current password."),
        "incorrect_code": gettext_lazy("That is not the code. Look for the newest mail and copy the code from it."),
        "incorrect_password": gettext_lazy("That is not your password."),
        "invalid_or_expired_key": gettext_lazy("This link is too old. Ask for a new one."),
        "invalid_login": gettext_lazy("Type your e-mail address."),
        "invalid_password_reset": gettext_lazy("This link was used already. Ask for a new one."),
        "max_email_addresses": gettext_lazy("You can have %d addresses. Remove one first."),
        "too_many_login_attempts": gettext_lazy("Too many tries. Wait 5 minutes."),
        "unknown_email": gettext_lazy("Nobody signs in by this address."),
        "unverified_primary_email": gettext_lazy("The main address must be verified first."),
        "select_only_one": gettext_lazy("Choose one only."),
        "same_as_current": gettext_lazy("That is the one you have already."),
        "rate_limited": gettext_lazy("Too many tries. Wait a minute."),
        "not_invited": gettext_lazy("Your invitation is for %s. Sign up with that address."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Anybody where SIGN_UP is open; else who holds an invitation, which the session then names."""
        return settings.SIGN_UP == "open" or bool(_invited(request))

    def clean_email(self, email: str) -> str:
        """By invitation only the invited address signs up. Raises ValidationError."""
        email = super().clean_email(email)
        match = self.request.resolver_match
        if settings.SIGN_UP != "open" and match is not None and match.url_name in _SIGN_UP:
            invited = _invited(self.request)
            if email.lower() != invited:
                raise self.validation_error("not_invited", invited)
        return email

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Wrong passwords are counted by address alone: a Host with another port is no new count."""
        return str(credentials.get("email", "")).lower()

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a try before it is judged. Raises ValidationError, with the time to wait."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as refused:
            seconds = _seconds_to_wait(request, self._get_login_attempts_cache_key(request, **credentials))
            minutes = max(1, math.ceil(seconds / 60))
            sentence = ngettext(
                "Too many tries. Wait %(minutes)d minute.", "Too many tries. Wait %(minutes)d minutes.", minutes
            )
            raise ValidationError(sentence % {"minutes": minutes}, code=refused.code) from None

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Whose password it was not sees the try in their activity."""
        address = EmailAddress.objects.filter(email__iexact=credentials.get("email", "")).select_related("user").first()
        if address is not None:
            activity.record(Tag.SIGN_IN_FAILED, user=address.user, at=timezone.now())

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """One sentence for the next page. A third wrong code ends that code, which is no reason to wait."""
        match = request.resolver_match
        if (
            message == self.error_messages["too_many_login_attempts"]
            and match is not None
            and match.url_name in _CONFIRM_A_CODE
        ):
            message = _("That was the third wrong code, so it counts no more. Ask for a new one.")
        super().add_message(request, level, message_template, message_context, extra_tags, message)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address of the browser. Where a proxy leaves it out, all who come so share one limit."""
        try:
            return str(super().get_client_ip(request))
        except (PermissionDenied, ImproperlyConfigured):
            logger.warning("A request came without an address: TRUSTED_PROXIES does not fit the proxy.")
            return _NO_ADDRESS

    def is_safe_url(self, url: str) -> bool:
        """Whether a sign-in may end there: at this address, port included."""
        return url_has_allowed_host_and_scheme(
            url, allowed_hosts={self.request.get_host()}, require_https=self.request.is_secure()
        )

    def get_reauthentication_methods(self, user: AbstractBaseUser | AnonymousUser) -> list[dict[str, Any]]:
        """The ways to sign in again, in our words."""
        words = {
            "reauthenticate": _("Type your password"),
            "mfa_reauthenticate": _("Type a one-time code"),
            "mfa_reauthenticate:webauthn": _("Use a passkey"),
        }
        methods = super().get_reauthentication_methods(user)
        return [{**method, "description": words.get(method["id"], method["description"])} for method in methods]

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to the page of all ways in."""
        return reverse("accounts:settings-sign-in")

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        """Mails name this server by SITE_URL, never by the Host that a request claimed."""
        mail: EmailMessage = super().render_mail(
            template_prefix, email, {**context, "site": settings.SITE_URL}, headers
        )
        return mail

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Mail a code. Where no mail leaves this server, say so: the person would wait for it."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            logger.error("A mail could not be sent: %s, %s", template_prefix, type(error).__name__)
            raise ImmediateHttpResponse(
                page(
                    self.request,
                    "accounts/sign_in_problem.html",
                    {
                        "title": _("The mail was not sent."),
                        "sentence": _("This server could not send it. Try again in 5 minutes, or tell the operator."),
                    },
                    status=503,
                )
            ) from None

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Mail a change of ways in; a mail server that is away undoes nothing."""
        with contextlib.suppress(ImmediateHttpResponse):  # Logged where it failed.
            super().send_notification_mail(*args, **kwargs)


def _invited(request: HttpRequest) -> str:
    try:
        email = sign_in.invited(request.session.get(INVITATION_IN_SESSION, ""))
    except sign_in.InvitationOver:
        return ""
    return "" if sign_in.is_known(email) else email


def _seconds_to_wait(request: HttpRequest, key: str) -> float:
    """Until the oldest of the tries that fill a limit no longer counts."""
    waits = [0.0]
    for rate in ratelimit.get_rates(app="allauth.account", action="login_failed"):
        tries = cache.get(
            ratelimit.get_cache_key(request, app="allauth.account", action="login_failed", rate=rate, key=key), []
        )
        if len(tries) >= rate.amount:
            waits.append(tries[rate.amount - 1] + rate.duration - time.time())
    return max(waits)


# -- Outside sign-ins -------------------------------------------------------------------------------------------------


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Sign-in with Microsoft, Apple or an OpenID issuer: linked by the person alone, never found by an address."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultSocialAccountAdapter.error_messages,
        "email_taken": gettext_lazy(
            "Somebody signs in by this address already. If that is you, sign in first, then link your account at %s."
        ),
        "invalid_token": gettext_lazy("The answer could not be trusted."),
        "no_password": gettext_lazy("This is your last way in. Set a password first."),
        "no_verified_email": gettext_lazy("Verify your e-mail address first."),
        "disconnect_last": gettext_lazy("This is your last way in. Set a password first."),
        "connected_other": gettext_lazy("That account signs in somebody else already."),
    }

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Only what the environment configures: a row in the database opens no way in."""
        return [app for app in super().list_apps(request, provider=provider, client_id=client_id) if app.pk is None]

    def authenticate_by_email(self, sociallogin: SocialLogin) -> None:
        """Never: a provider's word on an address is no proof of who signs in here."""

    def get_requests_session(self) -> requests.Session:
        """Ask a provider. A failure, a page for people or half of what was asked for is no answer."""
        session: requests.Session = super().get_requests_session()
        session.hooks["response"].append(_must_be_an_answer)
        return session

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Conclude a proof, which ends here: nobody is signed in, linked or made by one.

        Let a sign-in or a link go on, with nothing but who it is: no token, no claims reach session or database.
        """
        provider, proof_only = sociallogin.provider.name, is_for_proofs(sociallogin.provider)
        if sociallogin.state.get("process") == AuthProcess.REDIRECT and sociallogin.state.get("data"):
            raise ImmediateHttpResponse(identity.conclude(request, sociallogin))
        if proof_only:
            raise ImmediateHttpResponse(identity.lost())
        if sociallogin.state.get("process") not in (AuthProcess.LOGIN, AuthProcess.CONNECT):
            raise ImmediateHttpResponse(not_finished(request, provider, _LOST))
        claims = claims_of(sociallogin.account)
        if sociallogin.account.provider != "apple" and not claims:
            raise ImmediateHttpResponse(not_finished(request, provider, _UNTRUSTED))
        sociallogin.token = None
        sociallogin.email_addresses = []  # An address is verified by our own code.
        sociallogin.account.extra_data = _kept(sociallogin.account)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """A ceremony that fails ends on a page of ours. What went wrong is logged by kind: texts quote the provider."""
        state = (extra_context or {}).get("state")
        if error == AuthError.CANCELLED or request.GET.get("error") == "user_cancelled_authorize":
            reason = _CANCELLED
        elif isinstance(exception, requests.RequestException) or request.GET.get("error") in (
            "server_error",
            "temporarily_unavailable",
        ):
            reason = _UNREACHABLE
        elif exception is None and state is None:
            reason = _LOST
        else:
            reason = _UNTRUSTED
        kind = type(exception).__name__ if exception else error
        proof = identity.begun_by(request, state)
        if proof is not None:
            identity.fail(proof, _OF_PROOFS[reason], request=request, check=str(kind))
            raise ImmediateHttpResponse(HttpResponseRedirect(identity.landing_of(proof)))
        if is_for_proofs(provider):
            raise ImmediateHttpResponse(identity.lost())
        logger.warning("An outside sign-in ended: %s, %s", provider.sub_id, kind)
        raise ImmediateHttpResponse(not_finished(request, provider.name, reason))

    def validate_disconnect(self, account: SocialAccount, accounts: Any) -> None:
        """The last way in stays. Raises ValidationError."""
        if not sign_in.ways_in(account.user, without=account):
            raise self.validation_error("disconnect_last")

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: SocialAccount) -> str:
        """Back to the page of all ways in."""
        return reverse("accounts:settings-sign-in")


_CANCELLED = gettext_lazy("You cancelled at %(provider)s.")
_UNREACHABLE = gettext_lazy("%(provider)s did not answer.")
_UNTRUSTED = gettext_lazy("The answer of %(provider)s could not be trusted.")
_LOST = gettext_lazy("It was begun too long ago, or in another browser.")
# What comes to a proof that ends so; one that is lost is none.
_OF_PROOFS = {_CANCELLED: Reason.CANCELLED, _UNREACHABLE: Reason.UNREACHABLE, _UNTRUSTED: Reason.UNTRUSTED}


def is_for_proofs(provider: Any) -> bool:
    """Whether an app is for proofs alone: nobody signs in by it."""
    return bool(provider.app.settings.get("proof_only"))


class NoAnswer(requests.RequestException):
    """What came is nothing that a provider says."""


_DISCOVERY = "/.well-known/openid-configuration"
_SAYS_OF_ITSELF = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


def _must_be_an_answer(response: requests.Response, **_: Any) -> None:
    """Of the token endpoint JSON, of discovery what is needed of it. Raises RequestException."""
    _whole = response.content  # Read before it is refused, so that the connection is free.
    response.raise_for_status()
    if response.request.method == "POST":
        response.json()
    elif str(response.url).partition("?")[0].endswith(_DISCOVERY):
        said = response.json()
        if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in _SAYS_OF_ITSELF):
            raise NoAnswer


def not_finished(request: HttpRequest, provider: str, reason: Any) -> HttpResponse:
    """The page on which a ceremony with a provider ends that came to nothing: one sentence and a next step."""
    return page(
        request,
        "accounts/sign_in_problem.html",
        {"title": _("The sign-in was not finished."), "sentence": str(reason) % {"provider": provider}},
        status=200 if reason is _CANCELLED else 400,
    )


def unreachable(request: HttpRequest, provider: str) -> HttpResponse:
    """The page for a provider that does not answer."""
    return not_finished(request, provider, _UNREACHABLE)


def untrusted(request: HttpRequest, provider: str) -> HttpResponse:
    """The page for an answer that no provider gives."""
    return not_finished(request, provider, _UNTRUSTED)


def _kept(account: SocialAccount) -> dict[str, str]:
    claims = claims_of(account)
    # allauth shows an account by its user name first; that is where the label goes.
    return {"username": sign_in.label(claims)} if claims else dict(account.extra_data)


def keep_the_label_alone(sender: Any, instance: SocialAccount, **_: Any) -> None:
    """Before a linked account is saved: tokens and claims stay in memory, as `claims`; the row holds its label."""
    if set(instance.extra_data) != {"username"}:
        instance.claims = instance.extra_data
        instance.extra_data = _kept(instance)


# -- Second factors ---------------------------------------------------------------------------------------------------


class MFAAdapter(DefaultMFAAdapter):
    """Passkeys, one-time codes, recovery codes."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultMFAAdapter.error_messages,
        "add_email_blocked": gettext_lazy("Turn the second factor off before you add an address."),
        "cannot_delete_authenticator": gettext_lazy("This is your last way in. Set a password first."),
        "cannot_generate_recovery_codes": gettext_lazy("Recovery codes stand in for a second factor: add one first."),
        "incorrect_code": gettext_lazy("That is not right. A code counts once: wait for the next one."),
        "unverified_email": gettext_lazy("Verify your e-mail address first."),
    }

    def encrypt(self, text: str) -> str:
        """Seal a seed under the server key F."""
        return base64.b64encode(keyring.seal(_SEEDS, b"", text.encode())).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """The seed again. One that does not open ends on a page that says so: no code is right for it."""
        try:
            return keyring.unseal(_SEEDS, b"", base64.b64decode(encrypted_text)).decode()
        except (VaultError, ImproperlyConfigured, ValueError) as error:
            logger.error("A second factor does not open: %s", type(error).__name__)
            raise ImmediateHttpResponse(
                page(
                    context.request,
                    "accounts/sign_in_problem.html",
                    {
                        "title": _("Your second factor cannot be checked."),
                        "sentence": _(
                            "This server cannot read it any more. Ask its operator, who can take it off; your list"
                            " stays as it is."
                        ),
                    },
                    status=503,
                )
            ) from None

    def is_mfa_enabled(self, user: AbstractBaseUser | AnonymousUser, types: Any = None) -> bool:
        """Whether a second factor is there that this server takes: one that is switched off is asked of nobody."""
        every = types if types is not None else list(Authenticator.Type)
        taken = [type for type in every if type in mfa_settings.SUPPORTED_TYPES]
        if getattr(user, "passkeys_off", False):
            taken = [type for type in taken if type != Authenticator.Type.WEBAUTHN]
        return bool(taken) and super().is_mfa_enabled(user, types=taken)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """The last way in stays."""
        ways = sign_in.ways_in(authenticator.user)
        return authenticator not in ways.passkeys or bool(sign_in.ways_in(authenticator.user, without=authenticator))

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys belong to SITE_URL's host: a Host that a request claims makes and asks for none of its own."""
        return {"id": str(urlsplit(settings.SITE_URL).hostname), "name": "Authweb"}

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Authenticator.Type) -> str:
        """What a new passkey is called until its owner calls it something."""
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return _("Passkey") if number == 1 else _("Passkey %(number)d") % {"number": number}
