"""A page as a person reads it."""

from __future__ import annotations

import re
from html import unescape

from django.http import HttpResponse


def main(answer: HttpResponse) -> str:
    """The HTML between bars and messages."""
    return answer.content.decode().partition('<main id="main" tabindex="-1">')[2].partition("</main>")[0]


def plain(html: str) -> str:
    """The words of HTML, white space folded."""
    words = " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
    return re.sub(r" (?=[.,:;)])|(?<=[(]) ", "", words)


def text(answer: HttpResponse) -> str:
    """What a page says; the whole answer where it is a part of one."""
    return plain(main(answer) or answer.content.decode())


def buttons(answer: HttpResponse) -> list[str]:
    """The words of its buttons and of the links that look like one, in order."""
    found = re.findall(r'<(a|button)[^>]*class="button[^"]*"[^>]*>(.*?)</\1>', main(answer), re.DOTALL)
    return [plain(words) for _, words in found]
