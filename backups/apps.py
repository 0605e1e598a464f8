"""The app of Cloud Backup and restore."""

from __future__ import annotations

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    """The app's name, and its checks."""

    name = "backups"

    def ready(self) -> None:
        """Register the checks."""
        from backups import checks  # noqa: F401, PLC0415 - importing registers them, once the apps are there
