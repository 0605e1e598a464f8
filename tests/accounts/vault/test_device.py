from __future__ import annotations

import pytest

from accounts.vault import keys
from accounts.vault.encoding import b64url
from accounts.vault.errors import Damaged, Reason, Unsupported
from accounts.vault.keys import DeviceCookie, Secret
from tests.accounts.vault.support import vectors

V = vectors("keys")
DEVICE, DK = bytes.fromhex(V["device"]), Secret(bytes.fromhex(V["dk"]))


def test_cookie_and_verifier_are_the_vectors() -> None:
    assert DeviceCookie(DEVICE, DK).to_text() == V["cookie"]
    assert DeviceCookie.from_text(V["cookie"]) == DeviceCookie(DEVICE, DK)
    assert keys.device_verifier(DK, DEVICE).hex() == V["verifier"]


def test_a_verifier_belongs_to_one_device_and_key() -> None:
    made = {keys.device_verifier(key, device) for key in (DK, Secret(bytes(32))) for device in (DEVICE, bytes(16))}

    assert len(made) == 4


def test_a_cookie_shows_nothing_of_its_key() -> None:
    assert "4444" not in repr(DeviceCookie(DEVICE, DK))
    assert V["cookie"][20:60] not in repr(DeviceCookie(DEVICE, DK))


@pytest.mark.parametrize(
    "text",
    [
        "",
        V["cookie"][:-1],
        V["cookie"] + "A",
        V["cookie"] + "==",
        V["cookie"][:-1] + "B",  # bits left over: the same 49 bytes in another text
        "+" + V["cookie"][1:],
        "é" + V["cookie"][1:],
        " " + V["cookie"][1:],
        V["cookie"][:-1] + "\n",
        "A" * 100_000,
    ],
)
def test_a_cookie_has_one_exact_text(text: str) -> None:
    with pytest.raises(Damaged) as caught:
        DeviceCookie.from_text(text)

    assert caught.value.reason is Reason.COOKIE


def test_a_cookie_of_another_version_is_told_apart() -> None:
    with pytest.raises(Unsupported):
        DeviceCookie.from_text(b64url(bytes([2]) + bytes(48)))
