"""The list that a newcomer to the demo finds: each shape of account, and the keys of alice at the provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from accounts.vault.entry import Kind, Type
from accounts.vault.list import AccountList
from authweb.demo import samples
from authweb.demo.provider.people import PEOPLE
from tests.factories import Visitor

AT = datetime(2026, 5, 3, tzinfo=UTC)


def test_new_list_is_twelve_accounts_that_a_list_can_hold() -> None:
    accounts = AccountList()
    for entry in samples.new_list(at=AT):
        accounts = accounts.add(entry)

    assert len(accounts.entries) == 12
    assert {entry.type for entry in accounts.entries} == set(Type)
    assert [entry.added for entry in accounts.entries] == [
        int(AT.timestamp()) - day * 86_400 for day in range(12, 0, -1)
    ]
    assert len({entry.secret.reveal() for entry in accounts.entries if entry.secret is not None}) == 12


def test_new_list_has_the_key_of_each_second_factor_at_the_provider() -> None:
    of_provider = {person.issuer.name for person in PEOPLE}
    listed = [
        (entry.issuer, entry.name, entry.kind, entry.secret.reveal())
        for entry in samples.new_list(at=AT)
        if entry.issuer in of_provider and entry.secret is not None
    ]

    assert listed == [
        (person.issuer.name, person.email, Kind.THIRD_PARTY, person.key) for person in PEOPLE if person.key
    ]
    assert [(issuer, name) for issuer, name, _, _ in listed] == [
        ("Microsoft", "alice@outlook.example"),
        ("Contoso", "alice@contoso.example"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(("then", "count"), [("", 12), ("restore", 0)])
def test_list_that_a_backup_is_restored_into_begins_empty(alice: Visitor, settings: Any, then: str, count: int) -> None:
    settings.NEW_LIST = "authweb.demo.samples.new_list"
    form = {"device_id": str(uuid4()), "name": "Laptop", "type": "computer", "then": then}

    alice.client.post(reverse("accounts:start"), form)

    assert alice.client.get(reverse("accounts:list")).content.decode().count('data-account="') == count
