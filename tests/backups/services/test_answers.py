"""What an iPhone is asked, kept with its date."""

from __future__ import annotations

import pytest
from django.utils import timezone

from backups.services import answers
from backups.services.answers import Answer, Question
from tests.backups.support import turn_on
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.article("G-05")
def test_answers_of_an_iphone_are_kept_with_their_date(alice_phone: Visitor) -> None:
    at = timezone.now()

    answers.keep(alice_phone.vault, {Question.KEYCHAIN: Answer.ON}, at=at)
    answers.keep(alice_phone.vault, {Question.ICLOUD_BACKUP: Answer.UNSEEN}, at=at)
    backup = turn_on(alice_phone)

    assert backup.switches == {"keychain": ["on", at.isoformat()], "icloud_backup": ["unseen", at.isoformat()]}
