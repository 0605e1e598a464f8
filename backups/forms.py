"""One form for each question of Cloud Backup."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import sentences
from accounts.services import words
from accounts.vault import encoding
from accounts.vault.errors import Damaged, ParseError
from accounts.vault.keys import Secret
from accounts.vault.list import Protection
from backups.services.answers import Answer, Question
from backups.services.searching import Found

_ANSWERS = ((Answer.ON.value, _("On")), (Answer.UNSEEN.value, _("I do not see it")))
_NO_CHOICE = _("Choose a backup.")
_PRF_BYTES = 32
_UNANSWERED = _("Answer this: “On”, or “I do not see it”.")


def _question(label: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=_ANSWERS, widget=forms.RadioSelect, error_messages={"required": _UNANSWERED}
    )


class IPhoneForm(forms.Form):
    """What a page cannot see of an iPhone. From the day of iCloud on its Keychain has to be on."""

    icloud_backup = _question(_("Is Back Up This iPhone on?"))
    saved_to_icloud = _question(_("Is the Authweb switch on?"))
    keychain = _question(_("Is iCloud Keychain on?"))

    def __init__(self, *args: Any, with_keychain: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not with_keychain:
            del self.fields["keychain"]

    def clean_keychain(self) -> str:
        """Only "On" leads on. Raises ValidationError."""
        if self.cleaned_data["keychain"] != Answer.ON:
            raise forms.ValidationError(
                _(
                    "iCloud Keychain has to be on. On the iPhone open Settings, tap your name, then iCloud, then "
                    "Passwords, and turn on “Sync this iPhone”. Then answer “On”."
                ),
                code="keychain",
            )
        return str(self.cleaned_data["keychain"])

    def answers(self) -> dict[Question, Answer]:
        """All of them."""
        return {Question(name): Answer(self.cleaned_data[name]) for name in self.fields}


class OpenForm(forms.Form):
    """Which saved state, and the words that open it where it needs some.

    Between its fields stand forms of their own, one for each passkey: each field says to which form it belongs.
    """

    choice = forms.ChoiceField(
        widget=forms.RadioSelect, error_messages={"required": _NO_CHOICE, "invalid_choice": _NO_CHOICE}
    )
    words = forms.CharField(
        label=_("Six words"),
        help_text=_("Capitals, spaces and hyphens do not matter. Pasting works too."),
        max_length=words.MOST_TYPED,
        required=False,
        widget=forms.Textarea(
            attrs={
                "form": "restore-choose",
                "rows": 2,
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
        error_messages={"max_length": _("That is too long: 500 characters are the most.")},
    )

    def __init__(self, *args: Any, found: Found, takes_passkeys: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._takes_passkeys = takes_passkeys
        self._kinds = {choice.key: choice.kinds for choice in found.every}
        self.fields["choice"].choices = [(key, key) for key in self._kinds]  # type: ignore[attr-defined]

    def clean_words(self) -> Secret | None:
        """Enough of them to be any, which costs no try. Raises ValidationError."""
        typed = str(self.cleaned_data["words"])
        try:
            return words.read_own(typed) if typed.strip() else None
        except (words.Guessable, ParseError):
            sentence = _("Six words, or your own, have 12 letters or more. This cost no try.")
            raise forms.ValidationError(sentence) from None

    def clean(self) -> dict[str, Any]:
        """Words where the chosen one needs a key. Raises ValidationError."""
        cleaned = super().clean() or self.cleaned_data
        kinds = self._kinds.get(cleaned.get("choice", ""), frozenset())
        if not kinds or cleaned.get("words") or "words" in self.errors:
            return cleaned
        if "words" in kinds:
            raise forms.ValidationError({"words": _("This backup needs your six words. Type them.")})
        raise forms.ValidationError(
            _("This backup needs your passkey. Choose “Use your passkey”.")
            if self._takes_passkeys
            else sentences.passkeys_off()
        )


class PasskeyForm(forms.Form):
    """Which saved state, and the 32 bytes that a passkey gave for it, as base64url."""

    choice = forms.CharField(max_length=64)
    output = forms.CharField(max_length=64)

    def clean_output(self) -> Secret:
        """32 bytes. Raises ValidationError."""
        try:
            output = encoding.from_b64url(str(self.cleaned_data["output"]))
        except Damaged:
            output = b""
        if len(output) != _PRF_BYTES:
            raise forms.ValidationError(_NO_CHOICE, code="output")
        return Secret(output)


class ProtectionForm(forms.Form):
    """Who can open the backup; and, where the list holds the recovery account's own code, a tick."""

    protection = forms.ChoiceField(
        label=_("Who can open the backup?"),
        choices=[(protection.value, protection.value) for protection in Protection],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose who can open the backup.")},
    )
    saved_elsewhere = forms.BooleanField(
        label=_("I have saved its recovery codes somewhere else."),
        error_messages={"required": _("Save its recovery codes somewhere else first, then tick this.")},
    )

    def __init__(self, *args: Any, circle: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not circle:
            del self.fields["saved_elsewhere"]
