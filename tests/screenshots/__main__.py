"""`make screenshots`: the pictures of README and of the help, at an hour that is always the same.

`python -m tests.screenshots backup install` takes those alone. What differs between machines is their fonts.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests import environment

environment.prepare()  # Before Django reads its settings.

import django  # noqa: E402 - after the environment

django.setup()

import time_machine  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test.testcases import LiveServerThread  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from accounts import roles  # noqa: E402
from accounts.services import keyring  # noqa: E402
from accounts.vault import keys  # noqa: E402
from tests import browsers, processes  # noqa: E402
from tests.environment import ROOT  # noqa: E402
from tests.screenshots.frames import FRAMES  # noqa: E402
from tests.screenshots.pictures import MOST, PICTURES, Picture, Shot  # noqa: E402

AT = datetime(2026, 5, 3, 9, 41, 6, 200_000, tzinfo=UTC)
SHARP, COLOURS = 2, 96
settings.WAYS = {
    role: roles.Way(f"{role}-proof", named.provider, "id", named.issuer, "sub") for role, named in roles.ROLES.items()
}
settings.ALLOWED_HOSTS = ["localhost", "testserver"]
settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def main(names: list[str]) -> int:
    """Take all, or those named. 1 where one is larger than it may be."""
    prepare()
    port, large = processes.free_port(), 0
    server = LiveServerThread("localhost", StaticFilesHandler, port=port)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browsers.find(), args=list(browsers.ARGUMENTS))
        for picture in PICTURES:
            if not names or picture.file.stem in names:
                data = small(taken(browser, f"http://localhost:{port}", picture))
                (ROOT / picture.file).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / picture.file).write_bytes(data)
                large += len(data) > MOST
                print(f"{picture.file}  {len(data):,} bytes{' TOO LARGE' if len(data) > MOST else ''}")
        browser.close()
    server.terminate()
    return 1 if large else 0


def prepare() -> None:
    """An empty server."""
    keyring.write(Path(settings.SERVER_KEYS_FILE), keyring.made(keys.Role))
    for command in ("migrate", "createcachetable"):
        call_command(command, verbosity=0)


def taken(browser: Browser, site: str, picture: Picture) -> bytes:
    """One picture."""
    shots = {name: seen(browser, site, shot) for name, shot in picture.shots.items()}
    if not picture.frame:
        (alone,) = shots.values()
        return alone
    frame = FRAMES[picture.frame]
    width, height = frame.size
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=frame.sharp)
    page.set_content(frame.around(shots))
    data = page.screenshot()
    page.close()
    return data


def seen(browser: Browser, site: str, shot: Shot) -> bytes:
    """What is seen of a page, in an empty database beside an empty store, at AT."""
    call_command("flush", interactive=False, verbosity=0)
    for stored in Path(settings.STORAGES["backups"]["OPTIONS"]["location"]).rglob("*.awb"):
        stored.unlink()
    width, height = shot.size
    with time_machine.travel(AT, tick=False):
        visitor, address = shot.scene()
        context = browser.new_context(
            base_url=site,
            viewport={"width": width, "height": height},
            device_scale_factor=SHARP,
            locale="en",
            color_scheme="light",
            reduced_motion="reduce",
        )
        context.add_cookies(
            [{"name": one.key, "value": one.value, "url": site} for one in visitor.client.cookies.values()]
        )
        page = context.new_page()
        # No second passes. Playwright's own clock hides when the page came, by which ours is set.
        page.add_init_script(f"Date.now = () => {AT.timestamp() * 1000}; window.setTimeout = () => 0;")
        page.goto(address)
        for name, value in shot.typed.items():
            page.locator(f'[name="{name}"]').fill(value)
        if shot.typed:
            page.locator("input[type=submit]").first.click()
            page.wait_for_load_state()
        place: Any = page.locator(shot.part) if shot.part else page
        data: bytes = place.screenshot(animations="disabled", caret="hide")
        context.close()
    return data


def small(data: bytes) -> bytes:
    """The same in few colours."""
    out = io.BytesIO()
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    few = picture.quantize(COLOURS, kmeans=3, dither=Image.Dither.NONE)
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
