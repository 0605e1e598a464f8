"""What translators get is what the sources say, and a translation reaches the page without gettext."""

from __future__ import annotations

from pathlib import Path

from babel.messages.pofile import read_po
from django.core.management import call_command
from django.utils.translation.trans_real import DjangoTranslation

from authweb.management.commands import catalogues
from tests.environment import ROOT


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
