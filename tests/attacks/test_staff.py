"""An administrator who looks at everything: people, devices, activity; never a secret, a name or an issuer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from accounts.models import Device, Event, KeySlot, User
from accounts.services import deletion
from tests import factories
from tests.attacks import canaries, crawler, life
from tests.attacks.canaries import NOTES, Searched
from tests.factories import Visitor

pytestmark = [pytest.mark.row("T39"), pytest.mark.django_db(transaction=True)]

SHOWN = {
    *("accounts.User", "accounts.Device", "accounts.Event", "accounts.BlockedDomain", "auth.Group"),
    *("backups.Person", "backups.Generation"),
}


@pytest.fixture
def staff() -> Visitor:
    """Who may do everything here, with a list of her own."""
    return factories.enrolled("root@example.org", name="Desk", type="computer", is_staff=True, is_superuser=True)


def links(html: str) -> set[str]:
    """Where a page of staff leads to, within staff's pages."""
    found = set()
    for part in html.replace("'", '"').split('href="')[1:]:
        address = part.partition('"')[0].replace("&amp;", "&")
        if address.startswith(("/admin/", "?")) and "logout" not in address and "jsi18n" not in address:
            found.add(address)
    return found


def walked(client: Client) -> Iterator[tuple[str, bytes]]:
    """Every page that staff reach by following links from the first, filters, orders and histories too.

    Once each, whichever list leads there: which one that was stands in the address, for the way back.
    """
    waiting, seen = ["/admin/"], {("/admin/", "")}
    while waiting:
        address = waiting.pop()
        answer = client.get(address)
        if answer.status_code != 200:
            continue
        yield address, crawler.body(answer)
        for link in links(answer.content.decode()):
            whole = f"{urlsplit(address).path}{link}" if link.startswith("?") else link
            query = parse_qsl(urlsplit(whole).query)
            combined = len(query) > 1 or any("." in value for name, value in query if name == "o")
            page = (urlsplit(whole).path, urlencode([one for one in query if one[0] != "_changelist_filters"]))
            if page not in seen and not combined and "/password" not in whole:
                seen.add(page)
                waiting.append(whole)


def asked(client: Client) -> Iterator[tuple[str, bytes]]:
    """The same pages by their addresses, searches and lookups across tables included."""
    petra = User.objects.get(email=life.EMAIL)
    rows: dict[str, list[object]] = {
        "accounts_user": [petra.pk],
        "accounts_device": list(Device.objects.values_list("pk", flat=True)),
        "accounts_event": list(Event.objects.values_list("pk", flat=True)),
        "account_emailaddress": [1, 2, 3],
    }
    for page in crawler.pages():
        if page.name.startswith("admin:") and page.name not in ("admin:logout", "admin:login"):
            table = page.name.removeprefix("admin:").rpartition("_")[0]
            values = {**crawler.NOBODYS, "content_type_id": _type_of_people()}
            # A list and the form of a new row name none: asked for once.
            for address in sorted(
                {page.address({**values, "object_id": row}) for row in rows.get(table, [petra.pk])[:40]}
            ):
                yield page.name, crawler.body(client.get(address))
    for lookup in (
        "vaults__states__sealed__contains=a",
        "devices__slots__wrapped__startswith=a",
        "password__startswith=md5",
        "verifier__contains=a",
        "user__password__startswith=md5",
        "authenticator__data__contains=secret",
    ):
        for page in ("admin:accounts_user_changelist", "admin:accounts_device_changelist"):
            answer = client.get(f"{reverse(page)}?{lookup}")
            assert answer.status_code in (302, 400), f"{page}?{lookup}: {answer.status_code}"
    for name in ("app_label=accounts&model_name=keyslot&field_name=vault", "app_label=mfa&model_name=authenticator"):
        answer = client.get(f"{reverse('admin:autocomplete')}?{name}")
        assert answer.status_code == 403


def _type_of_people() -> int:
    return int(ContentType.objects.get_for_model(User).pk)


@pytest.mark.article("G-24")
def test_staff_see_no_secret_no_name_and_no_issuer(staff: Visitor) -> None:
    lived = life.lived()
    factories.create_entry(on=staff, issuer="Site of staff", name="of staff")
    factories.backed_up(staff, who=factories.person("root@outlook-of-staff.example"))
    everything = {**canaries.TWENTY, **NOTES, **lived.own()}
    everything |= {f"slot {slot.pk}": bytes(slot.wrapped) for slot in KeySlot.objects.all()}
    everything |= {"recovery account": b"outlook-of-staff", "passkey": b"Keychain"}
    everything |= {f"verifier {device.pk}": bytes(device.verifier) for device in Device.objects.all()}

    pages = [*walked(staff.client), *asked(staff.client)]

    assert Searched.of(everything).hits(pages) == []
    assert len({name for name, _ in pages}) > 60
    told = [fact for facts in Event.objects.values_list("facts", flat=True) for fact in facts.values()]
    assert {"r…@outlook-of-staff.example", "Keychain"} <= {str(fact) for fact in told}
    # The control: what staff may see is found by the same walk.
    assert Searched.of({"device": escape("Petra's phone").encode(), "person": life.EMAIL.encode()}).hits(pages) != []


def test_staff_pages_know_these_tables_alone() -> None:
    """Sessions, seeds, recovery codes, key slots, lists: nobody looks at them here, whoever registers them."""
    assert {model._meta.label for model in admin.site._registry} == SHOWN


def test_hash_of_a_password_is_shown_to_nobody(staff: Visitor) -> None:
    page = staff.client.get(reverse("admin:accounts_user_change", args=[staff.user.pk])).content.decode()

    assert "root@example.org" in page
    assert staff.user.password not in page
    assert 'name="password"' not in page


def test_staff_remove_a_device_and_nothing_else(staff: Visitor, bob: Visitor) -> None:
    """The one act there is; its owner can undo it for a day. Nothing can be added, changed or deleted in a list."""
    factories.create_entry(on=bob, name="of bob")
    version = factories.vault_of(bob).version
    changes = reverse("admin:accounts_device_changelist")

    staff.client.post(changes, {"action": "remove_devices", "_selected_action": [str(bob.device.pk)]})
    refused = [
        staff.client.post(reverse(f"admin:accounts_{table}_{act}", args=arguments), {"name": "x"}).status_code
        for table, row in (("device", bob.device.pk), ("event", Event.objects.first().pk))
        for act, arguments in (("add", []), ("change", [row]), ("delete", [row]))
    ]

    assert Device.objects.get(pk=bob.device.pk).removed_at is not None
    assert refused == [403] * 6
    assert factories.vault_of(bob).version == version


def changed(user: User, other: User, **fields: str) -> int:
    """Who may change people sends the form of another person."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.post(reverse("admin:accounts_user_change", args=[other.pk]), fields).status_code


def test_staff_who_may_change_people_make_nobody_more_than_they_were(db: None) -> None:
    helper = factories.create_user("helper@example.org", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    chief = factories.create_user("chief@example.org", is_staff=True, is_superuser=True)

    answers = [changed(helper, helper, is_active="on", is_staff="on", is_superuser="on"), changed(helper, chief)]

    helper.refresh_from_db()
    chief.refresh_from_db()
    assert answers == [302, 403]
    assert [helper.is_superuser, chief.is_active, chief.is_superuser] == [False, True, True]


def test_staff_whose_sign_in_is_old_show_who_they_are_before_they_remove_a_device(staff: Visitor) -> None:
    factories.grown_stale(staff)

    answer = staff.client.get(reverse("admin:accounts_device_changelist"))

    assert answer.headers["Location"].startswith("/sign-in/")


PEOPLE = reverse("admin:accounts_user_changelist")


def acted(client: Client, action: str, *people: User) -> list[str]:
    """Choose an action for some people; what is said of it."""
    data = {"action": action, "_selected_action": [str(person.pk) for person in people]}
    answer = client.post(PEOPLE, data, follow=True)
    return [str(message) for message in answer.context["messages"]] if answer.context else [str(answer.status_code)]


def dates() -> dict[str, bool]:
    """Who will be deleted."""
    return {person.email.partition("@")[0]: person.deletes_at is not None for person in User.objects.all()}


@pytest.mark.article("G-29")
@pytest.mark.row("T47")
def test_staff_delete_people_by_the_same_path_with_the_same_day_to_undo(
    staff: Visitor, alice_phone: Visitor, bob: Visitor
) -> None:
    mail.outbox.clear()

    said = acted(staff.client, "delete_people", alice_phone.user, bob.user)
    asked, told = dates(), [message.to for message in mail.outbox]
    bob.client.post(reverse("accounts:delete-account-undo"))
    ends = User.objects.get(pk=alice_phone.user.pk).deletes_at
    early = deletion.expire(ends - timedelta(seconds=1))
    left = deletion.expire(ends)

    assert said == ["2 people will be deleted. Until then they and you can undo."]
    assert asked == {"alice": True, "bob": True, "root": False}
    assert told == [["alice@example.org"], ["bob@example.org"]]
    assert timedelta(hours=23, minutes=59) < ends - timezone.now() <= timedelta(hours=24)
    assert [early, left] == [0, 1]
    assert dates() == {"bob": False, "root": False}


@pytest.mark.article("G-29")
def test_staff_undo_what_they_or_the_person_asked_for(staff: Visitor, alice: Visitor) -> None:
    deletion.ask(alice.user, at=timezone.now())

    said = acted(staff.client, "keep_people", alice.user, staff.user)

    assert said == ["1 person stays."]
    assert dates() == {"alice": False, "root": False}


def test_who_is_being_deleted_is_shown_and_found(staff: Visitor, alice: Visitor, bob: Visitor) -> None:
    acted(staff.client, "delete_people", alice.user)

    found = staff.client.get(f"{PEOPLE}?deletes_at__isempty=0").content.decode()
    page = staff.client.get(reverse("admin:accounts_user_change", args=[alice.user.pk])).content.decode()

    assert ["alice@example.org" in found, "bob@example.org" in found] == [True, False]
    assert "Will be deleted" in page
    assert 'name="deletes_at' not in page


def helper(*rights: str) -> Visitor:
    """Staff with these rights over people, signed in a moment ago."""
    made = factories.visitor("helper@example.org", is_staff=True)
    made.user.user_permissions.set(Permission.objects.filter(codename__in=[f"{right}_user" for right in rights]))
    return made


def test_superuser_is_left_to_superusers(staff: Visitor, alice: Visitor) -> None:
    who = helper("view", "change", "delete")

    said = acted(who.client, "delete_people", staff.user, alice.user)
    asked = dates()
    deletion.ask(factories.create_user("second@example.org", is_superuser=True), at=timezone.now())
    kept = acted(who.client, "keep_people", User.objects.get(email="second@example.org"))

    assert said == [
        "1 person will be deleted. Until then they and you can undo.",
        "Superusers were left out: only a superuser can choose them.",
    ]
    assert asked == {"alice": True, "helper": False, "root": False}
    assert kept == ["0 people stay.", "Superusers were left out: only a superuser can choose them."]
    assert dates()["second"]


def test_last_superuser_is_refused_and_it_is_said(staff: Visitor) -> None:
    said = acted(staff.client, "delete_people", staff.user)

    assert said == [
        "0 people will be deleted. Until then they and you can undo.",
        "The last superuser stays. Make somebody else one first.",
    ]
    assert dates() == {"root": False}


def test_staff_without_the_right_to_delete_people_have_neither_act(alice: Visitor) -> None:
    who = helper("view", "change")

    acted(who.client, "delete_people", alice.user)
    page = who.client.get(PEOPLE).content.decode()

    assert [action in page for action in ("delete_people", "keep_people")] == [False, False]
    assert dates() == {"alice": False, "helper": False}


def test_staff_whose_sign_in_is_old_show_who_they_are_before_they_delete_a_person(
    staff: Visitor, alice: Visitor
) -> None:
    factories.grown_stale(staff)

    looked = staff.client.get(PEOPLE)
    data = {"action": "delete_people", "_selected_action": [str(alice.user.pk)]}
    posted = staff.client.post(PEOPLE, data)

    assert looked.headers["Location"].startswith("/sign-in/")
    assert [posted.status_code, posted.headers["Location"]] == [303, PEOPLE]
    assert dates() == {"alice": False, "root": False}
