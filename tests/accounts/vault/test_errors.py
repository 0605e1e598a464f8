from __future__ import annotations

from accounts.vault.errors import Clash, ParseError, Problem, Reason, TooLarge
from tests.accounts.vault.support import new_entry


def test_an_error_carries_its_reason_and_facts() -> None:
    error = ParseError(Reason.SECRET_LETTER, letter="1")

    assert (error.reason, dict(error.facts)) == (Reason.SECRET_LETTER, {"letter": "1"})
    assert str(error) == "secret_letter {'letter': '1'}"
    assert str(ParseError(Reason.NO_SECRET)) == "no_secret"


def test_too_large_names_the_figure_found_and_the_figure_allowed() -> None:
    error = TooLarge(found=2001, allowed=2000, unit="entries")

    assert (error.found, error.allowed, error.unit) == (2001, 2000, "entries")
    assert dict(error.facts) == {"found": 2001, "allowed": 2000, "unit": "entries"}


def test_a_problem_is_an_error_with_a_place() -> None:
    problem = Problem.of(7, ParseError(Reason.DIGITS, found=0))

    assert problem == Problem(7, Reason.DIGITS, {"found": 0})


def test_a_clash_carries_the_listed_entry_and_prints_nothing_of_it() -> None:
    error = Clash(new_entry(name="alice-in-a-log"))

    assert error.entry == new_entry(name="alice-in-a-log")
    assert "alice" not in f"{error!r} {error}"
