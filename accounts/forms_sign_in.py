"""The forms of second factors and passkeys: whatever a browser sends as one is judged, never a failure."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from allauth.core import context
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.webauthn import forms as of_allauth
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_LONGEST = 65_536  # Letters; an answer has some thousand.
# What the readers of WebAuthn raise on bytes that are none.
_UNREADABLE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    struct.error,
)


class _CredentialField(forms.JSONField):
    """A passkey's answer, as a script of ours puts it into the form."""

    def to_python(self, value: Any) -> Any:
        """The document. Raises ValidationError for what is too long, too deep or no JSON."""
        try:
            if len(value or "") <= _LONGEST:
                return super().to_python(value)
        except (ValueError, RecursionError):
            pass
        raise ValidationError(self.error_messages["invalid"], code="invalid")

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Nothing: an answer counts once, and is not written into the page again."""
        return None

    def prepare_value(self, value: Any) -> Any:
        """As it is."""
        return value


def _field() -> _CredentialField:
    return _CredentialField(
        widget=forms.HiddenInput,
        error_messages={
            "invalid": _("The answer of the passkey could not be read. Try again."),
            "required": _("The passkey gave no answer. Try again."),
        },
    )


def _judged(clean: Callable[[], Any]) -> Any:
    try:
        return clean()
    except _UNREADABLE:
        raise get_adapter().validation_error("incorrect_code") from None


class TurnOnCodesForm(ActivateTOTPForm):
    """The second factor is turned on by its first code. Its key is the one that was shown, until it is turned on.

    allauth draws another key whenever the page is opened: what was scanned into the list a moment ago, on the same
    phone, would then fit no more.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        shown = context.request.session.get(SECRET_SESSION_KEY)
        super().__init__(*args, **kwargs)
        if shown and not self.is_bound:
            self.secret = context.request.session[SECRET_SESSION_KEY] = shown

    def clean_code(self) -> str:
        """The first code, which counts here and nowhere else. Raises ValidationError."""
        code: str = super().clean_code()
        _taken(self.user.pk, code)
        return code


class _Once:
    """A one-time code is taken once, at whichever form, for as long as it counts.

    allauth remembers a used one for its own half minute, and takes those of the half minutes around it as well.
    """

    def clean_code(self) -> str:
        """The code. Raises ValidationError where it is not one of now, or was used."""
        code: str = super().clean_code()  # type: ignore[misc]
        of_totp = self.authenticator.type == Authenticator.Type.TOTP  # type: ignore[attr-defined]
        if of_totp and not _taken(self.user.pk, code):  # type: ignore[attr-defined]
            raise get_adapter().validation_error("incorrect_code")
        return code


def _taken(user_id: Any, code: str) -> bool:
    counts = (2 * mfa_settings.TOTP_TOLERANCE + 1) * mfa_settings.TOTP_PERIOD
    return bool(cache.add(f"code-used:{user_id}:{normalize_user_code(code)}", True, timeout=counts))


class SignInByCodeForm(_Once, AuthenticateForm):
    """The second factor at a sign-in: a one-time code or a recovery code."""


class SignInAgainByCodeForm(_Once, ReauthenticateForm):
    """The same, asked again."""


class AddPasskeyForm(of_allauth.AddWebAuthnForm):
    """A new passkey of a person."""

    credential = _field()

    def clean(self) -> Any:
        """What the passkey said. Raises ValidationError."""
        return _judged(super().clean)


class SignUpByPasskeyForm(of_allauth.SignupWebAuthnForm):
    """The passkey of a new person."""

    credential = _field()

    def clean(self) -> Any:
        """What the passkey said. Raises ValidationError."""
        return _judged(super().clean)


class _ByPasskey:
    """Whoever shows a passkey."""

    def clean_credential(self) -> Any:
        """The passkey it is. Raises ValidationError, for one of a person who takes none too."""
        try:
            passkey = _judged(super().clean_credential)  # type: ignore[misc]
        except ValidationError as refused:
            if refused.code != "incorrect_code":
                raise
            # The browser offers those that open the list as well.
            raise ValidationError(
                _("This passkey does not sign you in here. Choose another one, or sign in another way."),
                code=refused.code,
            ) from None
        if passkey.user.passkeys_off:
            raise ValidationError(_("Passkeys are switched off for you here. Sign in another way."), code="off")
        return passkey


class AuthenticateByPasskeyForm(_ByPasskey, of_allauth.AuthenticateWebAuthnForm):
    """A passkey as second factor."""

    credential = _field()


class SignInByPasskeyForm(_ByPasskey, of_allauth.LoginWebAuthnForm):
    """A passkey as the sign-in."""

    credential = _field()


class SignInAgainByPasskeyForm(_ByPasskey, of_allauth.ReauthenticateWebAuthnForm):
    """A passkey as the fresh sign-in."""

    credential = _field()
