from __future__ import annotations

import pytest

from accounts.vault import keys, words
from accounts.vault.errors import ParseError, Reason, TooCostly
from accounts.vault.keys import Costs, Secret
from tests.accounts.vault.support import vectors

V = vectors("keys")["words"]
CHEAP = Costs(kib=8 * 1024, passes=1)


def test_stretched_words_are_the_vector() -> None:
    costs = Costs(V["kib"], V["passes"], V["lanes"])

    assert keys.stretch(V["text"], bytes.fromhex(V["salt"]), costs).reveal().hex() == V["stretched"]
    assert costs == keys.WORDS_COSTS


@pytest.mark.parametrize(
    "typed",
    [
        "correct horse battery staple dolphin anvil",
        "  Correct HORSE\tbattery-staple dolphin\u00a0anvil\n",
        "correct‐horse‑battery staple dolphin anvil",
        "correcthorsebatterystapledolphinanvil",
        "ｃｏｒｒｅｃｔ horse battery staple dolphin anvil",
    ],
)
def test_the_same_words_are_the_same_however_they_are_typed(typed: str) -> None:
    assert keys.normalised(typed).reveal() == b"correcthorsebatterystapledolphinanvil"
    assert keys.normalised(Secret(typed.encode())) == keys.normalised(typed)


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert keys.normalised("Stra\u00dfe Gr\u00fc\u00dfe") == keys.normalised("STRASSE gru\u0308sse")
    assert keys.normalised("one") != keys.normalised("two")


def test_salt_words_and_costs_each_change_the_key() -> None:
    stretched = [
        keys.stretch("a b", bytes(16), CHEAP),
        keys.stretch("a c", bytes(16), CHEAP),
        keys.stretch("a b", b"\1" * 16, CHEAP),
        keys.stretch("a b", bytes(16), Costs(8 * 1024, 2)),
        keys.stretch("a b", bytes(16), Costs(8 * 1024, 1, 2)),
    ]

    assert len({key.reveal() for key in stretched}) == 5
    assert {len(key) for key in stretched} == {32}


@pytest.mark.parametrize("nothing", ["", " \t", "- -", Secret(b"")])
def test_no_words_are_no_key(nothing: Secret | str) -> None:
    with pytest.raises(ParseError) as caught:
        keys.stretch(nothing, bytes(16), CHEAP)

    assert caught.value.reason is Reason.WORDS_EMPTY


@pytest.mark.parametrize("broken", ["\ud800", Secret(b"\xff")])
def test_words_are_utf8(broken: Secret | str) -> None:
    with pytest.raises(ParseError) as caught:
        keys.normalised(broken)

    assert caught.value.reason is Reason.NOT_UTF8


@pytest.mark.parametrize(
    ("costs", "reason", "found", "allowed"),
    [
        (Costs(kib=8 * 1024 - 1), Reason.COST_MEMORY, 8191, 8192),
        (Costs(kib=1024 * 1024 + 1), Reason.COST_MEMORY, 1048577, 1048576),
        (Costs(passes=0), Reason.COST_PASSES, 0, 1),
        (Costs(passes=11), Reason.COST_PASSES, 11, 10),
        (Costs(lanes=0), Reason.COST_LANES, 0, 1),
        (Costs(lanes=9), Reason.COST_LANES, 9, 8),
    ],
)
def test_costs_are_judged_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch, costs: Costs, reason: Reason, found: int, allowed: int
) -> None:
    monkeypatch.setattr(words, "Argon2id", None)

    with pytest.raises(TooCostly) as caught:
        keys.stretch("a b", bytes(16), costs)

    assert (caught.value.reason, dict(caught.value.facts)) == (reason, {"found": found, "allowed": allowed})


@pytest.mark.parametrize("costs", [Costs(8 * 1024, 1, 1), Costs(1024 * 1024, 10, 8)])
def test_the_bounds_themselves_are_allowed(costs: Costs) -> None:
    assert costs.checked() is costs
