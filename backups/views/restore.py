"""Restore from backup, a page a step: where it lies, which one and what opens it, what becomes of each, how it ended.

Nothing is written before "Restore". The proof comes back with `?proof=` and is used up when a saved state was opened;
from then on it waits under the number of a draft.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import roles
from accounts.http import VaultRequest, changing, go, page, prove, said, vault_required
from accounts.services import attempts, identity, words
from accounts.services.attempts import TooManyTries
from accounts.services.identity import Identity, NotProven, Purpose
from accounts.services.vaults import DraftGone
from accounts.templatetags.look import clock, weekday
from accounts.vault.errors import KeyMissing, TooCostly, TooLarge, Unsupported, VaultError, WrongKey
from accounts.vault.merging import Keep
from accounts.views.doors import relying_party
from backups.forms import OpenForm, PasskeyForm
from backups.services import finding, restoring
from backups.services.restoring import Chosen, Fate, Found, NotThere, Opener, WrongWords
from backups.states import DEVICES, IMPORTANT_TO, SIGN_IN_WITH
from backups.storage import StoreFailed

_LAST_STEP = 5
_FATES = (Fate.SIGN_IN, Fate.SCAN, Fate.BLOCKED, Fate.CLASH, Fate.CODE, Fate.NAME, Fate.HERE)


def _steps(step: int) -> dict[str, Any]:
    return {"step": step, "bars": range(1, _LAST_STEP + 1), "last_step": _LAST_STEP}


def _is_trial(request: VaultRequest) -> bool:
    return (request.POST.get("try") or request.GET.get("try")) == "1"


# -- Where it lies ----------------------------------------------------------------------------------------------------


@require_safe
@vault_required
@changing
def start(request: VaultRequest) -> HttpResponse:
    """What is coming, on which devices, and where one signs in: the providers of now and of before."""
    type, at = request.vault.device.type, timezone.now()
    context = {
        "choices": [(role.value, SIGN_IN_WITH[role]) for role in roles.restore_roles(type, at)],
        "important": IMPORTANT_TO[type],
        "trial": _is_trial(request),
        **_steps(1),
    }
    return page(request, "backups/restore.html", context)


@require_POST
@vault_required
@changing
def sign_in(request: VaultRequest) -> HttpResponse:
    """On to the provider."""
    offered = {role.value: role for role in roles.restore_roles(request.vault.device.type, timezone.now())}
    role = offered.get(request.POST.get("role", ""))
    if role is None:
        return go(request, "backups:restore")
    back = reverse("backups:restore-choose") + ("?try=1" if _is_trial(request) else "")
    return prove(request, role=role, purpose=Purpose.RESTORE, target=str(request.vault.row.pk), back=back)


# -- Which one, and what opens it -------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
def choose(request: VaultRequest) -> HttpResponse:
    """The backups under the proven account, the newest first; on the same page the words that open one."""
    proof = request.POST.get("proof") or request.GET.get("proof", "")
    person = _proven(request, proof)
    if person is None:
        return _lost(request, is_there=bool(proof))
    try:
        found = restoring.find(person, request.vault.device.type)
    except StoreFailed:
        return _unable(request, person, Found(), _("The store of backups does not answer. Try again in a few minutes."))
    if not found.newest:
        return _unable(request, person, found)
    form = OpenForm(request.POST if request.method == "POST" else None, found=found)
    if request.method == "POST" and form.is_valid():
        opener = Opener(words=form.cleaned_data["words"])
        answer = _held(request, proof, form.cleaned_data["choice"], opener)
        if isinstance(answer, UUID):
            return go(request, "backups:restore-preview", answer)
        if answer is None:
            return _lost(request, is_there=True)
        form.add_error(None, answer)
    return _choose_page(request, person, proof, found, form)


@require_POST
@sensitive_post_parameters()
@vault_required
@changing
def passkey(request: VaultRequest) -> HttpResponse:
    """What a passkey gave opens the chosen one, or one sentence says why not. For a script: the answer is JSON."""
    form, proof = PasskeyForm(request.POST), request.POST.get("proof", "")
    if not form.is_valid():
        return JsonResponse({"sentence": _("This passkey gave no key. Use the passkey once more, or type your words.")})
    answer = _held(request, proof, form.cleaned_data["choice"], Opener(output=form.cleaned_data["output"]))
    if isinstance(answer, UUID):
        return JsonResponse({"location": reverse("backups:restore-preview", args=[answer])})
    if answer is None:
        return JsonResponse({"location": reverse("backups:restore-choose")})
    return JsonResponse({"sentence": answer})


@sensitive_variables()
def _held(request: VaultRequest, proof: str, choice: str, opener: Opener) -> UUID | str | None:
    """The draft of an opened saved state; or the sentence that says why there is none; None without a proof."""
    at = timezone.now()
    try:
        return restoring.hold(request.vault, proof, choice, opener, is_trial=_is_trial(request), at=at)
    except NotProven:
        return None
    except WrongWords as error:
        sentence = ngettext(
            "Those are not the words of this backup. %(count)d try left until %(day)s at %(time)s.",
            "Those are not the words of this backup. %(count)d tries left until %(day)s at %(time)s.",
            error.left,
        )
        return sentence % {"count": error.left, **_moment(request, error.until)}
    except TooManyTries as error:
        sentence = _("Too many wrong words. The next try is possible on %(day)s at %(time)s.")
        return sentence % _moment(request, error.next_at)
    except words.Busy:
        return _("Too many people are typing words just now. Try again in a moment; this cost no try.")
    except StoreFailed:
        return _("The store of backups does not answer. Try again in a few minutes.")
    except (NotThere, VaultError) as error:
        return _cannot(error)


def _moment(request: VaultRequest, moment: Any) -> dict[str, str]:
    local = timezone.localtime(moment)
    return {"day": weekday(local), "time": clock(local, request.user)}


def _cannot(error: Exception) -> str:
    """Why a saved state was not opened, and what to do."""
    if isinstance(error, NotThere):
        return _("This saved state is no longer there. Choose another one.")
    if isinstance(error, WrongKey):
        return _("This passkey does not open this backup. One made before another key was added may: look under Older.")
    if isinstance(error, Unsupported):
        return _("This backup was made by a newer Authweb. Ask the operator of this server to update it.")
    if isinstance(error, KeyMissing):
        return _("The server lacks the key of this backup. Its operator has it on the printed sheet.")
    if isinstance(error, TooCostly):
        return _("This backup asks for more work than any that Authweb makes. It was not opened.")
    return _("This saved state is damaged. Choose an earlier one.")


def _proven(request: VaultRequest, proof: str) -> Identity | None:
    try:
        return identity.look(proof, user=request.user, purpose=Purpose.RESTORE, target=str(request.vault.row.pk))
    except NotProven:
        return None


def _lost(request: VaultRequest, *, is_there: bool) -> HttpResponse:
    if is_there:
        said(request, _("That sign-in was too long ago, or was used already. Sign in once more."), error=True)
    return go(request, "backups:restore", query={"try": "1"} if _is_trial(request) else None)


def _unable(request: VaultRequest, person: Identity, found: Found, sentence: str = "") -> HttpResponse:
    """ "Unable to recover.": no backup of this type under this account; and which types there are."""
    context = {
        "person": person,
        "sentence": sentence,
        "device": DEVICES[request.vault.device.type],
        "elsewhere": [(count, DEVICES[type]) for type, count in found.elsewhere.items()],
        **_steps(3),
    }
    return page(request, "backups/restore_unable.html", context)


def _choose_page(request: VaultRequest, person: Identity, proof: str, found: Found, form: OpenForm) -> HttpResponse:
    chosen = str(form["choice"].value() or "")
    if chosen not in {choice.key for choice in found.every}:
        chosen = next((choice.key for choice in found.every if not choice.is_damaged), found.newest[0].key)
    context = {
        "person": person,
        "proof": proof,
        "found": found,
        "form": form,
        "chosen": chosen,
        "trial": _is_trial(request),
        "device": DEVICES[request.vault.device.type],
        "elsewhere": [(count, DEVICES[type]) for type, count in found.elsewhere.items()],
        "needs_words": any("words" in choice.kinds for choice in found.every),
        "needs_passkey": any("passkey" in choice.kinds for choice in found.every),
        "rp": relying_party(),
        "allowed": json.dumps([]),
        "tries": attempts.left(restoring.WORDS_OF_RECOVERY, restoring.subject(person), at=timezone.now()),
        **_steps(3),
    }
    return page(request, "backups/restore_choose.html", context)


# -- What becomes of each ---------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@vault_required
@changing
def preview(request: VaultRequest, draft: UUID) -> HttpResponse:
    """Every account with its fate; "Restore" is the yes."""
    at = timezone.now()
    try:
        found = restoring.preview(request.vault, draft, at=at)
    except DraftGone:
        return _gone(request, draft)
    if request.method == "POST":
        if request.POST.get("cancel"):
            restoring.drop(request.vault, draft)
            return go(request, "backups:status" if found.is_trial else "accounts:list")
        ids = frozenset(request.POST.getlist("chosen"))
        keeps = {row.id: _kept(request.POST.get(f"keep-{row.id}", "")) for row in found.of(Fate.CLASH)}
        try:
            report = restoring.accept(request.vault, draft, Chosen(ids, keeps), at=at)
        except DraftGone:
            return _gone(request, draft)
        except restoring.Trial:
            return go(request, "backups:restore-preview", draft)
        except restoring.NothingChosen:
            said(request, _("No account has a tick. Tick one, or cancel."), error=True)
            return go(request, "backups:restore-preview", draft)
        except TooLarge as error:
            said(request, _too_large(error), error=True)
            return go(request, "backups:restore-preview", draft)
        except TooManyTries as error:
            sentence = _(
                "This backup was restored three times within a day. The next is possible on %(day)s at %(time)s."
            )
            said(request, sentence % _moment(request, error.next_at), error=True)
            return go(request, "backups:restore-preview", draft)
        return go(request, "backups:restore-report", report)
    context = {
        "preview": found,
        "groups": [(fate.value, rows) for fate in _FATES if (rows := found.of(fate))],
        "draft": draft,
        "all_here": all(row.fate is Fate.HERE for row in found.rows),
        **_steps(4),
    }
    return page(request, "backups/restore_preview.html", context)


def _too_large(error: TooLarge) -> str:
    sentence = _("Your list holds at most 2,000 accounts, the Trash included. Tick fewer, or empty the Trash.")
    return sentence if error.unit == "entries" else _("Your list would be larger than a list can be. Tick fewer.")


def _kept(value: str) -> Keep:
    try:
        return Keep(value)
    except ValueError:
        return Keep.BOTH


def _gone(request: VaultRequest, draft: UUID) -> HttpResponse:
    """The second of two clicks, or too late."""
    if restoring.was_accepted(request.vault, draft, at=timezone.now()):
        said(request, _("Restored already."))
        return go(request, "accounts:list")
    said(request, _("What was opened is kept for 15 minutes, and they are over. Nothing was changed."), error=True)
    return go(request, "backups:restore")


# -- How it ended -----------------------------------------------------------------------------------------------------


@require_safe
@vault_required
def report(request: VaultRequest, draft: UUID) -> HttpResponse:
    """ "Restored 12 of 14.": each account and its state, and what comes next."""
    at = timezone.now()
    try:
        found = restoring.report(request.vault, draft, at=at)
    except DraftGone:  # Kept for 15 minutes; activity tells of it for ever.
        return go(request, "accounts:list")
    backup = finding.of(request.vault.row)
    context = {"report": found, "is_backed_up": backup is not None and backup.is_on}
    return page(request, "backups/restore_report.html", context)
