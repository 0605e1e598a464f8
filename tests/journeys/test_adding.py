"""From what a site shows to a code that it accepts, in a browser: by picture, paste, drag, hand, without script."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from PIL import Image
from playwright.sync_api import BrowserContext, FilePayload, Page, Route, expect

from accounts.models import User
from tests import periods, pictures
from tests.factories import SECRET, Visitor, enrolled

KEY = base64.b32encode(SECRET).decode()
LINK = f"otpauth://totp/GitHub:alice?secret={KEY}&issuer=GitHub"
OTHER = "otpauth://totp/GitLab:bob?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=GitLab"

# Clipboards and drags as the browser hands them to a page: texts and files by their kind.
_TRANSFER = """
const transfer = new DataTransfer();
for (const [kind, name, value] of given) {
  if (!name) transfer.setData(kind, value);
  else transfer.items.add(new File([Uint8Array.from(atob(value), (c) => c.charCodeAt(0))], name, { type: kind }));
}
"""
PASTE = f"""([selector, given]) => {{ {_TRANSFER}
  document.querySelector(selector).dispatchEvent(
    new ClipboardEvent("paste", {{ clipboardData: transfer, bubbles: true, cancelable: true }}));
}}"""
DROP = f"""([selector, given]) => {{ {_TRANSFER}
  const target = document.querySelector(selector);
  const over = new DragEvent("dragover", {{ dataTransfer: transfer, bubbles: true, cancelable: true }});
  target.dispatchEvent(over);
  if (!over.defaultPrevented) throw new Error("a drop would leave the page");
  target.dispatchEvent(new DragEvent("drop", {{ dataTransfer: transfer, bubbles: true, cancelable: true }}));
}}"""

SignIn = Callable[[BrowserContext, Visitor], None]


def file(data: bytes, name: str = "qr.png") -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": data}


def text(value: str) -> list[list[str]]:
    return [["text/plain", "", value]]


def picture(data: bytes, name: str = "qr.png") -> list[list[str]]:
    return [["image/png", name, base64.b64encode(data).decode()]]


def expect_right_code(page: Page, selector: str, period: int = 30) -> str:
    """The code that is shown is the one of now, by another implementation than ours. Returns it."""
    oracle = TOTP(SECRET, 6, SHA1(), period)  # noqa: S303 - what sites use
    code, moment = periods.in_one(lambda: page.locator(selector).inner_text().replace("\n", "").strip(), period)
    assert code == oracle.generate(int(moment)).decode()
    return code


def read_and_finish(page: Page) -> None:
    """On the page of the yes: the code is right; after "Finish" the list shows the same."""
    expect(page.get_by_role("heading", name="Confirm new account")).to_be_visible()
    expect_right_code(page, "main [data-code]")
    page.get_by_role("button", name="Finish").click()
    page.wait_for_url(re.compile(r"/accounts/(#.*)?$"))
    expect(page.locator(".messages")).to_contain_text("Added.")
    expect_right_code(page, ".row [data-code]")
    expect(page.locator(".row .issuer")).to_have_text("GitHub")
    expect(page.locator(".row .name")).to_have_text("alice")


@pytest.fixture
def open_list(context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, page: Page) -> Page:
    """Alice's phone at the page of the ways; she has said "Not now" before, so "Finish" leads to the list."""
    User.objects.update(way_back_asked=2)
    sign_in(context, alice_phone)
    page.goto("/accounts/add/other/")
    return page


def test_a_picture_taken_on_a_phone_becomes_a_code_the_site_accepts(open_list: Page) -> None:
    page = open_list
    expect(page.locator("#id_pictures")).to_be_hidden()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a picture").click()
    assert not chooser.value.is_multiple()

    chooser.value.set_files(file(pictures.of(LINK)))

    read_and_finish(page)


def test_the_first_account_is_added_from_the_empty_list(open_list: Page) -> None:
    page = open_list
    page.goto("/accounts/")
    page.get_by_role("link", name="Add account").first.click()
    page.get_by_role("link", name="Other account (Google, Facebook, etc.)").click()
    expect(page.locator("#id_pictures")).to_be_hidden()  # The script that sends it at once is there.
    page.locator("#id_pictures").set_input_files(file(pictures.of(LINK)))

    read_and_finish(page)


def test_a_picture_chosen_before_the_script_is_there_is_sent_by_the_button(open_list: Page) -> None:
    page = open_list
    held: list[Route] = []
    page.route("**/add*.js", lambda route: held.append(route))
    page.goto("/accounts/add/picture/", wait_until="commit")
    page.locator("#id_pictures").set_input_files(file(pictures.of(LINK)))

    held.pop().continue_()
    page.wait_for_load_state()
    expect(page.locator("#id_pictures")).to_be_visible()
    page.get_by_role("button", name="Read the picture").click()

    read_and_finish(page)


def test_several_pictures_are_chosen_at_once(open_list: Page) -> None:
    page = open_list
    page.get_by_role("link", name="Choose a picture").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    assert chooser.value.is_multiple()

    chooser.value.set_files([file(pictures.of(LINK), "one.png"), file(pictures.of(OTHER), "two.png")])

    expect(page.get_by_role("heading", name="Confirm new accounts")).to_be_visible()
    page.get_by_label("GitLab").uncheck()
    page.get_by_role("button", name="Finish").click()
    expect(page.locator(".row .issuer")).to_have_text(["GitHub"])


def test_a_photograph_larger_than_the_server_reads_is_made_smaller(open_list: Page) -> None:
    page = open_list
    photograph = Image.effect_noise((5200, 3900), 8).convert("RGB")
    code = Image.open(io.BytesIO(pictures.of(LINK))).resize((1600, 1600))
    photograph.paste(code, (1500, 900))
    out = io.BytesIO()
    photograph.save(out, "JPEG", quality=70)

    page.locator("#id_pictures").set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}
    )

    read_and_finish(page)


@pytest.mark.parametrize("what", [text(LINK), picture(pictures.of(LINK))], ids=["link", "picture"])
@pytest.mark.parametrize("how", [PASTE, DROP], ids=["paste", "drop"])
def test_paste_and_drop_work_anywhere_on_the_page(open_list: Page, how: str, what: list[list[str]]) -> None:
    page = open_list

    page.evaluate(how, ["h1", what])

    read_and_finish(page)


def test_a_picture_pasted_into_a_field_is_taken_and_a_text_is_left_to_the_field(open_list: Page) -> None:
    page = open_list
    page.get_by_role("link", name="Account name and secret key").click()
    page.wait_for_url("**/accounts/add/hand/")
    page.evaluate(PASTE, ["#id_label", text("GitHub: alice")])
    expect(page.get_by_role("button", name="Finish")).to_be_visible()
    assert page.url.endswith("/accounts/add/hand/")

    page.evaluate(PASTE, ["#id_label", picture(pictures.of(LINK))])

    read_and_finish(page)


def test_a_link_pasted_into_the_key_field_is_taken_as_a_link(open_list: Page) -> None:
    page = open_list
    page.get_by_role("link", name="Account name and secret key").click()
    page.wait_for_url("**/accounts/add/hand/")

    page.evaluate(PASTE, ["#id_secret", text(LINK)])

    read_and_finish(page)


def test_the_paste_button_takes_what_the_clipboard_holds(open_list: Page, context: BrowserContext) -> None:
    page = open_list
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("(text) => navigator.clipboard.writeText(text)", LINK)

    page.get_by_role("button", name="Paste a picture or link").click()

    read_and_finish(page)


def test_the_paste_button_takes_a_picture(open_list: Page, context: BrowserContext) -> None:
    page = open_list
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (data) => navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob(
            [Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: "image/png" }) })])""",
        base64.b64encode(pictures.of(LINK)).decode(),
    )

    page.get_by_role("button", name="Paste a picture or link").click()

    read_and_finish(page)


def test_where_the_clipboard_is_refused_the_paste_button_leads_to_a_field(open_list: Page) -> None:
    page = open_list

    page.get_by_role("button", name="Paste a picture or link").click()

    page.wait_for_url("**/accounts/add/link/")
    page.get_by_label("Link").fill(LINK)
    page.get_by_role("button", name="Finish").click()
    read_and_finish(page)


def test_by_hand_a_fault_keeps_all_but_the_key(open_list: Page) -> None:
    page = open_list
    page.get_by_role("link", name="Account name and secret key").click()
    page.get_by_label("Account name").fill("GitHub: alice")
    page.get_by_label("Secret key").fill(KEY.lower().replace("a", "1").replace("o", "0"))
    page.get_by_role("button", name="Finish").click()

    errors = page.get_by_role("alert")
    expect(errors).to_contain_text("The key has a letter that cannot be there: 0")
    expect(errors).to_be_focused()
    errors.get_by_role("link").click()
    expect(page.get_by_label("Secret key")).to_be_focused()
    expect(page.get_by_label("Secret key")).to_have_value("")
    expect(page.get_by_label("Account name")).to_have_value("GitHub: alice")
    page.get_by_label("Secret key").fill(" ".join(re.findall("....", KEY.lower())))
    page.get_by_role("button", name="Finish").click()

    read_and_finish(page)


def test_the_code_on_the_page_goes_on_by_itself_and_is_copied(open_list: Page, context: BrowserContext) -> None:
    page = open_list
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(DROP, ["h1", text(f"{LINK}&period=5")])
    expect(page.get_by_role("heading", name="Confirm new account")).to_be_visible()

    seen = set()
    for _ in range(3):
        code = expect_right_code(page, "main [data-code]", 5)
        seen.add(code)
        page.wait_for_function(
            "(code) => document.querySelector('main [data-code]').textContent.trim() !== code", arg=code
        )
    around = {expect_right_code(page, "main [data-code]", 5)}
    page.get_by_role("button", name="Copy").click()
    expect(page.locator(".copied")).to_be_visible()
    around.add(expect_right_code(page, "main [data-code]", 5))

    assert len(seen) == 3
    assert page.evaluate("navigator.clipboard.readText()") in around


def test_on_a_computer_a_picture_is_chosen_or_dropped(
    new_context: Callable[..., BrowserContext], sign_in: SignIn
) -> None:
    context = new_context(viewport={"width": 1280, "height": 800})
    sign_in(context, enrolled("carol@example.org", name="Carol's computer", type="computer", way_back_asked=2))
    page = context.new_page()
    page.goto("/accounts/add/other/")
    expect(page.get_by_text("Or drop it anywhere on this page.")).to_be_visible()
    expect(page.get_by_text("With the camera")).to_have_count(0)

    page.evaluate(DROP, ["main", picture(pictures.of(LINK))])

    read_and_finish(page)


@pytest.mark.parametrize("way", ["take", "picture", "link", "hand"])
def test_every_way_works_without_script(
    way: str, new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> None:
    context = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=False)
    User.objects.update(way_back_asked=2)
    sign_in(context, alice_phone)
    page = context.new_page()
    page.goto("/accounts/add/other/")
    expect(page.get_by_role("button", name="Paste a picture or link")).to_be_hidden()

    if way in ("take", "picture"):
        if way == "picture":
            page.get_by_role("link", name="Choose a picture").click()
        page.locator("#id_pictures").set_input_files(file(pictures.of(LINK)))
        page.get_by_role("button", name="Read the picture").click()
    elif way == "link":
        page.get_by_role("link", name="Type a link").click()
        page.get_by_label("Link").fill(LINK)
        page.get_by_role("button", name="Finish").click()
    else:
        page.get_by_role("link", name="Account name and secret key").click()
        page.get_by_label("Account name").fill("GitHub: alice")
        page.get_by_label("Secret key").fill(KEY)
        page.get_by_role("button", name="Finish").click()

    expect(page.get_by_text("Ends at")).to_be_visible()
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    read_and_finish(page)
