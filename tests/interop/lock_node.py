"""Renews every `envs/*/package-lock.json` from the package.json beside it: `python tests/interop/lock_node.py`.

A lock names every package by version and hash. npm would also write where it got each one, and where its authors take
donations: neither belongs to what is locked.
"""

import json
import subprocess
from pathlib import Path

ENVIRONMENTS = Path(__file__).parent / "envs"
UNLOCKED = ("resolved", "funding", "deprecated")


def main() -> None:
    for declared in sorted(ENVIRONMENTS.glob("*/package.json")):
        renew(declared.parent)


def renew(home: Path) -> None:
    lock = home / "package-lock.json"
    lock.unlink(missing_ok=True)
    subprocess.run(["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit"], cwd=home, check=True)
    document = json.loads(lock.read_text())
    for package in document["packages"].values():
        for name in UNLOCKED:
            package.pop(name, None)
    lock.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
