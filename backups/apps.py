"""The app of Cloud Backup and restore."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BackupsConfig(AppConfig):
    """Connects, in sight, what listens to what."""

    name = "backups"
    verbose_name = _("Cloud Backup")

    def ready(self) -> None:
        """Register the checks; each change of a list is backed up."""
        from accounts.services import vaults  # noqa: PLC0415 - models must be loaded first
        from backups import checks  # noqa: F401, PLC0415 - importing registers them, once the apps are there
        from backups.services import making  # noqa: PLC0415

        vaults.changed.connect(making.on_changed)
