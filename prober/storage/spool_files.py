"""The files of a spool: directories that belong to one worker, and segments in them. Blocking; raises OSError.

    spool/1/lock                         held by the worker whose directory this is
    spool/1/000000000007-5be0a1f2.spool  a segment: its number, and its salt

A directory whose lock nobody holds was left by a worker that died: whoever starts next adopts it.
"""

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from prober.storage.spool_format import Reading, Record, frame, header, read

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that say that there is no room, and not that the disk is ill."""

_NAME: Final = re.compile(r"(\d{12})-([0-9a-f]{8})\.spool")
_LOCK: Final = "lock"
_UNSYNCABLE: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
"""What file systems say that do not sync directories."""


class WorkerDirectory:
    """A numbered directory whose lock this process holds."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path: Final = path
        self._lock: Final = lock

    def segments(self) -> list["Segment"]:
        """What is in it, oldest first."""
        for part in self.path.glob("*.part"):
            part.unlink()
        found = [(path, _NAME.fullmatch(path.name)) for path in self.path.iterdir()]
        named = sorted((int(name[1]), int(name[2], 16), path) for path, name in found if name)
        return [Segment(path, number, salt, path.stat().st_size) for number, salt, path in named]

    def create(self, number: int) -> "Segment":
        """A new segment, without anything in it."""
        salt = secrets.randbits(32)
        return Segment(self.path / f"{number:012}-{salt:08x}.spool", number, salt, 0)

    def leave(self, *, remove: bool) -> None:
        """Let go of it; `remove` it as well if nothing is left in it."""
        with suppress(OSError):
            if remove and [path.name for path in self.path.iterdir()] == [_LOCK]:
                (self.path / _LOCK).unlink()
                self.path.rmdir()
        os.close(self._lock)


def claim(directory: Path) -> list[WorkerDirectory]:
    """All directories in `directory` that nobody holds, or a new one: the first is to be ours, the others are left
    by the dead."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    numbers = sorted(int(path.name) for path in directory.iterdir() if path.name.isascii() and path.name.isdecimal())
    claimed: list[WorkerDirectory] = []
    for number in numbers:
        # One that cannot be opened is somebody else's.
        with suppress(OSError):
            claimed.extend(_lock(directory / str(number)))
    fresh = 0
    while not claimed:
        fresh += 1
        with suppress(FileExistsError):
            claimed.extend(_made(directory / str(fresh)))
    return claimed


def left_beside(directory: Path) -> list[Path]:
    """Other spools beside this one in which reports wait that no worker holds: no worker here ever saves them."""
    siblings = sorted(directory.parent.iterdir()) if directory.parent.is_dir() else []
    return [each for each in siblings if each != directory and any(map(_is_left, each.glob("*/*.spool")))]


def _is_left(segment: Path) -> bool:
    held = list(_lock(segment.parent))
    for each in held:
        each.leave(remove=False)
    return bool(held)


def room_in(directory: Path) -> int:
    """Bytes that the file system of this directory has left for us."""
    told = os.statvfs(directory)
    return told.f_bavail * told.f_frsize


class Segment:
    """One file of frames. Only a segment that this process created is appended to."""

    def __init__(self, path: Path, number: int, salt: int, size: int) -> None:
        self.path: Final = path
        self.number: Final = number
        self.size = size
        """Bytes that are safely in it."""
        self.broken = False
        """Nothing may be appended any more: what is behind `size` is not known."""
        self._salt: Final = salt
        self._file: int | None = None

    def append(self, records: Iterable[Record]) -> None:
        """Write and sync: all of them are on the disk, or none is said to be."""
        data = b"".join(frame(record, self._salt) for record in records)
        if self._file is None:
            self._open()
        file, start = self._opened(), self.size
        if not start:
            data = header(self._salt) + data
        try:
            _write(file, data)
        except OSError:
            self._cut(start)
            raise
        try:
            _fdatasync(file)
            if not start:
                _sync_directory(self.path.parent)
        except OSError:
            # What the kernel could not write it forgets, and says so only once (fsync(2)).
            self.broken = True
            raise
        self.size = start + len(data)

    def read(self) -> Reading:
        """What is in it. Raises `spool_format.UnknownVersion` too."""
        with self.path.open("rb") as file:
            return read(file.read(self.size), self._salt)

    def replace(self, records: Sequence[Record]) -> None:
        """Put these in place of all that is in it, at once or not at all. It must be closed."""
        part = self.path.with_suffix(".part")
        data = b"".join([header(self._salt), *(frame(record, self._salt) for record in records)])
        try:
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                _write(file, data)
                _fdatasync(file)
            finally:
                os.close(file)
            part.replace(self.path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
        self.size = len(data)
        _sync_directory(self.path.parent)

    def close(self) -> None:
        """Nothing is appended any more."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def remove(self) -> None:
        """Delete it; it is no error if it is gone."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _opened(self) -> int:
        assert self._file is not None
        return self._file

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._opened(), size)
        except OSError:
            self.broken = True


def _made(path: Path) -> Iterator[WorkerDirectory]:
    path.mkdir(mode=0o700)
    try:
        yield from _lock(path)
    except OSError:
        with suppress(OSError):
            (path / _LOCK).unlink(missing_ok=True)
            path.rmdir()
        raise


def _lock(path: Path) -> Iterator[WorkerDirectory]:
    """The directory if nobody else holds it, or nothing. Its holder may leave, and the lock vanish, meanwhile."""
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_there = os.path.samestat(os.fstat(lock), (path / _LOCK).stat())
    except (BlockingIOError, FileNotFoundError):
        is_there = False
    except OSError:
        os.close(lock)
        raise
    if is_there:
        yield WorkerDirectory(path, lock)
    else:
        os.close(lock)


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _fdatasync(file: int) -> None:
    # macOS has no fdatasync.
    getattr(os, "fdatasync", os.fsync)(file)


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in _UNSYNCABLE:
            raise
    finally:
        os.close(directory)
