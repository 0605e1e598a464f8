"""A saved state is opened whole or not at all."""

from __future__ import annotations

import hashlib

import pytest
from django.utils import timezone

from accounts.models import Draft
from accounts.services import keyring
from accounts.services.identity import Purpose
from accounts.vault.errors import Damaged
from accounts.vault.keys import Role
from backups import envelope, storage
from backups.services import fates, objects, opening, searching
from backups.services.opening import Opener
from tests import factories
from tests.backups import support

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_account_that_cannot_be_read_refuses_its_saved_state_and_the_one_before_it_opens() -> None:
    old = factories.enrolled("alice@example.org", name="Pixel 8", type="android")
    backup = factories.backed_up(old)
    for issuer in ("Amber", "Birch"):
        factories.create_entry(on=old, issuer=issuer)
    newest = support.newest(backup)
    place, store = objects.place(newest), storage.backups()
    text = envelope.read(store.fetch(objects.path(newest)), place, objects.server_key)
    kid, key = keyring.keyring().newest(Role.STORE)
    other = envelope.write(text.replace(b'"digits":6', b'"digits":0', 1), place, kid=kid, key=key)
    support.spoil(newest, other)
    backup.generations.filter(pk=newest.pk).update(sha256=hashlib.sha256(other).digest(), size=len(other))
    proof, at = factories.proven(old, purpose=Purpose.RESTORE), timezone.now()
    choices = searching.find(factories.person(role=factories.role_of_device(old)), "android").every

    with pytest.raises(Damaged):
        opening.hold(old.vault, proof, choices[0].key, Opener(), at=at)
    held_then = Draft.objects.count()
    draft = opening.hold(old.vault, proof, choices[1].key, Opener(), at=at)

    assert held_then == 0
    assert [row.issuer for row in fates.preview(old.vault, draft, at=at).rows] == ["Amber"]
