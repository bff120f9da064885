"""The directory that a server lives in: whose it is, that one server has it, and that its user can get to it."""

import fcntl
import os
import pwd
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prober.clock import Clock
from prober.storage.embedded.errors import DirectoryUnusable, EmbeddedError

START_RETRIED_S: Final = 5.0
"""A server that was just killed may hold its shared memory a moment longer; starts are tried again for this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The user that the server runs as: we ourselves, or somebody without rights when we are root."""

    uid: int
    gid: int
    name: str

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()


def server_owner(cluster: Path) -> Owner:
    """Who the server runs as. PostgreSQL refuses root, so root's server belongs to whoever made its files, and a new
    one to `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return Owner(uid=os.geteuid(), gid=os.getegid(), name="")
    with suppress(FileNotFoundError):
        files = cluster.stat()
        if files.st_uid != 0:
            return Owner(uid=files.st_uid, gid=files.st_gid, name=f"number {files.st_uid}")
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return Owner(uid=user.pw_uid, gid=user.pw_gid, name=name)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`. "
        "Run the prober as an ordinary user, or set DATABASE_URL"
    )


def locked(data_dir: Path, clock: Clock) -> int:
    """A lock on the directory that we and every process of the server hold: it is free exactly when all are gone.

    A server whose prober was killed needs a moment to end, so the lock is awaited for `START_RETRIED_S`.
    """
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = clock.monotonic() + START_RETRIED_S
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() > deadline:
                holder = os.pread(lock, 20, 0).decode(errors="replace")
                os.close(lock)
                raise EmbeddedError(
                    f"the database in {data_dir} is in use by another prober (process {holder}). "
                    "Stop that one, choose another directory with --data-dir, or set DATABASE_URL"
                ) from None
            pause.wait(0.1)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            return lock


def make_reachable(data_dir: Path, owner: Owner) -> None:
    """Make the directory, and see that the server's user can get to it; only what we make ourselves is opened up."""
    missing = [path for path in (data_dir, *data_dir.parents) if not path.exists()]
    mode = 0o700 if owner.is_us else 0o711
    for path in reversed(missing):
        path.mkdir()
        path.chmod(mode)
    if not data_dir.is_dir():
        raise NotADirectoryError(None, "it is not a directory", str(data_dir))
    closed = closed_to(owner, data_dir)
    if closed is not None:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise DirectoryUnusable(
            f"PostgreSQL does not run as root, and the user {owner.name} that it would run as cannot enter {closed}. "
            "Choose a directory that it can reach, such as --data-dir /var/lib/mcp-prober, run the prober as an "
            "ordinary user, or set DATABASE_URL"
        )


def closed_to(owner: Owner, path: Path) -> Path | None:
    """The topmost of `path` and its parents that the owner cannot enter."""
    if owner.is_us:
        return None
    resolved = path.resolve()
    for each in (*reversed(resolved.parents), resolved):
        found = each.stat()
        bit = stat.S_IXUSR if found.st_uid == owner.uid else stat.S_IXGRP if found.st_gid == owner.gid else stat.S_IXOTH
        if not found.st_mode & bit:
            return each
    return None


def give(path: Path, owner: Owner) -> None:
    if not owner.is_us:
        os.chown(path, owner.uid, owner.gid)


def remove_stale_pid_file(cluster: Path) -> None:
    """Remove what a killed server left behind: its process id may meanwhile be that of an innocent process.

    The lock is ours, so no server of ours runs here; one that was started by hand keeps the directory.
    """
    lines = pid_file(cluster)
    if not lines:
        return
    with suppress(OSError):
        if Path(f"/proc/{int(lines[0])}/cwd").resolve() == cluster.resolve():
            raise EmbeddedError(
                f"a PostgreSQL server that was started by other means (process {lines[0]}) uses {cluster}. "
                "Stop it, choose another directory with --data-dir, or set DATABASE_URL"
            )
    if Path("/proc/self").exists():
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def pid_file(cluster: Path) -> list[str]:
    """Lines of postmaster.pid: process, directory, start, port, socket directory, address, shared memory, state."""
    with suppress(OSError):
        return [line.strip() for line in (cluster / "postmaster.pid").read_text(errors="replace").splitlines()]
    return []
