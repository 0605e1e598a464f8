"""Restoring by its services, from the proof that is spent to the commit, by the library's calls that it needs once."""

from __future__ import annotations

import json
import time
from functools import cached_property
from itertools import count

from django.db import transaction
from django.utils import timezone

from accounts.models import Attempt, Vault, VaultState
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.services.identity import Purpose
from accounts.services.vaults import OpenVault
from accounts.vault import encoding, keys, merging, sealing
from accounts.vault.list import AccountList
from backups import envelope
from backups.contents import Contents
from backups.models import Status
from backups.services import objects, opening, restoring, searching
from backups.services.opening import Opener
from backups.services.restoring import Chosen
from tests import factories, people
from tests.bench import saving
from tests.bench.timing import Act, Spread, Took, interleaved, ratio
from tests.people import Person

ACCOUNTS = 1000
_DRAFT = keys.random_bytes(16)


class Restoring:
    """The rounds: in each somebody new, whose empty list is backed up, restores a thousand accounts, then once more."""

    def __init__(self) -> None:
        self._lost = factories.enrolled("lost@example.org", name="Lost", type="android")
        people.listed(self._lost, ACCOUNTS)
        self._who = factories.person("lost@outlook.example")
        factories.backed_up(self._lost, who=self._who)
        self._choice = searching.find(self._who, self._lost.vault.device.type).newest[0]
        self._all = Chosen(frozenset(entry.id for entry in self._lost.entries))
        acts = {"restore": self._restored, "again": self._restored, **self._bare()}
        self._took = interleaved(acts, before=self._begin)

    @cached_property
    def restore(self) -> Spread:
        """Into the empty list."""
        return ratio(self._took, "restore", "bare_restore")

    @cached_property
    def again(self) -> Spread:
        """All of it is there."""
        return ratio(self._took, "again", "bare_again")

    def _begin(self) -> None:
        """The next person comes. Three a day are let restore one backup, and here nobody has."""
        Attempt.objects.all().delete()
        self._new = Person.with_accounts(0).visitor
        self._backup = saving.backed_up(self._new)

    def _restored(self) -> Took:
        """What the two requests do that change something: what was chosen is opened; the yes. Afterwards all is here,
        in a saved state that is proven.
        """
        proof = factories.proven(self._new, purpose=Purpose.RESTORE, who=self._who)
        first, second = self._arrived(), self._arrived()
        begun = time.process_time()
        at = timezone.now()
        held = opening.hold(first, proof, self._choice.key, Opener(), at=at)
        restoring.accept(second, held, self._all, at=at)
        took = Took(time.process_time() - begun)
        self._backup.refresh_from_db()
        assert self._new.entries == self._lost.entries
        assert self._backup.status(timezone.now()) is Status.PROTECTED
        assert (self._backup.whole, self._backup.high_water) == (ACCOUNTS, 2)
        return took

    def _arrived(self) -> OpenVault:
        """The list as a request has it, not opened yet."""
        vault = self._new.vault
        vault.sealed = bytes(vault.row.states.get(version=vault.row.version).sealed)
        return vault

    def _bare(self) -> dict[str, Act]:
        vault, place, type = self._lost.vault, self._choice.name.place, self._lost.vault.device.type
        data, accounts, named = objects.fetched(self._choice.name), vaults.read(vault), (vault.row.id.bytes, 1)
        contents = Contents.from_bytes(envelope.read(data, place, objects.server_key), device_type=type)
        document = json.loads(contents.to_bytes())
        made = saving.bare_making(document)
        sealed = sealing.seal(accounts, vault.key, *named)
        saved = _saving(Person.with_accounts(0).visitor.vault.row, sealed)

        def read() -> None:
            Contents.from_bytes(envelope.read(data, place, objects.server_key), device_type=type)

        def restore() -> None:
            read()
            merging.merge(AccountList(), contents.entries, made_at=contents.at, at=contents.at, new_id=keys.new_id)
            for _ in range(2):
                sealing.seal(accounts, vault.key, *named)
            sealing.unseal(sealed, vault.key, *named)
            made()
            saved()

        def again() -> None:
            read()
            sealing.unseal(sealed, vault.key, *named)
            draft = sealing.seal_draft(encoding.canonical(document), vault.key, named[0], _DRAFT)
            encoding.strict(sealing.unseal_draft(draft, vault.key, named[0], _DRAFT))

        return {"bare_restore": restore, "bare_again": again}


def _saving(row: Vault, sealed: bytes) -> Act:
    """A state is kept: what a change with these bytes writes at least."""
    versions = count(row.version + 1)

    def save() -> None:
        with transaction.atomic():
            row.version = next(versions)
            row.save(update_fields=["version"])
            VaultState.objects.create(
                vault=row, version=row.version, sealed=sealed, act=Tag.RESTORED, made_at=timezone.now()
            )

    return save
