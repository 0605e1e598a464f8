"""Cloud Backup is turned on and moved: the walk, its proof, "OK", and everybody who may not."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.models import SlotKind
from accounts.roles import Role
from accounts.services.identity import Purpose
from accounts.vault.entry import Kind
from backups.models import Backup, Cause, Generation, RecoveryAccount, Status
from backups.services import ending, finding
from backups.services.answers import Answer, Question
from tests import factories
from tests.backups.support import FaultyStore
from tests.factories import Visitor
from tests.pages import buttons, plain, text

pytestmark = pytest.mark.django_db(transaction=True)

ON, IPHONE, DONE, STATUS = (reverse(f"backups:{name}") for name in ("on", "iphone", "done", "status"))
ACCOUNT, SIGN_IN, UNDER_WAY = (reverse(f"backups:{name}") for name in ("account", "sign-in", "under-way"))
BEFORE, SINCE = datetime(2025, 8, 31, 23, 59, tzinfo=UTC), datetime(2025, 9, 1, tzinfo=UTC)
WALKED = {"icloud_backup": "on", "saved_to_icloud": "unseen", "keychain": "on"}


@pytest.fixture
def android(db: None) -> Visitor:
    """Alice at an Android phone, with two accounts in her list."""
    visitor = factories.enrolled("alice@example.org", name="Pixel 9", type="android")
    factories.create_entry(on=visitor, issuer="GitHub", name="alice")
    factories.create_entry(on=visitor, issuer="Contoso", name="alice@contoso.example", kind=Kind.WORK)
    return visitor


@pytest.fixture
def computer(db: None) -> Visitor:
    """Carol at a computer."""
    visitor = factories.enrolled("carol@example.org", name="Firefox on Linux", type="computer")
    factories.create_entry(on=visitor)
    return visitor


def ok(visitor: Visitor, proof: str, *, to: str = ON, **fields: str) -> HttpResponse:
    """ "OK" on the page of the protection."""
    data = {"proof": proof, "protection": "sign_in", "keep": "1", **fields}
    return visitor.client.post(to, data)


def rows() -> tuple[int, int]:
    """How many backups and saved states there are."""
    return Backup.objects.exclude(stream="").count(), Generation.objects.count()


# -- Android, computer ------------------------------------------------------------------------------------------------


@pytest.mark.article("S-24")
@pytest.mark.article("S-25")
@pytest.mark.article("S-26")
@pytest.mark.article("S-30")
@pytest.mark.article("S-19")
def test_android_goes_from_the_switch_straight_to_the_account(android: Visitor) -> None:
    settings = android.client.get(reverse("accounts:settings")).content.decode()
    group = settings.partition('<h2 class="group-label" id="backup">')[2].partition("<h2")[0]

    assert f'<form method="get" action="{ON}">' in group
    page = android.client.get(ON)
    assert "Step 1 of 3" in text(page)
    assert "Choose the recovery account" in text(page)
    assert "iCloud" not in text(page)
    assert android.client.get(IPHONE).headers["Location"] == ON


@pytest.mark.article("S-02")
@pytest.mark.article("S-07")
@pytest.mark.article("S-21")
@pytest.mark.article("S-28")
def test_page_of_the_account_says_what_is_carried_and_what_to_know(android: Visitor) -> None:
    page = android.client.get(ON)

    said = text(page)
    assert "Important. A backup made on this Android device can be restored on Android devices only." in said
    assert "Carries 2 accounts: 1 with code, 1 by name only" in said
    assert "GitHub alice Name and code Contoso alice@contoso.example Name only" in said
    assert "delete the existing backup and make a new one. “Change account” does both." in said
    assert "A work or school account cannot hold the backup." in said
    assert buttons(page) == ["Sign in with Microsoft"]
    assert 'type="checkbox"' not in page.content.decode()  # No picking of single accounts.


@pytest.mark.article("S-11")
@pytest.mark.article("S-27")
@pytest.mark.article("S-62")
@pytest.mark.article("G-06", "refused")
@pytest.mark.article("S-20")
@pytest.mark.parametrize("at", [BEFORE, SINCE])
@pytest.mark.parametrize(
    ("type", "before", "since"),
    [("android", ["microsoft"], ["microsoft"]), ("computer", ["microsoft", "apple"], ["microsoft", "apple"])]
    + [("ios", ["microsoft"], ["apple"])],
)
def test_provider_follows_type_and_date_and_work_is_never_offered(
    db: None, type: str, before: list[str], since: list[str], at: datetime
) -> None:
    with time_machine.travel(at, tick=False):
        visitor = factories.enrolled("dora@example.org", name="Hers", type=type)
        if type == "ios":
            visitor.client.post(IPHONE, WALKED)
        page = visitor.client.get(ON)
        refused = visitor.client.post(SIGN_IN, {"role": "entra"})
        offered = re.findall(r'name="role" value="(\w+)"', page.content.decode())

    assert offered == (before if at == BEFORE else since)
    assert (refused.status_code, refused.headers["Location"]) == (303, ON)


@pytest.mark.article("G-19", "allowed")
@pytest.mark.article("S-62", "allowed")
@pytest.mark.article("S-20")
@pytest.mark.article("S-22")
@pytest.mark.article("S-29")
def test_nothing_is_written_before_ok_and_the_first_state_is_proven_after_it(android: Visitor) -> None:
    to_provider = android.client.post(SIGN_IN, {"role": "microsoft"})
    asked = factories.begun()
    proof = factories.proven(android, who=factories.person("a.wunderlich@outlook.example"))
    page = android.client.get(f"{ON}?proof={proof}")
    before = rows()

    answer = ok(android, proof)

    assert 'http-equiv="refresh"' in to_provider.content.decode()
    assert (asked.purpose, asked.back) == (Purpose.RECOVERY_CHOOSE, ON)
    assert asked.target == str(android.vault.row.pk)
    assert "Restoring always asks for a sign-in to a.wunderlich@outlook.example." in text(page)
    assert before == (0, 0)
    assert answer.headers["Location"] == DONE
    assert "Backed up. 2 of 2 accounts Written, read back and compared." in text(android.client.get(DONE))
    assert rows() == (1, 1)
    backup = Backup.objects.get()
    assert (backup.status(timezone.now()), backup.whole, backup.named) == (Status.PROTECTED, 1, 1)


def test_looking_changes_nothing(android: Visitor) -> None:
    proof = factories.proven(android)
    for address in (ON, f"{ON}?proof={proof}", f"{ON}?proof={proof}&keep=1", IPHONE, DONE, ACCOUNT, STATUS):
        android.client.get(address)

    assert rows() == (0, 0)
    assert ok(android, proof).headers["Location"] == DONE  # The proof was only looked at.


@pytest.mark.article("S-49")
def test_continue_means_the_account_that_is_known_and_change_any_of_the_role(android: Visitor) -> None:
    backup = factories.backed_up(android, who=factories.person("a@outlook.example"))
    ending.off(backup, device=None, at=timezone.now())
    page = android.client.get(ON)

    android.client.post(SIGN_IN, {"for": "backup", "continue": "1"})
    known = factories.begun()
    android.client.post(SIGN_IN, {"for": "backup", "role": "microsoft"})
    another = factories.begun()

    assert buttons(page) == ["Undo", "Continue", "Change account"]
    assert "a…@outlook.example Microsoft personal account" in text(page)
    assert (known.purpose, bytes(known.expected), known.wanted) == (
        Purpose.RECOVERY_CONTINUE,
        bytes(backup.recovery_account.tag),  # type: ignore[union-attr]
        "a…@outlook.example",
    )
    assert (another.purpose, another.expected) == (Purpose.RECOVERY_CHOOSE, None)


@pytest.mark.article("S-48")
def test_on_again_within_the_time_goes_on_and_after_it_begins_afresh(android: Visitor) -> None:
    who, at = factories.person("a@outlook.example"), timezone.now()
    first = factories.backed_up(android, who=who)
    ending.off(first, device=None, at=at)

    ok(android, factories.proven(android, who=who))
    again = Backup.objects.get()
    ending.off(again, device=None, at=at)
    ending.expire(at + timedelta(hours=25))
    ok(android, factories.proven(android, who=who))

    assert (again.stream, again.deletes_at) == (first.stream, None)
    assert Backup.objects.get(left_at=None).stream not in ("", first.stream)
    assert {one.stream for one in Generation.objects.all()} == {Backup.objects.get(left_at=None).stream}


# -- The iPhone -------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-09")
@pytest.mark.article("S-12")
@pytest.mark.article("S-13")
@pytest.mark.article("S-14")
@pytest.mark.article("S-15")
@pytest.mark.article("S-16")
@pytest.mark.article("S-17")
@pytest.mark.article("G-05")
def test_iphone_walks_through_its_switches_first(alice_phone: Visitor) -> None:
    first = alice_phone.client.get(ON)
    page = alice_phone.client.get(first.headers["Location"])

    walk = page.content.decode().split('<ol class="walk">', 1)[1].split("</ol>", 1)[0]
    steps = [plain(step) for step in walk.split("<li>")[1:]]
    assert first.headers["Location"].startswith(IPHONE)
    assert [" ".join(step.split()[:6]) for step in steps] == [
        "In the iPhone's Settings, look for",
        "Tap iCloud backup. Is Back Up",
        "Tap Back.",
        "Under Saved to iCloud, look for",
        "Is the Authweb switch on? If",
        "Is iCloud Keychain on? Is iCloud",
        "Come back to this page.",
    ]
    assert steps[3].endswith("look for Authweb.")
    assert [step.count("I do not see it") for step in steps] == [0, 1, 0, 0, 1, 1, 0]
    assert "Authweb cannot see these switches." in text(page)
    assert "The iPhone itself is then not backed up; this backup is." in steps[1]


@pytest.mark.article("S-09", "refused")
@pytest.mark.article("S-10", "refused")
def test_open_question_is_answered_by_an_error_at_it_and_keychain_by_on_alone(alice_phone: Visitor) -> None:
    unanswered = alice_phone.client.post(IPHONE, {"icloud_backup": "on"})
    unseen = alice_phone.client.post(IPHONE, WALKED | {"keychain": "unseen"})
    refused = ok(alice_phone, factories.proven(alice_phone))

    assert [unanswered.content.decode().count(f'id="id_{name}_error"') for name in WALKED] == [0, 1, 1]
    assert "iCloud Keychain has to be on." in text(unseen)
    assert refused.headers["Location"].startswith(IPHONE)
    assert rows() == (0, 0)


@pytest.mark.article("S-09", "allowed")
@pytest.mark.article("S-17")
@pytest.mark.article("G-05")
def test_answers_are_kept_with_their_date_and_still_there_on_return(alice_phone: Visitor) -> None:
    at = datetime(2026, 5, 3, 12, 2, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        factories.grown_fresh(alice_phone)
        answer = alice_phone.client.post(IPHONE, WALKED)
        again = alice_phone.client.get(IPHONE).content.decode()

    assert answer.headers["Location"] == ON
    assert Backup.objects.get().switches == {
        Question.ICLOUD_BACKUP: [Answer.ON, at.isoformat()],
        Question.SAVED_TO_ICLOUD: [Answer.UNSEEN, at.isoformat()],
        Question.KEYCHAIN: [Answer.ON, at.isoformat()],
    }
    assert re.findall(r'name="(\w+)" value="(\w+)"[^>]*checked', again) == list(WALKED.items())


@pytest.mark.article("S-10")
@pytest.mark.article("G-04")
@pytest.mark.parametrize(
    ("at", "line", "asked"),
    [
        (BEFORE, "Coming soon: from September 2025 an iCloud account with iCloud Keychain is used instead.", 2),
        (SINCE, "Since September 2025 an iCloud account with iCloud Keychain is used for the backup.", 3),
    ],
)
def test_line_of_the_date_turns_at_midnight_utc(db: None, at: datetime, line: str, asked: int) -> None:
    with time_machine.travel(at, tick=False):
        visitor = factories.enrolled("ina@example.org", name="iPhone", type="ios")
        walk, status = visitor.client.get(IPHONE), visitor.client.get(STATUS)

    assert [line in text(page) for page in (walk, status)] == [True, True]
    assert walk.content.decode().count('value="unseen"') == asked


# -- Who can open it --------------------------------------------------------------------------------------------------


@pytest.mark.article("G-15")
def test_without_a_key_the_sign_in_is_chosen_and_ways_to_a_key_stand_below(android: Visitor) -> None:
    proof = factories.proven(android)
    page = android.client.get(f"{ON}?proof={proof}")

    said, html = text(page), page.content.decode()
    assert "The operator of this server can open this backup, and so your codes." in said
    assert "Or keep it closed to the operator:" in said
    assert re.findall(r'name="protection" value="(\w+)"( checked)?', html) == [("sign_in", " checked")]
    query = f"?next=backup&amp;proof={proof}&amp;keep=1"
    assert [f"{reverse(name)}{query}" in html for name in ("accounts:words-new", "accounts:passkey-new")] == [True] * 2


@pytest.mark.article("G-15")
@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ([SlotKind.WORDS], "Nothing stored opens this backup without your six words. The server sees them while"),
        ([SlotKind.PASSKEY], "Nothing stored opens this backup without your passkey. The server sees it while you"),
        (
            [SlotKind.WORDS, SlotKind.PASSKEY],
            "Nothing stored opens this backup without your six words or your passkey.",
        ),
    ],
)
def test_with_a_key_it_is_chosen_and_its_sentence_names_the_keys_there_are(
    android: Visitor, kinds: list[SlotKind], sentence: str
) -> None:
    for kind in kinds:
        factories.create_key(on=android, kind=kind, name="Key")
    page = android.client.get(f"{ON}?proof={factories.proven(android)}")

    chosen = re.findall(r'name="protection" value="(\w+)"( checked)?', page.content.decode())
    assert sentence in text(page)
    assert chosen == [("sign_in", ""), ("key", " checked")]
    ok(android, factories.proven(android), protection="key")
    assert Generation.objects.get().opens_with_sign_in is False


def test_key_that_nobody_holds_is_no_protection(android: Visitor) -> None:
    answer = ok(android, factories.proven(android), protection="key")

    assert "You hold no key yet." in text(answer)
    assert rows() == (0, 0)


def test_making_words_comes_back_to_the_walk_with_the_key_chosen(android: Visitor) -> None:
    proof = factories.proven(android)
    query = f"?next=backup&proof={proof}&keep=1"
    own = f"{reverse('accounts:words-own')}{query}"

    form = android.client.get(f"{reverse('accounts:words-new')}{query}").content.decode()
    drawn = android.client.post(f"{reverse('accounts:words-new')}{query}")
    made = android.client.post(own, {"words": "a long phrase of hers", "again": "a long phrase of hers"})

    assert query.replace("&", "&amp;") in form
    assert drawn.headers["Location"].endswith(query)
    assert made.headers["Location"] == f"{ON}?proof={proof}&keep=1&protection=key"
    chosen = android.client.get(made.headers["Location"]).content.decode()
    assert 'value="key" checked' in chosen


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "accounts:settings", ""])
def test_words_lead_nowhere_but_to_pages_of_a_table(android: Visitor, to: str) -> None:
    address = f"{reverse('accounts:words-own')}?next={to}&proof=x"

    made = android.client.post(address, {"words": "a long phrase of hers", "again": "a long phrase of hers"})

    assert made.headers["Location"] == reverse("accounts:keys")


def test_circle_is_named_and_wants_another_way_in(android: Visitor) -> None:
    who = factories.person("alice@outlook.example")
    factories.create_entry(on=android, issuer="Microsoft", name="Alice@Outlook.example")
    page = android.client.get(f"{ON}?proof={factories.proven(android, who=who)}")

    refused = ok(android, factories.proven(android, who=who))
    agreed = ok(android, factories.proven(android, who=who), saved_elsewhere="on")

    assert "You would need this list to get this list back." in text(page)
    assert "Save its recovery codes somewhere else first, then tick this." in text(refused)
    assert agreed.headers["Location"] == DONE


# -- A backup that is there already -----------------------------------------------------------------------------------


@pytest.mark.article("G-10")
def test_existing_backup_is_shown_first_and_never_replaced(android: Visitor) -> None:
    who = factories.person("a@outlook.example")
    other = factories.enrolled("other@example.org", name="Pixel 8", type="android")
    factories.create_entry(on=other)
    there = factories.backed_up(other, who=who)
    proof = factories.proven(android, who=who)

    page = android.client.get(f"{ON}?proof={proof}")
    unseen = ok(android, proof, keep="")
    kept = ok(android, proof)

    assert re.search(r"There is a backup of 1 account from ' Pixel 8 ', \d+ \w+ \d+\.", text(page))
    assert "Nothing here deletes or replaces it. What to do Restore from backup" in text(page)
    assert "Keep it and add a backup of this list" in text(page)
    assert unseen.headers["Location"] == f"{ON}?proof={proof}"
    assert kept.headers["Location"] == DONE
    there.refresh_from_db()
    assert (there.generations.count(), Backup.objects.exclude(stream="").count()) == (1, 2)


# -- A proof that is none ---------------------------------------------------------------------------------------------


@pytest.mark.article("S-51")
@pytest.mark.parametrize(
    ("proof", "cause", "sentence"),
    [
        ("", Cause.NO_SIGN_IN, "You are not signed in to the recovery account."),
        ("not-a-uuid", Cause.LOST, "The sign-in was not finished."),
        ("00000000-0000-0000-0000-000000000000", Cause.LOST, "The sign-in was not finished."),
    ],
)
def test_ok_without_a_proof_ends_on_the_page_of_its_cause(
    android: Visitor, proof: str, cause: Cause, sentence: str
) -> None:
    answer = ok(android, proof)

    page = android.client.get(answer.headers["Location"])
    assert "Something went wrong" in text(page)
    assert sentence in text(page)
    assert buttons(page) == ["Change account"]
    assert android.user.events.get(tag="backups:backup:failed").facts == {"cause": cause.value}
    assert rows() == (0, 0)


def test_proof_too_old_of_another_person_or_for_another_list_is_none(android: Visitor, computer: Visitor) -> None:
    old = factories.proven(android, at=timezone.now() - timedelta(minutes=5, seconds=1))
    others = factories.proven(computer)
    for_another = factories.proven(android, target="00000000-0000-0000-0000-000000000000")
    to_delete = factories.proven(android, purpose=Purpose.RECOVERY_DELETE)
    unfitting = factories.proven(android, who=factories.person(role=Role.APPLE))

    proofs = (old, others, for_another, to_delete, unfitting)
    pages = [android.client.get(f"{ON}?proof={proof}") for proof in proofs]
    answers = [ok(android, proof) for proof in proofs]

    assert ["The sign-in was not finished." in text(page) for page in pages] == [True] * 5
    assert [answer.headers["Location"].startswith("/backups/problem/AW-") for answer in answers] == [True] * 5
    assert rows() == (0, 0)


def test_eleventh_sign_in_is_refused_with_its_time(android: Visitor) -> None:
    with time_machine.travel(datetime(2026, 5, 3, 13, 52, tzinfo=UTC), tick=False):
        fresh = factories.enrolled("carol@example.org", name="Pixel", type="android")
        for _ in range(10):
            factories.proven(fresh)
        answer = fresh.client.post(SIGN_IN, {"role": "microsoft"}, follow=True)

    assert (
        "Ten sign-ins were begun within ten minutes. The next one is possible at 14:02 UTC." in answer.content.decode()
    )


# -- Twice, and who may not -------------------------------------------------------------------------------------------


def test_second_click_and_second_tab_come_to_one_outcome(android: Visitor) -> None:
    proof, tab = factories.proven(android), factories.proven(android)

    answers = [ok(android, proof), ok(android, proof), ok(android, tab)]

    assert [answer.headers["Location"] for answer in answers] == [DONE, STATUS, STATUS]
    assert rows() == (1, 1)
    assert android.user.events.filter(tag__startswith="backups:backup:").count() == 1
    assert [android.client.get(address).headers["Location"] for address in (ON, f"{ON}?proof={tab}")] == [STATUS] * 2


@pytest.mark.parametrize("moves", [False, True])
def test_clicks_at_once_come_to_one_outcome(android: Visitor, faulty: type[FaultyStore], *, moves: bool) -> None:
    """Whoever was second is led on, to where the first came; or, later than that, to how the backup stands."""
    faulty.on_call = lambda: time.sleep(0.1)
    if moves:
        factories.backed_up(android)
        Backup.objects.update(on_at=timezone.now() - timedelta(days=1))
    proof, address = factories.proven(android, who=factories.person("b@outlook.example")), ACCOUNT if moves else ON
    ready = Barrier(4)
    android.client.get(STATUS)  # The session takes another id where a list is first opened in it.

    def click(_: int) -> str:
        client = factories.tab(android)
        ready.wait(10)
        try:
            data = {"proof": proof, "protection": "sign_in", "keep": "1"}
            answer = client.post(address, data)
            for _ in range(600):
                if UNDER_WAY not in answer.headers["Location"]:
                    break
                waiting = client.get(answer.headers["Location"])
                answer = answer if waiting.status_code == 200 else waiting
                time.sleep(0.05)
            made = RecoveryAccount.objects.get(backups__vault__isnull=False)
            return f"{answer.headers['Location']} {made.label}"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(click, range(4)))

    led_to = {f"{DONE} b…@outlook.example"} | (set() if moves else {f"{STATUS} b…@outlook.example"})
    assert f"{DONE} b…@outlook.example" in found
    assert set(found) <= led_to
    assert Backup.objects.filter(deletes_at=None).exclude(stream="").count() == 1
    assert android.user.events.filter(tag=f"backups:backup:{'moved' if moves else 'on'}").count() == 1


def test_second_click_waits_while_the_first_is_under_way(android: Visitor, faulty: type[FaultyStore]) -> None:
    factories.backed_up(android)
    Backup.objects.update(on_at=timezone.now() - timedelta(days=1))
    proof = factories.proven(android, who=factories.person("b@outlook.example"))
    android.client.get(STATUS)  # The session takes another id where a list is first opened in it.
    tab, seen = factories.tab(android), []
    data = {"proof": proof, "protection": "sign_in", "keep": "1"}

    def click_again() -> None:
        faulty.on_call = None
        seen.append(tab.post(ACCOUNT, data))
        seen.append(tab.get(seen[0].headers["Location"]))

    faulty.on_call = click_again
    first = android.client.post(ACCOUNT, data)

    assert first.headers["Location"] == DONE
    assert UNDER_WAY in seen[0].headers["Location"]
    assert (seen[1].status_code, seen[1].headers["Refresh"]) == (200, "1")
    assert tab.get(seen[0].headers["Location"]).headers["Location"] == DONE


@pytest.mark.parametrize("address", [ON, ACCOUNT, IPHONE])
def test_stale_sign_in_asks_again_and_the_proof_comes_along(android: Visitor, address: str) -> None:
    factories.backed_up(android) if address == ACCOUNT else None
    proof = factories.proven(android)
    factories.grown_stale(android)

    get, post = android.client.get(f"{address}?proof={proof}"), android.client.post(f"{address}?proof={proof}", {})

    assert get.status_code == 302
    assert "/sign-in/reauthenticate/" in get.headers["Location"]
    assert f"proof%3D{proof}" in get.headers["Location"]
    assert (post.status_code, post.headers["Location"]) == (303, f"{address}?proof={proof}")


@pytest.mark.parametrize("name", ["on", "account", "iphone", "done", "protection", "older"])
def test_without_the_open_list_there_is_no_way_in(
    name: str, alice_elsewhere: Visitor, mallory_removed: Visitor
) -> None:
    address = reverse(f"backups:{name}")

    answers = [who.client.get(address) for who in (alice_elsewhere, mallory_removed)]

    assert [answer.headers["Location"] for answer in answers] == [reverse("accounts:open")] * 2


def test_person_who_leaves_turns_nothing_on(android: Visitor) -> None:
    proof = factories.proven(android)
    type(android.user).objects.filter(pk=android.user.pk).update(deletes_at=timezone.now() + timedelta(hours=1))

    answer = ok(android, proof)

    assert answer.headers["Location"] == reverse("accounts:list")
    assert rows() == (0, 0)


# -- Another account --------------------------------------------------------------------------------------------------


@pytest.mark.article("S-63")
@pytest.mark.article("G-36")
def test_change_of_account_is_one_act_and_the_former_backup_waits_for_undo(android: Visitor) -> None:
    old = factories.backed_up(android, who=factories.person("a@outlook.example"))
    android.client.post(SIGN_IN, {"for": "backup-account", "role": "microsoft"})
    back = factories.begun().back
    proof = factories.proven(android, who=factories.person("b@outlook.example"))
    page = android.client.get(f"{ACCOUNT}?proof={proof}")

    answers = [ok(android, proof, to=ACCOUNT), ok(android, proof, to=ACCOUNT)]

    assert back == ACCOUNT
    assert f'action="{ACCOUNT}?proof={proof}' in page.content.decode()
    assert [answer.headers["Location"] for answer in answers] == [DONE, DONE]
    assert "The backup under a…@outlook.example will be deleted on" in text(android.client.get(DONE))
    old.refresh_from_db()
    now = finding.of(android.vault.row)
    assert now is not None
    assert (now.recovery_account.label, old.vault, old.deletes_at is None) == ("b…@outlook.example", None, False)  # type: ignore[union-attr]
    assert Backup.objects.count() == 2


def test_account_of_a_backup_that_is_off_is_chosen_where_it_is_turned_on(android: Visitor) -> None:
    assert android.client.get(ACCOUNT).headers["Location"] == ON
