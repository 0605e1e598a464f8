"""Settings, preferences, activity."""

from __future__ import annotations

import csv

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.forms import AppearanceForm, CodesForm, TimeZoneForm
from accounts.http import UserRequest, go, page, said
from accounts.models import Event
from accounts.services import activity as activity_service
from accounts.services import devices, held_keys, vaults
from accounts.services.vaults import OpenVault
from accounts.vault.errors import Damaged

_EVENTS_A_PAGE = 50
GROUPS = {
    "": gettext_lazy("All"),
    "list": gettext_lazy("List"),
    "devices": gettext_lazy("Devices"),
    "keys": gettext_lazy("Keys"),
    "backups": gettext_lazy("Backup"),
    "sign_in": gettext_lazy("Sign-in"),
}


@require_safe
def index(request: UserRequest) -> HttpResponse:
    """Everything that can be set, each with how it stands."""
    vault = devices.enter(request)
    request.vault = vault  # type: ignore[attr-defined]  # For the chip and the cell of the backup.
    try:
        in_trash = len(vaults.read(vault).trash) if vault else 0
    except Damaged:
        vault, in_trash = None, 0  # The list says so itself; all else can still be set.
    return page(
        request,
        "accounts/settings.html",
        {
            "list_open": vault is not None,
            "held": held_keys.of(vault.row) if vault else None,
            "in_trash": in_trash,
            "devices": request.user.devices.enrolled().count(),
        },
    )


@require_http_methods(["GET", "POST"])
def codes(request: UserRequest) -> HttpResponse:
    """How codes are shown."""
    form = CodesForm(request.POST if request.method == "POST" else None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        said(request, _("Saved."))
        return go(request, "accounts:settings")
    return page(request, "accounts/settings_codes.html", {"form": form})


@require_http_methods(["GET", "POST"])
def appearance(request: UserRequest) -> HttpResponse:
    """Language, time zone, light or dark."""
    form = AppearanceForm(request.POST if request.method == "POST" else None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        said(request, _("Saved."))
        return go(request, "accounts:settings")
    return page(request, "accounts/settings_appearance.html", {"form": form})


@require_POST
def time_zone(request: UserRequest) -> HttpResponse:
    """The browser tells its time zone once, where the person has chosen none."""
    form = TimeZoneForm(request.POST)
    if form.is_valid() and not request.user.time_zone:
        request.user.time_zone = form.cleaned_data["time_zone"]
        request.user.save(update_fields=["time_zone"])
    return HttpResponse(status=204)


def _undo(event: Event, vault: OpenVault | None, undoable: frozenset[int]) -> int | None:
    """The state to undo, where this line can be undone in the list that is open here."""
    line = activity_service.TAGS.get(event.tag)  # type: ignore[call-overload]
    if vault is None or line is None or not line.undone or event.facts.get("list") != str(vault.row.pk):
        return None
    state = event.facts.get("state")
    return state if state in undoable else None


def _events(request: UserRequest, group: str) -> QuerySet[Event]:
    events = Event.objects.filter(user=request.user)
    if group:
        events = events.filter(tag__in=[tag for tag, line in activity_service.TAGS.items() if line.group == group])
    return events


@require_safe
def activity(request: UserRequest) -> HttpResponse:
    """One's own activity, newest first."""
    group = request.GET.get("group", "")
    group = group if group in GROUPS else ""
    events = Paginator(_events(request, group), _EVENTS_A_PAGE).get_page(request.GET.get("page"))
    vault = devices.enter(request)
    undoable = vaults.undoable(vault) if vault and request.user.deletes_at is None else frozenset()
    lines = [
        (event, activity_service.sentence(event), activity_service.done_on(event), _undo(event, vault, undoable))
        for event in events
    ]
    return page(request, "accounts/activity.html", {"events": events, "lines": lines, "groups": GROUPS, "group": group})


@require_safe
def not_me(request: UserRequest) -> HttpResponse:
    """ "This was not me": what to do now where somebody else restored the backup, and where each of it is done."""
    return page(request, "accounts/not_me.html", {})


@require_safe
def activity_csv(request: UserRequest) -> HttpResponse:
    """One's own activity as a file."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="authweb-activity.csv"'
    writer = csv.writer(response)
    writer.writerow([_("When"), _("What happened"), _("Device"), _("Reference")])
    for event in _events(request, "").iterator():
        when = timezone.localtime(event.at).isoformat(timespec="seconds")
        row = [when, activity_service.sentence(event), event.device_name, event.reference]
        writer.writerow([_quoted(cell) for cell in row])
    return response


def _quoted(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
