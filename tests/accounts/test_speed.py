"""What a request asks the database, which is what grows unseen. How long things take is for `make bench`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts import rows
from accounts.models import User
from accounts.services.codes import Code
from accounts.vault.entry import Type
from accounts.vault.errors import ParseError
from tests import people
from tests.factories import Visitor, an_entry

Count = Callable[[Callable[[], object]], int]

LIST, CODES = reverse("accounts:list"), reverse("accounts:codes")


@pytest.mark.parametrize("count", [1, 3, 1000])
def test_list_and_refresh_ask_the_database_once_however_many_accounts(
    alice_phone: Visitor, queries: Count, count: int
) -> None:
    people.listed(alice_phone, count)
    alice_phone.client.get(LIST)  # The first answer of a browser keeps its upkeep.

    asked = [queries(lambda address=address: alice_phone.client.get(address)) for address in (LIST, f"{CODES}?from=0")]

    assert asked == [1, 1]
    assert len(alice_phone.client.get(CODES).json()["codes"]) == count


@pytest.mark.parametrize("count", [1, 3])
def test_other_pages_ask_the_database_as_often_however_many_accounts(
    alice_phone: Visitor, queries: Count, count: int
) -> None:
    people.listed(alice_phone, count)
    alice_phone.client.get(LIST)
    first = alice_phone.entries[0].id
    addresses = {
        reverse("accounts:account", args=[first]): 1,
        reverse("accounts:edit", args=[first]): 1,
        reverse("accounts:order"): 1,
        reverse("accounts:trash"): 1,
        f"{LIST}?q=git": 1,
    }

    assert {address: queries(lambda: alice_phone.client.get(address)) for address in addresses} == addresses  # noqa: B023


# Letters of every script, markup, formats, braces, marks that turn the direction of writing; names that are no names.
names = st.text(max_size=40) | st.text(alphabet="<>&\"'%{}#()s@ \u202e\u200f\u2066א٣é🐘0", max_size=40)
codes = st.sampled_from(
    [None, Code("111222333444", 6, 59, 30), Code("1111222233334444", 8, 29, 60), Code("1", 1, 5, 0)]
)


@given(names, names, codes, st.booleans(), st.tuples(*[st.booleans()] * 4))
def test_rows_are_what_the_template_says_for_any_name(
    issuer: str, name: str, code: Code | None, counter: bool, chosen: tuple[bool, ...]
) -> None:
    flags = ("hide_codes", "show_next_code", "compact_rows", "group_digits")
    user = User(**dict(zip(flags, chosen, strict=True)))
    try:
        entry = an_entry(issuer=issuer, name=name, type=Type.HOTP if counter else Type.TOTP)
    except ParseError:
        return  # Nothing of that kind comes into a list.

    filled = rows.render([entry], {entry.id: code} if code else {}, user=user, csrf="the token")

    plain = rows.plain(entry, code, user=user, csrf="the token")
    assert filled == plain.replace(f"/{'0' * 32}/", f"/{entry.id}/")
