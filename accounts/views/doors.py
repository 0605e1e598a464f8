"""A browser without the key of a person's list: the doors there are, what it will be called, a list in its place."""

from __future__ import annotations

import json
from urllib.parse import urlencode
from uuid import UUID, uuid4

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.internal.flows import did_use_passwordless_login
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import NameDeviceForm, clean_line
from accounts.http import RESTORE, UserRequest, being_deleted, fresh_sign_in, go, page, said
from accounts.models import DeviceType
from accounts.services import approvals, aside, browsers, devices, doors, vaults
from accounts.services.devices import NewDevice
from accounts.services.doors import Doors, NoSuchDoor
from accounts.vault import encoding
from accounts.vault.errors import Damaged
from accounts.views.devices import set_up, then

# In the session: what the person called this browser before a door was opened; the list they said they can open.
_NAMED = "new_device"
_OPENS = "list_that_opens"


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
            "second_touch": bool(found.passkeys) and not request.user.passkeys_off and _signed_in_by_passkey(request),
            "waits": asked is not None and approvals.waits(asked.slot, at=timezone.now()),
            "others": [vault for vault in doors.lists(request.user) if vault.pk != found.vault.pk],
            "put_aside": [one for one in aside.of(request.user) if one.has_key and one.id != found.vault.pk],
            "shown_aside": aside.shown(found.vault) if found.vault.put_aside_at else None,
            "aside_here": devices.enter_aside(request) is not None,
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


# -- A list beside the one there is, or in its place ------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def lost(request: UserRequest) -> HttpResponse:
    """Asked once before a list is begun here, or a backup restored: whether the one there is can still be opened, and
    before that by which of its doors.

    "I can still open it" leads back to the doors, and the question is not asked again; "I cannot" to `instead`.
    """
    if devices.enter(request) is not None:
        return go(request, RESTORE if then(request) else "accounts:list")
    found = chosen(request)
    if found is None:
        return go(request, "accounts:start", query=then(request))
    listed = {"list": str(found.vault.pk)}
    if found.vault.put_aside_at is not None:
        return go(request, "accounts:open", query=listed)
    if request.method == "POST":
        request.session[_OPENS] = str(found.vault.pk)
        return go(request, "accounts:open", query=listed)
    if _can_open(request, found):
        return go(request, "accounts:separate", query=listed | then(request))
    ways = {
        "doors": found,
        "device_id": uuid4(),
        "words_made_at": doors.words_made_at(found.vault),
        "passkeys": 0 if request.user.passkeys_off else len(found.passkeys),
    }
    return page(request, "accounts/lost.html", _former(request, found) | ways)


@require_http_methods(["GET", "POST"])
def separate(request: UserRequest) -> HttpResponse:
    """Start a separate list in a browser that does not open the one there is, which stays."""
    if devices.enter(request) is not None:
        return go(request, "accounts:list")
    found = chosen(request)
    if found is not None and request.method == "GET" and not _can_open(request, found):
        return go(request, "accounts:lost", query={"list": str(found.vault.pk)} | then(request))
    return set_up(
        request,
        "accounts/separate.html",
        lambda new: devices.set_up(request.user, new, at=timezone.now(), separate=True),
        named=_named(request),
        context=_former(request, found) if found is not None else {"restores": bool(then(request))},
    )


@require_http_methods(["GET", "POST"])
@fresh_sign_in
def instead(request: UserRequest) -> HttpResponse:
    """Begin a list in place of one that cannot be opened any more, which is put aside and deleted after a time."""
    if devices.enter(request) is not None:
        return go(request, RESTORE if then(request) else "accounts:list")
    found = chosen(request)
    if found is None:
        return go(request, "accounts:start", query=then(request))
    is_another = request.GET.get("list") != str(found.vault.pk)
    is_refused = is_another if request.method == "POST" else found.vault.put_aside_at is not None
    if is_refused:
        return go(request, "accounts:open", query={"list": str(found.vault.pk)})
    restores = bool(then(request))
    try:
        return set_up(
            request,
            "accounts/instead.html",
            lambda new: aside.begin_instead(request.user, found.vault.pk, new, restores=restores, at=timezone.now()),
            named=_named(request),
            context=_former(request, found) | {"deleted_at": timezone.now() + settings.LISTS_PUT_ASIDE_FOR},
        )
    except NoSuchDoor:
        said(request, _("That list was deleted meanwhile. Nothing was changed."), error=True)
        return go(request, "accounts:lost", query=then(request))


@require_http_methods(["GET", "POST"])
def put_aside(request: UserRequest) -> HttpResponse:
    """A list put aside whose key turned up in this browser: how long it stays, and "Keep it"."""
    vault = devices.enter_aside(request)
    if vault is None:
        return go(request, "accounts:list")
    if request.method == "POST":
        try:
            aside.keep(vault, at=timezone.now())
        except NoSuchDoor:
            return go(request, "accounts:list")
        except vaults.BeingDeleted:
            said(request, being_deleted(), error=True)
            return go(request, "accounts:aside")
        said(request, _("Kept. This list is in use again."))
        return go(request, "accounts:list")
    try:
        count: int | None = len(vaults.read(vault))
    except Damaged:
        count = None  # Kept, the list says so itself.
    context = {"aside": aside.shown(vault.row), "count": count, "in_use": devices.has_list(request.user)}
    return page(request, "accounts/aside.html", context)


def _can_open(request: UserRequest, found: Doors) -> bool:
    return bool(request.session.get(_OPENS) == str(found.vault.pk))


def _former(request: UserRequest, found: Doors) -> dict[str, object]:
    """What the question and both answers show of the list there is."""
    last = doors.last_open(found.vault)
    return {
        "list": found.vault.pk,
        "vault": found.vault,
        "last": last,
        "called": last.name if last is not None else found.vault.name,
        "restores": bool(then(request)),
        "own_query": f"?{urlencode({'list': str(found.vault.pk)} | then(request))}",
        "days": settings.LISTS_PUT_ASIDE_FOR.days,
    }


def _named(request: UserRequest) -> dict[str, object]:
    """What this browser was called on the page of the doors, to begin with."""
    called, type = _called(request)
    return {"name": called, "type": type}


# -- What the pages of the doors share --------------------------------------------------------------------------------


def chosen(request: UserRequest) -> Doors | None:
    """The doors of the list in `?list=`, or of the one that fits this browser; None where the person has no list."""
    given = request.GET.get("list", "")
    try:
        return doors.of(request.user, UUID(given) if given else None)
    except (ValueError, NoSuchDoor):
        pass
    try:
        return doors.of(request.user, type=_called(request)[1])
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
    before = approvals.asked_here(request)
    besides = before.device if before is not None else None
    called = devices.unused_name(request.user, called or _("This browser"), besides=besides)
    return called, type.value if type else ""


def _list_query(request: UserRequest) -> dict[str, str] | None:
    return {"list": request.GET["list"]} if request.GET.get("list") else None
