"""Settings and activity: what can be set is kept, what happened is seen by its owner alone."""

from __future__ import annotations

import csv
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Event
from accounts.services import activity, devices
from accounts.services.activity import Tag
from tests import factories
from tests.factories import Visitor, create_entry

ACTIVITY = reverse("accounts:activity")


def sentences(visitor: Visitor, address: str = ACTIVITY) -> list[str]:
    """What the page of activity says."""
    return [sentence for _, sentence, _, _ in visitor.client.get(address).context["lines"]]


@pytest.mark.parametrize("field", ["hide_codes", "show_next_code", "compact_rows", "group_digits"])
def test_each_way_to_show_codes_is_kept(alice_phone: Visitor, field: str) -> None:
    before = getattr(alice_phone.user, field)
    form = dict.fromkeys(("hide_codes", "show_next_code", "compact_rows", "group_digits"), "on")
    if before:
        del form[field]

    alice_phone.client.post(reverse("accounts:settings-codes"), form)

    alice_phone.user.refresh_from_db()
    assert getattr(alice_phone.user, field) is not before


def test_appearance_is_kept_and_shown(alice_phone: Visitor) -> None:
    alice_phone.client.post(reverse("accounts:settings-appearance"), {"theme": "dark", "time_zone": "Europe/Berlin"})

    page = alice_phone.client.get(reverse("accounts:settings")).content.decode()
    alice_phone.user.refresh_from_db()

    assert (alice_phone.user.theme, alice_phone.user.time_zone) == ("dark", "Europe/Berlin")
    assert 'data-theme="dark"' in page


def test_appearance_that_is_none_is_refused(alice_phone: Visitor) -> None:
    answer = alice_phone.client.post(
        reverse("accounts:settings-appearance"), {"theme": "neon", "time_zone": "Mars/Olympus"}
    )

    assert sorted(answer.context["form"].errors) == ["theme", "time_zone"]


def test_activity_is_seen_by_its_owner_newest_first(alice_phone: Visitor, bob: Visitor) -> None:
    create_entry(on=alice_phone)

    assert sentences(alice_phone) == ["1 account was added.", "This device was set up: Alice's phone."]
    assert sentences(bob) == ["This device was set up: Bob's computer."]


def test_activity_is_filtered_by_group(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)

    found = [sentences(alice_phone, f"{ACTIVITY}?group={group}") for group in ("list", "devices", "nonsense")]

    assert [len(lines) for lines in found] == [1, 1, 2]


def test_activity_has_pages(alice_phone: Visitor) -> None:
    for _ in range(60):
        activity.record(Tag.SIGNED_IN, user=alice_phone.user, at=timezone.now())

    counts = [len(sentences(alice_phone, f"{ACTIVITY}?page={page}")) for page in ("1", "2", "99", "x")]

    assert counts == [50, 11, 11, 50]


def test_activity_as_a_file_is_whole_and_no_spreadsheet_runs_it(alice_phone: Visitor) -> None:
    device = alice_phone.device
    assert device is not None
    devices.rename(device, "=HYPERLINK(1)", at=timezone.now())

    answer = alice_phone.client.get(reverse("accounts:activity-csv"))

    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert [row[2] for row in rows] == ["Device", "'=HYPERLINK(1)", "Alice's phone"]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="authweb-activity.csv"'


def test_trash_is_undone_from_the_activity(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))

    undo = [state for _, _, _, state in alice_phone.client.get(ACTIVITY).context["lines"]]
    alice_phone.client.post(reverse("accounts:undo", args=[undo[0]]))

    assert undo == [3, None, None]
    assert alice_phone.entries == (entry,)


def test_undo_is_offered_only_while_the_state_before_is_kept(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
    for number in range(11):
        create_entry(on=alice_phone, name=f"later {number}")

    undo = [state for _, _, _, state in alice_phone.client.get(ACTIVITY).context["lines"] if state]

    assert undo == []
    assert Event.objects.filter(tag=Tag.ENTRY_TRASHED).count() == 1


def test_line_names_who_did_it_and_nobody_twice(alice_phone: Visitor) -> None:
    laptop = factories.with_another_device(alice_phone, name="Laptop", type="computer")
    devices.remove(laptop.device, at=timezone.now(), by=alice_phone.device)

    lines = alice_phone.client.get(ACTIVITY).context["lines"]

    assert [(sentence, by) for _, sentence, by, _ in lines][0] == ("A device was removed: Laptop.", "Alice's phone")
    assert ("This device was set up: Alice's phone.", "") in [(sentence, by) for _, sentence, by, _ in lines]
