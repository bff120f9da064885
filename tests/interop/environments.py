"""Virtual environments for third-party servers: one per lock file, made once and reused while the lock is the same."""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1] / ".venv-interop"
INSTALL_TIMEOUT_S = 300


def python_of(name: str) -> Path:
    """The interpreter of the environment that `envs/<name>.lock` describes, installed from that file alone."""
    lock = HERE / "envs" / f"{name}.lock"
    home = ROOT / name
    interpreter = home / "bin" / "python"
    stamp = home / "installed-from"
    fingerprint = f"{sys.version_info[0]}.{sys.version_info[1]} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text() == fingerprint:
        return interpreter
    shutil.rmtree(home, ignore_errors=True)
    # Without a pip of its own: a Debian without python3-venv could not put one there, and ours installs into it.
    venv.create(home, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", interpreter, "--disable-pip-version-check"]
    command = [*pip, "install", "--quiet", "--require-hashes", "-r", lock]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{lock.name} cannot be installed:\n{done.stderr[-2000:]}")
    stamp.write_text(fingerprint)
    return interpreter
