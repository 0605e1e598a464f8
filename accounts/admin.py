"""What staff see and do: people, their devices, their activity. Never a secret, a name or an issuer of an account."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.forms_blocking import BlockedDomainForm
from accounts.http import fresh_sign_in
from accounts.models import BlockedDomain, Device, Event, User
from accounts.services import activity, blocking, deletion, devices
from accounts.services.blocking import Affected


class Shown:
    """Rows are filtered by what is shown of them: by other columns a hash could be guessed, letter by letter."""

    fields: ClassVar[tuple[str, ...]]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Whether an address may filter by this."""
        shown: bool = super().lookup_allowed(lookup, value, request)  # type: ignore[misc]
        return shown and lookup.partition("__")[0] in self.fields


class ReadOnly(Shown):
    """Rows that are looked at: nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never."""
        return False


class Ticked:
    """Of several some are ticked: Django's two lists side by side have labels that no screen reader says."""

    filter_horizontal = ()

    def formfield_for_manytomany(self, *args: Any, **named: Any) -> Any:
        """One box each."""
        return super().formfield_for_manytomany(*args, **named, widget=forms.CheckboxSelectMultiple)  # type: ignore[misc]


admin.site.unregister(Group)


@admin.register(Group)
class Groups(Ticked, GroupAdmin):  # type: ignore[misc]
    """Who may do what here, as a group."""


@admin.register(User)
class UserAdmin(Ticked, Shown, admin.ModelAdmin):  # type: ignore[type-arg,misc]
    """A person: whether they may sign in, and into here."""

    list_display = ("email", "is_active", "is_staff", "date_joined", "device_count", "deletes_at")
    list_filter = ("is_active", "is_staff", ("deletes_at", admin.EmptyFieldListFilter))
    search_fields = ("email",)
    ordering = ("email",)
    fields: ClassVar[tuple[str, ...]] = (
        "email",
        "is_active",
        "passkeys_off",
        "is_staff",
        "is_superuser",
        "groups",
        "date_joined",
        "last_login",
        "deletes_at",
    )
    # Whether passkeys are accepted is for the person to say, who is asked for a fresh sign-in and told what stops.
    readonly_fields = ("email", "passkeys_off", "date_joined", "last_login", "deletes_at")
    actions = ("delete_people", "keep_people")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With the number of devices."""
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(device_count=Count("devices", filter=Q(devices__removed_at=None)))

    @admin.display(description=_("devices"), ordering="device_count")
    def device_count(self, user: Any) -> int:
        """How many browsers open this person's lists."""
        return int(user.device_count)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Who may do what is for superusers to say: nobody gives themselves more than they have."""
        more = () if request.user.is_superuser else ("is_staff", "is_superuser", "groups")
        return (*self.readonly_fields, *more)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A superuser is changed by superusers alone."""
        above = isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser
        return not above and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People sign up, or are invited by `manage.py invite`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Not here: deleting a person names what goes and can be undone for a day."""
        return False

    def has_leave_permission(self, request: HttpRequest) -> bool:
        """Who may delete people may ask for it; nothing goes before the day."""
        return request.user.has_perm("accounts.delete_user")

    @method_decorator(fresh_sign_in)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, after a fresh sign-in: a person who leaves on their own is asked for one too."""
        return super().changelist_view(request, extra_context)

    @admin.action(description=_("Delete the chosen people"), permissions=["leave"])
    def delete_people(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """As if they had asked themselves: mail, the time of Undo, then everything."""
        asked, refused = 0, 0
        for person in self._theirs(request, chosen).filter(deletes_at=None):
            try:
                deletion.ask(person, at=timezone.now(), by=_staff(request))
            except deletion.LastSuperuser:
                refused += 1
            else:
                self.log_change(request, person, [{"changed": {"fields": ["deletes_at"]}}])
                asked += 1
        sentence = ngettext(
            "%(count)d person will be deleted. Until then they and you can undo.",
            "%(count)d people will be deleted. Until then they and you can undo.",
            asked,
        )
        self.message_user(request, sentence % {"count": asked}, messages.SUCCESS if asked else messages.WARNING)
        if refused:
            refusal = _("The last superuser stays. Make somebody else one first.")
            self.message_user(request, refusal, messages.ERROR)
        self._say_above(request, chosen)

    @admin.action(description=_("Keep the chosen people: undo their deletion"), permissions=["leave"])
    def keep_people(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """Undo, as they could themselves."""
        kept = 0
        for person in self._theirs(request, chosen).exclude(deletes_at=None):
            with suppress(deletion.TimeOver):
                deletion.undo(person, at=timezone.now())
                self.log_change(request, person, [{"changed": {"fields": ["deletes_at"]}}])
                kept += 1
        sentence = ngettext("%(count)d person stays.", "%(count)d people stay.", kept)
        self.message_user(request, sentence % {"count": kept}, messages.SUCCESS if kept else messages.WARNING)
        self._say_above(request, chosen)

    def _theirs(self, request: HttpRequest, chosen: QuerySet[User]) -> QuerySet[User]:
        """Those of the chosen that this member of staff may touch."""
        return chosen if _staff(request).is_superuser else chosen.filter(is_superuser=False)

    def _say_above(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        if not _staff(request).is_superuser and chosen.filter(is_superuser=True).exists():
            self.message_user(request, _("Superusers were left out: only a superuser can choose them."), messages.ERROR)


def _staff(request: HttpRequest) -> User:
    return request.user  # type: ignore[return-value]  # Nobody else comes here.


@admin.register(Device)
class DeviceAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """A browser that opens a list, and its removal."""

    list_display = ("name", "user", "type", "seen_at", "removed_at")
    list_filter = ("type", ("removed_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "user__email")
    list_select_related = ("user",)
    fields: ClassVar[tuple[str, ...]] = ("name", "user", "type", "made_at", "seen_at", "removed_at")
    actions = ("remove_devices",)

    @method_decorator(fresh_sign_in)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, after a fresh sign-in: each removal asks for one, and here are everybody's devices."""
        return super().changelist_view(request, extra_context)

    @admin.action(description=_("Remove the chosen devices"), permissions=["remove"])
    def remove_devices(self, request: HttpRequest, chosen: QuerySet[Device]) -> None:
        """Refuse them from now on, as their owner would; 24 hours of Undo for the owner."""
        removed = 0
        for device in chosen.filter(removed_at=None).select_related("user"):
            devices.remove(device, at=timezone.now(), by=None)
            removed += 1
        sentence = ngettext("%(count)d device was removed.", "%(count)d devices were removed.", removed)
        self.message_user(request, sentence % {"count": removed}, messages.SUCCESS)

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Who may change devices may remove them."""
        return request.user.has_perm("accounts.change_device")


@admin.register(Event)
class EventAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Activity, as its owner sees it, without what names things elsewhere."""

    list_display = ("at", "user", "sentence", "device_name", "reference")
    list_filter = ("tag",)
    search_fields = ("user__email", "reference")
    list_select_related = ("user",)
    date_hierarchy = "at"
    fields: ClassVar[tuple[str, ...]] = ("at", "user", "sentence", "device_name", "reference")

    @admin.display(description=_("what happened"))
    def sentence(self, event: Event) -> str:
        """The line in words, as staff may read it."""
        return activity.sentence(event, to_staff=True)


@admin.register(BlockedDomain)
class BlockedDomainAdmin(Shown, admin.ModelAdmin):  # type: ignore[type-arg]
    """Which domains are blocked. What a rule would do is shown before it is kept; each act asks for a fresh sign-in."""

    form = BlockedDomainForm
    list_display = ("readable", "from_date", "reason", "contact")
    search_fields = ("domain",)
    fields: ClassVar[tuple[str, ...]] = ("domain", "from_date", "reason", "contact")
    actions = None  # One rule after another: each page says what it does.

    @admin.display(description=_("domain"), ordering="domain")
    def readable(self, rule: BlockedDomain) -> str:
        """As people read it."""
        return rule.readable

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Another domain is another rule."""
        return ("domain",) if obj is not None else ()

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with the day that it is in UTC."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.today = timezone.now().date()
        return form

    @method_decorator(fresh_sign_in)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The rules."""
        return super().changelist_view(request, {**_BLOCK, **(extra_context or {})})

    @method_decorator(fresh_sign_in)
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A new rule or a changed one: the form, then what it would do, then it is kept."""
        if request.method == "POST":
            preview = self._previewed(request, object_id)
            if preview is not None:
                return preview
        more = {"show_save_and_add_another": False, "show_save_and_continue": False, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, {**_BLOCK, **more})

    @method_decorator(fresh_sign_in)
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A rule that is no more."""
        return super().delete_view(request, object_id, extra_context)

    def _previewed(self, request: HttpRequest, object_id: str | None) -> HttpResponse | None:
        """What a rule would do; None where that was shown, where it is not taken, and where Django refuses."""
        rule = self.get_object(request, unquote(object_id)) if object_id is not None else None
        may = self.has_add_permission(request) if object_id is None else self.has_change_permission(request, rule)
        if not may or (object_id is not None and rule is None):
            return None
        form = self.get_form(request, rule, change=rule is not None)(request.POST, instance=rule)
        by, at, shown = _staff(request), timezone.now(), "shown" in request.POST
        if not form.is_valid():
            blocking.refuse(form.fault, by=by, at=at)
            return None
        affected = blocking.affected(form.instance.domain)
        is_own = by.pk in affected.people
        if shown and ("own" in request.POST or not is_own):
            return None
        if shown:
            blocking.refuse("own", by=by, at=at)
        block = blocking.block_of(form.instance)
        context = {
            **self.admin_site.each_context(request),
            **_BLOCK,
            "form": form,
            "rule": form.instance,
            "affects": _affects(affected),
            "refusal": blocking.refusal(block),
            "is_holding": block.holds(at),
            "is_own": is_own,
            "is_asked_again": shown,
            "back": request.get_full_path() if rule is not None else f"{request.path}?{_typed(form)}",
        }
        return TemplateResponse(request, "admin/accounts/blockeddomain/preview.html", context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """With its lines of activity."""
        blocking.keep(obj, by=_staff(request), at=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """With its lines of activity."""
        blocking.lift(obj, by=_staff(request), at=timezone.now())


_BLOCK = {"title": _("Block third-party TOTP")}


def _affects(affected: Affected) -> str:
    if not affected.people:
        return gettext("Nobody has a verified address there now.")
    devices = ngettext("%(count)d device", "%(count)d devices", affected.devices) % {"count": affected.devices}
    people = len(affected.people)
    return ngettext(
        "Affects %(people)d person with %(devices)s.", "Affects %(people)d people with %(devices)s.", people
    ) % {"people": people, "devices": devices}


def _typed(form: BlockedDomainForm) -> str:
    """What was typed, as an address of the same form has it."""
    return urlencode({name: form[name].value() for name in form.fields})
