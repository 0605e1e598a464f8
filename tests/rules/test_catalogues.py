"""What translators get is what the sources say, and a translation reaches the page without gettext."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.conf import settings as configured
from django.core.management import call_command
from django.utils import translation
from django.utils.translation.trans_real import DjangoTranslation

from authweb.management.commands import catalogues
from tests.environment import ROOT
from tests.rules import tree


def test_catalogue_holds_every_sentence_of_the_sources() -> None:
    with (ROOT / "locale/authweb.pot").open("rb") as file:
        kept = {(message.id, message.context) for message in read_po(file) if message.id}

    assert {(message.id, message.context) for message in catalogues.catalogue() if message.id} == kept, "make messages"


def test_translation_is_brought_up_to_date_and_compiled(tmp_path: Path, settings) -> None:  # noqa: ANN001
    settings.LOCALE_PATHS = [tmp_path]
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n'
        'msgid "No mail yet."\nmsgstr "Pas encore de courrier."\n\nmsgid "Gone."\nmsgstr "Parti."\n'
    )

    call_command("catalogues")

    translated = (folder / "django.po").read_text()
    assert 'msgid "Mails of the demo"\nmsgstr ""\n' in translated
    assert '#~ msgid "Gone."' in translated
    assert DjangoTranslation("fr").gettext("No mail yet.") == "Pas encore de courrier."


def test_sentence_is_found_however_its_template_is_indented(tmp_path: Path, settings) -> None:  # noqa: ANN001
    settings.BASE_DIR = tmp_path
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/page.html").write_text(
        '<p>\n    {% load i18n %}\n    <b>{% translate "Deep." %}</b>\n  <i>{% translate "Less deep." %}</i>\n</p>\n'
    )

    assert [message for _, _, message, _, _ in catalogues.sentences()] == ["Deep.", "Less deep."]


# -- Languages --------------------------------------------------------------------------------------------------------

LANGUAGES = sorted({code for code, _ in configured.LANGUAGES} - {"en"})


def translated(language: str) -> Catalog:
    """What is said in a language."""
    return catalogues.read(ROOT / f"locale/{language}/LC_MESSAGES/django.po")


def places(sentence: str) -> list[str]:
    """Where something is filled in, and what isolates it."""
    return sorted(re.findall(r"%\(\w+\)[sd]|\{\w+\}|%[sd]|</?bdi>", sentence))


def faults(catalogue: Catalog) -> list[str]:
    """Sentences that are not said, or said with other places than the sources', or that shout."""
    found = []
    for message in catalogue:
        if not message.id:
            continue
        said = catalogues.forms(message.string)
        if not all(said):
            found.append(f"not said: {message.id}")
        found += [f"{fault}: {message.id}" for fault in message.check(catalogue)]
        if places(catalogues.forms(message.id)[-1]) != places(said[-1]):
            found.append(f"other places: {message.id}")
        if any("!" in form or "ungültig" in form.casefold() for form in said):
            found.append(f"unkind: {message.id}")
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_says_every_sentence_with_its_places(language: str) -> None:
    catalogue = translated(language)
    wanted = [*catalogues.catalogue(), *catalogues.read(ENGLISH)]

    assert {message.id for message in wanted} - {message.id for message in catalogue} == set()
    assert faults(catalogue) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_is_compiled_as_it_is_written(language: str) -> None:
    kept = (ROOT / f"locale/{language}/LC_MESSAGES/django.mo").read_bytes()

    assert kept == catalogues.compiled(translated(language)), "make messages"


def test_faults_of_a_language_are_found() -> None:
    catalogue = Catalog(locale="de")
    catalogue.add("Add", "")
    catalogue.add("Until %(at)s", "Bis dann", flags=["python-format"])
    catalogue.add("Remove <bdi>%(name)s</bdi>?", "%(name)s entfernen!")
    catalogue.add("Fine.", "Gut.")

    assert [fault.partition(":")[0] for fault in faults(catalogue)].count("not said") == 1
    assert {fault.rpartition(": ")[2] for fault in faults(catalogue)} == {
        "Add",
        "Until %(at)s",
        "Remove <bdi>%(name)s</bdi>?",
    }


# -- What others say --------------------------------------------------------------------------------------------------

ENGLISH = ROOT / "locale/en/LC_MESSAGES/django.po"
# Whose sentences reach people through forms, beside our own.
OTHERS = (
    *("allauth.account.fields", "allauth.account.forms", "allauth.mfa.totp.forms", "allauth.mfa.webauthn.forms"),
    *("django.core.validators", "django.forms.fields", "django.forms.models"),
    "django.contrib.auth.password_validation",
)
# Words of theirs that are none of ours.
FOREIGN = re.compile(
    r"!|\b(?i:please|invalid|oops|sorry|ensure|valid|email|login|log (?:in|out)|security keys?|authenticator code|"
    r"two-factor|third-party|entirely|again\))\b|(?<=[a-z] )(?:Password|Email|Address|Codes?|Keys?|App)\b"
)


def said_by(module: str) -> set[str | tuple[str, ...]]:
    """The sentences that a module of an installed package has for translators."""
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return {message for _, message, _, _ in catalogues.extracted(Path(found.origin).read_text(encoding="utf-8"))}


def test_sentences_put_in_other_words_are_said_by_somebody() -> None:
    said = set().union(*(said_by(module) for module in OTHERS))

    assert {message.id for message in catalogues.read(ENGLISH) if message.id} - said == set()


def test_sentence_that_was_renamed_would_be_missed() -> None:
    assert "Current Password" in said_by("allauth.account.forms")
    assert ("This field is required.", "This field is needed.") not in said_by("django.forms.fields")


def test_english_changes_no_sentence_of_ours() -> None:
    ours = {message.id for message in catalogues.catalogue() if message.id}

    assert {message.id for message in catalogues.read(ENGLISH) if message.id} & ours == set()


def test_other_words_have_the_same_places_and_are_ours() -> None:
    english = catalogues.read(ENGLISH)

    assert faults(english) == []
    assert [
        form
        for message in english
        if message.id
        for form in catalogues.forms(message.string)
        if FOREIGN.search(form) or form[:1].islower()
    ] == []


def test_words_of_others_are_found() -> None:
    assert [
        bool(FOREIGN.search(text))
        for text in ("Please wait.", "New Password", "Type it again", "An e-mail address", "Security keys", "Done!")
    ] == [True, True, False, False, True, True]


def test_english_is_compiled_as_it_is_written_and_spoken() -> None:
    assert ENGLISH.with_suffix(".mo").read_bytes() == catalogues.compiled(catalogues.read(ENGLISH)), "make messages"
    with translation.override("en"):
        assert translation.gettext("Current Password") == "Current password"
        assert translation.gettext("Add account") == "Add account"


# -- Dates ------------------------------------------------------------------------------------------------------------

DATE = re.compile(r"\|date:(_\()?([\"'])([^\"']*)\2")


def unmarked_dates(source: str) -> list[str]:
    """Forms of a date that name a day or a month and are the same in every language."""
    return [form for marked, _, form in DATE.findall(source) if not marked and re.search(r"[dDjlFmMnN]", form)]


def test_dates_are_written_as_each_language_does() -> None:
    assert {tree.named(path): found for path in tree.templates() if (found := unmarked_dates(path.read_text()))} == {}


def test_date_of_one_language_would_be_found() -> None:
    assert unmarked_dates("""{{ a|date:"j F" }} {{ a|date:_("j F Y") }} {{ a|date:'H:i T' }}""") == ["j F"]
