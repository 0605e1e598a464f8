"""Setting up a browser, opening the list in another one, and the devices of a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID, uuid4

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.forms import DeviceForm, RemovalForm, RenameDeviceForm
from accounts.http import (
    RESTORE,
    UserRequest,
    being_deleted,
    fresh_sign_in,
    go,
    network_of,
    page,
    said,
    too_many_devices,
)
from accounts.models import Device
from accounts.services import approvals, aside, browsers, devices, vaults
from accounts.services.devices import Enrolled, NewDevice
from accounts.vault.errors import Damaged


def _detected(request: HttpRequest) -> dict[str, object]:
    name, type = browsers.detect(request.headers.get("User-Agent", ""))
    if name and request.user.is_authenticated:
        name = devices.unused_name(request.user, name)
    return {"device_id": uuid4(), "name": name, "type": type.value if type else ""}


@require_http_methods(["GET", "POST"])
def start(request: UserRequest) -> HttpResponse:
    """Set up this device: a person without a list begins here."""
    if devices.has_list(request.user) and request.method == "GET":
        return go(request, "accounts:list" if devices.enter(request) else "accounts:open")
    return set_up(
        request,
        "accounts/start.html",
        lambda new: devices.set_up(request.user, new, at=timezone.now()),
        context={"restores": bool(then(request))},
    )


def then(request: UserRequest) -> dict[str, str]:
    """What a new list is begun for, to stand in an address: to restore a backup into it; empty for nothing else."""
    return {"then": "restore"} if request.GET.get("then") == "restore" else {}


def set_up(
    request: UserRequest,
    template: str,
    begin: Callable[[NewDevice], Enrolled],
    *,
    named: Mapping[str, object] | None = None,
    context: Mapping[str, object] | None = None,
) -> HttpResponse:
    """The form of a new list, and what becomes of it: the list, or the wizard that restores a backup into it."""
    initial = _detected(request) | {key: value for key, value in (named or {}).items() if value}
    form = DeviceForm(request.POST if request.method == "POST" else None, initial=initial)
    shown = {"form": form} | dict(context or {})
    if request.method == "POST" and form.is_valid():
        data, restores = form.cleaned_data, request.POST.get("then") == "restore"
        new = NewDevice(data["device_id"], data["name"], data["type"], restores)
        try:
            enrolled = begin(new)
        except devices.HasList:
            return go(request, "accounts:open")
        except devices.TooManyLists:
            form.add_error(None, _("You have 20 lists, as many as one person can keep. Remove a device of one first."))
            return page(request, template, shown)
        except devices.TooManyDevices:
            form.add_error(None, too_many_devices())
            return page(request, template, shown)
        except vaults.BeingDeleted:
            form.add_error(None, being_deleted())
            return page(request, template, shown)
        response = go(request, RESTORE if restores else "accounts:list")
        devices.send_cookie(response, request.user, enrolled.cookie)
        return response
    return page(request, template, shown)


@require_http_methods(["GET"])
def index(request: UserRequest) -> HttpResponse:
    """The devices of a person: needs no key, so that a lost phone is removed from any browser."""
    here, vault = devices.here(request), devices.enter(request)
    asks = approvals.pending(vault, timezone.now(), network=network_of(request)) if vault is not None else []
    return page(
        request,
        "accounts/devices.html",
        {
            "here": here,
            "lately": timezone.now() - timedelta(hours=2),
            "requests": asks,
            "devices": request.user.devices.enrolled(),
            "only_here": here is not None and here.removed_at is None and bool(devices.loss(here).lists),
            "removed": [
                (device, devices.shredded_at(device.removed_at))
                for device in request.user.devices.removed()
                if device.removed_at
            ],
            "put_aside": aside.of(request.user),
            "list_open": vault is not None,
        },
    )


def _device(request: UserRequest, device_id: UUID) -> Device:
    try:
        return devices.of(request.user, device_id)
    except devices.DeviceGone:
        raise Http404 from None


@require_http_methods(["GET", "POST"])
def rename(request: UserRequest, device_id: UUID) -> HttpResponse:
    """Give a device another name."""
    device = _device(request, device_id)
    form = RenameDeviceForm(request.POST if request.method == "POST" else None, initial={"name": device.name})
    if request.method == "POST" and form.is_valid():
        try:
            devices.rename(device, form.cleaned_data["name"], at=timezone.now())
        except devices.DeviceGone:
            raise Http404 from None
        return go(request, "accounts:devices")
    return page(request, "accounts/device_rename.html", {"form": form, "device": device})


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@fresh_sign_in
def remove(request: UserRequest, device_id: UUID) -> HttpResponse:
    """Refuse a device at once; 24 hours of Undo."""
    device, here, at = _device(request, device_id), devices.here(request), timezone.now()
    if device.removed_at is not None:
        return go(request, "accounts:devices")
    loss = devices.loss(device)
    form = RemovalForm(request.POST if request.method == "POST" else None, must_agree=bool(loss.lists))
    if request.method == "POST" and form.is_valid():
        devices.remove(device, at=at, by=here)
        if here is not None and here.pk == device.pk:
            request.session.flush()
            return go(request, "welcome")
        said(request, _("Removed. It is refused from now on."), undo=f"/devices/{device.pk}/undo/")
        return go(request, "accounts:devices")
    context = {"form": form, "device": device, "here": here, "loss": loss, "until": devices.shredded_at(at)}
    return page(request, "accounts/device_remove.html", context | {"accounts": _lost_here(request, device, loss)})


def _lost_here(request: UserRequest, device: Device, loss: devices.Loss) -> int | None:
    """How many accounts go with the device, where its list is open here; None where only the list itself knows."""
    vault = devices.enter(request)
    if vault is None or vault.device.pk != device.pk or not loss.lists:
        return None
    try:
        return len(vaults.read(vault))
    except Damaged:
        return None


@require_http_methods(["GET", "POST"])
@fresh_sign_in
def undo(request: UserRequest, device_id: UUID) -> HttpResponse:
    """Put a removed device back while its key is kept. A door is opened anew: it asks who is there."""
    device = _device(request, device_id)
    if request.method == "GET":
        return page(request, "accounts/device_undo.html", {"device": device})
    try:
        devices.put_back(device, at=timezone.now(), by=devices.here(request))
    except devices.OwnUndo:
        said(request, _("This browser was removed. It is put back from another browser where you sign in."), error=True)
    except devices.DeviceGone:
        said(request, _("That device is no longer kept. Set it up anew in its browser."), error=True)
    else:
        said(request, _("Put back. It opens your list again."))
    return go(request, "accounts:devices")
