"""What is typed where a list is opened in another browser, and where keys are made, changed and removed."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class LeaveForm(forms.Form):
    """Yes to deleting one's Authweb account."""

    agreed = forms.BooleanField(
        label=_("I have moved my accounts, or need none of them."),
        error_messages={"required": _("Tick this, or go back: sites go on asking for codes.")},
    )


class LettersForm(forms.Form):
    """The eight letters of a request, as the new browser shows them; case, spaces and hyphens do not count."""

    letters = forms.CharField(
        label=_("Type the eight letters that the new browser shows"),
        help_text=_("They stand large on its screen. The gap does not matter."),
        max_length=64,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "class": "letters-field",
            }
        ),
        error_messages={"required": _("Type the letters, or refuse the request.")},
    )
