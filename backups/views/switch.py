"""Cloud Backup on, and another recovery account: two ways through the same few pages.

The proof comes back with `?proof=`; nothing is written before "OK", which uses it up.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import roles
from accounts.http import VaultRequest, changing, fresh_sign_in, go, page, prove, vault_required
from accounts.roles import Role
from accounts.services import blocking, held_keys, identity, vaults
from accounts.services.identity import Identity, NotProven, Purpose
from accounts.vault.list import Protection
from backups import cards, http
from backups.forms import ProtectionForm
from backups.models import Backup, Cause, Status
from backups.portions import carried
from backups.services import answers, ending, finding, objects, recovery, switching
from backups.services.finding import NotOn
from backups.services.switching import AlreadyOn, KeyNeeded, NotKept
from backups.states import ACCOUNTS, IMPORTANT, NOTHING_OPENS, OPERATOR_CAN_OPEN, SIGN_IN_WITH
from backups.storage import StoreFailed

_PROVEN_FOR = (Purpose.RECOVERY_CHOOSE, Purpose.RECOVERY_CONTINUE)


@dataclass(frozen=True, slots=True)
class Way:
    """Turning on, or another account: its page, and the place among `accounts.http.ONWARD` that leads back to it."""

    url: str
    onward: str

    @property
    def moves(self) -> bool:
        """Whether it is about another account of a backup that is on."""
        return self.url == "backups:account"


ON, MOVE = Way("backups:on", "backup"), Way("backups:account", "backup-account")


# -- The pages --------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@vault_required
@changing
@fresh_sign_in
def on(request: VaultRequest) -> HttpResponse:
    """Turn Cloud Backup on: the iPhone's switches, the recovery account, who can open it, "OK"."""
    backup = finding.of(request.vault.row)
    if backup is not None and backup.is_on:
        return go(request, "backups:status")
    return _walk(request, ON, backup)


@require_http_methods(["GET", "POST"])
@vault_required
@changing
@fresh_sign_in
def account(request: VaultRequest) -> HttpResponse:
    """Another recovery account, in one act: the new backup is checked first, then the old one enters its time."""
    backup = finding.of(request.vault.row)
    if backup is None or not backup.is_on:
        return go(request, "backups:on")
    return _walk(request, MOVE, backup)


def _walk(request: VaultRequest, way: Way, backup: Backup | None) -> HttpResponse:
    at = timezone.now()
    if not roles.recovery_roles(request.vault.device.type, at):
        return go(request, "backups:status")  # It says that no provider fits.
    if answers.asked(request.vault.device.type, at=at) - answers.answered(backup):
        return go(request, "backups:iphone", query={"then": way.onward})
    if request.method == "POST":
        return _done(request, way, backup, at=at)
    proof = request.GET.get("proof", "")
    person = proven(request, proof) if proof else None
    if person is None:
        return _account_page(request, way, backup, lost=bool(proof), at=at)
    if request.GET.get("keep") == "restore":  # The backup that is there already comes first.
        return go(request, "backups:restore")
    if request.GET.get("keep") != "1":
        there = _found(person, request, at=at)
        if there:
            return _existing_page(request, way, person, there, proof)
    return _protection_page(request, way, backup, person, proof)


@sensitive_variables()
def proven(request: VaultRequest, proof: str) -> Identity | None:
    """Who a proof shows, for this list; None for any other, and for one that is too old or used."""
    for purpose in _PROVEN_FOR:
        try:
            person = identity.look(proof, user=request.user, purpose=purpose, target=_target(request))
        except NotProven:
            continue
        return person if roles.fits(Role(person.role), request.vault.device.type, timezone.now()) else None
    return None


def _spent(request: VaultRequest, proof: str) -> Identity:
    """The same, and the proof is used up. Raises NotProven."""
    for purpose in _PROVEN_FOR:
        try:
            return identity.spend(proof, user=request.user, purpose=purpose, target=_target(request))
        except NotProven:
            continue
    raise NotProven


def _target(request: VaultRequest) -> str:
    return str(request.vault.row.pk)


def _found(person: Identity, request: VaultRequest, *, at: datetime) -> list[objects.Found]:
    """What lies under this account already. Where the store does not answer, "OK" asks it again."""
    if objects.is_silent(at):
        return []
    try:
        return recovery.found(person, request.vault.device.type, besides=request.vault.row, at=at)
    except StoreFailed:
        return []


# -- Step by step -----------------------------------------------------------------------------------------------------


def _steps(request: VaultRequest, step: int) -> dict[str, Any]:
    """Where one is: on an iPhone its switches come first."""
    more = int(bool(answers.asked(request.vault.device.type, at=timezone.now())))
    return {"step": step + more, "bars": range(1, 4 + more), "last_step": 3 + more}


def _account_page(request: VaultRequest, way: Way, backup: Backup | None, *, lost: bool, at: datetime) -> HttpResponse:
    type = request.vault.device.type
    known = _known(request, way, backup, at=at)
    accounts = vaults.read(request.vault)
    blocked = blocking.held(accounts.entries, blocking.met_by(request.vault), at=at)
    left_out = [
        (one.issuer, one.name, blocking.short(blocked[one.id])) for one in accounts.ordered() if one.id in blocked
    ]
    taken = [entry for entry in accounts.ordered() if entry.id not in blocked]
    entries = [(entry.issuer, entry.name, carried(entry).secret is not None) for entry in taken]
    whole = sum(is_whole for _issuer, _name, is_whole in entries)
    context = {
        "way": way,
        "known": known,
        "now": backup.recovery_account if way.moves and backup is not None else None,
        "leaves": backup if not way.moves and backup is not None and backup.deletes_at is not None else None,
        "known_account": ACCOUNTS[Role(known.role)] if known else "",
        "choices": [(role.value, SIGN_IN_WITH[role]) for role in roles.recovery_roles(type, at)],
        "entries": entries,
        "left_out": left_out,
        "whole": whole,
        "named": len(entries) - whole,
        "important": IMPORTANT[type],
        "lost": lost,
        **_steps(request, 1),
    }
    return page(request, "backups/on_account.html", context)


def _known(request: VaultRequest, way: Way, backup: Backup | None, *, at: datetime) -> Any:
    """The account that "Continue" means. Where it is about another one, that of the backup is none."""
    if way.moves:
        return None
    if backup is not None and backup.recovery_account is not None:  # On its way out: "Continue" is undo.
        account = backup.recovery_account
        return account if roles.fits(Role(account.role), request.vault.device.type, at) else None
    return recovery.known(request.user, request.vault.device.type, at)


def _existing_page(
    request: VaultRequest, way: Way, person: Identity, there: list[objects.Found], proof: str
) -> HttpResponse:
    context = {"way": way, "person": person, "found": there, "newest": there[0].generation, "proof": proof}
    return page(request, "backups/on_existing.html", context)


def _protection_page(
    request: VaultRequest,
    way: Way,
    backup: Backup | None,
    person: Identity,
    proof: str,
    form: ProtectionForm | None = None,
) -> HttpResponse:
    accounts = vaults.read(request.vault)
    circle = recovery.circle(accounts, person)
    if form is None:
        form = ProtectionForm(circle=bool(circle), initial={"protection": _preselected(request, backup)})
    context = {
        "way": way,
        "form": form,
        "person": person,
        "proof": proof,
        "circle": circle,
        "same": way.moves and backup is not None and recovery.holds(person, backup),
        **protection_context(request),
        **_steps(request, 2),
    }
    return page(request, "backups/on_protection.html", context)


def protection_context(request: VaultRequest) -> dict[str, Any]:
    """What a page says of both protections, by the keys the person holds."""
    held = held_keys.of(request.vault.row)
    has_key = bool(vaults.read(request.vault).backup_keys)
    return {
        "held": held,
        "has_key": has_key,
        "operator_can_open": OPERATOR_CAN_OPEN,
        "nothing_opens": NOTHING_OPENS[bool(held.words), bool(held.passkeys)],
        "chosen": request.POST.get("protection") or request.GET.get("protection", ""),
    }


def _preselected(request: VaultRequest, backup: Backup | None) -> str:
    """A key, where the person holds one; what the backup has already, where it is on."""
    if not vaults.read(request.vault).backup_keys:
        return Protection.SIGN_IN.value
    if backup is not None and backup.is_on and request.GET.get("protection") != Protection.KEY:
        return backup.protection
    return Protection.KEY.value


# -- "OK" -------------------------------------------------------------------------------------------------------------


@sensitive_variables()
def _done(request: VaultRequest, way: Way, backup: Backup | None, *, at: datetime) -> HttpResponse:
    proof = request.POST.get("proof", "")
    person = proven(request, proof)
    if person is None:
        return _unproven(request, way, Cause.LOST if proof else Cause.NO_SIGN_IN, at=at)
    try:
        there = recovery.found(person, request.vault.device.type, besides=request.vault.row, at=at)
    except StoreFailed:
        return http.problem(request, switching.not_kept(request.vault, Cause.STORE, at=at))
    if there and request.POST.get("keep") != "1":
        return go(request, way.url, query={"proof": proof})
    form = ProtectionForm(request.POST, circle=bool(recovery.circle(vaults.read(request.vault), person)))
    if form.is_valid():
        try:
            return _acted(request, way, proof, Protection(form.cleaned_data["protection"]), at=at)
        except KeyNeeded:
            form.add_error("protection", _("You hold no key yet. Make six words or add a passkey first."))
    return _protection_page(request, way, backup, person, proof, form)


def _acted(request: VaultRequest, way: Way, proof: str, protection: Protection, *, at: datetime) -> HttpResponse:
    """The proof is used up, and the one act done. Raises KeyNeeded, before that."""
    if protection is Protection.KEY and not vaults.read(request.vault).backup_keys:
        raise KeyNeeded
    try:
        error = _once(request, way, proof, protection, at=at)
    except NotProven:  # The other click was quicker; or it has just become too old.
        return _unproven(request, way, Cause.LOST, at=at)
    except AlreadyOn:
        return go(request, "backups:status")
    except NotOn:
        return http.not_on(request)
    return go(request, "backups:done") if error is None else http.problem(request, error)


def _once(request: VaultRequest, way: Way, proof: str, protection: Protection, *, at: datetime) -> NotKept | None:
    """The act, for the first of several clicks. Why it came to nothing, if so. Raises NotProven for the others."""
    used, act = _used(request, proof), switching.change_account if way.moves else switching.turn_on
    if not cache.add(used, _UNDER_WAY, _UNDER_WAY_FOR):
        raise NotProven
    try:
        act(request.vault, _spent(request, proof), protection, at=at)
    except NotKept as error:
        cache.set(used, error.reference, _REMEMBERED)
        return error
    except BaseException:
        cache.delete(used)
        raise
    cache.set(used, "", _REMEMBERED)
    return None


# A second click finds what became of the first, by the proof that both came with: nothing, or a reference.
_REMEMBERED = 5 * 60
_UNDER_WAY, _UNDER_WAY_FOR = "…", 60


def _used(request: VaultRequest, proof: str) -> str:
    return f"backups/proof/{request.user.pk}/{hashlib.sha256(proof.encode()).hexdigest()}"


def _unproven(request: VaultRequest, way: Way, cause: Cause, *, at: datetime) -> HttpResponse:
    """No proof, or none any more: because it was used a moment ago, or because the sign-in was not finished."""
    proof = request.POST.get("proof", "")
    became = cache.get(_used(request, proof))
    if became == _UNDER_WAY:
        return go(request, "backups:under-way", query={"proof": proof})
    if became is not None:
        return _led_to(request, became)
    backup = finding.of(request.vault.row)
    if backup is not None and backup.is_on and not way.moves:
        return go(request, "backups:status")
    return http.problem(request, switching.not_kept(request.vault, cause, at=at))


def _led_to(request: VaultRequest, became: str) -> HttpResponse:
    return go(request, "backups:problem", became) if became else go(request, "backups:done")


@require_safe
@vault_required
def under_way(request: VaultRequest) -> HttpResponse:
    """The second of two clicks looks again every second until the first is through, and goes where that led to.

    A page and not a wait: a worker that waits answers nobody else.
    """
    became = cache.get(_used(request, request.GET.get("proof", "")))
    if became is None:
        return go(request, "backups:status")
    if became != _UNDER_WAY:
        return _led_to(request, became)
    response = page(request, "backups/under_way.html", {})
    response.headers["Refresh"] = "1"
    return response


@require_safe
@vault_required
def done(request: VaultRequest) -> HttpResponse:
    """How it ended: "Backed up. 14 of 14 accounts." Or where that failed, why."""
    backup, at = finding.of(request.vault.row), timezone.now()
    if backup is None or not backup.is_on:
        return go(request, "backups:status")
    vaults.read(request.vault)
    card = cards.of(backup, user=request.user, vault=request.vault, held=None, at=at)
    if card.status is Status.FAILING:
        return go(request, "backups:problem", backup.reference)
    former = finding.former(request.vault.row, at=at)
    older = ending.open_to_operator(backup)
    context = {"card": card, "former": former[0] if former else None, "older": older, **_steps(request, 3)}
    return page(request, "backups/on_done.html", context)


# -- To the provider --------------------------------------------------------------------------------------------------


@require_POST
@vault_required
@changing
def sign_in(request: VaultRequest) -> HttpResponse:
    """On to the provider: to the account that is known, or to choose one of a role that fits this device."""
    at, device = timezone.now(), request.vault.device
    way = MOVE if request.POST.get("for") == MOVE.onward else ON
    backup = finding.of(request.vault.row)
    wanted = ""
    if request.POST.get("continue"):
        known = backup.recovery_account if backup is not None and backup.recovery_account is not None else None
        known = known or recovery.known(request.user, device.type, at)
        if known is None or not roles.fits(Role(known.role), device.type, at):
            return go(request, way.url)
        role, purpose, expected, wanted = Role(known.role), Purpose.RECOVERY_CONTINUE, bytes(known.tag), known.label
    else:
        offered = {role.value: role for role in roles.recovery_roles(device.type, at)}
        if request.POST.get("role", "") not in offered:
            return go(request, way.url)
        role, purpose, expected = offered[request.POST["role"]], Purpose.RECOVERY_CHOOSE, None
    target, back = _target(request), reverse(way.url)
    return prove(request, role=role, purpose=purpose, target=target, back=back, expected=expected, wanted=wanted)
