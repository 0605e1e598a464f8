"""The form of a rule that blocks a domain, and the sentence of each reason for which it is not taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import BlockedDomain
from accounts.sentences import sentence
from accounts.vault import domains
from accounts.vault.domains import Fault, NotADomain
from accounts.vault.entry import check_text
from accounts.vault.errors import ParseError, Reason

_NO_DOMAIN = gettext_lazy("Type a domain, as contoso.com.")

# A system check keeps it whole.
FAULTS: Mapping[Fault, str | Promise] = {
    Fault.EMPTY: _NO_DOMAIN,
    Fault.ADDRESS: gettext_lazy("This is an address of a page. Type its domain alone, as contoso.com."),
    Fault.AT: gettext_lazy("This is an e-mail address. Type what stands behind its “@”."),
    Fault.WILDCARD: gettext_lazy("A rule is about one domain, without “*”. Make one for each subdomain."),
    Fault.SPACE: gettext_lazy("There is a space in it. Type one domain, as contoso.com."),
    Fault.IP: gettext_lazy("These are the numbers of a machine. Type a domain, as contoso.com."),
    Fault.TOO_LONG: gettext_lazy("This is longer than a domain can be: 253 letters, and 63 between two dots."),
    Fault.SINGLE: gettext_lazy("A domain has a dot, as contoso.com."),
    Fault.UNREADABLE: gettext_lazy("This cannot be a domain. Look at its letters and hyphens."),
}

# Codes of errors that activity has words for; all others are "incomplete" there.
_OWN_CODES = frozenset({*FAULTS, "past", "overlap"})


class BlockedDomainForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rule. `today` is set by who makes the form."""

    today: ClassVar[date]

    class Meta:
        model = BlockedDomain
        fields = ("domain", "from_date", "reason", "contact")
        widgets: ClassVar[dict[str, Any]] = {
            # What is typed may be longer than what is kept, and is told so in our words.
            "domain": forms.TextInput(attrs={"class": "vTextField", "autocapitalize": "none", "spellcheck": "false"}),
            "from_date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "domain" in self.fields:  # Of a rule that is there it stays.
            self.fields["domain"] = forms.CharField(
                label=self.fields["domain"].label,
                widget=self.fields["domain"].widget,
                error_messages={"required": _NO_DOMAIN},
            )

    def clean_domain(self) -> str:
        """In its one spelling, and not blocked yet."""
        try:
            domain = domains.canonical(self.cleaned_data["domain"])
        except NotADomain as error:
            raise ValidationError(str(FAULTS[error.fault]), code=error.fault) from None
        there = BlockedDomain.objects.filter(domain=domain).first()
        if there is not None:
            said = _("%(domain)s is blocked already, from %(day)s on. Change that rule.")
            day = date_format(there.from_date, _("j F Y"))
            raise ValidationError(said, code="overlap", params={"domain": there.readable, "day": day})
        return domain

    def clean_from_date(self) -> date:
        """Today or later; a rule that holds already keeps its day."""
        day: date = self.cleaned_data["from_date"]
        if day < self.today and day != self.instance.from_date:
            said = _("%(day)s is over. Choose today or a later day.")
            raise ValidationError(said, code="past", params={"day": date_format(day, _("j F Y"))})
        return day

    def clean_reason(self) -> str:
        """One line that reads in one direction."""
        return _line(self.cleaned_data["reason"])

    def clean_contact(self) -> str:
        """As the reason."""
        return _line(self.cleaned_data["contact"])

    @property
    def fault(self) -> str:
        """The first reason for which it is not taken, as activity knows it."""
        for field, errors in self.errors.as_data().items():
            for error in errors:
                if (field, error.code) == ("domain", "required"):
                    return Fault.EMPTY
                if error.code in _OWN_CODES:
                    return str(error.code)
        return "incomplete"


def _line(text: str) -> str:
    try:
        check_text("text", text, len(text), Reason.TEXT_TOO_LONG)
    except ParseError as error:
        raise ValidationError(sentence(error)) from None
    return text
