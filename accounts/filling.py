"""Templates that are rendered once with marks in place of values, and from then on filled.

The template engine costs ten times what the codes of a page cost. Only text between values is remembered, never a
value: what is rendered here knows marks alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter

_BEGIN, _END = "\x02", "\x03"

Filler = Callable[[Mapping[str, object]], str]


def marks(names: Iterable[str]) -> dict[str, str]:
    """What stands for each value while a template is rendered. No escaping changes it."""
    return {name: f"{_BEGIN}{name}{_END}" for name in names}


def filler(rendered: str) -> Filler:
    """What puts values, ready for HTML, in place of the marks of a rendered template."""
    pieces = rendered.replace("%", "%%").split(_BEGIN)
    names: list[str] = []
    for number, piece in enumerate(pieces[1:], 1):
        name, _, rest = piece.partition(_END)
        names.append(name)
        pieces[number] = f"%s{rest}"
    text, fields = "".join(pieces), itemgetter(*names)
    return lambda values: text % fields(values)
