"""What a page cannot see of an iPhone, and asks: its switches, each answered with its date."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db import transaction

from accounts.models import DeviceType
from accounts.services.vaults import OpenVault
from backups.models import Backup
from backups.services import finding


class Question(StrEnum):
    """What a page cannot see of an iPhone, and asks."""

    ICLOUD_BACKUP = "icloud_backup"
    SAVED_TO_ICLOUD = "saved_to_icloud"
    KEYCHAIN = "keychain"


class Answer(StrEnum):
    """What is answered."""

    ON = "on"
    UNSEEN = "unseen"


def asked(device_type: str, *, at: datetime) -> frozenset[Question]:
    """What has to be answered on such a device before anything else: nothing but on an iPhone."""
    if device_type != DeviceType.IOS:
        return frozenset()
    every = frozenset(Question)
    return every if at >= settings.ICLOUD_FROM else every - {Question.KEYCHAIN}


def answered(backup: Backup | None) -> frozenset[Question]:
    """What was answered so that it may go on: the Keychain by "On" alone."""
    given = backup.switches if backup is not None else {}
    return frozenset(
        question
        for question in Question
        if question in given and (question is not Question.KEYCHAIN or given[question][0] == Answer.ON)
    )


def keep(vault: OpenVault, given: dict[Question, Answer], *, at: datetime) -> Backup:
    """Keep what was answered of an iPhone's switches, with its date."""
    with transaction.atomic():
        backup = finding.begun(finding.locked(vault), vault.user)
        backup.switches |= {question.value: [one.value, at.isoformat()] for question, one in given.items()}
        backup.save(update_fields=["switches"])
    return backup
