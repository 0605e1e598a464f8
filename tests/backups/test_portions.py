from __future__ import annotations

from dataclasses import replace

import pytest

from accounts.vault.entry import Entry, Identity, Kind, Needs, Type
from accounts.vault.secret import Secret
from backups.portions import PORTIONS, Portion, carried
from tests.accounts.vault.support import id_of, new_entry
from tests.accounts.vault.test_entry import FULL, NAME_ONLY

IDENTITY = Identity("entra", "https://login.example/v2.0", "0000-1")


def test_every_kind_has_its_portion() -> None:
    assert dict(PORTIONS) == {
        Kind.THIRD_PARTY: Portion.WHOLE,
        Kind.PERSONAL_CODE: Portion.WHOLE,
        Kind.PERSONAL_PASSWORDLESS: Portion.NAME_ONLY,
        Kind.WORK: Portion.NAME_ONLY,
    }


@pytest.mark.article("S-33")
@pytest.mark.article("S-39")
@pytest.mark.parametrize("kind", [Kind.THIRD_PARTY, Kind.PERSONAL_CODE])
def test_an_account_with_a_code_alone_is_carried_whole(kind: Kind) -> None:
    entry = new_entry(kind=kind, type=Type.HOTP, counter=7, digits=8, note="a note", tags=("a",), pinned=True, added=5)

    assert carried(entry) is entry


@pytest.mark.article("G-23")
def test_a_work_code_added_as_another_account_is_carried_whole() -> None:
    entry = new_entry(issuer="Contoso", name="bob@contoso.example", kind=Kind.THIRD_PARTY)

    assert carried(entry) is entry


@pytest.mark.article("S-34")
@pytest.mark.article("S-36")
@pytest.mark.parametrize("kind", [Kind.PERSONAL_PASSWORDLESS, Kind.WORK])
@pytest.mark.parametrize(
    ("identity", "needs"), [(None, Needs.SCAN), (IDENTITY, Needs.SIGN_IN)], ids=["scanned", "signed in"]
)
def test_an_account_of_a_sign_in_is_carried_by_name_even_if_it_has_a_code(
    kind: Kind, identity: Identity | None, needs: Needs
) -> None:
    entry = replace(FULL, kind=kind, identity=identity)

    assert carried(entry) == Entry(
        id=FULL.id, kind=kind, issuer=FULL.issuer, name=FULL.name, pinned=True, needs=needs, secret=None
    )


@pytest.mark.article("S-66")
def test_what_belongs_to_this_list_alone_is_left_out() -> None:
    entry = replace(FULL, kind=Kind.THIRD_PARTY)

    assert carried(entry) == replace(entry, needs=None, identity=None, signed_in=None, as_of=None)
    for name, value in (("needs", Needs.SCAN), ("identity", IDENTITY), ("signed_in", 1), ("as_of", 1)):
        assert carried(replace(new_entry(), **{name: value})) == new_entry()


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("needs", [*Needs, None])
def test_what_waits_for_its_code_waits_on(kind: Kind, needs: Needs | None) -> None:
    if kind is Kind.THIRD_PARTY and needs is None:
        return  # There is no such account.
    entry = replace(NAME_ONLY, kind=kind, needs=needs, note="a note", tags=("a",), signed_in=5)

    assert carried(entry) == replace(NAME_ONLY, kind=kind, needs=needs or Needs.SIGN_IN)


@pytest.mark.parametrize("kind", Kind)
def test_a_portion_of_a_portion_is_itself(kind: Kind) -> None:
    for entry in (replace(FULL, kind=kind), new_entry(kind=kind, secret=Secret(b"k")), replace(NAME_ONLY, kind=kind)):
        once = carried(entry)

        assert carried(once) == once
        assert (once.secret is not None) is (PORTIONS[kind] is Portion.WHOLE and entry.secret is not None)
        assert once.id in (FULL.id, id_of(2))
