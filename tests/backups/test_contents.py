from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.vault.encoding import canonical, from_b64url, strict
from accounts.vault.entry import (
    LARGEST_COUNTER,
    Algorithm,
    Entry,
    Identity,
    Kind,
    Needs,
    Type,
)
from accounts.vault.errors import Damaged, ParseError, Reason, Unsupported, WrongDeviceType
from accounts.vault.list import MAX_ENTRIES, AccountList, Protection
from accounts.vault.secret import Secret
from backups import contents
from backups.contents import Contents
from backups.portions import PORTIONS, Portion
from tests.accounts.vault.support import id_of, new_entry, new_list
from tests.accounts.vault.test_entry import FULL, NAME_ONLY
from tests.backups.envelopes import PASSKEY, WORDS

GIVEN: dict[str, Any] = {"device_type": "android", "device_name": "Alice’s phone", "app": "1.0", "at": 1_800_000_000}
ENTRIES = (
    new_entry(1, note="first line\nsecond\tline", tags=("work", "ارتباط"), added=1_700_000_000, icon="git-hub"),
    new_entry(3, type=Type.HOTP, counter=LARGEST_COUNTER, digits=8, algorithm=Algorithm.SHA512, pinned=True),
    new_entry(4, type=Type.STEAM, digits=5, issuer="", secret=Secret(b"\xfb\xff\xfe")),
    new_entry(5, kind=Kind.PERSONAL_CODE, name='"quoted" \\ / \u2009 \U0001f511', period=60, secret=Secret(bytes(640))),
    replace(FULL, id=id_of(6)),
    replace(FULL, id=id_of(7), kind=Kind.PERSONAL_PASSWORDLESS, identity=None),
    NAME_ONLY,
    replace(NAME_ONLY, id=id_of(8), kind=Kind.THIRD_PARTY, needs=Needs.KEPT),
)
LIST = AccountList(ENTRIES)
CONTENTS = Contents.of_list(LIST, **GIVEN)
DATA = CONTENTS.to_bytes()


def read(document: object) -> Contents:
    return Contents.from_bytes(json.dumps(document).encode(), device_type="android")


def document() -> dict[str, Any]:
    return copy.deepcopy(json.loads(DATA))


# -- What it holds ----------------------------------------------------------------------------------------------------


def test_contents_come_back_as_they_were() -> None:
    found = Contents.from_bytes(DATA, device_type="android")

    assert found == CONTENTS
    assert [entry.id for entry in found.entries] == [entry.id for entry in ENTRIES]
    assert (found.whole, found.named) == (4, 4)
    assert repr(found) == "Contents(8 entries)"


def test_a_text_that_is_checked_stays_the_text_that_it_is() -> None:
    assert contents.checked(DATA, device_type="android") == DATA
    assert contents.checked(b"\xef\xbb\xbf" + DATA, device_type="android") == DATA
    with pytest.raises(WrongDeviceType):
        contents.checked(DATA, device_type="ios")
    with pytest.raises(Damaged):
        contents.checked(DATA[:-1], device_type="android")
    with pytest.raises(Damaged):
        contents.checked(DATA.replace(b'"digits":6', b'"digits":4'), device_type="android")


def test_the_text_is_canonical_json_and_nothing_else() -> None:
    written = [
        {"id": e.id, "kind": e.kind, "issuer": e.issuer, "name": e.name, "needs": e.needs, "pinned": e.pinned}
        if e.secret is None
        else e.to_document()
        for e in CONTENTS.entries
    ]

    assert canonical({"v": 1, **GIVEN, "entries": written}) == DATA
    assert Contents("ios", "", "", 0, ()).to_bytes() == (
        b'{"app":"","at":0,"device_name":"","device_type":"ios","entries":[],"v":1}'
    )


@pytest.mark.article("S-33")
@pytest.mark.article("S-39")
@pytest.mark.article("G-07")
@pytest.mark.parametrize("device_type", ["ios", "android", "computer"])
def test_codes_are_carried_whole_on_every_type_of_device(device_type: str) -> None:
    accounts = AccountList((new_entry(1), new_entry(2, kind=Kind.PERSONAL_CODE)))
    data = Contents.of_list(accounts, **{**GIVEN, "device_type": device_type}).to_bytes()

    assert [from_b64url(row["secret"]) for row in json.loads(data)["entries"]] == [
        b"key of account 000001",
        b"key of account 000002",
    ]
    assert Contents.from_bytes(data, device_type=device_type).entries == accounts.entries


@pytest.mark.article("S-34")
@pytest.mark.article("S-36")
def test_accounts_of_a_sign_in_are_carried_by_name_without_a_field_for_the_key() -> None:
    rows = [json.loads(DATA)["entries"][place] for place in (4, 5, 6, 7)]

    assert rows == [
        {"id": id_of(6), "issuer": "Contoso", "kind": "work", "name": FULL.name, "needs": "sign_in", "pinned": True},
        {
            "id": id_of(7),
            "issuer": "Contoso",
            "kind": "personal_passwordless",
            "name": FULL.name,
            "needs": "scan",
            "pinned": True,
        },
        {"id": id_of(2), "issuer": "Contoso", "kind": "work", "name": "bob", "needs": "sign_in", "pinned": False},
        {"id": id_of(8), "issuer": "Contoso", "kind": "third_party", "name": "bob", "needs": "kept", "pinned": False},
    ]


@pytest.mark.article("S-66")
def test_nothing_else_of_a_list_is_in_a_backup() -> None:
    canary = "canary-7Hq2"
    hidden = replace(
        FULL,
        note=f"{canary} in a note",
        secret=Secret(f"{canary} as a key".encode()),
        tags=(f"{canary} as a tag",),
        identity=Identity("entra", f"https://{canary}.example", f"{canary} uid"),
    )
    accounts = AccountList(
        (hidden, replace(new_entry(1), identity=hidden.identity, signed_in=1_234_567, as_of=7_654_321)),
        backup_protection=Protection.KEY,
        backup_keys=(WORDS, PASSKEY),
    )
    accounts = accounts.add(new_entry(2, name=canary)).trash_entry(id_of(2), 5)

    data = Contents.of_list(accounts, **GIVEN).to_bytes()

    encoded = [form(canary.encode())[:12] for form in (bytes, base64.b64encode, base64.b16encode, base64.b32encode)]
    encoded += [key.key.reveal_text().encode() for key in (WORDS, PASSKEY)] + [
        b"1234567",
        b"7654321",
        b"trash",
        b"backup",
    ]
    assert [needle for needle in encoded if needle in data] == []
    assert [needle for needle in encoded if needle not in accounts.to_bytes()] == encoded[
        2:4
    ]  # The control: in the list, all is.
    fields = {field for row in json.loads(data)["entries"] for field in row}
    assert fields == set(new_entry().to_document()) | {"needs"}


def test_a_text_that_is_no_utf_8_makes_no_backup() -> None:
    entry = Entry.from_document({**new_entry().to_document(), "name": "\ud800"})  # Past every check.

    with pytest.raises(Damaged) as caught:
        Contents.of_list(AccountList((entry,)), **GIVEN).to_bytes()
    assert caught.value.reason is Reason.NOT_UTF8
    assert caught.value.__context__ is None


def test_the_largest_list_fits() -> None:
    accounts = new_list(*range(MAX_ENTRIES))
    data = Contents.of_list(accounts, **GIVEN).to_bytes()

    assert Contents.from_bytes(data, device_type="android").entries == accounts.entries
    beyond = Contents.of_list(new_list(*range(MAX_ENTRIES + 1)), **GIVEN).to_bytes()
    with pytest.raises(Damaged):
        Contents.from_bytes(beyond, device_type="android")


# -- The proof --------------------------------------------------------------------------------------------------------


def test_a_proof_takes_what_a_restore_would_take_and_nothing_else() -> None:
    contents.prove(DATA, bytes(bytearray(DATA)), device_type="android")

    for made, opened in ((DATA, DATA + b" "), (DATA, DATA[:-1]), (DATA[:-1], DATA[:-1]), (b'{"v":1}', b'{"v":1}')):
        with pytest.raises(Damaged):
            contents.prove(made, opened, device_type="android")
    with pytest.raises(WrongDeviceType):
        contents.prove(DATA, DATA, device_type="ios")


# -- The strict reader ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["ios", "computer"])
def test_contents_of_another_type_of_device_are_refused(asked: str) -> None:
    with pytest.raises(WrongDeviceType) as caught:
        Contents.from_bytes(DATA, device_type=asked)
    assert caught.value.found == "android"


@pytest.mark.parametrize("version", [0, 2, -1, 99])
def test_a_version_to_come_is_told(version: int) -> None:
    with pytest.raises(Unsupported):
        read({"v": version})


FRAMES: list[Callable[[dict[str, Any]], object]] = [
    lambda d: d.pop("v"),
    lambda d: d.update(v=True),
    lambda d: d.update(v="1"),
    lambda d: d.pop("app"),
    lambda d: d.update(more=1),
    lambda d: d.update(device_type="tablet"),
    lambda d: d.update(device_type=1),
    lambda d: d.update(device_type=["android"]),
    lambda d: d.update(device_name=None),
    lambda d: d.update(device_name="x" * 257),
    lambda d: d.update(device_name="two\nlines"),
    lambda d: d.update(app=1),
    lambda d: d.update(app="x" * 65),
    lambda d: d.update(app="\u202e"),
    lambda d: d.update(at=-1),
    lambda d: d.update(at=True),
    lambda d: d.update(at="1"),
    lambda d: d.update(at=2**63),
    lambda d: d.update(entries={}),
    lambda d: d.update(entries=None),
    lambda d: d.update(entries=[1]),
    lambda d: d.update(entries=[[]]),
    lambda d: d["entries"].append(d["entries"][0]),
    lambda d: d["entries"][0].update(id=d["entries"][-1]["id"]),
]


@pytest.mark.parametrize("change", FRAMES)
def test_a_frame_that_is_not_as_listed_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    changed = document()
    change(changed)

    with pytest.raises(Damaged):
        read(changed)
    assert read(document()) == CONTENTS


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"1", b'{"v":1}', DATA[:-1], DATA + b"x", b"\xff" + DATA, DATA[:1] + b'"v":1,' + DATA[1:]]
)
def test_what_is_no_such_document_is_refused(data: bytes) -> None:
    with pytest.raises(Damaged):
        Contents.from_bytes(data, device_type="android")


@pytest.mark.article("S-34")
@pytest.mark.article("S-36")
@pytest.mark.parametrize("kind", [Kind.PERSONAL_PASSWORDLESS, Kind.WORK])
def test_a_key_where_a_name_belongs_is_refused(kind: Kind) -> None:
    changed = document()
    changed["entries"][0]["kind"] = kind.value

    with pytest.raises(Damaged):
        read(changed)
    changed["entries"][0] = {**changed["entries"][6], "secret": "AAAA"}
    with pytest.raises(Damaged):
        read(changed)


def by_one(row: Any) -> bool:
    """Whether an account may be in a backup, judged alone, by the constructor: what `contents` does for all at once."""
    expected: dict[str, type] = {"id": str, "kind": str, "issuer": str, "name": str, "pinned": bool}
    if not isinstance(row, dict):
        return False
    if "secret" in row:
        expected |= dict.fromkeys(("secret", "type", "algorithm", "note", "icon"), str)
        expected |= dict.fromkeys(("digits", "period", "counter", "added"), int) | {"tags": list}
    else:
        expected |= {"needs": str}
    if {name: type(value) for name, value in row.items()} != expected:
        return False
    fields = {**row}
    if "secret" in row and not all(type(tag) is str for tag in row["tags"]):
        return False
    try:
        fields["kind"] = Kind(row["kind"])
        if "secret" in row:
            fields |= {"type": Type(row["type"]), "algorithm": Algorithm(row["algorithm"]), "tags": tuple(row["tags"])}
            fields["secret"] = Secret(from_b64url(row["secret"]))
        else:
            fields["needs"] = Needs(row["needs"])
        entry = Entry(**fields)
    except (ParseError, Damaged, ValueError):
        return False
    return entry.secret is None or PORTIONS[entry.kind] is Portion.WHOLE


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    5,
    6,
    10,
    11,
    30,
    86_400,
    86_401,
    2**63 - 1,
    2**63,
    [],
    {},
    ["a"],
    [1],
]
VALUES += ["", "a", "A", "AA", "AAA", "AAAA", "AAAAA", "AB", "AAB", "A_", "A-w", "AA==", "é", "٣", "x" * 64, "x" * 65]
VALUES += ["x" * 256, "x" * 257, "x" * 2000, "x" * 2001, "\n", "\t", "\0", "\u2028", "\u202e", "a\u200fb", "Ab.", "a-1"]
VALUES += [
    "\U0001f511" * 256,
    "A" * 854,
    "A" * 855,
    "A" * 856,
    id_of(77),
    id_of(77).upper()[:-1] + "A",
    "0" * 31,
    "0" * 33,
]
VALUES += [*Kind, *Needs, *Type, *Algorithm, ["x" * 64] * 20, ["x" * 65], ["x"] * 21, [["x"]], [""], ["\n"], [None]]
FIELDS = [*FULL.to_document(), "more"]


def agree(rows: list[Any]) -> bool:
    """Whether all at once and one by one say the same of these accounts; what they say."""
    rows = json.loads(json.dumps(rows))
    frame = {"v": 1, **GIVEN, "entries": rows}
    try:
        found = read(frame)
    except Damaged:
        taken = False
    else:
        taken = True
        assert strict(found.to_bytes()) == strict(json.dumps(frame).encode())
    assert taken is all(map(by_one, rows))
    return taken


def test_every_field_with_every_value_is_judged_as_by_the_constructor() -> None:
    base, taken, tried = document()["entries"], 0, 0
    for place in (0, 1, 2, 6):
        for field in FIELDS:
            rows = copy.deepcopy(base)
            rows[place].pop(field, None)
            taken, tried = taken + agree(rows), tried + 1
            for value in VALUES:
                rows = [*base[:place], {**base[place], field: value}, *base[place + 1 :]]
                taken, tried = taken + agree(rows), tried + 1

    assert taken > 200
    assert tried - taken > 3000


@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from(FIELDS), st.sampled_from(VALUES)), min_size=2, max_size=4))
def test_several_changes_are_judged_as_by_the_constructor(changes: list[tuple[int, str, Any]]) -> None:
    rows = document()["entries"]
    for place, field, value in changes:
        rows[place][field] = value
    if len({str(row["id"]) for row in rows}) == len(rows):
        agree(rows)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@given(
    issuer=TEXTS, name=TEXTS, note=TEXTS, tags=st.lists(TEXTS, max_size=3), secret=st.binary(min_size=1, max_size=70)
)
def test_every_account_that_can_be_is_carried(
    issuer: str, name: str, note: str, tags: list[str], secret: bytes
) -> None:
    try:
        entry = new_entry(issuer=issuer, name=name, note=note, tags=tuple(tags), secret=Secret(secret))
    except ParseError:
        return
    data = Contents.of_list(AccountList((entry,)), **GIVEN).to_bytes()

    assert Contents.from_bytes(data, device_type="android").entries == (entry,)
    assert data == canonical(strict(data))
