"""The pages by which an account is added: each way in, each fault said and nothing lost, the yes and the no."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from time_machine import travel

from accounts.models import Draft, Event, User, VaultState
from accounts.services import policy, vaults
from accounts.services.activity import Tag
from accounts.services.policy import Act
from accounts.vault import otp
from accounts.vault.entry import Algorithm, Entry, Type
from accounts.vault.secret import Secret
from tests import factories, pictures
from tests.accounts.vault.formats import test_google as google
from tests.factories import SECRET, Visitor, an_entry, at_another_browser, create_entry, enrolled

KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
OTHER_KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
LINK = f"otpauth://totp/GitHub:alice?secret={KEY}&issuer=GitHub"
OTHER = f"otpauth://totp/GitLab:bob?secret={OTHER_KEY}&issuer=GitLab"
COUNTER = f"otpauth://hotp/Bank:alice?secret={KEY}&issuer=Bank&counter=5"
HAND = {"label": "GitHub: alice", "secret": KEY, "type": "totp", "digits": "6", "period": "30", "algorithm": "SHA1"}
WAYS = ("add", "add-other", "add-picture", "add-link", "add-hand")


def post(visitor: Visitor, name: str, data: dict[str, Any], *args: object) -> HttpResponse:
    return visitor.client.post(reverse(f"accounts:{name}", args=args), data)


def send_pictures(visitor: Visitor, *given: tuple[str, bytes], **data: str) -> HttpResponse:
    files = [SimpleUploadedFile(name, content) for name, content in given]
    return post(visitor, "add-picture", {"pictures": files, **data})


def by_link(visitor: Visitor, *links: str) -> str:
    """The address of the page that asks for the yes."""
    answer = post(visitor, "add-link", {"link": "\n".join(links)})
    assert answer.status_code == 303, answer.context["form"].errors
    return answer.headers["Location"]


def faults(answer: HttpResponse) -> dict[str, list[str]]:
    """The sentences of a form that came back."""
    assert answer.status_code == 200
    return {field: list(errors) for field, errors in answer.context["form"].errors.items()}


def text_of(answer: HttpResponse) -> str:
    """What a person reads in the middle of a page."""
    body = answer.content.decode().partition("<main")[2].partition("</main>")[0].partition(">")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def said(answer: HttpResponse) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def names(visitor: Visitor) -> list[tuple[str, str]]:
    return [(entry.issuer, entry.name) for entry in visitor.entries]


def finish(visitor: Visitor, address: str, **data: object) -> HttpResponse:
    """Press "Finish" on a page as it came."""
    page = visitor.client.get(address)
    form = page.context["form"]
    filled = {name: form[name].value() for name in form.fields}
    return visitor.client.post(address, {**filled, **data})


@pytest.fixture
def laptop(db: None) -> Visitor:
    return enrolled("alice@example.org", name="Alice's laptop", type="computer")


@pytest.fixture
def refusing() -> Iterator[None]:
    @factories.rule
    def rule(user: object, act: Act, entry: Entry) -> None:
        if "blocked" in entry.name:
            raise policy.Refused("Codes for this domain may not be kept here.")

    policy.RULES.append(rule)
    yield
    policy.RULES.remove(rule)


# -- Who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*WAYS, "add-confirm"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_a_browser_with_the_key_gets_in(
    name: str, method: str, alice_phone: Visitor, mallory_removed: Visitor, alice_elsewhere: Visitor
) -> None:
    address = reverse(f"accounts:{name}", args=[uuid4()] if name == "add-confirm" else [])
    safe_only = method == "post" and name in ("add", "add-other")

    for visitor in (alice_elsewhere, mallory_removed):
        answer = getattr(visitor.client, method)(address)
        if safe_only:
            assert answer.status_code == 405
        else:
            assert answer.headers["Location"] == reverse("accounts:open")
    answer = getattr(Client(), method)(address)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("account_login"))


def test_nothing_changes_on_a_get(alice_phone: Visitor) -> None:
    address = by_link(alice_phone, LINK)
    before = (VaultState.objects.count(), Draft.objects.count(), Event.objects.count())

    for asked in (
        *[reverse(f"accounts:{name}") for name in WAYS],
        address,
        f"{address}?cancel=1",
        f"{address}?renew=1",
    ):
        alice_phone.client.get(asked)

    assert (VaultState.objects.count(), Draft.objects.count(), Event.objects.count()) == before


# -- The ways ---------------------------------------------------------------------------------------------------------


def test_add_account_leads_to_the_ways_where_there_is_one_family(alice_phone: Visitor, settings: Any) -> None:
    settings.WAYS = {}
    answer = alice_phone.client.get(reverse("accounts:add"))

    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("accounts:add-other"))


def test_on_a_phone_taking_a_picture_leads(alice_phone: Visitor) -> None:
    page = alice_phone.client.get(reverse("accounts:add-other"))

    fields = re.findall(r'<input type="file" [^>]*id="id_pictures"[^>]*>', page.content.decode())
    assert len(fields) == 1
    assert 'accept="image/*"' in fields[0]
    assert 'capture="environment"' in fields[0]
    assert " multiple" not in fields[0]
    assert "With the camera" in text_of(page)
    assert "OR ENTER CODE MANUALLY" in text_of(page)


def test_on_a_computer_choosing_a_picture_leads(laptop: Visitor) -> None:
    page = laptop.client.get(reverse("accounts:add-other"))

    fields = re.findall(r'<input type="file" [^>]*id="id_pictures"[^>]*>', page.content.decode())
    assert len(fields) == 1
    assert " multiple" in fields[0]
    assert "capture" not in fields[0]
    assert "camera" not in text_of(page)


@pytest.mark.parametrize("way", ["picture", "link", "hand"])
def test_each_way_has_a_page_on_which_it_leads(way: str, alice_phone: Visitor) -> None:
    page = alice_phone.client.get(reverse(f"accounts:add-{way}"))

    assert page.context["way"] == way
    others = {"picture", "link", "hand", "other"} - {way}
    links = set(re.findall(r'<a class="cell" href="/accounts/add/(\w+)/"', page.content.decode()))
    assert links == others


def test_the_key_field_is_not_remembered_by_the_browser(alice_phone: Visitor) -> None:
    content = alice_phone.client.get(reverse("accounts:add-hand")).content.decode()

    (field,) = re.findall(r'<input [^>]*name="secret"[^>]*>', content)
    assert {'autocomplete="off"', 'spellcheck="false"', 'autocapitalize="none"'} <= set(field.split())


def test_a_picture_leads_to_the_list(alice_phone: Visitor) -> None:
    User.objects.update(way_back_asked=1)
    answer = send_pictures(alice_phone, ("qr.png", pictures.of(LINK)), way="take")

    assert answer.status_code == 303
    assert re.fullmatch(r"/accounts/add/[0-9a-f-]{36}/", answer.headers["Location"])
    done = finish(alice_phone, answer.headers["Location"])
    listed = f"{reverse('accounts:list')}#account-{alice_phone.entries[0].id}"
    assert (done.status_code, done.headers["Location"]) == (303, listed)
    assert said(done) == ["Added."]
    assert names(alice_phone) == [("GitHub", "alice")]
    assert alice_phone.entries[0].secret == Secret(SECRET)


@pytest.mark.parametrize("label", ["GitHub:alice", "GitHub: alice", "alice"])
def test_hand_leads_to_the_list(label: str, alice_phone: Visitor) -> None:
    typed = {**HAND, "label": label, "secret": "gezd gnbv-gy3t qojq GEZD GNBV GY3T QOJQ=="}

    finish(alice_phone, post(alice_phone, "add-hand", typed).headers["Location"])

    assert names(alice_phone) == [("GitHub", "alice") if ":" in label else ("", "alice")]
    assert alice_phone.entries[0].secret == Secret(SECRET)


def test_hand_takes_everything_under_more(alice_phone: Visitor) -> None:
    typed = {**HAND, "type": "hotp", "digits": "8", "algorithm": "SHA512", "counter": "41"}

    finish(alice_phone, post(alice_phone, "add-hand", typed).headers["Location"])

    (entry,) = alice_phone.entries
    assert (entry.type, entry.digits, entry.algorithm, entry.counter) == (Type.HOTP, 8, Algorithm.SHA512, 42)


def test_hand_takes_a_key_and_a_name_alone(alice_phone: Visitor) -> None:
    finish(alice_phone, post(alice_phone, "add-hand", {"label": "a", "secret": KEY}).headers["Location"])

    assert alice_phone.entries[0].settings == an_entry().settings


def test_a_link_typed_in_place_of_the_key_is_taken_as_a_link(alice_phone: Visitor) -> None:
    answer = post(alice_phone, "add-hand", {**HAND, "secret": f" {OTHER}"})

    finish(alice_phone, answer.headers["Location"])

    assert names(alice_phone) == [("GitLab", "bob")]


@pytest.mark.article("S-38")
def test_sixty_seconds_stay_sixty_seconds(alice_phone: Visitor) -> None:
    address = by_link(alice_phone, f"{LINK}&period=60&digits=8")

    page = alice_phone.client.get(address)

    assert "8 digits, new every 60 seconds." in text_of(page)
    finish(alice_phone, address)
    assert (alice_phone.entries[0].period, alice_phone.entries[0].digits) == (60, 8)


# -- What bad input gets ----------------------------------------------------------------------------------------------

_NONE = "No QR code was found in this picture. Take it again, straight and near, with the whole code in it."
_NOT = "This is no picture that can be read. Take a PNG, JPEG, WebP or GIF."
BAD_PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "without a code": (pictures.without_code, _NONE),
    "with other text": (
        lambda: pictures.of("https://example.org/"),
        "This QR code holds other text. Take the one that the site shows for an authenticator app.",
    ),
    "of Microsoft's own app": (
        lambda: pictures.of("phonefactor://activate_account?code=123456789"),
        "This code is for approvals in Microsoft's own app. At the site choose a different authenticator app and scan "
        "the code shown there.",
    ),
    "without a key": (
        lambda: pictures.of("otpauth://totp/GitHub:alice"),
        "There is no secret key in this QR code. Take the one the site shows anew.",
    ),
    "a bomb": (
        lambda: pictures.bomb(13_000, 13_000),
        "This picture has 13,000 × 13,000 pixels; 4,096 on a side are allowed. Cut it down to the QR code.",
    ),
    "20 MB": (
        lambda: pictures.without_code() + bytes(20_000_000),
        "This picture has 19.1 MiB; 8 MiB are allowed. Cut it down to the QR code.",
    ),
    "text": (lambda: b"This is text, whatever its name says.", _NOT),
    "nothing": (lambda: b"", _NOT),
    "half of one": (lambda: pictures.of(LINK)[:200], _NOT),
    "that moves": (
        lambda: pictures.animated(LINK),
        "This picture moves. Take one that stands still, such as a screenshot.",
    ),
}


@pytest.mark.parametrize("kind", BAD_PICTURES)
@pytest.mark.parametrize("way", ["take", "picture"])
def test_a_bad_picture_is_refused_by_name_and_nothing_is_kept(kind: str, way: str, alice_phone: Visitor) -> None:
    make, sentence = BAD_PICTURES[kind]

    answer = send_pictures(alice_phone, ("picture.png", make()), way=way)

    assert faults(answer) == {"pictures": [sentence]}
    assert answer.context["way"] == way
    assert (alice_phone.entries, Draft.objects.count()) == ((), 0)
    assert f"Picture{'s' if way == 'picture' else ''} of" in text_of(answer)


def test_a_file_of_twenty_megabytes_alone_is_said_by_its_size(alice_phone: Visitor) -> None:
    answer = send_pictures(alice_phone, ("film.png", bytes(20_000_000)))

    assert faults(answer) == {"pictures": ["This picture has 19.1 MiB; 8 MiB are allowed. Cut it down to the QR code."]}


def test_several_bad_pictures_are_told_one_by_one(alice_phone: Visitor) -> None:
    answer = send_pictures(alice_phone, ("one.png", pictures.without_code()), ("two.png", b"text"))

    assert faults(answer) == {"pictures": [f"one.png: {_NONE}", f"two.png: {_NOT}"]}


def test_no_picture_is_said(alice_phone: Visitor) -> None:
    assert faults(post(alice_phone, "add-picture", {})) == {"pictures": ["No picture was chosen. Choose one."]}
    assert faults(post(alice_phone, "add-picture", {"way": "take"})) == {
        "pictures": ["No picture was taken. Take one."]
    }


def test_too_many_pictures_are_refused_with_the_figure(alice_phone: Visitor) -> None:
    answer = send_pictures(alice_phone, *[(f"{number}.png", b"x") for number in range(21)])

    assert faults(answer) == {"pictures": ["These are 21 pictures; 20 at once are allowed. Add them in several goes."]}


def test_pictures_too_large_together_are_refused_with_the_figure(alice_phone: Visitor) -> None:
    answer = send_pictures(alice_phone, *[(f"{number}.png", bytes(9_000_000)) for number in range(5)])

    assert faults(answer) == {
        "pictures": ["These pictures are too large together; 40 MiB at once are allowed. Add them in several goes."]
    }


BAD_LINKS = {
    "hello": "No link in it begins with otpauth:// . A key without a link goes under “Enter code manually”.",
    "otpauth://totp/GitHub:alice": "The secret key is missing. Copy it from the site, whole.",
    f"otpauth://totp/GitHub:alice?secret={KEY}&digits=0": (
        "A code of 0 digits cannot be made; 5 to 10 can. Correct the number."
    ),
    f"otpauth://totp/GitHub:alice?secret={KEY}&period=0": (
        "A code that is new every 0 seconds cannot be made; 1 to 86,400 seconds can. Correct the number."
    ),
    "otpauth://totp/GitHub:alice?secret=GEZD1NBV": (
        "The key has a letter that cannot be there: 1. A key has the letters A to Z and the digits 2 to 7."
    ),
    f"otpauth://totp/{'x' * 1_000_000}?secret={KEY}": (
        "This link has 1,000,055 bytes; 4,096 are allowed. Copy the link alone."
    ),
    f"otpauth://totp/GitHub:al%07ice?secret={KEY}": ("There is a character in it that cannot be shown. Type it anew."),
    f"otpauth://totp/GitHub:al\u202eice?secret={KEY}": (
        "There is a character in it that cannot be shown. Type it anew."
    ),
    f"otpauth://xotp/GitHub:alice?secret={KEY}": (
        "Type xotp is not known. Codes by time, by counter, and Steam's are taken."
    ),
    f"otpauth://totp/GitHub:alice?secret={KEY}&algorithm=MD5": (
        "The hash MD5 is not taken. SHA-1, SHA-256 and SHA-512 are; ask the site for one of them."
    ),
    "phonefactor://activate_account?code=1": (
        "This code is for approvals in Microsoft's own app. At the site choose a different authenticator app and scan "
        "the code shown there."
    ),
    "otpauth-migration://offline?data=%25": "This part of an export is not whole. Scan or copy it again.",
}


@pytest.mark.parametrize("link", BAD_LINKS, ids=range(len(BAD_LINKS)))
def test_a_bad_link_is_refused_by_name_and_not_repeated(link: str, alice_phone: Visitor) -> None:
    answer = post(alice_phone, "add-link", {"link": link})

    assert faults(answer) == {"link": [BAD_LINKS[link]]}
    assert (alice_phone.entries, Draft.objects.count()) == ((), 0)
    assert KEY not in answer.content.decode()
    assert "GEZD1NBV" not in answer.content.decode()


def test_no_link_is_said(alice_phone: Visitor) -> None:
    assert faults(post(alice_phone, "add-link", {"link": " \n "})) == {
        "link": ["No link was typed. Copy it from the site."]
    }


def test_several_bad_links_are_told_by_line_and_no_more_than_ten(alice_phone: Visitor) -> None:
    answer = post(alice_phone, "add-link", {"link": "\n".join(["otpauth://totp/a"] * 13)})

    (told,) = faults(answer).values()
    missing = "The secret key is missing. Copy it from the site, whole."
    assert told == [*(f"Line {line}: {missing}" for line in range(1, 11)), "3 more could not be read."]


BAD_HANDS: dict[str, tuple[dict[str, str], dict[str, list[str]]]] = {
    "letter": (
        {"secret": "GEZD1NBV"},
        {
            "secret": [
                "The key has a letter that cannot be there: 1. A key has the letters A to Z and the digits 2 to 7."
            ]
        },
    ),
    "no key": ({"secret": " "}, {"secret": ["The secret key is missing. Copy it from the site, whole."]}),
    "no key but dashes": ({"secret": "--"}, {"secret": ["The secret key is missing. Copy it from the site, whole."]}),
    "no name": ({"label": ""}, {"label": ["The name is missing. Write the site, or the account, or both."]}),
    "long name": (
        {"label": "x" * 300},
        {"label": ["The account name has 300 characters; 256 are allowed. Write a shorter one."]},
    ),
    "control": ({"label": "a\u202eb"}, {"label": ["There is a character in it that cannot be shown. Type it anew."]}),
    "digits 0": ({"digits": "0"}, {"digits": ["A code of 0 digits cannot be made; 5 to 10 can. Correct the number."]}),
    "digits x": ({"digits": "six"}, {"digits": ["Write a whole number from 5 to 10."]}),
    "period 0": (
        {"period": "0"},
        {"period": ["A code that is new every 0 seconds cannot be made; 1 to 86,400 seconds can. Correct the number."]},
    ),
    "counter": (
        {"type": "hotp", "counter": "-1"},
        {"counter": ["-1 is no counter. A counter is a whole number, 0 or more. Correct it."]},
    ),
    "counter beside time": (
        {"counter": "7"},
        {"counter": ["A counter goes with the kind “By counter”. Choose that, or empty this field."]},
    ),
    "long key": (
        {"secret": "A" * 2000},
        {"secret": ["The key has 1,250 bytes; 640 are allowed. Copy the key alone."]},
    ),
}


@pytest.mark.parametrize("kind", BAD_HANDS)
def test_after_a_fault_all_that_was_typed_stays_but_the_key(kind: str, alice_phone: Visitor) -> None:
    changed, expected = BAD_HANDS[kind]
    typed = {**HAND, **changed}

    answer = post(alice_phone, "add-hand", typed)

    assert faults(answer) == expected
    content = answer.content.decode()
    assert not re.search(r'<input [^>]*name="secret"[^>]*value=', content)
    assert typed["secret"].strip("- ") == "" or typed["secret"] not in content
    for name in ("label", "digits", "period"):
        (field,) = re.findall(rf'<input [^>]*name="{name}"[^>]*>', content)
        assert typed[name] == "" or f'value="{html.escape(typed[name])}"' in field
    assert "Type the key again; it is never shown a second time." in text_of(answer)
    assert (alice_phone.entries, Draft.objects.count()) == ((), 0)


def test_the_fields_under_more_stand_open_when_one_is_at_fault(alice_phone: Visitor) -> None:
    fresh = alice_phone.client.get(reverse("accounts:add-hand"))
    at_fault = post(alice_phone, "add-hand", {**HAND, "digits": "0"})
    elsewhere = post(alice_phone, "add-hand", {**HAND, "secret": "1"})

    assert ["<details open>" in page.content.decode() for page in (fresh, at_fault, elsewhere)] == [False, True, False]


@pytest.mark.article("G-30")
def test_the_account_beyond_the_cap_is_refused_with_the_figures(alice_phone: Visitor) -> None:
    entries = [an_entry(name=f"n{number}") for number in range(2000)]
    vaults.change(alice_phone.vault, lambda a: a.add_many(entries), tag=Tag.ENTRY_ADDED, at=timezone.now())
    one = (
        "Your list holds 2,000 of 2,000 accounts, Trash included; there is no room for one more. "
        "Delete some that you no longer need, in Trash too."
    )
    several = (
        "Your list holds 2,000 of 2,000 accounts; this file has 2. Delete some that you no longer need, in Trash too."
    )

    assert faults(post(alice_phone, "add-link", {"link": LINK})) == {"link": [one]}
    assert faults(post(alice_phone, "add-hand", HAND)) == {"label": [one]}
    assert faults(send_pictures(alice_phone, ("qr.png", pictures.of(LINK)))) == {"pictures": [one]}
    assert faults(post(alice_phone, "add-link", {"link": f"{LINK}\n{OTHER}"})) == {"link": [several]}
    assert len(alice_phone.entries) == 2000


def test_part_of_an_export_is_said_to_be_one(alice_phone: Visitor) -> None:
    part = google.link(google.message(google.account(name="bob"), google.account(name="eve"), size=3, index=1))

    address = send_pictures(alice_phone, ("part.png", pictures.of(part))).headers["Location"]

    page = alice_phone.client.get(address)
    assert page.context["problems"] == [
        ("Number 1", "1 of 3 read, numbers 1 and 3 are missing. Add those QR codes too, or go on without them.")
    ]
    assert "1 of 3 read, numbers 1 and 3 are missing." in text_of(page)
    finish(alice_phone, address)
    assert names(alice_phone) == [("GitHub", "bob"), ("GitHub", "eve")]


def test_a_rule_refuses_in_its_own_words(alice_phone: Visitor, refusing: None) -> None:
    blocked = LINK.replace("alice", "blocked")
    sentence = "Codes for this domain may not be kept here."

    assert faults(post(alice_phone, "add-link", {"link": blocked})) == {"link": [sentence]}
    assert faults(post(alice_phone, "add-hand", {**HAND, "label": "blocked"})) == {"label": [sentence]}
    assert faults(send_pictures(alice_phone, ("qr.png", pictures.of(blocked)))) == {"pictures": [sentence]}
    address = by_link(alice_phone, LINK)
    assert faults(finish(alice_phone, address, name="blocked")) == {"name": [sentence]}
    assert alice_phone.entries == ()


# -- The page of the yes ----------------------------------------------------------------------------------------------


@pytest.mark.article("S-38")
def test_the_first_code_stands_on_the_page_and_no_key(alice_phone: Visitor) -> None:
    address = by_link(alice_phone, LINK)

    with travel(1_700_000_010, tick=False):
        page = alice_phone.client.get(address)

    code = otp.Totp(Secret(SECRET)).at(1_700_000_010)
    content = page.content.decode()
    (card,) = re.findall(r'<div class="account-code"[^>]*>', content)
    assert f'data-step="{1_700_000_010 // 30}"' in card
    assert f'data-codes="{code}' in card
    assert f'<p class="code code-large" data-code role="img" aria-label="{" ".join(code)}">' in content
    assert "Check this code at the site now." in text_of(page)
    assert "Ends at 22:14:00 UTC." in text_of(page)
    assert not re.search(KEY, content + str(page.headers), re.IGNORECASE)
    assert page.headers["Cache-Control"] == "no-store"


def test_no_secret_is_in_an_address_a_session_or_a_message(alice_phone: Visitor) -> None:
    answer = post(alice_phone, "add-link", {"link": LINK})
    alice_phone.client.get(answer.headers["Location"])
    finish(alice_phone, answer.headers["Location"])

    sessions = [session.get_decoded() for session in Session.objects.all()]
    for hidden in (KEY, "GitHub", "alice?", "otpauth"):
        assert hidden not in repr(sessions)
        assert hidden not in answer.headers["Location"]


def test_site_and_name_may_be_changed(alice_phone: Visitor) -> None:
    finish(alice_phone, by_link(alice_phone, LINK), issuer="Work", name="me")

    assert names(alice_phone) == [("Work", "me")]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"issuer": "", "name": ""}, {"name": ["The name is missing. Write the site, or the account, or both."]}),
        (
            {"issuer": "x" * 257},
            {"issuer": ["The name of the site has 257 characters; 256 are allowed. Write a shorter one."]},
        ),
        ({"issuer": "a\u202eb"}, {"issuer": ["There is a character in it that cannot be shown. Type it anew."]}),
        ({"name": "a\u202eb"}, {"name": ["There is a character in it that cannot be shown. Type it anew."]}),
    ],
)
def test_a_name_that_cannot_be_comes_back_with_its_fault(
    typed: dict[str, str], expected: dict[str, list[str]], alice_phone: Visitor
) -> None:
    address = by_link(alice_phone, LINK)

    answer = finish(alice_phone, address, **typed)

    assert faults(answer) == expected
    assert alice_phone.entries == ()
    finish(alice_phone, address)
    assert names(alice_phone) == [("GitHub", "alice")]


def test_a_second_account_of_one_name_shows_both_and_keeps_both(alice_phone: Visitor) -> None:
    listed = create_entry(on=alice_phone, issuer="GitHub", name="alice", secret=Secret(b"another key of this name"))
    address = by_link(alice_phone, LINK)

    page = alice_phone.client.get(address)

    assert page.context["form"]["keep"].value() == "both"
    assert reverse("accounts:account", args=[listed.id]) in page.content.decode()
    assert "Nothing is overwritten." in text_of(page)
    finish(alice_phone, address)
    assert names(alice_phone) == [("GitHub", "alice"), ("GitHub", "alice")]
    assert alice_phone.entries[0] == listed


def test_the_new_one_of_two_may_be_left_out(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice", secret=Secret(b"another key of this name"))

    done = finish(alice_phone, by_link(alice_phone, LINK), keep="leave")

    assert (done.headers["Location"], said(done)) == (reverse("accounts:list"), ["Nothing was added."])
    assert (len(alice_phone.entries), Draft.objects.count()) == (1, 0)


def test_the_same_account_is_said_with_a_link_to_it(alice_phone: Visitor) -> None:
    listed = create_entry(on=alice_phone, issuer="GitHub", name="alice")
    address = by_link(alice_phone, LINK)

    page = alice_phone.client.get(address)

    assert text_of(page).startswith("Already in your list")
    assert reverse("accounts:account", args=[listed.id]) in page.content.decode()
    assert "data-codes" not in page.content.decode()
    assert faults(alice_phone.client.post(address, {"issuer": "GitHub", "name": "alice"})) == {
        "name": ["Already in your list."]
    }
    assert alice_phone.entries == (listed,)


def test_a_name_that_makes_it_the_same_as_another_is_refused(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, issuer="Renamed", name="me")
    address = by_link(alice_phone, LINK)

    assert "An account in your list has this same key: Renamed me" in text_of(alice_phone.client.get(address))
    assert faults(finish(alice_phone, address, issuer="renamed", name="ME")) == {"name": ["Already in your list."]}


def test_several_accounts_are_ticked_one_by_one(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, issuer="GitLab", name="bob", secret=Secret(b"another key of this name"))
    create_entry(on=alice_phone, issuer="Bank", name="carol")
    same = f"otpauth://totp/Bank:carol?secret={KEY}"
    address = by_link(alice_phone, LINK, OTHER, same, COUNTER)

    page = alice_phone.client.get(address)

    boxes = re.findall(r'<input type="checkbox" name="chosen" value="(\w+)"( checked)?>', page.content.decode())
    assert [ticked for _, ticked in boxes] == [" checked"] * 3
    read = text_of(page)
    assert "4 accounts were read. Those with a tick are added." in read
    assert read.count("Already in your list") == 1
    assert read.count("Same name, different key: with the tick you keep both") == 1
    assert read.count("seconds") == 0
    assert read.count("6 digits, by counter. It stands at 5.") == 1
    assert "data-codes" not in page.content.decode()
    done = alice_phone.client.post(address, {"chosen": [boxes[0][0], boxes[1][0]]})
    assert said(done) == ["2 added."]
    assert names(alice_phone) == [("GitLab", "bob"), ("Bank", "carol"), ("GitHub", "alice"), ("GitLab", "bob")]


def test_no_tick_at_all_is_said(alice_phone: Visitor) -> None:
    address = by_link(alice_phone, LINK, OTHER)

    answer = alice_phone.client.post(address, {})

    assert faults(answer) == {"chosen": ["No account is ticked. Tick one, or cancel."]}
    assert " checked" not in answer.content.decode()


def test_another_id_than_those_that_wait_adds_nothing(alice_phone: Visitor) -> None:
    listed = create_entry(on=alice_phone)
    address = by_link(alice_phone, LINK, OTHER)

    answer = alice_phone.client.post(address, {"chosen": [listed.id]})

    assert list(faults(answer)) == ["chosen"]
    assert alice_phone.entries == (listed,)


def test_all_in_the_list_already_leaves_nothing_to_finish(alice_phone: Visitor) -> None:
    finish(alice_phone, by_link(alice_phone, LINK, OTHER))

    page = alice_phone.client.get(by_link(alice_phone, LINK, OTHER))

    assert "All of these are in your list already. Nothing is added." in text_of(page)
    assert "Finish" not in text_of(page)


def test_notes_of_all_are_said_once(alice_phone: Visitor) -> None:
    export = google.link(google.message(*(google.account(name=f"person {number}") for number in range(3))))

    page = alice_phone.client.get(by_link(alice_phone, export))

    assert text_of(page).count("This format has no period; 30 seconds assumed. Check the first code.") == 1


def test_a_line_that_could_not_be_read_is_told_beside_the_others(alice_phone: Visitor) -> None:
    page = alice_phone.client.get(by_link(alice_phone, LINK, "otpauth://totp/a", OTHER))

    assert page.context["problems"] == [("Line 2", "The secret key is missing. Copy it from the site, whole.")]
    assert "One could not be read: Line 2 : The secret key is missing." in text_of(page)


def test_a_counter_shows_its_code_once_for_all(alice_phone: Visitor) -> None:
    address = by_link(alice_phone, COUNTER)

    page = alice_phone.client.get(address)

    shown = otp.Hotp(Secret(SECRET)).at(5)
    assert f'data-copy="{shown}"' in page.content.decode()
    assert "6 digits, by counter. It stands at 5." in text_of(page)
    finish(alice_phone, address)
    (entry,) = alice_phone.entries
    answer = post(alice_phone, "next-code", {}, entry.id)
    assert otp.Hotp(Secret(SECRET)).at(6) in answer.content.decode()
    assert shown not in answer.content.decode()


def test_hostile_names_are_text(alice_phone: Visitor) -> None:
    address = by_link(alice_phone, f"otpauth://totp/%3Cscript%3Ealert(1)%3C%2Fscript%3E?secret={KEY}")

    for answer in (alice_phone.client.get(address), finish(alice_phone, address, name="")):
        assert "<script>alert(1)" not in answer.content.decode()


# -- No, too late, twice ----------------------------------------------------------------------------------------------


def test_cancel_drops_what_was_read(alice_phone: Visitor) -> None:
    answer = alice_phone.client.post(by_link(alice_phone, LINK), {"cancel": "1"})

    assert answer.headers["Location"] == reverse("accounts:list")
    assert (alice_phone.entries, Draft.objects.count(), said(answer)) == ((), 0, [])


def test_finish_pressed_twice_adds_one_account(alice_phone: Visitor) -> None:
    User.objects.update(way_back_asked=1)
    address = by_link(alice_phone, LINK)
    answers = [alice_phone.client.post(address, {"issuer": "GitHub", "name": "alice"}) for _ in range(2)]
    answers.append(alice_phone.client.get(address))

    assert [answer.headers["Location"].partition("#")[0] for answer in answers] == [reverse("accounts:list")] * 3
    assert names(alice_phone) == [("GitHub", "alice")]
    assert Event.objects.filter(tag=Tag.ENTRY_ADDED).count() == 1


def test_what_waited_too_long_is_said_with_a_way_to_begin_again(alice_phone: Visitor) -> None:
    address = by_link(alice_phone, LINK)

    with travel(timezone.now() + timedelta(minutes=16)):
        answers = [alice_phone.client.get(address), alice_phone.client.post(address, {"name": "a"})]
        answers += [alice_phone.client.post(address, {"renew": "1"})]

    for answer in answers:
        assert answer.status_code == 404
        assert "What was read is kept for 15 minutes, sealed, and not longer. Nothing was added." in text_of(answer)
        assert re.findall(r'<a class="button button-main" href="([^"]*)"', answer.content.decode()) == [
            reverse("accounts:add-other")
        ]
    assert alice_phone.entries == ()


def test_what_waits_can_be_kept_for_another_quarter_of_an_hour(alice_phone: Visitor) -> None:
    address = by_link(alice_phone, LINK)

    with travel(timezone.now() + timedelta(minutes=14)):
        answer = alice_phone.client.post(address, {"renew": "1"})
    with travel(timezone.now() + timedelta(minutes=28)):
        finish(alice_phone, answer.headers["Location"])

    assert answer.headers["Location"] != address
    assert names(alice_phone) == [("GitHub", "alice")]


def test_what_waits_for_another_person_or_device_looks_like_nothing_at_all(alice_phone: Visitor, bob: Visitor) -> None:
    address = by_link(alice_phone, LINK)
    nowhere = bob.client.get(reverse("accounts:add-confirm", args=[uuid4()]))

    for method, data in (("get", {}), ("post", {"issuer": "a", "name": "b"}), ("post", {"cancel": "1"})):
        answer = getattr(bob.client, method)(address, data)
        if "cancel" in data:
            assert answer.headers["Location"] == reverse("accounts:list")
            continue
        assert answer.status_code == nowhere.status_code == 404
        assert text_of(answer) == text_of(nowhere)
    elsewhere = at_another_browser(alice_phone).client.get(address)
    assert elsewhere.headers["Location"] == reverse("accounts:open")
    assert (bob.entries, Draft.objects.count()) == ((), 1)


def test_pages_ask_the_same_number_of_queries_however_many_accounts(
    alice_phone: Visitor, queries: Callable[[Callable[[], object]], int]
) -> None:
    counts = []
    for number in (1, 3):
        address = by_link(alice_phone, *[f"otpauth://totp/a{number}{place}?secret={KEY}" for place in range(number)])
        alice_phone.client.get(address)
        counts.append(queries(lambda address=address: alice_phone.client.get(address)))
        finish(alice_phone, address)

    assert counts[0] == counts[1] <= 4
