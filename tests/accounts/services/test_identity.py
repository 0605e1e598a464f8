"""Proofs as those use them who asked: looked at, spent once, gone in time; and who somebody is, as a fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts import checks
from accounts.models import Event, IdentityProof, User
from accounts.roles import Role, Way
from accounts.services import answers, identity, keyring
from accounts.services.activity import Tag
from accounts.services.answers import Answer
from accounts.services.identity import NotProven, Purpose, masked, name_tag, tag
from accounts.vault import keys
from backups.management.commands import tidy
from tests.factories import Visitor
from tests.proving import seed

ISSUER, UID, LABEL = "https://issuer.example/", "uid-of-alice", "alice@outlook.example"


def a_proof(user: User, *, at: datetime | None = None, **fields: Any) -> IdentityProof:
    """A proof that was proven at this time."""
    at = (at or timezone.now()).replace(microsecond=0)
    proof = seed(user, **fields)
    sealed = identity.sealed(proof, at, {"issuer": ISSUER, "uid": UID, "label": LABEL})
    state = {"state": "proven", "reason": "", "sealed_identity": sealed, "signed_in_at": at, "made_at": at}
    IdentityProof.objects.filter(pk=proof.pk).update(**state)
    proof.refresh_from_db()
    return proof


def use(user: User, **other: Any) -> dict[str, Any]:
    return {"user": user, "purpose": Purpose.RESTORE, "target": "target", **other}


# -- Looked at, and spent ---------------------------------------------------------------------------------------------


def test_proof_is_looked_at_often_and_spent_once(alice: Visitor) -> None:
    proof = a_proof(alice.user)

    looked = [identity.look(str(proof.pk), **use(alice.user)) for _ in range(2)]
    spent = identity.spend(proof.pk, **use(alice.user))

    assert looked == [spent, spent]
    assert (spent.role, spent.issuer, spent.uid, spent.label) == (Role.MICROSOFT, ISSUER, UID, LABEL)
    assert spent.signed_in_at == proof.signed_in_at
    for act in (identity.look, identity.spend):
        with pytest.raises(NotProven):
            act(proof.pk, **use(alice.user))


def test_proof_serves_one_person_one_purpose_one_target_and_all_others_are_answered_alike(
    alice: Visitor, bob: Visitor
) -> None:
    proof = a_proof(alice.user)
    wrong: list[tuple[object, dict[str, Any]]] = [
        (proof.pk, use(bob.user)),
        (proof.pk, use(alice.user, purpose=Purpose.RECOVERY_CHOOSE)),
        (proof.pk, use(alice.user, target="another")),
        (seed(alice.user).pk, use(alice.user)),
        ("00000000-0000-0000-0000-000000000000", use(alice.user)),
        ("no id", use(alice.user)),
    ]

    said = set()
    for proof_id, of in wrong:
        for act in (identity.look, identity.spend):
            with pytest.raises(NotProven) as refused:
                act(proof_id, **of)
            said.add(repr(refused.value))

    assert said == {"NotProven()"}
    assert identity.spend(proof.pk, **use(alice.user)).uid == UID


@pytest.mark.django_db(transaction=True)
def test_of_eight_that_spend_at_once_one_does(alice: Visitor) -> None:
    proof, together = a_proof(alice.user), Barrier(8)

    def spent(_number: int) -> bool:
        together.wait(20)
        try:
            return identity.spend(proof.pk, **use(alice.user)).uid == UID
        except NotProven:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(spent, range(8)))

    assert sorted(done) == [False] * 7 + [True]
    assert Event.objects.filter(tag=Tag.PROOF_SPENT).count() == 1


def test_spending_that_is_undone_leaves_the_proof(alice: Visitor) -> None:
    """What it was spent for failed: so it was not spent."""
    proof = a_proof(alice.user)

    with pytest.raises(IntegrityError), transaction.atomic():
        identity.spend(proof.pk, **use(alice.user))
        raise IntegrityError

    assert identity.look(proof.pk, **use(alice.user)).uid == UID


def test_identity_of_another_row_or_key_does_not_open(alice: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    one, other = a_proof(alice.user), a_proof(alice.user)
    IdentityProof.objects.filter(pk=one.pk).update(sealed_identity=other.sealed_identity)

    with pytest.raises(NotProven):
        identity.look(one.pk, **use(alice.user))

    assert "A proof does not open" in caplog.text


@pytest.mark.parametrize("column", ["user", "purpose", "target", "role", "signed_in_at"])
def test_row_that_was_changed_by_hand_proves_nothing(
    alice: Visitor, bob: Visitor, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    """Whoever writes in the database moves a proof to nobody and nothing else, and makes it no younger."""
    proof = a_proof(alice.user, at=timezone.now() - timedelta(seconds=100))
    other = {
        "user": bob.user,
        "purpose": Purpose.RECOVERY_DELETE,
        "target": "another",
        "role": Role.APPLE,
        "signed_in_at": proof.signed_in_at + timedelta(microseconds=1),
    }[column]
    asked = use(alice.user)
    asked |= {column: other} if column in asked else {}

    IdentityProof.objects.filter(pk=proof.pk).update(**{column: other})
    row = IdentityProof.objects.values().get(pk=proof.pk)
    for act in (identity.look, identity.spend):
        with pytest.raises(NotProven):
            act(proof.pk, **asked)

    assert caplog.text.count("A proof does not open") == 2
    assert IdentityProof.objects.values().get(pk=proof.pk) == row
    assert not Event.objects.filter(tag=Tag.PROOF_SPENT).exists()
    # The control: as it was, it is good.
    IdentityProof.objects.filter(pk=proof.pk).update(**{column: getattr(proof, column)})
    assert identity.spend(proof.pk, **use(alice.user)).uid == UID


def test_used_proof_that_is_put_back_whole_serves_for_the_rest_of_its_five_minutes(alice: Visitor) -> None:
    """The limit of it: whoever writes in the database brings back what was there, and no more than that."""
    proof, second = a_proof(alice.user), timedelta(seconds=1)
    identity.spend(proof.pk, **use(alice.user))

    IdentityProof.objects.filter(pk=proof.pk).update(state="proven", sealed_identity=proof.sealed_identity)

    assert identity.look(proof.pk, **use(alice.user, at=proof.signed_in_at + timedelta(minutes=5))).uid == UID
    with pytest.raises(NotProven):
        identity.look(proof.pk, **use(alice.user, at=proof.signed_in_at + timedelta(minutes=5) + second))


def test_time_of_a_proof_is_the_same_in_whatever_zone_it_was_told(alice: Visitor) -> None:
    proof = a_proof(alice.user, at=timezone.now().astimezone(ZoneInfo("Pacific/Auckland")))

    assert identity.look(proof.pk, **use(alice.user)).signed_in_at == proof.signed_in_at


def test_database_keeps_an_identity_with_proven_alone(alice: Visitor) -> None:
    proof = a_proof(alice.user)

    for state in ("pending", "failed", "spent"):
        with pytest.raises(IntegrityError), transaction.atomic():
            IdentityProof.objects.filter(pk=proof.pk).update(state=state)


# -- Gone in time -----------------------------------------------------------------------------------------------------


def test_tidy_wipes_who_it_was_after_five_minutes_and_the_row_after_a_day(alice: Visitor) -> None:
    now = timezone.now().replace(microsecond=0)
    proof = a_proof(alice.user, at=now)
    left = []
    second = timedelta(seconds=1)
    for after in (timedelta(minutes=5), timedelta(minutes=5) + second, timedelta(days=1), timedelta(days=1) + second):
        tidy.tidy(now + after)
        row = IdentityProof.objects.filter(pk=proof.pk).values_list("sealed_identity", flat=True)
        left.append([sealed is not None for sealed in row])

    assert left == [[True], [False], [False], []]


def test_proof_goes_with_its_person(alice: Visitor, bob: Visitor) -> None:
    a_proof(alice.user)
    stays = a_proof(bob.user)

    alice.user.delete()

    assert list(IdentityProof.objects.all()) == [stays]


# -- Who somebody is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("alice@outlook.com", "a…@outlook.com"),
        ("a…@outlook.com", "a…@outlook.com"),
        ("Ünal@firma.example", "Ü…@firma.example"),
        ("alice", "a…"),
        ("a@b@example.org", "a…@example.org"),
        ("", ""),
    ],
)
def test_label_is_shown_masked(label: str, shown: str) -> None:
    assert masked(label) == shown


def test_tag_is_of_issuer_and_person_and_no_two_are_alike() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("bc", "a")]
    tags = [tag(*pair) for pair in pairs] + [name_tag("abc")]

    assert len(set(tags)) == len(tags)
    assert {len(one) for one in tags} == {32}
    assert [tag(*pair) for pair in pairs] == tags[:-1]
    assert name_tag("ABC") == name_tag("abc")


@pytest.fixture
def newer_names(tmp_path: Path, settings: Any) -> Any:
    """`newer_names(3)` adds so many NAME keys to a keys file of this test's own."""
    file = tmp_path / "server-keys.txt"
    keyring.write(file, keyring.read(Path(settings.SERVER_KEYS_FILE)))
    settings.SERVER_KEYS_FILE = file
    keyring.keyring.cache_clear()

    def added(count: int) -> None:
        for _ in range(count):
            there = keyring.read(file)
            keyring.write(file, [*there, *keyring.made([keys.Role.NAME], beside=there)])

    yield added
    keyring.keyring.cache_clear()


@pytest.mark.parametrize(("newer", "known"), [(0, True), (1, True), (4, True), (5, False)])
def test_who_is_expected_is_known_under_four_older_keys(
    db: None, newer_names: Callable[[int], None], newer: int, known: bool
) -> None:
    expected = tag(ISSUER, UID)
    newer_names(newer)
    now = timezone.now()
    way = Way("microsoft-proof", "Microsoft", "authweb", ISSUER, "oid")
    answer = Answer({"oid": UID, "iss": ISSUER}, way, b"", expected, now, now)

    assert answers.CHECKS[-1].holds(answer) is known


def test_identity_shows_nothing_of_itself_in_a_log(alice: Visitor) -> None:
    who = identity.look(a_proof(alice.user).pk, **use(alice.user))

    assert repr(who) == "Identity(microsoft, …)"


# -- The tables -------------------------------------------------------------------------------------------------------


def test_tables_of_proofs_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.every_purpose_and_reason_is_in_its_tables() == []

    monkeypatch.setattr(checks, "ROLES_OF", {})
    monkeypatch.setattr(checks, "OFFERS", {})
    monkeypatch.setattr(checks, "WORDS", {"reason": {}})

    found = [error.msg for error in checks.every_purpose_and_reason_is_in_its_tables()]
    assert len(found) == 2 * len(Purpose) + len(identity.Reason)
    assert found[0] == "No roles for a proof of recovery-choose."


def test_next_step_is_a_page_of_ours(alice: Visitor, rf: Any) -> None:
    request = rf.post("/")
    request.user = alice.user
    for back in ("https://elsewhere.example/", "//elsewhere.example/", "settings/"):
        with pytest.raises(ValueError, match="page of ours"):
            identity._begin(request, None, IdentityProof(back=back), hint="")  # type: ignore[arg-type]
