"""Restore from backup, a page a step: where it lies, which one it is and what opens it. `fates` goes on from there.

The proof comes back with `?proof=` and is used up when a saved state was opened; from then on that waits under the
number of the proof.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import roles, sentences
from accounts.http import VaultRequest, changing, go, network_of, page, prove, said, vault_required
from accounts.roles import Role
from accounts.services import attempts
from accounts.services.identity import Identity, Purpose
from accounts.views.doors import relying_party
from backups.forms import OpenForm, PasskeyForm
from backups.services import opening, recovery, restoring, searching
from backups.services.opening import Opener
from backups.services.searching import Found
from backups.states import CLOSED, DEVICES, IMPORTANT_TO, SIGN_IN_WITH, restore_steps
from backups.storage import StoreFailed
from backups.views.fates import often
from backups.views.refusals import Refused, find, hold, instead_of, proven, silent


def _is_trial(request: VaultRequest) -> bool:
    return (request.POST.get("try") or request.GET.get("try")) == "1"


def _carried(request: VaultRequest) -> dict[str, str]:
    """What comes along from page to page, also by way of the provider: whether it is a try, and what was chosen."""
    chosen = request.POST.get("choice") or request.POST.get("chosen") or request.GET.get("chosen", "")
    found = {"try": "1"} if _is_trial(request) else {}
    return {**found, "chosen": chosen} if searching.is_key(chosen) else found


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
        "carried": _carried(request),
        **restore_steps(1),
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
    back = f"{reverse('backups:restore-choose')}?{urlencode(_carried(request))}".removesuffix("?")
    return prove(request, role=role, purpose=Purpose.RESTORE, target=str(request.vault.row.pk), back=back)


# -- Which one, and what opens it -------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
def choose(request: VaultRequest) -> HttpResponse:
    """The backups under the proven account, the newest first; on the same page the words that open one.

    Where there is nothing to ask the one that is there is opened, and waits for the yes. To open is to look.
    """
    proof = request.POST.get("proof") or request.GET.get("proof", "")
    person = proven(request, proof)
    if person is None:
        return _lost(request, proof)
    try:
        found = find(request, person)
    except StoreFailed:
        return _unable(request, person, proof, Found(), silent())
    if not found.newest:
        return _unable(request, person, proof, found)
    posted = request.POST if request.method == "POST" else None
    answer: UUID | Refused | HttpResponse | None = None
    form = OpenForm(posted, found=found, takes_passkeys=not request.user.passkeys_off)
    if request.method == "POST" and form.is_valid():
        opener = Opener(words=form.cleaned_data["words"] or "", network=network_of(request))
        answer = hold(request, proof, form.cleaned_data["choice"], opener, is_trial=_is_trial(request))
        answer = answer or _lost(request, proof)
    elif request.method == "GET" and not _asks(request, person, found):
        answer = hold(request, proof, found.newest[0].key, Opener(), is_trial=False)
        answer = answer or _lost(request, proof, was_there=True)
    if isinstance(answer, HttpResponse):
        return answer
    if isinstance(answer, UUID):
        return go(request, "backups:restore-preview", answer)
    return _choose_page(request, person, proof, found, form, refused=answer)


def _asks(request: VaultRequest, person: Identity, found: Found) -> bool:
    """Whether there is anything to choose, to type or to learn: else the step is skipped. A try looks at each step."""
    (one, *others) = found.every
    is_plain = one.is_recorded and not one.openers and not one.is_damaged and one.deletes_at is None
    is_alone = not others and not found.missing and not found.elsewhere
    is_meant = _carried(request).get("chosen", one.key) == one.key
    is_open = restoring.awaited(person, at=timezone.now()) is None
    return _is_trial(request) or not (is_plain and is_alone and is_meant and is_open)


@require_POST
@sensitive_post_parameters()
@vault_required
@changing
def passkey(request: VaultRequest) -> HttpResponse:
    """What a passkey gave opens the chosen one, or one sentence says why not. For a script: the answer is JSON."""
    if request.user.passkeys_off:
        return JsonResponse({"sentence": sentences.passkeys_off()})
    form, proof = PasskeyForm(request.POST), request.POST.get("proof", "")
    if not form.is_valid():
        return JsonResponse({"sentence": _("This passkey gave no key. Use it once more, or type your six words.")})
    opener = Opener(output=form.cleaned_data["output"])
    answer = hold(request, proof, form.cleaned_data["choice"], opener, is_trial=_is_trial(request))
    if answer is None:
        return JsonResponse({"location": _lost(request, proof).headers["Location"]})
    if isinstance(answer, Refused) and answer.instead is not None:
        said(request, answer.sentence, error=True)
        query = urlencode({**_carried(request), "chosen": answer.instead.key, "proof": proof})
        return JsonResponse({"location": f"{reverse('backups:restore-choose')}?{query}"})
    if isinstance(answer, Refused):
        return JsonResponse({"sentence": answer.sentence})
    return JsonResponse({"location": reverse("backups:restore-preview", args=[answer])})


def _lost(request: VaultRequest, proof: str, *, was_there: bool = False) -> HttpResponse:
    """No proof, or none any more: because it was used a moment ago, by the first of two clicks, or is too old.

    Who comes back to the address of one that was used finds what it opened; "Back" is never led forth again.
    """
    if opening.is_held(request.vault, proof, at=timezone.now()):
        if request.method == "POST" or was_there:
            return go(request, "backups:restore-preview", UUID(proof))
        return page(request, "backups/restore_waits.html", {"held": UUID(proof)})
    if proof:
        said(request, _("That sign-in was over five minutes ago, or was used. Sign in once more."), error=True)
    return go(request, "backups:restore", query=_carried(request))


def _unable(request: VaultRequest, person: Identity, proof: str, found: Found, sentence: str = "") -> HttpResponse:
    """ "Unable to recover.": no backup of this type under this account; what became of one that was there, which types
    there are, which account it could be: of the person's own alone.
    """
    if request.htmx:  # It is a page of its own, and comes in the place of the whole of the one that asked.
        return go(request, "backups:restore-choose", query={**_carried(request), "proof": proof})
    type, at = request.vault.device.type, timezone.now()
    others = [role for role in roles.restore_roles(type, at) if role != person.role]
    context = {
        "person": person,
        "proof": proof,
        "sentence": sentence,
        "found": found,
        "gone": None if sentence or found.missing else recovery.gone(person, type),
        "device": DEVICES[type],
        "elsewhere": _elsewhere(found),
        "known": recovery.labels(request.user, type, besides=person),
        "others": [(SIGN_IN_WITH[role], _kept_there(role, type, at)) for role in others],
        "since": settings.ICLOUD_FROM,
        "trial": _is_trial(request),
        **restore_steps(3),
    }
    return page(request, "backups/restore_unable.html", context)


def _kept_there(role: Role, type: str, at: datetime) -> str:
    """When backups of a type of device are kept with a provider: "before" a date, "since" it, or at every date."""
    if not roles.fits(role, type, at):
        return "before"
    return "since" if len(roles.fitting(type, at)) == 1 else ""


def _elsewhere(found: Found) -> list[str]:
    return [CLOSED[type] % {"count": count} for type, count in found.elsewhere.items()]


def _choose_page(
    request: VaultRequest,
    person: Identity,
    proof: str,
    found: Found,
    form: OpenForm,
    *,
    refused: Refused | None = None,
) -> HttpResponse:
    """The page of the choice; after one that was not opened it says why, and what is chosen in its place."""
    instead = None
    if refused is not None:
        found, instead = refused.found or found, refused.instead
        if form.is_bound:
            in_words = form.cleaned_data["words"] and refused.found is None
            form.add_error("words" if in_words else None, refused.sentence)
    chosen, note = (instead.key, "") if instead is not None else _preselected(request, found)
    if refused is not None and not form.is_bound:
        note = refused.sentence
    at, is_trial = timezone.now(), _is_trial(request)
    left, until = attempts.left(opening.WORDS_OF_RECOVERY, opening.subject(person), at=at)
    late = None if is_trial else restoring.awaited(person, at=at)
    context = {
        "person": person,
        "proof": proof,
        "found": found,
        "form": form,
        "chosen": chosen,
        "note": note,
        "often": "" if late is None else often(request, late),
        "trial": is_trial,
        "device": DEVICES[request.vault.device.type],
        "elsewhere": _elsewhere(found),
        "needs_words": any("words" in choice.openers for choice in found.every),
        "needs_passkey": any("passkey" in choice.openers for choice in found.every),
        "takes_passkeys": not request.user.passkeys_off,
        "rp": relying_party(),
        "allowed": json.dumps([]),  # Whose passkeys they were is not known: the person chooses one of this site.
        "tries": {"left": left, "until": until} if left < opening.WORDS_OF_RECOVERY.most else None,
        **restore_steps(3),
    }
    return page(request, "backups/restore_choose.html#choosing", context)


def _preselected(request: VaultRequest, found: Found) -> tuple[str, str]:
    """What is chosen to begin with: what was chosen before, else the newest; where that is damaged the one before it.
    And the sentence that says so, or that what was chosen is not here.
    """
    chosen = _carried(request).get("chosen", "")
    if chosen in {choice.key for choice in found.every if not choice.is_damaged}:
        return chosen, ""
    if chosen and chosen not in {choice.key for choice in found.every}:
        return "", _("The saved state that you chose is not kept with this account. Choose one that is.")
    newest = found.newest[0]
    if newest.is_damaged:
        with suppress(StoreFailed):
            whole = opening.whole_before(found, newest.key, request.vault.device.type, at=timezone.now())
            if whole is not None:
                return whole.key, instead_of(request, found, newest.key, whole)
    return next((choice.key for choice in found.every if not choice.is_damaged), ""), ""
