"""`manage.py catalogues`: what the sources say, for those who translate it. Needs no gettext."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileParser, write_po
from django.conf import settings
from django.core.management import BaseCommand
from django.utils.translation.template import templatize

_KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
_FOLDERS = ("accounts", "authweb", "backups", "templates")
_ENDINGS = frozenset({".py", ".html", ".txt"})
_INDENTED = re.compile(r"^[ \t]+", re.MULTILINE)


class Command(BaseCommand):
    """locale/authweb.pot from the sources; then each language brought up to it and made readable for the server."""

    help = "Write locale/authweb.pot, update every django.po and compile it."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Extract, update, compile. English has only what django-allauth and Django are to say in other words."""
        folder = Path(settings.LOCALE_PATHS[0])
        template = catalogue()
        folder.mkdir(exist_ok=True)
        with (folder / "authweb.pot").open("wb") as file:
            write_po(file, template, omit_header=True, no_location=True, sort_output=True)
        self.stdout.write(f"{folder / 'authweb.pot'}: {len(template)} sentences.")
        english = folder / "en/LC_MESSAGES/django.po"
        if english.is_file():
            for message in read(english):
                if message.id:
                    template.add(message.id, context=message.context)
        for path in sorted(folder.glob("*/LC_MESSAGES/django.po")):
            translated = read(path)
            if path != english:
                translated.update(template, no_fuzzy_matching=True)
            with path.open("wb") as file:
                write_po(file, translated, no_location=True, sort_output=True)
            path.with_suffix(".mo").write_bytes(compiled(translated))
            waiting = [message for message in translated if message.id and not all(forms(message.string))]
            self.stdout.write(f"{path}: {len(waiting)} to be translated.")


class _Undated(Catalog):
    """A catalogue without dates and versions: the same sentences are the same bytes, whenever they were written."""

    def _headers(self) -> list[tuple[str, str]]:
        said = dict(self._get_mime_headers())
        return [*((name, said[name]) for name in _HEADERS), ("Content-Transfer-Encoding", "8bit\n")]

    mime_headers = property(_headers, Catalog._set_mime_headers)


_HEADERS = ("Language", "Plural-Forms", "MIME-Version", "Content-Type")


def read(path: Path) -> Catalog:
    """The catalogue of a language, whose name is that of the folder above."""
    found = _Undated(locale=path.parent.parent.name)
    with path.open("rb") as file:
        PoFileParser(found).parse(file)
    return found


def compiled(translated: Catalog) -> bytes:
    """A catalogue as the server reads it."""
    file = io.BytesIO()
    write_mo(file, translated)
    return file.getvalue()


def forms(message: str | Sequence[str] | None) -> list[str]:
    """A sentence, or its forms for one and for many."""
    return [message or ""] if message is None or isinstance(message, str) else list(message)


def catalogue() -> Catalog:
    """Every sentence of the sources, plural forms and context with it."""
    found = Catalog(project="Authweb", charset="utf-8")
    for path, _, message, comments, context in sentences():
        found.add(message, locations=[(path, 1)], auto_comments=comments, context=context)
    return found


def sentences() -> Iterator[tuple[str, int, Any, list[str], str | None]]:
    """Where each sentence stands, its line, the sentence or its forms, what is said to translators, its context."""
    for path in sources():
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".py":
            # Templates are indented as it suits them; what is extracted must be Python.
            text = _INDENTED.sub("", templatize(text, origin=path.name))
        for line, message, comments, context in extracted(text):
            yield path.relative_to(settings.BASE_DIR).as_posix(), line, message, comments, context


def extracted(text: str) -> Iterator[tuple[int, Any, list[str], str | None]]:
    """The sentences of a module: line, the sentence or its forms, what is said to translators, its context."""
    for line, message, comments, context in extract("python", io.BytesIO(text.encode()), _KEYWORDS, ["Translators:"]):
        yield line, message, list(comments), context


def sources() -> list[Path]:
    """Modules and templates, in order."""
    found = (path for folder in _FOLDERS for path in (Path(settings.BASE_DIR) / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in _ENDINGS and path.is_file())
