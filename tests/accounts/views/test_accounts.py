"""The pages of the list: what they show, what they change, what they keep from strangers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.urls import reverse

from accounts.models import Event, VaultState
from accounts.services import policy, vaults
from accounts.services.activity import Tag
from accounts.vault.entry import Algorithm, Entry, Type
from tests import factories
from tests.factories import SECRET, Visitor, create_entry

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
LIST = reverse("accounts:list")


def oracle(at: datetime, *, period: int = 30, digits: int = 6) -> str:
    """The code of an independent implementation."""
    return TOTP(SECRET, digits, SHA1(), period, enforce_key_length=False).generate(int(at.timestamp())).decode()  # noqa: S303


def shown(html: str) -> dict[str, str]:
    """Codes by the names of their rows."""
    rows = re.findall(r'<li class="row.*?</li>', html, re.S)
    found = {}
    for row in rows:
        name = re.sub(r"<[^>]+>", "", re.search(r'class="name">(.*?)</bdi>', row, re.S)[1])  # type: ignore[index]
        code = re.search(r'<span class="code"[^>]*>(.*?)</span>\s*<span class="slot">', row, re.S)
        found[name] = re.sub(r"<[^>]+>", "", code[1]) if code else ""
    return found


def listed(visitor: Visitor, address: str = LIST) -> dict[str, str]:
    """What the list shows in this browser."""
    return shown(visitor.client.get(address).content.decode())


# -- Who sees the list ------------------------------------------------------------------------------------------------


def test_list_is_shown_only_where_a_slot_opens_it(alice_phone: Visitor, mallory_removed: Visitor, bob: Visitor) -> None:
    with time_machine.travel(NOON, tick=False):
        create_entry(on=alice_phone, name="alice@example.org")

        assert listed(alice_phone) == {"alice@example.org": oracle(NOON)}
        assert listed(bob) == {}
        assert mallory_removed.client.get(LIST).headers["Location"] == reverse("accounts:open")


def test_person_without_a_list_sets_up_this_device(alice: Visitor) -> None:
    assert alice.client.get(LIST).headers["Location"] == reverse("accounts:start")


def test_browser_without_the_key_is_told_so_and_not_enrolled(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    answer = alice_elsewhere.client.get(LIST, follow=True)

    assert answer.redirect_chain == [(reverse("accounts:open"), 302)]
    assert "Open your list on this browser" in answer.content.decode()
    assert [name for name in answer.cookies if "device" in name] == []
    assert alice_phone.user.devices.count() == 1


# -- Codes ------------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-38")
@pytest.mark.parametrize(("period", "changes"), [(30, [30, 60, 90]), (60, [60, 120, 180]), (45, [45, 90, 135])])
def test_code_changes_at_each_boundary_of_its_own_period(alice_phone: Visitor, period: int, changes: list[int]) -> None:
    create_entry(on=alice_phone, name="a", period=period)
    start = datetime.fromtimestamp(int(NOON.timestamp()) // 180 * 180, tz=UTC)

    for boundary in changes:
        begins = int(start.timestamp()) // period * period + boundary // period * period
        for second in (begins - 1, begins):
            at = datetime.fromtimestamp(second, tz=UTC)
            with time_machine.travel(at, tick=False):
                assert listed(alice_phone) == {"a": oracle(at, period=period)}
    assert oracle(start, period=period) != oracle(start + timedelta(seconds=period), period=period)


def test_steam_and_eight_digits_are_shown_as_they_are(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="eight", digits=8)
    create_entry(on=alice_phone, name="sha", algorithm=Algorithm.SHA256)
    create_entry(on=alice_phone, name="steam", type=Type.STEAM)

    with time_machine.travel(NOON, tick=False):
        codes = listed(alice_phone)

    assert codes["eight"] == oracle(NOON, digits=8)
    assert codes["sha"] != oracle(NOON)
    assert re.fullmatch("[2-9BCDFGHJKMNPQRTVWXY]{5}", codes["steam"])


def test_page_carries_codes_of_five_minutes_and_the_server_time(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="a")

    with time_machine.travel(NOON, tick=False):
        html = alice_phone.client.get(LIST).content.decode()

    codes = "".join(oracle(NOON + timedelta(seconds=30 * number)) for number in range(11))
    assert f'data-now="{NOON.timestamp():.3f}"' in html
    assert f'data-account="{entry.id}"' in html
    assert f'data-codes="{codes}"' in html


def test_refresh_gives_codes_from_an_instant_by_id_and_no_row(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="a")
    create_entry(on=alice_phone, name="counter", type=Type.HOTP)
    since = int(NOON.timestamp()) + 240

    with time_machine.travel(NOON, tick=False):
        answer = alice_phone.client.get(f"{reverse('accounts:codes')}?from={since}").json()

    codes = "".join(oracle(NOON + timedelta(seconds=second)) for second in (240, 270, 300))
    assert answer == {"now": NOON.timestamp(), "version": 3, "codes": {entry.id: [since // 30, codes]}}


@pytest.mark.parametrize("since", ["", "x", "-1", "1e9", "9" * 40, "٣", "0"])
def test_refresh_from_nonsense_begins_now(alice_phone: Visitor, since: str) -> None:
    entry = create_entry(on=alice_phone, name="a")

    with time_machine.travel(NOON, tick=False):
        answer = alice_phone.client.get(reverse("accounts:codes"), {"from": since}).json()

    assert answer["codes"][entry.id][0] == int(NOON.timestamp()) // 30


def test_hidden_codes_are_not_drawn(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")
    alice_phone.user.hide_codes = True
    alice_phone.user.save()

    assert listed(alice_phone) == {"a": "••••••"}


# -- Search -----------------------------------------------------------------------------------------------------------


def test_search_without_script_finds_by_site_and_name(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    create_entry(on=alice_phone, issuer="Fastmail", name="alice@verein")

    found = [sorted(listed(alice_phone, f"{LIST}?q={query}")) for query in ("git", "ALICE", "verein fast", "nobody")]

    assert found == [["alice"], ["alice", "alice@verein"], ["alice@verein"], []]


def test_search_without_hit_says_so_and_offers_to_clear(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)

    html = alice_phone.client.get(f"{LIST}?q=nobody").content.decode()

    assert re.findall(r'<p class="no-match">([^<]*)</p>', html) == ["No account matches"]


def test_search_is_not_compressed_with_what_was_typed(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)

    answers = [
        alice_phone.client.get(address, headers={"Accept-Encoding": "br"}).headers.get("Content-Encoding")
        for address in (LIST, f"{LIST}?q=a")
    ]

    assert answers == ["br", None]


# -- One account ------------------------------------------------------------------------------------------------------


def test_account_page_shows_code_and_never_the_key(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, issuer="GitHub", name="alice", note="the old tablet too")

    with time_machine.travel(NOON, tick=False):
        html = alice_phone.client.get(reverse("accounts:account", args=[entry.id])).content.decode()

    assert "the old tablet too" in html
    assert "Ends at 12:00:30." in html
    for spelling in ("GEZDGNBVGY3TQOJQ", "12345678901234567890", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"):
        assert spelling not in html


def test_account_of_another_person_is_404_like_no_account_at_all(alice_phone: Visitor, bob: Visitor) -> None:
    entry = create_entry(on=bob)

    answers = [alice_phone.client.get(reverse("accounts:account", args=[id])) for id in (entry.id, "0" * 32)]

    assert [answer.status_code for answer in answers] == [404, 404]
    pages = [re.sub(r'value="[A-Za-z0-9]{64}"', "", answer.content.decode()) for answer in answers]
    assert pages[0] == pages[1]
    assert bob.client.get(reverse("accounts:account", args=[entry.id])).status_code == 200


def test_rename_keeps_the_code_and_the_place(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="old")
    create_entry(on=alice_phone, name="other")

    alice_phone.client.post(
        reverse("accounts:edit", args=[entry.id]), {"issuer": "New", "name": "new", "note": "line one\r\nline two"}
    )

    renamed = alice_phone.entries[0]
    assert (renamed.issuer, renamed.name, renamed.note) == ("New", "new", "line one\nline two")
    assert renamed.secret == entry.secret


def test_rename_into_an_account_that_is_there_is_refused(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="one")
    create_entry(on=alice_phone, name="two")

    answer = alice_phone.client.post(
        reverse("accounts:edit", args=[entry.id]), {"issuer": "Example", "name": "two", "note": ""}
    )

    assert answer.context["form"].errors == {
        "name": ["Another account of this name with the same key is in your list."]
    }
    assert [e.name for e in alice_phone.entries] == ["one", "two"]


@pytest.mark.parametrize("bad", ["a\u202eb", "a\x00b", "a\x07b", "x" * 257])
def test_rename_with_characters_that_cannot_be_shown_is_refused(alice_phone: Visitor, bad: str) -> None:
    entry = create_entry(on=alice_phone, name="one")

    answer = alice_phone.client.post(
        reverse("accounts:edit", args=[entry.id]), {"issuer": "Example", "name": bad, "note": ""}
    )

    assert answer.status_code == 200
    assert len(answer.context["form"].errors) == 1
    assert [e.name for e in alice_phone.entries] == ["one"]


def test_policy_is_asked_on_a_rename(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="one")

    @factories.rule
    def refuse(user: object, act: policy.Act, asked: Entry) -> None:
        if act is policy.Act.RENAME and asked.name == "two":
            raise policy.Refused("Not under that name.")

    policy.RULES.append(refuse)
    try:
        answer = alice_phone.client.post(
            reverse("accounts:edit", args=[entry.id]), {"issuer": "Example", "name": "two", "note": ""}
        )
    finally:
        policy.RULES.remove(refuse)

    assert answer.context["form"].errors == {"issuer": ["Not under that name."]}
    assert [e.name for e in alice_phone.entries] == ["one"]


def test_pinned_account_stands_first_and_keeps_its_place(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="one")
    two = create_entry(on=alice_phone, name="two")

    alice_phone.client.post(reverse("accounts:pin", args=[two.id]), {"pinned": "1"})
    pinned = list(listed(alice_phone))
    alice_phone.client.post(reverse("accounts:pin", args=[two.id]), {"pinned": "0"})

    assert pinned == ["two", "one"]
    assert list(listed(alice_phone)) == ["one", "two"]


def test_next_code_of_a_counter_is_saved_before_it_is_shown(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="bank", type=Type.HOTP)
    address = reverse("accounts:next-code", args=[entry.id])

    before = listed(alice_phone)
    row = alice_phone.client.post(address, headers={"HX-Request": "true", "HX-Target": f"account-{entry.id}"})
    page = alice_phone.client.post(address).content.decode()

    assert before == {"bank": ""}
    assert shown(row.content.decode()) == {"bank": "755224"}
    assert re.findall(r'aria-label="2 8 7 0 8 2"', page) == ['aria-label="2 8 7 0 8 2"']
    assert alice_phone.entries[0].counter == 2


# -- Order ------------------------------------------------------------------------------------------------------------


def test_order_is_saved_and_loses_nothing_added_meanwhile(alice_phone: Visitor) -> None:
    ids = [create_entry(on=alice_phone, name=name).id for name in ("a", "b", "c")]
    create_entry(on=alice_phone, name="added meanwhile")

    alice_phone.client.post(reverse("accounts:order"), {"id": [ids[2], "f" * 32, ids[0], ids[1], ids[1]]})

    assert [entry.name for entry in alice_phone.entries] == ["c", "a", "b", "added meanwhile"]


def test_order_by_buttons_works_without_script(alice_phone: Visitor) -> None:
    ids = [create_entry(on=alice_phone, name=name).id for name in ("a", "b", "c")]

    alice_phone.client.post(reverse("accounts:order"), {"move": ids[2], "by": "up"})
    alice_phone.client.post(reverse("accounts:order"), {"move": ids[0], "by": "up"})

    assert [entry.name for entry in alice_phone.entries] == ["a", "c", "b"]


def test_order_among_pinned_ones_stays_among_them(alice_phone: Visitor) -> None:
    ids = {name: create_entry(on=alice_phone, name=name, pinned=name in "bd").id for name in "abcd"}

    alice_phone.client.post(reverse("accounts:order"), {"move": ids["d"], "by": "up"})

    assert list(listed(alice_phone)) == ["d", "b", "a", "c"]


# -- Trash, undo ------------------------------------------------------------------------------------------------------


def test_trash_and_undo(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="a")

    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
    gone = alice_phone.entries
    page = alice_phone.client.get(LIST).content.decode()
    alice_phone.client.post(re.search(r'action="(/accounts/undo/\d+/)"', page)[1])  # type: ignore[index]

    assert gone == ()
    assert alice_phone.entries == (entry,)


def test_trash_is_put_back_at_its_place_or_deleted_for_good(alice_phone: Visitor) -> None:
    a, _, c = (create_entry(on=alice_phone, name=name) for name in "abc")
    for entry in (a, c):
        alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))

    alice_phone.client.post(reverse("accounts:put-back", args=[a.id]))
    asked = alice_phone.client.get(reverse("accounts:delete", args=[c.id]))
    still = len(vaults.read(alice_phone.vault).trash)
    alice_phone.client.post(reverse("accounts:delete", args=[c.id]))

    assert [entry.name for entry in alice_phone.entries] == ["a", "b"]
    assert [asked.status_code, still, len(vaults.read(alice_phone.vault).trash)] == [200, 1, 0]


def test_trash_page_says_when_an_account_goes(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="a")
    start = NOON - timedelta(days=5)
    with time_machine.travel(start, tick=False):
        alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
        html = alice_phone.client.get(reverse("accounts:trash")).content.decode()
    with time_machine.travel(start + timedelta(days=10), tick=False):
        alice_phone.client.get(LIST)  # The session is renewed.
    with time_machine.travel(start + timedelta(days=30, seconds=1), tick=False):
        later = alice_phone.client.get(reverse("accounts:trash")).content.decode()

    assert "Deleted for good on 19 December" in html
    assert "Nothing here." in later


def test_trash_shows_no_code(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="a")
    with time_machine.travel(NOON, tick=False):
        alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
        html = alice_phone.client.get(reverse("accounts:trash")).content.decode()

    assert oracle(NOON) not in html
    assert alice_phone.client.get(reverse("accounts:account", args=[entry.id])).headers["Location"] == LIST


def test_undo_that_takes_back_more_asks_first(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")
    create_entry(on=alice_phone, name="b")
    address = reverse("accounts:undo", args=[2])

    asked = alice_phone.client.post(address)
    unchanged = [entry.name for entry in alice_phone.entries]
    alice_phone.client.post(address, {"agreed": "1"})

    assert [sentence for sentence, _ in asked.context["changes"]] == ["1 account was added."]
    assert unchanged == ["a", "b"]
    assert alice_phone.entries == ()


def test_undo_of_nothing_says_so(alice_phone: Visitor) -> None:
    answer = alice_phone.client.post(reverse("accounts:undo", args=[99]), follow=True)

    assert [str(message) for message in answer.context["messages"]] == [
        "That can no longer be undone: the state before it is not kept any more."
    ]


def test_damaged_list_offers_its_last_good_state(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")
    create_entry(on=alice_phone, name="b")
    VaultState.objects.filter(version=3).update(sealed=b"\x01" * 5000)

    page = alice_phone.client.get(LIST).content.decode()
    alice_phone.client.post(reverse("accounts:mend"))

    assert "Your list is damaged" in page
    assert list(listed(alice_phone)) == ["a"]


def test_damaged_list_without_a_good_state_says_whom_to_ask(alice_phone: Visitor) -> None:
    VaultState.objects.update(sealed=b"\x01" * 5000)

    answers = [alice_phone.client.get(LIST), alice_phone.client.post(reverse("accounts:mend"))]

    for answer in answers:
        assert "Tell the operator of this server" in answer.content.decode()


# -- Activity ---------------------------------------------------------------------------------------------------------


def test_every_act_leaves_one_line_without_names(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, issuer="Sesame", name="ali-baba")
    before = Event.objects.count()
    client = alice_phone.client

    client.post(reverse("accounts:edit", args=[entry.id]), {"issuer": "Sesame", "name": "ali", "note": ""})
    client.post(reverse("accounts:edit", args=[entry.id]), {"issuer": "Sesame", "name": "ali", "note": "open"})
    client.post(reverse("accounts:pin", args=[entry.id]), {"pinned": "1"})
    client.post(reverse("accounts:to-trash", args=[entry.id]))
    client.post(reverse("accounts:put-back", args=[entry.id]))

    events = Event.objects.order_by("id")[before:]
    lines = [event.tag for event in events]
    everything = repr([event.__dict__ for event in events])
    assert lines == [
        Tag.ENTRY_RENAMED, Tag.ENTRY_NOTED, Tag.ENTRY_PINNED, Tag.ENTRY_TRASHED, Tag.ENTRY_PUT_BACK
    ]  # fmt: skip
    assert [word for word in ("Sesame", "ali", "open") if word in everything.replace("Alice's phone", "")] == []


def test_refresh_of_a_damaged_list_gives_no_codes_and_says_so(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    VaultState.objects.update(sealed=b"\x01" * 5000)

    answer = alice_phone.client.get(reverse("accounts:codes"))

    assert (answer.status_code, answer.json()) == (409, {})


def test_no_page_fails_over_a_damaged_list(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="a")
    create_entry(on=alice_phone, name="b")
    VaultState.objects.filter(version=3).update(sealed=b"\x01" * 5000)
    to_the_list = [
        reverse("accounts:account", args=[entry.id]),
        reverse("accounts:edit", args=[entry.id]),
        reverse("accounts:order"),
        reverse("accounts:trash"),
    ]

    answers = [alice_phone.client.get(address) for address in to_the_list]
    posted = alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
    settings = alice_phone.client.get(reverse("accounts:settings"))

    assert [answer.headers["Location"] for answer in (*answers, posted)] == [LIST] * 5
    assert settings.status_code == 200


def test_undo_over_a_damaged_state_says_it_cannot(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")
    create_entry(on=alice_phone, name="b")
    VaultState.objects.filter(version=2).update(sealed=b"\x01" * 5000)

    answer = alice_phone.client.post(reverse("accounts:undo", args=[3]), follow=True)

    assert [str(message) for message in answer.context["messages"]] == [
        "That can no longer be undone: the state before it is not kept any more."
    ]
    assert [entry.name for entry in alice_phone.entries] == ["a", "b"]
