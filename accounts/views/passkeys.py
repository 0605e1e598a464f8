"""Passkeys as keys: added where the list is open, used where it is not. Scripts ask; the answers are JSON."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import sentences
from accounts.forms_keys import NewPasskeyForm, OpenByPasskeyForm
from accounts.http import (
    UserRequest,
    VaultRequest,
    changing,
    fresh_sign_in,
    go,
    onward_address,
    onward_query,
    page,
    said,
    too_many_devices,
    vault_required,
)
from accounts.services import devices, held_keys, passkeys
from accounts.services.devices import DeviceGone, TooManyDevices
from accounts.services.doors import NoSuchDoor
from accounts.services.passkeys import AlreadyAKey, TooManyPasskeys
from accounts.vault.errors import Damaged, WrongKey
from accounts.views import doors


@require_POST
@sensitive_post_parameters()
def open_list(request: UserRequest) -> HttpResponse:
    """What a passkey gave opens the list in this browser, or one sentence says why not."""
    if devices.enter(request) is not None:
        return _on("accounts:list")
    if request.user.passkeys_off:
        return _sentence(sentences.passkeys_off())
    form = OpenByPasskeyForm(request.POST)
    if not form.is_valid():
        return _sentence(_("This passkey opens no list of yours."))
    new = doors.new_device(request, form.cleaned_data["device_id"])
    if new is None:
        return _on("accounts:open-name")
    credential, output = form.cleaned_data["credential"], form.cleaned_data["output"]
    try:
        found = doors.chosen(request)
        wanted = found.vault.pk if found is not None else None
        opened = passkeys.open_list(request.user, credential, output, new, at=timezone.now(), wanted=wanted)
    except NoSuchDoor:
        return _sentence(_("This passkey opens no list of yours."))
    except Damaged as error:
        return _sentence(sentences.sentence(error))
    except TooManyDevices:
        return _sentence(too_many_devices())
    except DeviceGone:
        return _on("accounts:open")  # A page from before; the new one brings another id.
    response = _on("accounts:list")
    devices.send_cookie(response, request.user, opened.cookie)
    return response


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@fresh_sign_in
@changing
def new(request: VaultRequest) -> HttpResponse:
    """Make a passkey, or choose one; used a second time it shows that it gives a key."""
    if request.user.passkeys_off:
        return go(request, onward_address(request) or "accounts:keys")
    there = passkeys.of(request.vault.row)
    if request.method == "POST":
        return _added(request, NewPasskeyForm(request.POST))
    name = _("Passkey") if not there else _("Passkey %(number)d") % {"number": len(there) + 1}
    context = {
        "form": NewPasskeyForm(initial={"name": name}),
        "rp": doors.relying_party(),
        "words": held_keys.of(request.vault.row).words,
        "full": len(there) >= passkeys.MOST,
        "most": passkeys.MOST,
        "onward": onward_query(request),
    }
    return page(request, "accounts/passkey_new.html", context)


def _added(request: VaultRequest, form: NewPasskeyForm) -> HttpResponse:
    if not form.is_valid():
        named = form.errors.get("name")
        return _sentence(str(named[0]), again=True) if named else _sentence(_cannot())
    credential, name = form.cleaned_data["credential"], form.cleaned_data["name"]
    outputs = form.cleaned_data["first"], form.cleaned_data["second"]
    before = held_keys.of(request.vault.row)
    try:
        passkeys.add(request.vault, credential, outputs, name, at=timezone.now())
    except WrongKey:
        return _sentence(_cannot())
    except AlreadyAKey:
        return _sentence(_("This passkey opens your list already."))
    except TooManyPasskeys:
        return _sentence(
            _("%(count)s passkeys open your list, as many as can. Remove one first.") % {"count": passkeys.MOST}
        )
    said(request, _("This passkey opens your list from now on."))
    return _on(onward_address(request) or held_keys.onward(request.vault, before) or "accounts:keys")


def _cannot() -> str:
    return _("This passkey cannot hold a key. It can still sign you in. Six words work everywhere.")


def _on(to: str) -> JsonResponse:
    """The script goes on there."""
    return JsonResponse({"location": to if to.startswith("/") else reverse(to)})


def _sentence(sentence: str, *, again: bool = False) -> JsonResponse:
    """The script says so beside its button; nothing was changed. `again`: what was used need not be used anew."""
    return JsonResponse({"sentence": sentence, "again": True} if again else {"sentence": sentence})
