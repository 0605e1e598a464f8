"""A person's whole main journey, with canaries in everything that is typed, pictured, mistyped and sealed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pyotp
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import Device, KeySlot, SlotKind, User
from accounts.vault.encoding import b64url
from accounts.vault.keys import DeviceCookie, plain
from tests import pictures
from tests.attacks import canaries
from tests.attacks.canaries import ISSUERS, NAMES, NOTES, SECRETS, base32
from tests.factories import Visitor

EMAIL, PASSWORD = "petra@example.org", "a password of petra's own"
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"}
WRONG_WORDS, OWN_WORDS = "abacus zoology kettle ladle granite lantern", "Walnuss Kanarienvogel Mitternacht"
OWN_MISTYPED = "Haselnuss Zeisig Mittagsruhe"
OUTPUT, OTHER_OUTPUT = (hashlib.sha256(b"canary, output %d" % number).digest() for number in range(2))
CREDENTIAL = b"petra's passkey"


@dataclass
class Life:
    """Who lived it: her browser, what it holds, and everything the server answered."""

    client: Client = field(default_factory=Client)
    seed: str = ""
    recovery_codes: list[str] = field(default_factory=list)
    answers: list[tuple[str, bytes]] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)  # What opens her list, and must stand nowhere.

    def elsewhere(self) -> Life:
        """The same life at another browser, where she signs in; what it answers and holds is kept together."""
        there = replace(self, client=Client(headers=FIREFOX))
        there.get("account_login")
        there.post("account_login", login=EMAIL, password=PASSWORD)
        return there

    def say_who(self) -> None:
        """Sign in once more, for what asks for a fresh sign-in."""
        self.get("account_reauthenticate")
        self.post("account_reauthenticate", password=PASSWORD)

    def keep_cookie(self, name: str) -> None:
        """The key of this browser must stand nowhere."""
        self.keys[f"key of {name}"] = DeviceCookie.from_text(self.device_cookie).key.reveal()

    def get(self, page: str, /, *args: Any, query: Mapping[str, str] | None = None) -> HttpResponse:
        """A page."""
        return self._kept(page, self.client.get(reverse(page, args=args), query or {}))

    def post(self, page: str, /, *args: Any, query: Mapping[str, str] | None = None, **data: Any) -> HttpResponse:
        """A form, sent."""
        return self._kept(page, self.client.post(reverse(page, args=args), data, query_params=query))

    def send(self, page: str, /, *args: Any, **data: Any) -> HttpResponse:
        """A form, opened first and sent with all that stood in it."""
        form = self.get(page, *args).context["form"]
        stood = {name: form[name].value() for name in form.fields}
        done = self.post(page, *args, **{name: value for name, value in {**stood, **data}.items() if value is not None})
        assert done.status_code in (302, 303), f"{page}: {done.context['form'].errors}"
        return done

    def _kept(self, name: str, answer: HttpResponse) -> HttpResponse:
        assert answer.status_code < 400, f"{name}: {answer.status_code}"
        self.answers.append((name, answer.content + str(dict(answer.headers)).encode()))
        return answer

    @property
    def device_cookie(self) -> str:
        """The key of her browser."""
        return next(str(cookie.value) for name, cookie in self.client.cookies.items() if "device-key" in name)

    def own(self) -> dict[str, bytes]:
        """What else must be in no dump: her browser's key, the seed of her second factor, recovery codes, password."""
        return {
            "device key": self.device_cookie.encode(),
            "seed": self.seed.encode(),
            "password": PASSWORD.encode(),
            **{f"recovery code {n}": code.encode() for n, code in enumerate(self.recovery_codes)},
        }


def link(number: int, *, issuer: int, name: int, type: str = "totp", more: str = "") -> str:
    """An otpauth link with canaries."""
    issuer_, name_ = (quote(value[key]) for value, key in ((ISSUERS, f"issuer {issuer}"), (NAMES, f"name {name}")))
    return f"otpauth://{type}/{issuer_}:{name_}?secret={base32(SECRETS[f'secret {number}'])}&issuer={issuer_}{more}"


def mailed_code() -> str:
    """The code in the newest mail."""
    found = re.search(r"^\s*([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found is not None, mail.outbox[-1].body
    return found[1]


def lived() -> Life:
    """Sign-up, set-up, every way of adding, every change, keys of every kind, second factor, signing in again."""
    life = Life()
    life.get("welcome")
    life.post("account_signup", email=EMAIL, password1=PASSWORD, password2=PASSWORD)
    life.post("account_email_verification_sent", code=mailed_code())
    life.send("accounts:start", name="Petra's phone", type="android")
    _add(life)
    _change(life)
    life.keep_cookie("the phone")
    _make_words(life)
    _approve(life)
    _type_words(life)
    _use_passkey(life)
    _remove_keys(life)
    _leave_and_stay(life)
    _second_factor(life)
    _sign_in_again(life)
    life.keys["key of the list"] = _key_of_list(life)
    life.get("accounts:list", query={"q": NAMES["name 0"].decode()})
    return life


def _add(life: Life) -> None:
    for way, data in (
        ("accounts:add-picture", {"pictures": _picture(link(0, issuer=0, name=0))}),
        ("accounts:add-link", {"link": link(1, issuer=1, name=1)}),
        ("accounts:add-hand", {"label": _label(2, 2), "secret": base32(SECRETS["secret 2"])}),
        ("accounts:add-link", {"link": link(3, issuer=3, name=3, type="hotp", more="&counter=7")}),
        ("accounts:add-picture", {"pictures": _picture(link(4, issuer=4, name=4), link(5, issuer=5, name=5))}),
    ):
        _confirmed(life, life.post(way, **data))
    # Mistakes: nothing of what was typed comes back, or is kept.
    for broken in (
        link(6, issuer=0, name=1).replace("totp", "topt"),
        f"otpauth://totp/{quote(NAMES['name 5'])}?secret={base32(SECRETS['secret 6'])}&digits=99",
        f"https://example.org/?secret={base32(SECRETS['secret 6'])}",
        link(1, issuer=1, name=1),
    ):
        life.post("accounts:add-link", link=broken)
    life.post("accounts:add-hand", label="", secret=base32(SECRETS["secret 6"]))
    life.post("accounts:add-hand", label=_label(0, 0), secret=f"{base32(SECRETS['secret 6'])}018!")
    life.post("accounts:add-picture", pictures=SimpleUploadedFile("a.png", base32(SECRETS["secret 6"]).encode()))
    # One that is read and never accepted.
    waiting = life.post("accounts:add-link", link=link(7, issuer=2, name=5))
    life.get("accounts:add-confirm", _last(waiting))


def _label(issuer: int, name: int) -> str:
    return f"{ISSUERS[f'issuer {issuer}'].decode()}: {NAMES[f'name {name}'].decode()}"


def _picture(*links: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("codes.png", pictures.of(*links), "image/png")


def _last(answer: HttpResponse) -> str:
    return answer.headers["Location"].rstrip("/").rpartition("/")[2]


def _confirmed(life: Life, answer: HttpResponse) -> None:
    done = life.send("accounts:add-confirm", _last(answer))
    if done.headers["Location"] == reverse("accounts:way-back"):  # The first account, and the fifth.
        life.get("accounts:way-back")
        done = life.post("accounts:way-back")
    assert done.headers["Location"].partition("#")[0] == reverse("accounts:list")


def _change(life: Life) -> None:
    rows = re.findall(r'data-id="([0-9a-f]{32})"', life.get("accounts:order").content.decode()) or re.findall(
        r'value="([0-9a-f]{32})"', life.get("accounts:order").content.decode()
    )
    ids = list(dict.fromkeys(rows))
    assert len(ids) == 6
    issuers, names, notes = (list(value.values()) for value in (ISSUERS, NAMES, NOTES))
    life.send("accounts:edit", ids[0], issuer=issuers[3].decode(), name=names[4].decode(), note=notes[0].decode())
    life.send("accounts:edit", ids[1], note=notes[1].decode())
    for entry_id in ids:
        life.get("accounts:account", entry_id)
    life.post("accounts:pin", ids[2], pinned="1")
    life.post("accounts:order", id=list(reversed(ids)))
    life.post("accounts:next-code", ids[3])
    life.post("accounts:next-code", ids[3])
    life.post("accounts:to-trash", ids[4])
    life.get("accounts:trash")
    life.post("accounts:put-back", ids[4])
    life.post("accounts:to-trash", ids[5])
    life.get("accounts:delete", ids[5])
    life.post("accounts:delete", ids[5])
    life.post("accounts:to-trash", ids[1])
    shown = life.get("accounts:list").content.decode()
    undo = re.search(r'action="/accounts/undo/(\d+)/"', shown)
    if undo:
        life.post("accounts:undo", undo[1])
    life.get("accounts:codes")
    life.get("accounts:activity")


# -- Keys -------------------------------------------------------------------------------------------------------------


def phrases(name: str, words: str | Sequence[str]) -> dict[str, bytes]:
    """Words as they may be written: as typed, each two neighbours, and all of them as they are stretched."""
    each = words.split() if isinstance(words, str) else list(words)
    pairs = list(zip(each, each[1:], strict=False))
    forms = [" ".join(each), plain(" ".join(each)), *(between.join(pair) for pair in pairs for between in (" ", ""))]
    return {f"{name} {number}": form.encode() for number, form in enumerate(forms)}


def _make_words(life: Life) -> None:
    """Shown, typed back wrongly and rightly; drawn once more, and left."""
    life.say_who()
    for name in ("six words", "waiting words"):
        life.get("accounts:keys")
        life.get("accounts:words-new")
        draft = _last(life.post("accounts:words-new"))
        drawn = life.get("accounts:words-confirm", draft).context["drawn"]
        life.keys |= phrases(name, drawn.words)
        if name == "six words":  # The others are left lying.
            first, second = (drawn.words[place - 1] for place in drawn.asked)
            life.post("accounts:words-confirm", draft, one=second, other=first)
            done = life.post("accounts:words-confirm", draft, one=first.upper(), other=f" {second}")
            assert done.headers["Location"] == reverse("accounts:keys")
            life.get("accounts:words-confirm", draft)
            six = drawn.words
    life.keys["six words, typed"] = "-".join(six).encode()


def _approve(life: Life) -> None:
    """Another browser asks, is refused, asks again, is approved after a mistake, and opens the list."""
    new = life.elsewhere()
    asked: tuple[list[dict[str, str] | None], ...] = ([{"answer": "refuse"}], [{"letters": "aaaabbbb"}, None])
    for ask, answers in enumerate(asked):
        new.get("accounts:open")
        new.post("accounts:open-approve", device_id=uuid4())
        shown = str(new.get("accounts:open-waiting").context["letters"])
        request = KeySlot.objects.get(vault__user__email=EMAIL, kind=SlotKind.APPROVAL).pk
        for number, form in enumerate((shown, f"{shown[:4]} {shown[4:]}", f"{shown[:4]}</span><span>{shown[4:]}")):
            life.keys[f"letters {ask} {number}"] = form.encode()
        life.get("accounts:devices")
        life.get("accounts:request", request)
        for answer in answers:
            life.post("accounts:request", request, **(answer or {"letters": f"{shown[:4]}-{shown[4:]}".lower()}))
            life.get("accounts:request", request)
        new.get("accounts:open-waiting")
        new.post("accounts:open-waiting")
    new.get("accounts:list")
    new.keep_cookie("the approved browser")


def _type_words(life: Life) -> None:
    """A third browser: a word that is none, other words, the right ones. Then words of one's own, in a fourth."""
    life.keys |= phrases("wrong words", WRONG_WORDS)
    third = life.elsewhere()
    third.get("accounts:open-words")
    six = life.keys["six words, typed"].decode()
    for typed in ("granite ladle marigld", WRONG_WORDS, six):
        answer = third.post("accounts:open-words", device_id=uuid4(), words=typed)
    assert answer.headers["Location"] == reverse("accounts:list")
    third.get("accounts:list")
    third.keep_cookie("the third browser")
    third.say_who()
    third.get("accounts:words-own")
    third.post("accounts:words-own", words=OWN_WORDS, again=OWN_MISTYPED)
    third.post("accounts:words-own", words=EMAIL, again=EMAIL)
    made = third.post("accounts:words-own", words=OWN_WORDS, again=OWN_WORDS)
    assert made.headers["Location"] == reverse("accounts:keys")
    life.keys |= phrases("own words", OWN_WORDS)
    life.keys |= phrases("mistyped own words", OWN_MISTYPED)
    fourth = life.elsewhere()
    for typed in (OWN_MISTYPED, OWN_WORDS):
        answer = fourth.post("accounts:open-words", query={"own": "1"}, device_id=uuid4(), words=typed)
    assert answer.headers["Location"] == reverse("accounts:list")
    fourth.keep_cookie("the fourth browser")


def _use_passkey(life: Life) -> None:
    """Added after a mistake, used in a fifth browser after another."""
    life.keys |= {"output of the passkey": OUTPUT, "another output": OTHER_OUTPUT}
    life.get("accounts:passkey-new")
    sent = {"name": "Keychain", "credential": b64url(CREDENTIAL), "first": b64url(OUTPUT)}
    for second in (OTHER_OUTPUT, OUTPUT):
        added = life.post("accounts:passkey-new", **sent, second=b64url(second))
    assert added.json() == {"location": reverse("accounts:keys")}
    fifth = life.elsewhere()
    fifth.get("accounts:open")
    for output in (OTHER_OUTPUT, OUTPUT):
        used = {"device_id": uuid4(), "credential": b64url(CREDENTIAL), "output": b64url(output)}
        opened = fifth.post("accounts:open-passkey", **used)
    assert opened.json() == {"location": reverse("accounts:list")}
    fifth.get("accounts:list")
    fifth.keep_cookie("the fifth browser")


def _remove_keys(life: Life) -> None:
    """The browser that was approved, the own words, the passkey."""
    slots = KeySlot.objects.filter(vault__user__email=EMAIL)
    device = Device.objects.filter(user__email=EMAIL).order_by("made_at")[1]
    life.get("accounts:device-remove", device.pk)
    life.post("accounts:device-remove", device.pk)
    for slot in slots.filter(kind__in=(SlotKind.WORDS, SlotKind.PASSKEY)):
        life.get("accounts:key-remove", slot.pk)
        life.post("accounts:key-remove", slot.pk)
    life.get("accounts:keys")
    life.get("accounts:devices")


def _leave_and_stay(life: Life) -> None:
    life.get("accounts:delete-account")
    life.post("accounts:delete-account", agreed="on")
    life.get("accounts:list")
    life.get("accounts:settings")
    life.post("accounts:delete-account-undo")
    life.get("accounts:list")
    assert User.objects.get(email=EMAIL).deletes_at is None


def _key_of_list(life: Life) -> bytes:
    cookie = DeviceCookie.from_text(life.device_cookie)
    device = Device.objects.select_related("user").get(pk=UUID(bytes=cookie.device))
    return Visitor(device.user, life.client, device, cookie).vault.key.reveal()


# -- Second factor ----------------------------------------------------------------------------------------------------


def _second_factor(life: Life) -> None:
    life.say_who()
    page = life.get("mfa_activate_totp")
    life.seed = str(page.context["form"].secret)
    life.post("mfa_activate_totp", code=pyotp.TOTP(life.seed).now())
    shown = life.get("mfa_view_recovery_codes")
    life.recovery_codes = list(shown.context["unused_codes"])
    assert len(life.recovery_codes) >= 8
    # Kept in the list too, where the recovery codes are shown once more, and demanded.
    own = life.post("accounts:add-link", link=f"otpauth://totp/Authweb:own?secret={life.seed}")
    life.get("accounts:add-confirm", _last(own))
    refused = life.post("accounts:add-confirm", _last(own), issuer="Authweb", name="own")
    assert refused.status_code == 200
    life.post("accounts:add-confirm", _last(own), issuer="Authweb", name="own", saved="on")
    life.get("mfa_view_recovery_codes")


def _sign_in_again(life: Life) -> None:
    """By a recovery code: the code of the hour was used a moment ago."""
    life.get("account_logout")
    life.post("account_logout")
    life.client.get(reverse("account_login"))
    wrong = life.client.post(reverse("account_login"), {"login": EMAIL, "password": f"{PASSWORD} mistyped"})
    assert wrong.status_code == 200
    life.post("account_login", login=EMAIL, password=PASSWORD)
    life.get("mfa_authenticate")
    life.post("mfa_authenticate", code=life.recovery_codes[0])
    assert life.get("accounts:list").status_code == 200


def as_visitor_sees() -> Mapping[str, bytes]:
    """Labels that stand in the list at the end."""
    return {**canaries.ISSUERS, **canaries.NAMES}
