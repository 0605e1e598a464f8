"""Who arrives: session, user, device, slot, vault and newest state of a request, by one query.

With models this costs over a millisecond a request; one join and `from_db` cost a tenth. Where it finds nothing,
Django's own ways answer, and the guard of the view decides.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, models
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.models import BlockedDomain, Device, KeySlot, SlotKind, User, Vault, VaultState
from accounts.vault import keys
from accounts.vault.errors import VaultError

_NO_DEVICE = bytes(16)
_DEVICES_AT_MOST = 48  # People may share a browser; a pile of cookies is none of that.


class Slot(NamedTuple):
    """What a browser's key slot holds; a tenth of the columns of its table."""

    id: UUID
    kid: int
    wrapped: bytes
    share: bytes
    used_at: datetime | None


class Beside(NamedTuple):
    """A table of an app above that is read with each list: which columns, and by which column it hangs on another's."""

    model: type[models.Model]
    read: tuple[str, ...]
    by: str
    other: type[models.Model]
    of_other: str


# Apps above put their own in once they are ready, in the order of the joins.
BESIDE: list[Beside] = []

_Row = list[Any]
M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Found:
    """The row of an arrival, from which the models that stand beside the list are made when they are asked for."""

    row: _Row = dataclass_field(repr=False)

    def made(self, model: type[M]) -> M | None:
        """What was read of this table, its other columns deferred; None where it has no row for the list."""
        return _made(model, self.row)


@dataclass(frozen=True, slots=True)
class Door:
    """A device's cookie beside its rows. Nothing is open yet: the slot, the vault and the state may be missing."""

    cookie: keys.DeviceCookie
    user: User
    device: Device
    slot: Slot | None
    vault: Vault | None
    sealed: bytes | None  # Empty where a look came: there is a state, which is not read for that.
    only_door: bool  # No other browser, no words, no passkey opens the same list.
    has_rules: bool  # Some domain is blocked here; which, only pages ask that show it.
    found: Found


@dataclass(frozen=True, slots=True)
class Arrival:
    """A session row as it is stored, and the doors of every device whose cookie came."""

    session_key: str
    session_data: str
    session_expires: datetime
    doors: tuple[Door, ...]


def cookie_name(user_id: UUID) -> str:
    """The name of this person's device cookie: two people may share a browser."""
    person = base64.b32encode(user_id.bytes).decode("ascii")[:8].lower()
    return str(settings.DEVICE_COOKIE_NAME).format(person=person)


def cookies_of(request: HttpRequest) -> dict[str, keys.DeviceCookie]:
    """The well-formed device cookies of a request by name; all others are as if they had not come."""
    before, after = str(settings.DEVICE_COOKIE_NAME).split("{person}")
    found: dict[str, keys.DeviceCookie] = {}
    for name, value in request.COOKIES.items():
        if name.startswith(before) and name.endswith(after) and len(found) < _DEVICES_AT_MOST:
            try:
                found[name] = keys.DeviceCookie.from_text(value)
            except VaultError:
                continue
    return found


def of(request: HttpRequest) -> Arrival | None:
    """What the session cookie and the device cookies of a request point to; None without a session."""
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not session_key or "\x00" in session_key:
        return None
    cookies = cookies_of(request)
    by_id = {cookie.device: (name, cookie) for name, cookie in cookies.items()}
    looks = request.path_info == _look()
    rows = _rows(session_key, list(by_id), looks=looks)
    if not rows:
        return None
    doors = []
    for row in rows:
        device: Device | None = _made(Device, row)
        if device is None:
            continue
        name, cookie = by_id[device.pk.bytes]
        user: User = _made(User, row)  # type: ignore[assignment]
        if name == cookie_name(user.pk):
            slot = Slot(*_of(KeySlot, row))
            (sealed,) = _of(VaultState, row)
            if looks and sealed is not None:
                sealed = b""
            vault = _made(Vault, row)
            doors.append(
                Door(
                    *(cookie, user, device, slot if slot.id else None, vault, sealed, not row[-2], bool(row[-1])),
                    found=Found(row),
                )
            )
    session_data, session_expires = _of(Session, rows[0])
    return Arrival(session_key, session_data, session_expires, tuple(doors))


# Of each table in the order of their joins: what is read of it; all, where a model is made of it.
_READ: dict[type[models.Model], tuple[str, ...] | None] = {
    Session: ("session_data", "expire_date"),
    Device: None,
    User: None,
    KeySlot: Slot._fields,
    Vault: None,
    VaultState: ("sealed",),
}

_Converted = tuple[int, Any, Any]  # A column's place, what converts it, its expression.


@cache
def _tables() -> dict[type[models.Model], tuple[str, ...] | None]:
    """All that is read, what stands beside the list last."""
    return _READ | {beside.model: beside.read for beside in BESIDE}


@cache
def _columns() -> list[tuple[type[models.Model], models.Field[Any, Any]]]:
    """All that is read, one table after another."""
    found = []
    for model, names in _tables().items():
        fields = {field.attname: field for field in model._meta.concrete_fields}
        found += [(model, fields[name]) for name in names or fields]
    return found


@cache
def _look() -> str:
    return reverse("accounts:look")


@cache
def _query(looks: bool) -> str:
    """What asks for it all. A look asks only whether there is a state: reading it costs a tenth of the answer."""
    quote = connection.ops.quote_name
    tables = {model: f"t{number}" for number, model in enumerate(_tables())}
    named = ((model, "version" if looks and model is VaultState else field.column) for model, field in _columns())
    columns = ", ".join(f"{tables[model]}.{quote(str(column))}" for model, column in named)
    session, device, user, slot, vault, state = (quote(model._meta.db_table) for model in _READ)
    # As `KeySlot.objects.doors()` has it.
    another_door = (
        f"EXISTS (SELECT 1 FROM {slot} s LEFT JOIN {device} d ON d.id = s.device_id "  # noqa: S608 - names alone
        f"WHERE s.vault_id = t3.vault_id AND s.id <> t3.id "
        f"AND (s.kind IN ('{SlotKind.WORDS.value}', '{SlotKind.PASSKEY.value}') "
        f"OR (s.kind = '{SlotKind.BROWSER.value}' AND d.removed_at IS NULL)))"
    )
    besides = "".join(
        f"LEFT JOIN {quote(one.model._meta.db_table)} {tables[one.model]} "
        f"ON {tables[one.model]}.{quote(one.by)} = {tables[one.other]}.{quote(one.of_other)} "
        for one in BESIDE
    )
    return (
        f"SELECT {columns}, {another_door}, EXISTS (SELECT 1 FROM {quote(BlockedDomain._meta.db_table)}) "  # noqa: S608 - names alone
        f"FROM {session} t0 LEFT JOIN {device} t1 ON t1.id IN (%s) "
        f"LEFT JOIN {user} t2 ON t2.id = t1.user_id "
        f"LEFT JOIN {slot} t3 ON t3.device_id = t1.id AND t3.kind = '{SlotKind.BROWSER.value}' "
        f"LEFT JOIN {vault} t4 ON t4.id = t3.vault_id "
        f"LEFT JOIN {state} t5 ON t5.vault_id = t4.id AND t5.version = t4.version {besides}"
        "WHERE t0.session_key = %%s AND t0.expire_date > %%s"
    )


@cache
def _conversions() -> tuple[_Converted, ...]:
    """What the database has in another form than Python: its times, ids, flags."""
    found = []
    for place, (model, field) in enumerate(_columns()):
        expression = field.get_col(model._meta.db_table)
        converters = connection.ops.get_db_converters(expression) + field.get_db_converters(connection)
        found += [(place, convert, expression) for convert in converters]
    return tuple(found)


def _rows(session_key: str, device_ids: list[bytes], *, looks: bool) -> list[_Row]:
    adapt = Device._meta.get_field("id").get_db_prep_value
    ids = [adapt(UUID(bytes=device_id), connection) for device_id in device_ids or [_NO_DEVICE]]
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_query(looks) % ", ".join(["%s"] * len(ids)), [*ids, session_key, now])
        rows = [list(row) for row in cursor.fetchall()]
    for row in rows:
        for place, convert, expression in _conversions():
            if row[place] is not None:
                row[place] = convert(row[place], expression, connection)
    return rows


@cache
def _place(model: type[models.Model]) -> tuple[slice, list[str]]:
    places = [place for place, (of, _) in enumerate(_columns()) if of is model]
    return slice(places[0], places[-1] + 1), [_columns()[place][1].attname for place in places]


def _of(model: type[models.Model], row: _Row) -> _Row:
    return row[_place(model)[0]]


def _made(model: type[M], row: _Row) -> M | None:
    place, names = _place(model)
    return model.from_db("default", names, row[place]) if row[place.start] is not None else None
