"""Backups in the administration: how they stand, when and how large. No name, no label, no secret, no button."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin import ReadOnly
from accounts.roles import Role
from backups.models import Backup, Generation, Person, Status
from backups.states import ACCOUNTS, STATES

_PROVEN = Generation.objects.stored().filter(recovery_account__user=OuterRef("pk"))


class ProvenBackup(admin.SimpleListFilter):
    """Who has a backup that was read back equal, and who has none."""

    title = _("proven backup")
    parameter_name = "proven"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Both."""
        return (("yes", _("Has one")), ("no", _("Has none")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Person]) -> QuerySet[Person]:
        """Those."""
        if self.value() in ("yes", "no"):
            has = Exists(_PROVEN)
            return queryset.filter(has if self.value() == "yes" else ~has)
        return queryset


@admin.register(Person)
class PersonAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """One line a person: on or off, under which provider, when it was saved and checked, how much of it there is."""

    list_display = ("email", "state", "provider", "saved_at", "checked_at", "behind_since", "saved_states", "size")
    list_filter = (ProvenBackup,)
    search_fields = ("email",)
    ordering = ("email",)
    fields: ClassVar[tuple[str, ...]] = (
        "email",
        "state",
        "provider",
        "saved_at",
        "checked_at",
        "behind_since",
        "saved_states",
        "size",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        """With what is told of the backup of their list, the one in play first."""
        newest = Backup.objects.filter(user=OuterRef("pk")).exclude(stream="")
        newest = newest.order_by(F("deletes_at").asc(nulls_first=True), "-on_at")
        stored = Q(recovery_accounts__generations__state=Generation.State.PROVEN)
        people: QuerySet[Person] = super().get_queryset(request)
        return people.annotate(
            newest=Subquery(newest.values("pk")[:1]),
            stored_count=Count("recovery_accounts__generations", filter=stored),
            stored_size=Sum("recovery_accounts__generations__size", filter=stored),
            stored_last=Max("recovery_accounts__generations__made_at", filter=stored),
        )

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """By what is shown, and by whether there is a proven backup."""
        return lookup == ProvenBackup.parameter_name or super().lookup_allowed(lookup, value, request)

    def _backup(self, person: Any) -> Backup | None:
        if not hasattr(person, "of_backup"):
            rows = Backup.objects.select_related("recovery_account")
            person.of_backup = rows.filter(pk=person.newest).first() if person.newest else None
        found: Backup | None = person.of_backup
        return found

    @admin.display(description=_("state"))
    def state(self, person: Any) -> str:
        """In words, as the person reads it."""
        backup = self._backup(person)
        if backup is None:
            return str(STATES[Status.OFF].chip)
        words = STATES[backup.status(timezone.now())].chip
        since = timezone.localtime(backup.behind_since) if backup.behind_since else None
        return str(words) % {"time": f"{since:%Y-%m-%d %H:%M}" if since else "–"} if "%(" in str(words) else str(words)

    @admin.display(description=_("provider"))
    def provider(self, person: Any) -> str:
        """What holds the recovery account; never which."""
        backup = self._backup(person)
        account = backup.recovery_account if backup is not None else None
        return str(ACCOUNTS[Role(account.role)]) if account is not None else "–"

    @admin.display(description=_("last saved"), ordering="stored_last")
    def saved_at(self, person: Any) -> Any:
        """When the newest one was made that counts."""
        return person.stored_last

    @admin.display(description=_("last checked"))
    def checked_at(self, person: Any) -> Any:
        """When it was read again."""
        backup = self._backup(person)
        return backup.checked_at if backup is not None else None

    @admin.display(description=_("behind since"))
    def behind_since(self, person: Any) -> Any:
        """Of the oldest change that is in none."""
        backup = self._backup(person)
        return backup.behind_since if backup is not None else None

    @admin.display(description=_("saved states"), ordering="stored_count")
    def saved_states(self, person: Any) -> int:
        """How many count."""
        return int(person.stored_count)

    @admin.display(description=_("size"), ordering="stored_size")
    def size(self, person: Any) -> str:
        """All of them together."""
        return filesizeformat(person.stored_size or 0)


@admin.register(Generation)
class GenerationAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """A saved state: when, how large, how many accounts; what is in it stays shut."""

    list_display = ("made_at", "person", "state", "size", "accounts", "checked_at", "pinned")
    list_filter = ("state", "pinned")
    search_fields = ("recovery_account__user__email",)
    list_select_related = ("recovery_account__user",)
    date_hierarchy = "made_at"
    ordering = ("-made_at",)
    fields: ClassVar[tuple[str, ...]] = (
        *("made_at", "person", "sequence", "state", "size", "accounts", "checked_at", "pinned"),
    )

    @admin.display(description=_("accounts"))
    def accounts(self, one: Generation) -> int:
        """Of the list. How many of them a rule left out would tell who has how many at a domain."""
        return one.of_list

    @admin.display(description=_("user"), ordering="recovery_account__user__email")
    def person(self, one: Generation) -> str:
        """Whose."""
        return one.recovery_account.user.email
