"""Staff see who is backed up, where, when and how much; no label, no name of a device, and nothing to press."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import SlotKind
from accounts.vault.list import Protection
from backups.services import ending, finding
from tests import factories
from tests.factories import Visitor
from tests.pages import plain

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE, STATES = reverse("admin:backups_person_changelist"), reverse("admin:backups_generation_changelist")


@pytest.fixture
def staff() -> Visitor:
    """Who may do everything here."""
    return factories.enrolled("root@example.org", name="Desk", type="computer", is_staff=True, is_superuser=True)


@pytest.fixture
def backed_up() -> Iterator[Visitor]:
    """Petra, whose list of one account is backed up and closed to the operator."""
    petra = factories.enrolled("petra@example.org", name="Petra's very own phone", type="android")
    factories.create_entry(on=petra, issuer="A site of hers", name="petra-at-the-site")
    factories.create_key(on=petra, kind=SlotKind.WORDS)
    factories.backed_up(petra, who=factories.person("petra@outlook.example"), protection=Protection.KEY)
    yield petra


def listed(staff: Visitor, address: str) -> str:
    """The table of a page."""
    html = staff.client.get(address).content.decode()
    return plain(html.partition('id="result_list"')[2].partition("</table>")[0])


def test_line_of_a_person_tells_state_provider_times_and_sizes(staff: Visitor, backed_up: Visitor) -> None:
    line = listed(staff, f"{PEOPLE}?q=petra")

    assert "petra@example.org Backed up Microsoft personal account" in line
    assert " 1 " in line
    assert "bytes" in line or "KB" in line
    ending.off(finding.every(backed_up.user)[0], device=None, at=timezone.now())
    assert "Backup will be deleted" in listed(staff, f"{PEOPLE}?q=petra")


def test_who_has_no_proven_backup_is_one_filter_away(staff: Visitor, backed_up: Visitor) -> None:
    factories.enrolled("nora@example.org", name="Phone", type="ios")

    found = {value: listed(staff, f"{PEOPLE}?proven={value}") for value in ("yes", "no")}

    assert [name in found["yes"] for name in ("petra@", "nora@", "root@")] == [True, False, False]
    assert [name in found["no"] for name in ("petra@", "nora@", "root@")] == [False, True, True]


def test_staff_read_no_label_no_device_and_no_account(staff: Visitor, backed_up: Visitor) -> None:
    one = finding.every(backed_up.user)[0].generations.get()
    addresses = (
        *(PEOPLE, STATES),
        reverse("admin:backups_person_change", args=[backed_up.user.pk]),
        reverse("admin:backups_generation_change", args=[one.pk]),
    )

    pages = [staff.client.get(address) for address in addresses]

    secrets = ("outlook.example", "very own phone", "A site of hers", "petra-at-the-site")
    assert [page.status_code for page in pages] == [200] * 4
    assert [word for word in secrets for page in pages if word in page.content.decode()] == []


def test_nothing_can_be_added_changed_or_deleted(staff: Visitor, backed_up: Visitor) -> None:
    one = finding.every(backed_up.user)[0].generations.get()
    addresses = [reverse(f"admin:backups_{table}_add") for table in ("person", "generation")]
    addresses += [
        reverse(f"admin:backups_{table}_delete", args=[pk])
        for table, pk in (("person", backed_up.user.pk), ("generation", one.pk))
    ]

    answers = [staff.client.post(address, {"post": "yes"}).status_code for address in addresses]

    assert answers == [403] * 4
    assert "/add/" not in staff.client.get(PEOPLE).content.decode()
    assert finding.every(backed_up.user)[0].generations.count() == 1


def test_only_staff_come_here(backed_up: Visitor) -> None:
    assert backed_up.client.get(PEOPLE).status_code in (302, 403)
