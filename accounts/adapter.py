"""allauth's hooks: who may sign up, what a refusal says, seeds sealed, the last way in kept; signals become activity.

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
from allauth.account import signals as account_signals
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.decorators import secure_admin_login
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa import signals as mfa_signals
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as outside_signals
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_out
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.core.mail import EmailMessage
from django.db.models.signals import pre_save
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.http import page
from accounts.models import User
from accounts.services import activity, devices, keyring, sign_in
from accounts.services.activity import Tag
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

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Let a sign-in or a link go on, with nothing but who it is: no token, no claims reach session or database."""
        provider = sociallogin.provider.name
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
        if error == AuthError.CANCELLED or request.GET.get("error") == "user_cancelled_authorize":
            reason = _CANCELLED
        elif isinstance(exception, requests.RequestException) or request.GET.get("error") in (
            "server_error",
            "temporarily_unavailable",
        ):
            reason = _UNREACHABLE
        elif exception is None and (extra_context or {}).get("state") is None:
            reason = _LOST
        else:
            reason = _UNTRUSTED
        logger.warning(
            "An outside sign-in ended: %s, %s", provider.sub_id, type(exception).__name__ if exception else error
        )
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


def claims_of(account: SocialAccount) -> dict[str, Any]:
    """What the provider said of a person in the ID token; empty without one."""
    said = getattr(account, "claims", account.extra_data)
    if account.provider != "apple":
        said = said.get("id_token") if isinstance(said, dict) else None
    return said if isinstance(said, dict) else {}


def _kept(account: SocialAccount) -> dict[str, str]:
    claims = claims_of(account)
    # allauth shows an account by its user name first; that is where the label goes.
    return {"username": sign_in.label(claims)} if claims else dict(account.extra_data)


def _keep_the_label_alone(sender: Any, instance: SocialAccount, **_: Any) -> None:
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


# -- Activity ---------------------------------------------------------------------------------------------------------


def connect() -> None:
    """Listen to allauth; staff enter the admin by this sign-in, others are refused. Called once apps are ready."""
    admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
    pre_save.connect(_keep_the_label_alone, sender=SocialAccount)
    user_logged_out.connect(_signed_out)
    account_signals.user_logged_in.connect(_signed_in)
    account_signals.user_signed_up.connect(_signed_up)
    account_signals.password_changed.connect(_password_changed)
    account_signals.password_set.connect(_password_changed)
    account_signals.password_reset.connect(_password_reset)
    account_signals.email_added.connect(_address_added)
    account_signals.email_changed.connect(_address_changed)
    account_signals.email_removed.connect(_address_removed)
    mfa_signals.authenticator_added.connect(_factor_added)
    mfa_signals.authenticator_removed.connect(_factor_removed)
    mfa_signals.authenticator_reset.connect(_recovery_codes_made)
    mfa_signals.authentication_failed.connect(_factor_failed)
    outside_signals.social_account_added.connect(_outside_linked)
    outside_signals.social_account_removed.connect(_outside_unlinked)


def _record(tag: Tag, request: HttpRequest | None, user: Any, **facts: str) -> None:
    here = devices.here(request) if request is not None else None
    device = here if here is not None and here.user_id == user.pk else None
    activity.record(tag, user=user, device=device, at=timezone.now(), facts=facts)


def _signed_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    records = request.session.get("account_authentication_methods") or [{}]
    _record(Tag.SIGNED_IN, request, user, by=str(records[-1].get("type") or records[-1].get("method") or ""))


def _signed_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        _record(Tag.SIGNED_OUT, request, user)


def _signed_up(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _record(Tag.SIGNED_UP, request, user)
    if request.session.pop(INVITATION_IN_SESSION, None) and settings.SIGN_UP != "open":
        _record(Tag.PERSON_INVITED, request, user)


def _password_changed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _record(Tag.PASSWORD_CHANGED, request, user)


def _password_reset(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Who had no way to show who they are, and now set a password by a mailed code, has shown it."""
    _record(Tag.PASSWORD_RESET, request, user)
    before = request.user  # As signed in, from before the password was set.
    if before.is_authenticated and before.pk == user.pk and not _could_sign_in_again(before):
        update_session_auth_hash(request, user)
        reauthenticate_by_password(request)
        UserSession.objects.create_from_request(request)


def _could_sign_in_again(user: AbstractBaseUser) -> bool:
    return user.has_usable_password() or MFAAdapter().is_mfa_enabled(user)


def _address_added(sender: Any, request: HttpRequest, user: User, email_address: EmailAddress, **_: Any) -> None:
    """A verified address lets in by mailed code, so that the main address hears of it; allauth mails all else."""
    _record(Tag.ADDRESS_ADDED, request, user)
    if not email_address.primary:
        AccountAdapter().send_notification_mail(
            "account/email/email_added", user, context={"added_email": email_address.email}
        )


def _address_changed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _record(Tag.ADDRESS_CHANGED, request, user)


def _address_removed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _record(Tag.ADDRESS_REMOVED, request, user)


def _factor_added(sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    made_codes = authenticator.type == Authenticator.Type.RECOVERY_CODES
    _record(Tag.RECOVERY_CODES_MADE if made_codes else Tag.FACTOR_ADDED, request, user, type=authenticator.type)


def _factor_removed(sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    _record(Tag.FACTOR_REMOVED, request, user, type=authenticator.type)


def _recovery_codes_made(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _record(Tag.RECOVERY_CODES_MADE, request, user)


def _factor_failed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _record(Tag.FACTOR_FAILED, request, user)


def _outside_linked(sender: Any, request: HttpRequest, sociallogin: SocialLogin, **_: Any) -> None:
    _record(Tag.OUTSIDE_LINKED, request, sociallogin.user, provider=sociallogin.account.provider)


def _outside_unlinked(sender: Any, request: HttpRequest, socialaccount: SocialAccount, **_: Any) -> None:
    _record(Tag.OUTSIDE_UNLINKED, request, socialaccount.user, provider=socialaccount.provider)
