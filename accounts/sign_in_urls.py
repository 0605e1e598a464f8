"""allauth's pages, each behind a guard of ours: a table says which, and a system check keeps the table whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from allauth.urls import urlpatterns as of_allauth
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, URLResolver, path

from accounts.http import View, fresh_sign_in
from accounts.views import identity, sign_in


def _as_it_is(view: View) -> View:
    """Guard: none beside allauth's own and the sign-in that every page asks for."""
    return view


def _absent(view: View) -> View:
    """Guard: this page is not there."""

    @login_not_required
    def nothing(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        raise Http404

    return nothing


# What guards each page. A page that changes ways in asks for a fresh sign-in before it is shown.
GUARDS: Mapping[str, Callable[[View], View]] = {
    # Entrances: answer who is not signed in.
    "account_login": _as_it_is,
    "account_logout": _as_it_is,
    "account_inactive": _as_it_is,
    "account_signup": _as_it_is,
    "account_signup_by_passkey": _as_it_is,
    "account_email_verification_sent": sign_in.counts_anew,
    "account_request_login_code": _as_it_is,
    "account_confirm_login_code": _as_it_is,
    "account_reset_password": _as_it_is,
    "account_confirm_password_reset_code": _as_it_is,
    "account_complete_password_reset": _as_it_is,
    "account_password_reset_completed": _as_it_is,
    "mfa_authenticate": _as_it_is,
    "mfa_login_webauthn": _as_it_is,
    "mfa_signup_webauthn": _as_it_is,
    # A fresh sign-in.
    "account_reauthenticate": sign_in.can_sign_in_again,
    "mfa_reauthenticate": sign_in.can_sign_in_again,
    "mfa_reauthenticate_webauthn": sign_in.can_sign_in_again,
    # Ways in.
    "account_change_password": _as_it_is,  # Asks for the current password itself.
    "account_set_password": fresh_sign_in,
    "account_email": fresh_sign_in,
    "mfa_index": sign_in.instead,
    "mfa_activate_totp": fresh_sign_in,
    "mfa_deactivate_totp": fresh_sign_in,
    "mfa_view_recovery_codes": sign_in.says_what_the_list_holds,
    "mfa_generate_recovery_codes": fresh_sign_in,
    "mfa_download_recovery_codes": fresh_sign_in,
    "mfa_list_webauthn": sign_in.instead,
    "mfa_add_webauthn": sign_in.while_accepted,
    "mfa_edit_webauthn": fresh_sign_in,
    "mfa_remove_webauthn": sign_in.not_the_last,
    "usersessions_list": sign_in.everywhere_else,
    # Outside sign-ins.
    "socialaccount_login_cancelled": _absent,  # A ceremony that fails ends on a page of ours, at the callback.
    "socialaccount_login_error": _absent,
    "socialaccount_signup": _as_it_is,
    "socialaccount_connections": sign_in.links,
    "openid_connect_login": identity.begins,
    "openid_connect_callback": identity.ends,
    "apple_login": identity.begins,
    "apple_callback": identity.posted_by_apple,
    "apple_finish_callback": identity.ends,
}


def unguarded() -> list[str]:
    """Pages of allauth that the table does not name. They do not answer."""
    return sorted(pattern.name for pattern in _flat(of_allauth) if pattern.name and pattern.name not in GUARDS)


def _flat(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _flat(pattern.url_patterns)
        else:
            yield pattern


def _guarded(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern | URLResolver]:
    """The same patterns with their guards; those without a name are allauth's former addresses, which end here."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield URLResolver(pattern.pattern, list(_guarded(pattern.url_patterns)), pattern.default_kwargs)
        elif guard := GUARDS.get(pattern.name or ""):
            yield URLPattern(pattern.pattern, guard(pattern.callback), pattern.default_args, pattern.name)


urlpatterns: list[URLPattern | URLResolver] = [
    path("again/", sign_in.again, name="sign_in_again"),
    path("invitation/<str:token>/", sign_in.invitation, name="invitation"),
    *_guarded(of_allauth),
]
