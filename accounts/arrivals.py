"""Who arrives: session, user, device, slot, vault and newest state of a request, by one query.

With models this costs over a millisecond a request; one join and `from_db` cost a tenth. Where it finds nothing,
Django's own ways answer, and the guard of the view decides.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, models
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Device, KeySlot, SlotKind, User, Vault, VaultState
from accounts.vault import keys
from accounts.vault.errors import VaultError

_NO_DEVICE = bytes(16)
_DEVICES_AT_MOST = 48  # People may share a browser; a pile of cookies is none of that.


@dataclass(frozen=True, slots=True)
class Door:
    """A device's cookie beside its rows. Nothing is open yet: the slot, the vault and the state may be missing."""

    cookie: keys.DeviceCookie
    user: User
    device: Device
    slot: KeySlot | None
    vault: Vault | None
    sealed: bytes | None


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
    rows = _rows(session_key, list(by_id))
    if not rows:
        return None
    doors = []
    for row in rows:
        device: Device | None = row[1]
        if device is None:
            continue
        name, cookie = by_id[device.pk.bytes]
        user = row[2]
        if name == cookie_name(user.pk):
            doors.append(Door(cookie, user, device, row[3], row[4], row[5].sealed if row[5] else None))
    session: Session = rows[0][0]
    return Arrival(session_key, session.session_data, session.expire_date, tuple(doors))


_MODELS: tuple[type[models.Model], ...] = (Session, Device, User, KeySlot, Vault, VaultState)


@cache
def _query() -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(
        f"t{number}.{quote(str(field.column))}"
        for number, model in enumerate(_MODELS)
        for field in model._meta.concrete_fields
    )
    session, device, user, slot, vault, state = (quote(model._meta.db_table) for model in _MODELS)
    return (
        f"SELECT {columns} FROM {session} t0 LEFT JOIN {device} t1 ON t1.id IN (%s) "  # noqa: S608 - names alone
        f"LEFT JOIN {user} t2 ON t2.id = t1.user_id "
        f"LEFT JOIN {slot} t3 ON t3.device_id = t1.id AND t3.kind = '{SlotKind.BROWSER.value}' "
        f"LEFT JOIN {vault} t4 ON t4.id = t3.vault_id "
        f"LEFT JOIN {state} t5 ON t5.vault_id = t4.id AND t5.version = t4.version "
        "WHERE t0.session_key = %%s AND t0.expire_date > %%s"
    )


_Converted = tuple[int, list[Any], Any]  # A column's place, its converters, its expression.
_Reader = tuple[type[models.Model], list[str], list[_Converted], int, int]


@cache
def _readers() -> tuple[_Reader, ...]:
    """For each model: its field names, and which of its columns need which converters."""
    readers, start = [], 0
    for model in _MODELS:
        fields = model._meta.concrete_fields
        converted = []
        for index, field in enumerate(fields):
            expression = field.get_col(model._meta.db_table)
            converters = [
                *connection.ops.get_db_converters(expression),
                *field.get_db_converters(connection),
            ]
            if converters:
                converted.append((index, converters, expression))
        readers.append((model, [field.attname for field in fields], converted, start, start + len(fields)))
        start += len(fields)
    return tuple(readers)


def _rows(session_key: str, device_ids: list[bytes]) -> list[list[Any]]:
    adapt = Device._meta.get_field("id").get_db_prep_value
    ids = [adapt(UUID(bytes=device_id), connection) for device_id in device_ids or [_NO_DEVICE]]
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_query() % ", ".join(["%s"] * len(ids)), [*ids, session_key, now])
        return [_read(row) for row in cursor.fetchall()]


def _read(row: tuple[Any, ...]) -> list[Any]:
    read: list[Any] = []
    for model, names, converted, start, end in _readers():
        values = list(row[start:end])
        if values[0] is None:
            read.append(None)
            continue
        for index, converters, expression in converted:
            value = values[index]
            for convert in converters:
                value = convert(value, expression, connection)
            values[index] = value
        read.append(model.from_db("default", names, values))
    return read
