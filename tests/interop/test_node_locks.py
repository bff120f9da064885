"""What is installed for Node: named by version and hash, and never by an address."""

import json
from pathlib import Path

import pytest

LOCKS = sorted((Path(__file__).parent / "envs").glob("*/package-lock.json"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.name)
def test_a_lock_of_node_pins_everything_by_hash_and_names_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    locked, declared = packages.pop(""), json.loads(lock.with_name("package.json").read_text())
    for group in ("dependencies", "optionalDependencies"):
        wanted = declared.get(group, {})
        assert locked.get(group, {}) == wanted
        assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
