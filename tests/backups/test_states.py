"""Words for every state and every cause: tables that checks keep whole."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from django.template.loader import get_template

from accounts.roles import Role
from backups import checks, states
from backups.models import Cause, Status
from backups.states import PROBLEMS, STATES, Step


def test_every_table_is_whole() -> None:
    assert checks.every_status_and_every_cause_has_its_words() == []
    assert (set(STATES), set(PROBLEMS)) == (set(Status), set(Cause))


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("STATES", Status.UNSAVED, "No words for unsaved in STATES."),
        ("PROBLEMS", Cause.STORE, "No words for store in PROBLEMS."),
        ("ACCOUNTS", Role.APPLE, "No words for apple in ACCOUNTS."),
        ("IMPORTANT", "ios", "No words for ios in IMPORTANT."),
        ("KEPT_UNDER", (Role.APPLE,), "No words for (<Role.APPLE: 'apple'>,) in KEPT_UNDER."),
    ],
)
def test_check_names_what_has_no_words(name: str, key: object, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = getattr(states, name)
    monkeypatch.setattr(states, name, MappingProxyType({one: words for one, words in whole.items() if one != key}))

    assert [found.msg for found in checks.every_status_and_every_cause_has_its_words()] == [said]


def test_check_names_a_cause_without_a_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "PROBLEMS", {**PROBLEMS, Cause.KEYS: states.Problem("It is so.", steps=())})

    assert [found.msg for found in checks.every_status_and_every_cause_has_its_words()] == ["No next step after keys."]


@pytest.mark.parametrize("step", Step)
def test_every_step_has_its_button(step: Step) -> None:
    class Row:
        pk = "00000000-0000-0000-0000-000000000000"

    html = get_template("backups/_step.html").render({"step": step, "class": "button-main", "backup": Row})

    assert html.count('class="button') + html.count("Tell the operator") == 1


def test_words_of_the_article_belong_to_one_state_alone() -> None:
    assert [status for status, state in STATES.items() if str(state.title) == "Something went wrong"] == [
        Status.FAILING
    ]
    assert [status for status, state in STATES.items() if "wrong" in str(state.chip)] == []


def test_dot_stands_where_the_person_is_needed() -> None:
    assert {status for status, state in STATES.items() if state.asks} == {
        Status.FAILING,
        Status.NEEDS_YOU,
        Status.SHRUNK,
    }
