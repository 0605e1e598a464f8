from __future__ import annotations

from itertools import product

import pytest

from accounts.models import DeviceType
from accounts.vault import keys
from accounts.vault.errors import Damaged, ParseError, Reason
from accounts.vault.keys import Label, Secret
from backups import names
from backups.envelope import Place
from backups.names import Name
from tests.backups.envelopes import CTX, NAME, NAME_KEY, V


def test_a_name_is_the_vector() -> None:
    assert names.ctx(NAME_KEY, V["issuer"], V["uid"], V["device_type"]) == CTX
    assert NAME.path == V["object_name"]
    assert Name.parse(V["object_name"]) == NAME
    assert NAME.place == Place(CTX, bytes(range(8)), 7)


def test_the_objects_of_a_person_and_of_a_stream_lie_under_their_prefix() -> None:
    folder = "v1/xa/xapheyctc5fcdotq6zimvuqrza6fnc55pkozzerxshhytu3xovia/"

    assert names.prefix(CTX) == folder
    assert names.prefix(CTX, NAME.stream) == f"{folder}0001020304050607/"
    assert NAME.path.startswith(names.prefix(CTX, NAME.stream))


def test_names_of_one_stream_sort_as_their_numbers() -> None:
    found = [
        Name(CTX, bytes(8), sequence, kid) for sequence in (0, 1, 15, 16, 2**40, 2**64 - 1) for kid in (1, 2**32 - 1)
    ]

    assert [Name.parse(path) for path in sorted(name.path for name in found)] == found


@pytest.mark.row("A9")
def test_a_folder_depends_on_key_issuer_person_and_type() -> None:
    issuers, people = ("https://a.example", "https://a.exampl"), ("e1", "1")
    made = product((NAME_KEY, Secret(bytes(32))), issuers, people, names.DEVICE_TYPES)

    assert len({names.ctx(*parts) for parts in made}) == 2 * 2 * 2 * 3


def test_a_folder_is_an_hmac_under_a_key_of_its_own_label() -> None:
    key = keys.derive(NAME_KEY, Label.BACKUP_CTX)

    assert names.ctx(NAME_KEY, "i", "ü", "ios") == keys.fingerprint(key, "", b"i", "ü".encode(), b"ios")


def test_types_of_devices_are_those_of_the_model() -> None:
    assert list(names.DEVICE_TYPES) == DeviceType.values
    for wrong in ("", "iOS", "tablet"):
        with pytest.raises(ParseError) as caught:
            names.ctx(NAME_KEY, "i", "u", wrong)
        assert caught.value.reason is Reason.TYPE_UNKNOWN


@pytest.mark.parametrize("parts", [("\ud800", "u"), ("i", "\udfff")])
def test_a_person_that_is_no_text_has_no_folder(parts: tuple[str, str]) -> None:
    with pytest.raises(ParseError) as caught:
        names.ctx(NAME_KEY, *parts, "ios")
    assert caught.value.reason is Reason.NOT_UTF8
    assert caught.value.__context__ is None


PATH = V["object_name"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/" + PATH,
        PATH + "\n",
        PATH + ".awb",
        PATH.upper(),
        PATH.replace("v1/", "v2/"),
        PATH.replace("v1/", ""),
        PATH.replace("/xa/", "/xb/"),
        PATH.replace("via/", "vib/"),  # The last letter has four bits left over.
        PATH.replace("via/", "v1a/"),
        PATH.replace("via/", "vi/"),
        PATH.replace("0007-", "7-"),
        PATH.replace("-00000001", "-1"),
        PATH.replace("-00000001", "-0000000x"),
        PATH.replace("-00000001", "-٠٠٠٠٠٠٠١"),
        PATH.replace("0001020304050607", "000102030405060g"),
        PATH.replace("/", "\\"),
        PATH.replace("v1/xa/", "v1/xa/../xa/"),
        "keys/S-1.check",
    ],
)
def test_what_is_not_exactly_a_path_is_refused(path: str) -> None:
    with pytest.raises(Damaged):
        Name.parse(path)


def test_every_other_letter_in_a_path_is_refused_or_another_name() -> None:
    for at, letter in product(range(len(PATH)), "a0g-/._Z"):
        path = PATH[:at] + letter + PATH[at + 1 :]
        try:
            found = Name.parse(path)
        except Damaged:
            continue
        assert found.path == path
        assert (found == NAME) is (path == PATH)
