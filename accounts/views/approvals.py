"""Approval of another browser: the one that asks and waits, and the one that has the list and is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import DoorForm
from accounts.forms_keys import LettersForm
from accounts.http import (
    UserRequest,
    VaultRequest,
    fresh_sign_in,
    go,
    network_of,
    page,
    said,
    too_many_devices,
    vault_required,
)
from accounts.models import KeySlot
from accounts.services import approvals, devices
from accounts.services import doors as doors_of_lists
from accounts.services.approvals import Asked, NoSuchRequest, OtherLetters, RequestOver, State
from accounts.services.attempts import TooManyTries
from accounts.services.devices import DeviceGone, TooManyDevices
from accounts.services.doors import NoSuchDoor
from accounts.vault.errors import WrongKey
from accounts.views import doors

_WARNED = timedelta(minutes=1)  # So long before the letters end the page says so.


# -- The new browser --------------------------------------------------------------------------------------------------


@require_POST
def ask(request: UserRequest) -> HttpResponse:
    """Ask the devices that open the list. What this browser asked before is replaced."""
    if devices.enter(request) is not None:
        return go(request, "accounts:list")
    found, form, at = doors.chosen(request), DoorForm(request.POST), timezone.now()
    if found is None:
        return go(request, "accounts:start")
    query = {"list": str(found.vault.pk)}
    if not form.is_valid() or not found.devices:
        return go(request, "accounts:open", query=query)
    new = doors.new_device(request, form.cleaned_data["device_id"])
    if new is None:
        return go(request, "accounts:open-name", query=query)
    before = approvals.asked_here(request)
    try:
        asked = approvals.ask(request.user, found.vault, new, network=network_of(request), at=at, before=before)
    except TooManyTries as error:
        next_at = date_format(timezone.localtime(error.next_at), "H:i")
        said(
            request,
            _("This list was asked for five times within an hour. Ask again at %(time)s.") % {"time": next_at},
            error=True,
        )
        return go(request, "accounts:open", query=query)
    except TooManyDevices:
        said(request, too_many_devices(), error=True)
        return go(request, "accounts:open", query=query)
    except DeviceGone:
        said(request, _("This page was out of date. Ask from here."), error=True)
        return go(request, "accounts:open", query=query)
    response = go(request, "accounts:open-waiting")
    devices.send_cookie(response, request.user, asked.cookie)
    return response


@require_http_methods(["GET", "POST"])
def waiting(request: UserRequest) -> HttpResponse:
    """The eight letters, until another browser has answered. What is approved opens by POST alone."""
    if devices.enter(request) is not None:
        return go(request, "accounts:list")
    asked, at = approvals.asked_here(request), timezone.now()
    if asked is None:
        return go(request, "accounts:open")
    state = approvals.state(asked.slot, at=at)
    if request.method == "GET":
        return _waiting_page(request, asked, state, at=at)
    if state is State.APPROVED:
        try:
            approvals.finish(asked, at=at)
        except RequestOver:
            return go(request, "accounts:open-waiting")
        except WrongKey:
            return _waiting_page(request, asked, None, at=at)
        return go(request, "accounts:list")
    if state is State.PENDING and request.htmx:
        if not _ends_soon(asked, at=at) or "warned" in request.POST:
            return HttpResponse(status=204)
        return _waiting_page(request, asked, state, at=at)
    return go(request, "accounts:open-waiting")


def _waiting_page(request: UserRequest, asked: Asked, state: State | None, *, at: datetime) -> HttpResponse:
    """How the request stands; no state: it was approved, and what came does not open the list."""
    slot = asked.slot
    try:
        found = doors_of_lists.of(request.user, slot.vault_id)
    except NoSuchDoor:
        return go(request, "accounts:open")
    context = {
        "asked": slot,
        "state": state,
        "doors": found,
        "list": slot.vault_id,
        "device_id": uuid4(),
        "letters": approvals.letters(asked) if state is State.PENDING else "",
        "ends_soon": _ends_soon(asked, at=at),
    }
    return page(request, "accounts/waiting.html#waiting", context)


def _ends_soon(asked: Asked, *, at: datetime) -> bool:
    return asked.slot.expires_at is not None and asked.slot.expires_at - at <= _WARNED


# -- The browser that has the list ------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@fresh_sign_in
def answer(request: VaultRequest, request_id: UUID) -> HttpResponse:
    """A request of another browser: its letters are typed, or it is refused. Afterwards the page says what became."""
    vault, at = request.vault, timezone.now()
    try:
        slot = approvals.of(vault, request_id)
        form = LettersForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and request.POST.get("answer") == "refuse":
            approvals.refuse(vault, request_id, at=at)
            return go(request, "accounts:request", request_id)
        if request.method == "POST" and form.is_valid():
            approvals.approve(vault, request_id, form.cleaned_data["letters"], at=at)
            return go(request, "accounts:request", request_id)
    except NoSuchRequest:
        raise Http404 from None
    except RequestOver:
        return go(request, "accounts:request", request_id)
    except OtherLetters:
        slot = approvals.of(vault, request_id)
        if approvals.state(slot, at=at) is not State.PENDING:
            return go(request, "accounts:request", request_id)
        form.add_error("letters", _("These are not the letters of this request. If you did not ask for it, refuse it."))
    return _answer_page(request, slot, form, at=at)


def _answer_page(request: VaultRequest, slot: KeySlot, form: LettersForm, *, at: datetime) -> HttpResponse:
    state = approvals.state(slot, at=at)
    context: dict[str, object] = {"device": slot.device, "request_id": slot.pk, "state": state}
    if state is State.PENDING:
        shown = approvals.shown(slot, network=network_of(request))
        minutes = int((at - shown.asked_at).total_seconds() // 60)
        context |= {"form": form, "asks": shown, "minutes": minutes}
    return page(request, "accounts/request.html", context)
