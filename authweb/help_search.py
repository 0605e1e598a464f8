"""What a search in the help finds: its pages, and those of Authweb itself that are asked for, in both languages."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from html import unescape
from typing import TypeVar

from django.conf import settings
from django.template import loader
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from authweb.help_pages import TOPICS, Sentence, Topic, facts
from backups import dated_lines
from backups.dated_lines import Change

T = TypeVar("T")

MOST_SOUGHT = 100  # Letters of a search; nobody types more than a sentence.
_SLIPS_FROM = 5  # Letters: in a shorter word one slip makes too many others.
_LIKE = 0.8  # One letter of five, or two that changed places in one of six.


@dataclass(frozen=True, slots=True)
class Place:
    """A page of Authweb itself that a search finds beside the help: its title, where it stands, its address."""

    icon: str
    title: Sentence
    line: Sentence
    words: Sentence
    url: str
    part: str = ""


PLACES: tuple[Place, ...] = (
    Place(
        "settings",
        _("Backup"),
        _("In Settings: Cloud Backup on and off, and how it stands"),
        _("back up, Cloud Backup"),
        "accounts:settings",
        "backup",
    ),
    Place(
        "restore",
        _("Restore from backup"),
        _("In Settings, and where a list is empty"),
        _("begin recovery, recover, restore"),
        "backups:restore",
    ),
    Place("plus", _("Add account"), _("On your list"), _("scan, QR code, new account"), "accounts:add"),
    Place("key", _("Keys"), _("In Settings: six words and passkeys"), _("six words, passkeys"), "accounts:keys"),
    Place("phone", _("Devices"), _("In Settings: browsers that open your list"), _("browsers"), "accounts:devices"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """What a page says in one language, folded for comparing: a space before and behind each word.

    What people call it stands in `words` between bars.
    """

    title: str
    words: str
    headings: str = ""
    line: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search finds, the likeliest first."""

    topics: tuple[Topic, ...]
    places: tuple[Place, ...]


_WEIGHTS = (("title", 16), ("words", 12), ("headings", 8), ("line", 4), ("body", 1))
_CALLED = 50  # The whole search is what people call it.
_HEADINGS = re.compile(r"<h[23][^>]*>(.*?)</h[23]>", re.DOTALL)
_TAGS = re.compile(r"<[^>]*>")
_WORDS = re.compile(r"\w+")
_UMLAUTS = re.compile(r"([aou])e")  # As a keyboard without them writes them.


def sought(text: str) -> str:
    """A search as its page repeats it: one line, without what no reader would see."""
    seen = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text[: MOST_SOUGHT + 1])
    return " ".join(seen.split())


def find(text: str, *, at: datetime) -> Found:
    """What has all of these words, else what has any of them: in the reader's language, else in another one.

    Where nothing has, words that are like those of a page stand for them: somebody slipped.
    """
    # One letter would be the beginning of nearly everything.
    words = [word for word in _folded(text).split() if len(word) > 1]
    own = translation.get_language() or settings.LANGUAGE_CODE
    languages = [own, *(code for code, _name in settings.LANGUAGES if code != own)]
    found = _found(words, languages, at)
    if not found.topics:
        meant = [word for word in (_meant(word, languages, at) for word in words) if word]
        found = _found(meant, languages, at)
    return found


def _found(words: list[str], languages: list[str], at: datetime) -> Found:
    for whole in (True, False):
        for language in languages:
            topics, places = _texts(language, at)
            found = Found(_likeliest(topics, words, whole=whole), _likeliest(places, words, whole=whole))
            if found.topics:
                return found
    return Found((), ())


def _meant(word: str, languages: list[str], at: datetime) -> str:
    """The word of a page that is nearly this one; "" where there is none, or where it is too short to tell."""
    if len(word) < _SLIPS_FROM:
        return ""
    for language in languages:
        topics, _places = _texts(language, at)
        known = {one for text in topics.values() for one in f"{text.title}{text.words}{text.headings}".split()}
        like = difflib.get_close_matches(word, sorted(known), n=1, cutoff=_LIKE)
        if like:
            return like[0]
    return ""


def _likeliest(texts: Mapping[T, Text], words: list[str], *, whole: bool) -> tuple[T, ...]:
    scores = {one: _score(text, words, whole=whole) for one, text in texts.items()}
    return tuple(sorted((one for one in texts if scores[one]), key=lambda one: -scores[one]))


def _score(text: Text, words: list[str], *, whole: bool) -> int:
    """How well a page fits; 0 where it does not. `whole`: each word must be there."""
    scores = [sum(weight for name, weight in _WEIGHTS if f" {word}" in getattr(text, name)) for word in words]
    if not scores or not (all(scores) if whole else any(scores)):
        return 0
    phrase = f" {' '.join(words)} "
    called = _CALLED if f"|{phrase}|" in text.words else 0
    return called + sum(scores) + sum(2 * weight for name, weight in _WEIGHTS if phrase in getattr(text, name))


def _folded(text: str) -> str:
    """Words without capitals and accents, a space before and behind each. "ö", "oe" and "o" are one letter."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(one for one in plain if not unicodedata.combining(one))
    words = _WORDS.findall(_UMLAUTS.sub(r"\1", bare))
    return f" {' '.join(words)} "


def _texts(language: str, at: datetime) -> tuple[Mapping[Topic, Text], Mapping[Place, Text]]:
    come = tuple(dated_lines.told(change, at=at).has_come for change in Change)
    return _texts_of(language, come, at.astimezone(UTC).date())


@lru_cache(maxsize=16)
def _texts_of(language: str, come: tuple[bool, ...], day: date) -> tuple[Mapping[Topic, Text], Mapping[Place, Text]]:
    """All pages in one language: rendered once a day in each process, and where a dated line changes."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    with translation.override(language):
        said = facts(own=None, at=at)
        topics = {topic: _text(topic, loader.render_to_string(topic.template, said)) for topic in TOPICS}
        places = {place: Text(_folded(str(place.title)), _names(place.words)) for place in PLACES}
    return topics, places


def _text(topic: Topic, html: str) -> Text:
    return Text(
        title=_folded(f"{topic.title} {topic.link}"),
        words=_names(topic.words),
        headings=_folded(_plain(" ".join(_HEADINGS.findall(html)))),
        line=_folded(str(topic.line)),
        body=_folded(_plain(html)),
    )


def _names(words: Sentence) -> str:
    """What people call a page, each between bars."""
    return f"|{'|'.join(_folded(one) for one in str(words).split(','))}|"


def _plain(html: str) -> str:
    return unescape(_TAGS.sub(" ", html))
