"""The app of Cloud Backup and restore."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BackupsConfig(AppConfig):
    """Connects, in sight, what listens to what."""

    name = "backups"
    verbose_name = _("Cloud Backup")

    def ready(self) -> None:
        """Each change of a list is backed up, and how that stands is told; the last key of a protected backup stays."""
        from accounts import arrivals, chips  # noqa: PLC0415 - models must be loaded first
        from accounts.services import held_keys, identity, vaults  # noqa: PLC0415
        from backups import checks, chip, keys  # noqa: F401, PLC0415
        from backups.services import finding, making  # noqa: PLC0415

        vaults.changed.connect(making.on_changed)
        arrivals.BESIDE.extend(chip.BESIDE)
        chips.MAKERS.append(chip.chip)
        held_keys.NEEDS_A_KEY.append(finding.needs_key)
        held_keys.AFTER_A_CHANGE.append(keys.after_a_change)
        identity.OFFERS[identity.Purpose.RESTORE] = identity.Offer(change="backups:restore")
        for purpose in (identity.Purpose.RECOVERY_CHOOSE, identity.Purpose.RECOVERY_CONTINUE):
            # A sign-in that came to nothing is a failure to back up: the words of the article, and both remedies.
            identity.OFFERS[purpose] = identity.Offer(
                heading=_("Something went wrong"),
                safe=_("Your list is unchanged, and so is its backup where there is one."),
                again=_("Continue"),
                change="backups:account",
            )
