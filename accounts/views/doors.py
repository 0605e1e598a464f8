"""A browser without the key of a person's list: the doors there are, and what it will be called."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.internal.flows import did_use_passwordless_login
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import NameDeviceForm, clean_line
from accounts.http import UserRequest, go, page
from accounts.models import DeviceType
from accounts.services import approvals, browsers, devices, doors
from accounts.services.devices import NewDevice
from accounts.services.doors import Doors, NoSuchDoor
from accounts.vault import encoding
from accounts.views.devices import set_up

_NAMED = "new_device"  # In the session: what the person called this browser before a door was opened.


@require_safe
def open_list(request: UserRequest) -> HttpResponse:
    """A person with a list, in a browser without its key: the doors that exist. Nothing is enrolled by itself."""
    if devices.enter(request) is not None:
        return go(request, "accounts:list")
    found = chosen(request)
    if found is None:
        return go(request, "accounts:start")
    here, asked = devices.here(request), approvals.asked_here(request)
    return page(
        request,
        "accounts/open.html",
        context_of(request, found)
        | {
            "removed": here if here and here.removed_at else None,
            "second_touch": bool(found.passkeys) and _signed_in_by_passkey(request),
            "waits": asked is not None and approvals.waits(asked.slot, at=timezone.now()),
            "others": [vault for vault in doors.lists(request.user) if vault.pk != found.vault.pk],
        },
    )


@require_http_methods(["GET", "POST"])
def name(request: UserRequest) -> HttpResponse:
    """Another name or type for this browser, before a door is opened in it."""
    if devices.enter(request) is not None:
        return go(request, "accounts:list")
    called, type = _called(request)
    form = NameDeviceForm(request.POST if request.method == "POST" else None, initial={"name": called, "type": type})
    if request.method == "POST" and form.is_valid():
        request.session[_NAMED] = {"name": form.cleaned_data["name"], "type": form.cleaned_data["type"]}
        return go(request, "accounts:open", query=_list_query(request))
    return page(request, "accounts/open_name.html", {"form": form, "list": request.GET.get("list", "")})


@require_http_methods(["GET", "POST"])
def separate(request: UserRequest) -> HttpResponse:
    """Start a separate list in a browser that does not open the one there is."""
    if devices.enter(request) is not None:
        return go(request, "accounts:list")
    return set_up(request, "accounts/separate.html", separate=True)


# -- What the pages of the doors share --------------------------------------------------------------------------------


def chosen(request: UserRequest) -> Doors | None:
    """The doors of the list in `?list=`, or of the one changed last; None where the person has no list."""
    given = request.GET.get("list", "")
    try:
        return doors.of(request.user, UUID(given) if given else None)
    except (ValueError, NoSuchDoor):
        pass
    try:
        return doors.of(request.user)
    except NoSuchDoor:
        return None


def context_of(request: UserRequest, found: Doors) -> dict[str, object]:
    """What each page of a door shows: the doors, and what this browser will be called."""
    called, type = _called(request)
    return {
        "doors": found,
        "allowed": json.dumps([encoding.b64url(credential) for credential in doors.passkeys(request.user)]),
        "rp": relying_party(),
        "list": found.vault.pk,
        "device_id": uuid4(),
        "device_name": called,
        "device_type": _("computer") if type == DeviceType.COMPUTER else DeviceType(type).label if type else "",
    }


def new_device(request: UserRequest, device_id: UUID) -> NewDevice | None:
    """What this browser will be; None where its type is not known yet, and "accounts:open-name" asks for it."""
    called, type = _called(request)
    return NewDevice(device_id, called, DeviceType(type)) if type else None


def relying_party() -> str:
    """Whose passkeys they are, exactly and for ever: those that sign in have the same."""
    return str(get_adapter().get_public_key_credential_rp_entity()["id"])


def _signed_in_by_passkey(request: UserRequest) -> bool:
    """Whether this session was begun by a passkey: then one more touch of it is the shortest way."""
    return did_use_passwordless_login(request, request.user)


def _called(request: UserRequest) -> tuple[str, str]:
    """Name and type of this browser, as the person chose or as it says itself; the type may be empty."""
    named = request.session.get(_NAMED)
    if named:
        return str(named["name"]), str(named["type"])
    called, type = browsers.detect(request.headers.get("User-Agent", ""))
    try:
        called = clean_line(called)
    except ValidationError:
        called = ""  # A browser may say anything; in a name stands what can be shown.
    called = devices.unused_name(request.user, called or _("This browser"))
    return called, type.value if type else ""


def _list_query(request: UserRequest) -> dict[str, str] | None:
    return {"list": request.GET["list"]} if request.GET.get("list") else None
