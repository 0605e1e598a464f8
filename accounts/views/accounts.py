"""The list, its codes, one account, order, Trash, undo."""

from __future__ import annotations

from datetime import datetime
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import list_page, roles, rows, sentences
from accounts.forms import EntryForm
from accounts.http import VaultRequest, View, changing, go, page, said, vault_required
from accounts.sentences import sentence
from accounts.services import activity, aside, blocking, policy, signing, vaults
from accounts.services import codes as codes_service
from accounts.services.activity import Tag
from accounts.services.blocking import Block
from accounts.services.codes import Code
from accounts.services.policy import Act
from accounts.vault.entry import Entry, Type
from accounts.vault.errors import AlreadyListed, Damaged, NotListed, ParseError, TooLarge
from accounts.vault.list import AccountList


def listed(view: View) -> View:
    """Guard, inside `vault_required`: the account may have gone to Trash meanwhile, in another browser or tab."""

    @wraps(view)
    def guarded(request: VaultRequest, entry_id: str) -> HttpResponseBase:
        try:
            return view(request, entry_id)
        except NotListed:
            if not _is_in_trash(request, entry_id):
                raise Http404 from None
            said(request, _("This account is in Trash now."), error=True)
            return go(request, "accounts:list")

    return guarded


@require_safe
@vault_required
def index(request: VaultRequest) -> HttpResponse:
    """The list with live codes. Pinned accounts first; `?q=` searches without script."""
    try:
        accounts = vaults.read(request.vault)
    except Damaged:
        return page(request, "accounts/damaged.html", {"state": vaults.last_good(request.vault)})
    at = timezone.now()
    context = list_page.context(request, accounts, query=request.GET.get("q", ""), at=at)
    if not len(accounts):
        return page(request, "accounts/empty.html", context)
    if list_page.fits(request, context):
        return HttpResponse(list_page.filled(request.user, context))
    return page(request, list_page.TEMPLATE, context)


@require_safe
@vault_required
def codes(request: VaultRequest) -> HttpResponse:
    """Codes of the whole list from an instant on, for the page that has those until then: digits by id, no rows.

    `?from=` is in seconds since 1970. Never further ahead than the page itself may hold.
    """
    at = timezone.now()
    try:
        makers = vaults.coders(request.vault)
    except Damaged:
        return JsonResponse({}, status=409)
    now = vaults.seconds(at)
    wanted = request.GET.get("from", "")
    since = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 12 else now
    found = codes_service.ahead(makers, at=at, since=since)
    return JsonResponse(
        {
            "now": at.timestamp(),
            "version": request.vault.row.version,
            "codes": {entry_id: [code.step, code.digits] for entry_id, code in found.items()},
        }
    )


# -- One account ------------------------------------------------------------------------------------------------------


def _entry(request: VaultRequest, entry_id: str) -> Entry:
    return vaults.read(request.vault).get(entry_id)


@require_safe
@vault_required
@listed
def account(request: VaultRequest, entry_id: str) -> HttpResponse:
    """One account: its code, what it is, what can be done. Its secret key is never shown again."""
    entry = _entry(request, entry_id)
    code = None if entry.type is Type.HOTP or entry.secret is None else codes_service.first(entry, at=timezone.now())
    return _account_page(request, entry, code)


def _account_page(request: VaultRequest, entry: Entry, code: Code | None) -> HttpResponse:
    at = timezone.now()
    blocks = blocking.met_by(request.vault)
    under = blocking.among([entry], blocks, at=at).get(entry.id)
    context: dict[str, Any] = {
        "blocked": _blocked(*under) if under is not None else None,
        "entry": described(entry),
        "acts": acts(entry),
        "code": code,
        "row": rows.values(entry, code),
        "now": f"{at.timestamp():.3f}",
    }
    if code is not None and code.period:
        context["code_ends"] = datetime.fromtimestamp(code.ends_at, tz=timezone.get_current_timezone())
    accounts = vaults.read(request.vault)
    if request.htmx:
        context["badge"] = list_page.badge(accounts)
    else:
        context |= list_page.context(request, accounts, at=at, opened=entry.id, blocks=blocks)
    return page(request, "accounts/account.html#account", context)


def _blocked(block: Block, holds: bool) -> dict[str, Any]:
    """What a page says of the rule that an account is under."""
    return {**block.said, "day": rows.day_of(block.from_date), "holds": holds}


def described(entry: Entry) -> dict[str, Any]:
    """What a page may know of an account: never its secret key."""
    return {
        "id": entry.id,
        "issuer": entry.issuer,
        "name": entry.name,
        "called": entry.issuer or entry.name,
        "note": entry.note,
        "pinned": entry.pinned,
        "kind": entry.kind.value,
        "has_code": entry.secret is not None,
        "settings": sentences.settings(entry) if entry.secret is not None else "",
        "type": entry.type.value if entry.type else "",
        "algorithm": entry.algorithm.value if entry.algorithm else "",
        "digits": entry.digits,
        "period": entry.period,
        "counter": entry.counter,
        "added": _moment(entry.added),
        "signed_in": _moment(entry.signed_in),
    }


def acts(entry: Entry) -> dict[str, Any]:
    """What a page says of an account that came back by its name: what it needs, and which ways there are to that.

    A sign-in for which this server has no provider is offered nowhere; `setting` is what its operator would set.
    """
    role = signing.role_of(entry)
    configured = roles.configured(role)
    return {
        "needs": rows.needs_of(entry),
        "waits": entry.waits,
        "signs_in": entry.signs_in and configured,
        "scans": entry.scans,
        "setting": roles.setting(role) if entry.waits and entry.signs_in and not configured else "",
    }


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, tz=timezone.get_current_timezone()) if seconds else None


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
@listed
def edit(request: VaultRequest, entry_id: str) -> HttpResponse:
    """Another site, name or note for an account."""
    entry = _entry(request, entry_id)
    initial = {"issuer": entry.issuer, "name": entry.name, "note": entry.note}
    form = EntryForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        issuer, name, note = (form.cleaned_data[field] for field in ("issuer", "name", "note"))
        at = timezone.now()
        tag = Tag.ENTRY_RENAMED if (issuer, name) != (entry.issuer, entry.name) else Tag.ENTRY_NOTED

        def changed(accounts: AccountList) -> AccountList:
            policy.require_name(request.user, accounts.get(entry_id), issuer=issuer, name=name, at=at)
            return accounts.rename(entry_id, issuer=issuer, name=name).note(entry_id, note)

        try:
            vaults.change(request.vault, changed, tag=tag, at=at)
        except policy.Refused as refused:
            form.add_error("issuer", refused.sentence)
        except AlreadyListed:
            form.add_error("name", _("Another account of this name with the same key is in your list."))
        except (ParseError, TooLarge) as error:
            form.add_error(None, sentence(error))
        else:
            return go(request, "accounts:account", entry_id)
    return page(request, "accounts/edit.html", {"form": form, "entry": described(entry)})


@require_POST
@vault_required
@listed
def pin(request: VaultRequest, entry_id: str) -> HttpResponse:
    """Pin an account, or no longer."""
    pinned = request.POST.get("pinned") == "1"
    at = timezone.now()
    vaults.change(request.vault, lambda accounts: accounts.pin(entry_id, pinned), tag=Tag.ENTRY_PINNED, at=at)
    return go(request, "accounts:account", entry_id)


@require_POST
@vault_required
@listed
def next_code(request: VaultRequest, entry_id: str) -> HttpResponse:
    """The next code of a counter account: the counter is saved before it is shown."""
    at = timezone.now()
    try:
        code = codes_service.next_code(request.vault, entry_id, at=at)
    except ParseError:
        raise Http404 from None
    entry = vaults.read(request.vault).get(entry_id)
    if request.htmx and request.htmx.target != "account":
        blocked = blocking.among([entry], blocking.met_by(request.vault), at=at)
        csrf = get_token(request)
        return HttpResponse(rows.render([entry], {entry_id: code}, user=request.user, csrf=csrf, blocked=blocked))
    return _account_page(request, entry, code)


def _change(request: VaultRequest, operation: vaults.Operation, *, tag: Tag) -> None:
    try:
        vaults.change(request.vault, operation, tag=tag, at=timezone.now())
    except NotListed:
        raise Http404 from None


# -- Order ------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@vault_required
@changing
def order(request: VaultRequest) -> HttpResponse:
    """Put the list in order: by drag, or by "Move up" and "Move down", which work without script."""
    if request.method == "POST":
        ids = request.POST.getlist("id")
        moved, by = request.POST.get("move", ""), request.POST.get("by", "")
        if moved:
            _change(request, lambda accounts: _moved(accounts, moved, by), tag=Tag.LIST_ORDERED)
            return go(request, f"{reverse('accounts:order')}#order-{moved}" if moved.isalnum() else "accounts:order")
        _change(request, lambda accounts: accounts.reorder(ids), tag=Tag.LIST_ORDERED)
        if request.htmx:
            return HttpResponse(status=204)
        said(request, _("The order is saved."), undo=undo_of(request))
        return go(request, "accounts:list")
    accounts = vaults.read(request.vault)
    return page(request, "accounts/order.html", {"entries": [described(entry) for entry in accounts.ordered()]})


def _moved(accounts: AccountList, entry_id: str, by: str) -> AccountList:
    """One step up or down among those shown beside it: pinned ones among the pinned."""
    entry = accounts.get(entry_id)
    beside = [other.id for other in accounts.entries if other.pinned == entry.pinned]
    place = beside.index(entry_id)
    other = place + (-1 if by == "up" else 1)
    if not 0 <= other < len(beside):
        return accounts
    beside[place], beside[other] = beside[other], beside[place]
    return accounts.reorder(beside)


# -- Trash, undo ------------------------------------------------------------------------------------------------------


@require_POST
@vault_required
def trash_entry(request: VaultRequest, entry_id: str) -> HttpResponse:
    """Move an account to Trash; kept for 30 days. The second of two clicks finds it there, however close they are."""
    at = vaults.seconds(timezone.now())
    _change(request, lambda accounts: accounts.trash_entry(entry_id, at), tag=Tag.ENTRY_TRASHED)
    said(request, _("Moved to Trash."), undo=undo_of(request))
    return go(request, "accounts:list")


def _is_in_trash(request: VaultRequest, entry_id: str) -> bool:
    return any(trashed.entry.id == entry_id for trashed in vaults.read(request.vault).trash)


def undo_of(request: VaultRequest) -> str:
    """The address by which the state of the list as it is now is undone."""
    return reverse("accounts:undo", args=[request.vault.row.version])


@require_safe
@vault_required
def trash(request: VaultRequest) -> HttpResponse:
    """What was moved to Trash, and until when it is kept."""
    return _trash(request)


def _trash(request: VaultRequest, refused: dict[str, Any] | None = None) -> HttpResponse:
    now = vaults.seconds(timezone.now() - settings.TRASH_KEPT)
    kept = [trashed for trashed in reversed(vaults.read(request.vault).trash) if trashed.at >= now]
    zone = timezone.get_current_timezone()
    entries = [
        described(trashed.entry) | {"gone": datetime.fromtimestamp(trashed.at, tz=zone) + settings.TRASH_KEPT}
        for trashed in kept
    ]
    return page(request, "accounts/trash.html", {"entries": entries, "refused": refused})


@require_POST
@vault_required
def put_back(request: VaultRequest, entry_id: str) -> HttpResponse:
    """Take an account out of Trash, to its former place. The second of two clicks finds it in the list."""
    if entry_id in vaults.read(request.vault):
        said(request, _("Put back."))
        return go(request, "accounts:trash")
    try:
        back = vaults.read(request.vault).in_trash(entry_id).entry
        policy.require(request.user, Act.PUT_BACK, back, at=timezone.now())
        _change(request, lambda accounts: accounts.put_back(entry_id), tag=Tag.ENTRY_PUT_BACK)
    except policy.Refused as refused:
        said(request, refused.sentence, error=True)
    except NotListed:
        raise Http404 from None
    except AlreadyListed as error:
        # On this very page: what is left for the next one lies in the session, where no name of an account belongs.
        only_here = back.secret is not None and error.entry.secret is None
        return _trash(request, {"there": described(error.entry), "code_only_here": only_here})
    else:
        said(request, _("Put back."))
    return go(request, "accounts:trash")


@require_http_methods(["GET", "POST"])
@vault_required
@changing
def delete(request: VaultRequest, entry_id: str) -> HttpResponse:
    """Delete an account in Trash for good."""
    try:
        trashed = vaults.read(request.vault).in_trash(entry_id)
    except NotListed:
        raise Http404 from None
    if request.method == "POST":
        _change(request, lambda accounts: accounts.delete(entry_id), tag=Tag.ENTRY_DELETED)
        said(request, _("Deleted for good."))
        return go(request, "accounts:trash")
    return page(request, "accounts/delete.html", {"entry": described(trashed.entry)})


@require_POST
@vault_required
def undo(request: VaultRequest, version: int) -> HttpResponse:
    """Put the list back as it was before one change, while that state is kept."""
    agreed = request.POST.get("agreed") == "1"
    try:
        aside.undo(request.vault, version, at=timezone.now(), all_since=agreed)
    except vaults.ChangedSince as since:
        changes = [(activity.sentence_of(state.act), state.made_at) for state in since.states]
        return page(request, "accounts/undo.html", {"version": version, "changes": changes})
    except (vaults.NothingToUndo, TooLarge):
        said(request, _("That can no longer be undone: the state before it is not kept any more."), error=True)
    else:
        said(request, _("Undone."))
    return go(request, "accounts:list")


@require_POST
@vault_required
def mend(request: VaultRequest) -> HttpResponse:
    """Put the last good state back where the newest one does not open."""
    try:
        vaults.mend(request.vault, at=timezone.now())
    except vaults.NothingToUndo:
        return page(request, "accounts/damaged.html", {"state": None})
    said(request, _("The last good state of your list is back."))
    return go(request, "accounts:list")
