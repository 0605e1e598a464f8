"""What must hold of backups before anything starts: tables are whole, and there is a place where backups may lie."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from accounts import roles
from accounts.models import DeviceType
from accounts.roles import Role
from accounts.vault.entry import Kind
from accounts.vault.list import Protection
from backups import dated_lines, states
from backups.models import Cause, Status
from backups.portions import PORTIONS
from backups.storage import DirectoryStore, StoreFailed, WriteOnce, backups


@checks.register
def every_kind_has_a_portion(**_: object) -> list[checks.CheckMessage]:
    """A kind of account without a portion would be left out of backups, and nobody would know."""
    return [
        checks.Error(f"No portion for {kind}.", hint=f"Kind.{kind.name}: Portion.…,", id="backups.E001")
        for kind in Kind
        if kind not in PORTIONS
    ]


@checks.register
def every_status_and_every_cause_has_its_words(**_: object) -> list[checks.CheckMessage]:
    """Nobody meets a state, or a failure, without words and a next step."""
    days = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    fitting = dict.fromkeys(roles.fitting(type, day) for type in DeviceType.values for day in days)
    tables: Iterable[tuple[str, Mapping[object, object], Iterable[object]]] = (
        ("STATES", states.STATES, Status),  # type: ignore[assignment]
        ("PROBLEMS", states.PROBLEMS, Cause),
        ("RESTORES_ON", states.RESTORES_ON, DeviceType.values),
        ("DEVICES", states.DEVICES, DeviceType.values),
        ("CLOSED", states.CLOSED, DeviceType.values),
        ("IMPORTANT", states.IMPORTANT, DeviceType.values),
        ("IMPORTANT_TO", states.IMPORTANT_TO, DeviceType.values),
        ("IMPORTANT_OF", states.IMPORTANT_OF, DeviceType.values),
        ("ACCOUNTS", states.ACCOUNTS, Role),
        ("SIGN_IN_WITH", states.SIGN_IN_WITH, Role),
        ("GO_ON_WITH", states.GO_ON_WITH, Role),
        ("KEPT_UNDER", states.KEPT_UNDER, fitting),
        ("PROTECTIONS", states.PROTECTIONS, [protection.value for protection in Protection]),
    )
    missing = [
        checks.Error(f"No words for {key} in {name}.", hint="backups/states.py", id="backups.E010")
        for name, table, keys in tables
        for key in keys
        if key not in table
    ]
    stepless = [
        checks.Error(f"No next step after {cause}.", hint="backups/states.py", id="backups.E011")
        for cause, problem in states.PROBLEMS.items()
        if not problem.steps
    ]
    return [*missing, *stepless]


@checks.register
def every_dated_line_is_whole(**_: object) -> list[checks.CheckMessage]:
    """Whatever side of its days one is on there is a sentence; and its days are days."""
    silent = [
        checks.Error(f"No line for {change}.", hint="backups/dated_lines.py", id="backups.E012")
        for change in dated_lines.Change
        if change not in dated_lines.LINES
    ]
    dayless = [
        checks.Error(f"{name} is no day.", hint="backups/dated_lines.py", id="backups.E012")
        for line in dated_lines.LINES.values()
        for name in line.days.values()
        if not isinstance(getattr(settings, name, None), datetime)
    ]
    halves = [
        checks.Error(f"The line for {change} has no sentence for {come}.", id="backups.E012")
        for change, line in dated_lines.LINES.items()
        for come in itertools.product((False, True), repeat=len(line.days))
        if come not in line.sentences
    ]
    return [*silent, *dayless, *halves]


# -- The store --------------------------------------------------------------------------------------------------------


@checks.register
def store_writes_once(**_: object) -> list[checks.CheckMessage]:
    """Any other storage of Django's would rename or overwrite. Loads a bucket's libraries, and asks nobody."""
    backend = str(settings.STORAGES.get("backups", {}).get("BACKEND", ""))
    if backend in _OURS or (backend and issubclass(import_string(backend), WriteOnce)):
        return []
    return [checks.Error("STORAGES['backups'] overwrites.", hint="BACKUP_STORE=/srv/backups", id="backups.E003")]


@checks.register(checks.Tags.security)
def store_is_not_served(**_: object) -> list[checks.CheckMessage]:
    """What lies among the static files is given to everybody who asks."""
    store = _directory()
    if store is None:
        return []
    served = [Path(settings.STATIC_ROOT), *map(Path, settings.STATICFILES_DIRS)]
    return [
        checks.Error(
            f"Backups would lie at {store.location}, and {folder} is served.", hint=_ELSEWHERE, id="backups.E002"
        )
        for folder in served
        if _within(store.location, folder) or _within(folder, store.location)
    ]


@checks.register(checks.Tags.security, deploy=True)
def store_is_not_part_of_the_program(**_: object) -> list[checks.CheckMessage]:
    """An upgrade puts another program in the place of this one, and whatever lies in it may go."""
    store = _directory()
    if store is None or not _within(store.location, settings.BASE_DIR):
        return []
    return [
        checks.Warning(f"Backups lie in Authweb's own folder, at {store.location}.", hint=_ELSEWHERE, id="backups.W003")
    ]


@checks.register(checks.Tags.security, deploy=True)
def store_lies_apart_from_the_keys(**_: object) -> list[checks.CheckMessage]:
    """Who has both reads every backup that is protected by the sign-in alone; and one broken disk takes both."""
    store, keys = _directory(), Path(settings.SERVER_KEYS_FILE)
    if store is None or _filesystem(store.location) != _filesystem(keys):
        return []
    return [
        checks.Warning(
            f"The backups at {store.location} and the server keys at {keys} lie on one file system.",
            hint="Put BACKUP_STORE on another disk or into a bucket, or SERVER_KEYS_FILE on another disk.",
            id="backups.W001",
        )
    ]


@checks.register(checks.Tags.compatibility, deploy=True)
def store_can_be_written_to(**_: object) -> list[checks.CheckMessage]:
    """A warning and no error: a store that is away does not stop the start, since lists do not need it.

    Only a directory is tried; a bucket is asked by /healthz, once the site is up.
    """
    store = _directory()
    if store is None:
        return []
    try:
        store.ready()
    except StoreFailed as failed:
        return [
            checks.Warning(
                f"Backups cannot be written to {store.location}: {failed}.",
                hint="It must be there, be Authweb's own, and lie on a file system that has room and knows hard links.",
                id="backups.W002",
            )
        ]
    return []


_OURS = ("backups.storage.DirectoryStore", "backups.storage_s3.S3Store")
_ELSEWHERE = "BACKUP_STORE=/srv/backups"


def _directory() -> DirectoryStore | None:
    if settings.STORAGES["backups"]["BACKEND"] == "backups.storage_s3.S3Store":
        return None
    store = backups()
    return store if isinstance(store, DirectoryStore) else None


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(Path(folder).resolve())


def _filesystem(path: Path) -> int:
    """The number of the file system that a path lies on, or will lie on."""
    path = path.resolve()
    while not path.exists() and path != path.parent:
        path = path.parent
    return os.stat(path).st_dev
