"""Every page there is, read off the URLconf: a page that is added tomorrow is attacked tomorrow."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from accounts.models import Draft, Event, KeySlot, SlotKind
from accounts.services import activity, adding, vaults, words
from accounts.services.activity import Tag
from accounts.vault.entry import Type
from accounts.vault.list import AccountList
from backups.contents import Contents
from backups.names import Name
from backups.services import opening, recovery, restoring
from backups.services.restoring import Chosen
from tests import factories, proving
from tests.factories import Visitor

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")

# Where nothing of the kind exists.
NOBODYS: Mapping[str, Any] = {
    "entry_id": "0" * 32,
    "trashed_id": "0" * 32,
    "device_id": "00000000-0000-0000-0000-000000000000",
    "draft_id": "00000000-0000-0000-0000-000000000000",
    "words_id": "00000000-0000-0000-0000-000000000000",
    "held_id": "00000000-0000-0000-0000-000000000000",
    "report_id": "00000000-0000-0000-0000-000000000000",
    "request_id": "00000000-0000-0000-0000-000000000000",
    "slot_id": "00000000-0000-0000-0000-000000000000",
    "proof_id": "00000000-0000-0000-0000-000000000000",
    "version": 999_999,
    "reference": "AW-2222-22",
    "token": "none",
    "language": "en",
    "pk": 999_999,
    "provider_id": "none",
    "object_id": "999999",
    "content_type_id": "999999",
    "app_label": "accounts",
    "url": "none",
    "topic": "back-up",  # Everybody's.
}


@dataclass(frozen=True, slots=True)
class Page:
    """A pattern of the URLconf."""

    name: str
    route: str
    view: Any

    @property
    def parameters(self) -> tuple[str, ...]:
        """What stands in its address."""
        return tuple(one or other for one, other in _PARAMETER.findall(self.route))

    def address(self, values: Mapping[str, Any] = NOBODYS) -> str:
        """The address with these values; an account in Trash, a draft of words where the page is about one."""

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if name == "entry_id" and "/trash/<" in self.route:
                name = "trashed_id"
            if name == "draft_id" and "/words/<" in self.route:
                name = "words_id"
            return quote(str(values[name]), safe="")

        return f"/{_PARAMETER.sub(value, self.route)}"


def pages() -> list[Page]:
    """All of them."""
    return list(_walk(get_resolver(), "", ""))


def _walk(resolver: URLResolver, route: str, namespace: str) -> Iterator[Page]:
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern).lstrip("^").rstrip("$")
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern, here, inner)
        else:
            assert isinstance(pattern, URLPattern)
            yield Page(f"{namespace}{pattern.name or here}", here, pattern.callback)


def furnish(visitor: Visitor) -> dict[str, Any]:
    """Give a person one of everything that has an address, and return what stands in those addresses."""
    at = timezone.now()
    mark = visitor.user.email.partition("@")[0]
    entry = factories.create_entry(on=visitor, issuer=f"Site of {mark}", name=f"name of {mark}", type=Type.HOTP)
    trashed = factories.create_entry(on=visitor, issuer=f"Old site of {mark}", name=f"old name of {mark}")
    vaults.change(
        visitor.vault,
        lambda accounts: accounts.trash_entry(trashed.id, vaults.seconds(at)),
        tag=Tag.ENTRY_TRASHED,
        at=at,
    )
    link = f"otpauth://totp/Waiting:waiting%20of%20{mark}?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR"
    draft_id = adding.from_text(visitor.vault, link, at=at)
    key = Authenticator.objects.create(user=visitor.user, type=Authenticator.Type.WEBAUTHN, data=a_passkey())
    assert Draft.objects.filter(pk=draft_id).exists()
    assert visitor.device is not None
    reference = activity.new_reference()
    activity.record(Tag.BACKUP_FAILED, user=visitor.user, at=at, facts={"cause": "store"}, reference=reference)
    return {
        **NOBODYS,
        "reference": reference,
        "entry_id": entry.id,
        "trashed_id": trashed.id,
        "device_id": visitor.device.pk,
        "draft_id": draft_id,
        "words_id": words.begin(visitor.vault, at=at),
        **_restored(visitor),
        "request_id": KeySlot.objects.get(device=factories.asking(visitor).device).pk,
        "slot_id": factories.create_key(on=visitor, kind=SlotKind.PASSKEY, name="Key").pk,
        "proof_id": proving.seed(visitor.user).pk,
        "version": visitor.vault.row.version,
        "pk": key.pk,
        "object_id": visitor.user.pk,
        "content_type_id": ContentType.objects.get_for_model(type(visitor.user)).pk,
    }


def _restored(visitor: Visitor) -> dict[str, Any]:
    """What a backup of their own list held, opened and waiting; and the report of a restore. Cloud Backup stays off."""
    accounts = vaults.read(visitor.vault)
    held = [opened(visitor, accounts) for _ in range(2)]
    return {
        "held_id": held[0],
        "report_id": restoring.accept(visitor.vault, held[1], Chosen(frozenset()), at=timezone.now()),
    }


def opened(visitor: Visitor, accounts: AccountList, *, is_trial: bool = False) -> UUID:
    """The number of what a backup of these accounts held, opened by this person and waiting for their yes."""
    at, label = timezone.now(), f"{visitor.user.email.partition('@')[0]}@outlook.example"
    vault, who = visitor.vault, factories.person(label, role=factories.role_of_device(visitor))
    type, named = vault.device.type, {"device_name": "Lost phone", "app": "1", "at": vaults.seconds(at)}
    contents = Contents.of_list(accounts, device_type=type, **named)
    name = Name(recovery.ctxs(who, type)[0], bytes(8), 1, 1)
    document = opening.document_of(contents.to_bytes(), who, name, is_trial=is_trial)
    return vaults.hold(vault, document, kind=Draft.Kind.RESTORE, at=at).pk


def a_passkey() -> dict[str, Any]:
    """What allauth keeps of a passkey."""
    x, y = (number.to_bytes(32, "big") for number in (1, 2))
    credential = AttestedCredentialData.create(
        bytes(16), secrets.token_bytes(16), ES256({1: 2, 3: -7, -1: 1, -2: x, -3: y})
    )
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT
    data = AuthenticatorData.create(bytes(32), flags, 0, credential)
    client = CollectedClientData.create("webauthn.create", bytes(32), "http://localhost:8000")
    return {
        "name": "Key",
        "credential": {
            "id": websafe_encode(credential.credential_id),
            "rawId": websafe_encode(credential.credential_id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
                "clientDataJSON": websafe_encode(client),
            },
        },
    }


# Rows that change without anything having been done: who is signed in since when, counters of tries.
_UPKEEP = ("django_session", "cache", "sqlite_sequence")


def rows() -> dict[str, list[str]]:
    """Every row of every table, but for upkeep: what must be equal where nothing may be changed."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table not in _UPKEEP:
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a table's own name
                found[table] = sorted(repr([_plain(value) for value in row]) for row in cursor.fetchall())
    return found


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def changed(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    """The tables whose rows differ."""
    return sorted(table for table in before if before[table] != after[table])


def body(answer: HttpResponseBase) -> bytes:
    """All bytes of an answer."""
    return b"".join(answer) if answer.streaming else answer.content  # type: ignore[attr-defined]


def quiet(client: Client) -> Client:
    """The same browser, for whom a failure of the server is an answer and no exception."""
    client.raise_request_exception = False
    return client


def events(visitor: Visitor) -> int:
    """How many lines of activity a person has."""
    return Event.objects.filter(user=visitor.user).count()
