"""Every page of sign-in speaks in Authweb's words, in each of its states; in German no page falls back into English."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser

import pyotp
import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from accounts import sign_in_urls
from accounts.models import Device
from accounts.services import words
from accounts.services.identity import Purpose
from accounts.vault.entry import Type
from authweb.management.commands import catalogues
from tests import factories
from tests.environment import ROOT
from tests.factories import PASSWORD, Visitor, create_entry
from tests.rules.test_catalogues import FOREIGN

Pages = Iterator[tuple[str, str]]
NEW = "another long phrase of hers"
TWO_LINKS = "otpauth://totp/A:a?secret=MFRGGZDF\notpauth://totp/B:b?secret=MFRGGZDG\notpauth://totp/C:c"
CODE = re.compile(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", re.MULTILINE)
# Names, and what begins with a capital wherever it stands.
NAMES = frozenset({"Authweb", "JavaScript", "QR", "Trash", "Home", "PIN"})
_SPOKEN = ("alt", "title", "placeholder", "aria-label")


class Texts(HTMLParser):
    """What a person reads or hears of a page: each run of text, attributes that are spoken; headings apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.headings: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what is spoken of it."""
        self._open.append(tag)
        said = dict(attributes)
        self.texts += [said[name] or "" for name in _SPOKEN if name in said]
        if tag == "input":
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Text counts again."""
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Note it, white space folded."""
        text = " ".join(data.split())
        if not text or {"script", "style"} & set(self._open):
            return
        if {"h1", "h2", "title", "legend"} & set(self._open):
            self.headings.append(text)
        self.texts.append(text)


def newest_code() -> str:
    """The code of the newest mail."""
    found = CODE.search(str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def entrances(client: Client) -> Pages:
    """What who is not signed in meets: each page, its refusals, the codes by mail, the second factor."""
    for name in (
        *("account_login", "account_signup", "account_signup_by_passkey", "account_request_login_code"),
        "account_reset_password",
    ):
        yield name, read(client, name)
        yield f"{name}, empty", sent(client, name, {})
    for name in ("account_inactive", "account_password_reset_completed"):
        yield name, read(client, name)
    yield "no address", sent(client, "account_login", {"login": "alice", "password": "x"})
    yield "wrong password", sent(client, "account_login", {"login": "alice@example.org", "password": "x"})
    signing_up = {"email": "carol@example.org", "password1": "1", "password2": "2"}
    yield "poor passwords", sent(client, "account_signup", signing_up)
    signing_up |= {"password1": "carol@example.org", "password2": "carol@example.org"}
    yield "password like the address", sent(client, "account_signup", signing_up)
    signing_up |= {"password1": PASSWORD, "password2": PASSWORD}
    yield "signed up", sent(client, "account_signup", signing_up)
    yield "wrong code", sent(client, "account_email_verification_sent", {"code": "x"})
    yield "verified", sent(client, "account_email_verification_sent", {"code": newest_code()})
    client.post(reverse("account_logout"))
    yield "code for a sign-in", sent(client, "account_request_login_code", {"email": "carol@example.org"})
    yield "wrong code for a sign-in", sent(client, "account_confirm_login_code", {"code": "x"})
    yield "code for a password", sent(client, "account_reset_password", {"email": "carol@example.org"})
    yield "wrong code for a password", sent(client, "account_confirm_password_reset_code", {"code": "x"})
    yield "new password", sent(client, "account_confirm_password_reset_code", {"code": newest_code()})
    yield "two passwords", sent(client, "account_complete_password_reset", {"password1": NEW, "password2": "x"})
    yield "set anew", sent(client, "account_complete_password_reset", {"password1": NEW, "password2": NEW})


def second_factor(client: Client) -> Pages:
    """What who has a second factor meets after the password."""
    yield "second factor", sent(client, "account_login", {"login": "alice@example.org", "password": PASSWORD})
    yield "second factor, wrong", sent(client, "mfa_authenticate", {"code": "000000"})


def ways_in(visitor: Visitor) -> Pages:
    """What a person meets who changes their ways in: before, with everything turned on, and when it is turned off."""
    client = visitor.client
    for name in signed_in_pages():
        yield name, read(client, name)
    for name in ("account_change_password", "account_set_password", "account_email", "mfa_activate_totp"):
        yield f"{name}, empty", sent(client, name, {"action_add": ""})
    passwords = {"oldpassword": "x", "password1": "123456789012", "password2": "123456789012"}
    yield "digits", sent(client, "account_change_password", passwords)
    yield "wrong one-time code", sent(client, "mfa_activate_totp", {"code": "000000"})
    client.get(reverse("mfa_activate_totp"))
    secret = str(client.session["mfa.totp.secret"])
    yield "turned on", sent(client, "mfa_activate_totp", {"code": pyotp.TOTP(secret).now()})
    for name in signed_in_pages():
        yield f"{name}, one-time codes on", read(client, name)
    yield "an address more", sent(client, "account_email", {"action_add": "", "email": "a@example.org"})
    # As allauth keeps a passkey, without the parts that only a ceremony reads.
    credential = {"clientExtensionResults": {"credProps": {"rk": True}}}
    key = Authenticator.objects.create(
        user=visitor.user, type="webauthn", data={"name": "YubiKey 5", "credential": credential}
    )
    yield "with a passkey", read(client, "accounts:settings-sign-in")
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        yield name, client.get(reverse(name, args=[key.pk]), follow=True).content.decode()
    yield "renamed to nothing", sent(client, "mfa_edit_webauthn", {"name": ""}, key.pk)
    yield "removed", sent(client, "mfa_remove_webauthn", {}, key.pk)
    factories.grown_stale(visitor)
    for name in ("account_reauthenticate", "mfa_reauthenticate"):
        yield name, read(client, name)
        yield f"{name}, empty", sent(client, name, {})


def signed_in_pages() -> list[str]:
    """The pages of allauth that have an address without anything in it, and do not sign out."""
    return [
        name
        for name in sorted(sign_in_urls.GUARDS)
        if not name.startswith(("openid_connect", "apple", "mfa_edit", "mfa_remove", "account_logout", "mfa_login"))
        and not name.endswith("_download_recovery_codes")
    ]


def list_and_settings(visitor: Visitor) -> Pages:
    """Our own pages, of a list with all kinds of accounts and of an empty one."""
    client = visitor.client
    yield "empty list", read(client, "accounts:list")
    kept = create_entry(on=visitor, issuer="GitHub")
    create_entry(on=visitor, issuer="", name="counter", type=Type.HOTP)
    gone = create_entry(on=visitor, issuer="Old")
    client.post(reverse("accounts:to-trash", args=[gone.id]))
    for name in (
        *("list", "order", "trash", "add", "add-work", "add-other", "devices", "activity", "start", "open", "separate"),
        *("settings", "settings-codes", "settings-appearance", "settings-sign-in"),
        *("keys", "way-back", "words-new", "words-own", "passkey-new", "delete-account"),
    ):
        yield name, read(client, f"accounts:{name}")
    for name in ("account", "edit"):
        yield name, client.get(reverse(f"accounts:{name}", args=[kept.id])).content.decode()
    yield "delete", client.get(reverse("accounts:delete", args=[gone.id])).content.decode()
    device = Device.objects.get(user=visitor.user)
    for name in ("device-rename", "device-remove"):
        yield name, client.get(reverse(f"accounts:{name}", args=[device.pk])).content.decode()
    yield "words", sent(client, "accounts:words-new", {})
    words.make(visitor.vault, "granite ladle marigold hexagon kettle lantern", at=timezone.now())
    yield "keys, with words", read(client, "accounts:keys")
    elsewhere = factories.at_another_browser(visitor).client
    elsewhere.defaults |= client.defaults
    for name in ("open", "open-name", "open-words"):
        yield f"{name}, elsewhere", read(elsewhere, f"accounts:{name}")
    yield "words mistyped", sent(elsewhere, "accounts:open-words", {"words": "aple", "device_id": str(uuid.uuid4())})
    yield "waiting", sent(elsewhere, "accounts:open-approve", {"device_id": str(uuid.uuid4())})
    yield "asked", read(client, "accounts:devices")
    for name in ("add-picture", "add-link", "add-hand"):
        yield f"{name}, empty", sent(client, f"accounts:{name}", {})
    by_hand = {"label": "GitHub: alice", "secret": "JBSWY3DPEHPK3PXP"}
    yield "confirm", sent(client, "accounts:add-hand", by_hand)
    yield "confirm several", sent(client, "accounts:add-link", {"link": TWO_LINKS})
    proof = factories.proven(visitor, purpose=Purpose.ACCOUNT_ADD, who=factories.person())
    for name in ("add-personal", "add-other"):
        yield f"{name}, signed in", client.get(f"{reverse(f'accounts:{name}')}?proof={proof}").content.decode()
    signed_in = reverse("accounts:add-signed-in", args=[proof])
    yield "add-signed-in", client.get(signed_in).content.decode()
    yield "signed in", client.post(signed_in, follow=True).content.decode()
    again = factories.proven(visitor, purpose=Purpose.ACCOUNT_ADD, who=factories.person())
    yield "signed in before", client.get(reverse("accounts:add-signed-in", args=[again])).content.decode()
    yield "sign-in that is used", client.get(signed_in, follow=True).content.decode()
    yield (
        "sign-in that is nobody's",
        client.get(reverse("accounts:add-signed-in", args=[uuid.uuid4()]), follow=True).content.decode(),
    )
    yield "nowhere", client.get("/nowhere/").content.decode()
    yield "draft that is gone", client.get(reverse("accounts:add-confirm", args=[uuid.uuid4()])).content.decode()


def read(client: Client, name: str) -> str:
    """A page, or where it leads."""
    return client.get(reverse(name), follow=True).content.decode()


def sent(client: Client, name: str, form: dict[str, str], *arguments: object) -> str:
    """What a form answers, or where it leads."""
    return client.post(reverse(name, args=arguments), form, follow=True).content.decode()


def walk(visitor: Visitor, language: str) -> Pages:
    """All of them, as a browser gets them that asks for this language."""
    asks = {"headers": {"Accept-Language": language}}
    visitor.client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    yield from entrances(Client(**asks))
    yield from list_and_settings(visitor)
    yield from ways_in(visitor)
    yield from second_factor(Client(**asks))


def is_titled(heading: str) -> bool:
    """Whether a heading has a capital where a sentence has none; one all in capitals is the article's."""
    words = re.split(r"[\s-]+", heading)[1:]
    return not heading.isupper() and any(word[:1].isupper() and word.rstrip("?:") not in NAMES for word in words)


@pytest.fixture
def phone(alice_phone: Visitor, settings: object) -> Visitor:
    """Alice at her phone; an outside sign-in is there, and accounts of work or school."""
    settings.WAYS = {**settings.WAYS, "entra": settings.WAYS["microsoft"]}  # type: ignore[attr-defined]
    app = {"provider_id": "oidc-sign-in", "name": "Home", "client_id": "1", "secret": "2", "settings": {}}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}  # type: ignore[attr-defined]
    return alice_phone


def test_every_page_speaks_in_our_words(phone: Visitor) -> None:
    found = []
    for where, html in walk(phone, "en"):
        page = Texts(html)
        found += [f"{where}: {text}" for text in page.texts if FOREIGN.search(text)]
        found += [f"{where}, heading: {text}" for text in page.headings if is_titled(text.removesuffix(" · Authweb"))]

    assert found == []


def test_every_page_speaks_german_alone(phone: Visitor) -> None:
    german = catalogues.read(ROOT / "locale/de/LC_MESSAGES/django.po")
    english = {
        " ".join(form.split())
        for message in german
        if message.id
        for form in catalogues.forms(message.id)
        if form not in catalogues.forms(message.string) and "%(" not in form
    }
    with translation.override("en"):
        english |= {translation.gettext(sentence) for sentence in english}
    found = []
    for where, html in walk(phone, "de"):
        assert '<html lang="de"' in html, where
        found += [f"{where}: {text}" for text in Texts(html).texts if text.removesuffix(" · Authweb") in english]

    assert found == []


def test_words_of_others_are_found_in_a_page() -> None:
    page = Texts("<h1>Security Keys</h1><input placeholder='Email'><p>Please wait</p><script>Please</script>")

    assert [bool(FOREIGN.search(text)) for text in page.texts] == [True, True, True]
    assert [is_titled(text) for text in (*page.headings, "Sign in to Authweb", "Keep a Way")] == [True, False, True]
