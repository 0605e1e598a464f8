"""What ends or changes on a day that is known: "will" before it, "has" from then on. A table that a check keeps whole.

Its days are settings, from 00:00 UTC on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from django.conf import settings
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Sentence = str | Promise


class Change(StrEnum):
    """What changes."""

    ICLOUD = "icloud"  # iOS devices keep their backups under iCloud.
    AUTOFILL = "autofill"  # It ends, and passwords with it.


@dataclass(frozen=True, slots=True)
class DatedLine:
    """A sentence for each side of its days: `days` are settings by their place in the sentence, `sentences` go by
    which of them have come."""

    days: Mapping[str, str]
    sentences: Mapping[tuple[bool, ...], Sentence]
    learn_more: str = ""  # The page of the help that says more.


@dataclass(frozen=True, slots=True)
class Told:
    """What a line says now."""

    sentence: str
    has_come: bool  # All of it.
    learn_more: str


LINES: Mapping[Change, DatedLine] = MappingProxyType(
    {
        Change.ICLOUD: DatedLine(
            {"month": "ICLOUD_FROM"},
            {
                (False,): gettext_lazy(
                    "Coming soon: from %(month)s an iCloud account with iCloud Keychain is used instead."
                ),
                (True,): gettext_lazy("Since %(month)s an iCloud account with iCloud Keychain is used for the backup."),
            },
        ),
        Change.AUTOFILL: DatedLine(
            {"autofill": "AUTOFILL_ENDS", "passwords": "PASSWORDS_END"},
            {
                (False, False): gettext_lazy(
                    "Autofill will end (%(autofill)s); passwords will be out of reach here (%(passwords)s)."
                ),
                (True, False): gettext_lazy(
                    "Autofill has ended (%(autofill)s); passwords will be out of reach here (%(passwords)s)."
                ),
                (False, True): gettext_lazy(
                    "Autofill will end (%(autofill)s); passwords can no longer be reached here (%(passwords)s)."
                ),
                (True, True): gettext_lazy(
                    "Autofill has ended (%(autofill)s); passwords can no longer be reached here (%(passwords)s)."
                ),
            },
            learn_more="autofill",
        ),
    }
)


def told(change: Change, *, at: datetime) -> Told:
    """The line of a change as it is to be said at this time."""
    line = LINES[change]
    days = {place: getattr(settings, name) for place, name in line.days.items()}
    come = tuple(at >= day for day in days.values())
    # The month of the day itself, whatever zone a person lives in.
    months = {place: date_format(day.astimezone(UTC), _("F Y")) for place, day in days.items()}
    return Told(str(line.sentences[come]) % months, all(come), line.learn_more)
