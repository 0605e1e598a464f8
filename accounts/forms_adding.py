"""The forms by which an account is added: pictures, links, by hand, and the yes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from accounts.sentences import HASHES
from accounts.services.adding import Choice, Typed
from accounts.services.previewing import Preview, Waiting
from accounts.vault.entry import DEFAULT_DIGITS, DEFAULT_PERIOD, DIGITS, PERIODS, Algorithm, Type
from accounts.vault.errors import Reason
from accounts.vault.list import Relation

# What the reader takes. Named one by one, iPhones send a JPEG in place of their own kind.
_KINDS = "image/png,image/jpeg,image/webp,image/gif"
_OFF = {"autocomplete": "off", "autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}


class _Pictures(forms.FileInput):
    """A field for several files at once."""

    allow_multiple_selected = True


class _PicturesField(forms.FileField):
    """Some pictures, each as file name and bytes; an empty one too, whose fault the reader names."""

    def clean(self, data: Any, initial: Any = None) -> list[tuple[str, bytes]]:
        """All of them, read; they are in memory."""
        files: list[UploadedFile[Any]] = [data] if isinstance(data, UploadedFile) else list(data or ())
        if not files:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return [(file.name or "", file.read()) for file in files]


class _NotRepeated:
    """A widget that never writes what was typed into the page again: it holds a secret key."""

    def format_value(self, value: object) -> str | None:
        """Nothing."""
        return None


class _SecretLine(_NotRepeated, forms.TextInput):
    """One line."""


class _SecretLines(_NotRepeated, forms.Textarea):
    """Several lines."""


class PicturesForm(forms.Form):
    """Pictures of QR codes, chosen."""

    pictures = _PicturesField(
        label=_("Pictures of QR codes"),
        help_text=_("A screenshot or photo of the QR code, or several."),
        widget=_Pictures(attrs={"accept": _KINDS}),
        error_messages={"required": _("No picture was chosen. Choose one.")},
    )


class TakePictureForm(PicturesForm):
    """A picture of a QR code, taken now: on phones the field opens the camera."""

    pictures = _PicturesField(
        label=_("Picture of the QR code"),
        help_text=_("Hold the camera straight and near, so that the whole code is in it. No picture is kept."),
        widget=forms.FileInput(attrs={"accept": "image/*", "capture": "environment"}),
        error_messages={"required": _("No picture was taken. Take one.")},
    )


class LinkForm(forms.Form):
    """Links, one a line."""

    link = forms.CharField(
        label=_("Link"),
        help_text=_("It begins with otpauth:// . Several are read too, one a line."),
        widget=_SecretLines(attrs={"rows": 4, **_OFF}),
        error_messages={"required": _("No link was typed. Copy it from the site.")},
    )


class HandForm(forms.Form):
    """An account typed by hand."""

    TYPES = (
        (Type.TOTP.value, _("By time")),
        (Type.HOTP.value, _("By counter")),
        (Type.STEAM.value, _("Steam")),
    )
    MORE = ("type", "digits", "period", "algorithm", "counter")
    FIELDS = {  # Where a fault of the core is shown.
        Reason.NO_SECRET: "secret",
        Reason.SECRET_LETTER: "secret",
        Reason.SECRET_TOO_LONG: "secret",
        Reason.NO_NAME: "label",
        Reason.NAME_TOO_LONG: "label",
        Reason.ISSUER_TOO_LONG: "label",
        Reason.CONTROL_CHARACTER: "label",
        Reason.DIGITS: "digits",
        Reason.PERIOD: "period",
        Reason.COUNTER: "counter",
        Reason.NOT_PERSONAL: "type",
    }

    label = forms.CharField(
        label=_("Account name"),
        help_text=_("Site and name, as in “GitHub: alice”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("The name is missing. Write the site, or the account, or both.")},
    )
    secret = forms.CharField(
        label=_("Secret key"),
        help_text=_("Capitals and spaces do not matter."),
        widget=_SecretLine(attrs=_OFF),
        error_messages={"required": _("The secret key is missing. Copy it from the site, whole.")},
    )
    type = forms.TypedChoiceField(
        label=_("Kind of code"), choices=TYPES, coerce=Type, empty_value=Type.TOTP, required=False
    )
    digits = forms.IntegerField(
        label=_("Digits"),
        initial=DEFAULT_DIGITS,
        required=False,
        widget=forms.NumberInput(attrs={"min": DIGITS[0], "max": DIGITS[-1]}),
        error_messages={"invalid": _("Write a whole number from 5 to 10.")},
    )
    period = forms.IntegerField(
        label=_("Seconds"),
        initial=DEFAULT_PERIOD,
        required=False,
        widget=forms.NumberInput(attrs={"min": PERIODS[0], "max": PERIODS[-1]}),
        error_messages={"invalid": _("Write a whole number from 1 to 86,400.")},
    )
    algorithm = forms.TypedChoiceField(
        label=_("Hash"),
        choices=[(algorithm.value, HASHES[algorithm]) for algorithm in Algorithm],
        coerce=Algorithm,
        empty_value=Algorithm.SHA1,
        required=False,
    )
    counter = forms.IntegerField(
        label=_("Counter"),
        help_text=_("Only for codes by counter: the next one to use."),
        required=False,
        widget=forms.NumberInput(attrs={"min": 0}),
        error_messages={"invalid": _("Write a whole number, 0 or more.")},
    )

    def clean_counter(self) -> int | None:
        """A counter is for codes by counter; elsewhere it would be lost in silence."""
        counter: int | None = self.cleaned_data["counter"]
        if counter and self.cleaned_data.get("type") is not Type.HOTP:
            raise forms.ValidationError(
                _("A counter goes with the kind “By counter”. Choose that, or empty this field.")
            )
        return counter

    field_order = ("label", "secret", *MORE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound:  # Shown again, it is empty.
            self.fields["secret"].help_text = _("Type the key again; it is never shown a second time.")

    def typed(self) -> Typed:
        """What was typed; what was left empty is as most sites have it."""
        cleaned = self.cleaned_data
        digits, period = cleaned["digits"], cleaned["period"]
        return Typed(
            label=cleaned["label"],
            secret=cleaned["secret"],
            type=cleaned["type"],
            algorithm=cleaned["algorithm"],
            digits=DEFAULT_DIGITS if digits is None else digits,
            period=DEFAULT_PERIOD if period is None else period,
            counter=cleaned["counter"] or 0,
        )

    def says_more(self) -> bool:
        """Whether something under "More" was changed or is at fault, so that it stands open."""
        return any(name in self.errors for name in self.MORE) or (
            self.is_bound and any(name in self.MORE and name != "type" for name in self.changed_data)
        )


class _Yes(forms.Form):
    """What every yes asks where Authweb's own second factor is added: whether its recovery codes are saved."""

    saved = forms.BooleanField(label=_("I have saved them outside Authweb"), required=False)

    field_order = ("issuer", "name", "keep", "chosen", "saved")

    def __init__(self, *args: Any, own_factor: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._own_factor = own_factor
        if not own_factor:
            del self.fields["saved"]

    def clean(self) -> dict[str, Any]:
        """The tick is needed for what is chosen alone."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and self._own_factor & self.choice().chosen and not cleaned["saved"]:
            self.add_error("saved", _("Save the recovery codes outside Authweb, then tick this."))
        return cleaned

    def choice(self) -> Choice:
        """Which accounts are added, and under which names."""
        raise NotImplementedError


class ConfirmForm(_Yes):
    """The yes to one account, under its site and name, which may be changed."""

    BOTH, NEITHER = "both", "leave"
    FIELDS = {
        Reason.NO_NAME: "name",
        Reason.NAME_TOO_LONG: "name",
        Reason.ISSUER_TOO_LONG: "issuer",
        Reason.ALREADY_LISTED: "name",
    }

    issuer = forms.CharField(label=_("Site"), required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(
        label=_("Account name"), required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    keep = forms.ChoiceField(
        label=_("Two accounts of this name"),
        choices=(
            (BOTH, _("Keep both")),
            (NEITHER, _("Leave the new one out")),
        ),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one of the two.")},
    )

    def __init__(self, *args: Any, waiting: Waiting, is_named: bool = False, **kwargs: Any) -> None:
        initial = {"issuer": waiting.issuer, "name": waiting.name, "keep": self.BOTH}
        own_factor = frozenset([waiting.id] if waiting.is_own_factor else ())
        super().__init__(*args, own_factor=own_factor, **{**kwargs, "initial": initial})
        self._id = waiting.id
        if waiting.relation is not Relation.CLASH:
            del self.fields["keep"]
        if is_named:  # It has its names in the list, and keeps them.
            del self.fields["issuer"], self.fields["name"]

    def choice(self) -> Choice:
        """The account under its names, or none."""
        if self.cleaned_data.get("keep") == self.NEITHER:
            return Choice(frozenset())
        named = (self.cleaned_data["issuer"], self.cleaned_data["name"]) if "name" in self.fields else None
        return Choice(frozenset([self._id]), {} if named is None else {self._id: named})


class ChooseForm(_Yes):
    """The yes to some of several accounts. All that are not in the list yet are ticked."""

    FIELDS: dict[Reason, str] = {}

    chosen = forms.MultipleChoiceField(
        label=_("Accounts"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("No account is ticked. Tick one, or cancel.")},
    )

    def __init__(self, *args: Any, preview: Preview, **kwargs: Any) -> None:
        ids = [waiting.id for waiting in preview.addable]
        super().__init__(*args, own_factor=preview.own_factor, **{**kwargs, "initial": {"chosen": ids}})
        self.fields["chosen"].choices = [(id, id) for id in ids]  # type: ignore[attr-defined]

    def ticked(self) -> frozenset[str]:
        """Which boxes have their tick, when the page is shown."""
        return frozenset(self["chosen"].value() or ())

    def choice(self) -> Choice:
        """Those with a tick."""
        return Choice(frozenset(self.cleaned_data["chosen"]))
