"""The store knows which server keys it was written with, also when the database knows nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as of_server

from accounts.services import keyring
from accounts.services.keyring import KeysDiffer
from accounts.vault import keys
from accounts.vault.keys import Role, ServerKey
from backups import storage
from backups.services import keychecks
from backups.storage import StoreFailed
from tests.backups import support
from tests.backups.support import FaultyStore

pytestmark = pytest.mark.django_db


def test_start_notes_the_keys_that_backups_hang_on_and_no_more(rotate: Callable[[], None]) -> None:
    first = keychecks.check()
    rotate()
    again = keychecks.check()

    assert (first, again) == ([], [])
    assert support.stored() == ["keys/NAME-1.check", "keys/S-1.check", "keys/S-2.check"]
    S = keyring.keyring().get(Role.STORE, 1)
    assert storage.backups().fetch("keys/S-1.check") == keys.keycheck(S, Role.STORE, 1)


@pytest.mark.parametrize("role", [Role.STORE, Role.NAME])
@pytest.mark.usefixtures("rotate")
def test_another_key_under_a_number_that_the_store_knows_stops_the_start(role: Role) -> None:
    keychecks.check()
    file = Path(of_server.SERVER_KEYS_FILE)
    other = [ServerKey(role, 1, keys.Secret(bytes(32))) if one.role is role else one for one in keyring.read(file)]
    keyring.write(file, other)

    with pytest.raises(
        KeysDiffer, match=rf"The server key {role} 1 is not the one that .* \(keys/{role}-1.check there\)"
    ):
        keychecks.check()


def test_key_that_the_file_lacks_is_named(rotate: Callable[[], None]) -> None:
    rotate()
    keychecks.check()
    file = Path(of_server.SERVER_KEYS_FILE)
    keyring.write(file, [one for one in keyring.read(file) if (one.role, one.kid) != (Role.STORE, 1)])

    assert keychecks.check() == ["S 1"]


def test_store_that_does_not_answer_says_nothing_of_keys(faulty: type[FaultyStore]) -> None:
    faulty.next("create", storage.Cause.UNREACHABLE)

    with pytest.raises(StoreFailed):
        keychecks.check()
