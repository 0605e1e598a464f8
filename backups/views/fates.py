"""A saved state that was opened: what becomes of each account, the yes, how it ended. Nothing is written before that.

It waits under the number of the proof that it was opened with.
"""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts import sentences
from accounts.http import VaultRequest, changing, go, page, said, vault_required
from accounts.models import Device, KeySlot, SlotKind
from accounts.services import devices, vaults
from accounts.services.attempts import TooManyTries
from accounts.services.vaults import DraftGone
from accounts.vault.errors import TooLarge
from accounts.vault.merging import Keep
from backups import moments
from backups.services import fates, finding, opening, restoring
from backups.services.fates import Fate
from backups.services.restoring import Chosen
from backups.states import restore_steps

_FATES = (Fate.SIGN_IN, Fate.SCAN, Fate.BLOCKED, Fate.CLASH, Fate.CODE, Fate.NAME, Fate.HERE)


@require_http_methods(["GET", "POST"])
@vault_required
@changing
def preview(request: VaultRequest, held_id: UUID) -> HttpResponse:
    """Every account with its fate; "Restore" is the yes."""
    if request.method == "POST" and not request.POST.get("cancel"):
        return _restored(request, held_id)
    return _preview_page(request, held_id)


def _preview_page(request: VaultRequest, held_id: UUID, chosen: Chosen | None = None) -> HttpResponse:
    """All have a tick, or those that were sent; "Cancel" drops what was opened."""
    try:
        found = fates.preview(request.vault, held_id, at=timezone.now())
    except DraftGone:
        return _gone(request, held_id)
    if request.POST.get("cancel"):
        restoring.drop(request.vault, held_id)
        return go(request, "backups:status" if found.is_trial else "accounts:list")
    ids, keeps = (None, {}) if chosen is None else (chosen.ids, chosen.keeps)
    asks = bool(found.rows) and not found.is_trial and not found.is_all_here
    late = restoring.awaited(found.person, at=timezone.now()) if asks else None
    context = {
        "preview": found,
        "groups": [
            (fate.value, [(row, ids is None or row.id in ids, keeps.get(row.id, Keep.BOTH).value) for row in rows])
            for fate in _FATES
            if (rows := found.of(fate))
        ],
        "held": held_id,
        "often": "" if late is None else often(request, late),
        "nothing": found.is_all_here and not found.is_trial,
        "restores": asks and late is None,
        **restore_steps(4),
    }
    return page(request, "backups/restore_preview.html", context)


def _restored(request: VaultRequest, held_id: UUID) -> HttpResponse:
    """The yes. What becomes of each account is judged there, beside the list as it stands then."""
    try:
        report_id = restoring.accept(request.vault, held_id, _chosen(request), at=timezone.now())
    except DraftGone:
        return _gone(request, held_id)
    except (restoring.Trial, restoring.NothingChosen, TooLarge, TooManyTries) as error:
        if _is_done(request, held_id):  # By the first of two clicks, which was the last of the three a day.
            return _gone(request, held_id)
        said(request, _not_restored(request, error), error=True)
        if isinstance(error, (restoring.NothingChosen, TooLarge)):
            return _preview_page(request, held_id, _chosen(request))
        return go(request, "backups:restore-preview", held_id)
    devices.renew_session(request)
    return go(request, _after(request, report_id))


def _chosen(request: VaultRequest) -> Chosen:
    known = {keep.value: keep for keep in Keep}
    keeps = {
        name.removeprefix("keep-"): known.get(request.POST[name], Keep.BOTH)
        for name in request.POST
        if name.startswith("keep-")
    }
    return Chosen(frozenset(request.POST.getlist("chosen")), keeps)


def _not_restored(request: VaultRequest, error: Exception) -> str:
    """Why nothing was restored; what was opened still waits."""
    match error:
        case restoring.RestoredOften() as late:
            return often(request, late)
        case restoring.NothingChosen():
            return _("No account has a tick. Tick one, or cancel.")
        case restoring.Trial():
            return _("This was a try: nothing is written.")
        case TooLarge() as error:
            return _too_large(request, error)
    raise error


def _too_large(request: VaultRequest, error: TooLarge) -> str:
    """That the list has no room for what is ticked, with the figures."""
    allowed = sentences.number(error.allowed)
    if error.unit == "bytes":
        sentence = _(
            "Your list would have %(found)s bytes; %(allowed)s are allowed, Trash included. "
            "Tick fewer, or empty the Trash."
        )
        return sentence % {"found": sentences.number(error.found), "allowed": allowed}
    holds = vaults.read(request.vault).size
    more = max(error.found - holds, 1)  # Counted a moment later.
    sentence = ngettext(
        "Your list holds %(holds)s of %(allowed)s accounts, Trash included; %(count)s more would come back. "
        "Tick fewer, or empty the Trash.",
        "Your list holds %(holds)s of %(allowed)s accounts, Trash included; %(count)s more would come back. "
        "Tick fewer, or empty the Trash.",
        more,
    )
    return sentence % {"holds": sentences.number(holds), "allowed": allowed, "count": sentences.number(more)}


def _is_done(request: VaultRequest, held_id: UUID) -> bool:
    """Whether what was opened has its report."""
    return opening.is_held(request.vault, str(restoring.report_of(held_id)), at=timezone.now())


def often(request: VaultRequest, late: restoring.RestoredOften) -> str:
    """That a recovery account has had its restores of a day, and when the next is possible."""
    sentence = _(
        "With %(account)s backups were restored three times within a day. The next is possible on %(day)s at %(time)s."
    )
    return sentence % {"account": late.account, **moments.named(late.next_at, request.user)}


def _gone(request: VaultRequest, held_id: UUID) -> HttpResponse:
    """The second of two clicks, or too late."""
    if _is_done(request, held_id):
        return go(request, _after(request, restoring.report_of(held_id)))
    if restoring.was_accepted(request.vault, held_id, at=timezone.now()):
        said(request, _("Restored already."))
        return go(request, "accounts:list")
    return page(request, "backups/restore_gone.html", status=404)  # Run out or somebody else's: all look the same.


# -- How it ended -----------------------------------------------------------------------------------------------------


def _after(request: VaultRequest, report_id: UUID) -> str:
    """Where a restore leads on to: to the accounts that wait for a sign-in, and from there to its report."""
    if not restoring.report(request.vault, report_id, at=timezone.now()).to_do:
        return reverse("backups:restore-report", args=[report_id])
    return _checklist(report_id)


def _checklist(report_id: UUID) -> str:
    address = reverse("backups:restore-report", args=[report_id])
    return f"{reverse('accounts:again')}?{urlencode({'next': address})}"


def _is_elsewhere(request: VaultRequest, name: str) -> bool:
    """Whether another device than this one was called so: names that browsers give are often the same."""
    here = request.vault.device
    return name != here.name or request.user.devices.filter(name=name, removed_at=None).exclude(pk=here.pk).exists()


def _lost_device(request: VaultRequest, name: str) -> Device | None:
    """The one other device of this name that still opens a list of the person's; None where it is not clear."""
    others = KeySlot.objects.of_person(request.user).doors().filter(kind=SlotKind.BROWSER, device__name=name)
    found = list(others.exclude(device=request.vault.device).select_related("device")[:2])
    return found[0].device if len(found) == 1 else None


def _does_not_open(request: VaultRequest, kind: str) -> str:
    """The kind of key that opened the backup, where this list has none of it."""
    return "" if KeySlot.objects.filter(vault=request.vault.row, kind=kind).exists() else kind


@require_safe
@vault_required
def report(request: VaultRequest, report_id: UUID) -> HttpResponse:
    """ "Restored 12 of 14.": each account and its state, and what comes next."""
    try:
        found = restoring.report(request.vault, report_id, at=timezone.now())
    except DraftGone:
        return page(request, "backups/restore_gone.html", status=404)
    backup, lost = finding.of(request.vault.row), _lost_device(request, found.device_name)
    context = {
        "report": found,
        "is_backed_up": backup is not None and backup.is_on,
        "is_elsewhere": _is_elsewhere(request, found.device_name),
        "lost": lost,
        "lost_opens_this": lost is not None and lost.slots.filter(vault=request.vault.row).exists(),
        "does_not_open": _does_not_open(request, found.opened_by),
        "checklist": _checklist(report_id),
    }
    return page(request, "backups/restore_report.html", context)
