"""Lines of text, each a link: `otpauth:`, `steam:`, or a part of Google Authenticator's export."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from accounts.vault import uri
from accounts.vault.errors import ParseError, Problem
from accounts.vault.formats import google
from accounts.vault.formats.base import Format, Found, Result

_SCHEMES = ("otpauth:", "steam:", "phonefactor:", google.SCHEME)


def is_link(line: str) -> bool:
    """Whether a line begins as a link that is read here, or named when it is refused."""
    return line[:20].lower().startswith(_SCHEMES)


def read(lines: Iterable[tuple[int, str]], *, new_id: Callable[[], str]) -> Result:
    """The accounts in numbered lines. What cannot be taken is a problem at its number; nothing is raised."""
    entries: list[Found] = []
    problems: list[Problem] = []
    parts: list[tuple[int, str]] = []
    others = 0
    for number, line in lines:
        if google.is_part(line):
            parts.append((number, line))
            continue
        others += 1
        try:
            parsed = uri.parse(line)
        except ParseError as error:
            problems.append(Problem.of(number, error))
        else:
            entries.append(Found(parsed.entry(id=new_id()), parsed.notes, number))
    exported = google.read(parts, new_id=new_id)
    return Result(
        entries=(*entries, *exported.entries),
        problems=(*problems, *exported.problems),
        format=Format.OTPAUTH if others else Format.GOOGLE,
    )
