"""Who can open the backup, what of it goes, and its end: off, delete now, older saved states."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts import roles
from accounts.http import VaultRequest, changing, fresh_sign_in, go, page, prove, said, vault_required
from accounts.roles import Role
from accounts.services import identity, vaults
from accounts.services.identity import NotProven, Purpose
from accounts.vault.list import Protection
from backups.forms import ProtectionForm
from backups.http import BackupRequest, enters, is_of, meant, not_on
from backups.models import Backup, Generation
from backups.services import ending, finding, recovery, switching
from backups.services.finding import NotOn, TimeOver
from backups.services.switching import KeyNeeded
from backups.storage import StoreFailed
from backups.views.switch import protection_context

# -- Who can open it --------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@vault_required
@changing
@fresh_sign_in
def protection(request: VaultRequest) -> HttpResponse:
    """Another protection, from the next saved state on, which is made at once."""
    backup = finding.of(request.vault.row)
    if backup is None or not backup.is_on:
        return go(request, "backups:status")
    asked = request.GET.get("protection", "")
    has_key = bool(vaults.read(request.vault).backup_keys)
    preselected = asked if asked == Protection.KEY and has_key else backup.protection
    form = ProtectionForm(request.POST if request.method == "POST" else None, initial={"protection": preselected})
    if request.method == "POST" and form.is_valid():
        chosen = Protection(form.cleaned_data["protection"])
        try:
            backup = switching.protect(request.vault, chosen, at=timezone.now())
        except KeyNeeded:
            form.add_error("protection", _("You hold no key yet. Make six words or add a passkey first."))
        except NotOn:
            return not_on(request)
        else:
            if ending.open_to_operator(backup):
                return go(request, "backups:older")
            said(request, _("Changed. It holds for what is saved from now on."))
            return go(request, "backups:status")
    context = {"form": form, "backup": backup, **protection_context(request)}
    return page(request, "backups/protection.html", context)


# -- Off --------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@enters
@fresh_sign_in
def off(request: BackupRequest) -> HttpResponse:
    """Off is delete: what goes, from where and how much; then 24 hours of Undo. Needs no open list."""
    backup = meant(request)
    if backup is None or not backup.is_kept:
        return go(request, "backups:status")
    if request.method == "POST":
        try:
            ending.off(backup, device=request.device, at=timezone.now())
        except (NotOn, TimeOver):
            return not_on(request)
        return go(request, "backups:status")
    hours = int(settings.BACKUP_GRACE.total_seconds()) // 3600
    context = {
        "backup": backup,
        "along": ending.going_along(backup).filter(deletes_at=None),
        "hours": hours,
        "type": backup.recovery_account.device_type if backup.recovery_account else "",
    }
    return page(request, "backups/off.html", context)


# -- Delete now -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@enters
@fresh_sign_in
def delete(request: BackupRequest) -> HttpResponse:
    """Delete at once what would be deleted anyhow. Asks for the open list, or for its recovery account."""
    backup = meant(request)
    if backup is None or backup.deletes_at is None or backup.unopened:
        return go(request, "backups:status")
    proof = request.POST.get("proof") or request.GET.get("proof", "")
    # An earlier one may be all that somebody else has of a list: who holds this one shows the account, too.
    holds = is_of(backup, request.vault) and not backup.is_earlier
    may = holds or _shown_by(request, backup, proof)
    if request.method == "POST":
        if not may or not (holds or _used_up(request, backup, proof)):
            return go(request, "backups:delete", query={"backup": str(backup.pk)})
        return _deleted(request, backup)
    context = {
        "backup": backup,
        "may": may,
        "proof": proof,
        "lost": bool(proof) and not may,
        "list_open": is_of(backup, request.vault),
    }
    return page(request, "backups/delete.html", context)


def _deleted(request: BackupRequest, backup: Backup) -> HttpResponse:
    try:
        ending.delete_now(backup, device=request.device, at=timezone.now())
    except (NotOn, TimeOver):
        pass  # It is gone already, or kept: the page says which.
    except StoreFailed:
        sentence = _("The store did not answer. What is left of the backup is deleted once it does.")
        said(request, sentence, error=True)
    else:
        said(request, _("Deleted, with all its saved states."))
    return go(request, "backups:status")


@sensitive_variables()
def _shown_by(request: BackupRequest, backup: Backup, proof: str) -> bool:
    try:
        who = identity.look(proof, user=request.user, purpose=Purpose.RECOVERY_DELETE, target=str(backup.pk))
    except NotProven:
        return False
    return recovery.holds(who, backup)


@sensitive_variables()
def _used_up(request: BackupRequest, backup: Backup, proof: str) -> bool:
    try:
        who = identity.spend(proof, user=request.user, purpose=Purpose.RECOVERY_DELETE, target=str(backup.pk))
    except NotProven:
        return False
    return recovery.holds(who, backup)


@require_POST
@enters
def sign_in_to_delete(request: BackupRequest) -> HttpResponse:
    """On to the provider of the recovery account, whose owner may delete at once without the list."""
    backup = meant(request)
    if backup is None or backup.deletes_at is None or backup.unopened or backup.recovery_account is None:
        return go(request, "backups:status")
    account = backup.recovery_account
    role = Role(account.role)
    if not roles.configured(role):
        return go(request, "backups:status")
    back = f"{reverse('backups:delete')}?backup={backup.pk}"
    return prove(
        request,
        role=role,
        purpose=Purpose.RECOVERY_DELETE,
        target=str(backup.pk),
        back=back,
        expected=bytes(account.tag),
        wanted=account.label,
    )


# -- Older saved states -----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@vault_required
@changing
@fresh_sign_in
def older(request: VaultRequest) -> HttpResponse:
    """Saved states from before that open otherwise: with the sign-in alone, or with keys that are no more."""
    backup = finding.of(request.vault.row)
    if backup is None or not backup.stream:
        return go(request, "backups:status")
    found = _older(request, backup)
    if request.method == "POST":
        chosen = found.get(request.POST.get("which", ""), [])
        at = timezone.now()
        try:
            count = ending.delete_older(backup, chosen, device=request.vault.device, at=at)
        except StoreFailed:
            said(request, _("The store did not answer. Nothing was deleted."), error=True)
        else:
            sentence = ngettext("%(count)d saved state was deleted.", "%(count)d saved states were deleted.", count)
            said(request, sentence % {"count": count})
        return go(request, "backups:status" if not any(_older(request, backup).values()) else "backups:older")
    if not any(found.values()):
        return go(request, "backups:status")
    context: dict[str, Any] = {"backup": backup, "operator": found["operator"], "former": found["former"]}
    return page(request, "backups/older.html", context)


def _older(request: VaultRequest, backup: Backup) -> dict[str, list[Generation]]:
    newest = backup.generations.stored().newest_first().first()
    found = {
        "operator": ending.open_to_operator(backup),
        "former": ending.open_with_former_keys(backup, vaults.read(request.vault)),
    }
    return {which: [one for one in every if newest and one.pk != newest.pk] for which, every in found.items()}
