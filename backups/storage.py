"""Where backups lie: stores that write once. What has a name keeps its bytes until it is removed.

Here is what every store promises, and the one that is a directory; the bucket is in `storage_s3`, so that nobody loads
its libraries who has none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages

LARGEST = 4 * 1024 * 1024  # Bytes. An envelope has 1 MiB and a little at most.

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_NAME = re.compile(rf"{_PART}(?:/{_PART}){{0,7}}")
_PREFIX = re.compile(rf"(?:{_PART}/){{0,7}}(?:{_PART})?")
_MADE_AGAIN = 8  # How often a folder is made anew that was cleared away beside us.


class Cause(StrEnum):
    """Why a store did not do what it was asked."""

    UNREACHABLE = "unreachable"  # Not there, not answering, or not in time.
    FULL = "full"
    READ_ONLY = "read_only"
    REFUSED = "refused"  # It is there, and does not let us.
    UNKNOWN = "unknown"


class NameTaken(Exception):
    """Something lies under this name already. It was not touched.

    It may be one's own: an earlier attempt may have been kept though its answer was lost. `fetch` tells.
    """


class NotStored(Exception):
    """Nothing lies under this name. Never said by a store that is away."""


class StoreFailed(Exception):
    """The store could not, or did not say. `detail` names an errno or a status, fit for a log; never a name."""

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(f"{cause} ({detail})" if detail else str(cause))
        self.cause = cause
        self.detail = detail


class WriteOnce(Storage, ABC):
    """A store in which nothing is overwritten and nothing is renamed.

    Names are parts of letters, digits and `._-`, joined by `/`, none of which begins with a dot; any other raises
    SuspiciousFileOperation and reaches no disk. Django's own ways in (`save`, `open`, `delete`) keep the same promises.
    """

    @abstractmethod
    def create(self, name: str, data: bytes) -> None:
        """Store these bytes under a new name: whole and durable once this returns, or not at all.

        Raises NameTaken; StoreFailed, after which the bytes may all the same lie there, whole. ValueError for more than
        LARGEST bytes.
        """

    @abstractmethod
    def fetch(self, name: str) -> bytes:
        """The bytes under a name. Of what is longer than LARGEST, which nobody stored by `create`, one byte more.

        Raises NotStored, StoreFailed.
        """

    @abstractmethod
    def remove(self, name: str) -> bool:
        """Remove what lies under a name; False where nothing did. Raises StoreFailed."""

    @abstractmethod
    def names(self, prefix: str = "") -> Iterator[str]:
        """The names that begin so, in the order of their letters. Raises StoreFailed, also midway."""

    @abstractmethod
    def ready(self) -> None:
        """Raise StoreFailed unless it can be written to now. Nothing stays of the attempt."""

    @abstractmethod
    def sweep(self, before: datetime) -> int:
        """Clear away what writers that were killed before then left unfinished: how many. Raises StoreFailed."""

    # -- Django's ways in ---------------------------------------------------------------------------------------------

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself: where it is taken, `create` says so and nobody chooses another."""
        return name

    def _save(self, name: str, content: File[Any]) -> str:
        self.create(name, content.read())
        return name

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if mode != "rb":
            raise ValueError("What is stored is read and never written to.")
        return ContentFile(self.fetch(name), name=name)

    def delete(self, name: str) -> None:
        """Remove what lies there, if anything does."""
        self.remove(name)

    def exists(self, name: str) -> bool:
        """Whether something lies under a name."""
        try:
            self.fetch(name)
        except NotStored:
            return False
        return True

    def url(self, name: str | None, *_: Any, **__: Any) -> str:
        """Nothing that is stored has an address."""
        raise NotImplementedError("Backups have no address.")


_FOUND_BY_ONE = Lock()  # Django makes a store for each thread that asks for it before the first one is made.


def backups() -> WriteOnce:
    """The store of BACKUP_STORE: one for all threads of a process."""
    with _FOUND_BY_ONE:
        store = storages["backups"]
    if not isinstance(store, WriteOnce):
        raise TypeError("STORAGES['backups'] overwrites: it must be a WriteOnce.")
    return store


def checked_name(name: str) -> str:
    """The name, if it is one. Raises SuspiciousFileOperation."""
    if not _NAME.fullmatch(name):
        raise SuspiciousFileOperation("That is no name of a store.")
    return name


def checked_prefix(prefix: str) -> str:
    """What names may begin with. Raises SuspiciousFileOperation."""
    if not _PREFIX.fullmatch(prefix):
        raise SuspiciousFileOperation("No name of a store begins so.")
    return prefix


def checked_data(data: bytes) -> bytes:
    """The bytes, if a store takes as many. Raises ValueError."""
    if len(data) > LARGEST:
        raise ValueError(f"{len(data)} bytes: a store takes {LARGEST} at most.")
    return data


def is_name(text: str) -> bool:
    """Whether `create` could have stored something so. Whatever else lies in a store is not ours and is not listed."""
    return _NAME.fullmatch(text) is not None


# -- A directory ------------------------------------------------------------------------------------------------------

_CAUSES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), Cause.FULL),
    **dict.fromkeys((errno.EROFS,), Cause.READ_ONLY),
    **dict.fromkeys((errno.EACCES, errno.EPERM), Cause.REFUSED),
    **dict.fromkeys(
        (errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENODEV, errno.ENXIO),
        Cause.UNREACHABLE,
    ),
}


@contextlib.contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        raise StoreFailed(_CAUSES.get(number, Cause.UNKNOWN), errno.errorcode.get(number, str(number))) from error


class DirectoryStore(WriteOnce):
    """A directory of this machine, or one that is mounted. Its filesystem must know hard links.

    A writer that is killed at any moment leaves a name with all of its bytes or no name: they are written beside, made
    durable, and then given the name, which fails where there is one; then the folders are made durable. Folders are for
    their owner alone (0700), files too (0600). With `make` a directory that is missing is made and counts as empty;
    without, the store is unreachable: a disk that is not mounted is no empty store.
    """

    # No name begins with a dot.
    _UNFINISHED = ".unfinished"
    _DURABLE = ".durable"  # In a folder that stands durably in those above it: they need not be asked again.

    def __init__(self, location: str | Path, *, make: bool = False) -> None:
        self.location = Path(location)
        self._make = make

    def create(self, name: str, data: bytes) -> None:
        """As promised by WriteOnce."""
        path = self.location / checked_name(name)
        checked_data(data)
        with _named_failures():
            self._stand(make=self._make)
            if os.path.lexists(path):  # Spares the writing; the link below decides.
                self._taken(path)
            unfinished = self._write_beside(data)
            try:
                self._link(unfinished, path)
            except FileExistsError:
                self._taken(path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(unfinished)
            self._sync_folders(path.parent)

    def fetch(self, name: str) -> bytes:
        """As promised by WriteOnce."""
        path = self.location / checked_name(name)
        with _named_failures():
            if not self._stand():
                raise NotStored
            try:
                # Of a pipe or a link that somebody put there nothing is read, and nobody waits for it.
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                raise NotStored from None
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise NotStored
                return _read(descriptor, LARGEST + 1)
            finally:
                os.close(descriptor)

    def remove(self, name: str) -> bool:
        """As promised by WriteOnce. Folders that it leaves empty go too."""
        path = self.location / checked_name(name)
        with _named_failures():
            if not self._stand():
                return False
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return False
            with contextlib.suppress(FileNotFoundError):  # Another one clears it away, and makes that durable.
                _sync(self._without_empty(path.parent))
        return True

    def names(self, prefix: str = "") -> Iterator[str]:
        """As promised by WriteOnce."""
        start = checked_prefix(prefix).rpartition("/")[0]
        with _named_failures():
            if self._stand():
                yield from self._names_below(start, prefix)

    def ready(self) -> None:
        """As promised by WriteOnce: writes beside and links, as `create` does, without waiting for the disk."""
        with _named_failures():
            self._stand(make=self._make)
            unfinished = self._write_beside(bytes(4096), durable=False)
            linked = unfinished.with_name(f"{unfinished.name}-linked")
            try:
                os.link(unfinished, linked)
                os.unlink(linked)
            finally:
                os.unlink(unfinished)

    def sweep(self, before: datetime) -> int:
        """As promised by WriteOnce."""
        swept = 0
        with _named_failures():
            if not self._stand():
                return 0
            try:
                found = list(os.scandir(self.location / self._UNFINISHED))
            except FileNotFoundError:
                return 0
            for entry in found:
                with contextlib.suppress(FileNotFoundError):  # Its writer lives and has just ended, or another sweeps.
                    if entry.stat(follow_symlinks=False).st_mtime < before.timestamp():
                        os.unlink(entry.path)
                        swept += 1
        return swept

    def _stand(self, *, make: bool = False) -> bool:
        """Whether the directory is there. Raises StoreFailed where it should be and is not."""
        if self.location.is_dir():
            return True
        if not self._make:
            raise StoreFailed(Cause.UNREACHABLE, "no such directory")
        if make:
            self.location.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.location, 0o700)
            _sync(self.location.parent)
        return make

    def _write_beside(self, data: bytes, *, durable: bool = True) -> Path:
        folder = self.location / self._UNFINISHED
        path = folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)
            descriptor = os.open(path, flags, 0o600)
        try:
            try:
                left = memoryview(data)
                while left:  # A write may take a part.
                    left = left[os.write(descriptor, left) :]
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        return path

    def _link(self, unfinished: Path, path: Path) -> None:
        for _ in range(_MADE_AGAIN):
            try:
                os.link(unfinished, path)
                return
            except FileNotFoundError:  # The first one in its folder, or the last one was removed just now.
                folder = self.location
                for part in path.parent.relative_to(self.location).parts:
                    folder = folder / part
                    with contextlib.suppress(FileExistsError, FileNotFoundError):
                        os.mkdir(folder, 0o700)
        os.link(unfinished, path)

    def _taken(self, path: Path) -> NoReturn:
        """Raise NameTaken; before, make durable what is there: its writer may have been killed short of that."""
        self._sync_folders(path.parent)
        raise NameTaken

    def _sync_folders(self, folder: Path) -> None:
        """Make the names in a folder durable, and the folder in those above it, which another may just have made.

        The mark is looked for when a name is there already: from then on nobody clears the folder away.
        """
        marked = folder / self._DURABLE
        with contextlib.suppress(FileNotFoundError):  # Cleared away again, with what was in it.
            _sync(folder)
        if folder == self.location or os.path.lexists(marked):
            return
        above = folder
        while above != self.location:
            above = above.parent
            with contextlib.suppress(FileNotFoundError):
                _sync(above)
        with contextlib.suppress(OSError):  # It spares work, and that is all.
            os.close(os.open(marked, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _without_empty(self, folder: Path) -> Path:
        """Clear away a folder that is empty, and those above it that became so. The first one that stays."""
        while folder != self.location:
            try:
                if os.listdir(folder) == [self._DURABLE]:
                    os.unlink(folder / self._DURABLE)
                os.rmdir(folder)
            except FileNotFoundError:
                pass
            except OSError:  # Not empty, as a rule. Whatever it is: what was to be removed is.
                break
            folder = folder.parent
        return folder

    def _names_below(self, folder: str, prefix: str) -> Iterator[str]:
        try:
            with os.scandir(self.location / folder) as scanned:
                found = [(entry.name, entry.is_dir(follow_symlinks=False), entry) for entry in scanned]
        except (FileNotFoundError, NotADirectoryError):
            return
        # With its slash a folder stands where its files do in the order of whole names.
        for name, is_folder, entry in sorted(found, key=lambda one: one[0] + "/" * one[1]):
            path = f"{folder}/{name}" if folder else name
            if not is_name(path) or not path.startswith(prefix):
                continue
            if is_folder:
                yield from self._names_below(path, prefix)
            elif entry.is_file(follow_symlinks=False):
                yield path


def _read(descriptor: int, most: int) -> bytes:
    parts: list[bytes] = []
    while most and (part := os.read(descriptor, most)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
