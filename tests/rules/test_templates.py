"""Templates: every sentence marked, nothing inline, and a page that works as a page under each htmx."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from tests.rules import tree

# Names are the same in every language.
NAMES = frozenset({"Authweb", "iOS", "Android", "GitHub", "otpauth"})
SPOKEN = ("alt", "title", "placeholder", "aria-label", "aria-description", "aria-roledescription")
NO_TEXT = {"templates/allauth/elements/_button_class.html"}  # Names of classes, put into an attribute.
MAY_MARK_SAFE = {
    "accounts/templatetags/look.py",  # Our own drawings.
    "accounts/rows.py",  # Rows rendered once and filled with escaped values.
    "accounts/chips.py",  # What a template rendered.
    "backups/chip.py",  # The chip, rendered once and filled with escaped values.
}

_COMMENTS = re.compile(r"\{#.*?#\}|\{%\s*comment\b.*?%\}.*?\{%\s*endcomment\s*%\}|<!--.*?-->", re.DOTALL)
_TRANSLATED = re.compile(r"\{%\s*(blocktrans(?:late)?)\b.*?%\}.*?\{%\s*end\1\s*%\}", re.DOTALL)
# The one block that a page fills with names of classes.
_CLASSES = re.compile(r"\{%\s*block body_class\s*%\}.*?\{%\s*endblock\b.*?%\}", re.DOTALL)
_TAGS = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_HANDED_ON = re.compile(r"\{%\s*(?:include|element|slot)\b.*?%\}", re.DOTALL)
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(slots=True)
class Element:
    """A start tag as it is written."""

    tag: str
    line: int
    attributes: dict[str, str]


@dataclass
class Page(HTMLParser):
    """What stands in a template: its elements, and its text."""

    elements: list[Element] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.silent = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.elements.append(Element(tag, self.getpos()[0], {name: value or "" for name, value in attributes}))
        self.silent = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        """Text counts again."""
        self.silent = ""

    def handle_data(self, data: str) -> None:
        """Note what a person would read."""
        if not self.silent:
            self.texts.append((self.getpos()[0], data))


def blanked(source: str, pattern: re.Pattern[str]) -> str:
    """The source without what a pattern finds, its lines still numbered alike."""
    return pattern.sub(lambda found: "\n" * found[0].count("\n"), source)


def without_tags(source: str) -> str:
    """What stands around comments, tags and marked sentences."""
    for pattern in (_COMMENTS, _TRANSLATED, _CLASSES, _TAGS):
        source = blanked(source, pattern)
    return source


def parsed(source: str) -> Page:
    """The page that a template leaves when its tags are gone."""
    page = Page()
    page.feed(without_tags(source))
    page.close()
    return page


def words(text: str) -> list[str]:
    """The words of a text that a translator would have to see."""
    return [word for word in _WORD.findall(text) if word not in NAMES]


def unmarked(source: str, *, html: bool = True) -> list[str]:
    """Words that no translator would get to see, each with its line."""
    handed = [
        (source[: tag.start()].count("\n") + 1, text)
        for tag in _HANDED_ON.finditer(source)
        for text in ("".join(quoted) for quoted in _QUOTED.findall(tag[0]))
        if " " in text
    ]
    if not html:
        found = list(enumerate(without_tags(source).split("\n"), 1))
    else:
        page = parsed(source)
        attributes = [
            (element.line, element.attributes[name])
            for element in page.elements
            for name in (
                *SPOKEN,
                *(["value"] if element.tag == "input" and element.attributes.get("type") == "submit" else []),
            )
            if name in element.attributes
        ]
        found = page.texts + attributes
    return [f"{line}: {' '.join(words(text))}" for line, text in sorted(found + handed) if words(text)]


def inline(source: str) -> list[str]:
    """Scripts, styles and handlers that the content policy would refuse."""
    return [
        f"{element.line}: {element.tag} {name}".rstrip()
        for element in parsed(source).elements
        for name in [
            *(
                ["inline"]
                if element.tag == "style" or (element.tag == "script" and "src" not in element.attributes)
                else []
            ),
            *(name for name in element.attributes if name == "style" or name.startswith(("on", "hx-on"))),
            *(name for name, value in element.attributes.items() if value.strip().startswith("javascript:")),
        ]
        # Data for a script is no script.
        if not (element.tag == "script" and element.attributes.get("type") == "application/json")
    ]


def needs_script(source: str) -> list[str]:
    """What htmx would do and a plain browser would not, or what is left to inheritance."""
    found = []
    for element in parsed(source).elements:
        has = element.attributes.keys()
        if "hx-get" in has and not {"href", "action", "formaction"} & has:
            found.append(f"{element.line}: hx-get without href")
        if "hx-post" in has and not {"action", "formaction"} & has:
            found.append(f"{element.line}: hx-post without action")
        if {"hx-get", "hx-post"} & has:
            found += [f"{element.line}: {name} is missing" for name in ("hx-target", "hx-swap") if name not in has]
        found += [
            f"{element.line}: {name} changes what a plain form cannot"
            for name in ("hx-put", "hx-patch", "hx-delete")
            if name in has
        ]
        found += [f"{element.line}: hx-boost" for _ in ["hx-boost"] if "hx-boost" in has]
    return found


def trusting(source: str) -> list[str]:
    """Places that do not escape."""
    return re.findall(r"\|\s*safe(?:seq)?\b|\{%\s*autoescape\s+off\b", source)


def over_templates(rule) -> list[str]:  # noqa: ANN001
    """A rule over every template, failures named by file."""
    return [f"{tree.named(path)}:{found}" for path in tree.templates() for found in rule(path)]


def test_every_sentence_of_a_template_is_marked() -> None:
    found = over_templates(lambda path: unmarked(path.read_text(), html=path.suffix == ".html"))

    assert [sentence for sentence in found if sentence.split(":")[0] not in NO_TEXT] == []


def test_no_template_has_anything_inline() -> None:
    assert over_templates(lambda path: inline(path.read_text()) if path.suffix == ".html" else []) == []


def test_every_page_works_without_script() -> None:
    assert over_templates(lambda path: needs_script(path.read_text()) if path.suffix == ".html" else []) == []


def test_no_template_trusts_a_value() -> None:
    # In a mail's text nothing is escaped: there is no markup to escape from.
    assert over_templates(lambda path: trusting(path.read_text()) if path.suffix == ".html" else []) == []


def test_mark_safe_is_used_where_it_is_looked_at() -> None:
    found = {
        tree.named(path)
        for path in tree.modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Name | ast.Attribute) and getattr(node, "id", getattr(node, "attr", "")) in _SAFE)
        or (isinstance(node, ast.alias) and node.name in _SAFE)
    }

    assert found - MAY_MARK_SAFE == set()


_SAFE = frozenset({"mark_safe", "SafeString", "SafeText", "html_safe"})


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>Left behind</p>", ["1: Left behind"]),
        ('{% translate "Marked" %}\n<img alt="A picture">', ["2: picture"]),
        ('<input placeholder="Type here">', ["1: Type here"]),
        ('<button aria-label="Close">×</button>', ["1: Close"]),
        ('<a title="{{ name }} again">', ["1: again"]),
        ('<input type="submit" value="Send">', ["1: Send"]),
        ('{% include "a.html" with text="Two words" %}', ["1: Two words"]),
        ("{% if a %}Yes{% else %}{{ b }}{% endif %}", ["1: Yes"]),
        ("{% blocktranslate trimmed %}\n  Marked <b>too</b>\n{% endblocktranslate %}<i>not</i>", ["3: not"]),
        ("<!-- said to us --> {# and this #} {% comment %}this too{% endcomment %} Authweb 42 · ×", []),
        ('<p class="some words" data-copied="{% translate "Copied" %}">{{ value|default:"none" }}</p>', []),
        ("<script src='x.js'>let words</script>", []),
    ],
)
def test_sentences_left_unmarked_are_found(template: str, found: list[str]) -> None:
    assert unmarked(template) == found


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<script>alert(1)</script>", ["1: script inline"]),
        ("<style>p {}</style>", ["1: style inline"]),
        ('<p style="color: red">', ["1: p style"]),
        ('<body onload="go()">', ["1: body onload"]),
        ('<a hx-on:click="go()">', ["1: a hx-on:click"]),
        ('<a href="javascript:go()">', ["1: a href"]),
        ('<script src="a.js" defer></script><p class="x">', []),
        ('<script type="application/json">{}</script>', []),
    ],
)
def test_anything_inline_is_found(template: str, found: list[str]) -> None:
    assert inline(template) == found


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ('<a hx-get="/x" hx-target="#x" hx-swap="outerHTML">', ["1: hx-get without href"]),
        ('<form hx-post="/x" hx-target="#x" hx-swap="outerHTML">', ["1: hx-post without action"]),
        ('<a href="/x" hx-get="/x">', ["1: hx-target is missing", "1: hx-swap is missing"]),
        ('<button hx-delete="/x">', ["1: hx-delete changes what a plain form cannot"]),
        ('<body hx-boost="true">', ["1: hx-boost"]),
        ('<form action="/x" hx-post="/x" hx-target="#x" hx-swap="none">', []),
    ],
)
def test_what_needs_script_is_found(template: str, found: list[str]) -> None:
    assert needs_script(template) == found


def test_values_that_are_trusted_are_found() -> None:
    planted = "{{ name|safe }} {{ names|safeseq }} {% autoescape off %} {{ safe }} {{ name|safely }}"

    assert trusting(planted) == ["|safe", "|safeseq", "{% autoescape off"]
