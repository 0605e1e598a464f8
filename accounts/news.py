"""What allauth tells becomes activity: a sign-in, a password, an address, a factor, a link."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.account.decorators import secure_admin_login
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.account.models import EmailAddress
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as outside_signals
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import pre_save
from django.http import HttpRequest
from django.utils import timezone

from accounts.adapter import INVITATION_IN_SESSION, AccountAdapter, MFAAdapter, keep_the_label_alone
from accounts.models import User
from accounts.services import activity, devices
from accounts.services.activity import Tag


def connect() -> None:
    """Listen to allauth; staff enter the admin by this sign-in, others are refused. Called once apps are ready."""
    admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
    pre_save.connect(keep_the_label_alone, sender=SocialAccount)
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
