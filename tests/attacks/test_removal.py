"""What is removed, ended or spent stays so: whoever holds a browser tries to keep what its owner takes away."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from uuid import uuid4

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import arrivals, middleware
from accounts.models import Device, DeviceType, Draft, Vault
from accounts.services import codes, devices, vaults
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from accounts.vault.entry import Type
from tests import factories
from tests.factories import PASSWORD, Visitor, create_entry

LIST, DEVICES = reverse("accounts:list"), reverse("accounts:devices")


def without_its_key(visitor: Visitor) -> str:
    """Take the device's cookie out of a browser; the cookie."""
    name = arrivals.cookie_name(visitor.user.pk)
    value = str(visitor.client.cookies[name].value)
    del visitor.client.cookies[name]
    return value


def with_its_key(visitor: Visitor, value: str) -> Client:
    """Put it in again."""
    visitor.client.cookies[arrivals.cookie_name(visitor.user.pk)] = value
    return visitor.client


def undo(visitor: Visitor) -> object:
    """Press Undo beside the device."""
    assert visitor.device is not None
    return visitor.client.post(reverse("accounts:device-undo", args=[visitor.device.pk]))


def begin_separate_list(client: Client) -> object:
    """In a browser without a key."""
    form = {"device_id": str(uuid.uuid4()), "name": "x", "type": "android"}
    return client.post(reverse("accounts:separate"), form)


def test_session_that_has_opened_another_list_since_ends_with_its_first_device(alice_phone: Visitor) -> None:
    alice_phone.client.get(LIST)
    without_its_key(alice_phone)
    begin_separate_list(alice_phone.client)
    alice_phone.client.get(LIST)
    assert alice_phone.device is not None

    devices.remove(Device.objects.get(pk=alice_phone.device.pk), at=timezone.now(), by=None)

    assert alice_phone.client.get(DEVICES).headers["Location"].startswith(reverse("account_login"))


def test_session_that_changed_its_password_ends_with_its_device(alice_phone: Visitor) -> None:
    alice_phone.client.get(LIST)
    form = {"oldpassword": PASSWORD, "password1": "another long one 77", "password2": "another long one 77"}
    assert alice_phone.client.post(reverse("account_change_password"), form).status_code == 302
    assert alice_phone.client.get(LIST).status_code == 200
    assert alice_phone.device is not None

    devices.remove(Device.objects.get(pk=alice_phone.device.pk), at=timezone.now(), by=None)

    assert alice_phone.client.get(DEVICES).headers["Location"].startswith(reverse("account_login"))


def test_removed_browser_does_not_put_itself_back_by_leaving_its_key_out(mallory_removed: Visitor) -> None:
    key = without_its_key(mallory_removed)
    factories.grown_stale(mallory_removed)

    undo(mallory_removed)

    assert with_its_key(mallory_removed, key).get(LIST).headers["Location"] == reverse("accounts:open")
    assert Device.objects.get().removed_at is not None


def test_undo_with_a_fresh_sign_in_and_another_browser_is_an_undo(mallory_removed: Visitor) -> None:
    elsewhere = factories.at_another_browser(mallory_removed)
    assert mallory_removed.device is not None
    address = reverse("accounts:device-undo", args=[mallory_removed.device.pk])

    asked = elsewhere.client.get(address).content.decode()
    elsewhere.client.post(address)

    assert "Put back" in asked
    assert Device.objects.get().removed_at is None


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let something happen once, just before a request notes in its session which device opened the list."""

    def happens(act: Callable[[], object]) -> None:
        real, done = devices.remember, []

        def later(request: object) -> None:
            if not done:
                done.append(True)
                act()
            real(request)  # type: ignore[arg-type]

        monkeypatch.setattr(middleware.devices, "remember", later)

    return happens


def test_two_first_requests_at_once_leave_no_session_that_nobody_lists(
    alice_phone: Visitor, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    quicker = Client()
    for name, morsel in alice_phone.client.cookies.items():
        quicker.cookies[name] = morsel.value
    meanwhile(lambda: quicker.get(LIST))

    alice_phone.client.get(LIST)

    living = {
        client.cookies[settings.SESSION_COOKIE_NAME].value
        for client in (alice_phone.client, quicker)
        if client.get(LIST).status_code == 200
    }
    assert living == set(UserSession.objects.values_list("session_key", flat=True))


def test_request_under_way_brings_no_ended_session_back(
    alice_phone: Visitor, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    owner = factories.at_another_browser(alice_phone)
    meanwhile(lambda: owner.client.post(reverse("usersessions_list")))

    alice_phone.client.get(LIST)

    assert alice_phone.client.get(LIST).headers["Location"].startswith(reverse("account_login"))


def test_change_under_way_when_its_device_is_removed_is_not_made(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    opened = alice_phone.vault
    devices.remove(opened.device, at=timezone.now(), by=None)

    with pytest.raises(vaults.DeviceRemoved):
        vaults.change(opened, lambda a: a.pin(entry.id, True), tag=Tag.ENTRY_PINNED, at=timezone.now())

    assert [e.pinned for e in alice_phone.entries] == [False]


def test_counter_of_an_account_deleted_since_does_not_fall_by_undo(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, type=Type.HOTP, counter=5)
    at = timezone.now()

    def change(operation: vaults.Operation) -> int:
        vault = alice_phone.vault
        vaults.change(vault, operation, tag=Tag.LIST_ORDERED, at=at)
        return vault.row.version

    version = change(lambda a: a.pin(entry.id, True))
    first = codes.next_code(alice_phone.vault, entry.id, at=at)
    change(lambda a: a.trash_entry(entry.id, vaults.seconds(at)))
    change(lambda a: a.delete(entry.id))
    vaults.undo(alice_phone.vault, version, at=at, all_since=True)

    assert codes.next_code(alice_phone.vault, entry.id, at=at).step == first.step + 1


def test_what_is_said_to_one_person_is_carried_to_no_other(alice_phone: Visitor, bob: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))

    for name, morsel in alice_phone.client.cookies.items():
        if name not in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
            bob.client.cookies[name] = morsel.value

    assert "/accounts/undo/" not in bob.client.get(LIST).content.decode()
    assert "/accounts/undo/" in alice_phone.client.get(LIST).content.decode()


def test_device_that_came_back_while_tidy_ran_keeps_its_key(alice_phone: Visitor) -> None:
    """tidy reads which devices are over; one of them is put back before it comes to it."""
    at = timezone.now()
    assert alice_phone.device is not None
    devices.remove(alice_phone.device, at=at - settings.REMOVED_DEVICE_KEPT, by=None)
    read: list[str] = []

    def put_back_once_read(execute: Callable[..., object], sql: str, *rest: object) -> object:
        answer = execute(sql, *rest)
        if sql.startswith("SELECT") and not read:
            read.append(sql)
            Device.objects.update(removed_at=None)
        return answer

    with connection.execute_wrapper(put_back_once_read):
        shredded = devices.expire(at)

    assert [shredded, Device.objects.count()] == [0, 1]


def test_list_that_nothing_opens_any_more_goes_with_its_last_key(alice_phone: Visitor, bob: Visitor) -> None:
    assert alice_phone.device is not None
    devices.remove(alice_phone.device, at=timezone.now() - settings.REMOVED_DEVICE_KEPT, by=None)

    devices.expire(timezone.now())

    assert Vault.objects.get().user == bob.user


# -- No heaps ---------------------------------------------------------------------------------------------------------


def test_newest_drafts_of_a_device_are_kept_and_no_heap(alice_phone: Visitor) -> None:
    for number in range(12):
        link = f"otpauth://totp/x{number}?secret=JBSWY3DPEHPK3PXP"
        alice_phone.client.post(reverse("accounts:add-link"), {"link": link})

    assert Draft.objects.count() == 5


def test_lists_of_one_person_have_an_end(alice: Visitor) -> None:
    for number in range(devices.MOST_LISTS):
        devices.set_up(alice.user, NewDevice(uuid4(), str(number), DeviceType.IOS), at=timezone.now(), separate=True)

    answer = begin_separate_list(alice.client)

    assert answer.context["form"].non_field_errors() == [  # type: ignore[attr-defined]
        "You have 20 lists, as many as one person can keep. Remove a device of one first."
    ]
    assert Vault.objects.count() == devices.MOST_LISTS


def test_pictures_one_after_another_are_held_back(alice_phone: Visitor) -> None:
    address = reverse("accounts:add-picture")
    said = []
    for _ in range(21):
        answer = alice_phone.client.post(address, {"way": "picture", "pictures": [SimpleUploadedFile("a.png", b"x")]})
        said.append(answer.context["form"].errors["pictures"][0])

    assert said[-1] == "Too many pictures one after another. Wait a minute, then send them again."
    assert len(set(said[:-1])) == 1
