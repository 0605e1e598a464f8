"""The store knows which server keys it was written with, also when the database knows nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as of_server

from accounts.models import KeyCheck
from accounts.services import keyring
from accounts.services.keyring import KeysDiffer
from accounts.vault import keys
from accounts.vault.keys import Role, ServerKey
from backups import storage
from backups.services import keychecks
from backups.storage import StoreFailed
from tests.backups import support
from tests.backups.support import FaultyStore
from tests.factories import Visitor

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

    with pytest.raises(KeysDiffer, match=f"The server key {role} 1 is not the one .*: keys/{role}-1.check there tells"):
        keychecks.check()


@pytest.mark.usefixtures("rotate")
def test_note_of_another_hand_stops_nothing_where_the_database_knows_the_key() -> None:
    """Whoever writes in the store can write any note, also one of a key to come."""
    keyring.check()
    keychecks.check()
    storage.backups().remove("keys/S-1.check")
    storage.backups().create("keys/S-1.check", bytes(32))

    assert keychecks.check() == [
        "S 1: keys/S-1.check in the store is of another key, or of another hand; remove it there"
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_right", [True, False])
def test_store_without_notes_is_asked_whether_the_key_signed_what_lies_there(
    is_right: bool, alice_phone: Visitor, rotate: Callable[[], None]
) -> None:
    """A database and a keys file that are both new, beside a store of before: wrong keys are not noted as right."""
    support.turn_on(alice_phone)
    KeyCheck.objects.all().delete()
    if not is_right:
        file = Path(of_server.SERVER_KEYS_FILE)
        keyring.write(file, [ServerKey(one.role, 1, keys.Secret(bytes(32))) for one in keyring.read(file)])
        with pytest.raises(KeysDiffer, match="The server key S 1 is not the one .*: it signed none of what lies there"):
            keychecks.check()
        assert not [name for name in support.stored() if name.startswith("keys/S")]
        return

    told = keychecks.check()

    assert told == ["NAME 1: whether the backups in the store were named by it cannot be told"]
    assert [name for name in support.stored() if name.startswith("keys/")] == ["keys/S-1.check"]


def test_key_that_the_file_lacks_is_named(rotate: Callable[[], None]) -> None:
    rotate()
    keychecks.check()
    file = Path(of_server.SERVER_KEYS_FILE)
    keyring.write(file, [one for one in keyring.read(file) if (one.role, one.kid) != (Role.STORE, 1)])

    assert keychecks.check() == ["S 1: the store of backups knows it, the server keys file lacks it"]


def test_store_that_does_not_answer_says_nothing_of_keys(faulty: type[FaultyStore]) -> None:
    faulty.next("fetch", storage.Cause.UNREACHABLE)

    with pytest.raises(StoreFailed):
        keychecks.check()
