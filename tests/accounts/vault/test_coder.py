from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields

import pytest

from accounts.vault import coder, otp
from accounts.vault import list as vault_list
from accounts.vault.coder import Coder
from accounts.vault.entry import Algorithm, Entry, Kind, Needs, Type
from accounts.vault.errors import Damaged, Unsupported
from accounts.vault.list import AccountList
from tests.accounts.vault.support import id_of, new_entry, new_list

AT = 1_800_000_000
EVERY_WAY = AccountList(
    (
        new_entry(1),
        new_entry(2, digits=10, period=86_400, algorithm=Algorithm.SHA512),
        new_entry(3, type=Type.HOTP, counter=2**63 - 1, algorithm=Algorithm.SHA256),
        new_entry(4, type=Type.STEAM),
        new_entry(5, secret=None, kind=Kind.WORK, needs=Needs.SIGN_IN),
        new_entry(6, kind=Kind.PERSONAL_CODE, note="a note", tags=("one",), pinned=True),
        new_entry(7),
    )
).trash_entry(id_of(7), AT)


def parts(entry: Entry | Coder) -> list[object]:
    """What the codes of an account stand on."""
    return [getattr(entry, name) for name in Coder._fields]


def test_coders_are_the_accounts_with_codes_in_their_order() -> None:
    with_codes = [entry for entry in EVERY_WAY if entry.secret is not None]

    found = coder.of_list(EVERY_WAY.to_bytes())

    assert [parts(one) for one in found] == [parts(entry) for entry in with_codes]
    assert [otp.code_at(one, AT) for one in found] == [otp.code_at(entry, AT) for entry in with_codes]
    assert len(found) == 5


def test_empty_list_has_no_coders() -> None:
    assert coder.of_list(b'{"v":1}') == ()


def test_each_version_of_a_list_is_read() -> None:
    assert coder._READERS.keys() == vault_list._READERS.keys()
    assert set(Coder._fields) < {field.name for field in fields(Entry)}


def damaged(read: Callable[[bytes], object], data: bytes) -> bool:
    """Whether this reader calls a document damaged."""
    try:
        read(data)
    except Damaged:
        return True
    return False


def altered(**changes: object) -> bytes:
    """The document of one account with parts changed, or gone where they are `...`."""
    document = json.loads(new_list(1).to_bytes())
    entry = {**document["entries"][0], **changes}
    document["entries"] = [{name: value for name, value in entry.items() if value is not ...}]
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *((name, ...) for name in Coder._fields if name != "secret"),
        *((name, value) for name in ("type", "algorithm") for value in (None, 5, "?")),
    ],
)
def test_account_with_a_damaged_part_of_its_code_is_damaged_to_both_readers(part: str, value: object) -> None:
    both = coder.of_list, AccountList.from_bytes

    assert [damaged(read, altered()) for read in both] == [False, False]
    assert [damaged(read, altered(**{part: value})) for read in both] == [True, True]


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"v":"1"}', b'{"v":1,"entries":5}', b'{"v":1,"entries":[1]}'])
def test_document_of_another_shape_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        coder.of_list(data)


def test_document_of_a_version_to_come_is_told_apart() -> None:
    with pytest.raises(Unsupported) as caught:
        coder.of_list(b'{"v":2}')

    assert dict(caught.value.facts) == {"found": 2}
