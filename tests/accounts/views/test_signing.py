"""The pages of accounts by sign-in, over real HTTP against a provider of the tests: there, back, and the yes."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.socialaccount.models import SocialAccount
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.models import IdentityProof, User
from accounts.services import policy, vaults
from accounts.services.policy import Act
from accounts.vault import otp
from accounts.vault.entry import Entry, Kind
from backups.portions import carried
from tests import factories, pictures, proving
from tests.factories import SECRET, Visitor, an_entry, create_entry
from tests.fake_op import FakeProvider
from tests.proving import Roles, ended, newest, way_back

ADD, LIST = reverse("accounts:add"), reverse("accounts:list")
PERSONAL, WORK = reverse("accounts:add-personal"), reverse("accounts:add-work")
KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
LINK = f"otpauth://totp/Whatever:else?secret={KEY}"
FAMILIES = ["Personal account", "Work or school account", "Other account (Google, Facebook, etc.)"]
TOO_OLD = "That sign-in is too old, or was used already. Nothing was added. Sign in again."


@pytest.fixture(autouse=True)
def roles(op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Roles:
    return proving.mapped(op, monkeypatch, settings)


@pytest.fixture
def alice(alice_phone: Visitor) -> Visitor:
    """Alice at her phone; she has said "Not now" to a way back before."""
    User.objects.update(way_back_asked=2)
    return alice_phone


def signs_in(visitor: Visitor, begin: str = PERSONAL) -> str:
    """By the button of a page to the provider and back; the page it ends on."""
    landing = visitor.client.get(way_back(proving.hand_off(visitor.client, begin))).headers["Location"]
    return str(visitor.client.get(landing).headers["Location"])


def confirm_of(visitor: Visitor) -> str:
    return reverse("accounts:add-signed-in", args=[newest(visitor.user).pk])


def text_of(answer: HttpResponse) -> str:
    """What a page says, its marks left out."""
    body = answer.content.decode().partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def links_of(answer: HttpResponse) -> list[str]:
    return re.findall(r'<a class="choice" href="([^"]+)"', answer.content.decode())


def headings(answer: HttpResponse) -> list[str]:
    return re.findall(r"<h1>(.*?)</h1>", answer.content.decode())


# -- The families -----------------------------------------------------------------------------------------------------


@pytest.mark.article("S-31")
@pytest.mark.article("G-23")
@pytest.mark.parametrize(
    ("there", "offered"),
    [
        ({"microsoft", "entra"}, FAMILIES),
        ({"microsoft"}, [FAMILIES[0], FAMILIES[2]]),
        ({"entra"}, FAMILIES[1:]),
    ],
    ids=["all", "no work", "no personal"],
)
def test_add_account_offers_the_families_this_server_can_add(
    alice: Visitor, settings: Any, there: set[str], offered: list[str]
) -> None:
    settings.WAYS = {name: way for name, way in settings.WAYS.items() if name in there}

    page = alice.client.get(ADD)

    assert re.findall(r'"choice-title">([^<]*)<', page.content.decode()) == offered
    hint = "If your organisation gave you a QR code for six-digit codes, choose 'Other account': those codes come back."
    assert (f"Kept in backups by name only. {hint}" in text_of(page)) is ("entra" in there)


def test_family_that_is_not_offered_is_not_begun(alice: Visitor, settings: Any) -> None:
    settings.WAYS = {}

    ends = [alice.client.get(WORK, follow=True), *(alice.client.post(one, follow=True) for one in (PERSONAL, WORK))]

    assert [answer.redirect_chain[-1][0] for answer in ends] == [reverse("accounts:add-other")] * 3
    assert ["This server has no provider for that. Ask its operator." in text_of(answer) for answer in ends] == [
        *(False, True, True)
    ]
    assert not IdentityProof.objects.exists()


# -- Personal ---------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-34")
def test_personal_account_without_a_password_is_added_by_name_only(alice: Visitor) -> None:
    question = alice.client.get(signs_in(alice))
    by_name, _with_code = links_of(question)
    confirm = alice.client.get(by_name)
    before = alice.entries
    done = alice.client.post(by_name)

    assert headings(question) == ["Does it also sign in without a password?"]
    assert "You signed in as alice@outlook.example . Nothing is added yet." in text_of(question)
    assert headings(confirm) == ["Confirm new account"]
    assert "Name only in backups. After a restore you sign in again." in text_of(confirm)
    (entry,) = alice.entries
    assert (before, done.status_code, done.headers["Location"]) == ((), 303, f"{LIST}#account-{entry.id}")
    assert (entry.kind, entry.issuer, entry.name) == (
        Kind.PERSONAL_PASSWORDLESS,
        "Microsoft",
        "alice@outlook.example",
    )
    assert entry.identity is not None
    assert (entry.identity.role, entry.identity.uid, entry.secret) == ("microsoft", "0000-alice", None)


def test_row_and_page_say_when_somebody_signed_in_and_show_no_code(alice: Visitor) -> None:
    signs_in(alice)
    alice.client.post(confirm_of(alice))
    (entry,) = alice.entries
    today = f"{timezone.localtime():%-d %B}"

    row = alice.client.get(LIST)
    page = alice.client.get(reverse("accounts:account", args=[entry.id]))

    assert f"Signed in {today}" in text_of(row)
    assert "code-line" not in row.content.decode()
    assert re.findall(r"<dt>([^<]*)</dt>", page.content.decode()) == ["Signed in", "Added"]
    assert "In a backup: name only." in text_of(page)


@pytest.mark.article("S-32")
@pytest.mark.parametrize("way", ["picture", "link", "hand"])
def test_personal_account_with_a_code_takes_its_key_by_every_way(alice: Visitor, way: str) -> None:
    _by_name, with_code = links_of(alice.client.get(signs_in(alice)))
    ways = alice.client.get(with_code)
    on = with_code.partition("?")[2]
    form = {
        "picture": lambda: {"pictures": SimpleUploadedFile("code.png", pictures.of(LINK))},
        "link": lambda: {"link": LINK},
        "hand": lambda: {"label": "Microsoft: alice@outlook.example", "secret": KEY, "type": "totp"},
    }[way]()

    led = alice.client.post(f"{reverse(f'accounts:add-{way}')}?{on}", form).headers["Location"]
    confirm = alice.client.get(led)
    done = alice.client.post(led, {"issuer": "Microsoft", "name": "alice@outlook.example"})

    assert "The code of alice@outlook.example :" in text_of(ways)
    here = ("add-picture", "add-link", "add-hand")
    assert {f"{reverse(f'accounts:{name}')}?{on}" for name in here} <= set(
        re.findall(r'(?:href|action)="([^"]+)"', html.unescape(ways.content.decode()))
    )
    assert "Check this code at the site now." in text_of(confirm)
    assert "In a backup: name and code." in text_of(confirm)
    (entry,) = alice.entries
    assert done.headers["Location"] == f"{LIST}#account-{entry.id}"
    assert (entry.kind, entry.issuer, entry.name) == (Kind.PERSONAL_CODE, "Microsoft", "alice@outlook.example")
    assert entry.secret is not None
    assert (entry.secret.reveal(), entry.identity and entry.identity.uid) == (SECRET, "0000-alice")
    assert newest(alice.user).state == "spent"


@pytest.mark.article("S-32")
def test_its_code_is_renewed_at_each_30_seconds(alice: Visitor) -> None:
    on = links_of(alice.client.get(signs_in(alice)))[1].partition("?")[2]
    led = alice.client.post(f"{reverse('accounts:add-link')}?{on}", {"link": LINK}).headers["Location"]
    alice.client.post(led, {"issuer": "Microsoft", "name": "alice"})
    (entry,) = alice.entries
    boundary = (int(timezone.now().timestamp()) // 30 + 1) * 30

    seen = []
    for moment in (boundary - 0.001, boundary, boundary + 29.999, boundary + 30):
        with time_machine.travel(moment, tick=False):
            page = alice.client.get(LIST).content.decode()
        seen.append(re.findall(r'data-period="(\d+)" data-width="6" data-codes="(\d{6})', page))

    steps = [boundary // 30 - 1, *[boundary // 30] * 2, boundary // 30 + 1]
    assert seen == [[("30", otp.codes(entry, step, 1))] for step in steps]


def test_code_by_hand_is_asked_for_under_the_name_at_the_provider(alice: Visitor) -> None:
    on = links_of(alice.client.get(signs_in(alice)))[1].partition("?")[2]

    page = alice.client.get(f"{reverse('accounts:add-hand')}?{on}")

    assert page.context["form"]["label"].value() == "Microsoft: alice@outlook.example"


def test_several_codes_are_no_code_of_one_account(alice: Visitor) -> None:
    on = links_of(alice.client.get(signs_in(alice)))[1].partition("?")[2]
    two = f"{LINK}\notpauth://totp/GitLab:bob?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

    page = alice.client.post(f"{reverse('accounts:add-link')}?{on}", {"link": two})

    sentence = "There are several accounts in it. Take the code of this one account alone."
    assert page.context["form"].errors["link"] == [sentence]


@pytest.mark.article("S-32")
def test_code_of_another_kind_is_refused_in_one_sentence(alice: Visitor) -> None:
    on = links_of(alice.client.get(signs_in(alice)))[1].partition("?")[2]
    by_hand = {"label": "Microsoft: alice", "secret": KEY}
    other = f"{LINK}&period=60"

    errors = {
        way: alice.client.post(f"{reverse(f'accounts:add-{way}')}?{on}", form).context["form"].errors
        for way, form in (
            ("link", {"link": other}),
            ("picture", {"pictures": SimpleUploadedFile("code.png", pictures.of(other))}),
            ("hand", {**by_hand, "type": "totp", "period": "60"}),
        )
    }
    counter = alice.client.post(f"{reverse('accounts:add-hand')}?{on}", {**by_hand, "type": "hotp"})

    sentence = (
        "The code of a personal account is by time and new every 30 seconds; this one is not. "
        "Add it as 'Other account'."
    )
    assert errors == {"link": {"link": [sentence]}, "picture": {"pictures": [sentence]}, "hand": {"type": [sentence]}}
    assert "<details open>" in counter.content.decode()  # Where the kind of code is chosen.
    assert alice.entries == ()


# -- Work or school ---------------------------------------------------------------------------------------------------


@pytest.mark.article("S-36")
def test_work_account_is_added_by_name_only(alice: Visitor) -> None:
    ends = signs_in(alice, WORK)
    confirm = alice.client.get(ends, follow=True)
    alice.client.post(confirm_of(alice))

    assert confirm.redirect_chain == [(confirm_of(alice), 302)]
    assert "Name only in backups." in text_of(confirm)
    (entry,) = alice.entries
    assert (entry.kind, entry.name, entry.secret) == (Kind.WORK, "alice@contoso.example", None)
    assert entry.identity is not None
    assert (entry.identity.role, entry.identity.issuer, entry.identity.uid) == (
        *("entra", proving.WORK_ISSUER, "1111-alice"),
    )


@pytest.mark.article("G-23")
def test_code_of_work_is_added_beside_it_as_another_account_and_is_carried_whole(alice: Visitor) -> None:
    signs_in(alice, WORK)
    alice.client.post(confirm_of(alice))

    page = alice.client.get(WORK)
    led = alice.client.post(reverse("accounts:add-link"), {"link": LINK}).headers["Location"]
    alice.client.post(led, {"issuer": "Contoso", "name": "alice@contoso.example"})

    assert links_of(page) == [reverse("accounts:add-other")]
    assert "Scan a QR code" in text_of(page)
    work, code = alice.entries
    assert (work.kind, code.kind) == (Kind.WORK, Kind.THIRD_PARTY)
    assert carried(code) == code


@pytest.mark.article("S-36")
def test_sign_in_of_work_leads_to_no_code(alice: Visitor) -> None:
    proof = signs_in(alice, WORK).partition("proof=")[2]

    asked = alice.client.get(f"{PERSONAL}?proof={proof}")
    held = alice.client.post(f"{reverse('accounts:add-link')}?proof={proof}", {"link": LINK}, follow=True)

    assert asked.headers["Location"] == confirm_of(alice)
    assert TOO_OLD in text_of(held)
    assert alice.entries == ()


# -- What it is not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begin", [PERSONAL, WORK])
def test_proof_signs_nobody_in_and_links_nothing(alice: Visitor, begin: str) -> None:
    before, session = User.objects.count(), alice.client.session["_auth_user_id"]

    signs_in(alice, begin)
    alice.client.post(confirm_of(alice))

    assert (User.objects.count(), SocialAccount.objects.count()) == (before, 0)
    assert alice.client.session["_auth_user_id"] == session


def test_refusal_of_the_provider_is_passed_on(alice: Visitor, roles: Roles) -> None:
    roles.entra.next("authorize", query={"error": "access_denied"})
    landing = alice.client.get(way_back(proving.hand_off(alice.client, WORK))).headers["Location"]
    proof = newest(alice.user)

    assert landing == reverse("accounts:proof", args=[proof.pk])
    assert ended(alice, proof) == ["The sign-in was not finished.", "You cancelled at Microsoft."]
    assert f'href="{WORK}"' in alice.client.get(landing).content.decode()


# -- Once -------------------------------------------------------------------------------------------------------------


def test_second_click_finds_it_done(alice: Visitor) -> None:
    signs_in(alice)
    first, second = (alice.client.post(confirm_of(alice)) for _ in range(2))

    assert second.headers["Location"] == LIST
    assert first.headers["Location"].startswith(f"{LIST}#account-")
    assert len(alice.entries) == 1
    # The way back by the browser's own button: to the landing, and from there to where another one begins.
    landing = alice.client.get(reverse("accounts:proof", args=[newest(alice.user).pk]))
    assert alice.client.get(landing.headers["Location"]).headers["Location"] == ADD


def test_second_click_at_a_code_finds_it_done(alice: Visitor) -> None:
    on = links_of(alice.client.get(signs_in(alice)))[1].partition("?")[2]
    led = alice.client.post(f"{reverse('accounts:add-link')}?{on}", {"link": LINK}).headers["Location"]
    ends = [alice.client.post(led, {"issuer": "Microsoft", "name": "a"}).headers["Location"] for _ in range(2)]

    assert ends == [f"{LIST}#account-{alice.entries[0].id}", LIST]
    assert len(alice.entries) == 1


@pytest.mark.parametrize("begin", [PERSONAL, WORK])
def test_account_that_is_there_is_not_added_by_another_tab(alice: Visitor, begin: str) -> None:
    signs_in(alice, begin)
    one = confirm_of(alice)
    again = signs_in(alice, begin)
    other = confirm_of(alice)

    alice.client.post(one)
    late = alice.client.post(other)
    anew = alice.client.get(again, follow=True)

    (entry,) = alice.entries
    assert headings(late) == headings(anew) == ["Already in your list"]
    assert reverse("accounts:account", args=[entry.id]) in late.content.decode()


def test_code_of_an_account_that_is_there_is_not_added(alice: Visitor) -> None:
    on = links_of(alice.client.get(signs_in(alice)))[1].partition("?")[2]
    led = alice.client.post(f"{reverse('accounts:add-link')}?{on}", {"link": LINK}).headers["Location"]
    signs_in(alice)
    alice.client.post(confirm_of(alice))

    page = alice.client.get(led)
    alice.client.post(led, {"issuer": "Another name", "name": "a"})

    assert headings(page) == ["Already in your list"]
    assert "You signed in to this account before. Nothing is added." in text_of(page)
    assert [entry.kind for entry in alice.entries] == [Kind.PERSONAL_PASSWORDLESS]


# -- Trash, undo ------------------------------------------------------------------------------------------------------


def added_with_code(visitor: Visitor) -> Entry:
    """A personal account by sign-in and link."""
    on = links_of(visitor.client.get(signs_in(visitor)))[1].partition("?")[2]
    led = visitor.client.post(f"{reverse('accounts:add-link')}?{on}", {"link": LINK}).headers["Location"]
    visitor.client.post(led, {"issuer": "Microsoft", "name": "alice"})
    return visitor.entries[-1]


def added_by_name(visitor: Visitor, begin: str = PERSONAL) -> Entry:
    signs_in(visitor, begin)
    visitor.client.post(confirm_of(visitor))
    return visitor.entries[-1]


def to_trash(visitor: Visitor, entry: Entry) -> None:
    visitor.client.post(reverse("accounts:to-trash", args=[entry.id]))


def test_account_in_trash_is_not_put_back_beside_its_successor(alice: Visitor) -> None:
    first = added_by_name(alice, WORK)
    to_trash(alice, first)
    again = added_by_name(alice, WORK)
    alice.client.post(reverse("accounts:edit", args=[again.id]), {"issuer": "Job", "name": "me", "note": ""})
    events = alice.user.events.count()

    page = alice.client.post(reverse("accounts:put-back", args=[first.id]))

    assert "This account is in your list already: Job me . The one in Trash stays here." in text_of(page)
    assert f'<a href="{reverse("accounts:account", args=[again.id])}">' in page.content.decode()
    assert [entry.id for entry in alice.entries] == [again.id]
    assert [trashed.entry for trashed in vaults.read(alice.vault).trash] == [first]
    assert alice.user.events.count() == events
    assert "Job" not in repr(dict(alice.client.session))  # Sessions hold no names of accounts.


def test_account_in_trash_that_alone_has_the_code_comes_back_in_exchange(alice: Visitor) -> None:
    first = added_with_code(alice)
    to_trash(alice, first)
    again = added_by_name(alice)

    page = alice.client.post(reverse("accounts:put-back", args=[first.id]))
    to_trash(alice, again)
    alice.client.post(reverse("accounts:put-back", args=[first.id]))

    assert (
        "This account is in your list already, without a code: Microsoft alice@outlook.example . "
        "The one in Trash has a code and stays here. To use it, move the other to Trash, then put this one back."
    ) in text_of(page)
    assert alice.entries == (first,)
    assert [trashed.entry for trashed in vaults.read(alice.vault).trash] == [again]


def test_no_undo_brings_two_accounts_of_one_person(alice: Visitor) -> None:
    first = added_with_code(alice)
    to_trash(alice, first)
    again = added_by_name(alice)
    alice.client.post(reverse("accounts:put-back", args=[first.id]))
    to_trash(alice, again)
    alice.client.post(reverse("accounts:put-back", args=[first.id]))
    newest = alice.vault.row.version

    seen = []
    for version in range(newest, 1, -1):
        alice.client.post(reverse("accounts:undo", args=[version]), {"agreed": "1"})
        listed = vaults.read(alice.vault)
        seen.append(([entry.id for entry in listed], [trashed.entry.id for trashed in listed.trash]))

    assert seen == [
        ([], [first.id, again.id]),
        ([again.id], [first.id]),
        ([], [first.id]),
        ([first.id], []),
        ([], []),
    ]


# -- Whose, until when ------------------------------------------------------------------------------------------------


def test_proof_of_somebody_else_adds_nothing(alice: Visitor, bob: Visitor) -> None:
    back = signs_in(alice)
    proof = back.partition("proof=")[2]
    addresses = [back, confirm_of(alice), f"{reverse('accounts:add-other')}?proof={proof}"]

    answers = [bob.client.get(address, follow=True) for address in addresses]
    answers.append(bob.client.post(confirm_of(alice), follow=True))
    answers.append(bob.client.post(f"{reverse('accounts:add-link')}?proof={proof}", {"link": LINK}, follow=True))

    assert [(answer.redirect_chain[-1][0], TOO_OLD in text_of(answer)) for answer in answers] == [(ADD, True)] * 5
    assert ["alice@outlook" in text_of(answer) for answer in answers] == [False] * 5
    assert (alice.entries, bob.entries) == ((), ())


def test_after_five_minutes_another_sign_in_is_asked_for(alice: Visitor) -> None:
    back = signs_in(alice)
    on = links_of(alice.client.get(back))[1].partition("?")[2]
    led = alice.client.post(f"{reverse('accounts:add-link')}?{on}", {"link": LINK}).headers["Location"]

    with time_machine.travel(timezone.now() + timedelta(seconds=302)):
        answers = [
            alice.client.get(back, follow=True),
            alice.client.get(confirm_of(alice), follow=True),
            alice.client.post(confirm_of(alice), follow=True),
            alice.client.get(f"{reverse('accounts:add-hand')}?{on}", follow=True),
            alice.client.post(led, {"issuer": "Microsoft", "name": "a"}, follow=True),
        ]

    assert [(answer.redirect_chain[-1][0], TOO_OLD in text_of(answer)) for answer in answers] == [(ADD, True)] * 5
    assert alice.entries == ()


def test_rule_that_refuses_is_said_on_the_page(alice: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    @factories.rule
    def rule(user: object, act: Act, entry: Entry) -> None:
        raise policy.Refused("Accounts of this domain may not be kept here.")

    signs_in(alice)
    monkeypatch.setattr(policy, "RULES", [rule])

    page = alice.client.post(confirm_of(alice))

    assert "Accounts of this domain may not be kept here." in text_of(page)
    assert (page.status_code, alice.entries) == (200, ())


def test_full_list_says_so(alice: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    create_entry(on=alice)
    signs_in(alice)
    monkeypatch.setattr("accounts.vault.list.MAX_ENTRIES", 1)

    page = alice.client.post(confirm_of(alice))

    assert "Your list would hold 2 accounts; 1 are allowed" in text_of(page)


def test_account_by_name_is_renamed_noted_and_put_back_as_any_other(alice: Visitor) -> None:
    signs_in(alice)
    alice.client.post(confirm_of(alice))
    (entry,) = alice.entries

    alice.client.post(reverse("accounts:edit", args=[entry.id]), {"issuer": "Mine", "name": "alice", "note": "at home"})
    alice.client.post(reverse("accounts:to-trash", args=[entry.id]))
    pages = [alice.client.get(reverse("accounts:trash")), alice.client.get(reverse("accounts:order"))]
    alice.client.post(reverse("accounts:put-back", args=[entry.id]))

    assert [page.status_code for page in pages] == [200, 200]
    (back,) = alice.entries
    assert (back.called, back.note, back.identity) == (("mine", "alice"), "at home", entry.identity)
    assert an_entry(issuer="Mine", name="alice").clashes_with(back)
