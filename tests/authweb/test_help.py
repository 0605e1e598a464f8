"""The help: read by anybody, found by words, true of this server, and never failing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone

from accounts.services import activity
from accounts.services.activity import Tag
from authweb import checks, help_pages
from authweb.help_pages import TOPICS
from authweb.templatetags import help as tags
from tests import factories
from tests.factories import Visitor
from tests.pages import main, plain, text

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"
ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36"
COMPUTER = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
IN_GERMAN = {"Accept-Language": "de"}

every_topic = pytest.mark.parametrize("slug", [topic.slug for topic in TOPICS])


def read(slug: str = "", /, client: Client | None = None, *, on: str = COMPUTER, **asked: str) -> HttpResponse:
    """A page of the help as a stranger gets it, or the first one."""
    address = reverse("help-page", args=[slug]) if slug else reverse("help")
    return (client or Client()).get(address, asked, headers={"User-Agent": on})


def headings(answer: HttpResponse, level: str = "h2") -> list[str]:
    """The headings of a level, as they are read."""
    return [plain(found) for found in re.findall(rf"<{level}[^>]*>(.*?)</{level}>", main(answer), re.DOTALL)]


def titles(answer: HttpResponse) -> list[str]:
    """What the cells of a page are called, in order."""
    return [plain(found) for found in re.findall(r'"cell-title">(.*?)</span>', main(answer), re.DOTALL)]


def steps(answer: HttpResponse, type: str) -> list[str]:
    """The steps for a type of device."""
    of_type = main(answer).partition(f'id="{type}"')[2].partition("</ol>")[0]
    return [plain(step) for step in re.findall(r"<li>(.*?)</li>", of_type, re.DOTALL)]


# -- By anybody -------------------------------------------------------------------------------------------------------


# Without the fixture of a database each question to one is an error.
@every_topic
def test_page_answers_without_a_database_whatever_cookies_come(slug: str) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32
    client.cookies[settings.DEVICE_COOKIE_NAME.format(person="abcdefgh")] = "A" * 66

    signed_out, signed_in = read(slug), read(slug, client)

    assert [(answer.status_code, answer.cookies.output()) for answer in (signed_out, signed_in)] == [(200, "")] * 2
    assert main(signed_out) == main(signed_in)
    assert "top" in re.findall(r'<div class="(\w+)"', signed_in.content.decode())


def test_search_and_what_is_not_there_answer_without_a_database() -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32

    answers = [read("", client, q="back up"), client.get("/help"), client.get("/help/nothing/"), client.post("/help/")]

    assert [answer.status_code for answer in answers] == [200, 301, 404, 405]


def test_help_asks_nothing_and_leaves_session_and_message_to_the_next_page(alice_phone: Visitor, queries: Any) -> None:
    alice_phone.client.post(reverse("accounts:settings-codes"), {})  # Leaves "Saved." for the next page.

    asked = queries(lambda: [read(slug, alice_phone.client) for slug in ("", *help_pages.BY_SLUG)])
    after = alice_phone.client.get(reverse("accounts:settings"))

    assert asked == 0
    assert "Saved." in after.content.decode()


def test_language_a_person_chose_is_that_of_the_help(alice_phone: Visitor) -> None:
    alice_phone.user.language = "de"
    alice_phone.user.save()
    alice_phone.client.get(reverse("accounts:settings"))

    answer = read("restore", alice_phone.client)

    assert answer.headers["Content-Language"] == "de"
    assert read("restore").headers["Content-Language"] == "en"


# -- What it says -----------------------------------------------------------------------------------------------------


@pytest.mark.article("S-01")
def test_group_of_settings_and_a_search_lead_to_the_page_of_the_same_heading(alice_phone: Visitor) -> None:
    group = alice_phone.client.get(reverse("accounts:settings")).content.decode().partition('id="backup"')[2]
    link = re.search(rf'href="{reverse("help-page", args=["back-up"])}".*?"cell-title">([^<]*)<', group)

    found = read(q="back up")

    assert link is not None
    assert re.findall(r"<h1>(.*)</h1>", main(read("back-up"))) == [link[1]] == ["Back up your accounts"]
    assert titles(found)[0] == "Back up your accounts"
    assert f'href="{reverse("accounts:settings")}#backup"' in main(found)
    assert headings(read())[0] == re.sub(r"^[^>]*>([^<]*)<.*", r"\1", group, flags=re.DOTALL) == "Backup"


@pytest.mark.article("S-03")
@pytest.mark.article("S-06")
@pytest.mark.article("S-07")
@pytest.mark.article("S-23")
@pytest.mark.parametrize(("own", "first"), [(IPHONE, "ios"), (ANDROID, "android"), (COMPUTER, "computer")])
def test_how_to_back_up_has_three_sections_the_own_type_first(own: str, first: str) -> None:
    page = read("back-up", on=own)

    said, sections = text(page), headings(page, "h3")
    named = {
        "ios": "On an iOS device: iPhone and iPad",
        "android": "On an Android device: your one-time password accounts",
        "computer": "On a computer",
    }
    assert said.startswith("Back up your accounts With Cloud Backup a lost phone or a new device does not cost you")
    assert said.index("Important.") < said.index("How to back up accounts") < said.index(sections[0])
    assert sections == [named[first], *(name for type, name in named.items() if type != first)]


@pytest.mark.article("S-06")
def test_steps_are_those_of_the_article_in_its_order() -> None:
    page = read("back-up", on=IPHONE)

    ios, android = steps(page, "ios"), steps(page, "android")
    assert [" ".join(step.split()[:4]) for step in android] == [
        "Open Authweb.",
        "Tap the sign for",
        "Under Backup, turn on",
        "Choose Sign in with",
        "Choose OK. On the",
    ]
    assert [" ".join(step.split()[:4]) for step in ios] == [
        "In the iPhone's Settings,",
        "Tap iCloud backup, and",
        "Tap Back.",
        "Under Saved to iCloud,",
        "Turn its switch on.",
        "Look for Keychain under",
        *(" ".join(step.split()[:4]) for step in android),
    ]


def test_restore_begins_with_the_lost_device_and_names_each_page_on_the_way() -> None:
    page = read("restore")

    assert headings(page)[:2] == ["Is the device lost or stolen?", "How do I bring my accounts back?"]
    walk = main(page).partition("How do I bring my accounts back?")[2].partition("</ol>")[0]
    assert re.findall(r"<strong>(.*?)</strong>", walk)[1:] == [
        "Restore from backup",
        *("Sign in", "Create an Authweb account"),
        *("Can you still open the list you have?", "I cannot open it any more"),
        *("Sign in again", "Go on", "Forgot your password?"),
        *("Set up this device", "Continue"),
        *("Restore", "Action required"),
    ]


@pytest.mark.article("G-02")
@pytest.mark.parametrize(
    ("before", "account", "said", "steps_of_ios"),
    [
        (timedelta(seconds=1), "Sign in with Microsoft", "Coming soon: from September 2025", 10),
        (timedelta(0), "Sign in with iCloud", "Since September 2025", 11),
    ],
)
def test_steps_for_an_iphone_go_by_the_date(before: timedelta, account: str, said: str, steps_of_ios: int) -> None:
    with time_machine.travel(settings.ICLOUD_FROM - before, tick=False):
        page = read("back-up", on=IPHONE)

    ios = steps(page, "ios")
    assert (len(ios), f"Choose {account}," in ios[-2]) == (steps_of_ios, True)
    assert said in text(page)


@pytest.mark.article("S-43")
def test_one_procedure_is_named_for_deleting_and_for_a_wrong_account() -> None:
    page = read("delete-or-change")

    assert headings(page, "h1") == ["Delete a backup or change the account"]
    assert [step[:40] for step in map(plain, re.findall(r"<li>(.*?)</li>", main(page), re.DOTALL))] == [
        "Open Authweb, and choose Settings.",
        "Under Backup, turn off Cloud Backup. The",
        "For a fresh backup turn Cloud Backup on ",
    ]


@pytest.mark.article("S-40")
@pytest.mark.article("S-41")
@pytest.mark.article("S-54")
@pytest.mark.article("S-55")
@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (("AUTOFILL_ENDS", 1), "Autofill will end (July 2025); passwords will be out of reach here (August 2025)."),
        (("AUTOFILL_ENDS", 0), "Autofill has ended (July 2025); passwords will be out of reach here (August 2025)."),
        (("PASSWORDS_END", 1), "Autofill has ended (July 2025); passwords will be out of reach here (August 2025)."),
        (
            ("PASSWORDS_END", 0),
            "Autofill has ended (July 2025); passwords can no longer be reached here (August 2025).",
        ),
    ],
)
def test_page_on_autofill_tells_what_it_was_what_ends_and_what_to_use(moment: tuple[str, int], said: str) -> None:
    with time_machine.travel(getattr(settings, moment[0]) - timedelta(seconds=moment[1]), tick=False):
        page = read("autofill")

    assert plain(re.findall(r'<p class="note">(.*?)</p>', main(page), re.DOTALL)[0]) == said
    assert headings(page)[:2] == ["What was autofill?", "How do I use saved passwords now?"]
    assert "to keep passwords safely" in text(page)
    assert "has them on all your devices" in text(page)


def test_page_on_kinds_names_the_three_families_as_the_article_does() -> None:
    assert headings(read("what-is-backed-up"))[:3] == [
        "Microsoft personal accounts",
        "Work or school accounts",
        "3rd party accounts, such as Amazon, Facebook or Gmail",
    ]


@pytest.mark.article("S-60")
def test_page_on_adding_names_every_way_and_is_linked_from_the_backup() -> None:
    assert headings(read("add-accounts"))[1:6] == [
        "With the camera, or from a picture",
        "By pasting",
        "By a link",
        "By hand",
        "By signing in",
    ]
    assert "How to add your accounts" in titles(read("back-up"))


@pytest.mark.article("S-57")
def test_page_on_passkeys_tells_first_to_keep_the_provider_of_passkeys_on() -> None:
    page = main(read("passkeys"))

    note, _, rest = page.partition('<p class="note note-wait">')[2].partition("</p>")
    assert plain(note) == (
        "Important. Do you have passkeys for your Microsoft account in an authenticator app? Then leave that app turned"
        " on as passkey provider in the settings of your phone. Once it is turned off, those passkeys no longer work."
    )
    assert "<h2>" not in page.partition(note)[0]
    assert "Do passkeys go on working?" in rest


@pytest.mark.article("S-59")
def test_page_on_getting_authweb_stands_under_see_also_with_the_address(settings: Any) -> None:
    settings.SITE_URL = "https://auth.example.org"

    page, backup = read("get-authweb", on=ANDROID), main(read("back-up"))

    assert "https://auth.example.org" in text(page)
    assert headings(page, "h3")[0] == "On an Android device"
    assert re.findall(r'"cell-title">([^<]*)<', backup.partition('id="see-also"')[2])[-3:] == [
        "Get Authweb on this device",
        "How to add your accounts",
        "IT admins: block third-party codes",
    ]


def test_what_is_kept_is_told_from_the_settings(settings: Any) -> None:
    settings.TRASH_KEPT, settings.BACKUP_GRACE = timedelta(days=7), timedelta(hours=36)
    settings.REMOVED_DEVICE_KEPT, settings.PROOF_MAX_AGE = timedelta(hours=1), timedelta(seconds=90)
    asked = text(read("what-is-kept"))
    settings.OPERATOR_COPIES_KEPT = timedelta(days=14)

    said = text(read("what-is-kept"))

    assert "Accounts in Trash 7 days A list put aside" in said
    assert "A removed device 1 hour, with “Undo” A backup turned off 36 hours, with “Undo”" in said
    assert "Used once, within 90 seconds" in said
    assert ("who has not told it here: ask" in asked, "they are kept for 14 days" in said) == (True, True)


# -- Search -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sought", "first"),
    [
        ("back up", "back-up"),
        ("BACK-UP", "back-up"),
        ("Begin recovery", "restore"),
        ("something went wrong", "something-went-wrong"),
        ("wrong account", "delete-or-change"),
        ("factory reset", "before-you-reset"),
        ("install app", "get-authweb"),
        ("sichern", "back-up"),
        ("Wiederherstellung beginnen", "restore"),
        ("lost my phone", "restore"),
        ("stolen", "restore"),
        ("broken screen", "restore"),
        ("locked out", "keys"),
        ("forgot password", "keys"),
        ("hacked", "keys"),
        ("print", "keys"),
        ("delete account", "what-is-kept"),
        ("2fa", "add-accounts"),
        ("time wrong", "add-accounts"),
        ("wrong code", "add-accounts"),
        ("uninstall", "get-authweb"),
        ("bakcup", "back-up"),
        ("passkies", "passkeys"),
    ],
)
def test_search_finds_the_page_that_answers(sought: str, first: str) -> None:
    found = read(q=sought)

    assert titles(found)[0] == str(help_pages.BY_SLUG[first].title)


@pytest.mark.parametrize(
    ("sought", "first"),
    [
        ("falsches Konto", "delete-or-change"),
        ("Handy verloren", "restore"),
        ("geklaut", "restore"),
        ("kaputtes Display", "restore"),
        ("ausgesperrt", "keys"),
        ("Passwort vergessen", "keys"),
        ("gehackt", "keys"),
        ("drucken", "keys"),
        ("Konto löschen", "what-is-kept"),
        ("Konto loeschen", "what-is-kept"),
        ("2FA", "add-accounts"),
        ("falscher Code", "add-accounts"),
        ("Uhrzeit falsch", "add-accounts"),
        ("deinstallieren", "get-authweb"),
        ("Sichreung", "back-up"),
    ],
)
def test_search_in_another_language_finds_the_same(sought: str, first: str) -> None:
    found = Client().get(reverse("help"), {"q": sought}, headers=IN_GERMAN)

    assert re.findall(r'href="/help/([\w-]+)/"', main(found))[0] == first


@pytest.mark.parametrize(
    ("sought", "said"),
    [
        ("a" * 10_000, "A search may have 100 letters, and this one has more."),
        ("<b>qqqq</b>", "No page is about “ <b>qqqq</b> ”."),
        ("\x00qq\x1b[31mqq\u202e\r\n", "No page is about “ qq [31mqq ”."),
        ("%&§", "No page is about “ %&§ ”."),
    ],
)
def test_search_for_anything_gets_a_clear_answer_in_text(sought: str, said: str) -> None:
    answer = read(q=sought)

    assert answer.status_code == 200
    assert said in text(answer)
    assert "<b>qqqq" not in answer.content.decode()
    assert titles(answer) == [str(help_pages.BY_SLUG[slug].title) for _, slugs in help_pages.GROUPS for slug in slugs]


# -- What leads where -------------------------------------------------------------------------------------------------


@pytest.mark.article("S-42")
@every_topic
def test_links_of_a_page_lead_somewhere_and_those_to_elsewhere_are_marked(slug: str) -> None:
    page = main(read(slug))
    links = re.findall(r'<a ([^>]*)href="([^"#]+)[^"]*"([^>]*)>(.*?)</a>', page, re.DOTALL)

    lost, unmarked = [], []
    for before, address, _after, said in links:
        if address.startswith("/"):
            try:
                resolve(address)
            except Resolver404:
                lost.append(address)
        elif 'class="outside"' not in before or "(another site)" not in said:
            unmarked.append(address)

    assert (lost, unmarked) == ([], [])
    assert {address for _, address, _, _ in links if address.startswith("/help/")} <= {
        reverse("help"),
        *(reverse("help-page", args=[topic.slug]) for topic in TOPICS),
    }
    assert re.findall(r'<meta name="description" content="([^"]+)">', read(slug).content.decode()) != []


# By page: the topics that it leads to.
LINKED = {
    "accounts:list": ["add-accounts", "restore"],
    "accounts:add": ["add-accounts"],
    "accounts:add-other": ["add-accounts"],
    "accounts:devices": ["get-authweb"],
    "accounts:device-remove": ["before-you-reset"],
    "accounts:keys": ["keys"],
    "accounts:settings": ["back-up", "get-authweb"],
    "accounts:settings-sign-in": ["passkeys"],
    "accounts:trash": ["what-is-kept"],
    "accounts:delete-account": ["what-is-kept"],
    "backups:status": ["autofill", "back-up", "what-is-backed-up", "before-you-reset"],
    "backups:on": ["delete-or-change"],
    "backups:problem": ["something-went-wrong"],
    "backups:restore": ["restore"],
}
LINKED_ELSEWHERE = {"accounts:open": ["device-types"]}
LINKED_FOR_STAFF = {f"admin:accounts_blockeddomain_{page}": ["it-admins"] for page in ("changelist", "add", "change")}


def failed(visitor: Visitor) -> str:
    """The reference of a backup that could not be made."""
    reference = activity.new_reference()
    activity.record(
        Tag.BACKUP_FAILED, user=visitor.user, at=timezone.now(), facts={"cause": "store"}, reference=reference
    )
    return reference


def led_to(answer: HttpResponse) -> list[str]:
    """The topics that a page leads to, in order."""
    return re.findall(r'href="/help/([\w-]+)/"', answer.content.decode().partition("<main")[2])


@pytest.mark.parametrize("page", LINKED)
def test_help_is_linked_where_its_question_arises(page: str, db: None) -> None:
    visitor = factories.enrolled("dora@example.org", name="Pixel 9", type="android")
    about: dict[str, Callable[[Visitor], Any]] = {
        "accounts:device-remove": lambda visitor: visitor.device.pk,
        "backups:problem": failed,
    }

    answer = visitor.client.get(reverse(page, args=[about[page](visitor)] if page in about else []))

    assert led_to(answer) == LINKED[page]
    assert 'href="/help/"' in answer.content.decode().partition("</header>")[0]


def test_help_is_linked_where_the_list_is_not_open(alice_elsewhere: Visitor) -> None:
    assert {page: led_to(alice_elsewhere.client.get(reverse(page))) for page in LINKED_ELSEWHERE} == LINKED_ELSEWHERE


def test_help_for_it_admins_is_linked_on_each_page_of_a_rule(alice_phone: Visitor) -> None:
    type(alice_phone.user).objects.update(is_staff=True, is_superuser=True)
    rule, client = factories.block("contoso.example"), alice_phone.client
    pages = {page: reverse(page, args=[rule.pk] if page.endswith("change") else []) for page in LINKED_FOR_STAFF}
    typed = {"from_date": f"{rule.from_date:%Y-%m-%d}", "reason": "A reason", "contact": "it@contoso.example"}

    preview = client.post(pages["admin:accounts_blockeddomain_change"], typed)

    assert {page: led_to(client.get(address)) for page, address in pages.items()} == LINKED_FOR_STAFF
    assert led_to(preview) == ["it-admins"]


def test_every_topic_is_linked_from_a_page_outside_the_help() -> None:
    tables = (LINKED, LINKED_ELSEWHERE, LINKED_FOR_STAFF)

    led = {slug for table in tables for slugs in table.values() for slug in slugs}

    assert sorted(led) == sorted(help_pages.BY_SLUG)


@pytest.mark.parametrize("address", ["/", "/sign-in/login/", "/nothing/"])
def test_help_is_linked_for_who_is_signed_out(address: str, db: None) -> None:
    assert 'href="/help/"' in main(Client().get(address))


def test_picture_is_shown_once_there_is_one(tmp_path: Path, settings: Any) -> None:
    settings.BASE_DIR = tmp_path
    before = tags.help_picture("install")
    (tmp_path / "static/help").mkdir(parents=True)
    (tmp_path / "static/help/install.png").write_bytes(b"")
    help_pages.has_picture.cache_clear()

    after = tags.help_picture("install")

    help_pages.has_picture.cache_clear()
    assert (before["file"], after["file"]) == ("", "help/install.png")
    assert {path.stem for path in Path(checks.__file__).parents[1].glob("static/help/*.png")} <= set(
        help_pages.PICTURES
    )


# -- The table --------------------------------------------------------------------------------------------------------


def test_check_names_a_page_without_text_a_link_to_nothing_and_a_page_in_no_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planted = help_pages.Topic("planted", "info", "Planted", "A page.", "", ("nowhere",))
    monkeypatch.setattr(help_pages, "TOPICS", (*TOPICS, planted))

    assert [found.id for found in checks.every_page_of_the_help_is_whole()] == [
        "authweb.E001",
        "authweb.E002",
        "authweb.E003",
    ]
