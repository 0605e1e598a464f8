"""What ends or changes on a day: a sentence on each side of it, on the page of the backup too."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.urls import reverse

from backups import checks, dated_lines
from backups.dated_lines import LINES, Change, DatedLine
from tests.factories import Visitor
from tests.pages import main, text


@pytest.mark.article("S-40")
@pytest.mark.article("S-41")
@pytest.mark.article("S-42")
@pytest.mark.parametrize(
    ("day", "before", "since"),
    [
        ("AUTOFILL_ENDS", "Autofill will end (July 2025);", "Autofill has ended (July 2025);"),
        (
            "PASSWORDS_END",
            "passwords will be out of reach here (August 2025).",
            "passwords can no longer be reached here (August 2025).",
        ),
    ],
)
def test_page_of_the_backup_says_will_before_the_day_and_has_from_then_on(
    alice_phone: Visitor, day: str, before: str, since: str
) -> None:
    pages = []
    for at in (getattr(settings, day) - timedelta(seconds=1), getattr(settings, day)):
        with time_machine.travel(at, tick=False):
            pages.append(alice_phone.client.get(reverse("backups:status")))

    assert [(before in text(page), since in text(page)) for page in pages] == [(True, False), (False, True)]
    assert [re.findall(r'<a href="([^"]*)">Learn more</a>', main(page)) for page in pages] == [
        [reverse("help-page", args=["autofill"])]
    ] * 2


def test_check_names_a_missing_sentence_and_a_day_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.every_dated_line_is_whole() == []
    halved = DatedLine({"month": "DEBUG"}, {(True,): "Since %(month)s."})

    monkeypatch.setattr(dated_lines, "LINES", {**LINES, Change.ICLOUD: halved})
    of_half = [found.msg for found in checks.every_dated_line_is_whole()]
    monkeypatch.setattr(dated_lines, "LINES", {Change.ICLOUD: LINES[Change.ICLOUD]})
    of_none = [found.msg for found in checks.every_dated_line_is_whole()]

    assert of_half == ["DEBUG is no day.", "The line for icloud has no sentence for (False,)."]
    assert of_none == ["No line for autofill."]
