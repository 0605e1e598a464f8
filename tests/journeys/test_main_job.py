"""The main job, as a new person does it: sign up, set up this browser, add an account from a picture, read its code."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.core import mail
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import Device, User, Vault
from tests import factories, periods, pictures
from tests.factories import SECRET, Visitor, create_entry

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # SECRET, as a site writes it.
ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36"


def mailed_code() -> str:
    """The code in the newest mail."""
    for _ in range(50):
        if mail.outbox:
            break
        time.sleep(0.1)
    found = re.search(r"^\s*([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", str(mail.outbox[-1].body), re.M)
    assert found is not None
    return found[1]


@pytest.mark.article("G-25", "allowed")
@pytest.mark.article("S-18")
def test_new_person_reads_a_code_that_the_site_accepts(
    new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    context = new_context(user_agent=ANDROID, viewport={"width": 360, "height": 740}, timezone_id="Europe/Berlin")
    page = context.new_page()

    # Sign up, by the code that was mailed.
    page.goto("/")
    page.get_by_role("link", name="Create an Authweb account").click()
    page.get_by_label("E-mail").fill("carol@example.org")
    page.get_by_label("Password", exact=True).fill("correct horse battery staple")
    page.get_by_label("Password, once more").fill("correct horse battery staple")
    page.get_by_role("button", name="Create an Authweb account").click()
    page.get_by_label(re.compile("code", re.I)).fill(mailed_code())
    page.get_by_role("button", name="Go on").click()

    # Set up this device: one button.
    page.wait_for_url("**/start/")
    expect(page.get_by_label("Name")).to_have_value("Chrome on Pixel 9")
    expect(page.get_by_label("Android")).to_be_checked()
    page.get_by_role("button", name="Set up this device").click()
    expect(page.get_by_role("heading", name="No accounts yet")).to_be_visible()
    assert [(vault.user.email, vault.put_aside_at) for vault in Vault.objects.all()] == [("carol@example.org", None)]

    # Add the first account from a picture of its QR code.
    picture = tmp_path / "code.png"
    picture.write_bytes(pictures.of(f"otpauth://totp/GitHub:carol?secret={KEY}&issuer=GitHub"))
    page.get_by_role("link", name="Add account").click()
    page.get_by_role("link", name="Other account (Google, Facebook, etc.)").click()
    page.wait_for_url("**/accounts/add/other/")
    expect(page.locator("#id_pictures")).to_be_hidden()  # The script that sends it at once is there.
    page.locator("#id_pictures").set_input_files(picture)
    page.wait_for_url(re.compile(r"/accounts/add/[0-9a-f-]{36}/"))
    expect(page.get_by_text("Check this code at the site now")).to_be_visible()
    page.get_by_role("button", name="Finish").click()

    # A way back is asked for, once.
    page.wait_for_url("**/keys/start/")
    expect(page.get_by_role("heading", name="Keep a way back")).to_be_visible()
    page.get_by_role("button", name="Not now").click()

    # Its code, live.
    page.wait_for_url(re.compile(r"/accounts/(#.*)?$"))
    shown, moment = periods.in_one(lambda: page.locator(".row .code").inner_text().replace("\n", ""))
    oracle = TOTP(SECRET, 6, SHA1(), 30, enforce_key_length=False)  # noqa: S303 - RFC 6238
    assert shown == oracle.generate(int(moment)).decode()

    # Settings: one tap; what happened stands in the activity, in the person's own time.
    page.get_by_role("link", name="Settings").first.click()
    page.wait_for_url("**/settings/")
    assert [Vault.objects.count(), Device.objects.get().type, User.objects.get().time_zone] == [
        1,
        "android",
        "Europe/Berlin",
    ]


def test_double_click_on_set_up_makes_one_device(
    page: Page, context: BrowserContext, sign_in: Callable[[BrowserContext, Visitor], None], alice: Visitor
) -> None:
    sign_in(context, alice)
    page.goto("/start/")
    page.get_by_label("Computer").check()

    page.get_by_role("button", name="Set up this device").dblclick()
    expect(page.get_by_role("heading", name="No accounts yet")).to_be_visible()

    assert [Device.objects.count(), Vault.objects.count()] == [1, 1]


def test_two_people_share_a_browser(
    page: Page,
    context: BrowserContext,
    sign_in: Callable[[BrowserContext, Visitor], None],
    alice_phone: Visitor,
    bob: Visitor,
) -> None:
    create_entry(on=alice_phone, issuer="Of alice", name="a")
    create_entry(on=bob, issuer="Of bob", name="b")

    seen = []
    for visitor in (alice_phone, bob, factories.at_another_browser(alice_phone)):  # Her key is still in the browser.
        sign_in(context, visitor)
        page.goto("/accounts/")
        seen.append(page.locator(".row .issuer").all_inner_texts())

    assert seen == [["Of alice"], ["Of bob"], ["Of alice"]]
    assert sum("device-key" in cookie["name"] for cookie in context.cookies()) == 2


def test_removed_device_is_refused_told_so_and_put_back_from_another(
    new_context: Callable[..., BrowserContext],
    sign_in: Callable[[BrowserContext, Visitor], None],
    alice_phone: Visitor,
    alice_elsewhere: Visitor,
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="a")
    phone, laptop = (new_context(viewport={"width": 360, "height": 740}) for _ in range(2))
    sign_in(phone, alice_phone)
    sign_in(laptop, alice_elsewhere)
    on_phone, on_laptop = phone.new_page(), laptop.new_page()
    on_phone.goto("/accounts/")

    # From a browser without the key; the loss is named and ticked.
    on_laptop.goto("/devices/")
    on_laptop.get_by_role("link", name="Remove Alice's phone").click()
    expect(on_laptop.get_by_text("This is the last way into your list.")).to_be_visible()
    on_laptop.get_by_role("button", name="Remove").click()
    expect(on_laptop.get_by_role("alert")).to_contain_text("Tick this, or go back")
    on_laptop.get_by_role("checkbox").check()
    on_laptop.get_by_role("button", name="Remove").click()

    # The phone is refused at once.
    on_phone.goto("/accounts/")
    refused_at = on_phone.url

    # Undo.
    on_laptop.goto("/devices/")
    on_laptop.get_by_role("button", name="Undo").first.click()
    expect(on_laptop.get_by_text("Put back. It opens your list again.")).to_be_visible()

    assert "/sign-in/" in refused_at
    assert Device.objects.get().removed_at is None
