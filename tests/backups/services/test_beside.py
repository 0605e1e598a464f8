"""One thing beside another: writing beside deleting, moving beside turning off, rotation beside both.

What a second request or `tidy` does meanwhile is done from inside the store's own calls, where it hurts most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as of_server
from django.urls import reverse
from django.utils import timezone

from accounts.models import Event, User
from accounts.services.activity import Tag
from accounts.vault.list import Protection
from backups.management.commands import tidy
from backups.models import Backup, Generation, Status
from backups.services import ending, finding, keeping, objects, recovery, retaining, rotation, switching
from backups.services.finding import NotOn, TimeOver
from backups.services.switching import NotKept
from backups.storage import Cause, DirectoryStore, StoreFailed
from tests import factories
from tests.backups import support
from tests.backups.support import FaultyStore, contents, newest, person, turn_on
from tests.factories import Visitor
from tests.pages import text

pytestmark = pytest.mark.django_db(transaction=True)

GRACE = timedelta(hours=24)
OTHER = "alice.other@icloud.example"


def add(visitor: Visitor, name: str = "new") -> None:
    factories.create_entry(on=visitor, name=name)


def deleted(backup: Backup) -> None:
    ending.off(backup, device=None, at=timezone.now())
    ending.delete_now(backup, device=None, at=timezone.now())


@pytest.fixture
def once(faulty: type[FaultyStore]) -> Iterator[Callable[[Callable[[], object]], None]]:
    """What is done at the next call of the store, and not again."""

    def done_once(act: Callable[[], object]) -> None:
        def called() -> None:
            faulty.on_call = None
            act()

        faulty.on_call = called

    yield done_once
    assert faulty.on_call is None  # It was done.


# -- Writing beside writing -------------------------------------------------------------------------------------------


def test_copy_that_another_read_back_well_is_not_taken_from_under_it(
    alice_phone: Visitor, faulty: type[FaultyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back spoilt by the one who wrote it, and well by `tidy` beside: it counts, so it stays."""
    backup, at, real = turn_on(alice_phone), timezone.now(), FaultyStore.fetch
    read: list[str] = []
    sent: list[int] = []

    def fetch(self: FaultyStore, name: str) -> bytes:
        read.append(name)
        if len(read) == 1:
            sent.append(keeping.retry(at + timedelta(seconds=1)))
            return b"spoilt on the way"
        return real(self, name)

    monkeypatch.setattr(FaultyStore, "fetch", fetch)
    add(alice_phone)

    backup.refresh_from_db()
    assert sent == [1]
    assert (backup.status(timezone.now()), len(support.stored())) == (Status.PROTECTED, 2)
    assert [entry.name for entry in contents(newest(backup)).entries] == ["new"]


# -- Writing beside deleting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["the answer is lost", "removing it fails"])
def test_write_that_arrives_after_all_was_deleted_is_cleared_away_too(
    fails: str, alice_phone: Visitor, faulty: type[FaultyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, at, real, begun = turn_on(alice_phone), timezone.now(), FaultyStore.create, []
    left: list[list[str]] = []

    def create(self: FaultyStore, name: str, data: bytes) -> None:
        if not begun:
            begun.append(name)
            deleted(backup)
            left.append(support.stored())
            real(self, name, data)
            if fails == "the answer is lost":
                raise StoreFailed(Cause.UNREACHABLE)
            faulty.next("remove", Cause.UNREACHABLE)
            return
        real(self, name, data)

    monkeypatch.setattr(FaultyStore, "create", create)
    add(alice_phone)
    late = support.stored()
    tidy.tidy(at + timedelta(minutes=6))

    assert (left, len(late), support.stored()) == ([[]], 1, [])
    assert (Backup.objects.exclude(stream="").count(), Event.objects.filter(tag=Tag.BACKUP_DELETED).count()) == (0, 1)


def test_what_passes_under_another_key_while_it_is_deleted_is_deleted(
    alice_phone: Visitor, rotate: Callable[[], None], once: Callable[[Callable[[], object]], None]
) -> None:
    backup = turn_on(alice_phone)
    ending.off(backup, device=None, at=timezone.now())
    rotate()
    once(lambda: rotation.rewrap())

    ending.delete_now(backup, device=None, at=timezone.now())

    assert support.stored() == []


def test_older_ones_that_passed_under_another_key_are_not_said_to_be_deleted(
    alice_phone: Visitor, rotate: Callable[[], None]
) -> None:
    backup = turn_on(alice_phone)
    add(alice_phone)
    older = list(backup.generations.order_by("sequence")[:1])  # As the request read them.
    rotate()
    rotation.rewrap()

    with pytest.raises(StoreFailed):
        ending.delete_older(backup, older, device=None, at=timezone.now())

    assert (len(support.stored()), Generation.objects.count()) == (2, 2)
    ending.delete_older(backup, backup.generations.order_by("sequence")[:1], device=None, at=timezone.now())
    assert (len(support.stored()), Generation.objects.count()) == (1, 1)


def test_store_that_says_removed_and_removes_nothing_is_not_believed(
    alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = turn_on(alice_phone)
    ending.off(backup, device=None, at=timezone.now())
    monkeypatch.setattr(DirectoryStore, "remove", lambda self, name: True)

    with pytest.raises(StoreFailed):
        ending.delete_now(backup, device=None, at=timezone.now())

    assert not Event.objects.filter(tag=Tag.BACKUP_DELETED).exists()


@pytest.mark.parametrize("act", ["turn on", "back up", "undo", "check", "move", "accept"])
def test_backup_that_is_deleted_meanwhile_is_off_and_no_error(
    act: str,
    alice_phone: Visitor,
    faulty: type[FaultyStore],
    once: Callable[[Callable[[], object]], None],
) -> None:
    at = timezone.now()
    backup = turn_on(alice_phone) if act != "turn on" else None

    def goes() -> None:
        for one in Backup.objects.exclude(stream="").filter(left_at=None):
            deleted(one)
        Backup.objects.exclude(left_at=None).delete()

    acts: dict[str, Callable[[], Any]] = {
        "turn on": lambda: turn_on(alice_phone),
        "back up": lambda: switching.back_up(alice_phone.vault, at=at),
        "undo": lambda: ending.undo(backup, device=None, at=at, vault=alice_phone.vault),  # type: ignore[arg-type]
        "move": lambda: switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at),
        "check": lambda: keeping.check(backup, at=at),  # type: ignore[arg-type]
        "accept": lambda: ending.accept(backup, device=None, at=at),  # type: ignore[arg-type]
    }
    if act == "back up":
        faulty.next("create", Cause.FULL)
        add(alice_phone)
    if act == "undo":
        ending.off(backup, device=None, at=at)  # type: ignore[arg-type]
        add(alice_phone)
    if act == "accept":
        goes()
    else:
        once(goes)

    if act == "check":
        assert acts[act]() is False
    else:
        with pytest.raises((NotOn, TimeOver, NotKept)):
            acts[act]()
    assert finding.of(alice_phone.vault.row).stream == ""  # type: ignore[union-attr]


def test_page_of_a_check_that_finds_it_deleted_says_so(
    alice_phone: Visitor, once: Callable[[Callable[[], object]], None]
) -> None:
    backup = turn_on(alice_phone)
    once(lambda: deleted(backup))

    page = alice_phone.client.post(reverse("backups:check"), follow=True)

    assert page.redirect_chain == [(reverse("backups:status"), 303)]
    assert "Not backed up." in text(page)
    assert "Read back and found whole." not in page.content.decode()


# -- Moving beside turning off ----------------------------------------------------------------------------------------


def test_move_beside_off_leaves_nothing_of_the_new_one(
    alice_phone: Visitor, once: Callable[[Callable[[], object]], None]
) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    once(lambda: ending.off(old, device=None, at=at))

    with pytest.raises(NotOn):
        switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)

    assert finding.former(alice_phone.vault.row, at=at) == []
    ending.expire(at)
    assert support.streams() == {old.stream}


def test_move_that_took_so_long_that_it_was_cleared_away_is_none(
    alice_phone: Visitor, faulty: type[FaultyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, at, real = turn_on(alice_phone), timezone.now(), keeping.send

    def send(new: Backup, *, at: Any) -> bool:
        sent = real(new, at=at)
        ending.expire(at + timedelta(minutes=6))  # By `tidy`, while this machine stood still.
        return sent

    monkeypatch.setattr(keeping, "send", send)

    with pytest.raises(NotKept):
        switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)

    old.refresh_from_db()
    assert (old.is_on, old.vault, support.streams()) == (
        True,
        alice_phone.vault.row,
        {old.stream},
    )


def test_records_that_were_put_back_lose_nothing_by_turning_on(alice_phone: Visitor) -> None:
    """Of an Undo since then they know nothing: what is newer in the store than they are is kept."""
    backup, at = turn_on(alice_phone), timezone.now()
    ending.off(backup, device=None, at=at)
    newer = support.put_there(backup, 9)

    again = turn_on(alice_phone, at=at + GRACE)
    ending.expire(at + GRACE + timedelta(seconds=1))

    assert (again.stream, newer in support.stored(), again.is_on) == (backup.stream, True, True)


# -- A store that is slow, refuses or lies ----------------------------------------------------------------------------


def test_deletes_that_fail_cost_a_change_one_try(alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch, faulty) -> None:
    turn_on(alice_phone)
    asked: list[str] = []

    def remove(self: FaultyStore, name: str) -> bool:
        asked.append(name)
        raise StoreFailed(Cause.UNREACHABLE)

    monkeypatch.setattr(FaultyStore, "remove", remove)
    for number in range(9):
        asked.clear()
        add(alice_phone, f"account {number}")

    assert len(asked) == 1


def test_backup_that_the_store_keeps_holds_back_no_other(
    alice_phone: Visitor, faulty: type[FaultyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that fails after a while: the next time another one is first."""
    hers, at = turn_on(alice_phone), timezone.now()
    bob = factories.enrolled("zed@example.org", name="Pixel", type="ios")
    his = switching.turn_on(bob.vault, person("zed@icloud.example"), Protection.SIGN_IN, at=at)
    for backup in (hers, his):
        ending.off(backup, device=None, at=at)
    real = FaultyStore.remove

    def remove(self: FaultyStore, name: str) -> bool:
        if hers.stream in name:
            time.sleep(1.05)
            raise StoreFailed(Cause.UNREACHABLE)
        return real(self, name)

    monkeypatch.setattr(FaultyStore, "remove", remove)
    for number in range(3):
        with pytest.raises(retaining.NotAllDone):
            ending.expire(at + GRACE + timedelta(seconds=30 * number))

    assert support.streams() == {hers.stream}


def test_rotation_that_the_store_breaks_off_is_gone_on_with(
    alice_phone: Visitor, rotate: Callable[[], None], faulty: type[FaultyStore]
) -> None:
    turn_on(alice_phone)
    add(alice_phone)
    rotate()
    faulty.next("fetch", *[Cause.FULL] * 2)
    assert rotation.rewrap().failed == 2
    mark = of_server.DATA_DIR / "rewrap.lock"

    assert mark.stat().st_size
    assert rotation.finish(timezone.now()) == 2
    assert (mark.stat().st_size, rotation.finish(timezone.now())) == (0, 0)
    assert {name[-12:] for name in support.stored()} == {"00000002.awb"}


def test_rotation_by_tidy_leaves_off_when_its_time_is_over(
    alice_phone: Visitor, rotate: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_on(alice_phone)
    add(alice_phone)
    rotate()
    monkeypatch.setattr(rotation, "_A_LITTLE", timedelta(seconds=-1))
    (of_server.DATA_DIR / "rewrap.lock").write_bytes(b"begun\n")

    assert rotation.finish(timezone.now()) == 0
    assert (of_server.DATA_DIR / "rewrap.lock").stat().st_size
    monkeypatch.undo()
    assert rotation.finish(timezone.now()) == 2


def test_listing_of_what_was_not_asked_for_tells_nothing(alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    turn_on(alice_phone)
    theirs = support.stored()
    monkeypatch.setattr(DirectoryStore, "names", lambda self, prefix="": iter(theirs))

    assert recovery.found(person("mallory@icloud.example"), "ios", at=timezone.now()) == []
    assert len(recovery.found(person(), "ios", at=timezone.now())) == 1


def test_clearing_names_a_stream() -> None:
    with pytest.raises(ValueError, match="^$"):
        objects.clear(bytes(32), "")


# -- People who leave -------------------------------------------------------------------------------------------------


def test_nobody_is_forgotten_while_something_of_theirs_may_lie_in_the_store(
    alice_phone: Visitor, faulty: type[FaultyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first state lies there and its answer was lost; then the store is away while the person's time comes."""
    at, real = timezone.now(), FaultyStore.create

    def create(self: FaultyStore, name: str, data: bytes) -> None:
        real(self, name, data)
        raise StoreFailed(Cause.UNREACHABLE)

    def away(self: FaultyStore, prefix: str = "") -> Any:
        raise StoreFailed(Cause.UNREACHABLE)

    monkeypatch.setattr(FaultyStore, "create", create)
    backup = turn_on(alice_phone)
    ending.off(backup, device=None, at=at)
    monkeypatch.setattr(FaultyStore, "names", away)
    with pytest.raises(StoreFailed):
        ending.delete_now(backup, device=None, at=at)
    User.objects.filter(pk=alice_phone.user.pk).update(deletes_at=at)

    failed = tidy.tidy(at + timedelta(minutes=1))
    stays = User.objects.filter(pk=alice_phone.user.pk).exists()
    monkeypatch.undo()
    tidy.tidy(at + timedelta(hours=1))

    assert ("people who leave" in failed, stays) == (True, True)
    assert (support.stored(), User.objects.filter(pk=alice_phone.user.pk).exists()) == ([], False)
