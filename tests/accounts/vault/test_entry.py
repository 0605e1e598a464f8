from __future__ import annotations

import json
import unicodedata
from dataclasses import FrozenInstanceError, replace

import pytest

from accounts.vault.entry import Algorithm, Entry, Identity, Kind, Needs, Type
from accounts.vault.errors import Damaged, ParseError, Reason
from accounts.vault.secret import Secret
from tests.accounts.vault.support import id_of, new_entry

FULL = new_entry(
    kind=Kind.WORK,
    issuer="Contoso",
    name="بوب · bob@contoso.example",
    type=Type.HOTP,
    algorithm=Algorithm.SHA512,
    digits=8,
    counter=2**63 - 1,
    note="first line\r\nsecond\tline\r",
    tags=("work", "ارتباط"),
    icon="contoso",
    pinned=True,
    added=1_700_000_000,
    needs=Needs.KEPT,
    identity=Identity("entra", "https://login.example/v2.0", "0000-1"),
    signed_in=1_700_000_001,
    as_of=1_700_000_002,
)
NAME_ONLY = Entry.new(id=id_of(2), kind=Kind.WORK, issuer="Contoso", name="bob", secret=None, needs=Needs.SIGN_IN)


@pytest.mark.parametrize(
    ("kind", "needs", "waits", "signs_in", "scans"),
    [
        (Kind.WORK, Needs.SIGN_IN, True, True, True),
        (Kind.WORK, Needs.SCAN, True, True, True),
        (Kind.WORK, Needs.KEPT, False, True, True),
        (Kind.WORK, None, False, False, False),
        (Kind.PERSONAL_PASSWORDLESS, Needs.SIGN_IN, True, True, False),
        (Kind.PERSONAL_PASSWORDLESS, Needs.SCAN, True, True, True),
        (Kind.PERSONAL_PASSWORDLESS, Needs.KEPT, False, True, False),
        (Kind.PERSONAL_PASSWORDLESS, None, False, False, False),
        (Kind.PERSONAL_CODE, Needs.SIGN_IN, True, True, True),
        (Kind.PERSONAL_CODE, None, False, False, True),
        (Kind.THIRD_PARTY, Needs.SCAN, True, False, True),
        (Kind.THIRD_PARTY, Needs.KEPT, False, False, True),
    ],
)
def test_what_brings_an_account_back_follows_from_its_kind_and_from_what_it_needs(
    kind: Kind, needs: Needs | None, waits: bool, signs_in: bool, scans: bool
) -> None:
    entry = Entry.new(id=id_of(1), kind=kind, issuer="Contoso", name="bob", secret=None, needs=needs)

    assert (entry.waits, entry.signs_in, entry.scans) == (waits, signs_in, scans)
    assert not replace(entry, secret=Secret(b"key")).scans


@pytest.mark.parametrize("entry", [FULL, NAME_ONLY, new_entry()])
def test_an_entry_comes_back_from_its_document(entry: Entry) -> None:
    document = json.loads(json.dumps(entry.to_document()))

    assert Entry.from_document(document) == entry


def test_the_document_of_an_entry_has_exactly_its_fields() -> None:
    assert new_entry(secret=Secret(b"\xfb\xff\xfe"), added=7).to_document() == {
        "id": id_of(1),
        "kind": "third_party",
        "issuer": "GitHub",
        "name": "alice1@example.org",
        "secret": "-__-",
        "type": "totp",
        "algorithm": "SHA1",
        "digits": 6,
        "period": 30,
        "counter": 0,
        "note": "",
        "tags": [],
        "icon": "",
        "pinned": False,
        "added": 7,
    }
    assert set(FULL.to_document()) - set(new_entry().to_document()) == {"needs", "identity", "signed_in", "as_of"}
    assert set(NAME_ONLY.to_document()) == {
        *("id", "kind", "issuer", "name", "needs", "pinned", "note", "tags", "icon", "added"),
    }


def test_what_a_name_only_document_lacks_reads_as_nothing() -> None:
    document = {"id": id_of(2), "kind": "work", "issuer": "A", "name": "b", "needs": "scan", "pinned": False}

    entry = Entry.from_document(document)

    assert entry == Entry.new(id=id_of(2), kind=Kind.WORK, issuer="A", name="b", secret=None, needs=Needs.SCAN)


@pytest.mark.parametrize(
    "change",
    [{"kind": "other"}, {"type": "motp"}, {"algorithm": "MD5"}, {"needs": "x"}, {"identity": {"a": 1}}, {"tags": 5}],
)
def test_a_document_that_cannot_be_read_is_damaged(change: dict[str, object]) -> None:
    with pytest.raises(Damaged):
        Entry.from_document({**new_entry().to_document(), **change})


@pytest.mark.parametrize("missing", ["id", "kind", "issuer", "name", "pinned", "type", "algorithm", "digits"])
def test_a_document_that_lacks_a_part_is_damaged(missing: str) -> None:
    document = new_entry().to_document()
    del document[missing]

    with pytest.raises(Damaged):
        Entry.from_document(document)


@pytest.mark.parametrize(
    ("fields", "reason", "facts"),
    [
        ({"secret": None}, Reason.NO_SECRET, {}),
        ({"secret": Secret(b"")}, Reason.NO_SECRET, {}),
        ({"secret": Secret(bytes(641))}, Reason.SECRET_TOO_LONG, {"found": 641, "allowed": 640}),
        ({"issuer": " ", "name": "\t"}, Reason.NO_NAME, {}),
        ({"issuer": "x" * 257}, Reason.ISSUER_TOO_LONG, {"found": 257, "allowed": 256}),
        ({"name": "x" * 1_000_000}, Reason.NAME_TOO_LONG, {"found": 1_000_000, "allowed": 256}),
        ({"note": "x" * 2001}, Reason.NOTE_TOO_LONG, {"found": 2001, "allowed": 2000}),
        ({"tags": ("x" * 65,)}, Reason.TAG_TOO_LONG, {"found": 65, "allowed": 64}),
        ({"tags": ("x",) * 21}, Reason.TOO_MANY_TAGS, {"found": 21, "allowed": 20}),
        ({"icon": "../secret"}, Reason.ICON_UNKNOWN, {}),
        ({"digits": 4}, Reason.DIGITS, {"found": 4}),
        ({"digits": 11}, Reason.DIGITS, {"found": 11}),
        ({"period": 0}, Reason.PERIOD, {"found": 0}),
        ({"period": 86_401}, Reason.PERIOD, {"found": 86_401}),
        ({"type": Type.HOTP, "counter": -1}, Reason.COUNTER, {"found": -1}),
        ({"type": Type.HOTP, "counter": 2**63}, Reason.COUNTER, {"found": 2**63}),
        ({"added": -1}, Reason.TIME, {}),
        ({"as_of": 2**63}, Reason.TIME, {}),
        ({"identity": Identity("a", "b" * 1025, "c")}, Reason.NAME_TOO_LONG, {"found": 1025, "allowed": 1024}),
    ],
)
def test_what_an_entry_cannot_hold_is_named(
    fields: dict[str, object], reason: Reason, facts: dict[str, object]
) -> None:
    with pytest.raises(ParseError) as caught:
        new_entry(**fields)

    assert (caught.value.reason, dict(caught.value.facts)) == (reason, facts)


@pytest.mark.parametrize(
    "change",
    [
        {"type": Type.STEAM},  # six digits
        {"type": Type.STEAM, "digits": 5, "algorithm": Algorithm.SHA256},
        {"type": Type.STEAM, "digits": 5, "period": 60},
        {"type": Type.HOTP, "period": 60},
        {"counter": 1},
        {"id": "A" * 32},
        {"id": "0" * 31},
        {"id": "0" * 32 + "\n"},
    ],
)
def test_settings_that_contradict_one_another_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ParseError):
        replace(new_entry(), **change)


def test_new_sets_contradicting_settings_right() -> None:
    steam = new_entry(type=Type.STEAM, digits=7, algorithm=Algorithm.SHA512, period=60, counter=9)

    assert (steam.digits, steam.algorithm, steam.period, steam.counter) == (5, Algorithm.SHA1, 30, 0)
    assert new_entry(type=Type.HOTP, period=77, counter=9).settings == (Type.HOTP, Algorithm.SHA1, 6, 30)
    assert new_entry(counter=9).counter == 0


@pytest.mark.parametrize("field", ["issuer", "name", "note", "tags"])
@pytest.mark.parametrize(
    "letter",
    list("\0\x01\x1b\x7f\x80\x9f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ud800\udfff"),
)
def test_control_and_turning_characters_are_refused(field: str, letter: str) -> None:
    text = f"a{letter}b"

    with pytest.raises(ParseError) as caught:
        new_entry(**{field: (text,) if field == "tags" else text})

    assert caught.value.reason is Reason.CONTROL_CHARACTER


@pytest.mark.parametrize("letter", ["\n", "\t", "\r"])
def test_lines_belong_in_a_note_alone(letter: str) -> None:
    for field in ("issuer", "name"):
        with pytest.raises(ParseError):
            new_entry(**{field: f"a{letter}b"})
    assert len(new_entry(note=f"a{letter}b").note) == 3


@pytest.mark.parametrize(
    "name",
    [
        "בוב",
        "بوب@example.org",
        "שלום\u200f (עבודה)\u200e",
        "👩‍👩‍👧 family",
        "نام\u200cها",
        "日本語",
        "O\u2019Brien",
        "a/b:c#EXT#",
    ],
)
def test_names_of_all_scripts_are_kept_as_they_are(name: str) -> None:
    assert new_entry(issuer=name, name=name).name == name
    assert new_entry(tags=(name,)).tags == (name,)


def test_names_are_trimmed_and_note_lines_end_alike() -> None:
    entry = new_entry(issuer="  GitHub ", name="\tbob\n", note=" one\r\ntwo\rthree\n ")

    assert (entry.issuer, entry.name, entry.note) == ("GitHub", "bob", "one\ntwo\nthree")
    assert entry.renamed(issuer=" GitLab", name="eve ").issuer == "GitLab"


def test_an_entry_does_not_change_and_shows_no_name() -> None:
    with pytest.raises(FrozenInstanceError):
        new_entry().name = "other"  # type: ignore[misc]
    assert repr(FULL) == f"Entry({id_of(1)})"


SAME = {"issuer": "Caf\u00e9", "name": "Bob", "secret": Secret(b"key")}


@pytest.mark.parametrize(
    "other",
    [
        {"issuer": " CAFE\u0301 ", "name": "bOB"},
        {"note": "another note", "tags": ("t",), "pinned": True, "added": 5, "kind": Kind.PERSONAL_CODE},
    ],
)
def test_the_same_account_is_known_by_name_key_and_settings(other: dict[str, object]) -> None:
    one, two = new_entry(1, **SAME), new_entry(2, **{**SAME, **other})

    assert one.same_as(two)
    assert not one.clashes_with(two)


@pytest.mark.parametrize(
    "other",
    [
        {"secret": Secret(b"kez")},
        {"digits": 8},
        {"period": 60},
        {"algorithm": Algorithm.SHA256},
        {"type": Type.HOTP},
        {"secret": None, "needs": Needs.SCAN},
    ],
)
def test_one_name_with_another_key_or_setting_clashes(other: dict[str, object]) -> None:
    one, two = new_entry(1, **SAME), new_entry(2, **{**SAME, **other})

    assert (one.same_as(two), one.clashes_with(two)) == (False, True)


@pytest.mark.parametrize("other", [{"issuer": "Bar"}, {"name": "Eve"}, {"issuer": "", "name": "Caf\u00e9"}])
def test_another_name_is_neither_the_same_nor_a_clash(other: dict[str, object]) -> None:
    one, two = new_entry(1, **SAME), new_entry(2, **{**SAME, **other})

    assert (one.same_as(two), one.clashes_with(two)) == (False, False)


def test_accounts_kept_by_name_only_are_the_same_where_they_stand_for_one() -> None:
    alice, bob = (Identity("microsoft", "https://issuer.example", uid) for uid in ("alice", "bob"))
    by_name = {**SAME, "secret": None, "kind": Kind.PERSONAL_PASSWORDLESS}
    one, twin = (new_entry(number, **by_name, identity=alice, signed_in=number) for number in (1, 2))
    other, unknown = new_entry(3, **by_name, identity=bob), new_entry(4, **by_name)

    assert [one.same_as(entry) for entry in (twin, other, unknown)] == [True, False, False]
    assert [one.clashes_with(entry) for entry in (twin, other, unknown)] == [False, True, True]
    assert unknown.same_as(new_entry(5, **by_name))


def test_a_counter_does_not_make_another_account() -> None:
    one, two = (new_entry(n, **SAME, type=Type.HOTP, counter=counter) for n, counter in ((1, 5), (2, 9)))

    assert one.same_as(two)


def test_no_letter_of_a_category_that_hides_gets_through_unnoticed() -> None:
    through = set()
    for point in range(0x110000):
        letter = chr(point)
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(letter) in (
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"),
        ):
            try:
                new_entry(name=f"a{letter}b")
                through.add(letter)
            except ParseError:
                pass

    assert through == set()
