"""How the backup stands, and what is done with it at once: check it, send it, keep it, say that all is right."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import roles
from accounts.http import VaultRequest, changing, fresh_sign_in, go, page, said, vault_required
from accounts.models import Event, IdentityProof
from accounts.roles import Role
from accounts.services import held_keys
from accounts.services.activity import Tag
from backups import cards, dated_lines
from backups.dated_lines import Change, Told
from backups.http import BackupRequest, enters, is_of, meant, not_on
from backups.models import Backup, Cause, Generation, Status
from backups.services import ending, finding, keeping, recovery, switching
from backups.services.finding import NotOn, TimeOver
from backups.states import (
    ACCOUNTS,
    IMPORTANT,
    IMPORTANT_OF,
    NOTHING_USED_OPENS,
    OPENS_WITH,
    PROBLEMS,
    PROTECTIONS,
    RESTORES_ON,
    SIGN_IN_OPENS,
    Step,
)
from backups.storage import StoreFailed

_STATES_SHOWN = 4  # The rest stand under "Older".


@require_safe
@enters
def index(request: BackupRequest) -> HttpResponse:
    """The page of Cloud Backup: switch, status card, saved states, former backups while there is Undo, earlier ones."""
    return _page(request)


def _page(request: BackupRequest, *, spoken: str = "") -> HttpResponse:
    return page(request, "backups/status.html#backup-status", _context(request) | {"spoken": spoken})


def _context(request: BackupRequest) -> dict[str, Any]:
    at, vault = timezone.now(), request.vault
    held = held_keys.of(vault.row) if vault is not None else None
    if vault is not None:
        backup = finding.of(vault.row)
        others = finding.former(vault.row, at=at)
        earlier = finding.earlier(vault.row)
    else:
        every = finding.every(request.user)
        earlier = [one for one in every if one.is_earlier]
        others = [one for one in every if not one.is_earlier]
        backup = others.pop(0) if others else None
    leaving = [one for one in earlier if not one.is_kept]
    context: dict[str, Any] = {
        "card": cards.of(backup, user=request.user, vault=vault, held=held, at=at),
        "list_open": vault is not None,
        "backup_id": backup.pk if backup is not None and backup.stream else "",
        "others": [cards.of(one, user=request.user, vault=None, held=None, at=at) for one in others + leaving],
        "earlier": [one for one in earlier if one.is_kept],
        "can": vault is not None and bool(roles.recovery_roles(vault.device.type, at)),
        "apple_line": _apple_line(backup, vault, at=at),
        "autofill_line": dated_lines.told(Change.AUTOFILL, at=at),
        "important": _important(backup, vault),
    }
    if backup is not None and backup.stream:
        context |= facts_of(backup) | _states_of(backup, vault)
        if finding.is_stranded(backup, request.user):
            context["opens_with"] = NOTHING_USED_OPENS
    return context


def facts_of(backup: Backup) -> dict[str, Any]:
    """What the card tells of a backup beside its state."""
    account = backup.recovery_account
    kinds = {kind for one in backup.generations.stored().newest_first()[:1] for kind, _slot in one.slots}
    opens = OPENS_WITH["words" in kinds, "passkey" in kinds] if backup.protection == "key" else SIGN_IN_OPENS
    return {
        "restores_on": RESTORES_ON[account.device_type] if account else "",
        "opens_with": opens,
        "protection": PROTECTIONS.get(backup.protection, ""),
        "account": ACCOUNTS[Role(account.role)] if account else "",
    }


def _states_of(backup: Backup, vault: Any) -> dict[str, Any]:
    """The saved states that count, the newest first."""
    stored: list[Generation] = list(backup.generations.stored().newest_first())
    operator = ending.open_to_operator(backup)
    with_former = ending.open_with_former_keys(backup, vault.opened) if is_of(backup, vault) else []
    return {
        "states": stored[:_STATES_SHOWN],
        "older": stored[_STATES_SHOWN:],
        "operator": [one for one in operator if one.pk != stored[0].pk] if stored else [],
        "former_keys": [one for one in with_former if one.pk != stored[0].pk] if stored else [],
    }


def _apple_line(backup: Backup | None, vault: Any, *, at: datetime) -> Told | None:
    """The dated line for an iOS device: what is to come, and since when it is so."""
    account = backup.recovery_account if backup is not None else None
    type = account.device_type if account is not None else vault.device.type if vault is not None else ""
    if type != "ios":
        return None
    return dated_lines.told(Change.ICLOUD, at=at)


def _important(backup: Backup | None, vault: Any) -> Any:
    """The article's callout: for this device before anything is turned on, for the backup afterwards."""
    account = backup.recovery_account if backup is not None else None
    if account is not None:
        return IMPORTANT_OF[account.device_type]
    return IMPORTANT[vault.device.type] if vault is not None else ""


# -- At once ----------------------------------------------------------------------------------------------------------


@require_POST
@enters
def check(request: BackupRequest) -> HttpResponse:
    """Read the newest saved state again. Needs no key: it stays shut."""
    backup = meant(request)
    if backup is None:
        return not_on(request)
    try:
        whole = keeping.check(backup, at=timezone.now())
    except StoreFailed:
        return _shown(request, _("The store did not answer, so nothing is known. Nothing was changed."), error=True)
    return _shown(request, _("Read back and found whole.") if whole else "", error=not whole)


@require_POST
@vault_required
@changing
def back_up(request: VaultRequest) -> HttpResponse:
    """Send what waits, now. Where that fails, its page says why."""
    try:
        backup = switching.back_up(request.vault, at=timezone.now())
    except NotOn:
        return not_on(request)
    if backup.status(timezone.now()) is Status.FAILING:
        return go(request, "backups:problem", backup.reference)
    if backup.behind_since is None:
        said(request, _("Backed up."))
    return go(request, "backups:status")


@require_POST
@vault_required
@changing
@enters
def accept(request: BackupRequest) -> HttpResponse:
    """ "This is right": the list is meant to be that small."""
    backup = meant(request)
    if backup is None:
        return not_on(request)
    try:
        ending.accept(backup, device=request.device, at=timezone.now())
    except TimeOver:
        return not_on(request)
    return _shown(request)


@require_http_methods(["GET", "POST"])
@enters
def undo(request: BackupRequest) -> HttpResponse:
    """Keep a backup that was to be deleted. Asks for nothing more where all it does is to keep.

    One under a former account takes the place of the present one, which is a change of account: that needs the open
    list and a fresh sign-in, after which one comes back by GET to where the button is.
    """
    backup = meant(request)
    if request.method == "GET":
        return fresh_sign_in(lambda request: go(request, "backups:status"))(request)  # type: ignore[return-value]
    if backup is None:
        return _too_late(request)
    if backup.former_of_id is not None:
        if not is_of(backup, request.vault):
            said(request, _("Open your list on this browser first."), error=True)
            return go(request, "backups:status")
        return fresh_sign_in(_undone)(request, backup)  # type: ignore[return-value]
    return _undone(request, backup)


def _undone(request: BackupRequest, backup: Backup) -> HttpResponse:
    try:
        mine = request.vault if is_of(backup, request.vault) and request.user.deletes_at is None else None
        ending.undo(backup, device=request.device, vault=mine, at=timezone.now())
    except (TimeOver, NotOn):
        return _too_late(request)
    said(request, _("Undone. The backup is kept."))
    return go(request, "backups:status")


def _too_late(request: BackupRequest) -> HttpResponse:
    said(request, _("The time is over: this backup was deleted."), error=True)
    return go(request, "backups:status")


def _shown(request: BackupRequest, spoken: str = "", *, error: bool = False) -> HttpResponse:
    """The card anew; without htmx the page, on which the sentence floats."""
    if request.htmx:
        return _page(request, spoken=spoken)
    if spoken:
        said(request, spoken, error=error)
    return go(request, "backups:status")


# -- "Something went wrong" -------------------------------------------------------------------------------------------


@require_safe
@enters
def problem(request: BackupRequest, reference: str) -> HttpResponse:
    """Why a backup was not made: the cause, the next step, what is safe, and a reference that activity knows too."""
    event = Event.objects.filter(user=request.user, reference=reference).order_by("-at").first()
    cause = event.facts.get("cause") or event.facts.get("reason") if event is not None else None
    if event is None or cause not in Cause.values:
        raise Http404
    at, vault = timezone.now(), request.vault
    backup = finding.of(vault.row) if vault is not None else next(iter(finding.every(request.user)), None)
    is_on = backup is not None and backup.is_on
    lasts = backup is not None and backup.reference == reference
    steps = PROBLEMS[Cause(cause)].steps
    if not is_on and Step.BACK_UP in steps:
        steps = tuple(Step.TURN_ON if step is Step.BACK_UP else step for step in steps)
    known = _known(request, backup, at=at)
    if known is None and Step.CONTINUE in steps:
        steps = tuple(step for step in steps if step is not Step.CONTINUE)
    context = {
        "event": event,
        "reference": reference,
        "problem": PROBLEMS[Cause(cause)],
        "cause": cause,
        "misfit": cards.misfit(event),
        **_ended(event),
        "again": cards.again(backup, request.user, at=at) if backup is not None and lasts else "",
        "backup": backup if backup is not None and backup.stream else None,
        "waits": lasts and backup is not None and backup.behind_since is not None,
        "since_then": _since_then(backup, event, lasts=lasts),
        "steps": steps,
        "account": known,
        "is_on": is_on,
        "list_open": vault is not None,
    }
    return page(request, "backups/problem.html", context)


def _ended(event: Event) -> dict[str, Any]:
    """The sign-in whose end this was, for `accounts/_proof_ending.html`: who came is known as long as its row is."""
    role, reason = event.facts.get("role"), event.facts.get("reason")
    if event.tag != Tag.PROOF_FAILED or not role:
        return {}
    proof = event.user.proofs.filter(reference=event.reference).first() or IdentityProof(role=role, reason=reason)
    told = reason != Cause.OTHER_IDENTITY or bool(proof.came)
    return {"proof": proof, "provider": roles.name_of(role), "for_backup": True} if told else {}


def _known(request: BackupRequest, backup: Backup | None, *, at: Any) -> Any:
    """The recovery account that "Continue" means."""
    if backup is not None and backup.recovery_account is not None:
        return backup.recovery_account
    return recovery.known(request.user, request.vault.device.type, at) if request.vault is not None else None


def _since_then(backup: Backup | None, event: Event, *, lasts: bool) -> Any:
    """When it was backed up after all, if it was."""
    if lasts or backup is None or backup.saved_at is None or backup.behind_since is not None:
        return None
    return backup.saved_at if backup.saved_at > event.at else None
