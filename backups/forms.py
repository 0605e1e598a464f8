"""One form for each question of Cloud Backup."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.vault.list import Protection
from backups.services.answers import Answer, Question

_ANSWERS = ((Answer.ON.value, _("On")), (Answer.UNSEEN.value, _("I do not see it")))
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
