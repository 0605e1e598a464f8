"""What is typed at the demo's provider."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from allauth.account.forms import LoginForm
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from django import forms
from django.core.cache import cache
from django.http import HttpRequest

_CODE_COUNTS = 90  # Seconds: its own half minute, and one on either side.


class SignInForm(LoginForm):
    """Address and password. Fills itself with the address that was chosen on the page or named by the application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        address, password = self.fields["login"], self.fields["password"]
        address.widget = forms.EmailInput(attrs={"autocomplete": "username", "spellcheck": "false"})
        address.initial = hinted(self.request)
        password.widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
        password.help_text = ""
        (password if address.initial else address).widget.attrs["autofocus"] = True


class CodeForm(AuthenticateForm):
    """A code of the second factor, taken once: allauth forgets it before it has stopped to count."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget = forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        )

    def clean_code(self) -> str:
        """The code. Raises ValidationError where it is not one of now, or was used."""
        code: str = super().clean_code()
        if not cache.add(f"used:{self.user.pk}:{normalize_user_code(code)}", True, timeout=_CODE_COUNTS):
            raise get_adapter().validation_error("incorrect_code")
        return code


def hinted(request: HttpRequest) -> str:
    """Whose address the sign-in page begins with: chosen there, or the request's `login_hint`."""
    asked = parse_qs(urlsplit(request.GET.get("next", "")).query)
    return request.GET.get("address", "") or asked.get("login_hint", [""])[0]
