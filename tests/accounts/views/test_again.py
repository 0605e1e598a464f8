"""The checklist of accounts that came back by their name, over real HTTP against a provider of the tests."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import IdentityProof, User
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.entry import Entry, Identity, Kind, Needs, Type
from tests import proving
from tests.factories import SECRET, Visitor, create_entry, with_another_device
from tests.fake_op import FakeProvider
from tests.pages import buttons, main, text
from tests.proving import Roles, ended, newest, way_back

LIST, AGAIN = reverse("accounts:list"), reverse("accounts:again")
KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
LINK = f"otpauth://totp/Whatever:else?secret={KEY}"
ALICE = "alice@contoso.example"  # Who signs in at the provider of the tests.


@pytest.fixture(autouse=True)
def roles(op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Roles:
    return proving.mapped(op, monkeypatch, settings)


@pytest.fixture
def alice(alice_phone: Visitor) -> Visitor:
    """Alice at her phone; she has said "Not now" to a way back before."""
    User.objects.update(way_back_asked=2)
    create_entry(on=alice_phone, issuer="First")
    return alice_phone


def back(on: Visitor, name: str = ALICE, **fields: Any) -> Entry:
    """A work account as a restore brings it back by its name."""
    given = {"kind": Kind.WORK, "needs": Needs.SIGN_IN, "issuer": "Contoso", "secret": None, **fields}
    return create_entry(on=on, name=name, **given)


def sign_in_of(entry: Entry) -> str:
    return reverse("accounts:again-sign-in", args=[entry.id])


def keep_of(entry: Entry) -> str:
    return reverse("accounts:again-keep", args=[entry.id])


def page_of(entry: Entry) -> str:
    return reverse("accounts:account", args=[entry.id])


def signs_in(visitor: Visitor, entry: Entry, query: str = "") -> str:
    """By its button to the provider and back, as far as the page behind the landing."""
    out = proving.hand_off(visitor.client, sign_in_of(entry) + query)
    landing = visitor.client.get(way_back(out)).headers["Location"]
    return str(visitor.client.get(landing).headers.get("Location", landing))


def of_now(visitor: Visitor, entry: Entry) -> Entry:
    return vaults.read(visitor.vault).get(entry.id)


def row_of(visitor: Visitor, entry: Entry) -> str:
    (row,) = re.findall(
        rf'<li class="[^"]*" id="account-{entry.id}".*?</li>', visitor.client.get(LIST).content.decode(), re.DOTALL
    )
    return str(row)


# -- The list and the account -----------------------------------------------------------------------------------------


@pytest.mark.article("S-35")
@pytest.mark.article("S-37")
@pytest.mark.parametrize(
    ("fields", "says", "leads"),
    [
        ({"kind": Kind.WORK}, "Sign in to restore your account", "again"),
        ({"kind": Kind.PERSONAL_PASSWORDLESS}, "Sign in to restore your account", "again"),
        ({"needs": Needs.SCAN}, "Scan the QR code provided by your organization", "scan"),
        ({"kind": Kind.PERSONAL_CODE, "needs": Needs.SCAN}, "Scan its QR code again", "scan"),
        ({"kind": Kind.THIRD_PARTY, "needs": Needs.SIGN_IN}, "Scan its QR code again", "scan"),
    ],
)
def test_row_and_page_of_what_waits_ask_for_what_it_needs_and_show_no_code(
    alice: Visitor, fields: dict[str, Any], says: str, leads: str
) -> None:
    entry = back(alice, **fields)

    row, page = row_of(alice, entry), alice.client.get(page_of(entry))

    address = {"again": f"{AGAIN}#again-{entry.id}", "scan": f"{reverse('accounts:add-other')}?entry={entry.id}"}[leads]
    assert f'href="{address}"' in row
    card = main(page).partition('class="card again"')[2]
    for shown in (row, card):
        assert "Action required" in shown
        assert "data-codes" not in shown
    assert says in row
    assert "Keep the name only" in card
    assert "The site asks for the old phone" in card
    assert (sign_in_of(entry) in card) is (entry.kind is not Kind.THIRD_PARTY)
    assert (f"?entry={entry.id}" in card) is (entry.kind is not Kind.PERSONAL_PASSWORDLESS)


def test_name_that_is_kept_is_grey_and_asks_for_nothing(alice: Visitor) -> None:
    entry = back(alice, needs=Needs.KEPT)

    row, page = row_of(alice, entry), alice.client.get(page_of(entry))

    assert "row-kept" in row
    assert "code-line" not in row
    assert "Action required" not in row + main(page)
    assert "Its name is kept, without a code." in text(page)
    assert sign_in_of(entry) in main(page)  # Should the person think better of it.
    assert keep_of(entry) not in main(page)


def test_line_over_the_list_counts_what_waits_without_a_query(alice: Visitor) -> None:
    alice.client.get(LIST)
    with CaptureQueriesContext(connection) as without:
        nothing = alice.client.get(LIST)
    lines = []
    for needs in (Needs.SIGN_IN, Needs.SCAN, Needs.KEPT):
        back(alice, f"{needs}@contoso.example", needs=needs)
        with CaptureQueriesContext(connection) as queries:
            lines.append(re.findall(r'data-part="again".*?</div>', alice.client.get(LIST).content.decode(), re.DOTALL))
        assert len(queries) == len(without)
    searched = alice.client.get(f"{LIST}?q=contoso")

    assert 'data-part="again"' not in nothing.content.decode() + searched.content.decode()
    assert [re.findall(r"<a [^>]*>(.*?)</a>", line)[0] for (line,) in lines] == [
        "1 account waits for your sign-in",
        *["2 accounts wait for your sign-in"] * 2,
    ]
    assert f'href="{AGAIN}"' in lines[0][0]


def badges_on(visitor: Visitor, address: str) -> list[str]:
    """What stands beside each way to the list on a page; "hidden" where no account waits."""
    page = visitor.client.get(address).content.decode()
    found = re.findall(r"data-badge( hidden)?>(.*?)</(?:a|div)>", page, re.DOTALL)
    return [hidden.strip() or " ".join(re.sub(r"<[^>]*>", " ", said).split()) for hidden, said in found]


def test_badge_counts_what_waits_where_the_list_is_open_and_opens_it_nowhere_else(alice: Visitor) -> None:
    left, done = back(alice), back(alice, "pat@contoso.example")
    pages = [LIST, f"{LIST}?q=first", page_of(left), AGAIN, reverse("accounts:settings")]

    shown = [[badges_on(alice, page) for page in pages]]
    for entry in (done, left):
        alice.client.post(keep_of(entry))
        shown.append([badges_on(alice, page) for page in pages])

    assert shown == [
        [[said] * 2, [said] * 2, [said] * 3, [said], []]
        for said in ("2 2 accounts wait for your sign-in", "1 1 account waits for your sign-in", "hidden")
    ]


def test_badge_stays_beside_an_account_whose_next_code_was_taken(alice: Visitor) -> None:
    counter = create_entry(on=alice, issuer="Nordbank", type=Type.HOTP)
    back(alice)

    address, by_script = (
        reverse("accounts:next-code", args=[counter.id]),
        {"HX-Request": "true", "HX-Target": "account"},
    )
    part = alice.client.post(address, headers=by_script).content.decode()

    assert part.count("data-badge>") == 1
    assert "1 account waits for your sign-in" in part


def test_line_over_the_list_and_badge_come_and_go_with_a_look(alice: Visitor) -> None:
    (news,) = re.findall(r'data-news="([^"]*)"', alice.client.get(LIST).content.decode())

    def looked() -> tuple[bool, bool]:
        look = alice.client.get(reverse("accounts:look"), {"v": "0", "n": news}).content.decode()
        assert "data-rows" in look
        return 'data-part="again"' in look, "data-badge><" in look

    entry = back(alice)
    comes = looked()
    alice.client.post(keep_of(entry))

    assert (comes, looked()) == ((True, True), (False, False))


def test_counter_of_a_backup_says_of_when_it_is_until_its_next_code(alice: Visitor) -> None:
    of_day = int(datetime(2026, 5, 3, 12, tzinfo=UTC).timestamp())
    entry = create_entry(on=alice, issuer="Nordbank", type=Type.HOTP, counter=41, as_of=of_day)
    said = "This counter is of 3 May. If the site refuses the code, take the next."

    with time_machine.travel("2026-05-04T12:00Z", tick=False):
        shown = [row_of(alice, entry), text(alice.client.get(page_of(entry)))]
        alice.client.post(reverse("accounts:next-code", args=[entry.id]))
        after = [row_of(alice, entry), text(alice.client.get(page_of(entry)))]

    assert all(said in one for one in shown)
    assert not any("This counter is of" in one for one in after)
    assert (of_now(alice, entry).counter, of_now(alice, entry).as_of) == (42, None)


# -- The checklist ----------------------------------------------------------------------------------------------------


@pytest.mark.article("S-35")
@pytest.mark.article("S-37")
def test_checklist_says_of_each_why_and_what_can_be_done(alice: Visitor) -> None:
    work = back(alice)
    scan = back(alice, "pat@fabrikam.example", issuer="Fabrikam University", needs=Needs.SCAN)
    personal = back(alice, "pat@outlook.example", issuer="Microsoft", kind=Kind.PERSONAL_PASSWORDLESS)
    back(alice, "kept@contoso.example", needs=Needs.KEPT)

    page = alice.client.get(AGAIN)
    cards = dict(re.findall(r'<section class="card again" id="again-(\w+)"(.*?)</section>', main(page), re.DOTALL))

    assert re.findall(r"<h1>(.*?)</h1>", main(page)) == ["Sign in to restore your account"]
    assert list(cards) == [work.id, scan.id, personal.id]
    assert "Still to do 3" in text(page)
    assert "its key stayed on the old device. Sign in once; the name is filled in." in cards[work.id]
    assert "Scan the QR code provided by your organization" in cards[scan.id]
    assert "It also signs in without a password" in cards[personal.id]
    for entry, scans in ((work, True), (scan, True), (personal, False)):
        assert re.findall(r'class="tag tag-wait"><svg.*?</svg>(.*?)</span>', cards[entry.id]) == ["Action required"]
        assert "data-code" not in cards[entry.id]
        assert f'action="{sign_in_of(entry)}"' in cards[entry.id]
        assert f'action="{keep_of(entry)}"' in cards[entry.id]
        assert (f'href="{reverse("accounts:add-other")}?entry={entry.id}"' in cards[entry.id]) is scans
        assert "Use the recovery code that the site gave you." in cards[entry.id]
        assert ("Ask the help desk of your work or school" in cards[entry.id]) is scans
    assert buttons(page)[-1] == "Finish later"
    assert "Done" not in text(page)


def test_checklist_shows_what_was_done_today_and_says_when_nothing_is_left(alice: Visitor) -> None:
    noon = datetime(2026, 5, 3, 12, 11, tzinfo=UTC)
    User.objects.update(time_zone="Europe/Berlin")
    identity = Identity("entra", "https://entra.example", "0000-bob")
    back(alice, needs=None, identity=identity, signed_in=int(noon.timestamp()))

    pages = []
    for now in ("2026-05-03T12:30Z", "2026-05-04T12:12Z"):
        with time_machine.travel(now, tick=False):
            pages.append(text(alice.client.get(AGAIN)))

    assert [f"Done 1 C Contoso {ALICE} Signed in 14:11" in page for page in pages] == [True, False]
    assert all("No account waits for you any more." in page and "Back to the list" in page for page in pages)


@pytest.mark.parametrize(
    ("onward", "leads"),
    [
        ("/backups/restore/", "/backups/restore/"),
        ("", LIST),
        ("https://evil.example/", LIST),
        ("//evil.example/", LIST),
        ("/\\evil.example/", LIST),
        ("javascript:alert(1)", LIST),
        ("backups:on", LIST),
        ("accounts/trash/", LIST),
        (f"/{'a' * 200}", LIST),
    ],
)
def test_finish_later_leads_on_within_this_server_alone(alice: Visitor, onward: str, leads: str) -> None:
    entry = back(alice)

    page = main(alice.client.get(AGAIN, {"next": onward}))

    assert re.findall(r'href="([^"]*)">Finish later', page) == [leads]
    on = "?next=%2Fbackups%2Frestore%2F" if leads != LIST else ""
    assert f'action="{keep_of(entry)}{on}"' in page
    kept = alice.client.post(f"{keep_of(entry)}?next={onward}")
    assert kept.headers["Location"] == f"{AGAIN}{on}"


# -- Signing in -------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-37")
def test_work_account_is_signed_in_to_under_its_own_name(alice: Visitor) -> None:
    entry = back(alice)
    out = proving.hand_off(alice.client, f"{sign_in_of(entry)}?next=/backups/restore/")
    asked = parse_qs(urlsplit(out).query)
    landing = alice.client.get(way_back(out)).headers["Location"]
    on = alice.client.get(landing).headers["Location"]
    before = of_now(alice, entry)
    done = alice.client.get(on)
    page = alice.client.get(done.headers["Location"])

    assert (asked["login_hint"], asked["prompt"]) == ([ALICE], ["login"])
    assert before == entry  # Nothing is changed before the way back reaches us.
    assert done.headers["Location"] == f"{AGAIN}?next=%2Fbackups%2Frestore%2F"
    made = of_now(alice, entry)
    assert made.identity is not None
    assert (made.identity.role, made.identity.issuer, made.identity.uid) == (
        *("entra", proving.WORK_ISSUER, "1111-alice"),
    )
    assert (made.needs, made.secret, made.name) == (None, None, ALICE)
    assert made.signed_in is not None
    assert "You signed in. This account waits no more." in page.content.decode()
    assert "Done 1" in text(page)
    assert re.search(rf"Contoso {ALICE} Signed in \d\d:\d\d", text(page))
    assert (newest(alice.user).state, newest(alice.user).target) == ("spent", entry.id)

    undo = re.findall(r'action="(/accounts/undo/\d+/)"', page.content.decode())
    alice.client.post(undo[0])
    assert of_now(alice, entry) == entry


@pytest.mark.article("S-35")
def test_personal_account_is_signed_in_to_and_has_no_code_by_that(alice: Visitor) -> None:
    entry = back(alice, "Alice@Outlook.example", issuer="Microsoft", kind=Kind.PERSONAL_PASSWORDLESS)

    alice.client.get(signs_in(alice, entry))

    made = of_now(alice, entry)
    assert (made.needs, made.secret, made.identity and made.identity.role) == (None, None, "microsoft")
    assert "Signed in" in row_of(alice, entry)
    assert "data-codes" not in row_of(alice, entry)


def test_another_account_is_refused_by_name_and_the_right_one_may_try_again(alice: Visitor, roles: Roles) -> None:
    entry = back(alice, "carol@contoso.example")

    landing = signs_in(alice, entry)
    proof = newest(alice.user)
    page = alice.client.get(landing)

    assert ended(alice, proof) == [
        "The sign-in was not finished.",
        "You signed in as a…@contoso.example, not c…@contoso.example.",
    ]
    assert of_now(alice, entry) == entry
    assert buttons(page) == ["Try again", "Back"]
    back_to = alice.client.get(re.findall(r'href="([^"]*)">Back', main(page))[0])
    assert back_to.headers["Location"] == f"{AGAIN}#again-{entry.id}"

    roles.entra.person["preferred_username"] = roles.entra.person["email"] = "carol@contoso.example"
    again = alice.client.get(way_back(proving.hand_off(alice.client, landing))).headers["Location"]
    alice.client.get(again, follow=True)
    assert of_now(alice, entry).needs is None


def test_cancel_leaves_it_waiting(alice: Visitor, roles: Roles) -> None:
    entry = back(alice)
    roles.entra.next("authorize", query={"error": "access_denied"})

    signs_in(alice, entry)

    assert ended(alice, newest(alice.user)) == ["The sign-in was not finished.", "You cancelled at Microsoft."]
    assert of_now(alice, entry) == entry
    assert f"again-{entry.id}" in main(alice.client.get(AGAIN))


def test_two_tabs_and_two_clicks_come_to_one_outcome(alice: Visitor) -> None:
    entry = back(alice)
    outs = [proving.hand_off(alice.client, sign_in_of(entry)) for _ in range(2)]
    ons = []
    for out in outs:
        landing = alice.client.get(way_back(out)).headers["Location"]
        ons.append(alice.client.get(landing).headers["Location"])

    ends = [alice.client.get(on) for on in (ons[0], ons[1], ons[0])]
    late = alice.client.post(sign_in_of(entry))

    assert [end.headers["Location"] for end in (*ends, late)] == [AGAIN] * 4
    assert of_now(alice, entry).needs is None
    assert alice.user.events.filter(tag=Tag.ENTRY_SIGNED_IN).count() == 1
    assert "too old" not in alice.client.get(AGAIN).content.decode()
    assert IdentityProof.objects.count() == 2


def test_undo_stands_beside_the_click_that_did_it_alone(alice: Visitor) -> None:
    entry = back(alice)

    pages = [alice.client.post(keep_of(entry), follow=True).content.decode() for _ in range(2)]

    assert [len(re.findall(r'action="/accounts/undo/\d+/"', page)) for page in pages] == [1, 0]
    assert of_now(alice, entry).needs is Needs.KEPT


def test_sign_in_that_is_too_old_is_asked_for_again(alice: Visitor) -> None:
    entry = back(alice)
    on = signs_in(alice, entry)
    IdentityProof.objects.update(signed_in_at=timezone.now() - timezone.timedelta(seconds=301))

    page = alice.client.get(on, follow=True)

    assert "That sign-in is too old, or was used already. Sign in again." in page.content.decode()
    assert of_now(alice, entry) == entry


def test_account_that_is_there_already_is_named_and_nothing_is_changed(alice: Visitor) -> None:
    identity = Identity("entra", proving.WORK_ISSUER, "1111-alice")
    there = create_entry(
        on=alice, issuer="At work", name="me", secret=None, kind=Kind.WORK, identity=identity, signed_in=1_700_000_000
    )
    entry = back(alice)

    page = alice.client.get(signs_in(alice, entry))

    said = "Whom you signed in as is in your list already, as another account. Nothing was changed."
    assert f"{said} A At work me" in text(page)
    assert page_of(there) in main(page)
    assert f"again-{entry.id}" in main(page)
    assert (of_now(alice, entry), of_now(alice, there)) == (entry, there)


def test_nothing_of_anybody_else_is_touched(alice: Visitor, bob: Visitor) -> None:
    hers, his = back(alice), back(bob)
    proof_of_hers = signs_in(alice, hers)

    answers = [
        alice.client.post(sign_in_of(his)),
        alice.client.post(keep_of(his)),
        bob.client.get(proof_of_hers),
        bob.client.get(f"{sign_in_of(his)}?{urlsplit(proof_of_hers).query}", follow=True),
        alice.client.get(f"{reverse('accounts:add-other')}?entry={his.id}"),
        alice.client.post(f"{reverse('accounts:add-link')}?entry={his.id}", {"link": LINK}),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 200, 404, 404]
    assert (of_now(alice, hers), of_now(bob, his)) == (hers, his)
    alice.client.get(proof_of_hers)
    assert of_now(alice, hers).needs is None


def test_account_in_trash_is_named_so(alice: Visitor) -> None:
    entry = back(alice)
    on = signs_in(alice, entry)
    alice.client.post(reverse("accounts:to-trash", args=[entry.id]))

    for answer in (alice.client.get(on, follow=True), alice.client.post(keep_of(entry), follow=True)):
        assert "This account is in Trash now." in answer.content.decode()


def test_account_without_a_name_is_given_one_first(alice: Visitor) -> None:
    entry = back(alice, "")

    answer = alice.client.post(sign_in_of(entry), follow=True)

    assert answer.redirect_chain[-1][0] == reverse("accounts:edit", args=[entry.id])
    assert "This account has no name to sign in with. Give it its name first." in answer.content.decode()
    assert not IdentityProof.objects.exists()


def test_sign_in_that_this_server_has_no_provider_for_is_not_offered(alice: Visitor, settings: Any) -> None:
    entry = back(alice)
    settings.WAYS = {name: way for name, way in settings.WAYS.items() if name != "entra"}

    page = alice.client.get(AGAIN)
    asked = alice.client.post(sign_in_of(entry), follow=True)

    assert sign_in_of(entry) not in main(page)
    assert "Its operator names one in the setting ROLE_ENTRA_CLIENT_ID." in text(page)
    assert buttons(page) == ["Scan QR code", "Keep the name only", "Finish later"]
    assert "This server has no provider for that. Ask its operator." in asked.content.decode()


# -- Scanning ---------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-37")
@pytest.mark.parametrize("way", ["link", "hand"])
def test_qr_code_of_the_organisation_goes_to_the_account_that_waits(alice: Visitor, way: str) -> None:
    entry = back(alice, needs=Needs.SCAN)
    on = f"?entry={entry.id}"
    form = {"link": {"link": LINK}, "hand": {"label": "typed", "secret": KEY, "type": "totp"}}[way]

    ways = alice.client.get(f"{reverse(f'accounts:add-{way}')}{on}")
    led = alice.client.post(f"{reverse(f'accounts:add-{way}')}{on}", form).headers["Location"]
    confirm = alice.client.get(led)
    done = alice.client.post(led, {"issuer": "Other", "name": "other"})
    second = alice.client.post(led)

    assert f"The code of Contoso {ALICE}, which keeps its place and its name" in text(ways)
    assert f'action="{reverse(f"accounts:add-{way}")}{on}"' in main(ways)
    assert re.findall(r"<h1>(.*?)</h1>", main(confirm)) == ["Confirm the code"]
    assert f"Contoso {ALICE}" in text(confirm)
    assert "In a backup: name only." in text(confirm)
    assert 'name="issuer"' not in main(confirm)
    assert (done.headers["Location"], second.headers["Location"]) == (f"{LIST}#account-{entry.id}", LIST)
    made = of_now(alice, entry)
    assert made.secret is not None
    assert (made.secret.reveal(), made.issuer, made.name, made.needs) == (SECRET, "Contoso", ALICE, None)
    assert len(alice.entries) == 2
    assert "data-codes" in row_of(alice, entry)


def test_code_that_is_back_leads_to_what_else_waits(alice: Visitor) -> None:
    entry, _ = back(alice, needs=Needs.SCAN), back(alice, "other@contoso.example")

    led = alice.client.post(f"{reverse('accounts:add-link')}?entry={entry.id}", {"link": LINK}).headers["Location"]
    done = alice.client.post(led, follow=True)

    assert done.redirect_chain == [(AGAIN, 303)]
    assert "The code is back." in done.content.decode()


def test_code_is_typed_under_the_name_of_its_account(alice: Visitor) -> None:
    entry = back(alice, needs=Needs.SCAN)

    page = alice.client.get(f"{reverse('accounts:add-hand')}?entry={entry.id}")

    assert page.context["form"]["label"].value() == f"Contoso: {ALICE}"


def test_account_that_has_its_code_takes_no_other_one(alice: Visitor) -> None:
    entry = back(alice, needs=Needs.SCAN)
    query = f"?entry={entry.id}"
    late = alice.client.post(f"{reverse('accounts:add-link')}{query}", {"link": LINK}).headers["Location"]
    first = alice.client.post(f"{reverse('accounts:add-link')}{query}", {"link": LINK}).headers["Location"]
    alice.client.post(first)
    made = of_now(alice, entry)

    shown, yes = alice.client.get(late), alice.client.post(late)
    ways = alice.client.get(f"{reverse('accounts:add-other')}{query}")

    assert "Already in your list" in text(shown)
    assert "Already in your list" in text(yes)
    assert ways.headers["Location"] == page_of(entry)
    assert (of_now(alice, entry), len(alice.entries)) == (made, 2)


def test_code_whose_account_went_to_trash_meanwhile_is_dropped(alice: Visitor) -> None:
    entry = back(alice, needs=Needs.SCAN)
    led = alice.client.post(f"{reverse('accounts:add-link')}?entry={entry.id}", {"link": LINK}).headers["Location"]
    elsewhere = with_another_device(alice, name="Laptop", type="computer")
    elsewhere.client.post(reverse("accounts:to-trash", args=[entry.id]))

    answer = alice.client.post(led, follow=True)

    assert "This account is in Trash now." in answer.content.decode()
    assert len(alice.entries) == 1
    assert alice.client.get(led).status_code == 404
