"""What a change of keys leaves behind in backups: saved states that former keys open still."""

from __future__ import annotations

from django.urls import reverse

from accounts.services import held_keys, vaults
from accounts.services.held_keys import Held
from accounts.services.vaults import OpenVault
from accounts.vault.list import Protection
from backups.services import ending, finding


def after_a_change(vault: OpenVault, before: Held) -> str:
    """Where older saved states that still open with former keys are offered for deletion; for the first key, where the
    backup can be protected with it too. "" for nowhere."""
    backup = finding.of(vault.row)
    if backup is None or not backup.is_on:
        return ""
    if not before.keys and held_keys.of(vault.row).keys and backup.protection == Protection.SIGN_IN:
        return f"{reverse('backups:protection')}?protection=key"
    former = ending.open_with_former_keys(backup, vaults.read(vault))
    newest = backup.generations.stored().newest_first().first()
    return reverse("backups:older") if any(newest and one.pk != newest.pk for one in former) else ""
