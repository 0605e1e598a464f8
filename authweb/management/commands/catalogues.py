"""`manage.py catalogues`: what the sources say, for those who translate it. Needs no gettext."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
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
        """Extract, update, compile."""
        folder = Path(settings.LOCALE_PATHS[0])
        template = catalogue()
        folder.mkdir(exist_ok=True)
        with (folder / "authweb.pot").open("wb") as file:
            write_po(file, template, omit_header=True, no_location=True, sort_output=True)
        self.stdout.write(f"{folder / 'authweb.pot'}: {len(template)} sentences.")
        for path in sorted(folder.glob("*/LC_MESSAGES/django.po")):
            with path.open("rb") as file:
                translated = read_po(file, locale=path.parent.parent.name)
            translated.update(template, no_fuzzy_matching=True)
            with path.open("wb") as file:
                write_po(file, translated, no_location=True, sort_output=True)
            with path.with_suffix(".mo").open("wb") as file:
                write_mo(file, translated)
            open_ = sum(1 for message in translated if message.id and not message.string)
            self.stdout.write(f"{path}: {open_} to be translated.")


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
        for line, message, comments, context in extract(
            "python", io.BytesIO(text.encode()), _KEYWORDS, ["Translators:"]
        ):
            yield path.relative_to(settings.BASE_DIR).as_posix(), line, message, list(comments), context


def sources() -> list[Path]:
    """Modules and templates, in order."""
    found = (path for folder in _FOLDERS for path in (Path(settings.BASE_DIR) / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in _ENDINGS and path.is_file())
