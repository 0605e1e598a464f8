from __future__ import annotations

import copy
import pickle
import traceback
from dataclasses import replace

import pytest

from accounts.vault.errors import Damaged
from accounts.vault.secret import Secret, VaultKey
from tests.accounts.vault.support import new_entry, new_list

CANARY = b"canary-7Hq2 in the cage of a row"


def shown_forms(value: object) -> str:
    return f"{value!r} {value!s} {value} {value!s:>40} {[value]} { ({'key': value}) }"


def test_a_secret_shows_nothing_of_itself() -> None:
    held = [Secret(CANARY), VaultKey(CANARY), Secret.of_text("Y2FuYXJ5LTdIcTI"), new_entry(secret=Secret(CANARY))]

    assert "canary" not in "".join(map(shown_forms, held))
    assert "Y2FuYXJ5" not in "".join(map(shown_forms, held))
    assert "canary" in shown_forms(CANARY)  # The control: bytes do show.


def test_a_list_shows_neither_secrets_nor_names() -> None:
    accounts = replace(new_list(1), entries=(new_entry(name="alice-in-a-log", secret=Secret(CANARY)),))

    assert "canary" not in shown_forms(accounts)
    assert "alice" not in shown_forms(accounts)


@pytest.mark.parametrize(
    "leak",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        list,
        bytes,
        hash,
        lambda secret: secret[0],
        lambda secret: secret.__getstate__(),
        lambda secret: b"" + secret,
        lambda secret: {secret},
        lambda secret: sorted([secret, secret]),
        lambda secret: secret.__dict__,
    ],
)
def test_every_way_around_reveal_is_refused(leak) -> None:
    with pytest.raises((TypeError, AttributeError)) as caught:
        leak(Secret(CANARY))

    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_secret_does_not_change() -> None:
    secret = Secret(CANARY)

    with pytest.raises(AttributeError):
        secret._bytes = b"other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del secret._bytes
    assert secret.reveal() == CANARY


def test_secrets_are_equal_when_their_bytes_are() -> None:
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) == VaultKey(CANARY)
    assert Secret(CANARY) != Secret(CANARY[:-1])
    assert Secret(CANARY) != CANARY
    assert (len(Secret(CANARY)), bool(Secret(b""))) == (32, True)


@pytest.mark.parametrize("size", range(66))
def test_text_and_bytes_give_one_secret(size: int) -> None:
    value = bytes(range(190, 190 + size))

    text = Secret(value).reveal_text()

    assert Secret.of_text(text).reveal() == value
    assert Secret.of_text(text).reveal_text() == text
    assert not set(text) & set("+/=")


@pytest.mark.parametrize("text", ["A", "AAAA=", "AA*A", "ÄÄÄÄ", "AA\nAA", 5, None])
def test_text_that_is_no_base64_is_damaged_once_it_is_asked_for(text) -> None:
    secret = Secret.of_text(text)

    with pytest.raises(Damaged):
        secret.reveal()


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_vault_key_is_32_bytes(size: int) -> None:
    with pytest.raises(Damaged) as caught:
        VaultKey(bytes(size))

    assert dict(caught.value.facts) == {"found": size, "allowed": 32}


def test_a_secret_is_printed_alike_in_every_format() -> None:
    assert {f"{Secret(CANARY):>80}", f"{Secret(CANARY):d}", str(Secret(b""))} == {"Secret(…)"}
