"""Environments of third-party servers: one per lock file, made once and reused while the lock is the same.

A Python environment is described by `envs/<name>.lock`, a Node one by `envs/<name>/package-lock.json`. Both name every
package by version and hash; neither says where it is to be had from, which is for pip's and npm's configuration. The
Lambda Web Adapter is one crate of one version, whose authors have locked what it is built from.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1] / ".venv-interop"
INSTALL_TIMEOUT_S = 300
BUILD_TIMEOUT_S = 500
"""For the adapter: two minutes on two cores."""
ADAPTER = ("lambda_web_adapter", "1.0.0-rc1")
"""The newest on crates.io, where the release itself is not."""
OLDEST_NODE = 20
"""What the engines of the newest of the packages ask for."""


class NotOnThisMachine(Exception):
    """What an environment is made with, and runs on, is not installed."""


def python_of(name: str) -> Path:
    """The interpreter of the environment that `envs/<name>.lock` describes, installed from that file alone."""
    lock = HERE / "envs" / f"{name}.lock"
    home = ROOT / name
    interpreter = home / "bin" / "python"
    fingerprint = f"{sys.version_info[0]}.{sys.version_info[1]} {_hash(lock)}"
    with _alone(home):
        if not _is_made(home, fingerprint):
            # Without a pip of its own: a Debian without python3-venv could put none there, and ours installs into it.
            venv.create(home, with_pip=False)
            pip = [sys.executable, "-m", "pip", "--python", interpreter, "--disable-pip-version-check"]
            # Without dependencies: the lock has them all, and pip need not work out again that it is right.
            _install([*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", lock], lock, home)
            _stamp(home).write_text(fingerprint)
    return interpreter


def modules_of(name: str) -> Path:
    """The `node_modules` that `envs/<name>/package-lock.json` describes, for NODE_PATH; no script of theirs has run.

    Raises NotOnThisMachine where Node or npm is not to be had.
    """
    source = HERE / "envs" / name
    home = ROOT / name
    fingerprint = f"{node_version()} {_hash(source / 'package-lock.json')}"
    npm = shutil.which("npm")
    if npm is None:
        raise NotOnThisMachine("no npm on PATH: it installs what is written in TypeScript")
    with _alone(home):
        if not _is_made(home, fingerprint):
            home.mkdir()
            for part in ("package.json", "package-lock.json"):
                shutil.copy(source / part, home)
            _install([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], source, home)
            _stamp(home).write_text(fingerprint)
    return home / "node_modules"


def web_adapter() -> Path:
    """The Lambda Web Adapter's program, built from its crate. Raises NotOnThisMachine where cargo is not to be had."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise NotOnThisMachine("no cargo on PATH: it builds the Lambda Web Adapter")
    crate, version = ADAPTER
    home = ROOT / "web-adapter"
    with _alone(home):
        if not _is_made(home, version):
            home.mkdir()
            build = [cargo, "install", "--quiet", crate, "--version", version, "--locked", "--root", home]
            _install([*build, "--target-dir", home / "target"], Path(crate), home, BUILD_TIMEOUT_S)
            shutil.rmtree(home / "target")
            _stamp(home).write_text(version)
    return home / "bin" / "lambda-adapter"


@cache
def node_version() -> int:
    """Major version of the Node on PATH. Raises NotOnThisMachine where there is none, or one too old."""
    node = shutil.which("node")
    if node is None:
        raise NotOnThisMachine("no Node on PATH: what is written in TypeScript runs on it")
    version = json.loads(subprocess.check_output([node, "-p", "process.versions.node.split('.')[0]"]))
    if version < OLDEST_NODE:
        raise NotOnThisMachine(f"Node {version} is on PATH: what is written in TypeScript wants {OLDEST_NODE}")
    return int(version)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Nobody else makes this environment meanwhile, in this process or another."""
    ROOT.mkdir(exist_ok=True)
    with home.with_name(f".{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_made(home: Path, fingerprint: str) -> bool:
    """Whether the environment is there and of this fingerprint; what is there of another is removed."""
    stamp = _stamp(home)
    if stamp.exists() and stamp.read_text() == fingerprint:
        return True
    shutil.rmtree(home, ignore_errors=True)
    return False


def _install(command: Sequence[str | Path], source: Path, home: Path, timeout_s: float = INSTALL_TIMEOUT_S) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{source.name} cannot be installed:\n{done.stderr[:2000]}")


def _stamp(home: Path) -> Path:
    return home / "installed-from"


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
