"""Pages that are nothing but a frame for pictures: a desk with a computer and a phone, a home screen."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from tests.environment import ROOT


@dataclass(frozen=True, slots=True)
class Frame:
    """A page, and how large it is; `{name}` is a picture of this name."""

    size: tuple[int, int]
    page: str
    sharp: int = 1

    def around(self, pictures: Mapping[str, bytes]) -> str:
        """The page with these pictures in it."""
        page = self.page
        for name, data in {**pictures, "icon": (ROOT / "static/icons/icon-192.png").read_bytes()}.items():
            page = page.replace(f"{{{name}}}", f"data:image/png;base64,{base64.b64encode(data).decode()}")
        return page


FRAMES = {
    "desk": Frame(
        (1400, 790),
        """<style>
body { margin: 0; block-size: 790px; background: #dbe6e3; }
img { position: absolute; display: block; box-sizing: border-box; }
.computer { inset: 28px auto auto 28px; inline-size: 1060px; border-radius: 14px; box-shadow: 0 2px 14px #07272a33; }
.phone { inset: 68px auto auto 1035px; inline-size: 344px; border: 7px solid #07171a; border-radius: 36px; }
</style><img class="computer" src="{computer}"><img class="phone" src="{phone}">""",
    ),
    "home": Frame(
        (360, 480),
        """<style>
body { margin: 0; block-size: 480px; background: #07272a; }
ul { display: grid; grid-template-columns: repeat(4, 1fr); gap: 28px 0; margin: 0; padding: 40px 20px; }
li { display: grid; list-style: none; gap: 8px; justify-items: center; color: white; }
span { font: 13px "Noto Sans", sans-serif; }
i, img { inline-size: 56px; block-size: 56px; border-radius: 14px; background: #ffffff1f; }
b { inline-size: 40px; block-size: 8px; margin-block: 5px; border-radius: 4px; background: #ffffff1f; }
</style><ul>"""
        + "<li><i></i><b></b></li>" * 5
        + """<li><img src="{icon}"><span>Authweb</span></li>"""
        + "<li><i></i><b></b></li>" * 6
        + "</ul>",
        sharp=2,
    ),
}
