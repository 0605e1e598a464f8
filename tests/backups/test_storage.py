"""Stores that write once: what both promise, and what the directory makes of kills, faults and a full disk."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, storages

from backups.storage import LARGEST, Cause, DirectoryStore, NameTaken, NotStored, StoreFailed, WriteOnce, backups
from tests import processes
from tests.environment import ROOT
from tests.store_writer import generation

NAME = generation("00" * 8, 1)
TOGETHER = 8


def files(folder: Path) -> list[str]:
    """Every file below a folder, without the marks of folders."""
    found = (path for path in folder.rglob("*") if not path.is_dir() and path.name != ".durable")
    return sorted(path.relative_to(folder).as_posix() for path in found)


def started(described: dict[str, Any], *words: str) -> subprocess.Popen[str]:
    """A writer at this store, in its own process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store_writer", json.dumps(described), *words],
        cwd=ROOT,
        env=processes.clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def at_once(described: dict[str, Any], *words: list[str]) -> list[str]:
    """Writers that begin together: what each said. Each is given its words."""
    writers = [started(described, *given) for given in words]
    try:
        assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * len(writers)
        for writer in writers:
            writer.stdin.write("\n")
            writer.stdin.flush()
        return [writer.communicate(timeout=100)[0].strip() for writer in writers]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


# -- What both promise ------------------------------------------------------------------------------------------------


def test_stored_bytes_come_back(store: WriteOnce) -> None:
    for number, data in enumerate((b"", b"\0\xff" * 5000, os.urandom(1_100_000))):
        store.create(generation("00" * 8, number), data)

        assert store.fetch(generation("00" * 8, number)) == data


def test_name_that_is_taken_keeps_its_first_bytes(store: WriteOnce) -> None:
    store.create(NAME, b"first")

    for again in (b"second", b"first", b""):
        with pytest.raises(NameTaken):
            store.create(NAME, again)

    assert (store.fetch(NAME), list(store.names())) == (b"first", [NAME])


def test_name_is_free_again_once_its_bytes_are_removed(store: WriteOnce) -> None:
    store.create(NAME, b"first")

    assert (store.remove(NAME), store.remove(NAME)) == (True, False)
    with pytest.raises(NotStored):
        store.fetch(NAME)
    assert list(store.names()) == []
    store.create(NAME, b"second")
    assert store.fetch(NAME) == b"second"


def test_removing_one_leaves_the_others(store: WriteOnce) -> None:
    names = [generation("00" * 8, number) for number in range(3)]
    for name in names:
        store.create(name, name.encode())

    store.remove(names[1])

    assert {name: store.fetch(name) for name in store.names()} == {name: name.encode() for name in names[::2]}


def test_names_come_in_order_and_by_what_they_begin_with(store: WriteOnce) -> None:
    assert list(store.names()) == []
    names = ["v1/a-b/x", "v1/a/x", "v1/a0/x", "v1/ab/0.awb", "v1/ab/00.awb", "v1/b/a/x", "v1/b/b.awb", "keys/S-1.check"]
    for name in random.sample(names, len(names)):
        store.create(name, b"")

    assert list(store.names("")) == sorted(names)
    assert list(store.names("v1/")) == sorted(names[:-1])
    assert list(store.names("v1/a")) == ["v1/a-b/x", "v1/a/x", "v1/a0/x", "v1/ab/0.awb", "v1/ab/00.awb"]
    assert list(store.names("v1/a/")) == ["v1/a/x"]
    assert list(store.names("v1/ab/00")) == ["v1/ab/00.awb"]
    assert list(store.names("v1/b/b.awb")) == ["v1/b/b.awb"]
    assert list(store.names("v2/")) == list(store.names("v1/b/b.awb/")) == []


ELSEWHERE = (
    *("", "/", "/etc/passwd", "../x", "v1/../../x", "v1/..", "v1/./x", "v1//x", "v1/", ".x", "v1/.unfinished/x"),
    *("v1/x\n", "v1/x\0", "v1\\x", "v1/ä", "v1/x y", "a" * 129, "/".join("abcdefghi"), "C:x", "~/x", "-x"),
)


def test_name_that_leads_elsewhere_reaches_no_store(store: WriteOnce) -> None:
    acts: list[Callable[[str], object]] = [lambda name: store.create(name, b"x"), store.fetch, store.remove]
    refused = []
    for name in ELSEWHERE:
        for act in acts:
            with pytest.raises(SuspiciousFileOperation):
                act(name)
            refused.append(name)

    assert (len(refused), list(store.names())) == (3 * len(ELSEWHERE), [])


def test_prefix_that_leads_elsewhere_reaches_no_store(store: WriteOnce) -> None:
    for prefix in ("/", "../", "v1/../", ".unfinished/", ".", "v1//", "v1/\0"):
        with pytest.raises(SuspiciousFileOperation):
            list(store.names(prefix))


def test_more_than_a_store_takes_is_refused(store: WriteOnce) -> None:
    with pytest.raises(ValueError, match="at most"):
        store.create(NAME, bytes(LARGEST + 1))

    assert list(store.names()) == []


def test_store_that_can_be_written_to_is_ready_and_keeps_nothing_of_it(store: WriteOnce) -> None:
    store.ready()
    store.ready()

    assert (list(store.names()), store.sweep(datetime.now(UTC))) == ([], 0)


def test_own_ways_of_django_neither_rename_nor_overwrite(store: WriteOnce) -> None:
    assert store.save(NAME, ContentFile(b"first")) == NAME
    with pytest.raises(NameTaken):
        store.save(NAME, ContentFile(b"second"))

    assert (store.exists(NAME), store.open(NAME).read()) == (True, b"first")
    with pytest.raises(ValueError, match="never written to"):
        store.open(NAME, "wb")
    with pytest.raises(NotImplementedError):
        store.url(NAME)
    store.delete(NAME)
    store.delete(NAME)
    assert store.exists(NAME) is False


def test_of_eight_processes_that_create_one_name_exactly_one_does(store: WriteOnce, described: dict[str, Any]) -> None:
    said = at_once(described, *[["race", NAME, str(mark)] for mark in range(TOGETHER)])

    assert sorted(said) == ["taken"] * (TOGETHER - 1) + ["won"]
    assert store.fetch(NAME) == str(said.index("won")).encode() * 1000


@pytest.mark.row("T16")
@pytest.mark.row("A13")
@pytest.mark.timeout(600)
def test_eight_writers_of_one_stream_lose_nothing(
    store: WriteOnce, described: dict[str, Any], amount: Callable[..., int]
) -> None:
    # The service of the tests answers one request at a time: fewer are asked of it.
    count = 250 if isinstance(store, DirectoryStore) else amount(short=10, long=100)
    for _ in range(amount(short=1, long=10) if isinstance(store, DirectoryStore) else 1):
        kept = at_once(described, *[["write", str(mark), str(count)] for mark in range(TOGETHER)])

        numbers = {mark: [int(number) for number in said.split()] for mark, said in enumerate(kept)}
        by_number = {number: mark for mark, own in numbers.items() for number in own}
        assert sorted(by_number) == list(range(1, TOGETHER * count + 1))
        assert [own == sorted(own) for own in numbers.values()] == [True] * TOGETHER
        assert list(store.names()) == [generation("00" * 8, number) for number in range(1, TOGETHER * count + 1)]
        assert [store.fetch(generation("00" * 8, number)).decode() for number in sorted(by_number)] == [
            f"{by_number[number]} {number}" for number in sorted(by_number)
        ]
        for name in list(store.names()):
            store.remove(name)


def test_folders_that_others_fill_and_empty_meanwhile_take_what_they_are_given(tmp_path: Path) -> None:
    described = {"BACKEND": "backups.storage.DirectoryStore", "OPTIONS": {"location": str(tmp_path)}}

    said = at_once(described, *[["churn", str(mark), "100"] for mark in range(4)])

    assert (said, files(tmp_path), (tmp_path / "v1").exists()) == (["200"] * 4, [], False)


def test_store_of_the_settings_is_a_directory_that_is_made_when_it_is_first_written_to(
    tmp_path: Path, settings: Any
) -> None:
    there = tmp_path / "data" / "backups"
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {"BACKEND": "backups.storage.DirectoryStore", "OPTIONS": {"location": str(there), "make": True}},
    }

    assert (list(backups().names()), backups().remove(NAME), backups().sweep(datetime.now(UTC))) == ([], False, 0)
    with pytest.raises(NotStored):
        backups().fetch(NAME)
    assert there.exists() is False
    backups().create(NAME, b"first")
    assert storages["backups"].fetch(NAME) == b"first"


def test_store_that_overwrites_is_not_taken(settings: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "backups": {"BACKEND": f"{InMemoryStorage.__module__}.InMemoryStorage"}}

    with pytest.raises(TypeError, match="overwrites"):
        backups()


# -- The directory ----------------------------------------------------------------------------------------------------


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStore:
    """A directory that is there, and empty."""
    return DirectoryStore(tmp_path)


def test_folders_and_files_are_for_their_owner_alone(directory: DirectoryStore, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = DirectoryStore(tmp_path / "made", make=True)
        store.create(NAME, b"first")
    finally:
        os.umask(before)

    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in (tmp_path / "made").rglob("*")}
    assert modes == {True: 0o700, False: 0o600}
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


def test_folders_that_were_left_empty_are_gone(directory: DirectoryStore, tmp_path: Path) -> None:
    directory.create(NAME, b"first")
    directory.create("v1/bb/other", b"first")

    directory.remove(NAME)

    assert sorted(path.name for path in (tmp_path / "v1").iterdir()) == ["bb"]
    directory.remove("v1/bb/other")
    assert [path.name for path in tmp_path.iterdir()] == [".unfinished"]


def test_directory_that_is_not_there_is_away_and_not_empty(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "not-mounted")

    for act in (
        lambda: store.create(NAME, b"x"),
        lambda: store.fetch(NAME),
        lambda: store.remove(NAME),
        lambda: list(store.names()),
        lambda: store.sweep(datetime.now(UTC)),
        store.ready,
    ):
        with pytest.raises(StoreFailed) as failed:
            act()
        assert failed.value.cause is Cause.UNREACHABLE
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_else_put_there_is_neither_listed_nor_followed(directory: DirectoryStore, tmp_path: Path) -> None:
    directory.create("v1/own", b"own")
    (tmp_path / "v1/link").symlink_to("/etc/passwd")
    (tmp_path / "v1/folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "v1/pipe")
    (tmp_path / "v1/.hidden").write_bytes(b"x")
    (tmp_path / "v1/lost+found~").mkdir()

    assert list(directory.names()) == ["v1/own"]
    for name in ("v1/pipe", "v1/own/below", "v1"):
        with pytest.raises(NotStored):
            directory.fetch(name)
    with pytest.raises(StoreFailed, match="ELOOP"):
        directory.fetch("v1/link")
    assert (directory.remove("v1"), directory.remove("v1/own/below")) == (False, False)


def test_no_more_is_read_than_was_ever_written(directory: DirectoryStore, tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(LARGEST * 1000)

    assert len(directory.fetch("huge")) == LARGEST + 1


def test_what_killed_writers_left_is_swept_once_it_is_old(directory: DirectoryStore, tmp_path: Path) -> None:
    directory.create(NAME, b"first")
    now = datetime.now(UTC)
    for age in (0, 59, 61, 600):
        left = tmp_path / ".unfinished" / f"of-{age}"
        left.write_bytes(b"half")
        os.utime(left, ((now - timedelta(minutes=age)).timestamp(),) * 2)

    assert directory.sweep(now - timedelta(hours=1)) == 2
    assert files(tmp_path / ".unfinished") == ["of-0", "of-59"]
    assert (directory.sweep(now - timedelta(hours=1)), list(directory.names())) == (0, [NAME])


# -- Killed ----------------------------------------------------------------------------------------------------------


def killed(folder: Path, manner: str, kills: int) -> dict[str, int]:
    """What `tests.killing` found."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", str(folder), manner, str(kills)],
        cwd=ROOT,
        env=processes.clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.row("T13")
@pytest.mark.row("A11")
@pytest.mark.timeout(3000)
def test_writer_killed_at_any_moment_leaves_nothing_torn_and_loses_nothing(
    tmp_path: Path, amount: Callable[..., int]
) -> None:
    kills = amount(short=500, long=20_000)

    found = killed(tmp_path / "careful", "careful", kills)

    assert {name: found[name] for name in ("kills", "torn", "lost")} == {"kills": kills, "torn": 0, "lost": 0}
    assert found["acknowledged"] > kills


@pytest.mark.row("T13")
@pytest.mark.row("A11")
@pytest.mark.timeout(600)
def test_writer_that_writes_in_place_loses_half_of_its_kills_and_more(
    tmp_path: Path, amount: Callable[..., int]
) -> None:
    kills = amount(short=500, long=2_000)

    found = killed(tmp_path / "naive", "naive", kills)

    assert found["kills"] == kills
    assert found["lost"] >= kills / 2


# -- In which order ---------------------------------------------------------------------------------------------------


def expected_order(root: Path, name: str, *, new_folders: bool) -> list[tuple[str, str]]:
    """What the operating system must be asked for one name, in this order."""
    folders = [root / parent for parent in list(Path(name).parents)[:-1]]
    made = [("mkdir", str(folder)) for folder in reversed(folders)] if new_folders else []
    return [
        ("write", "beside"),
        ("fsync", "beside"),
        *made,
        ("link", str(root / name)),
        ("unlink", "beside"),
        *[("fsync", str(folder)) for folder in ([*folders, root] if new_folders else folders[:1])],
        ("write", "1"),
    ]


def called(calls: list[tuple[str, str]], root: Path) -> list[tuple[str, str]]:
    """Calls with one name for all files that are written beside; without those for the folder of these."""
    beside = str(root / ".unfinished")
    return [
        (call, "beside" if target.startswith(f"{beside}/") else target) for call, target in calls if target != beside
    ]


def traced(text: str) -> list[tuple[str, str]]:
    """What strace saw that succeeded: descriptors by the path they lead to, a link by its new name."""
    calls: list[tuple[str, str]] = []
    for name, arguments in re.findall(r"^(\w+)\((.*)\) += \d+$", text, re.MULTILINE):
        if name in ("fsync", "write"):
            descriptor, path = re.match(r"(\d+)<([^>]*)>", arguments).groups()
            calls.append((name, "1" if descriptor == "1" else path))
        else:
            calls.append((name.removesuffix("at"), re.findall(r'"([^"]*)"', arguments)[-1]))
    return calls


TRACED = (
    shutil.which("strace") is not None
    and subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0
)


@pytest.mark.row("T15")
def test_order_is_fsync_then_link_then_fsync_of_the_folders_then_the_answer(
    tmp_path: Path, amount: Callable[..., int]
) -> None:
    names = [generation("00" * 8, number) for number in range(amount(short=5, long=100))]
    expected = [
        call for number, name in enumerate(names) for call in expected_order(tmp_path, name, new_folders=not number)
    ]
    described = {"BACKEND": "backups.storage.DirectoryStore", "OPTIONS": {"location": str(tmp_path)}}
    command = [sys.executable, "-m", "tests.store_writer", json.dumps(described)]
    asked = {"cwd": ROOT, "env": processes.clean_environment(), "check": True, "capture_output": True, "text": True}

    recorded = subprocess.run([*command, "recorded_order", *names], **asked).stderr

    assert called([(call, target) for call, target in json.loads(recorded)], tmp_path) == expected
    if not TRACED:  # Where nobody may trace a process, the record alone shows it.
        return
    shutil.rmtree(tmp_path / "v1")
    trace = ["-y", "-o", str(tmp_path / "trace"), "-e", "trace=fsync,fdatasync,link,linkat,rename,unlink,mkdir,write"]
    subprocess.run(["strace", *trace, *command, "order", *names], **asked)
    seen = traced((tmp_path / "trace").read_text())
    assert called([call for call in seen if call[1] == "1" or call[1].startswith(str(tmp_path))], tmp_path) == expected


# -- Faults -----------------------------------------------------------------------------------------------------------


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A limit of the operating system's: a write beyond it takes a part, the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_write_that_finds_no_room_leaves_nothing(directory: DirectoryStore, tmp_path: Path) -> None:
    directory.create(NAME, b"first")

    with largest_file(10_000), pytest.raises(StoreFailed) as failed:
        directory.create(generation("00" * 8, 2), bytes(20_000))

    assert (failed.value.cause, failed.value.detail, str(failed.value)) == (Cause.FULL, "EFBIG", "full (EFBIG)")
    assert files(tmp_path) == [NAME]
    directory.create(generation("00" * 8, 2), bytes(20_000))
    assert directory.fetch(generation("00" * 8, 2)) == bytes(20_000)


FILL = """
import sys
from backups.storage import DirectoryStore, NameTaken, StoreFailed
from tests.store_writer import generation
store, kept = DirectoryStore(sys.argv[1]), 0
try:
    while True:
        store.create(generation("00" * 8, kept), bytes([kept]) * 16384)
        kept += 1
except StoreFailed as failed:
    whole = [store.fetch(name) == bytes([number]) * 16384 for number, name in enumerate(store.names())]
    print(failed, whole == [True] * kept, kept > 5)
try:
    store.ready()
    store.create("v1/small", bytes(5000))
    print("there is room")
except StoreFailed as failed:
    print(failed)
store.remove(generation("00" * 8, 0))
store.create(generation("00" * 8, kept), bytes(16384))
print(sorted(store.names())[-1] == generation("00" * 8, kept))
"""


def small_disk(folder: Path, *, size: int) -> list[str] | None:
    """What to put before a command so that the folder is a small disk of its own to it; None where nobody may."""
    mount = f'mount -t tmpfs -o size={size} tmpfs {folder} && exec "$@"'
    for namespace in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        before = [*namespace, "sh", "-c", mount, "sh"]
        if (
            shutil.which("unshare")
            and subprocess.run([*before, "true"], capture_output=True, check=False).returncode == 0
        ):
            return before
    return None


def test_full_disk_keeps_what_it_has_and_takes_more_once_there_is_room(tmp_path: Path) -> None:
    before = small_disk(tmp_path, size=256 * 1024)
    if before is None:  # Nobody may mount here; what a limit does is shown above.
        return
    done = subprocess.run(
        [*before, sys.executable, "-c", FILL, str(tmp_path)],
        cwd=ROOT,
        env=processes.clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["full (ENOSPC) True True", "full (ENOSPC)", "True"]


def as_nobody(acts: list[Callable[[], object]]) -> list[str]:
    """What comes of these acts in a process that may no more than anybody: root may write everywhere."""
    report, told = os.pipe()
    child = os.fork()
    if child == 0:
        said: list[str] = []
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            for act in acts:
                try:
                    said.append(repr(act()))
                except (StoreFailed, NameTaken) as error:
                    said.append(str(error) or type(error).__name__)
        finally:
            os.write(told, json.dumps(said).encode())
            os._exit(0)
    os.waitpid(child, 0)
    os.close(told)
    with open(report) as file:
        return list(json.load(file))


def test_directory_that_may_not_be_written_to_is_still_read() -> None:
    with tempfile.TemporaryDirectory() as name:  # Not below pytest's own folders, which nobody else may enter.
        folder = Path(name)
        store = DirectoryStore(folder)
        store.create(NAME, b"first")
        below = sorted(folder.rglob("*"))
        for path in (folder, *below):
            path.chmod(0o555 if path.is_dir() else 0o444)

        said = as_nobody(
            [
                lambda: store.fetch(NAME),
                lambda: list(store.names()),
                lambda: store.create(NAME, b"x"),
                lambda: store.create("v1/new", b"x"),
                store.ready,
                lambda: store.remove(NAME),
            ]
        )

        for path in (folder, *below):
            path.chmod(0o700)
    assert said == ["b'first'", repr([NAME]), "NameTaken", *["refused (EACCES)"] * 3]


@contextmanager
def failing(name: str, number: int, *, times: int = 1, after: int = 0) -> Iterator[None]:
    """A call of the operating system that fails some times, after it has worked some times."""
    real, done = getattr(os, name), 0

    def spoilt(*arguments: Any, **named: Any) -> Any:
        nonlocal done
        done += 1
        if after < done <= after + times:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **named)

    setattr(os, name, spoilt)
    try:
        yield
    finally:
        setattr(os, name, real)


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.EIO, Cause.UNKNOWN),
        (errno.ENOSPC, Cause.FULL),
        (errno.EDQUOT, Cause.FULL),
        (errno.EROFS, Cause.READ_ONLY),
        (errno.EPERM, Cause.REFUSED),
        (errno.ESTALE, Cause.UNREACHABLE),
        (errno.ETIMEDOUT, Cause.UNREACHABLE),
    ],
)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "mkdir", "link"])
def test_call_that_fails_is_named_and_leaves_no_name(
    directory: DirectoryStore, tmp_path: Path, call: str, number: int, cause: Cause
) -> None:
    with failing(call, number), pytest.raises(StoreFailed) as failed:
        directory.create(NAME, b"first")

    assert (failed.value.cause, failed.value.detail) == (cause, errno.errorcode[number])
    assert files(tmp_path) == []
    directory.create(NAME, b"second")
    assert directory.fetch(NAME) == b"second"


def test_folder_that_could_not_be_made_durable_is_not_acknowledged_until_it_is(directory: DirectoryStore) -> None:
    with failing("fsync", errno.EIO, after=1, times=2):
        with pytest.raises(StoreFailed):
            directory.create(NAME, b"first")
        # Whoever finds the name taken, and reads one's own bytes there, may count on them: so this fails again.
        with pytest.raises(StoreFailed):
            directory.create(NAME, b"first")
        with pytest.raises(NameTaken):
            directory.create(NAME, b"first")

    assert directory.fetch(NAME) == b"first"


def test_read_that_fails_is_no_missing_backup(directory: DirectoryStore) -> None:
    directory.create(NAME, b"first")

    for call in ("open", "read", "fstat"):
        with failing(call, errno.EIO), pytest.raises(StoreFailed, match="EIO"):
            directory.fetch(NAME)
    with failing("scandir", errno.EIO), pytest.raises(StoreFailed, match="EIO"):
        list(directory.names())
    with failing("unlink", errno.EIO), pytest.raises(StoreFailed, match="EIO"):
        directory.remove(NAME)
    assert directory.fetch(NAME) == b"first"


def test_short_writes_and_short_reads_are_gone_on_with(
    directory: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(10_000)
    write, read = os.write, os.read
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, given: write(descriptor, given[:999]))
        patched.setattr(os, "read", lambda descriptor, most: read(descriptor, min(most, 777)))
        directory.create(NAME, data)

        assert directory.fetch(NAME) == data
    assert directory.fetch(NAME) == data


def test_folder_that_is_cleared_away_meanwhile_is_made_again(
    directory: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, cleared = os.link, []

    def late(*arguments: Any) -> None:
        if len(cleared) < 3 and Path(arguments[1]).parent.exists():
            cleared.append(Path(arguments[1]).parent)
            os.rmdir(cleared[-1])
        real(*arguments)

    monkeypatch.setattr(os, "link", late)
    directory.create(NAME, b"first")

    assert (len(cleared), directory.fetch(NAME)) == (3, b"first")


def test_slow_disk_is_waited_for(directory: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, waited = os.fsync, []

    def slow(descriptor: int) -> None:
        time.sleep(0.02)
        fsync(descriptor)
        waited.append(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    directory.create(NAME, b"first")

    assert (len(waited), directory.fetch(NAME)) == (1 + len(Path(NAME).parents), b"first")


@pytest.mark.row("T17")
@pytest.mark.timeout(1200)
def test_schedules_of_faults_lose_and_overwrite_nothing(tmp_path: Path, amount: Callable[..., int]) -> None:
    """A writer goes on as `keeping` does: again after a failure; where its name is taken, it reads whose it is."""
    chance = random.Random(random.random())
    faults = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ESTALE, errno.EDQUOT, errno.ETIMEDOUT)
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "link", "unlink", "mkdir", "read", "close")}
    rate, failures = 0.0, 0

    def spoilt(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if chance.random() < rate:
                if name == "write":
                    real["write"](arguments[0], arguments[1][: len(arguments[1]) // 2])
                if name == "close":  # It is closed all the same.
                    real["close"](*arguments)
                raise OSError(chance.choice(faults), "spoilt")
            if name == "write" and chance.random() < rate:
                return real["write"](arguments[0], arguments[1][: max(1, len(arguments[1]) // 3)])
            return real[name](*arguments, **named)

        return call

    for schedule in range(amount(short=100, long=20_000)):
        store = DirectoryStore(tmp_path / str(schedule), make=True)
        kept: dict[str, bytes] = {}
        tried: dict[str, bytes] = {}
        try:
            for name in real:
                setattr(os, name, spoilt(name))
            for sequence in range(6):
                name, data = generation("00" * 8, sequence), chance.randbytes(chance.choice((0, 10, 5000)))
                tried[name] = data
                rate = chance.choice((0.02, 0.1, 0.3))
                for _ in range(4):
                    try:
                        store.create(name, data)
                    except NameTaken:
                        rate = 0
                        assert store.fetch(name) == data
                    except StoreFailed:
                        failures += 1
                        rate /= 2
                        continue
                    kept[name] = data
                    break
                else:
                    rate = 0
        finally:
            for name, function in real.items():
                setattr(os, name, function)
        assert {name: store.fetch(name) for name in kept} == kept
        # What failed may lie there all the same: whole, never a part.
        stored = {name: store.fetch(name) for name in store.names()}
        assert stored == {name: tried[name] for name in stored}
        shutil.rmtree(tmp_path / str(schedule), ignore_errors=True)
    assert failures > schedule
