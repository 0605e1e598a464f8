"""The app of Cloud Backup and restore. Today it tidies; backups come with their issue."""

from __future__ import annotations

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    """The app's name."""

    name = "backups"
