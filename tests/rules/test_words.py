"""Honest words only, and plain ones: what may not be said stands nowhere that a person reads."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from authweb.management.commands import catalogues
from tests.rules import tree

# A server that works with secrets sees them: stronger words would be a lie.
SLOGANS = re.compile(
    r"zero[\s-]+knowledge|end[\s-]+to[\s-]+end|\bE2EE\b|\bwe\s+can(?:not|'t|’t)\s+read\b", re.IGNORECASE
)
# What is wrong has a name, and a next step. Nobody shouts.
UNKIND = re.compile(r"\binvalid\b|!|\boops\b|\bsorry\b", re.IGNORECASE)


def slogans(text: str) -> list[str]:
    """Words that promise too much."""
    return [found[0] for found in SLOGANS.finditer(text)]


def unkind(sentence: str) -> list[str]:
    """Words that help nobody."""
    return [found[0] for found in UNKIND.finditer(sentence)]


@pytest.mark.row("A40")
def test_no_slogan_stands_where_people_read() -> None:
    places = [*tree.files("templates", "static", "locale"), *tree.documents(), *tree.modules()]

    found = []
    for path in places:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # A picture.
        found += [f"{tree.named(path)}: {slogan}" for slogan in slogans(text)]

    assert found == []


def test_no_sentence_shouts_or_blames() -> None:
    found = [
        f"{path}: {form}"
        for path, _, message, _, _ in catalogues.sentences()
        for form in ([message] if isinstance(message, str) else message)
        if form and unkind(form)
    ]

    assert found == []


@pytest.mark.parametrize("text", ["Zero-knowledge", "end to end", "End-to-end encrypted", "E2EE", "We cannot read it"])
def test_slogans_are_found(text: str) -> None:
    assert len(slogans(text)) == 1


def test_unkind_words_are_found() -> None:
    assert unkind("Invalid code! Oops.") == ["Invalid", "!", "Oops"]
    assert unkind("That code is not the one of now.") == []


def test_sentences_are_read_from_modules_and_templates() -> None:
    found = {path: message for path, _, message, _, _ in catalogues.sentences()}

    assert found["authweb/demo/templates/demo/mails.html"] == "No mail yet."
    assert "accounts/services/activity.py" in found
    assert all((settings.BASE_DIR / path).is_file() for path in found)
