"""Passkeys and sign-in: every way in on one page; signing in again without a password; invitations."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import wraps
from http import HTTPStatus
from typing import Any

from allauth.account import app_settings as account_settings
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.email_verification_by_code import EMAIL_VERIFICATION_CODE_SESSION_KEY
from allauth.account.internal.flows.password_reset_by_code import PasswordResetVerificationProcess
from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import roles
from accounts.adapter import INVITATION_IN_SESSION
from accounts.http import UserRequest, View, fresh_sign_in, go, page, prove_by_link, said, signed_in_again_outside
from accounts.models import User
from accounts.services import activity, browsers, devices, sign_in
from accounts.services.activity import Tag
from accounts.vault.errors import Damaged

_HERE = "accounts:settings-sign-in"
_LONGEST_ADDRESS = 200  # As a proof keeps where it leads.


# -- Every way in -----------------------------------------------------------------------------------------------------


@require_http_methods(["GET"])
def index(request: UserRequest) -> HttpResponse:
    """Password, passkeys, second factor, recovery codes, outside sign-ins and sessions of a person."""
    factors = list(Authenticator.objects.filter(user=request.user).order_by("created_at"))
    codes = [factor for factor in factors if factor.type == Authenticator.Type.RECOVERY_CODES]
    links = SocialAccount.objects.filter(user=request.user, provider__in=sign_in.outside_providers())
    return page(
        request,
        "accounts/sign_in.html",
        {
            "addresses": EmailAddress.objects.filter(user=request.user).order_by("-primary", "email"),
            "has_password": request.user.has_usable_password(),
            "passkeys_are_on": "webauthn" in mfa_settings.SUPPORTED_TYPES,
            # Where they sign nobody in, they may still open a list.
            "has_passkey_keys": "webauthn" not in mfa_settings.SUPPORTED_TYPES
            and bool(sign_in.passkeys_of(request.user).keys),
            "passkeys": [factor for factor in factors if factor.type == Authenticator.Type.WEBAUTHN],
            "totp": next((factor for factor in factors if factor.type == Authenticator.Type.TOTP), None),
            "has_recovery_codes": bool(codes),
            "can_have_recovery_codes": len(factors) > len(codes),
            "outside_is_on": bool(sign_in.outside_providers()),
            "outside": [(link.get_provider().name, link.get_provider_account().to_str()) for link in links],
            "sessions": _sessions(request),
        },
    )


def _sessions(request: UserRequest) -> list[dict[str, Any]]:
    """Where the person is signed in; the newest first, this browser before all."""
    sessions = [
        {
            "name": browsers.detect(session.user_agent)[0] or _("A browser"),
            "ip": session.ip,
            "since": session.created_at,
            "is_here": session.is_current(),
        }
        for session in UserSession.objects.purge_and_list(request.user)
    ]
    return sorted(sessions, key=lambda session: (session["is_here"], session["since"]), reverse=True)


def instead(view: View) -> View:
    """Guard: allauth's overview of a part is on our page of all ways in."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return go(request, _HERE)

    return guarded


def everywhere_else(view: View) -> View:
    """Guard: the sessions are on our page; its button ends all but this one."""

    @wraps(view)
    def guarded(request: UserRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            end_other_sessions(request, request.user)
            here = devices.here(request)
            activity.record(Tag.SIGNED_OUT_ELSEWHERE, user=request.user, device=here, at=timezone.now())
            said(request, _("Signed out everywhere else."))
        return go(request, _HERE)

    return guarded


def one_by_one(view: View) -> View:
    """Guard: of two that take a way in away at once the second sees what the first left."""

    @wraps(view)
    def guarded(request: UserRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        with transaction.atomic():
            User.objects.select_for_update().get(pk=request.user.pk)
            return view(request, *args, **kwargs)

    return guarded


def links(view: View) -> View:
    """Guard: after a fresh sign-in outside accounts are linked and unlinked, where this server knows any provider."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not sign_in.outside_providers():
            return go(request, _HERE)
        return fresh_sign_in(one_by_one(view))(request, *args, **kwargs)

    return guarded


def not_the_last(view: View) -> View:
    """Guard: after a fresh sign-in a passkey is removed, unless it is the last way in; the page learns what stops."""

    @wraps(view)
    def checked(request: UserRequest, *args: Any, pk: int, **kwargs: Any) -> HttpResponseBase:
        key = Authenticator.objects.filter(user=request.user, type=Authenticator.Type.WEBAUTHN, pk=pk).first()
        if key is None:
            raise Http404
        if not get_mfa_adapter().can_delete_authenticator(key):
            said(request, _("This passkey is your last way in. Set a password first."), error=True)
            return go(request, _HERE)
        request.passkeys = sign_in.passkeys_of(request.user, without=key)  # type: ignore[attr-defined]
        request.key_of_it = request.passkeys.key_of(key)  # type: ignore[attr-defined]
        return view(request, *args, pk=pk, **kwargs)

    return fresh_sign_in(one_by_one(checked))


def while_accepted(view: View) -> View:
    """Guard: after a fresh sign-in a passkey is added, where those of this person are accepted."""

    @wraps(view)
    def guarded(request: UserRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.passkeys_off:
            said(request, _("Your passkeys are not accepted here. Accept them again first."), error=True)
            return go(request, _HERE)
        return view(request, *args, **kwargs)

    return fresh_sign_in(guarded)


def says_what_the_list_holds(view: View) -> View:
    """Guard: after a fresh sign-in; the page learns whether the open list gives the codes these stand in for."""

    @wraps(view)
    def told(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        vault = devices.enter(request)
        with suppress(Damaged):
            request.factor_is_listed = vault is not None and sign_in.factor_is_in(vault)  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return fresh_sign_in(told)


# -- Passkeys, accepted or not ----------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@fresh_sign_in
def passkeys_off(request: UserRequest) -> HttpResponse:
    """Accept no passkey of the person's any more. First the page says what stops, and what stays."""
    if request.user.passkeys_off:
        return go(request, _HERE)
    if request.method == "POST":
        try:
            sign_in.refuse_passkeys(request.user, device=devices.here(request), at=timezone.now())
        except sign_in.LastWayIn:
            return go(request, "accounts:passkeys-off")
        said(request, _("Your passkeys are not accepted any more."))
        return go(request, _HERE)
    context = {"passkeys": sign_in.passkeys_of(request.user), "is_last": sign_in.last_is_a_passkey(request.user)}
    return page(request, "accounts/passkeys_off.html", context)


@require_http_methods(["GET", "POST"])
@fresh_sign_in
def passkeys_on(request: UserRequest) -> HttpResponse:
    """Accept them again: one click, after a sign-in in another way."""
    if not request.user.passkeys_off:
        return go(request, _HERE)
    if request.method == "POST":
        sign_in.accept_passkeys(request.user, device=devices.here(request), at=timezone.now())
        said(request, _("Your passkeys are accepted again."))
        return go(request, _HERE)
    return page(request, "accounts/passkeys_on.html")


# -- The code of a sign-up --------------------------------------------------------------------------------------------


def counts_anew(view: View) -> View:
    """Guard: none; a code that is sent again counts as long, and for as many tries, as the page and its mail say.

    For an address that is taken as well, where none is sent: else the time would tell.
    """

    @wraps(view)
    def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        before = request.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY, {}).get("resend_count")
        response = view(request, *args, **kwargs)
        state = request.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY, {})
        if response.status_code == HTTPStatus.FOUND and before is not None and state.get("resend_count", 0) > before:
            request.session[EMAIL_VERIFICATION_CODE_SESSION_KEY] = state | {"at": time.time(), "failed_attempts": 0}
            if LOGIN_SESSION_KEY in request.session:  # The sign-in that waits for the code.
                request.session[LOGIN_SESSION_KEY] |= {"initiated_at": time.time()}
        return response

    return counted


# -- Signing in again -------------------------------------------------------------------------------------------------


def can_sign_in_again(view: View) -> View:
    """Guard: who has nothing to sign in again with is led to where they get it, not refused."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not get_adapter().get_reauthentication_methods(request.user):
            onward = get_next_redirect_url(request)
            return go(request, "sign_in_again", query={"next": onward} if onward else None)
        return view(request, *args, **kwargs)

    return guarded


@require_http_methods(["GET", "POST"])
@sensitive_variables()
def again(request: UserRequest) -> HttpResponseBase:
    """Who has neither password nor second factor shows who they are by a linked account, or by a mailed code.

    With the code a password is set, which is there from then on.
    """
    onward = get_next_redirect_url(request) or ""
    if not onward.startswith("/") or len(onward) > _LONGEST_ADDRESS:
        onward = reverse(_HERE)
    if get_adapter().get_reauthentication_methods(request.user) or signed_in_again_outside(request):
        return go(request, onward)
    links = [link for link in sign_in.ways_in(request.user).outside if roles.is_way(link.provider)]
    chosen = next((link for link in links if str(link.pk) == request.POST.get("link")), None)
    if request.method == "POST" and chosen is not None:
        return prove_by_link(request, chosen, back=onward)
    address = EmailAddress.objects.filter(user=request.user, verified=True).order_by("-primary").first()
    if request.method == "POST" and address is not None:
        limited: HttpResponse | None = ratelimit.consume_or_429(
            request, action="reset_password", key=address.email.lower()
        )
        if limited:
            return limited
        PasswordResetVerificationProcess.initiate(request=request, user=request.user, email=address.email)
        return go(request, "account_confirm_password_reset_code", query={"next": onward})
    return page(
        request,
        "accounts/sign_in_again.html",
        {
            "address": address,
            "links": [(link.pk, roles.name_of(link.provider)) for link in links],
            "next": onward,
            "minutes": account_settings.PASSWORD_RESET_BY_CODE_TIMEOUT // 60,
        },
    )


# -- Invitations ------------------------------------------------------------------------------------------------------


@login_not_required
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Where an invitation leads: to signing up with the invited address, once."""
    try:
        email = sign_in.invited(token)
    except sign_in.InvitationOver:
        return page(
            request, "accounts/invitation.html", {"over": True, "days": settings.INVITATION_MAX_AGE.days}, status=410
        )
    if request.user.is_authenticated:
        return go(request, "accounts:list")
    if sign_in.is_known(email):
        return page(request, "accounts/invitation.html", {"email": email, "used": True})
    if request.method == "POST":
        request.session[INVITATION_IN_SESSION] = token
        return go(request, "account_signup", query={"email": email})
    return page(request, "accounts/invitation.html", {"email": email})
