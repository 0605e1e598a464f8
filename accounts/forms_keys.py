"""What is typed where a list is opened in another browser, and where keys are made, changed and removed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.forms import DoorForm, clean_line
from accounts.services import passkeys
from accounts.services.word_list import NotInList
from accounts.services.words import MOST_TYPED, Drawn
from accounts.vault import encoding, keys
from accounts.vault.errors import Damaged
from accounts.vault.keys import Secret

_OFF = {"autocomplete": "off", "autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}
_NO_PASSKEY = _("This is not what a passkey gives. Use the passkey once more.")
_NO_NAME = _("The name is missing. Give the passkey a name.")
_TOO_LONG = _("That is too long: 500 characters are the most.")


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

    def clean_letters(self) -> str:
        """Eight of them. A slip of the finger is no wrong entry. Raises ValidationError."""
        typed = str(self.cleaned_data["letters"])
        count = len(keys.plain(typed))
        if count != keys.LETTERS_SHOWN:
            sentence = ngettext(
                "This is %(count)d letter; there are eight. This cost no try.",
                "These are %(count)d letters; there are eight. This cost no try.",
                count,
            )
            raise forms.ValidationError(sentence % {"count": count}, code="length")
        return typed


class OpenByWordsForm(DoorForm):
    """Six words, or a person's own. What was typed is shown again after a mistake."""

    fault: NotInList | None = None  # The word that is not in the list.

    words = forms.CharField(
        label=_("Six words"),
        help_text=_("Capitals, spaces and hyphens do not matter. Pasting works too."),
        max_length=MOST_TYPED,
        widget=forms.Textarea(attrs={"rows": 2, **_OFF}),
        error_messages={"required": _("No words were typed. Type them, or open the list another way.")},
    )

    def __init__(self, *args: Any, own: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["words"]
        field.error_messages["max_length"] = _TOO_LONG
        if own:
            field.label = _("Your own words")


class TypedBackForm(forms.Form):
    """Two of the six words, by their numbers."""

    NAMES = ("one", "other")

    one = forms.CharField(max_length=MOST_TYPED, widget=forms.TextInput(attrs=_OFF))
    other = forms.CharField(max_length=MOST_TYPED, widget=forms.TextInput(attrs=_OFF))

    def __init__(self, *args: Any, drawn: Drawn, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names = dict(zip(drawn.asked, self.NAMES, strict=True))
        for place, name in self._names.items():
            field = self.fields[name]
            field.label = gettext("Word %(number)d") % {"number": place}
            field.error_messages["required"] = field.error_messages["max_length"] = self._sentence(place)

    def typed(self) -> tuple[str, str]:
        """Both."""
        return self.cleaned_data["one"], self.cleaned_data["other"]

    def add_differing(self, place: int) -> None:
        """This one is not what stands above."""
        self.add_error(self._names[place], self._sentence(place))

    def _sentence(self, place: int) -> str:
        return gettext("This is not word %(number)d. It stands above.") % {"number": place}


class OwnWordsForm(forms.Form):
    """A person's own words, twice; never shown again."""

    words = forms.CharField(
        label=_("Your own words"),
        help_text=_("12 characters or more. Capitals, spaces and hyphens do not count."),
        max_length=MOST_TYPED,
        widget=forms.PasswordInput(attrs=_OFF),
        error_messages={"required": _("No words were typed. Type them twice."), "max_length": _TOO_LONG},
    )
    again = forms.CharField(
        label=_("The same once more"),
        max_length=MOST_TYPED,
        widget=forms.PasswordInput(attrs=_OFF),
        error_messages={"required": _("Type your words a second time."), "max_length": _TOO_LONG},
    )

    def clean(self) -> dict[str, Any]:
        """Both are the same as they will be stretched."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and keys.plain(cleaned["words"]) != keys.plain(cleaned["again"]):
            self.add_error("again", _("The two are not the same. Type both anew."))
        return cleaned


def _bytes(text: str) -> bytes:
    """The bytes of base64url, as a script sends them. Raises ValidationError."""
    try:
        return encoding.from_b64url(text)
    except Damaged:
        raise forms.ValidationError(_NO_PASSKEY, code="bytes") from None


def _credential(text: str) -> bytes:
    """A credential's id."""
    credential = _bytes(text)
    if not 0 < len(credential) <= passkeys.LONGEST_ID:
        raise forms.ValidationError(_NO_PASSKEY, code="length")
    return credential


def _output(text: str) -> Secret:
    """What the PRF extension gives."""
    output = _bytes(text)
    if len(output) != passkeys.OUTPUT:
        raise forms.ValidationError(_NO_PASSKEY, code="length")
    return Secret(output)


class OpenByPasskeyForm(DoorForm):
    """What the script sends of a passkey: its id, and what it gave. No page has fields for them."""

    credential = forms.CharField(max_length=2000)
    output = forms.CharField(max_length=64)

    def clean_credential(self) -> bytes:
        """The id's bytes."""
        return _credential(self.cleaned_data["credential"])

    def clean_output(self) -> Secret:
        """32 bytes."""
        return _output(self.cleaned_data["output"])


class NewPasskeyForm(forms.Form):
    """A name for a passkey, typed; its id and what two uses of it gave, sent by the script."""

    name = forms.CharField(label=_("Name"), max_length=64, error_messages={"required": _NO_NAME})
    credential = forms.CharField(max_length=2000, widget=forms.HiddenInput)
    first = forms.CharField(max_length=64, widget=forms.HiddenInput)
    second = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def clean_name(self) -> str:
        """The name, one line."""
        return clean_line(self.cleaned_data["name"])

    def clean_credential(self) -> bytes:
        """The id's bytes."""
        return _credential(self.cleaned_data["credential"])

    def clean_first(self) -> Secret:
        """32 bytes."""
        return _output(self.cleaned_data["first"])

    def clean_second(self) -> Secret:
        """32 bytes, of another use."""
        return _output(self.cleaned_data["second"])
