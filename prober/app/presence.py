"""Which workers of this machine live: each holds a lock on a file of its name, and the kernel ends that with it.

So a worker that is started anew takes over at once what one was about that was killed, instead of when its leases end.
"""

import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)


class Presence:
    """The file of one worker, and those of the others on its database."""

    def __init__(self, directory: Path, worker: str) -> None:
        self._directory = directory
        self._own = directory / worker
        self._lock: int | None = None

    def enter(self) -> frozenset[str]:
        """Be seen from now on; returns the names of workers that are dead. Never raises for the disk."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._own)
            return frozenset(each.name for each in self._directory.iterdir() if each != self._own and _is_dead(each))
        except OSError as failure:
            log.warning("dead workers are not looked for in %s: %s", self._directory, failure.strerror or failure)
            return frozenset()

    def forget(self, dead: Iterable[str]) -> None:
        """Nobody needs to know of these any more."""
        for name in dead:
            _remove(self._directory / name)

    def leave(self) -> None:
        """The worker has ended and left nothing behind."""
        if self._lock is not None:
            _remove(self._own)
            os.close(self._lock)
            self._lock = None


def _locked(path: Path) -> int | None:
    """The file, made where it is not there, under our lock; None where somebody else has it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _is_dead(path: Path) -> bool:
    lock = _locked(path)
    if lock is None:
        return False
    os.close(lock)
    return True


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as failure:
        log.warning("%s cannot be removed: %s", path, failure.strerror or failure)
