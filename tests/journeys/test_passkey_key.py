"""A passkey that opens the list, in Chromium, with an authenticator that gives PRF output or gives none."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, CDPSession, Page, Request, expect

from accounts.models import Device, KeySlot, SlotKind
from accounts.services import passkeys
from accounts.vault.keys import Secret
from tests import factories
from tests.attacks.test_canaries import dump
from tests.factories import PASSWORD, Visitor, create_entry

pytestmark = [pytest.mark.timeout(180), pytest.mark.row("T45")]
SignIn = Callable[[BrowserContext, Visitor], None]


class Touch:
    """The authenticator of a page: it keeps passkeys and says yes by fingerprint, or is told not to."""

    def __init__(self, page: Page, *, prf: bool = True) -> None:
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.session.send("WebAuthn.enable")
        self.id = self._added(prf)

    def _added(self, prf: bool) -> str:
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            "hasPrf": prf,
        }
        return str(self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"])

    def credentials(self) -> list[dict[str, Any]]:
        """The passkeys it keeps."""
        return list(self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"])

    def keep(self, credential: bytes, *, rp: str) -> None:
        """A passkey of this site, made before."""
        private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        )
        one = {
            "credentialId": base64.b64encode(credential).decode(),
            "isResidentCredential": True,
            "rpId": rp,
            "privateKey": base64.b64encode(private).decode(),
            "userHandle": base64.b64encode(b"handle").decode(),
            "signCount": 1,
        }
        self.session.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": one})


@pytest.fixture
def touch(page: Page) -> Touch:
    """A phone's own authenticator that gives PRF output."""
    return Touch(page)


@pytest.fixture
def outputs(page: Page) -> Iterator[list[str]]:
    """What the page sends of passkeys, request by request."""
    found: list[str] = []

    def seen(request: Request) -> None:
        sent = request.post_data or ""
        found.extend(re.findall(r"(?:output|first|second)=([\w-]{43})", sent))

    page.on("request", seen)
    yield found


def add(page: Page, button: str = "Make a passkey") -> None:
    """Through the page that adds one, both touches."""
    page.goto("/keys/passkey/")
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("heading", name="Use it once now")).to_be_focused()
    page.get_by_role("button", name="Use it").click()


def signed_in_anew(page: Page, context: BrowserContext, email: str = "alice@example.org") -> None:
    """All cookies are gone; the person signs in by password."""
    context.clear_cookies()
    page.goto("/accounts/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Open your list on this browser")).to_be_visible()


@pytest.mark.article("G-26")
@pytest.mark.article("G-27")
def test_passkey_is_made_and_opens_the_list_after_the_cookies_are_lost(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch, outputs: list[str]
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="a")
    sign_in(context, alice_phone)
    add(page)
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()

    signed_in_anew(page, context)
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.locator(".row .issuer")).to_have_text("GitHub")

    assert [len(outputs), len(set(outputs))] == [3, 1]
    assert Device.objects.count() == 2
    assert len(touch.credentials()) == 1


def held_by_page(page: Page) -> str:
    """What the page and its stores hold, fields as they are filled now."""
    return str(
        page.evaluate(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, location.href,"
            " [...document.querySelectorAll('input')].map((field) => field.value), document.documentElement.outerHTML])"
        )
    )


def test_output_lies_nowhere_but_in_the_requests(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch, outputs: list[str]
) -> None:
    """In no page, no store of the browser and no row; the canaries look through logs and mails too."""
    sign_in(context, alice_phone)
    page.goto("/keys/passkey/")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("heading", name="Use it once now")).to_be_focused()
    held = held_by_page(page)
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()
    held += held_by_page(page)
    signed_in_anew(page, context)
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", name="No accounts yet")).to_be_visible()
    held += held_by_page(page)

    raw = Secret.of_text(outputs[0]).reveal()
    shapes = [raw, outputs[0].encode(), raw.hex().encode()]
    at_rest = [column for column, value in dump() if any(shape in value for shape in shapes)]
    Device.objects.update(name=outputs[0])  # The controls: planted, it is found.
    page.evaluate("(output) => sessionStorage.setItem('planted', output)", outputs[0])

    assert [at_rest, outputs[0] in held] == [[], False]
    assert {column for column, value in dump() if shapes[1] in value} == {"accounts_device.name"}
    assert outputs[0] in held_by_page(page)


# The browser shows both passkeys where none is named, and the person picks this one.
PICKS = """
const ask = navigator.credentials.get.bind(navigator.credentials);
navigator.credentials.get = (options) => {
  const { publicKey } = options;
  if (!publicKey.allowCredentials?.length) {
    const id = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
    publicKey.allowCredentials = [{ type: "public-key", id }];
  }
  return ask(options);
};
"""


@pytest.mark.article("G-26")
def test_who_signed_in_by_a_passkey_opens_the_list_by_a_second_touch(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch
) -> None:
    """allauth's own ceremonies ask for no PRF, so that its row never holds what opens the list."""
    sign_in(context, alice_phone)
    add(page)
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()
    page.goto(reverse("mfa_add_webauthn"))
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url(f"**{reverse('mfa_view_recovery_codes')}")
    (own,) = [one for one in touch.credentials() if "key to your list" not in one["userName"]]
    page.add_init_script(PICKS % own["credentialId"])

    context.clear_cookies()
    page.goto("/sign-in/login/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="One more touch opens your list")).to_be_visible()
    before = Device.objects.count()
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", name="No accounts yet")).to_be_visible()

    assert [before, Device.objects.count(), len(touch.credentials())] == [1, 2, 2]
    assert "prf" not in str(Authenticator.objects.get(type="webauthn").data)


def test_passkey_that_opens_the_list_signs_nobody_in_and_says_so(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch
) -> None:
    """Browsers offer both kinds at the sign-in; the name of each tells them apart."""
    sign_in(context, alice_phone)
    add(page)
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()

    context.clear_cookies()
    page.goto("/sign-in/login/")
    page.get_by_role("button", name="Use a passkey").click()

    expect(
        page.get_by_text("This passkey does not sign you in here. Choose another one, or sign in another way.")
    ).to_be_visible()
    assert [one["userName"] for one in touch.credentials()] == ["alice@example.org, key to your list"]


@pytest.mark.article("G-27")
def test_passkey_that_is_there_already_is_chosen_and_becomes_a_key(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch, outputs: list[str]
) -> None:
    sign_in(context, alice_phone)
    page.goto("/keys/passkey/")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("heading", name="Use it once now")).to_be_visible()

    add(page, "Choose one you sign in with")  # The page is left and opened anew: the passkey is there, no key yet.
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()

    assert [len(touch.credentials()), len(outputs), len(set(outputs))] == [1, 2, 1]


def test_passkey_without_prf_makes_no_key_and_is_told_so(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    Touch(page, prf=False)
    sign_in(context, alice_phone)

    page.goto("/keys/passkey/")
    page.get_by_role("button", name="Make a passkey").click()

    expect(page.get_by_role("alert")).to_have_text(
        "This passkey cannot hold a key. Nothing of it was kept here: delete it in your password manager."
        " Six words work everywhere."
    )
    assert not KeySlot.objects.filter(kind=SlotKind.PASSKEY).exists()


# Somebody who turns away from the fingerprint: the browser then says this, and no more.
TURNS_AWAY = """
for (const name of ["create", "get"]) {
  const ask = navigator.credentials[name].bind(navigator.credentials);
  navigator.credentials[name] = (options) =>
    window.turnsAway ? Promise.reject(new DOMException("", "NotAllowedError")) : ask(options);
}
"""


def turns_away(page: Page, turns: bool) -> None:
    """From now on, or no longer."""
    page.evaluate("(turns) => { window.turnsAway = turns; }", turns)


def test_cancelled_touch_changes_nothing_and_can_be_done_again(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch
) -> None:
    context.add_init_script(TURNS_AWAY)
    sign_in(context, alice_phone)
    page.goto("/keys/passkey/")
    turns_away(page, True)
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("The passkey was not used.")

    turns_away(page, False)
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("heading", name="Use it once now")).to_be_visible()
    turns_away(page, True)
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("alert")).to_have_text("The passkey was not used.")
    between = KeySlot.objects.filter(kind=SlotKind.PASSKEY).count()
    turns_away(page, False)
    page.get_by_role("button", name="Use it").click()

    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()
    assert between == 0


# Answers as browsers have given them: the second other than the first. What is replaced is the browser's, not ours.
OTHER_EACH_TIME = """
const get = navigator.credentials.get.bind(navigator.credentials);
navigator.credentials.get = async (options) => {
  const credential = await get(options);
  const first = crypto.getRandomValues(new Uint8Array(32)).buffer;
  credential.getClientExtensionResults = () => ({ prf: { results: { first } } });
  return credential;
};
"""


def test_browser_that_gives_other_bytes_each_time_makes_no_key(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch
) -> None:
    context.add_init_script(OTHER_EACH_TIME)
    sign_in(context, alice_phone)

    add(page)
    expect(page.get_by_text("Once more: the two answers must be alike.")).to_be_visible()
    page.get_by_role("button", name="Use it").click()

    expect(page.get_by_role("alert")).to_contain_text("Nothing of it was kept here: delete it in")
    assert not KeySlot.objects.filter(kind=SlotKind.PASSKEY).exists()


WRONG_AT_MAKING = """
const create = navigator.credentials.create.bind(navigator.credentials);
navigator.credentials.create = async (options) => {
  const credential = await create(options);
  const first = new Uint8Array(32).buffer;
  credential.getClientExtensionResults = () => ({ prf: { enabled: true, results: { first } } });
  return credential;
};
"""


def test_what_making_gave_is_not_relied_on(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch, outputs: list[str]
) -> None:
    context.add_init_script(WRONG_AT_MAKING)
    sign_in(context, alice_phone)

    add(page)
    expect(page.get_by_text("Once more: the two answers must be alike.")).to_be_visible()
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()

    assert [len(outputs), len(set(outputs)), outputs[0] == "A" * 43] == [2, 1, False]


def test_passkey_opens_by_an_empty_list_of_ids_too(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch, outputs: list[str]
) -> None:
    """As after the loss of the server's records: the same 32 bytes without its id being named."""
    sign_in(context, alice_phone)
    add(page)
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()

    signed_in_anew(page, context)
    page.locator("[data-passkey-open]").evaluate("(form) => { form.dataset.allowed = '[]'; }")
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", name="No accounts yet")).to_be_visible()

    assert len(set(outputs)) == 1


def test_passkey_of_another_person_opens_nothing(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, bob: Visitor, touch: Touch
) -> None:
    """Bob signs in at alice's device: his own passkey is elsewhere, hers is none of his."""
    passkeys.add(bob.vault, b"elsewhere", (Secret(b"b" * 32), Secret(b"b" * 32)), "His", at=timezone.now())
    sign_in(context, alice_phone)
    add(page)
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()

    signed_in_anew(page, context, "bob@example.org")
    page.locator("[data-passkey-open]").evaluate("(form) => { form.dataset.allowed = '[]'; }")
    page.get_by_role("button", name="Use your passkey").click()

    expect(page.get_by_role("alert")).to_have_text("This passkey opens no list of yours.")
    assert Device.objects.filter(user=bob.user).count() == 1


def test_passkey_of_another_site_is_not_used(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch, outputs: list[str]
) -> None:
    """The browser gives it to its own site alone, whatever the page names."""
    passkeys.add(alice_phone.vault, b"of another site", (Secret(b"a" * 32), Secret(b"a" * 32)), "?", at=timezone.now())
    touch.keep(b"of another site", rp="example.org")
    sign_in(context, factories.at_another_browser(alice_phone))

    page.goto("/open/")
    page.get_by_role("button", name="Use your passkey").click()

    expect(page.get_by_role("alert")).to_have_text("The passkey was not used.")
    assert [outputs, Device.objects.count(), len(touch.credentials())] == [[], 1, 1]


@pytest.mark.article("G-27")
def test_name_that_is_missing_and_a_lost_connection_cost_no_second_passkey(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch, faults: Any
) -> None:
    faults.expect("net::ERR_FAILED")
    sign_in(context, alice_phone)
    add(page)
    page.wait_for_url("**/keys/")
    page.goto("/keys/passkey/")
    page.get_by_label("Name").fill(" ")
    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("alert")).to_have_text("The name is missing. Give the passkey a name.")

    page.get_by_label("Name").fill("Keychain")
    page.route("**/keys/passkey/", lambda route: route.abort())
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("alert")).to_have_text("No connection. Use it once more.")
    page.unroute("**/keys/passkey/")
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("This passkey opens your list from now on.")).to_be_visible()

    assert [slot.name for slot in passkeys.of(alice_phone.vault.row)] == ["Passkey", "Keychain"]
    assert len(touch.credentials()) == 2


def test_refusal_of_the_server_is_told_as_its_own_page_says_it(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, touch: Touch, faults: Any
) -> None:
    faults.expect("status of 403")
    sign_in(context, alice_phone)
    page.goto("/keys/passkey/")
    page.locator("[data-passkey-new] [name=csrfmiddlewaretoken]").evaluate("(field) => { field.value = 'x'; }")

    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_role("button", name="Use it").click()

    expect(page.get_by_role("alert")).to_have_text("This form is too old.")
    assert not KeySlot.objects.filter(kind=SlotKind.PASSKEY).exists()


def test_browser_without_passkeys_says_so_and_offers_the_words(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    passkeys.add(alice_phone.vault, b"one", (Secret(b"a" * 32), Secret(b"a" * 32)), "Hers", at=timezone.now())
    context.add_init_script("delete window.PublicKeyCredential;")
    sign_in(context, factories.at_another_browser(alice_phone))

    page.goto("/open/")
    page.get_by_role("button", name="Use your passkey").click()

    expect(page.get_by_role("alert")).to_have_text(
        "This browser cannot open a list by passkey. Six words work everywhere."
    )


def test_without_script_the_button_is_absent_with_the_reason(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> None:
    passkeys.add(alice_phone.vault, b"one", (Secret(b"a" * 32), Secret(b"a" * 32)), "Hers", at=timezone.now())
    context = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=False)
    sign_in(context, factories.at_another_browser(alice_phone))
    page = context.new_page()

    page.goto("/open/")

    expect(page.get_by_role("button", name="Use your passkey")).to_be_hidden()
    expect(page.get_by_text("Passkeys need JavaScript, which is off in this browser.")).to_be_visible()
