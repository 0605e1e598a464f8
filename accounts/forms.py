"""One form for each thing that is typed."""

from __future__ import annotations

import unicodedata
import zoneinfo
from functools import cache
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import DeviceType, User


def clean_line(value: str) -> str:
    """One line of text: white space folded; control and direction-changing characters are refused."""
    if any(unicodedata.category(letter) in ("Cc", "Cs") or letter in _BIDI for letter in value):
        raise ValidationError(_("There is a character in it that cannot be shown. Type it anew."), code="control")
    return " ".join(value.split())


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class DeviceForm(forms.Form):
    """A browser becomes a device. Its id is made with the form, so that a second click is known as one."""

    device_id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name"), max_length=64)
    type = forms.TypedChoiceField(
        label=_("Type"), choices=DeviceType.choices, coerce=DeviceType, widget=forms.RadioSelect
    )

    def clean_name(self) -> str:
        """The name, one line."""
        return clean_line(self.cleaned_data["name"])


class NameDeviceForm(forms.Form):
    """What a browser will be called and what it is, before a door opens the list in it."""

    name = forms.CharField(label=_("Name"), max_length=64)
    type = forms.ChoiceField(label=_("Type"), choices=DeviceType.choices, widget=forms.RadioSelect)

    def clean_name(self) -> str:
        """The name, one line."""
        return clean_line(self.cleaned_data["name"])


class DoorForm(forms.Form):
    """What every door is opened with: the id of the device to be, made with the form."""

    device_id = forms.UUIDField(widget=forms.HiddenInput)


class RenameDeviceForm(forms.Form):
    """Another name for a device."""

    name = forms.CharField(label=_("Name"), max_length=64)

    def clean_name(self) -> str:
        """The name, one line."""
        return clean_line(self.cleaned_data["name"])


class RemovalForm(forms.Form):
    """Yes to removing a device; where a list goes with it, a tick."""

    agreed = forms.BooleanField(
        label=_("I know that the accounts of this list will be lost."),
        error_messages={"required": _("Tick this, or go back: the list is lost with its last key.")},
    )

    def __init__(self, *args: Any, must_agree: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not must_agree:
            del self.fields["agreed"]


class EntryForm(forms.Form):
    """What a person may change of an account: its names and its note."""

    issuer = forms.CharField(label=_("Site"), max_length=256, required=False)
    name = forms.CharField(label=_("Account name"), max_length=256, required=False)
    note = forms.CharField(label=_("Note"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}))


class CodesForm(forms.ModelForm):  # type: ignore[type-arg]
    """How codes are shown."""

    class Meta:
        model = User
        fields = ("hide_codes", "group_digits", "show_next_code", "compact_rows")


class AppearanceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Language, time zone, light or dark."""

    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    language = forms.ChoiceField(label=_("Language"), required=False)

    class Meta:
        model = User
        fields = ("theme", "time_zone", "language")
        widgets = {"theme": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = [("", _("As this server")), *zones()]  # type: ignore[attr-defined]
        self.fields["language"].choices = [("", _("As this browser")), *settings.LANGUAGES]  # type: ignore[attr-defined]
        if len(settings.LANGUAGES) < 2:
            del self.fields["language"]


class TimeZoneForm(forms.Form):
    """What the browser says of its time zone."""

    time_zone = forms.ChoiceField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = zones()  # type: ignore[attr-defined]


@cache
def zones() -> list[tuple[str, str]]:
    """Every time zone by its name; read from the system's files once."""
    return [(name, name.replace("_", " ")) for name in sorted(zoneinfo.available_timezones())]
